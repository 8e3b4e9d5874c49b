"""The rows of the bot's own database, opened for reading only: a file, or a server by URL.

Knows the tables of every version; doesn't know what is done with a message. SQLAlchemy takes a while
to import, so that mybot_history.py asks for this module only when it has something to read.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import func, literal, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.database import database_path, engine_of, unusable
from bot.history import OWNER
from bot.migrations import refuse_newer
from bot.tables import SENT, consents, messages, preferences, said, version
from config.errors import InputError

PAGE = 2000
"""Messages that are read at once."""


class Rows:
    """One database, and the loop that its driver needs."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._loop = asyncio.new_event_loop()
        self.version = 0

    def close(self) -> None:
        self._loop.run_until_complete(self._engine.dispose())
        self._loop.close()

    def look(self) -> None:
        """See which version it is. MyBotError where that is newer than this mybot, or none."""
        found = self._all(select(version.c.version))
        if not found:
            raise InputError("that database of mybot was never finished", hint="start the bot once with it")
        self.version = int(found[0][0])
        refuse_newer(self.version)

    def messages(self) -> Iterator[Any]:
        """Every kept message in the order of arrival."""
        columns = [c if self.version > 1 or c.name != "answers" else literal("").label("answers") for c in messages.c]
        return self._pages(select(*columns))

    def _pages(self, query: Any) -> Iterator[Any]:
        after = 0
        while page := self._all(query.where(messages.c.seq > after).order_by(messages.c.seq).limit(PAGE)):
            yield from page
            after = page[-1].seq

    def spoken(self) -> Iterator[Any]:
        """Every line of the bot that is kept."""
        table = messages.c
        columns = (table.seq, table.kind, table.time, table.segments)
        return self._pages(select(*columns).where(table.author.like("persona:%")))

    def said(self) -> list[Any]:
        """Prints of the bot's lines that aren't kept any more."""
        return self._all(select(said)) if self.version > 1 else []

    def owners(self) -> list[tuple[str, str, int]]:
        """Chat, account and messages of what the owner typed."""
        table = messages.c
        query = select(table.chat, table.sender, func.count()).where(table.author == OWNER, table.sender != "")
        return [(row[0], row[1], row[2]) for row in self._all(query.group_by(table.chat, table.sender))]

    def consents(self) -> dict[tuple[str, str], str]:
        """Chat and sender → yes or no."""
        return {(row.chat, row.sender): row.value for row in self._all(select(consents))} if self.version > 1 else {}

    def preferences(self) -> list[Any]:
        """What the owner would have said, the oldest first."""
        return self._all(select(preferences).order_by(preferences.c.number)) if self.version > 1 else []

    def replies(self, chat: str) -> list[Any]:
        """What went out through the bot in a chat, in order."""
        table = messages.c
        query = select(table.id, table.time, table.name, table.answers).where(table.chat == chat, SENT)
        return self._all(query.order_by(table.seq))

    def _all(self, query: Any) -> list[Any]:
        return self._loop.run_until_complete(self._fetch(query))

    async def _fetch(self, query: Any) -> list[Any]:
        async with self._engine.connect() as connection:
            return list(await connection.execute(query))


@contextmanager
def opened_rows(path: Path, url: str = "") -> Iterator[Rows]:
    """The database in a file, or at a URL. InputError or SettingsError, two lines, where it can't be read."""
    if url.startswith("sqlite"):
        path, url = database_path(url), ""
    if not url and not path.is_file():
        raise InputError(f"{path} does not exist", hint="it is the bot's database: [bot] database says where it is")
    rows = Rows(engine_of(url) if url else _read_only(path))
    try:
        rows.look()
        yield rows
    except (SQLAlchemyError, OSError) as error:
        if url:
            raise unusable(error) from None
        hint = "stop the bot before you copy its database, with history.db-wal if that is beside it"
        raise InputError(f"{path.name} can't be read as mybot's database", hint=hint) from None
    finally:
        rows.close()


def _read_only(path: Path) -> AsyncEngine:
    # Beside a running bot there is a log that must be read too; alone it needs no file beside it.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    url = f"sqlite+aiosqlite:///file:{quote(str(path.absolute()))}?{mode}&uri=true"
    return create_async_engine(url, hide_parameters=True)
