"""At which hours of the week I speak in groups, and at which the bot does in my place, in closed loop.

    divergence = Jensen-Shannon (base 2, ½ added to each hour), bot against me on the test days

Of the week it has 168 hours, of the day 24: where replies are few, only the latter can tell. A distance between
counts grows where there are few: all sides are made of equally many replies. Knows times alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.evaluate import decisions, pace
from training.evaluate.bins import jensen_shannon, weights
from training.evaluate.figures import LEAST_SESSIONS, Draws, Measured, Picture, insufficient, measured
from training.evaluate.pace import Array
from training.evaluate.watched import Watched
from training.recording import replies

LEAST = 100
"""Replies below which nothing is said."""
WEEK, DAY = 7 * 24, 24
"""Hours."""


@dataclass(slots=True)
class Spoken:
    """When replies were given, in UTC seconds: equally many of each side."""

    n: int
    offset: int
    """Seconds that my clock is ahead of UTC."""
    mine: Array = field(default_factory=lambda: np.zeros(0))
    earlier: Array = field(default_factory=lambda: np.zeros(0))
    """Mine before the test part, the newest."""
    bots: list[Array] = field(default_factory=list)
    """Of each replay."""
    others: Array = field(default_factory=lambda: np.zeros(0))
    """Whatever others said on the test days."""


def spoken(watched: Watched, draws: Draws, runs: int) -> Spoken:
    """Everybody's replies in the groups; the larger sides are drawn from."""
    rng, offset = draws.rng("timing hours"), watched.behaviour.utc_offset
    sides = [watched.real(), *(watched.played(decisions.replay(draws.seed, run)) for run in range(runs))]
    times = [[one.time for chat, lines in said.items() for one in replies(chat, lines)] for said in sides]
    took = (one for one in watched.earlier if one.chat in watched.scenes)
    earlier = [one.heard.time + (one.delay or 0.0) for one in took]
    n = min(map(len, [*times, earlier]))
    mine, *bots = (np.sort(rng.choice(np.array(side, dtype=float), n, replace=False)) for side in times)
    others = [line.time for lines in watched.real().values() for line in lines if not line.mine]
    return Spoken(n, offset, mine, np.array(earlier[len(earlier) - n :]), bots, np.array(others))


def divergence(found: Spoken, draws: Draws, period: int = WEEK) -> Measured:
    """Over the hours of a week or a day: the mean of the replays; the floor is me earlier. Test days are drawn."""
    days = _days(found)
    mine, *bots = (_folded(_by_day(side, found.offset, days), period) for side in (found.mine, *found.bots))
    about: dict[str, Any] = {"n": found.n, "sessions": len(mine)}
    if found.n < LEAST or len(mine) < LEAST_SESSIONS:
        why = f"{found.n} replies in groups on {len(mine)} days; {LEAST} on {LEAST_SESSIONS} are needed, before too"
        return insufficient(why, **about)
    drawn = weights(draws.chosen(len(mine), "timing hours"), len(mine))
    before = _folded(_counts(found.earlier, found.offset), period)
    floor = jensen_shannon(before, mine.sum(axis=0, keepdims=True))
    return measured(
        float(np.mean([jensen_shannon(*(side.sum(axis=0, keepdims=True) for side in (bot, mine)))[0] for bot in bots])),
        np.mean([jensen_shannon(drawn @ bot, drawn @ mine) for bot in bots], axis=0),
        floor=float(floor[0]),
        note="Jensen-Shannon divergence, in bits",
        **about,
    )


def picture(found: Spoken) -> dict[str, Picture]:
    """Shares by the hour of the day."""
    if found.n < LEAST:
        return {}
    sides = {"me": found.mine, "persona": np.concatenate(found.bots), "other": found.others, "floor": found.earlier}
    shares = {who: _folded(_counts(times, found.offset), DAY)[0] / len(times) for who, times in sides.items()}
    labels = tuple(f"{hour}" for hour in range(DAY))
    return {"hours": Picture(labels=labels, series={who: tuple(map(float, share)) for who, share in shares.items()})}


def _days(found: Spoken) -> list[int]:
    """Days of the test part: those on which anybody spoke."""
    every = np.concatenate([found.mine, found.others, *found.bots])
    return sorted({decisions.day_of(time, found.offset) for time in every.tolist()})


def _by_day(times: Array, offset: int, days: Sequence[int]) -> Array:
    """(days, 168)."""
    place = {day: number for number, day in enumerate(days)}
    at = np.array([place[decisions.day_of(time, offset)] for time in times.tolist()], dtype=np.int64)
    cells = at * WEEK + pace.hour_of_week(times.tolist(), offset)
    return np.bincount(cells, minlength=len(days) * WEEK).reshape(len(days), WEEK).astype(float)


def _folded(counts: Array, period: int) -> Array:
    """(rows, 168) → (rows, period)."""
    return counts.reshape(len(counts), WEEK // period, period).sum(axis=1)


def _counts(times: Array, offset: int) -> Array:
    """(1, 168)."""
    return np.bincount(pace.hour_of_week(times.tolist(), offset), minlength=WEEK)[None, :].astype(float)
