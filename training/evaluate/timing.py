"""Timing: do I wait as long as I do, between bubbles too, and speak at my hours? Delays up to what the bot waits at most.

Open loop: at the moments of the test part at which I really answered; the hours are those of the closed one. Knows
no words and needs no model; told how long replies took to be made, it says what somebody in the chat would wait.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.persona.latency import LONGEST_PAUSE
from bot.turn_state import Pace
from training.evaluate import decisions, hours, pace
from training.evaluate.bins import by_session, weights
from training.evaluate.figures import (
    LEAST_SESSIONS,
    Draws,
    Figure,
    Measured,
    Outcome,
    Picture,
    draw_ratio,
    insufficient,
    measured,
    missing,
)
from training.evaluate.pace import Array
from training.evaluate.sample import Answers, Sample
from training.evaluate.watched import Watched
from training.occasions import Occasion

NEEDS = ("watched", "compute")
LEAST = 100
"""Delays below which nothing is said."""
EACH = 9
"""Pauses that are drawn for one of mine."""
MOST_BUBBLES = 20
"""Of one reply; more count as these."""
NEAR, SKILL, BURST = 0.05, 0.2, 0.05
"""What is good: KS beyond my own drift, CRPS better than my marginal, bursts."""


def measure(
    sample: Sample,
    answers: Answers,
    draws: Draws,
    *,
    quick: bool,
    watched: Watched | None,
    compute: Sequence[float] | None = None,
) -> Outcome:
    """The persona's delays and pauses, its hours, and the bubbles of its answers. Nothing of a system that doesn't behave.

    `compute` are seconds that first bubbles took to be made.
    """
    if watched is None:
        return Outcome()
    took = [one.occasion for one in watched.judged if one.occasion.mine]
    now, before = pace.within(took), pace.within(watched.earlier)
    outcome = Outcome(figures=_delays(now, before, watched, draws))
    exact = [one for one in took if one.delay is not None]
    outcome.figures["beyond_cap"] = _beyond(exact, draws)
    outcome.figures["burst_ks"] = _bursts(sample, answers, draws)
    outcome.figures["pause_ks"] = _pauses(watched, draws)
    spoken = hours.spoken(watched, draws, decisions.RUNS_QUICK if quick else decisions.RUNS)
    outcome.figures["hour_of_week_js"] = hours.divergence(spoken, draws)
    outcome.figures["hour_of_day_js"] = hours.divergence(spoken, draws, hours.DAY)
    outcome.pictures |= hours.picture(spoken)
    if outcome.figures["delay_ks"].figure.value is not None:
        outcome.pictures["delays"] = _curves(now, before, watched)
        outcome.run = _end_to_end(now, before, watched, draws, compute) if compute else {}
    return outcome


def _beyond(exact: Sequence[Occasion], draws: Draws) -> Measured:
    """The share of my exact delays that the bot never takes; days are drawn."""
    days = [str(int(one.heard.time // 86400)) for one in exact]
    about: dict[str, Any] = {"n": len(exact), "sessions": len(set(days))}
    if why := missing(len(exact), about["sessions"], LEAST, "exact delays"):
        return insufficient(why, **about)
    beyond = by_session([not pace.within([one]) for one in exact], days)
    drawn = draw_ratio(beyond, by_session([1] * len(days), days), draws, "timing")
    return measured(sum(beyond) / len(exact), drawn, **about)


def _bursts(sample: Sample, answers: Answers, draws: Draws) -> Measured:
    """How many bubbles the persona's own replies have, against mine to the same moments."""
    pairs = [
        (len(moment.mine.bubbles), len(answer.bubbles)) for moment, answer in zip(sample.moments, answers, strict=True)
    ]
    names, place = np.unique([moment.mine.session for moment in sample.moments], return_inverse=True)
    if why := missing(len(pairs), len(names), LEAST):
        return insufficient(why, n=len(pairs), sessions=len(names))
    mine, bot = np.array(pairs).T
    drawn = weights(draws.chosen(len(names), "timing bursts"), len(names))
    one, other = (_upto(np.minimum(side, MOST_BUBBLES), MOST_BUBBLES + 1, place, drawn) for side in (mine, bot))
    about: dict[str, Any] = {"n": len(pairs), "sessions": len(names), "good": (None, BURST)}
    return measured(pace.ks(bot, mine), np.abs(one - other).max(axis=1), **about)


def _upto(values: Array, bins: int, session: Array, drawn: Array) -> Array:
    """(draws, bins): the share of the values in each bin or before it, under (draws, sessions) weights."""
    counts = np.zeros((drawn.shape[1], bins))
    np.add.at(counts, (session, values), 1)
    summed = np.cumsum(drawn @ counts, axis=1)
    return summed / np.maximum(summed[:, -1:], 1e-12)


