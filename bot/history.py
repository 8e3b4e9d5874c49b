"""What was said, per chat: SQL through SQLAlchemy Core, SQLite by default, any URL.

Keeps every message of the chats it is given, answered or not, with the author of each line: the
`owner`, a `persona:<hash>`, or an `other`. Beside them the one label of each speaker in a chat, and
what was set for a chat by command (for all chats: chat ""). Doesn't know prompts, turns or platforms;
what the owner decides beside the bot is kept by keepsakes.py in the same database.

Messages gather and are written together. What a restart must not lose is written at once: messages
that count as answered, and settings.

The order of a chat is the order of arrival (`at`), not of the platform's clock: a clock that runs
ahead must not put an answer before its question.
"""

import json
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from sqlalchemy import bindparam, delete, func, select, tuple_, update

from bot.database import Database, storable
from bot.forget import PERSONAL, Target, chats_of
from bot.keepsakes import Keepsakes
from bot.persona.message import Message, Segment, encoded
from bot.retention import Retention
from bot.tables import SENT, chat_settings, insert_new, insert_over, labels, messages

OWNER, OTHER = "owner", "other"
OPEN, ANSWERED = "open", "answered"
"""What a message that wants an answer stands at; else why it got none, or nothing."""

REMEMBERED = 20_000
"""Newest ids known without asking the database."""
CLOCKS = 3600
"""Seconds by which the platform's clock may be behind ours."""
IDS_AT_ONCE = 500
"""Ids that one query asks for: databases bound the values of a statement."""


@dataclass(slots=True, frozen=True)
class Spoken:
    """A bubble that the bot sent: where, when, and whom it answered, as far as that is known."""

    chat: str
    at: float
    to: tuple[str, ...]


