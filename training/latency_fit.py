"""How long I take, fitted: delays by situation, hour and tempo; pauses between my bubbles.

Knows numbers only. Only what is exact to the second comes here.
"""

from array import array
from dataclasses import dataclass, field
from typing import Any

from bot.persona.behaviour import DAY, HOUR
from bot.persona.latency import Latency, Pauses, Situation
from training.occasions import Burst, Occasion

LEAST = 30
"""Delays below which a situation has no quantiles of its own."""
STEPS = 41
"""Quantiles that are kept: two and a half per cent apart."""
HELD = 20.0
"""Delays by which the share of an hour is drawn towards none."""
SITUATIONS: tuple[Situation, ...] = ("addressed", "private", "flow", "entry")


@dataclass(slots=True)
class Delays:
    """Seconds before my replies and between their bubbles, packed."""

    seconds: "array[float]" = field(default_factory=lambda: array("f"))
    situations: bytearray = field(default_factory=bytearray)
    times: "array[float]" = field(default_factory=lambda: array("d"))
    tempo: "array[float]" = field(default_factory=lambda: array("f"))
    gaps: "array[float]" = field(default_factory=lambda: array("f"))
    chars: "array[int]" = field(default_factory=lambda: array("l"))
    rough: int = 0
    """Replies whose times are not exact to the second."""

    def see(self, one: Occasion) -> None:
        """An occasion that I took."""
        if one.delay is None:
            self.rough += 1
            return
        self.seconds.append(one.delay)
        self.situations.append(SITUATIONS.index(one.situation))
        self.times.append(one.heard.time)
        self.tempo.extend(one.tempo)

    def pause(self, burst: Burst) -> None:
        """A reply of mine."""
        self.gaps.extend(burst.gaps)
        self.chars.extend(burst.chars)

    def latency(self, utc_offset: int) -> Latency:
        """A ridge on hour and tempo, and of what is left the quantiles by situation; neutral below LEAST delays."""
        import numpy as np

        if len(self.seconds) < LEAST:
            return Latency()
        y = np.log(dequantised(np.array(self.seconds)))
        place = np.frombuffer(bytes(self.situations), dtype=np.uint8)
        tempo = np.array(self.tempo).reshape(len(y), -1)
        hour = ((np.array(self.times) + utc_offset) % DAY // HOUR).astype(int)
        means = tempo.mean(axis=0)
        usual = np.array([y[place == s].mean() if (place == s).any() else 0.0 for s in range(len(SITUATIONS))])
        # One penalty for both: a unit of tempo is worth as much as an hour of its own.
        x = np.hstack([np.eye(24)[hour], tempo - means])
        shares = np.linalg.solve(x.T @ x + HELD * np.eye(x.shape[1]), x.T @ (y - usual[place]))
        left = y - x @ shares
        return Latency(
            quantiles={name: self._quantiles(left, place == s) for s, name in enumerate(SITUATIONS)},
            hours=_plain(shares[:24]),
            slopes=_plain(shares[24:]),
            means=_plain(means),
        )

    def _quantiles(self, left: Any, here: Any) -> tuple[float, ...]:
        return _quantiles(left[here] if here.sum() >= LEAST else left)

    def pauses(self) -> Pauses:
        """The quantiles of my pauses, and how they grow with the length of what comes."""
        import numpy as np

        if len(self.gaps) < LEAST:
            return Pauses()
        y, x = np.log(dequantised(np.array(self.gaps))), np.log1p(np.array(self.chars))
        spread = float(((x - x.mean()) ** 2).sum())
        slope = float(((x - x.mean()) * (y - y.mean())).sum()) / (spread + HELD)
        # A longer bubble never comes sooner.
        slope = round(max(0.0, slope), 5)
        mean = round(float(x.mean()), 5)
        return Pauses(quantiles=_quantiles(y - slope * (x - mean)), slope=slope, mean=mean)


def dequantised(seconds: Any) -> Any:
    """Whole seconds, each anywhere within half a second; the draw is the same in every fit."""
    import numpy as np

    return np.maximum(0.3, seconds + np.random.default_rng(7).uniform(-0.5, 0.5, len(seconds)))


def _quantiles(values: Any) -> tuple[float, ...]:
    import numpy as np

    return _plain(np.quantile(values, np.linspace(0.0, 1.0, STEPS)))


def _plain(values: Any) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