def _delays(now: Sequence[Occasion], before: Sequence[Occasion], watched: Watched, draws: Draws) -> dict[str, Measured]:
    days = [int(one.heard.time // 86400) for one in now]
    sessions = sorted(set(days))
    about: dict[str, Any] = {"n": len(now), "sessions": len(sessions)}
    if len(now) < LEAST or len(before) < LEAST or len(sessions) < LEAST_SESSIONS:
        why = f"{len(now)} exact delays on {len(sessions)} days; {LEAST} on {LEAST_SESSIONS} are needed, before too"
        return {name: insufficient(why, **about) for name in ("delay_ks", "crps_skill")}
    mine, earlier = (pace.spread(pace.delays(ones), draws.seed) for ones in (now, before))
    newest = earlier[-len(mine) :]
    quantiles = pace.predicted(watched.behaviour, now)
    ours = pace.crps(quantiles, mine)
    usual = pace.crps(pace.marginal(earlier, len(mine)), mine)
    places = [np.flatnonzero(np.array(days) == day) for day in sessions]
    chosen = [np.concatenate([places[place] for place in row]) for row in draws.chosen(len(places), "timing")]
    floor = pace.ks(newest, mine)
    return {
        "delay_ks": measured(
            pace.ks(quantiles.ravel(), mine),
            np.array([pace.ks(quantiles[at].ravel(), mine[at]) for at in chosen]),
            floor=floor,
            good=(None, floor + NEAR),
            **about,
        ),
        "crps_skill": measured(
            1 - float(ours.mean() / usual.mean()),
            np.array([1 - ours[at].mean() / usual[at].mean() for at in chosen]),
            good=(SKILL, None),
            **about,
        ),
        "delay_w1": measured(
            pace.apart(quantiles.ravel(), mine),
            np.array([pace.apart(quantiles[at].ravel(), mine[at]) for at in chosen]),
            floor=pace.apart(newest, mine),
            note="mean distance of log seconds",
            **about,
        ),
        "pit_ks": measured(
            pace.pit_ks(quantiles, mine),
            np.array([pace.pit_ks(quantiles[at], mine[at]) for at in chosen]),
            note="0: what it foresees is as often too long as too short, at every share",
            **about,
        ),
    }


def _end_to_end(
    now: Sequence[Occasion], before: Sequence[Occasion], watched: Watched, draws: Draws, compute: Sequence[float]
) -> dict[str, Figure]:
    """What somebody in the chat waits: the planned delay, and what making the reply takes beyond it."""
    mine, earlier = (pace.spread(pace.delays(ones), draws.seed) for ones in (now, before[-len(now) :]))
    planned = pace.predicted(watched.behaviour, now)
    waited = pace.seen(planned, compute, Pace().debounce, draws.rng("timing compute"))
    found: dict[str, Figure] = {}
    for part in (50, 95):
        mine_too = f"mine {np.percentile(mine, part):.3g} s; {len(compute)} replies were timed"
        found[f"end_to_end_p{part}"] = Figure(value=float(np.percentile(waited, part)), n=len(now), note=mine_too)
    floor = pace.ks(earlier, mine)
    far, about = pace.ks(waited.ravel(), mine), f"me earlier {floor:.3g}"
    found["end_to_end_ks"] = Figure(value=far, floor=floor, good=(None, floor + NEAR), n=len(now), note=about)
    return found


def _pauses(watched: Watched, draws: Draws) -> Measured:
    """Between my bubbles, at their real lengths; days are drawn."""
    most = LONGEST_PAUSE
    pauses = [
        (int(burst.first.time // 86400), gap, chars)
        for burst in watched.bursts
        for gap, chars in zip(burst.gaps, burst.chars, strict=True)
        if gap <= most
    ]
    before = np.array([gap for burst in watched.bursts_earlier for gap in burst.gaps], dtype=float)
    days = len({day for day, _, _ in pauses})
    if len(pauses) < LEAST or len(before) < LEAST or days < LEAST_SESSIONS:
        why = f"{len(pauses)} exact pauses on {days} days; {LEAST} on {LEAST_SESSIONS} are needed, before too"
        return insufficient(why, n=len(pauses), sessions=days)
    mine = pace.spread(np.array([gap for _, gap, _ in pauses]), draws.seed)
    places: Array = draws.rng("timing pauses").uniform(size=(len(pauses), EACH))
    behaviour = watched.behaviour
    bot = np.array([behaviour.pause(float(u), one[2]) for one, row in zip(pauses, places, strict=True) for u in row])
    names, day = np.unique([one[0] for one in pauses], return_inverse=True)
    drawn = weights(draws.chosen(len(names), "timing pauses"), len(names))
    edges = np.geomspace(0.1, most, 200)
    sides = ((mine, day), (bot, np.repeat(day, EACH)))
    one, other = (_upto(np.searchsorted(edges, side), len(edges) + 1, of, drawn) for side, of in sides)
    floor = pace.ks(pace.spread(before[before <= most][-len(mine) :], draws.seed), mine)
    about: dict[str, Any] = {"n": len(pauses), "sessions": len(names), "floor": floor, "good": (None, floor + NEAR)}
    return measured(pace.ks(bot, mine), np.abs(one - other).max(axis=1), **about)


def _curves(now: Sequence[Occasion], before: Sequence[Occasion], watched: Watched) -> Picture:
    """Cumulative shares of the delays, at seconds on a log axis."""
    x = np.geomspace(1.0, 180.0, 40)

    def share(seconds: Array) -> tuple[float, ...]:
        return tuple(float((seconds <= at).mean()) for at in x)

    series = {"me": share(pace.delays(now)), "persona": share(pace.predicted(watched.behaviour, now).ravel())}
    series["floor"] = share(pace.delays(before[-len(now) :]))
    typed = pace.typing(watched.bursts)
    if typed.size:
        series["typing"] = share(typed)
    return Picture(x=tuple(float(at) for at in x), series=series)
