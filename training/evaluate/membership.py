"""Can somebody tell from the persona's losses which sessions it was trained on.

The attack: a session on which the persona is better than its base, beyond others of the same month,
was trained on. Knows losses, not models; who hands them over takes both lists from the same months.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluate.bins import weights
from training.evaluate.figures import LEAST_SESSIONS, Draws, Measured, insufficient, measured
from training.evaluate.judges import Array, Scores

AXIS = "membership"
LEAST = 50
"""Sessions of each kind."""
GOOD_AUC, GOOD_TPR = (None, 0.60), (None, 0.03)
FALSE_ALARMS = 0.01


@dataclass(slots=True, frozen=True)
class Loss:
    """One session: the persona's nats over the base's, on my replies in it."""

    session: str
    ratio: float


def membership(trained: Sequence[Loss], unseen: Sequence[Loss], draws: Draws) -> dict[str, Measured]:
    """The attack's AUC, and what share of trained sessions it names at 1 % false alarms."""
    about: dict[str, Any] = {"n": len(trained) + len(unseen), "sessions": min(len(trained), len(unseen))}
    if about["sessions"] < max(LEAST, LEAST_SESSIONS):
        why = f"{len(trained)} trained and {len(unseen)} unseen sessions of the same months; {LEAST} of each are needed"
        return {name: insufficient(why, **about) for name in ("membership_auc", "membership_tpr")}
    inside, outside = (np.array([-loss.ratio for loss in losses]) for losses in (trained, unseen))
    both = Scores(np.concatenate([inside, outside]), np.repeat([1, 0], [len(inside), len(outside)]), _one_fold(about))
    drawn = [
        weights(draws.chosen(len(losses), f"{AXIS} {name}"), len(losses))
        for name, losses in (("trained", trained), ("unseen", unseen))
    ]
    rates = np.array([named(inside, outside, a, b) for a, b in zip(*drawn, strict=True)])
    ones = np.ones(len(inside)), np.ones(len(outside))
    return {
        "membership_auc": measured(float(both.auc()[0]), both.auc(np.hstack(drawn)), good=GOOD_AUC, floor=0.5, **about),
        "membership_tpr": measured(
            named(inside, outside, *ones), rates, good=GOOD_TPR, floor=FALSE_ALARMS, note="at 1 % false alarms", **about
        ),
    }


def named(inside: Array, outside: Array, weight_inside: Array, weight_outside: Array) -> float:
    """The share of trained sessions above a threshold that at most 1 % of the unseen ones reach."""
    order = np.argsort(-outside, kind="stable")
    alarms = np.cumsum(weight_outside[order]) / weight_outside.sum()
    allowed = int(np.searchsorted(alarms, FALSE_ALARMS, side="right"))
    threshold = outside[order[allowed]] if allowed < len(order) else -np.inf
    return float(weight_inside[inside > threshold].sum() / weight_inside.sum())


def _one_fold(about: dict[str, Any]) -> Array:
    return np.zeros(about["n"], dtype=int)
