"""Scores of chances against what happened, for many draws of whole sessions at once, and what is fitted on dev for them.

A draw is a weight for each occasion: how often its session was drawn. The occasions are sorted once, so that a
draw costs sums and no sorting. Pure functions of arrays; not a number where something isn't defined.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BINS = 15
"""Bins of equally many occasions."""
_AT_ONCE = 1 << 21
"""Weights that are held in memory."""

Array = np.ndarray[Any, Any]


@dataclass(slots=True)
class Chances:
    """Occasions by rising chance: whether I took each, and the chance it was given."""

    mine: Array
    p: Array
    session: Array
    """Which of the sessions it lies in, from 0."""
    starts: Array = field(init=False)
    """Where a chance begins that is larger than the one before: equal chances can't be told apart."""

    def __post_init__(self) -> None:
        order = np.argsort(self.p, kind="stable")
        self.mine, self.p, self.session = self.mine[order].astype(float), self.p[order], self.session[order]
        self.starts = np.flatnonzero(np.append(True, np.diff(self.p) != 0))[: len(self.p)]

    def value(self, score: "Score") -> float:
        """The score of all of them once."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(score(self, np.ones((1, len(self.p))))[0])

    def drawn(self, score: "Score", weights: Array) -> Array:
        """(draws,): the score under (draws, sessions) weights."""
        step = max(1, _AT_ONCE // max(1, len(self.p)))
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = [score(self, weights[at : at + step, self.session]) for at in range(0, len(weights), step)]
        return np.concatenate(parts)


Score = Callable[[Chances, Array], Array]
"""(occasions, (draws, occasions) weights) → (draws,)."""


def auc(chances: Chances, weights: Array) -> Array:
    """How often an occasion that I took had the higher chance; ties count half."""
    taken, passed = _tied(chances, weights)
    below = np.cumsum(passed, axis=1) - passed / 2
    return (taken * below).sum(axis=1) / (taken.sum(axis=1) * passed.sum(axis=1))


def ap(chances: Chances, weights: Array) -> Array:
    """Average precision: Σ (recall gained · precision) over falling chances."""
    taken, passed = (side[:, ::-1] for side in _tied(chances, weights))
    found = np.cumsum(taken, axis=1)
    precision = found / np.maximum(found + np.cumsum(passed, axis=1), 1e-12)
    return (taken * precision).sum(axis=1) / found[:, -1]


def brier_skill(chances: Chances, weights: Array) -> Array:
    """1 − Brier score / that of the base rate."""
    n = weights.sum(axis=1)
    rate = weights @ chances.mine / n
    return 1 - (weights @ (chances.mine - chances.p) ** 2) / (n * rate * (1 - rate))


def ece(chances: Chances, weights: Array) -> Array:
    """Expected calibration error: the mean distance of said and taken over bins of equally many occasions."""
    n = weights.sum(axis=1, keepdims=True)
    bins = _bins(np.cumsum(weights, axis=1) - weights / 2, n)
    flat = (bins + BINS * np.arange(len(weights))[:, None]).ravel()
    over = np.bincount(flat, (weights * (chances.p - chances.mine)).ravel(), minlength=BINS * len(weights))
    return np.abs(over.reshape(-1, BINS)).sum(axis=1) / n[:, 0]


def balanced_at(threshold: float) -> Score:
    """The mean of the shares that are right among those I took and those I let pass, speaking from that chance on."""

    def score(chances: Chances, weights: Array) -> Array:
        mine, spoken = chances.mine, (chances.p >= threshold).astype(float)
        right = weights @ (mine * spoken) / (weights @ mine)
        silent = weights @ ((1 - mine) * (1 - spoken)) / (weights @ (1 - mine))
        return (right + silent) / 2

    return score


def threshold(mine: Array, p: Array) -> float:
    """The chance from which on speaking gives the best balanced accuracy; the lowest of equals."""
    order = np.argsort(-p, kind="stable")
    took = mine[order].astype(float)
    last = np.append(np.diff(p[order]) != 0, True)
    gained = np.cumsum(took)[last] / took.sum() - np.cumsum(1 - took)[last] / (1 - took).sum()
    best = np.flatnonzero(gained >= gained.max() - 1e-12)[-1]
    return float(p[order][last][best])


def translated(mine: Array, p: Array) -> Callable[[Array], Array]:
    """The chances as they should have been said of `mine`: a logistic fit on their log odds."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(_odds(p), mine)
    return lambda chances: fitted.predict_proba(_odds(chances))[:, 1]


def calibration(mine: Array, p: Array) -> tuple[Array, Array, Array]:
    """Of each bin of equally many occasions: how many, the mean chance, the share that I took."""
    order = np.argsort(p, kind="stable")
    bins = _bins(np.arange(len(p)) + 0.5, len(p))
    sizes = np.bincount(bins, minlength=BINS).astype(float)
    said, took = (np.bincount(bins, values[order], minlength=BINS) for values in (p, mine.astype(float)))
    there = sizes > 0
    return sizes[there], said[there] / sizes[there], took[there] / sizes[there]


def _bins(places: Array, of: Any) -> Array:
    return np.minimum((places / of * BINS).astype(int), BINS - 1)


def _odds(p: Array) -> Array:
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))[:, None]


def _tied(chances: Chances, weights: Array) -> tuple[Array, Array]:
    """(draws, distinct chances): weights of what I took and of what I let pass."""
    sides = (chances.mine, 1 - chances.mine)
    taken, passed = (np.add.reduceat(weights * side, chances.starts, axis=1) for side in sides)
    return taken, passed
