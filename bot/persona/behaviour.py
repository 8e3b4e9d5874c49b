"""When the owner speaks, how fast and in how many bubbles, as numbers: no words, no contact ids.

A neutral profile until one is learned (training/behaviour.py). Nothing is drawn here: chances and
quantiles go out, the turn engine draws by its own seed. Times are UTC seconds, hours are those of
the owner's own zone.
"""

import math

from pydantic import BaseModel, ConfigDict, Field

from bot.persona.faces import Faces
from bot.persona.gate import Chance, Gate, Gates
from bot.persona.latency import Latency, Pauses, Situation, tempo
from bot.persona.watch import Traits, Watch, features

HOUR, DAY = 3600.0, 86400.0


def _log_odds(p: float) -> float:
    return math.log(p / (1 - p))


_PRIVATE = Gates(entry=Gate(bias=_log_odds(0.5)), flow=Gate(bias=_log_odds(0.6)), usual=0.5)
_GROUP = Gates(entry=Gate(bias=_log_odds(0.004)), flow=Gate(bias=_log_odds(0.04)), usual=0.02)
"""Seldom, and seldom twice: silence is never a nuisance."""


class Behaviour(BaseModel):
    """What the turn engine asks about pace."""

    # What an older or newer fit knew beside these is no reason to refuse its persona.
    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    learned: bool = False
    """Whether these numbers come from records; otherwise they are the neutral profile."""
    replies: int = Field(default=0, ge=0)
    """Replies the numbers were taken from."""
    chars: tuple[int, int, int] = (3, 6, 12)
    """Characters of one bubble: lower quartile, median, upper quartile."""
    bubbles: float = Field(default=1.4, ge=1)
    """Bubbles in a row, on average."""
    utc_offset: int = 8 * 3600
    """Seconds by which my clock is ahead of UTC."""
    hours: tuple[float, ...] = ()
    """By hour of my day, the log of how much more I speak then; empty: alike."""
    weekdays: tuple[float, ...] = ()
    """The same from Monday to Sunday."""
    asleep: tuple[int, int] | None = None
    """First hour of my night and the hour it ends; None where the records don't show one."""
    private: Gates = _PRIVATE
    group: Gates = _GROUP
    feedback: float = Field(default=1.0, gt=0)
    """`freq` to this power scales the chance, as speaking leads to more speaking."""
    latency: Latency = Latency()
    pauses: Pauses = Pauses()
    share: float = Field(default=0.25, ge=0, le=1)
    """My share of the last 20 messages of a group when I speak: 95th percentile."""
    quotes: float = Field(default=0.0, ge=0, le=1)
    """Share of my replies in groups that quote."""
    ats: float = Field(default=0.0, ge=0, le=1)
    """Share of my replies in groups that @ somebody."""
    faces: float = Field(default=0.0, ge=0, le=1)
    """Share of my bubbles with a face or sticker."""
    face_ids: Faces = Faces()
    """Which faces those are, where the records know."""

    def chance(self, watch: Watch, heard: Traits, freq: float = 1.0) -> Chance:
        """How likely I am the next to speak after `heard`, which `watch` has heard; to be drawn, never cut at."""
        gates = self.private if heard.private else self.group
        entry = watch.entry()
        gate = gates.entry if entry else gates.flow
        chance = gate.chance(self.features(watch, heard), entry) if gate.weights else gate.chance((), entry)
        if freq == 1.0:
            return chance
        return Chance(min(1.0, chance.p * freq**self.feedback), entry, chance.strongest)

    def features(self, watch: Watch, heard: Traits) -> list[float]:
        """What the gate weighs, in the order of `watch.FEATURES`."""
        local = heard.time + self.utc_offset
        hour = self.hours[self.hour(heard.time)] if self.hours else 0.0
        # The first day of 1970 was a Thursday.
        weekday = self.weekdays[int(local // DAY + 3) % 7] if self.weekdays else 0.0
        usual = (self.private if heard.private else self.group).usual
        return features(watch, heard, hour=hour, weekday=weekday, usual=usual)

    def delay(self, situation: Situation, at: float, u: float, watch: Watch | None = None) -> float:
        """Seconds from the last foreign message, at the UTC second `at`, to my first bubble.

        `u` in (0, 1) is the quantile: keep it while more messages come. `watch` adds the chat's tempo.
        """
        return self.latency.delay(situation, self.hour(at), u, tempo(watch) if watch is not None else ())

    def hour(self, at: float) -> int:
        """The hour of my day at a UTC second."""
        return int((at + self.utc_offset) % DAY // HOUR)

    def pause(self, u: float, chars: int) -> float:
        """Seconds between a bubble of mine and the next one, of `chars` characters, at the quantile `u`."""
        return self.pauses.pause(u, chars)

    def quiet(self, at: float) -> float:
        """0 when I am awake at that UTC second, else the one at which my night ends."""
        if self.asleep is None:
            return 0.0
        begin, end = self.asleep
        local = (at + self.utc_offset) % DAY
        span = (end - begin) % 24 * HOUR
        into = (local - begin * HOUR) % DAY
        return at + span - into if into < span else 0.0
