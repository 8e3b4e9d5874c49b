"""What was said, per chat: SQL through SQLAlchemy Core, SQLite by default, any URL.

Keeps every message of the chats it is given, answered or not, with the author of each line: the
`owner`, a `persona:<hash>`, or an `other`. Beside them the one label of each speaker in a chat, and
what was set for a chat by command. Doesn't know prompts, turns or platforms.

Writes gather and go out together, off the way to a reply. What a restart must not lose goes out at
once: messages that count as answered, and settings. Reading writes out what has gathered first.

The order of a chat is the order of arrival (`at`), not of the platform's clock: a clock that runs
ahead must not put an answer before its question. Retention, deletion and migrations are further
statements here; `VERSION` names the layout of the tables.
"""

import asyncio
import json
import logging
import math
from collections import OrderedDict
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Executable, Row, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.persona.message import Message, Segment
from bot.tables import chat_settings, connect, insert_new, labels, messages

logger = logging.getLogger(__name__)

T = TypeVar("T")

OWNER, OTHER = "owner", "other"
OPEN, ANSWERED = "open", "answered"
"""What a message that wants an answer stands at; else why it got none, or nothing."""

DELAY = 0.5
"""Seconds over which writes gather."""
REMEMBERED = 20_000
"""Newest ids known without asking the database."""


class History:
    """The kept messages of all chats. Made by `open`, let go of by `close`."""

    def __init__(self, engine: AsyncEngine, newest: float, settings: dict[str, dict[str, str]]) -> None:
        self._engine = engine
        self._settings = settings
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._gone: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Recalled lately: a message may come after its recall."""
        self._unsure = newest
        """Newest time of a message whose id may be in the database but is not in `_known`."""
        self._gathered: list[tuple[Executable, dict[str, Any]]] = []
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._at_work: set[asyncio.Task[Any]] = set()
        dialect = engine.dialect.name
        self._insert = insert_new(dialect, messages, ("chat", "id"))
        self._label = insert_new(dialect, labels, ("chat", "sender"))

    @classmethod
    async def open(cls, url: str) -> "History":
        """The history at this URL; a missing SQLite file, its folder and all tables are made."""
        engine = await connect(url)
        async with engine.connect() as connection:
            newest = (await connection.execute(select(func.max(messages.c.time)))).scalar_one()
            rows = (await connection.execute(select(chat_settings))).all()
        settings: dict[str, dict[str, str]] = {}
        for row in rows:
            settings.setdefault(row.chat, {})[row.name] = row.value
        return cls(engine, -math.inf if newest is None else newest, settings)

    async def close(self) -> None:
        """Write what has gathered and let go of the database."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self.flush()
            await asyncio.gather(*self._at_work)
        finally:
            await self._engine.dispose()

    async def add(self, message: Message, *, author: str = OTHER, at: float | None = None, turn: str = "") -> bool:
        """Keep a message; False when its chat has one of that id already.

        `at` is when it came (else its own time); `turn` is OPEN for one that wants an answer.
        """
        key = (message.chat, message.id)
        if key in self._known:
            return False
        # Newer than all that is only in the database, it isn't there. Where an answer hangs on it,
        # not even a copy with another time may pass.
        unsure = message.time <= self._unsure or (turn == OPEN and self._unsure > -math.inf)
        if unsure and await self.author(message.chat, message.id):
            return False
        if key in self._known:
            return False
        self._remember(key, message.time)
        row = _row(message, author, message.time if at is None else at, turn)
        self._gather(self._insert, [row | {"recalled": key in self._gone}])
        return True

    async def recent(self, chat: str, n: int) -> list[Message]:
        """The newest messages of a chat since it was cleared, oldest first, without recalled ones."""
        mark = float(self.setting(chat, "cleared") or "-inf")
        table = messages.c
        query = select(messages).where(table.chat == chat, table.at > mark, table.recalled.is_(False))
        rows = await self._read(query.order_by(table.at.desc(), table.seq.desc()).limit(n))
        return [_message(row) for row in reversed(rows)]

    async def some(self, chat: str, ids: Collection[str]) -> list[Message]:
        """The messages of a chat with these ids, since it was cleared, without recalled ones."""
        if not ids:
            return []
        table = messages.c
        mark = float(self.setting(chat, "cleared") or "-inf")
        query = select(messages).where(table.chat == chat, table.id.in_(ids), table.at > mark)
        return [_message(row) for row in await self._read(query.where(table.recalled.is_(False)))]

    async def author(self, chat: str, message_id: str) -> str:
        """Who wrote a message: OWNER, OTHER or `persona:<hash>`; empty when it isn't kept."""
        table = messages.c
        rows = await self._read(select(table.author).where(table.chat == chat, table.id == message_id))
        return rows[0].author if rows else ""

    async def unanswered(self, since: float) -> list[Message]:
        """Messages not older than that which still want an answer, in order of arrival."""
        table = messages.c
        query = select(messages).where(table.time >= since, table.turn == OPEN, table.recalled.is_(False))
        return [_message(row) for row in await self._read(query.order_by(table.seq))]

    async def answered(self, chat: str, ids: Iterable[str]) -> None:
        """Let these count as answered; on return that survives a crash."""
        self.settle(chat, ids, ANSWERED)
        await self.flush()

    def settle(self, chat: str, ids: Iterable[str], outcome: str) -> None:
        """Note how these messages ended; what was answered stays answered."""
        self._gather(_SETTLE, [{"in_chat": chat, "of_id": message_id, "to": outcome} for message_id in ids])

    def recall(self, chat: str, message_id: str) -> None:
        """Keep the message out of every later prompt; it may still be on its way."""
        self._gone[chat, message_id] = None
        if len(self._gone) > REMEMBERED:
            self._gone.popitem(last=False)
        self._gather(_RECALL, [{"in_chat": chat, "of_id": message_id}])

    async def labels(self, chat: str) -> dict[str, str]:
        """Sender → label, as it was fixed in this chat."""
        rows = await self._read(select(labels.c.sender, labels.c.label).where(labels.c.chat == chat))
        return {row.sender: row.label for row in rows}

    def keep_labels(self, chat: str, new: Mapping[str, str]) -> None:
        """Fix labels of speakers that had none; a fixed one stays as it is."""
        self._gather(self._label, [{"chat": chat, "sender": sender, "label": label} for sender, label in new.items()])

    def setting(self, chat: str, name: str) -> str:
        """What was set for a chat; empty when nothing was."""
        return self._settings.get(chat, {}).get(name, "")

    def chats_with(self, name: str) -> dict[str, str]:
        """Every chat that has this set, and to what."""
        return {chat: values[name] for chat, values in self._settings.items() if name in values}

    async def put(self, chat: str, name: str, value: str) -> None:
        """Set something for a chat; on return it survives a crash."""
        known = self._settings.setdefault(chat, {})
        statement = _CHANGE if name in known else insert(chat_settings)
        keys = ("in_chat", "of_name", "to") if name in known else ("chat", "name", "value")
        known[name] = value
        self._gather(statement, [dict(zip(keys, (chat, name, value), strict=True))])
        await self.flush()

    async def clear(self, chat: str, at: float) -> None:
        """Let prompts of this chat begin after this moment. Deletes nothing."""
        await self.put(chat, "cleared", repr(at))

    async def flush(self) -> None:
        """Write what has gathered, in one transaction and in order."""
        if self._gathered or self._writing.locked():
            await self._whole(self._write())

    def _gather(self, statement: Executable, rows: Sequence[dict[str, Any]]) -> None:
        self._gathered.extend((statement, row) for row in rows)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        self._whole(self._write()).add_done_callback(_log_failure)

    async def _write(self) -> None:
        async with self._writing:
            work, self._gathered = self._gathered, []
            if not work:
                return
            try:
                async with self._engine.begin() as connection:
                    for _, same in groupby(work, key=lambda item: id(item[0])):
                        batch = list(same)
                        await connection.execute(batch[0][0], [values for _, values in batch])
            except BaseException:
                self._gathered = work + self._gathered
                raise

    async def _read(self, query: Executable) -> Sequence[Row[Any]]:
        await self.flush()
        return await self._whole(self._fetch(query))

    async def _fetch(self, query: Executable) -> Sequence[Row[Any]]:
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).all()

    def _whole(self, work: Coroutine[Any, Any, T]) -> "asyncio.Future[T]":
        """Run to its end even if whoever waits is cancelled: half a statement costs the connection."""
        task = asyncio.create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return asyncio.shield(task)

    def _remember(self, key: tuple[str, str], time: float) -> None:
        self._known[key] = time
        if len(self._known) > REMEMBERED:
            _, forgotten = self._known.popitem(last=False)
            self._unsure = max(self._unsure, forgotten)


