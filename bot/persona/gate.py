"""The gate: how likely it is that I am the next to speak, as weights. Arithmetic only; nothing is drawn here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from bot.persona.watch import FEATURES

STRONGEST = 3
"""Features that explain a decision."""
_NAMES = tuple(FEATURES)


@dataclass(slots=True, frozen=True)
class Chance:
    """How likely I am the next to speak, and what said so."""

    p: float
    entry: bool = False
    """Whether I would break a silence of mine, rather than go on in the flow."""
    strongest: tuple[tuple[str, float], ...] = ()
    """The features (keys of `watch.FEATURES`) that moved it most, with what each adds to the log odds."""


class Gate(BaseModel):
    """z = bias + Σ wᵢ(xᵢ−meanᵢ)/sdᵢ, p = 1/(1+e^−z); each xᵢ held within what was seen in the records."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    bias: float
    weights: tuple[float, ...] = ()
    """One for each of `watch.FEATURES`; empty: the bias alone decides."""
    means: tuple[float, ...] = ()
    sds: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """Least and greatest value of each feature that was learned from."""

    def parts(self, values: Sequence[float]) -> list[float]:
        """What each feature adds to the log odds."""
        columns = zip(values, self.weights, self.means, self.sds, self.low, self.high, strict=False)
        return [w * ((low if x < low else min(x, high)) - mean) / sd for x, w, mean, sd, low, high in columns]

    def chance(self, values: Sequence[float], entry: bool) -> Chance:
        """The chance at these features."""
        parts = self.parts(values)
        order = sorted(range(len(parts)), key=lambda i: -abs(parts[i]))[:STRONGEST]
        return Chance(sigmoid(self.bias + sum(parts)), entry, tuple((_NAMES[i], parts[i]) for i in order))


class Gates(BaseModel):
    """The two gates of one kind of chat."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    entry: Gate
    """After a silence of mine."""
    flow: Gate
    """While I am in the conversation."""
    usual: float = 0.0
    """The share of messages after which I am the next to speak."""


def sigmoid(z: float) -> float:
    """1/(1+e^−z), without overflow."""
    return 1 / (1 + math.exp(-z)) if z > -500 else 0.0
