"""When to speak: does the persona speak where I spoke, and as often? In open and in closed loop.

Open: after each message of others, am I the next to speak (within half an hour)? Do I speak within a minute, or
five, whoever spoke before? The persona says how likely it is the next; for the other two questions that chance is
translated by a logistic fit on dev. Closed: the real turn engine lives through the test days with its own posts
for mine. Knows no words and needs no model.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluate import chances, decisions
from training.evaluate.bins import weights
from training.evaluate.chances import Chances, Score
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

NEEDS = ("watched",)
LEAST = 50
"""Occasions that I took, and that I let pass, below which nothing is said of a slice."""
LEAST_DAYS = 10
LEAST_COUNTED = 20
"""Calls, or replies, in a replay, below which no share of them is told."""
GOOD_ECE, GOOD_VOLUME, GOOD_RUN = (None, 0.02), (0.8, 1.25), (None, 1.0)
BETTER = 2.0
"""Times the average precision of answering when called that an entry should have."""
SCORES: dict[str, Score] = {"ap": chances.ap, "auc": chances.auc}
"""What needs an order alone."""
SAID: dict[str, Score] = {"ece": chances.ece, "brier_skill": chances.brier_skill}
"""What needs chances that mean what they say."""
BALANCED = "balanced_accuracy"
SOON = {"": math.inf, "within_60s": 60.0, "within_5min": 300.0}
"""The questions: am I the next to speak, and do I speak so soon?"""


def measure(sample: Sample, answers: Answers, draws: Draws, *, quick: bool, watched: Watched | None) -> Outcome:
    """The persona's decisions; its answers don't matter here. Nothing of a system that doesn't behave."""
    if watched is None:
        return Outcome()
    table, dev = Table.of(watched.judged), Table.of(watched.dev)
    outcome, slices = Outcome(), table.slices()
    for question, seconds in SOON.items():
        sides = (table.soon(seconds), dev.soon(seconds)) if question else (table, dev)
        outcome.figures |= _asked(*sides, question, draws)
    outcome.figures["ap_entry"] = _beside(outcome.figures["ap_entry"], outcome.figures["ap_entry_on_at"])
    outcome.figures |= _rules(table) | _closed(watched, draws, decisions.RUNS_QUICK if quick else decisions.RUNS)
    for name in ("all", "entry"):
        rows = slices[name]
        if outcome.figures[named("ap", name)].figure.value is not None:
            sizes, said, took = chances.calibration(table.mine[rows], table.p[rows])
            series = {"me": _plain(took), "n": _plain(sizes)}
            outcome.pictures[f"calibration_{name}"] = Picture(x=_plain(said), series=series)
            outcome.pictures[f"precision_{name}"] = _precision(table, rows)
    if watched.scenes:
        outcome.pictures |= _day(watched, draws)
    return outcome


def named(score: str, name: str = "all", question: str = "", rule: str = "") -> str:
    """What a score of a slice is called."""
    return "_".join(part for part in (score, "" if name == "all" else name, question, rule) if part)


def _asked(table: Table, dev: Table, question: str, draws: Draws) -> dict[str, Measured]:
    """Every score of every slice under one question, and the order of the simple rules."""
    found: dict[str, Measured] = {}
    apart, enough = dev.slices(), not _lacking(dev.mine)
    said = table.p if not question or not enough else chances.translated(dev.mine, dev.p)(table.p)
    for name, rows in table.slices().items():
        part = _Part.of(table, rows, draws, name)
        for score, function in SCORES.items():
            found[named(score, name, question)] = part.scored(table.p, function)
            for rule, p in table.baselines().items():
                found[named(score, name, question, rule)] = part.scored(p, function, drawn=False)
        for score, function in SAID.items():
            good = GOOD_ECE if score == "ece" else None
            translated = not question or enough
            found[named(score, name, question)] = (
                part.scored(said, function, good=good) if translated else part.unfitted()
            )
        mine, p = dev.mine[apart[name]], dev.p[apart[name]]
        found[named(BALANCED, name, question)] = (
            part.unfitted() if _lacking(mine) else part.scored(table.p, chances.balanced_at(chances.threshold(mine, p)))
        )
    return found


def _lacking(mine: Array) -> bool:
    return min(int(mine.sum()), int((~mine).sum())) < LEAST


