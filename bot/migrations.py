"""From the tables of an earlier mybot to today's: a step from each version to the next.

A step is SQL as it was written then; it never changes and never looks at tables.py, which moves on.
All steps that a database needs are one transaction: one that breaks off leaves the old version, whole.
"""

from sqlalchemy import Connection, delete, insert, inspect, select

from bot.tables import metadata, version
from config.errors import MyBotError

VERSION = 2
"""The layout of the tables in tables.py."""

STEPS: dict[int, str] = {
    1: """
        ALTER TABLE messages ADD COLUMN answers TEXT DEFAULT '' NOT NULL;
        CREATE TABLE drafts (
            number {counter}, chat TEXT NOT NULL, at {double} NOT NULL, answers TEXT NOT NULL, bubbles TEXT NOT NULL,
            persona TEXT NOT NULL, kind TEXT NOT NULL, due {double} NOT NULL, outcome TEXT NOT NULL,
            final TEXT NOT NULL, decided_at {double}
        );
        CREATE INDEX drafts_in_order ON drafts (chat, at);
        CREATE INDEX drafts_by_outcome ON drafts (outcome);
        CREATE TABLE preferences (
            number {counter}, chat TEXT NOT NULL, at {double} NOT NULL, context TEXT NOT NULL,
            rejected TEXT NOT NULL, chosen TEXT NOT NULL, persona TEXT NOT NULL
        );
        CREATE INDEX preferences_by_chat ON preferences (chat);
        CREATE TABLE consents (
            chat TEXT NOT NULL, sender TEXT NOT NULL, value TEXT NOT NULL, at {double} NOT NULL,
            PRIMARY KEY (chat, sender)
        );
        CREATE TABLE said (words BIGINT NOT NULL, time BIGINT NOT NULL, PRIMARY KEY (words, time));
        CREATE TABLE forgotten (what TEXT NOT NULL, before {double} NOT NULL, PRIMARY KEY (what))
    """,
}
"""From this version to the next: what to do."""

_WORDS = {
    "sqlite": {"counter": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "double": "DOUBLE"},
    "postgresql": {"counter": "BIGSERIAL PRIMARY KEY", "double": "DOUBLE PRECISION"},
}
_LOCK = 0x6D79626F74
"""PostgreSQL's lock of whoever prepares these tables."""


def prepare(connection: Connection) -> None:
    """Make the tables, or bring them up to date; in the transaction of this connection.

    MyBotError when they are of a newer mybot.
    """
    dialect = connection.dialect.name
    # The driver of SQLite begins nothing before a CREATE or ALTER; and two may prepare at once.
    begin = f"SELECT pg_advisory_xact_lock({_LOCK})" if dialect == "postgresql" else "BEGIN IMMEDIATE"
    connection.exec_driver_sql(begin)
    found = _version(connection)
    if found == VERSION:
        return
    refuse_newer(found)
    for step in range(found or VERSION, VERSION):
        for statement in STEPS[step].split(";"):
            connection.exec_driver_sql(statement.format(**_WORDS[dialect]))
    metadata.create_all(connection)
    connection.execute(delete(version))
    connection.execute(insert(version).values(version=VERSION))


def refuse_newer(found: int) -> None:
    """MyBotError for tables of a newer mybot."""
    if found > VERSION:
        raise MyBotError(
            f"the database was made by a newer mybot (layout {found}, here {VERSION})",
            hint="update mybot, or name another database",
        )


def _version(connection: Connection) -> int:
    """The version of the tables that are there; 0 if there are none."""
    tables = inspect(connection).get_table_names()
    found = connection.execute(select(version.c.version)).scalar() if version.name in tables else None
    # The first mybot might break off before it wrote a version down.
    return found or (1 if "messages" in tables else 0)
