"""When to speak: does the persona speak where I spoke, and as often? In open and in closed loop.

Open: after each message of others, am I the next to speak (within half an hour)? Closed: the real turn
engine lives through the test days with its own posts for mine. Knows no words and needs no model.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from training.evaluate import decisions
from training.evaluate.decisions import Array, Table
from training.evaluate.figures import (
    Draws,
    Measured,
    Outcome,
    Picture,
    draw_ratio,
    insufficient,
    measured,
    missing,
)
from training.evaluate.sample import Answers, Sample
from training.evaluate.watched import Watched
from training.scores import auc, average_precision

NEEDS = ("watched",)
LEAST = 50
"""Occasions that I took, and that I let pass, below which nothing is said of a slice."""
LEAST_DAYS = 10
GOOD_ECE, GOOD_VOLUME, GOOD_RUN = (None, 0.02), (0.8, 1.25), (None, 1.0)
BETTER = 2.0
"""Times the average precision of answering when called that an entry should have."""
SCORES: dict[str, Callable[[Array, Array], float]] = {
    "ap": average_precision,
    "auc": auc,
    "ece": decisions.ece,
    "brier_skill": decisions.brier_skill,
}
"""What is told of every slice."""
SOON = {"60s": 60.0, "5min": 300.0}
"""The other ways to say that I spoke: so soon, whoever spoke before."""


def measure(sample: Sample, answers: Answers, draws: Draws, *, quick: bool, watched: Watched | None) -> Outcome:
    """The persona's decisions; its answers don't matter here. Nothing of a system that doesn't behave."""
    if watched is None:
        return Outcome()
    table, outcome = Table.of(watched.judged), Outcome()
    slices = table.slices()
    for name, rows in slices.items():
        for score, function in SCORES.items():
            key = score if name == "all" else f"{score}_{name}"
            outcome.figures[key] = _scored(table, table.p, rows, function, draws, name)
    for name, seconds in SOON.items():
        soon = replace(table, mine=table.next <= seconds)
        for score in ("ap", "auc"):
            figure = _scored(soon, table.p, slices["all"], SCORES[score], draws, "all")
            outcome.figures[f"{score}_within_{name}"] = figure
    for rule, p in table.baselines().items():
        for name in ("all", "entry"):
            key = f"ap_{rule}" if name == "all" else f"ap_{name}_{rule}"
            outcome.figures[key] = _scored(table, p, slices[name], average_precision, None, name)
    outcome.figures["ap_entry"] = _beside(outcome.figures["ap_entry"], outcome.figures["ap_entry_on_at"])
    outcome.figures |= _closed(watched, draws, 2 if quick else decisions.RUNS)
    for name in ("all", "entry"):
        rows = slices[name]
        if rows.any():
            sizes, said, took = decisions.calibration(table.mine[rows], table.p[rows])
            series = {"me": _plain(took), "n": _plain(sizes)}
            outcome.pictures[f"calibration_{name}"] = Picture(x=_plain(said), series=series)
        outcome.pictures |= _precision(table, rows, name)
    if watched.scenes:
        outcome.pictures |= _day(watched, draws)
    return outcome


def _precision(table: Table, rows: Array, name: str) -> dict[str, Picture]:
    """How often it is right to speak, by the share of my replies that it would give; beside it, speaking when called."""
    if not table.mine[rows].any():
        return {}
    shares = tuple(n / 20 for n in range(1, 21))
    series = {
        who: decisions.precision(table.mine[rows], p[rows], shares)
        for who, p in (("persona", table.p), ("on_at", table.baselines()["on_at"]))
    }
    return {f"precision_{name}": Picture(x=shares, series=series)}


def _day(watched: Watched, draws: Draws) -> dict[str, Picture]:
    """The test day on which I said most in groups, by the hour: me, and the bot in my place."""
    mine, bot = decisions.one_day(watched, seed=draws.seed)
    if not sum(mine):
        return {}
    hours = tuple(f"{hour}" for hour in range(24))
    return {"day": Picture(labels=hours, series={"me": mine, "persona": bot})}


def _scored(
    table: Table, p: Array, rows: Array, score: Callable[[Array, Array], float], draws: Draws | None, name: str
) -> Measured:
    """One score of one slice; without `draws` it has no interval."""
    mine, p, session = table.mine[rows], p[rows], table.session[rows]
    places = np.split(np.arange(len(mine)), np.flatnonzero(np.diff(session)) + 1) if len(mine) else []
    about: dict[str, Any] = {"n": len(mine), "sessions": len(places)}
    if why := missing(int(min(mine.sum(), (~mine).sum())), len(places), LEAST, "replies or silences"):
        return insufficient(why, **about)
    drawn = None
    if draws is not None:
        chosen = draws.chosen(len(places), f"when {name}")
        at = [np.concatenate([places[place] for place in row]) for row in chosen]
        drawn = np.array([score(mine[rows], p[rows]) for rows in at])
    return measured(score(mine, p), drawn, good=GOOD_ECE if score is decisions.ece else None, **about)


def _beside(entry: Measured, called: Measured) -> Measured:
    """The entry's precision, good from twice that of speaking only when called."""
    if entry.figure.value is None or called.figure.value is None:
        return entry
    good = (BETTER * called.figure.value, None)
    return Measured(entry.figure.model_copy(update={"good": good, "floor": called.figure.value}), entry.draws)


def _closed(watched: Watched, draws: Draws, runs: int) -> dict[str, Measured]:
    found = decisions.volume(watched, runs=runs, seed=draws.seed)
    days, mine = len(found.mine), int(found.mine.sum())
    about: dict[str, Any] = {"n": mine, "sessions": days}
    if mine < LEAST or days < LEAST_DAYS:
        why = f"{mine} replies on {days} days in groups; {LEAST} on {LEAST_DAYS} are needed"
        return {"volume": insufficient(why, **about)}
    drawn = draw_ratio(found.bot.tolist(), found.mine.tolist(), draws, "when volume")
    over = measured(found.over, floor=found.over_resampled, good=(None, found.over_resampled), **about)
    return {
        "volume": measured(found.ratio, drawn, good=GOOD_VOLUME, **about),
        "days_above_twice": over,
        "longest_run": measured(found.longest_run, good=GOOD_RUN, **about),
        "missed_calls": measured(found.missed, **about),
        "interruptions": measured(found.interruptions, **about),
    }


def _plain(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