@dataclass(slots=True)
class _Part:
    """A slice of the occasions under one question."""

    table: Table
    rows: Array
    session: Array
    weights: Array
    """(draws, sessions)."""
    about: dict[str, Any]
    why: str
    """Why nothing is said of it; empty where there is enough."""

    @classmethod
    def of(cls, table: Table, rows: Array, draws: Draws, name: str) -> "_Part":
        names, session = np.unique(table.session[rows], return_inverse=True)
        mine = table.mine[rows]
        least = min(int(mine.sum()), int((~mine).sum()))
        about: dict[str, Any] = {"n": len(mine), "sessions": len(names)}
        why = missing(least, len(names), LEAST, "replies or silences")
        weighed = np.zeros((0, 0)) if why else weights(draws.chosen(len(names), f"when {name}"), len(names))
        return cls(table, rows, session, weighed, about, why)

    def scored(self, p: Array, score: Score, *, drawn: bool = True, good: Any = None) -> Measured:
        """One score; without `drawn` it has no interval."""
        if self.why:
            return insufficient(self.why, **self.about)
        there = Chances(self.table.mine[self.rows], p[self.rows], self.session)
        return measured(
            there.value(score), there.drawn(score, self.weights) if drawn else None, good=good, **self.about
        )

    def unfitted(self) -> Measured:
        """There is too little to fit a threshold or a translation on."""
        return insufficient(self.why or f"dev has fewer than {LEAST} replies or silences there", **self.about)


def _rules(table: Table) -> dict[str, Measured]:
    """How much the simple rules would say in groups, and how wrongly, on the recorded occasions."""
    table = table.in_groups()
    sessions = len(np.unique(table.session))
    about: dict[str, Any] = {"n": len(table.mine), "sessions": sessions}
    least = min(int(table.mine.sum()), int((~table.mine).sum()))
    why = missing(least, sessions, LEAST, "replies or silences in groups")
    found: dict[str, Measured] = {}
    for rule, p in table.baselines().items():
        plain = decisions.plainly(table, p)
        told = {"volume": plain.volume, "missed_calls": plain.missed, "interruptions": plain.interruptions}
        for name, value in told.items():
            good = GOOD_VOLUME if name == "volume" else None
            if why:
                found[named(name, rule=rule)] = insufficient(why, **about)
            elif not math.isnan(value):  # who never speaks doesn't interrupt
                found[named(name, rule=rule)] = measured(
                    value, good=good, note="on the recorded occasions, not lived through", **about
                )
    return found


def _precision(table: Table, rows: Array) -> Picture:
    """How often it is right to speak, by the share of my replies that it would give; beside it, speaking when called."""
    shares = tuple(n / 20 for n in range(1, 21))
    series = {
        who: decisions.precision(table.mine[rows], p[rows], shares)
        for who, p in (("persona", table.p), ("on_at", table.baselines()["on_at"]))
    }
    return Picture(x=shares, series=series)


def _day(watched: Watched, draws: Draws) -> dict[str, Picture]:
    """The test day on which I said most in groups, by the hour: me, and the bot in my place."""
    mine, bot = decisions.one_day(watched, seed=draws.seed)
    if not sum(mine):
        return {}
    hours = tuple(f"{hour}" for hour in range(24))
    return {"day": Picture(labels=hours, series={"me": mine, "persona": bot})}


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
    most = found.over_resampled
    above = draw_ratio(found.above.tolist(), [1.0] * days, draws, "when volume")
    return {
        "volume": measured(found.ratio, drawn, good=GOOD_VOLUME, **about),
        "days_above_twice": measured(found.over, above, floor=most, good=(None, most), **about),
        "longest_run": measured(found.longest_run, good=GOOD_RUN, **about),
        "missed_calls": _share(found.missed, runs, draws),
        "interruptions": _share(found.interrupting, runs, draws),
    }


def _share(by_day: Array, runs: int, draws: Draws) -> Measured:
    """(2, days) counts of some replays: the share of those that are so."""
    so, every = by_day
    about: dict[str, Any] = {"n": round(every.sum() / runs), "sessions": int((every > 0).sum())}
    if about["n"] < LEAST_COUNTED:
        return insufficient(f"{about['n']} in a replay; {LEAST_COUNTED} are needed", **about)
    return measured(float(so.sum() / every.sum()), draw_ratio(so, every, draws, "when volume"), **about)


def _plain(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
