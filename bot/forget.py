"""Deleting for good: what somebody wants forgotten, and what is too old to keep.

Knows every table that may hold somebody's words; doesn't know who may ask for it.

| forgotten | goes | stays |
|---|---|---|
| a message | its row; lines of the bot that repeat it; drafts that answer it; preferences whose answered message it is | what others said about it |
| a person in a chat | all their lines so, their label, their "yes"; @s of them in other people's lines lose number and name; a private chat goes as a chat | other people's own words, also where they quote or name them; what owner and bot said, unless the bot repeats them; a "no" to being learned from |
| a person | the same in every chat, their private chat as a chat | the same |
| a chat | all lines, labels, drafts, preferences, its "yes", and settings that tell of somebody | switches: a chat that was off stays off |

The bot's own lines leave a hash of their words and when, without the words and the chat: a later
export of the account must not pass them off as the owner's. What is forgotten leaves a hash of whose
or which it was: a platform that sends old messages again doesn't bring it back.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.persona.message import Segment, encoded
from bot.tables import (
    chat_settings,
    consents,
    drafts,
    forgotten,
    insert_new,
    insert_over,
    labels,
    messages,
    preferences,
    said,
)

PERSONAL = ("cleared", "disclosed")
"""Settings of a chat that go with it: they tell that and when somebody was spoken with."""
TABLES = ("messages", "mentions", "labels", "drafts", "preferences", "settings", "consents")
"""What is counted of what was forgotten."""
REPEATS = 8
"""Characters in a row that make a line of the bot a repetition of a forgotten one."""
NOBODY = "某人"
"""Whom an @ names after its person was forgotten."""
BITE = 500
"""Rows that are deleted in one transaction when they are too old."""


@dataclass(slots=True, frozen=True)
class Target:
    """Whose or which messages: a chat's, a person's in a chat or everywhere (chat ""), or one message of a chat."""

    chat: str = ""
    sender: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        if not (self.chat or self.sender) or (self.message and not self.chat):
            raise ValueError("nothing named that could be forgotten")

    def whole(self, chat: str) -> bool:
        """Whether that chat goes as a chat: it is named alone, or it is the person's private one."""
        return not self.message and (not self.sender or chat.endswith(f":private:{self.sender}"))

    @property
    def mark(self) -> str:
        """Under what name it stays known, without telling whose."""
        return _hash(self.chat, self.sender, self.message)


def marks(chat: str, sender: str, message: str) -> list[str]:
    """The marks of all targets that a message falls under; in a private chat its partner's, whoever speaks."""
    partner = chat.rpartition(":private:")[2] if ":private:" in chat else sender
    of_people = [_hash(where, who, "") for who in {sender, partner} for where in ("", chat)]
    return [_hash(chat, "", ""), _hash(chat, "", message), *of_people]


