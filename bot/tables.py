"""The tables of the history, as they are in this version.

Portable SQL: what two dialects say differently is here, in migrations.py and in database.py, and
nowhere else. Doesn't know what a chat or a message means. Who changes a table counts up
`migrations.VERSION` and writes the step that leads there.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text, UniqueConstraint
from sqlalchemy.dialects import postgresql, sqlite

metadata = MetaData()


def _counter(name: str) -> Column[int]:
    # SQLite counts up by itself in an INTEGER only.
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


messages = Table(
    "messages",
    metadata,
    _counter("seq"),
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
    # The ids that a line of the bot answers, as a JSON list; empty for other lines.
    Column("answers", Text, nullable=False, server_default=""),
    UniqueConstraint("chat", "id"),
    Index("messages_in_order", "chat", "at", "seq"),
    Index("messages_by_time", "time"),
)

SENT = messages.c.author.like("persona:%") | (messages.c.mine & (messages.c.sender == ""))
"""What went out through the bot: a persona's words, or the owner's, for which no platform named an account."""

labels = Table(
    "labels",
    metadata,
    Column("chat", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("label", Text, nullable=False),
)

chat_settings = Table(
    "chat_settings",
    metadata,
    Column("chat", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Lists are JSON. A number is never given twice, not even after its row is gone: owners type it.
drafts = Table(
    "drafts",
    metadata,
    _counter("number"),
    Column("chat", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("answers", Text, nullable=False),
    Column("bubbles", Text, nullable=False),
    Column("persona", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("due", Double, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("final", Text, nullable=False),
    Column("decided_at", Double),
    Index("drafts_in_order", "chat", "at"),
    Index("drafts_by_outcome", "outcome"),
    sqlite_autoincrement=True,
)

preferences = Table(
    "preferences",
    metadata,
    _counter("number"),
    Column("chat", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("context", Text, nullable=False),
    Column("rejected", Text, nullable=False),
    Column("chosen", Text, nullable=False),
    Column("persona", Text, nullable=False),
    Index("preferences_by_chat", "chat"),
    sqlite_autoincrement=True,
)

consents = Table(
    "consents",
    metadata,
    Column("chat", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Double, nullable=False),
)

said = Table(
    "said",
    metadata,
    # What is left of the bot's own lines once they are deleted: hashed words, and when.
    Column("words", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, primary_key=True, autoincrement=False),
)

forgotten = Table(
    "forgotten",
    metadata,
    # What must not come back with a platform's old messages: a hash of whose or which, and until when.
    Column("what", Text, primary_key=True),
    Column("before", Double, nullable=False),
)

version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))


def insert_new(dialect: str, table: Table, unique: Sequence[str]) -> Any:
    """An insert that passes over rows which are there already."""
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=list(unique))


def insert_over(dialect: str, table: Table, unique: Sequence[str]) -> Any:
    """An insert that takes the place of a row which is there already."""
    write = _insert(dialect, table)
    others = {column.name: write.excluded[column.name] for column in table.c if column.name not in unique}
    return write.on_conflict_do_update(index_elements=list(unique), set_=others)


def _insert(dialect: str, table: Table) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
