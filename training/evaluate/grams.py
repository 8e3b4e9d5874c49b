"""The positive control of the canaries: a character model that knows by heart whatever it has seen once.

    rows with canaries, rows without ─count characters─▶ two models ─rank, exposure─▶ bits

Where even this one doesn't stand out on the very canaries and candidates of an audit, the audit could not have
found anything. Needs no weights: the rows that were trained on are enough.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from training.dataset import turns_of
from training.evaluate import canaries
from training.evaluate.canaries import Canary, is_planted
from training.evaluate.figures import Draws, Measured

ORDER = 6
"""Characters before one that it is foretold by."""
TIE = 1e-9
"""Nats: less than any difference that means something."""
KNOWN = 0.9
"""Of a character's chance, the part that goes by what has been seen; the rest is every character's alike."""


class Grams:
    """Each character after those before it, as often as in some texts; what it never saw is anybody's guess."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._before: Counter[str] = Counter()
        self._seen: Counter[tuple[str, str]] = Counter()
        for text in texts:
            for place, character in enumerate(text):
                before = text[max(0, place - ORDER) : place]
                self._before[before] += 1
                self._seen[before, character] += 1
        self._guess = 1 / (1 + len({character for _, character in self._seen}))

    def nats(self, text: str) -> float:
        """Negative log-probability of a text."""
        return -math.fsum(math.log(self._chance(text[max(0, n - ORDER) : n], one)) for n, one in enumerate(text))

    def _chance(self, before: str, character: str) -> float:
        times = self._before.get(before)
        if not times:
            return self._guess
        return KNOWN * self._seen.get((before, character), 0) / times + (1 - KNOWN) * self._guess


def control(rows: Iterable[Mapping[str, Any]], chosen: Sequence[Canary], draws: Draws) -> dict[str, Measured]:
    """Exposure of an audit's canaries to this model, which has read its rows, minus that of one without the canaries."""
    said = [(is_planted(row), b.text) for row in rows for turn in turns_of(row) for b in turn.bubbles if b.target]
    models = Grams(text for _, text in said), Grams(text for planted, text in said if not planted)
    rng = draws.rng("control")

    def losses(model: Grams, asked: Sequence[Canary]) -> list[float]:
        # What it can't tell apart stands in a drawn order: all in the middle would be no null.
        return [model.nats(one.reply) + TIE * drawn for one, drawn in zip(asked, rng.random(len(asked)), strict=True)]

    ranks, base = (canaries.ranked(chosen, draws, lambda asked, model=model: losses(model, asked)) for model in models)
    return canaries.of_control(canaries.exposure(ranks, base, canaries.CANDIDATES + 1, draws))
