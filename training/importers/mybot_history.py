"""The bot's own history (data/history.db, or a server by URL): what it heard and said, as records.

Only with consent: the lines of people who said yes, of everybody in a chat that did (`/set consent
yes`, or `--consent`), and never of one who said no. The owner's own typed lines go with the chat's
consent; so do the bot's, which are flagged `bot`: context, never learned. What the owner let it say
word by word is flagged `said`, and mine. Where the owner taught ("I'd have said …", or edited a
draft), the owner's words stand after what they answer, flagged `gold`, and what the bot said there is
left out. Ids are the platform's: a later export of the same chat adds nothing twice.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.persona.message import Message, Segment
from config.errors import InputError
from training.importers.source import Notes, Source, Zone

if TYPE_CHECKING:
    from training.importers.own_rows import Rows

_MAGIC = b"SQLite format 3\x00"
_TABLES = {"messages", "labels", "chat_settings", "schema_version"}

FOLLOWS = 120
"""Seconds within which a bubble belongs to the reply before it."""


def sniff(source: Source) -> float:
    """Sure with its tables. They may stand anywhere in the file, so that its head isn't enough."""
    if not source.head.startswith(_MAGIC):
        return 0.0
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    uri = f"file:{quote(str(source.path.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            return 0.98 if {row[0] for row in database.execute(query)} >= _TABLES else 0.0
    except sqlite3.DatabaseError:
        return 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:  # noqa: ARG001
    """The messages that may be learned from, in the order of arrival; times are UTC already."""
    from training.importers.own_rows import opened_rows

    with opened_rows(source.path, source.url) as rows:
        consent = Consent(rows.consents(), source.consent)
        account = _Accounts(rows.owners())
        notes.owners |= set(account.of_platform.values())
        taught = _taught(rows)
        kept = 0
        for row in rows.messages():
            reason = _unwanted(row, consent, taught)
            if reason:
                notes.drop(reason, source, row.seq, row.id)
                continue
            kept += 1
            yield _message(row, source, account, _flag(row))
            if gold := taught.gold.pop((row.chat, row.id), None):
                yield from gold.messages(row, source, account)
        for gold in taught.gold.values():
            notes.drop("gold_without_context", source, 0, str(gold.number))
        if notes.dropped["no_consent"] and not kept:
            hint = "name the chats whose people agreed, --consent group:7001, or say so there: /set consent yes"
            raise InputError(f"{source.name}: nobody there agreed to be learned from", hint=hint)


class Consent:
    """Who may be learned from: what people said, and chats that the owner vouches for."""

    def __init__(self, said: dict[tuple[str, str], str], vouched: Collection[str]) -> None:
        self._said = said
        self._vouched = tuple(f":{chat}" for chat in vouched)

    def of_chat(self, chat: str) -> bool:
        """Whether a chat as a whole agreed; a private one does through its partner."""
        partner = chat.rpartition(":private:")[2] if ":private:" in chat else ""
        said = self._said.get((chat, ""), "") or (self._of(chat, partner) if partner else "")
        return said == "yes" or (said != "no" and bool(self._vouched) and f":{chat}".endswith(self._vouched))

    def of_person(self, chat: str, sender: str) -> bool:
        """Whether what this person said there may be learned from."""
        said = self._of(chat, sender)
        return said == "yes" or (said != "no" and self.of_chat(chat))

    def _of(self, chat: str, sender: str) -> str:
        return self._said.get((chat, sender), "") or self._said.get(("", sender), "")


class _Accounts:
    """The owner's account on each platform: the bot's own lines are kept without one."""

    def __init__(self, typed: list[tuple[str, str, int]]) -> None:
        counts: dict[str, Counter[str]] = {}
        for chat, sender, n in typed:
            counts.setdefault(chat.partition(":")[0], Counter())[sender] += n
        self.of_platform = {platform: count.most_common(1)[0][0] for platform, count in counts.items()}

    def sender(self, row: Any) -> str:
        return row.sender or self.of_platform.get(row.chat.partition(":")[0], "") or row.name


@dataclass(slots=True)
class _Gold:
    """What the owner would have said: its number, bubbles, and the ids of what the bot said instead."""

    number: int
    chosen: list[str]
    name: str = ""
    instead: list[str] = field(default_factory=list)

    def messages(self, answered: Any, source: Source, account: _Accounts) -> Iterator[Message]:
        """As messages of mine, right after what they answer; they take over the ids of what was sent."""
        for place, text in enumerate(self.chosen):
            message = _message(answered, source, account, "gold")
            message.id = self.instead[place] if place < len(self.instead) else f"gold-{self.number}-{place + 1}"
            message.sender = account.of_platform.get(answered.chat.partition(":")[0], "") or self.name
            message.name = self.name or message.sender
            message.mine, message.reply_to, message.segments = True, None, [Segment("text", text)]
            # When the owner would have said it nobody knows: no habit is to be learned from the time.
            message.flags, message.precision = ("gold",), "day"
            yield message


@dataclass(slots=True)
class _Taught:
    """All that the owner taught: by chat and id of what is answered; and what the bot said there."""

    gold: dict[tuple[str, str], _Gold] = field(default_factory=dict)
    instead: set[tuple[str, str]] = field(default_factory=set)


def _taught(rows: "Rows") -> _Taught:
    """The newest word of the owner on each answered message."""
    taught = _Taught()
    for row in rows.preferences():
        if context := json.loads(row.context):
            taught.gold[row.chat, context[-1]] = _Gold(row.number, json.loads(row.chosen))
    for chat in {chat for chat, _ in taught.gold}:
        answering: _Gold | None = None
        last = 0
        for row in rows.replies(chat):
            answers = json.loads(row.answers or "[]")
            if answers or row.time - last > FOLLOWS:
                golds = [taught.gold[chat, known] for known in answers if (chat, known) in taught.gold]
                answering = golds[-1] if golds else None
            last = row.time
            if answering is not None:
                answering.name = row.name
                answering.instead.append(row.id)
                taught.instead.add((chat, row.id))
    return taught


def _unwanted(row: Any, consent: Consent, taught: _Taught) -> str:
    """Why a kept message isn't imported; empty if it is."""
    mine = row.mine or row.author != "other"
    if not (consent.of_chat(row.chat) if mine else consent.of_person(row.chat, row.sender)):
        return "no_consent"
    if row.recalled:
        return "recalled"
    return "taught_better" if (row.chat, row.id) in taught.instead else ""


def _flag(row: Any) -> str:
    """Who is behind a line that went out through the bot."""
    if row.author.startswith("persona:"):
        return "bot"
    return "said" if row.mine and not row.sender else ""


def _message(row: Any, source: Source, account: _Accounts, flag: str) -> Message:
    flags = [*(row.flags.split(",") if row.flags else []), *([flag] if flag else [])]
    return Message(
        row.id,
        row.chat,
        row.kind,
        row.time,
        account.sender(row) if row.mine else row.sender,
        row.name,
        [Segment(**segment) for segment in json.loads(row.segments)],
        mine=row.mine,
        reply_to=row.reply_to,
        flags=tuple(dict.fromkeys(flags)),
        source=f"{source.name}:{row.seq}",
        chat_name=row.chat_name,
    )
