"""Decisions about speaking, counted: scores of chances message by message, and volume in closed loop.

Pure functions of what was watched, returning plain numbers; not a number where something isn't defined.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.persona.behaviour import DAY
from bot.persona.watch import Traits
from training.closed_loop import Replay, Scene
from training.evaluate.watched import Judged, Watched
from training.recording import replies

BINS = 15
SOON = 60.0
"""Seconds within which an answer is one to a call."""
SILENT = 600.0
"""Seconds before and after in which I said nothing: speaking there interrupts."""
RUNS = 5
"""Replays of the test days, each with its own seed."""

Array = np.ndarray[Any, Any]


@dataclass(slots=True)
class Table:
    """The judged occasions as arrays, one entry each."""

    mine: Array
    p: Array
    entry: Array
    addressed: Array
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
            to_other=column(lambda one: one.occasion.heard.to_other),
            last3=column(lambda one: one.occasion.last3),
            session=column(lambda one: one.session, int),
            next=column(lambda one: one.next, float),
        )

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


def calibration(mine: Array, p: Array) -> tuple[Array, Array, Array]:
    """Of each bin of equally many occasions: how many, the mean chance, the share that I took."""
    parts = np.array_split(np.argsort(p, kind="stable"), BINS)
    kept = [part for part in parts if len(part)]
    sizes = np.array([len(part) for part in kept], dtype=float)
    return sizes, np.array([p[part].mean() for part in kept]), np.array([mine[part].mean() for part in kept])


def ece(mine: Array, p: Array) -> float:
    """Expected calibration error over quantile bins."""
    if not len(mine):
        return math.nan
    sizes, said, took = calibration(mine, p)
    return float((sizes * np.abs(said - took)).sum() / sizes.sum())


def brier_skill(mine: Array, p: Array) -> float:
    """1 − Brier score / that of the base rate."""
    usual = float(((mine - mine.mean()) ** 2).mean()) if len(mine) else 0.0
    return 1 - float(((mine - p) ** 2).mean()) / usual if usual else math.nan


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
    scenes, offset = watched.scenes, watched.behaviour.utc_offset
    real = {chat: scene.lines for chat, scene in scenes.items()}
    played = Replay(scenes, watched.behaviour, 1.0, seed * 1000).run()
    sides = [[reply.time for chat, lines in said.items() for reply in replies(chat, lines)] for said in (real, played)]
    days = Counter(_day(time, offset) for time in sides[0])
    if not days:
        return (), ()
    busiest = min(days, key=lambda day: (-days[day], day))
    hours = [
        Counter(int((time + offset) % DAY // 3600) for time in side if _day(time, offset) == busiest) for side in sides
    ]
    mine, bot = (tuple(float(counts[hour]) for hour in range(24)) for counts in hours)
    return mine, bot


@dataclass(slots=True)
class Volume:
    """Replies by day in closed loop: mine, and the mean of the bot's over some replays."""

    mine: Array
    bot: Array
    heard: Array
    """Messages of others."""
    over: float = math.nan
    """Share of the days on which a replay said more than twice as much as I did."""
    over_resampled: float = math.nan
    """The same of my own rate, spread over the days by chance: its 95th percentile."""
    missed: float = math.nan
    """Share of the calls that got no answer within a minute of the replayed clock."""
    interruptions: float = math.nan
    """Share of the bot's replies where I was silent ten minutes before and after."""
    longest_run: float = math.nan
    """Most bubbles of the bot in a row, over the 99th percentile of mine."""

    @property
    def ratio(self) -> float:
        return float(self.bot.sum() / self.mine.sum()) if self.mine.sum() else math.nan


def volume(watched: Watched, *, runs: int = RUNS, seed: int = 7) -> Volume:
    """Replay the test days some times, and count."""
    scenes, offset = watched.scenes, watched.behaviour.utc_offset
    real = {chat: scene.lines for chat, scene in scenes.items()}
    played = [Replay(scenes, watched.behaviour, 1.0, seed * 1000 + run).run() for run in range(runs)]
    heard = Counter(_day(line.time, offset) for lines in real.values() for line in lines if not line.mine)
    days = sorted(heard)
    mine = by_day(real, days, offset)
    each = np.array([by_day(said, days, offset) for said in played]).reshape(runs, len(days))
    found = Volume(mine, each.mean(axis=0), np.array([heard[day] for day in days], dtype=float))
    if len(days) and mine.sum():
        found.over = float((each > 2 * mine).mean())
        found.over_resampled = resampled(mine, found.heard, seed)
        found.missed = float(np.mean([_missed(said) for said in played]))
        found.interruptions = float(np.mean([_interruptions(said, scenes) for said in played]))
        ninety_nine = np.quantile(_runs(real), 0.99)
        found.longest_run = max(max(_runs(said), default=0) for said in played) / max(1.0, float(ninety_nine))
    return found


def by_day(said: Mapping[str, Sequence[Traits]], days: Sequence[int], offset: int) -> Array:
    """My (or the bot's) replies on each of the days."""
    counts = Counter(_day(reply.time, offset) for chat, lines in said.items() for reply in replies(chat, lines))
    return np.array([counts[day] for day in days], dtype=float)


def resampled(mine: Array, heard: Array, seed: int, times: int = 1000) -> float:
    """Days above twice mine if each message of others were answered at my mean rate: 95th percentile."""
    rate = min(1.0, mine.sum() / max(1.0, heard.sum()))
    drawn = np.random.default_rng(seed).binomial(heard.astype(int), rate, size=(times, len(mine)))
    return float(np.quantile((drawn > 2 * mine).mean(axis=1), 0.95))


def _missed(said: Mapping[str, Sequence[Traits]]) -> float:
    calls = answered = 0
    for lines in said.values():
        open_calls: list[float] = []
        for line in lines:
            if line.mine:
                answered += sum(line.time - call <= SOON for call in open_calls)
                open_calls = []
            elif line.addressed or line.names_me:
                calls += 1
                open_calls.append(line.time)
    return 1 - answered / calls if calls else math.nan


def _interruptions(said: Mapping[str, Sequence[Traits]], scenes: Mapping[str, Scene]) -> float:
    spoke = alone = 0
    for chat, lines in said.items():
        mine = np.array([line.time for line in scenes[chat].lines if line.mine])
        for reply in replies(chat, lines):
            near = np.searchsorted(mine, [reply.time - SILENT, reply.time + SILENT])
            spoke += 1
            alone += near[0] == near[1]
    return alone / spoke if spoke else math.nan


def _runs(said: Mapping[str, Sequence[Traits]]) -> list[int]:
    return [reply.bubbles for chat, lines in said.items() for reply in replies(chat, lines)]


def _day(time: float, offset: int) -> int:
    return int((time + offset) // DAY)
