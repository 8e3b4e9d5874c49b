"""What every axis of the evaluation shares: a figure with its interval, and how intervals are drawn.

Knows numbers and sessions; doesn't know what is measured. Replies of one session hang together, so
whole sessions are drawn (session-cluster bootstrap, percentile 95 %). The draws of one axis are the
same for every system that answered the same sessions: the difference of two systems, draw by draw,
is paired.
"""

import hashlib
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

Status = Literal["ok", "insufficient", "not_measured"]
T = TypeVar("T")

LEAST_SESSIONS = 20
"""Sessions below which nothing is said of an axis."""
LEVEL = 95.0
"""Per cent of the draws that an interval holds."""
DIGITS = 6
"""Decimals that are kept of a number in a report."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Figure(Part):
    """One number of a report."""

    value: float | None = None
    """None where it is insufficient, or was not measured."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    n: int = 0
    """Replies, questions, attacks: what was counted."""
    sessions: int = 0
    """Sessions they come from."""
    status: Status = "ok"
    """Insufficient: there is too little to say; not measured: it takes a step that nobody took. `note` says which."""
    floor: float | None = None
    """The same number of me earlier: my own drift."""
    other: float | None = None
    """The same number of the median other member."""
    good: tuple[float | None, float | None] | None = None
    """From where to where it is good; None on a side: open there."""
    above: float | None = None
    """It is good only where its whole interval lies above this, too."""
    judge: str = ""
    """Who judged, where several do."""
    note: str = ""
    """One sentence: what is missing, or what must be known to read it."""

    @property
    def is_good(self) -> bool | None:
        """Whether the value lies where it is good; None where nobody can say."""
        if self.value is None or self.good is None:
            return None
        least, most = self.good
        if self.above is not None and (self.low is None or self.low <= self.above):
            return False
        return (least is None or self.value >= least) and (most is None or self.value <= most)


class Picture(Part):
    """Numbers to be drawn: curves, or bars where `labels` name them."""

    x: tuple[float, ...] = ()
    """Where the values stand; for bars of a histogram their left borders."""
    labels: tuple[str, ...] = ()
    """Names instead of places. Never a text or a name from the records, but for single particles and punctuation."""
    series: dict[str, tuple[float, ...]] = {}
    """Whose values they are ("me", "persona", "other", "floor", …), as many as there are places."""


@dataclass(slots=True)
class Measured:
    """A figure, and the values of the bootstrap by which two systems are compared."""

    figure: Figure
    draws: "np.ndarray[Any, Any] | None" = field(default=None, repr=False)
    """(times,), one value a draw; None where there is no interval."""


@dataclass(slots=True)
class Outcome:
    """What one axis says of one system: figures by name (without the axis's), and pictures."""

    figures: dict[str, Measured] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    run: dict[str, Figure] = field(default_factory=dict)
    """Figures that hang on a clock, and so differ from run to run."""


@dataclass(slots=True, frozen=True)
class Draws:
    """How intervals are drawn: how often, and from which seed."""

    seed: int = 7
    times: int = 1000

    def rng(self, axis: str) -> np.random.Generator:
        """The axis's own random numbers, the same for every system."""
        digest = hashlib.sha256(f"{self.seed} {axis}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))

    def chosen(self, sessions: int, axis: str) -> "np.ndarray[Any, Any]":
        """(times, sessions): which sessions each draw holds."""
        return self.rng(axis).integers(sessions, size=(self.times, sessions))


def insufficient(why: str, *, n: int = 0, sessions: int = 0, **more: Any) -> Measured:
    """No number, and one sentence on what is missing."""
    return Measured(Figure(n=n, sessions=sessions, status="insufficient", note=why, **more))


def missing(n: int, sessions: int, least: int, what: str = "replies") -> str:
    """The sentence on what is missing; empty where there is enough."""
    if n < least:
        return f"{n} {what}; {least} are needed"
    if sessions < LEAST_SESSIONS:
        return f"{sessions} sessions; {LEAST_SESSIONS} are needed"
    return ""


def clusters(items: Iterable[T], session: Callable[[T], Hashable]) -> list[list[T]]:
    """Items by session, in the order of the sessions' ids: the same sessions give the same order."""
    found: dict[Any, list[T]] = {}
    for item in items:
        found.setdefault(session(item), []).append(item)
    return [found[name] for name in sorted(found)]


def draw(
    statistic: Callable[[list[T]], float], grouped: Sequence[Sequence[T]], draws: Draws, axis: str
) -> "np.ndarray[Any, Any]":
    """The statistic of every draw of whole sessions, (times,); not a number where it isn't defined."""
    chosen = draws.chosen(len(grouped), axis)
    return np.array([statistic([item for place in row for item in grouped[place]]) for row in chosen], dtype=float)


def draw_ratio(above: Sequence[float], below: Sequence[float], draws: Draws, axis: str) -> "np.ndarray[Any, Any]":
    """As `draw`, of Σ above / Σ below, both summed up by session: for means and rates, at once."""
    chosen = draws.chosen(len(above), axis)
    top, bottom = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return top[chosen].sum(axis=1) / bottom[chosen].sum(axis=1)


def interval(drawn: "np.ndarray[Any, Any]") -> tuple[float | None, float | None]:
    """The percentile interval of some draws; None where there is none."""
    kept = drawn[np.isfinite(drawn)]
    if not len(kept):
        return None, None
    low, high = np.percentile(kept, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)


def bootstrap(
    statistic: Callable[[list[T]], float], grouped: Sequence[Sequence[T]], times: int, seed: int
) -> tuple[float | None, float | None]:
    """The 95 % interval of a statistic of items that come in sessions."""
    return interval(draw(statistic, grouped, Draws(seed, times), ""))


def bound(hits: int, n: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper, Pearson): 95 %, one-sided where there is no hit, so about 3 / n."""
    from scipy.stats import beta

    tail = 0.05 if hits in (0, n) else 0.025
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def counted(hits: int, n: int, *, note: str = "", **more: Any) -> Figure:
    """A share of things that don't hang together in sessions, with its exact interval; `note` is added to the count."""
    low, high = bound(hits, n)
    return Figure(value=hits / n, low=low, high=high, n=n, note=f"{hits} of {n}{note}", **more)


def measured(value: float, drawn: "np.ndarray[Any, Any] | None" = None, **more: Any) -> Measured:
    """A figure of a value and its draws; `more` are Figure's other fields."""
    if not math.isfinite(value):
        return insufficient(
            "it is not defined on these replies", **{name: told for name, told in more.items() if name != "note"}
        )
    low, high = interval(drawn) if drawn is not None else (None, None)
    return Measured(Figure(value=value, low=low, high=high, **more), drawn)


def difference(one: Measured, other: Measured, **more: Any) -> Measured:
    """One minus the other, paired draw by draw. Insufficient where either is, or where they didn't draw alike."""
    a, b = one.figure, other.figure
    n, sessions = min(a.n, b.n), min(a.sessions, b.sessions)
    if a.value is None or b.value is None:
        return insufficient(a.note or b.note or "one side has no number", n=n, sessions=sessions)
    if one.draws is None or other.draws is None or len(one.draws) != len(other.draws):
        return insufficient("the two were not drawn alike", n=n, sessions=sessions)
    return measured(a.value - b.value, one.draws - other.draws, n=n, sessions=sessions, **more)


def rounded(value: Any) -> Any:
    """The same JSON value with its floats rounded and its keys sorted, so that two reports are equal by the byte."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        near = round(value, DIGITS)
        return near or 0.0
    if isinstance(value, Mapping):
        return {key: rounded(value[key]) for key in sorted(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(part) for part in value]
    return value
