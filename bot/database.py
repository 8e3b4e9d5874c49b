"""The way to the database: opened by URL, written in batches, read whole.

Writes gather and go out together, off the way to a reply; `at_once` is for what a restart must not
lose. Reading writes out what has gathered first. Doesn't know what the tables mean.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Executable, Row, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.migrations import prepare
from config.errors import SettingsError
from config.settings import ROOT

logger = logging.getLogger(__name__)

T = TypeVar("T")

DELAY = 0.5
"""Seconds over which writes gather."""

SCRUB_AGAIN = 60.0
"""Seconds after which what was deleted is tried to be written over again."""

PATIENCE = 30.0
"""Seconds that SQLite waits for another process that has the file: one that brings it up to date, say."""
HINT = "check [bot] database in config/mybot.toml, such as sqlite+aiosqlite:///data/history.db"


class Database:
    """One database, and what has gathered for it. Made by `open`, let go of by `close`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._gathered: list[tuple[Executable, dict[str, Any]]] = []
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._has_readers = self.dialect == "sqlite" and engine.url.database not in (None, "", ":memory:")
        self._reading = asyncio.Lock()
        self._reader: AsyncConnection | None = None
        self._scrubbing: asyncio.TimerHandle | None = None
        self._at_work: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, url: str) -> "Database":
        """The database at this URL, its tables made or brought up to date. SettingsError where it can't be used."""
        return cls(await connect(url))

    async def close(self) -> None:
        """Write what has gathered and let go of the database."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self.flush()
            if self._scrubbing is not None:
                self._scrubbing.cancel()
                await self._scrub()
            await asyncio.gather(*self._at_work)
        finally:
            if self._reader is not None:
                await self._reader.close()
            await self.engine.dispose()

    def gather(self, statement: Executable, rows: Sequence[dict[str, Any]]) -> None:
        """Let this be written soon, in order."""
        self._gathered.extend((statement, row) for row in rows)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._time_is_up)

    async def flush(self) -> None:
        """Write what has gathered, in one transaction and in order."""
        if self._gathered or self._writing.locked():
            await self.whole(self._write(None))

    async def at_once(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do this now, after what has gathered and in its transaction; on return it survives a crash."""
        return await self.whole(self._write(work))

    async def read(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """The rows of a query with these values bound, with all that was written or gathered before."""
        await self.flush()
        return await self.whole(self._fetch(query, values))

    async def scrub(self) -> None:
        """See that what was deleted is in no file any more: not in free pages, stale copies or the log.

        Somebody else who is reading may be in the way: then it is said in the log, and tried again.
        """
        self._scrubbing = None
        if not await self.whole(self._scrub()):
            logger.warning("history: somebody else reads the database; what was deleted is written over later")
            again = asyncio.get_running_loop().call_later
            self._scrubbing = again(SCRUB_AGAIN, lambda: self.whole(self.scrub()))

    async def _scrub(self) -> bool:
        async with self._writing, self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                await connection.exec_driver_sql("VACUUM")
                if self.dialect != "sqlite":
                    return True
                return not (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0]
            except OperationalError:
                return False

    async def _fetch(self, query: Executable, values: Mapping[str, Any] | None) -> Sequence[Row[Any]]:
        if not self._has_readers:
            async with self.engine.connect() as connection:
                return (await connection.execute(query, values)).all()
        # Taking a connection from the pool and giving it back costs as much as the query.
        async with self._reading:
            if self._reader is None:
                opened = await self.engine.connect()
                self._reader = await opened.execution_options(isolation_level="AUTOCOMMIT")
            return (await self._reader.execute(query, values)).all()

    def _time_is_up(self) -> None:
        self._timer = None
        self.whole(self._write(None)).add_done_callback(_log_failure)

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[T]] | None) -> Any:
        async with self._writing:
            gathered, self._gathered = self._gathered, []
            if not gathered and work is None:
                return None
            try:
                async with self.engine.begin() as connection:
                    for _, same in groupby(gathered, key=lambda item: id(item[0])):
                        batch = list(same)
                        await connection.execute(batch[0][0], [values for _, values in batch])
                    return await work(connection) if work else None
            except BaseException:
                self._gathered = gathered + self._gathered
                raise

    def whole(self, work: Coroutine[Any, Any, T]) -> "asyncio.Future[T]":
        """Run to its end even if whoever waits is cancelled: half a statement costs the connection."""
        task = asyncio.create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return asyncio.shield(task)


def _log_failure(task: "asyncio.Future[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("history: not written, kept in memory and tried again: %s", type(error).__name__)


def storable(text: str) -> str:
    """Without what no database takes: NUL, and halves of a character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


async def connect(url: str) -> AsyncEngine:
    """An engine on the database at this URL, its tables made or brought up to date."""
    engine = engine_of(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(prepare)
    except (SQLAlchemyError, OSError) as error:
        await engine.dispose()
        raise unusable(error) from None
    except BaseException:
        await engine.dispose()
        raise
    return engine


def engine_of(url: str) -> AsyncEngine:
    """An engine for this URL, which hasn't connected yet. SettingsError where there is none."""
    try:
        return _engine(_anchored(make_url(url)))
    except ArgumentError:
        raise SettingsError("the database URL can't be read", hint=HINT) from None
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the database needs the package {error.name}", hint=f"pip install {error.name}, or use SQLite"
        ) from None


def database_path(url: str) -> Path:
    """The file that a SQLite URL names. SettingsError where it can't be read."""
    try:
        return ROOT / (make_url(url).database or "")
    except ArgumentError:
        raise SettingsError("the database URL can't be read", hint=HINT) from None


def unusable(error: SQLAlchemyError | OSError) -> SettingsError:
    """What went wrong with the database, without what it was asked."""
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    return SettingsError(f"the database can't be used: {reason}", hint=HINT)


def _anchored(url: URL) -> URL:
    """A relative SQLite path is relative to the checkout; its folder is made."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return url
    path = ROOT / str(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"the folder of the database can't be made: {error}", hint="choose another one") from None
    return url.set(database=str(path))


def _engine(url: URL) -> AsyncEngine:
    # Parameters are hidden from errors and their tracebacks: they are what people said.
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True, hide_parameters=True)
    if url.database in (None, "", ":memory:"):
        return create_async_engine(url, hide_parameters=True)
    # One connection that writes, so that nobody waits for a lock, and one that reads meanwhile.
    patient = {"timeout": PATIENCE}
    engine = create_async_engine(url, pool_size=2, max_overflow=0, hide_parameters=True, connect_args=patient)
    event.listen(engine.sync_engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    # What is deleted is written over, at no cost to what isn't.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()
