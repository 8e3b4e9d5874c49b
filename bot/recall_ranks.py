"""Lines that were found, and their order where words and meaning both have found some.

Doesn't know how lines are kept or searched (bot/recall.py).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bot.persona.message import Message

SMOOTH = 60
"""Reciprocal rank fusion: how little it matters who comes first by words or by meaning."""


@dataclass(slots=True, frozen=True)
class Line:
    """A line as it was kept; `seq` is its number in the bot's history, None where it came from records."""

    number: int
    key: int
    seq: int | None
    message: Message
    score: float = 0.0
    """How well its words fit what was asked."""


def fused(by_words: list[Line], by_meaning: list[Line]) -> list[Line]:
    """Both in one order, by their places in each."""
    if not by_meaning:
        return by_words
    worth: defaultdict[int, float] = defaultdict(float)
    for ranked in (by_words, by_meaning):
        for place, line in enumerate(ranked):
            worth[line.number] += 1 / (SMOOTH + place)
    known = {line.number: line for line in (*by_words, *by_meaning)}
    return [known[number] for number in sorted(worth, key=lambda number: (-worth[number], -known[number].score))]


def different(ranked: Sequence[Line]) -> list[Line]:
    """Without what was said before in the same words."""
    seen: dict[str, Line] = {}
    for line in ranked:
        seen.setdefault("".join(line.message.text.split()).casefold(), line)
    return list(seen.values())
