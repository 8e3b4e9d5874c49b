"""The tables of the history, and the way to a database that has them.

Portable SQL: what two dialects say differently is here and nowhere else. Doesn't know what a chat
or a message means.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from config.errors import MyBotError, SettingsError
from config.settings import ROOT

VERSION = 1

_metadata = MetaData()

messages = Table(
    "messages",
    _metadata,
    # SQLite counts up by itself in an INTEGER only.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("chat", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("chat_name", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("sender", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("mine", Boolean, nullable=False),
    Column("author", Text, nullable=False),
    Column("segments", Text, nullable=False),
    Column("reply_to", Text),
    Column("flags", Text, nullable=False),
    Column("recalled", Boolean, nullable=False),
    Column("turn", Text, nullable=False),
    UniqueConstraint("chat", "id"),
    Index("messages_in_order", "chat", "at", "seq"),
    Index("messages_by_time", "time"),
)

labels = Table(
    "labels",
    _metadata,
    Column("chat", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("label", Text, nullable=False),
)

chat_settings = Table(
    "chat_settings",
    _metadata,
    Column("chat", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

_version = Table("schema_version", _metadata, Column("version", Integer, primary_key=True))


def insert_new(dialect: str, table: Table, unique: Sequence[str]) -> Any:
    """An insert that passes over rows which are there already."""
    write = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return write(table).on_conflict_do_nothing(index_elements=list(unique))


async def connect(url: str) -> AsyncEngine:
    """An engine on the database at this URL, its tables made or checked."""
    hint = "check [bot] database in config/mybot.toml, such as sqlite+aiosqlite:///data/history.db"
    try:
        engine = _engine(_anchored(make_url(url)))
    except ArgumentError:
        raise SettingsError("the database URL can't be read", hint=hint) from None
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the database needs the package {error.name}", hint=f"pip install {error.name}, or use SQLite"
        ) from None
    try:
        async with engine.begin() as connection:
            await _prepare(connection)
    except (SQLAlchemyError, OSError) as error:
        await engine.dispose()
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise SettingsError(f"the database can't be used: {reason}", hint=hint) from None
    except BaseException:
        await engine.dispose()
        raise
    return engine


def _anchored(url: URL) -> URL:
    """A relative SQLite path is relative to the checkout; its folder is made."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return url
    path = ROOT / url.database
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
    # One connection: SQLite has one writer anyway, and nobody waits for a lock.
    engine = create_async_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


async def _prepare(connection: AsyncConnection) -> None:
    await connection.run_sync(_metadata.create_all)
    version = (await connection.execute(select(_version.c.version))).scalar_one_or_none()
    if version is None:
        await connection.execute(insert(_version).values(version=VERSION))
    elif version > VERSION:
        raise MyBotError(
            f"the database was made by a newer mybot (layout {version}, here {VERSION})",
            hint="update mybot, or name another database",
        )