def print_of(text: str, kind: str) -> int:
    """A line of the bot as a number of 64 bits: spaces don't count, the kind of chat does."""
    folded = "".join(text.split())
    digest = hashlib.blake2b(f"{kind}:{folded}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def plain(segments: str) -> str:
    """The words of a kept message, media as placeholders."""
    return "".join(Segment(**segment).plain() for segment in json.loads(segments))


async def refuse(connection: AsyncConnection, target: Target, before: float) -> list[str]:
    """From now on let nothing of it come back that is older than that; the chats to `forget_in`."""
    mark = insert_over(connection.dialect.name, forgotten, ("what",))
    await connection.execute(mark, {"what": target.mark, "before": before})
    return await chats_of(connection, target)


async def purge(connection: AsyncConnection, before: float) -> list[str]:
    """Delete a bite of the messages older than that, and decided drafts; the chat of each message that went."""
    table = messages.c
    old = select(table.seq, table.chat).where(table.time < int(before)).order_by(table.time).limit(BITE)
    rows = (await connection.execute(old)).all()
    await _delete_messages(connection, table.seq.in_([row.seq for row in rows]))
    await _delete(connection, drafts, (drafts.c.at < before) & (drafts.c.outcome != "open"))
    return [row.chat for row in rows]


async def drop_idle_labels(connection: AsyncConnection, chat: str) -> None:
    """Delete the labels of people of whom no line is kept in a chat."""
    speakers = select(messages.c.sender).where(messages.c.chat == chat)
    await _delete(connection, labels, (labels.c.chat == chat) & labels.c.sender.not_in(speakers))


async def chats_of(connection: AsyncConnection, target: Target) -> list[str]:
    """Where there may be something of it."""
    if target.chat:
        return [target.chat]
    found: set[str] = set()
    for table in (messages, labels, consents, drafts, preferences, chat_settings):
        theirs = table.c.chat.endswith(f":private:{target.sender}", autoescape=True)
        if "sender" in table.c:
            theirs |= table.c.sender == target.sender
        found |= set((await connection.execute(select(table.c.chat).where(theirs).distinct())).scalars())
    return sorted(found - {""})


async def forget_in(connection: AsyncConnection, chat: str, target: Target) -> dict[str, int]:
    """Delete what there is of it in a chat; how much, by table."""
    if target.whole(chat):
        return {
            "messages": await _delete_messages(connection, messages.c.chat == chat),
            "labels": await _delete(connection, labels, labels.c.chat == chat),
            "drafts": await _delete(connection, drafts, drafts.c.chat == chat),
            "preferences": await _delete(connection, preferences, preferences.c.chat == chat),
            "settings": await _delete(connection, chat_settings, _personal(chat)),
            "consents": await _delete(connection, consents, (consents.c.chat == chat) & (consents.c.value == "yes")),
        }
    table = messages.c
    which = (table.id == target.message) if target.message else (table.sender == target.sender)
    rows = (await connection.execute(select(table.id, table.segments).where(table.chat == chat, which))).all()
    ids = {row.id for row in rows}
    words = await asyncio.to_thread(_Words.of, [row.segments for row in rows])
    gone = {
        "messages": await _delete_messages(connection, (table.chat == chat) & which)
        + await _forget_repeated(connection, chat, words),
        "drafts": await _forget_drafts(connection, chat, ids, words),
        "preferences": await _forget_preferences(connection, chat, ids, words),
    }
    if target.sender:
        label, consent = labels.c, consents.c
        theirs = (consent.chat == chat) & (consent.sender == target.sender) & (consent.value == "yes")
        label_of = (label.chat == chat) & (label.sender == target.sender)
        gone["labels"] = await _delete(connection, labels, label_of)
        gone["consents"] = await _delete(connection, consents, theirs)
    return gone


async def _forget_repeated(connection: AsyncConnection, chat: str, words: "_Words") -> int:
    """The bot's lines in a chat that repeat what was forgotten."""
    table = messages.c
    query = select(table.seq, table.segments).where(table.chat == chat, table.author.like("persona:%"))
    rows = (await connection.execute(query)).all() if words else []
    seqs = await asyncio.to_thread(lambda: [row.seq for row in rows if words.in_(plain(row.segments))])
    return sum([await _delete_messages(connection, table.seq.in_(some)) for some in _bites(seqs)])


async def _forget_drafts(connection: AsyncConnection, chat: str, ids: set[str], words: "_Words") -> int:
    table = drafts.c
    numbers = [
        row.number
        for row in await connection.execute(select(drafts).where(table.chat == chat))
        if not ids.isdisjoint(json.loads(row.answers)) or words.in_(*json.loads(row.bubbles), *json.loads(row.final))
    ]
    return sum([await _delete(connection, drafts, table.number.in_(some)) for some in _bites(numbers)])


async def _forget_preferences(connection: AsyncConnection, chat: str, ids: set[str], words: "_Words") -> int:
    """Those that answer what is gone go too; from the context of others it is taken out."""
    table, numbers = preferences.c, []
    for row in (await connection.execute(select(preferences).where(table.chat == chat))).all():
        context = json.loads(row.context)
        if ids & set(context[-1:]) or words.in_(*json.loads(row.rejected), *json.loads(row.chosen)):
            numbers.append(row.number)
        elif not ids.isdisjoint(context):
            left = encoded([known for known in context if known not in ids])
            await connection.execute(update(preferences).where(table.number == row.number).values(context=left))
    return sum([await _delete(connection, preferences, table.number.in_(some)) for some in _bites(numbers)])


async def unname(connection: AsyncConnection, target: Target) -> dict[str, int]:
    """Take number and name out of the @s of a person in what others said, and back a "yes" that was for everywhere."""
    consent = consents.c
    everywhere = (consent.chat == "") & (consent.sender == target.sender) & (consent.value == "yes")
    return {
        "mentions": await _unname(connection, target),
        "consents": 0 if target.chat else await _delete(connection, consents, everywhere),
    }


async def _unname(connection: AsyncConnection, target: Target) -> int:
    table = messages.c
    named = table.segments.contains(f'"id":{encoded(target.sender)}', autoescape=True)
    query = select(table.seq, table.segments).where(named)
    query = query.where(table.chat == target.chat) if target.chat else query
    changed = []
    for row in (await connection.execute(query)).all():
        segments = json.loads(row.segments)
        for segment in segments:
            if segment["type"] == "at" and segment.get("id") == target.sender:
                segment.pop("id")
                segment["name"] = NOBODY
        changed.append({"of_seq": row.seq, "to": encoded(segments)})
    if changed:
        rename = update(messages).where(table.seq == bindparam("of_seq")).values(segments=bindparam("to"))
        await connection.execute(rename, changed)
    return len(changed)


async def _delete_messages(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    """Delete messages; of the bot's own a print stays."""
    table = messages.c
    query = select(table.kind, table.time, table.segments).where(which, table.author.like("persona:%"))
    prints = [
        {"words": print_of(plain(row.segments), row.kind), "time": row.time}
        for row in (await connection.execute(query)).all()
    ]
    if prints:
        await connection.execute(insert_new(connection.dialect.name, said, ("words", "time")), prints)
    return await _delete(connection, messages, which)


async def _delete(connection: AsyncConnection, table: Table, which: ColumnElement[bool]) -> int:
    return (await connection.execute(delete(table).where(which))).rowcount


def _personal(chat: str) -> ColumnElement[bool]:
    return (chat_settings.c.chat == chat) & chat_settings.c.name.in_(PERSONAL)


class _Words:
    """What was said in some messages, as all stretches of REPEATS characters."""

    def __init__(self, stretches: set[str]) -> None:
        self._stretches = stretches

    @classmethod
    def of(cls, rows: Iterable[str]) -> "_Words":
        """Of kept messages, their text alone: a placeholder is nobody's words."""
        texts = ["".join(s["text"] for s in json.loads(row) if s["type"] == "text") for row in rows]
        return cls({stretch for text in texts for stretch in _stretches(text)})

    def __bool__(self) -> bool:
        return bool(self._stretches)

    def in_(self, *texts: str) -> bool:
        """Whether one of these repeats some of it."""
        return bool(self._stretches) and any(
            stretch in self._stretches for text in texts for stretch in _stretches(text)
        )


def _stretches(text: str) -> Iterable[str]:
    return (text[start : start + REPEATS] for start in range(len(text) - REPEATS + 1))


def _bites(keys: Sequence[int]) -> Iterable[Sequence[int]]:
    return (keys[start : start + BITE] for start in range(0, len(keys), BITE))


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
