"""Decisions about speaking, counted: scores of chances message by message, and volume in closed loop.

Pure functions of what was watched, returning plain numbers; not a number where something isn't defined.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from bot.persona.behaviour import DAY
from bot.persona.watch import Traits
from training.closed_loop import Scene
from training.evaluate.watched import Judged, Watched
from training.recording import replies

SOON = 60.0
"""Seconds within which an answer is one to a call."""
SILENT = 600.0
"""Seconds before and after in which I said nothing: speaking there interrupts."""
RUNS, RUNS_QUICK = 5, 2
"""Replays of the test days, each with its own seed."""

Array = np.ndarray[Any, Any]


@dataclass(slots=True)
class Table:
    """The judged occasions as arrays, one entry each."""

    mine: Array
    p: Array
    entry: Array
    addressed: Array
    private: Array
    to_other: Array
    last3: Array
    session: Array
    next: Array
    """Seconds until I spoke, whoever spoke before."""

    @classmethod
    def of(cls, judged: Sequence[Judged]) -> "Table":
        def column(get: Any, kind: Any = bool) -> Array:
            return np.array([get(one) for one in judged], dtype=kind)

        return cls(
            mine=column(lambda one: one.occasion.mine),
            p=column(lambda one: one.p, float),
            entry=column(lambda one: one.occasion.entry),
            addressed=column(lambda one: one.occasion.situation in ("addressed", "private")),
            private=column(lambda one: one.occasion.situation == "private"),
            to_other=column(lambda one: one.occasion.heard.to_other),
            last3=column(lambda one: one.occasion.last3),
            session=column(lambda one: one.session, int),
            next=column(lambda one: one.next, float),
        )

    def soon(self, seconds: float) -> "Table":
        """The same with another question: did I speak so soon, whoever spoke before?"""
        return replace(self, mine=self.next <= seconds)

    def in_groups(self) -> "Table":
        """The occasions of groups, where the closed loop is."""
        kept = ~self.private
        return Table(**{each.name: getattr(self, each.name)[kept] for each in fields(self)})

    def slices(self) -> dict[str, Array]:
        """Which occasions are looked at, by name."""
        every = np.ones(len(self.mine), dtype=bool)
        return {
            "all": every,
            "flow": ~self.entry,
            "entry": self.entry,
            "addressed": self.addressed,
            "to_other": self.to_other,
        }

    def baselines(self) -> dict[str, Array]:
        """What simpler rules would say: the chance of each occasion."""
        n = len(self.mine)
        return {
            "on_at": self.addressed.astype(float),
            "last3": (self.addressed | self.last3).astype(float),
            "fixed": np.full(n, self.mine.mean() if n else 0.0),
            "always": np.ones(n),
            "never": np.zeros(n),
        }


@dataclass(slots=True)
class Plain:
    """What speaking by some chances comes to on the recorded occasions, whatever it would have led to."""

    volume: float
    """Over mine."""
    missed: float
    """Share of the calls to which it says nothing."""
    interruptions: float
    """Of what it says, the share where I was silent ten minutes before and after."""


def plainly(table: Table, p: Array) -> Plain:
    """Of a rule, or of any chances."""
    said, alone = float(p.sum()), table.entry & (table.next > SILENT)
    return Plain(
        volume=said / table.mine.sum() if table.mine.any() else math.nan,
        missed=1 - float(p[table.addressed].mean()) if table.addressed.any() else math.nan,
        interruptions=float(p[alone].sum()) / said if said else math.nan,
    )


def precision(mine: Array, p: Array, shares: Sequence[float]) -> tuple[float, ...]:
    """The share of rightly taken occasions where so many of mine are taken, by falling chance; ties taken together."""
    order = np.argsort(-p, kind="stable")
    right, taken = np.cumsum(mine[order]), np.arange(1, len(p) + 1)
    last = np.append(np.diff(p[order]) != 0, True)
    right, taken = right[last], taken[last]
    places = [int(np.searchsorted(right, share * right[-1] - 1e-9)) for share in shares]
    return tuple(float(right[place] / taken[place]) for place in places)


def one_day(watched: Watched, *, seed: int = 7) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """My replies and the bot's by hour, on the day of the test part on which I gave most; one replay."""
    offset = watched.behaviour.utc_offset
    played = watched.played(replay(seed, 0))
    sides = [
        [reply.time for chat, lines in said.items() for reply in replies(chat, lines)]
        for said in (watched.real(), played)
    ]
    days = Counter(day_of(time, offset) for time in sides[0])
    if not days:
        return (), ()
    busiest = min(days, key=lambda day: (-days[day], day))
    hours = [
        Counter(int((time + offset) % DAY // 3600) for time in side if day_of(time, offset) == busiest)
        for side in sides
    ]
    mine, bot = (tuple(float(counts[hour]) for hour in range(24)) for counts in hours)
    return mine, bot


@dataclass(slots=True)
class Volume:
    """Replies by day in closed loop: mine, and the mean of the bot's over some replays. Every array is by day."""

    mine: Array
    bot: Array
    heard: Array
    """Messages of others."""
    above: Array = field(default_factory=lambda: np.zeros(0))
    """Share of the replays that said more than twice as much as I did."""
    over_resampled: float = math.nan
    """Days above twice as much, of my own rate spread over the days by chance: its 95th percentile."""
    missed: Array = field(default_factory=lambda: np.zeros((2, 0)))
    """Calls that got no answer within a minute of the replayed clock, and all calls, over all replays."""
    interrupting: Array = field(default_factory=lambda: np.zeros((2, 0)))
    """The bot's replies where I was silent ten minutes before and after, and all its replies, over all replays."""
    longest_run: float = math.nan
    """Most bubbles of the bot in a row, over the 99th percentile of mine."""

    @property
    def ratio(self) -> float:
        return float(self.bot.sum() / self.mine.sum()) if self.mine.sum() else math.nan

    @property
    def over(self) -> float:
        """Share of the days on which a replay said more than twice as much as I did."""
        return float(self.above.mean()) if len(self.above) else math.nan


def replay(seed: int, run: int) -> int:
    """The seed of one of the replays."""
    return seed * 1000 + run


def volume(watched: Watched, *, runs: int = RUNS, seed: int = 7) -> Volume:
    """Replay the test days some times, and count."""
    scenes, offset = watched.scenes, watched.behaviour.utc_offset
    real, played = watched.real(), [watched.played(replay(seed, run)) for run in range(runs)]
    heard = Counter(day_of(line.time, offset) for lines in real.values() for line in lines if not line.mine)
    days = sorted(heard)
    mine = by_day(real, days, offset)
    each = np.array([by_day(said, days, offset) for said in played]).reshape(runs, len(days))
    found = Volume(mine, each.mean(axis=0), np.array([heard[day] for day in days], dtype=float))
    if len(days) and mine.sum():
        found.above = (each > 2 * mine).mean(axis=0)
        found.over_resampled = resampled(mine, found.heard, seed)
        found.missed = np.sum([_counted(_calls(said), days, offset) for said in played], axis=0)
        found.interrupting = np.sum([_counted(_spoken(said, scenes), days, offset) for said in played], axis=0)
        ninety_nine = np.quantile(_runs(real), 0.99)
        found.longest_run = max(max(_runs(said), default=0) for said in played) / max(1.0, float(ninety_nine))
    return found


def by_day(said: Mapping[str, Sequence[Traits]], days: Sequence[int], offset: int) -> Array:
    """My (or the bot's) replies on each of the days."""
    counts = Counter(day_of(reply.time, offset) for chat, lines in said.items() for reply in replies(chat, lines))
    return np.array([counts[day] for day in days], dtype=float)


def resampled(mine: Array, heard: Array, seed: int, times: int = 1000) -> float:
    """Days above twice mine if each message of others were answered at my mean rate: 95th percentile."""
    rate = min(1.0, mine.sum() / max(1.0, heard.sum()))
    drawn = np.random.default_rng(seed).binomial(heard.astype(int), rate, size=(times, len(mine)))
    return float(np.quantile((drawn > 2 * mine).mean(axis=1), 0.95))


def _counted(found: Iterable[tuple[float, bool]], days: Sequence[int], offset: int) -> Any:
    """(2, days): how many are so, and how many there are."""
    so: Counter[int] = Counter()
    every: Counter[int] = Counter()
    for time, is_so in found:
        every[day_of(time, offset)] += 1
        so[day_of(time, offset)] += is_so
    return np.array([[so[day] for day in days], [every[day] for day in days]], dtype=float)


def _calls(said: Mapping[str, Sequence[Traits]]) -> Iterator[tuple[float, bool]]:
    """When the bot was called, and whether it missed that."""
    for lines in said.values():
        calls: list[float] = []
        for line in lines:
            if line.mine:
                yield from ((call, line.time - call > SOON) for call in calls)
                calls = []
            elif line.addressed or line.names_me:
                calls.append(line.time)
        yield from ((call, True) for call in calls)


def _spoken(said: Mapping[str, Sequence[Traits]], scenes: Mapping[str, Scene]) -> Iterator[tuple[float, bool]]:
    """When the bot spoke, and whether that interrupted."""
    for chat, lines in said.items():
        mine = np.array([line.time for line in scenes[chat].lines if line.mine])
        for reply in replies(chat, lines):
            near = np.searchsorted(mine, [reply.time - SILENT, reply.time + SILENT])
            yield reply.time, bool(near[0] == near[1])


def _runs(said: Mapping[str, Sequence[Traits]]) -> list[int]:
    return [reply.bubbles for chat, lines in said.items() for reply in replies(chat, lines)]


def day_of(time: float, offset: int) -> int:
    return int((time + offset) // DAY)
