"""Distances between two ways of writing, from counts: by session, so that a draw of sessions is a product.

Knows counts, weights and distances; doesn't know what is counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from training.evaluate.sample import Reply

Counts = np.ndarray[Any, Any]
"""(sessions, bins) or (draws, bins)."""
Distance = Literal["js", "w1", "ks"]
_HALF = 0.5


@dataclass(slots=True, frozen=True)
class Line:
    """One line of the table of styles: a feature, its bins and how two counts of it are compared."""

    name: str
    distance: Distance
    bins: int
    values: Callable[[Reply], Iterable[int]]
    """The bins that a reply falls into."""
    labels: tuple[str, ...] = ()

    def counts(self, grouped: Sequence[Sequence[Reply]]) -> Counts:
        """(sessions, bins)."""
        found = np.zeros((len(grouped), self.bins))
        for place, replies in enumerate(grouped):
            for reply in replies:
                for value in self.values(reply):
                    found[place, value] += 1
        return found

    def apart(self, one: Counts, other: Counts, sd: float = 1.0) -> Counts:
        """The distance of each row (draw) of one to that of the other."""
        if self.distance == "js":
            return jensen_shannon(one, other)
        steps = np.abs(np.cumsum(_shares(one), axis=1) - np.cumsum(_shares(other), axis=1))
        return steps.max(axis=1) if self.distance == "ks" else steps.sum(axis=1) / sd


def jensen_shannon(one: Counts, other: Counts) -> Counts:
    """The divergence in bits of each row of counts, half a count added to every bin."""
    p, q = _shares(one + _HALF), _shares(other + _HALF)
    mean = (p + q) / 2
    return ((p * np.log2(p / mean)).sum(axis=1) + (q * np.log2(q / mean)).sum(axis=1)) / 2


def spread(counts: Counts) -> float:
    """Standard deviation of binned values."""
    shares = _shares(counts.sum(axis=0, keepdims=True))[0]
    places = np.arange(len(shares))
    mean = (shares * places).sum()
    return float(np.sqrt((shares * (places - mean) ** 2).sum()))


def weights(chosen: Counts, sessions: int) -> Counts:
    """(times, sessions): how often each draw holds each session."""
    times = len(chosen)
    flat = (chosen + np.arange(times)[:, None] * sessions).ravel()
    return np.bincount(flat, minlength=times * sessions).reshape(times, sessions).astype(float)


def by_session(values: Iterable[float], sessions: Sequence[str]) -> list[float]:
    """Sums by session, in the order of the sessions' ids."""
    sums: dict[str, float] = {}
    for value, session in zip(values, sessions, strict=True):
        sums[session] = sums.get(session, 0.0) + float(value)
    return [sums[session] for session in sorted(sums)]


def categories(name: str, of: Callable[[Reply], Iterable[str]], known: Iterable[Reply], most: int) -> Line:
    """A categorical line over the commonest categories of some replies; all others share the last bin."""
    counted = Counter(category for reply in known for category in of(reply))
    commonest = sorted(counted, key=lambda category: (-counted[category], category))[:most]
    index = {category: place for place, category in enumerate(commonest)}
    rest = len(commonest)

    def values(reply: Reply) -> Iterable[int]:
        return (index.get(category, rest) for category in of(reply))

    return Line(name, "js", rest + 1, values, tuple(commonest))


def _shares(counts: Counts) -> Counts:
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
