"""What the owner decides beside the bot, kept: drafts and their end, preferences, and who consents to what.

Knows rows; doesn't know how a draft is shown, when it expires, or what a preference is learned for.
Everything here is written at once: an owner who sent a draft must not find it open after a restart.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Insert, Update, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.database import Database, storable
from bot.persona.message import encoded
from bot.tables import consents, drafts, insert_over, preferences

Kind = Literal["draft", "shadow"]
Outcome = Literal["open", "sent", "edited", "dropped", "expired", "superseded"]
Consent = Literal["yes", "no", ""]


@dataclass(slots=True, frozen=True)
class Draft:
    """A reply that the owner decides on (`draft`), or that is only compared with what the owner says (`shadow`)."""

    number: int
    """Counts over all chats and is never given twice."""
    chat: str
    at: float
    answers: tuple[str, ...]
    """The ids it answers."""
    bubbles: tuple[str, ...]
    persona: str
    """The hash of the persona that wrote it."""
    kind: Kind
    due: float
    """When it would have gone out."""
    outcome: Outcome
    final: tuple[str, ...]
    """What was sent in the end, or what the owner wrote; empty where nothing was."""
    decided_at: float | None


@dataclass(slots=True, frozen=True)
class Preference:
    """What the owner would have said instead of what the persona said: a pair to prefer by, and gold text."""

    number: int
    chat: str
    at: float
    context: tuple[str, ...]
    """The ids that came before, in order; the last one is what was answered."""
    rejected: tuple[str, ...]
    chosen: tuple[str, ...]
    persona: str


class Keepsakes:
    """The drafts, preferences and consents of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._consent = insert_over(database.dialect, consents, ("chat", "sender"))

    async def keep_draft(
        self,
        chat: str,
        bubbles: Sequence[str],
        *,
        at: float,
        answers: Sequence[str],
        persona: str,
        kind: Kind = "draft",
        due: float = 0.0,
    ) -> int:
        """Keep an open draft; the number it has from now on."""
        row = {"chat": chat, "at": at, "answers": _list(answers), "bubbles": _list(bubbles), "persona": persona}
        row |= {"kind": kind, "due": due, "outcome": "open", "final": "[]", "decided_at": None}
        return await self._numbered(insert(drafts).values(row).returning(drafts.c.number))

    async def draft(self, number: int) -> Draft | None:
        """The draft of this number, decided or not; None if there is none."""
        rows = await self._database.read(select(drafts).where(drafts.c.number == number))
        return _draft(rows[0]) if rows else None

    async def open_drafts(self, chat: str = "") -> list[Draft]:
        """What still waits for the owner, or for the owner's own words; of one chat or of all, oldest first."""
        query = select(drafts).where(drafts.c.outcome == "open").order_by(drafts.c.number)
        return [_draft(row) for row in await self._database.read(_of(query, drafts, chat))]

    async def drafts(self, *, kind: Kind, since: float = 0.0, chat: str = "") -> list[Draft]:
        """All drafts of a kind from then on, decided or not; of one chat or of all, oldest first."""
        query = select(drafts).where(drafts.c.kind == kind, drafts.c.at >= since).order_by(drafts.c.number)
        return [_draft(row) for row in await self._database.read(_of(query, drafts, chat))]

    async def settle_draft(self, number: int, outcome: Outcome, *, at: float, final: Sequence[str] = ()) -> bool:
        """Decide an open draft; False when it was decided before or isn't there. Of two who decide, one is told True."""
        decided = {"outcome": outcome, "final": _list(final), "decided_at": at}
        changed = update(drafts).where(drafts.c.number == number, drafts.c.outcome == "open").values(decided)
        return await self._changed(changed) > 0

    async def keep_preference(
        self,
        chat: str,
        *,
        at: float,
        context: Sequence[str],
        rejected: Sequence[str],
        chosen: Sequence[str],
        persona: str,
    ) -> int:
        """Keep what the owner would have said; its number."""
        row = {"chat": chat, "at": at, "context": _list(context), "persona": persona}
        row |= {"rejected": _list(rejected), "chosen": _list(chosen)}
        return await self._numbered(insert(preferences).values(row).returning(preferences.c.number))

    async def preferences(self, chat: str = "") -> list[Preference]:
        """All that were kept, of one chat or of all, oldest first."""
        query = select(preferences).order_by(preferences.c.number)
        return [preference(row) for row in await self._database.read(_of(query, preferences, chat))]

    async def consent(self, chat: str, sender: str = "") -> Consent:
        """Whether a person's lines there (sender "": the chat as a whole) may be learned from; "" where nobody said."""
        known = consents.c
        rows = await self._database.read(select(known.value).where(known.chat == chat, known.sender == sender))
        return rows[0].value if rows else ""

    async def set_consent(self, chat: str, sender: str, value: Literal["yes", "no"], at: float) -> None:
        """Note what a person said about it; chat "" is everywhere, sender "" the chat as a whole."""
        self._database.gather(self._consent, [{"chat": chat, "sender": sender, "value": value, "at": at}])
        await self._database.flush()

    async def _numbered(self, statement: Any) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).scalar_one()

        return await self._database.at_once(work)

    async def _changed(self, statement: Insert | Update) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._database.at_once(work)


def preference(row: Any) -> Preference:
    """A row of the table as a preference."""
    return Preference(
        row.number,
        row.chat,
        row.at,
        _tuple(row.context),
        _tuple(row.rejected),
        _tuple(row.chosen),
        row.persona,
    )


def _draft(row: Any) -> Draft:
    return Draft(
        row.number,
        row.chat,
        row.at,
        _tuple(row.answers),
        _tuple(row.bubbles),
        row.persona,
        row.kind,
        row.due,
        row.outcome,
        _tuple(row.final),
        row.decided_at,
    )


def _of(query: Any, table: Any, chat: str) -> Any:
    return query.where(table.c.chat == chat) if chat else query


def _list(words: Sequence[str]) -> str:
    return storable(encoded(list(words)))


def _tuple(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