class History:
    """The kept messages of all chats. Made by `open`, let go of by `close`."""

    def __init__(
        self, database: Database, retention: Retention, newest: float, settings: dict[str, dict[str, str]]
    ) -> None:
        self.database = database
        self.keepsakes = Keepsakes(database)
        self.retention = retention
        self.forgets: list[Callable[[Target, float], Awaitable[object]]] = []
        """Who else keeps what was said here, and is told what to delete up to when."""
        self._settings = settings
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._gone: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Recalled lately: a message may come after its recall."""
        self._unsure = newest
        """Newest time of a message whose id may be in the database but is not in `_known`."""
        dialect = database.dialect
        self._insert = insert_new(dialect, messages, ("chat", "id"))
        self._label = insert_new(dialect, labels, ("chat", "sender"))
        self._put = insert_over(dialect, chat_settings, ("chat", "name"))

    @classmethod
    async def open(cls, url: str, *, keep_days: float = 0.0, now: Callable[[], float] = time.time) -> "History":
        """The history at this URL; a missing SQLite file, its folder and all tables are made.

        What is older than `keep_days` is deleted as time goes by; 0: nothing is.
        """
        database = await Database.open(url)
        newest = (await database.read(select(func.max(messages.c.time))))[0][0]
        settings: dict[str, dict[str, str]] = {}
        for row in await database.read(select(chat_settings)):
            settings.setdefault(row.chat, {})[row.name] = row.value
        retention = await Retention.of(database)
        if keep_days:
            retention.sweep(keep_days * 86400, now)
        return cls(database, retention, -math.inf if newest is None else newest, settings)

    async def close(self) -> None:
        """Write what has gathered and let go of the database."""
        self.retention.close()
        await self.database.close()

    async def add(
        self,
        message: Message,
        *,
        author: str = OTHER,
        at: float | None = None,
        turn: str = "",
        answers: Collection[str] = (),
    ) -> bool:
        """Keep a message; False when its chat has one of that id already, or it was forgotten.

        `at` is when it came (else its own time); `turn` is OPEN for one that wants an answer;
        `answers` are the ids that a line of the bot answers.
        """
        key = (message.chat, message.id)
        if key in self._known or self.retention.refuses(message):
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
        kept = {"recalled": key in self._gone, "answers": storable(encoded(list(answers))) if answers else ""}
        self.database.gather(self._insert, [row | kept])
        return True

    async def recent(self, chat: str, n: int) -> list[Message]:
        """The newest messages of a chat since it was cleared, oldest first, without recalled ones."""
        mark = float(self.setting(chat, "cleared") or "-inf")
        rows = await self.database.read(_RECENT, {"in_chat": chat, "mark": mark, "n": n})
        return [message_of(row) for row in reversed(rows)]

    async def some(self, chat: str, ids: Collection[str]) -> list[Message]:
        """The messages of a chat with these ids, since it was cleared, without recalled ones."""
        if not ids:
            return []
        table = messages.c
        mark = float(self.setting(chat, "cleared") or "-inf")
        query = select(messages).where(table.chat == chat, table.id.in_(ids), table.at > mark)
        return [message_of(row) for row in await self.database.read(query.where(table.recalled.is_(False)))]

    async def author(self, chat: str, message_id: str) -> str:
        """Who wrote a message: OWNER, OTHER or `persona:<hash>`; empty when it isn't kept."""
        rows = await self.database.read(_AUTHOR, {"in_chat": chat, "of_id": message_id})
        return rows[0].author if rows else ""

    async def unanswered(self, since: float) -> list[Message]:
        """Messages not older than that which still want an answer, in order of arrival."""
        table = messages.c
        query = select(messages).where(table.time >= since, table.turn == OPEN, table.recalled.is_(False))
        return [message_of(row) for row in await self.database.read(query.order_by(table.seq))]

    async def spoken(self, since: float) -> list[Spoken]:
        """The bubbles that the bot sent since then, in order: what limits are counted from."""
        table = messages.c
        query = select(table.chat, table.at, table.answers).where(
            # The index is on the platform's seconds, which may differ a little from ours.
            table.time >= int(since) - CLOCKS,
            table.at >= since,
            SENT,
        )
        rows = await self.database.read(query.order_by(table.at, table.seq))
        pairs = [(row.chat, row.at, json.loads(row.answers or "[]")) for row in rows]
        senders = await self._senders({(chat, known) for chat, _, ids in pairs for known in ids})
        return [
            Spoken(chat, at, tuple({senders[chat, known]: None for known in ids if (chat, known) in senders}))
            for chat, at, ids in pairs
        ]

    async def _senders(self, keys: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Who wrote these, by chat and id."""
        table, found, wanted = messages.c, {}, sorted(keys)
        for start in range(0, len(wanted), IDS_AT_ONCE):
            some = tuple_(table.chat, table.id).in_(wanted[start : start + IDS_AT_ONCE])
            rows = await self.database.read(select(table.chat, table.id, table.sender).where(some))
            found |= {(row.chat, row.id): row.sender for row in rows}
        return found

    async def answered(self, chat: str, ids: Iterable[str]) -> None:
        """Let these count as answered; on return that survives a crash."""
        self.settle(chat, ids, ANSWERED)
        await self.flush()

    def settle(self, chat: str, ids: Iterable[str], outcome: str) -> None:
        """Note how these messages ended; what was answered stays answered."""
        self.database.gather(_SETTLE, [{"in_chat": chat, "of_id": message_id, "to": outcome} for message_id in ids])

    def recall(self, chat: str, message_id: str) -> None:
        """Keep the message out of every later prompt; it may still be on its way."""
        self._gone[chat, message_id] = None
        if len(self._gone) > REMEMBERED:
            self._gone.popitem(last=False)
        self.database.gather(_RECALL, [{"in_chat": chat, "of_id": message_id}])

    async def labels(self, chat: str) -> dict[str, str]:
        """Sender → label, as it was fixed in this chat."""
        rows = await self.database.read(_LABELS, {"in_chat": chat})
        return {row.sender: row.label for row in rows}

    def keep_labels(self, chat: str, new: Mapping[str, str]) -> None:
        """Fix labels of speakers that had none; a fixed one stays as it is."""
        self.database.gather(
            self._label, [{"chat": chat, "sender": sender, "label": label} for sender, label in new.items()]
        )

    def setting(self, chat: str, name: str) -> str:
        """What was set for a chat; empty when nothing was."""
        return self._settings.get(chat, {}).get(name, "")

    def chats_with(self, name: str) -> dict[str, str]:
        """Every chat that has this set, and to what."""
        return {chat: values[name] for chat, values in self._settings.items() if name in values}

    async def put(self, chat: str, name: str, value: str) -> None:
        """Set something for a chat; on return it survives a crash."""
        self._settings.setdefault(chat, {})[name] = value
        self.database.gather(self._put, [{"chat": chat, "name": name, "value": value}])
        await self.flush()

    async def drop(self, chat: str, name: str) -> None:
        """Let nothing be set under this name; on return that survives a crash."""
        if self._settings.get(chat, {}).pop(name, None) is not None:
            self.database.gather(_DROP, [{"in_chat": chat, "of_name": name}])
            await self.flush()

    async def clear(self, chat: str, at: float) -> None:
        """Let prompts of this chat begin after this moment. Deletes nothing."""
        await self.put(chat, "cleared", repr(at))

    async def forget(
        self,
        chat: str = "",
        *,
        sender: str = "",
        message: str = "",
        at: float,
    ) -> dict[str, int]:
        """Delete a chat, a person (in a chat, or everywhere), or one message: forget.py says what goes with it.

        How much was deleted, by table. On return it is gone from the database's file and log too, and old
        messages of it that come later are refused; what is said after `at` is kept as before.
        """
        target = Target(chat, sender, message)
        gone = await self.retention.forget(target, at)
        for place, known in self._settings.items():
            if (not chat or place == chat) and target.whole(place):
                for name in PERSONAL:
                    known.pop(name, None)
        for tell in self.forgets:
            await tell(target, at)
        return gone

    async def chats_of(self, sender: str) -> list[str]:
        """Where there is something of a person, on whatever platform."""
        return await self.database.at_once(lambda connection: chats_of(connection, Target(sender=sender)))

    async def flush(self) -> None:
        """Write what has gathered."""
        await self.database.flush()

    def _remember(self, key: tuple[str, str], time: float) -> None:
        self._known[key] = time
        if len(self._known) > REMEMBERED:
            _, forgotten = self._known.popitem(last=False)
            self._unsure = max(self._unsure, forgotten)


def _one(table: Any) -> Any:
    return (table.chat == bindparam("in_chat")) & (table.id == bindparam("of_id"))


# Built once: to build a statement costs as much as to run it.
_RECENT = (
    select(messages)
    .where(messages.c.chat == bindparam("in_chat"), messages.c.at > bindparam("mark"), messages.c.recalled.is_(False))
    .order_by(messages.c.at.desc(), messages.c.seq.desc())
    .limit(bindparam("n"))
)
_AUTHOR = select(messages.c.author).where(_one(messages.c))
_LABELS = select(labels.c.sender, labels.c.label).where(labels.c.chat == bindparam("in_chat"))
_SETTLE = update(messages).where(_one(messages.c) & (messages.c.turn != ANSWERED)).values(turn=bindparam("to"))
_RECALL = update(messages).where(_one(messages.c)).values(recalled=True)
_DROP = delete(chat_settings).where(
    (chat_settings.c.chat == bindparam("in_chat")) & (chat_settings.c.name == bindparam("of_name"))
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
        "segments": encoded(segments),
        "reply_to": message.reply_to,
        "flags": ",".join(message.flags),
        "turn": turn,
    }
    return {name: storable(value) if isinstance(value, str) else value for name, value in row.items()}


def message_of(row: Any) -> Message:
    """A row of the messages as a message."""
    return Message(
        id=row.id,
        chat=row.chat,
        kind=row.kind,
        time=row.time,
        sender=row.sender,
        name=row.name,
        segments=[Segment(**segment) for segment in from_json(row.segments)],
        mine=row.mine,
        reply_to=row.reply_to,
        flags=tuple(row.flags.split(",")) if row.flags else (),
        chat_name=row.chat_name,
    )
