"""How long I take: to the first bubble of a reply, and between two bubbles. Seconds, by quantiles of what I did."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bot.persona.watch import Watch

Situation = Literal["addressed", "flow", "entry", "private"]
CAPS: dict[Situation, float] = {"addressed": 60.0, "private": 60.0, "flow": 180.0, "entry": 180.0}
"""Seconds after which an answer would come too late to be one."""
LONGEST_PAUSE = 60.0
_FLAT = tuple[float, ...]


class Latency(BaseModel):
    """log delay = the situation's quantile + the hour's share + Σ slopeᵢ(tempoᵢ−meanᵢ)."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    quantiles: dict[Situation, _FLAT] = {
        "addressed": (math.log(2.0), math.log(6.0), math.log(30.0)),
        "private": (math.log(2.0), math.log(6.0), math.log(30.0)),
        "flow": (math.log(3.0), math.log(13.0), math.log(60.0)),
        "entry": (math.log(5.0), math.log(20.0), math.log(90.0)),
    }
    """Of the log of the delay, evenly spaced from the shortest to the longest."""
    hours: _FLAT = ()
    """What each hour of my day adds; empty: nothing."""
    slopes: _FLAT = ()
    """What the chat's tempo adds (see `tempo`); empty: nothing."""
    means: _FLAT = ()

    def delay(self, situation: Situation, hour: int, u: float, tempo: Sequence[float] = ()) -> float:
        """Seconds from the last foreign message to my first bubble, at the quantile `u`; `tempo` is the chat's."""
        table, log = self.quantiles[situation], 0.0
        if self.hours:
            log += self.hours[hour]
        if tempo and self.slopes:
            log += sum(s * (x - m) for s, x, m in zip(self.slopes, tempo, self.means, strict=True))
        return _within(table, u, log, CAPS[situation])


class Pauses(BaseModel):
    """Between two of my bubbles: quantiles of the log pause, and what the length of the coming one adds."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    quantiles: _FLAT = ()
    """Of the log of the pause, evenly spaced; empty: about as long as typing takes."""
    slope: float = 0.0
    """For each unit of log(1 + characters)."""
    mean: float = 0.0
    """Of log(1 + characters)."""

    def pause(self, u: float, chars: int) -> float:
        """Seconds before a bubble of that many characters, at the quantile `u`."""
        if not self.quantiles:
            return (0.8 + 0.4 * u) * (1.2 + min(4.0, 0.12 * chars))
        return _within(self.quantiles, u, self.slope * (math.log1p(chars) - self.mean), LONGEST_PAUSE)


def tempo(watch: Watch) -> tuple[float, float, float]:
    """How fast the chat goes: the log of its last gap, of my own silence, and of its messages in five minutes."""
    silence = math.log1p(min(watch.last - watch.spoke, 1e6))
    return math.log1p(watch.gap), silence, math.log1p(len(watch.times))


def _within(table: Sequence[float], u: float, more: float, most: float) -> float:
    """e^(the table's value at `u` + more), of the values up to `most` only: what took longer is drawn anew.

    Cutting instead would answer again and again after exactly so many seconds.
    """
    place = u * min(1.0, max(share_below(table, math.log(most) - more), 0.02))
    return min(math.exp(at_quantile(table, place) + more), most)


def at_quantile(table: Sequence[float], u: float) -> float:
    """The value at `u` in (0, 1), between the evenly spaced quantiles."""
    place = min(max(u, 0.0), 1.0) * (len(table) - 1)
    below = min(int(place), len(table) - 2)
    return table[below] + (place - below) * (table[below + 1] - table[below])


def share_below(table: Sequence[float], value: float) -> float:
    """The share of the values below this one: the inverse of `at_quantile`."""
    above = bisect_right(table, value)
    if above in (0, len(table)):
        return float(above > 0)
    low, high = table[above - 1], table[above]
    return (above - 1 + (value - low) / (high - low)) / (len(table) - 1)