def _log_failure(task: "asyncio.Future[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("history: not written, kept in memory and tried again: %s", type(error).__name__)


def _one(table: Any) -> Any:
    return (table.chat == bindparam("in_chat")) & (table.id == bindparam("of_id"))


_SETTLE = update(messages).where(_one(messages.c) & (messages.c.turn != ANSWERED)).values(turn=bindparam("to"))
_RECALL = update(messages).where(_one(messages.c)).values(recalled=True)
_CHANGE = (
    update(chat_settings)
    .where((chat_settings.c.chat == bindparam("in_chat")) & (chat_settings.c.name == bindparam("of_name")))
    .values(value=bindparam("to"))
)


def _row(message: Message, author: str, at: float, turn: str) -> dict[str, Any]:
    segments = [segment.to_row() for segment in message.segments]
    row = {
        "chat": message.chat,
        "id": message.id,
        "kind": message.kind,
        "chat_name": message.chat_name,
        "at": at,
        "time": message.time,
        "sender": message.sender,
        "name": message.name,
        "mine": message.mine,
        "author": author,
        "segments": json.dumps(segments, ensure_ascii=False, separators=(",", ":")),
        "reply_to": message.reply_to,
        "flags": ",".join(message.flags),
        "turn": turn,
    }
    return {name: _storable(value) if isinstance(value, str) else value for name, value in row.items()}


def _storable(text: str) -> str:
    """Without what no database takes: NUL, and halves of a character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _message(row: Any) -> Message:
    return Message(
        id=row.id,
        chat=row.chat,
        kind=row.kind,
        time=row.time,
        sender=row.sender,
        name=row.name,
        segments=[Segment(**segment) for segment in json.loads(row.segments)],
        mine=row.mine,
        reply_to=row.reply_to,
        flags=tuple(row.flags.split(",")) if row.flags else (),
        chat_name=row.chat_name,
    )
