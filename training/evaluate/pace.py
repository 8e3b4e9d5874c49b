"""How fast, and in how many bubbles: distances between delays, pauses and bursts.

Pure functions of seconds and counts, returning plain numbers.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.persona.behaviour import DAY, Behaviour
from bot.persona.latency import CAPS
from training.occasions import Burst, Occasion

CHARS_A_SECOND = 4.0
"""How fast somebody types on a phone."""
STEPS = 33
"""Quantiles that stand for a predicted distribution."""

Array = np.ndarray[Any, Any]


def within(occasions: Sequence[Occasion]) -> list[Occasion]:
    """Those that I took in a time that the bot would take at most."""
    return [one for one in occasions if one.delay is not None and one.delay <= CAPS[one.situation]]


def delays(occasions: Sequence[Occasion]) -> Array:
    """Seconds that I took."""
    return np.array([one.delay for one in occasions], dtype=float)


def predicted(behaviour: Behaviour, occasions: Sequence[Occasion]) -> Array:
    """(occasions, STEPS): the quantiles of the delay that the behaviour draws there from."""
    places = [(step + 0.5) / STEPS for step in range(STEPS)]
    latency = behaviour.latency
    return np.array(
        [
            [latency.delay(one.situation, behaviour.hour(one.heard.time), u, one.tempo) for u in places]
            for one in occasions
        ]
    ).reshape(len(occasions), STEPS)


def ks(one: Array, other: Array) -> float:
    """The largest distance between two distributions of samples; whole seconds count as spread evenly."""
    from scipy.stats import ks_2samp

    if not len(one) or not len(other):
        return math.nan
    found: Any = ks_2samp(one, other, method="asymp")
    return float(found.statistic)


def apart(one: Array, other: Array) -> float:
    """The mean distance between the logs of two samples of seconds (Wasserstein, 1)."""
    from scipy.stats import wasserstein_distance

    if not len(one) or not len(other):
        return math.nan
    return float(wasserstein_distance(np.log(one), np.log(other)))


def pit_ks(quantiles: Array, seconds: Array) -> float:
    """How far the places of what I took, among what was predicted there, are from being spread evenly."""
    if not len(seconds):
        return math.nan
    below, upto = (quantiles < seconds[:, None]).mean(axis=1), (quantiles <= seconds[:, None]).mean(axis=1)
    places = np.sort((below + upto) / 2)
    steps = np.arange(len(places) + 1) / len(places)
    return float(np.maximum(np.abs(places - steps[:-1]), np.abs(places - steps[1:])).max())


def hour_of_week(times: Sequence[float], offset: int) -> Array:
    """(replies,): 0–167, the hour in which each was given, by my clock."""
    return ((np.asarray(times, dtype=float) + offset) % (7 * DAY) // 3600).astype(int)


def seen(planned: Array, compute: Sequence[float], ready: float, rng: np.random.Generator) -> Array:
    """Seconds until the first bubble is there to be read, as `planned` and where a reply takes its time to be made.

    The turn engine begins to write when the other has been quiet for `ready` seconds, and so long before the planned
    moment as a reply takes on average; it never speaks before that moment. `compute` are seconds that first bubbles
    really took; each place draws one of them.
    """
    took = rng.choice(np.asarray(compute, dtype=float), size=planned.shape)
    begun = np.maximum(ready, planned - float(np.mean(compute)))
    return np.maximum(planned, begun + took)


def typing(bursts: Sequence[Burst]) -> Array:
    """Seconds that bubbles of mine would take if I answered as fast as I type."""
    return np.array([chars / CHARS_A_SECOND for burst in bursts for chars in burst.chars], dtype=float)


def spread(seconds: Array, seed: int) -> Array:
    """Whole seconds, each anywhere within half a second, as records are exact to the second only."""
    return np.maximum(0.3, seconds + np.random.default_rng(seed).uniform(-0.5, 0.5, len(seconds)))


def crps(quantiles: Array, seconds: Array) -> Array:
    """The continuous ranked probability score of log seconds, by occasion; lower is better."""
    logs, truth = np.sort(np.log(quantiles), axis=1), np.log(seconds)[:, None]
    n = logs.shape[1]
    apart = (logs * (2 * np.arange(1, n + 1) - n - 1)).sum(axis=1) / (n * n)
    return np.abs(logs - truth).mean(axis=1) - apart


def marginal(earlier: Array, occasions: int) -> Array:
    """(occasions, STEPS): the quantiles of what I took before, the same for every occasion."""
    row = np.quantile(earlier, [(step + 0.5) / STEPS for step in range(STEPS)])
    return np.tile(row, (occasions, 1))
