"""`mybot shadow`: what the bot would have said in shadow chats, against what the owner then said.

    drafts kept by the running bot ─┐
                                    ├─ paired by time ─▶ did both speak, how long did each wait, how alike are the words
    the owner's own lines there ────┘

A draft and a run of the owner's lines belong together when they begin within `--within` seconds of each
other; each is paired once, the nearest first. Doesn't judge: one person, few days, no interval.
"""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rich.console import Console
from sqlalchemy import select

from bot.database import database_path
from bot.history import OWNER, History
from bot.keepsakes import Draft
from bot.persona.message import Segment
from bot.tables import messages
from config.errors import InputError
from config.settings import Bot, Shadow, load
from training.report import show

RUN = 120.0
"""Seconds of silence, or a foreign line, that end a run of the owner's lines."""

console = Console(highlight=False)


@dataclass(slots=True, frozen=True)
class Line:
    """A line of a shadow chat, as the history keeps it."""

    at: float
    mine: bool
    """The owner's own."""
    text: str


@dataclass(slots=True)
class Run:
    """Lines of the owner's in a row, and how long the chat had waited for them."""

    at: float
    waited: float | None
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class Pair:
    """A draft and what the owner said at about the same time; one of the two may be missing."""

    draft: Draft | None
    run: Run | None
    waited: float | None = None
    """Seconds from the last foreign line to the draft's first bubble."""


def main(knobs: Shadow) -> None:
    url = knobs.database or load(Bot).database
    if url.startswith("sqlite") and not database_path(url).is_file():
        raise InputError(
            f"there is no history at {database_path(url)}", hint="start the bot once, or name [bot] database"
        )
    pairs = asyncio.run(_pairs(knobs, url))
    if not pairs:
        raise InputError("nothing was drafted in a shadow chat", hint="/on shadow in a chat, then wait a few days")
    if knobs.pairs and not knobs.as_json:
        _show_pairs(pairs)
    show("shadow", figures(pairs), as_json=knobs.as_json)


async def _pairs(knobs: Shadow, url: str) -> list[Pair]:
    history = await History.open(url)
    try:
        since = time.time() - knobs.days * 86400
        drafts = await history.keepsakes.drafts(kind="shadow", since=since)
        found: list[Pair] = []
        for chat in sorted({draft.chat for draft in drafts}):
            here = [draft for draft in drafts if draft.chat == chat]
            lines = await _lines(history, chat, min(draft.at for draft in here) - knobs.within)
            if history.setting(chat, "mode") not in ("", "shadow"):
                # It is out of the shadow: what the owner says there now had no draft to be missed by.
                end = max(draft.due for draft in here) + knobs.within
                lines = [line for line in lines if line.at <= end]
            found += paired(here, lines, knobs.within)
        return found
    finally:
        await history.close()


async def _lines(history: History, chat: str, since: float) -> list[Line]:
    table = messages.c
    query = select(table.at, table.author, table.segments).where(
        # What the bot said before it was in the shadow is nobody's line.
        *(table.chat == chat, table.at >= since, table.author.not_like("persona:%"), table.recalled.is_(False))
    )
    rows = await history.database.read(query.order_by(table.at, table.seq))
    texts = ("".join(Segment(**segment).plain() for segment in json.loads(row.segments)) for row in rows)
    return [Line(row.at, row.author == OWNER, text) for row, text in zip(rows, texts, strict=True)]


def runs(lines: Sequence[Line]) -> list[Run]:
    """The owner's lines in a row, oldest first."""
    found: list[Run] = []
    foreign: float | None = None
    last: Line | None = None
    for line in lines:
        if line.mine and (last is None or not last.mine or line.at - last.at > RUN):
            waited = None if foreign is None or (last is not None and last.mine) else line.at - foreign
            found.append(Run(line.at, waited))
        if line.mine:
            found[-1].lines.append(line.text)
        else:
            foreign = line.at
        last = line
    return found


def paired(drafts: Sequence[Draft], lines: Sequence[Line], within: float) -> list[Pair]:
    """Drafts of one chat and the owner's runs there, each once, in order of time."""
    own = runs(lines)
    near = sorted(
        (abs(run.at - draft.due), place, number)
        for place, draft in enumerate(drafts)
        for number, run in enumerate(own)
        if abs(run.at - draft.due) <= within
    )
    taken: dict[int, int] = {}
    for _, place, number in near:
        if place not in taken and number not in taken.values():
            taken[place] = number
    pairs = [
        Pair(draft, own[taken[place]] if place in taken else None, _waited(draft, lines))
        for place, draft in enumerate(drafts)
    ]
    pairs += [Pair(None, run) for number, run in enumerate(own) if number not in taken.values()]
    return sorted(pairs, key=lambda pair: pair.draft.due if pair.draft else pair.run.at if pair.run else 0.0)


def _waited(draft: Draft, lines: Sequence[Line]) -> float | None:
    before = [line.at for line in lines if not line.mine and line.at <= draft.due]
    return draft.due - before[-1] if before else None


def figures(pairs: Sequence[Pair]) -> dict[str, object]:
    """Counts and shares; None where there is nothing to take them from."""
    drafted = [pair for pair in pairs if pair.draft]
    spoken = [pair for pair in pairs if pair.run]
    both = [pair for pair in drafted if pair.run]
    late = [
        pair.waited - pair.run.waited
        for pair in both
        if pair.run and pair.run.waited is not None and pair.waited is not None
    ]
    alike = [likeness(pair.draft.bubbles, pair.run.lines) for pair in both if pair.draft and pair.run]
    worded = [value for value in alike if value is not None]
    return {
        "drafts": len(drafted),
        "times you spoke": len(spoken),
        "both": len(both),
        "precision": round(len(both) / len(drafted), 3) if drafted else None,
        "recall": round(len(both) / len(spoken), 3) if spoken else None,
        "delay of the draft minus yours, median s": round(statistics.median(late), 1) if late else None,
        "delay apart, median s": round(statistics.median(map(abs, late)), 1) if late else None,
        "shared character pairs, mean": round(statistics.fmean(worded), 3) if worded else None,
    }


def likeness(drafted: Sequence[str], said: Sequence[str]) -> float | None:
    """Share of character pairs that two texts have in common (Dice); None where one has no pair."""
    one, other = (Counter(p for text in texts for p in pairwise(text)) for texts in (drafted, said))
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if one and other else None


def _show_pairs(pairs: Sequence[Pair]) -> None:
    """Side by side on the owner's own terminal; nothing of it goes anywhere else."""
    for pair in pairs:
        at = pair.draft.due if pair.draft else pair.run.at if pair.run else 0.0
        console.print(time.strftime("%m-%d %H:%M:%S", time.localtime(at)), style="dim")
        console.print("  draft  " + (" / ".join(pair.draft.bubbles) if pair.draft else "—"), markup=False)
        console.print("  you    " + (" / ".join(pair.run.lines) if pair.run else "—"), markup=False)
