"""The profile's own arithmetic: delays, pauses, nights; and what the neutral one does."""

import math

import pytest
from hypothesis import given, strategies as st

from bot.persona.behaviour import Behaviour
from bot.persona.latency import CAPS, Latency, Pauses, Situation
from bot.persona.watch import Traits, Watch

NOON = 1_699_934_400.0
"""2023-11-14 12:00 at +08:00, a Tuesday."""
SITUATIONS: tuple[Situation, ...] = ("addressed", "private", "flow", "entry")


def test_the_neutral_profile_seldom_speaks_up_and_says_that_it_is_not_learned() -> None:
    neutral, watch = Behaviour(), Watch()
    heard = Traits("a", NOON)
    watch.hear(heard)
    assert not neutral.learned
    assert neutral.chance(watch, heard).p < 0.01
    assert neutral.quiet(NOON) == 0
    assert (neutral.share, neutral.quotes) == (0.25, 0)


@given(st.sampled_from(SITUATIONS), st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.floats(0, 4e9))
def test_a_delay_grows_with_its_quantile_up_to_the_cap(situation: Situation, u: float, v: float, at: float) -> None:
    slow = Behaviour(latency=Latency(hours=tuple(0.3 * h for h in range(24))))
    for behaviour in (Behaviour(), slow):
        low, high = sorted((u, v))
        assert 0 < behaviour.delay(situation, at, low) <= behaviour.delay(situation, at, high) <= CAPS[situation]


def test_the_hour_is_that_of_my_own_zone() -> None:
    hours = tuple(1.0 if hour == 12 else 0.0 for hour in range(24))
    behaviour = Behaviour(latency=Latency(hours=hours), utc_offset=8 * 3600)
    assert behaviour.delay("flow", NOON, 0.5) == pytest.approx(math.e * behaviour.delay("flow", NOON - 3600, 0.5))


def test_a_night_ends_when_it_ends_also_over_midnight() -> None:
    sleeper = Behaviour(asleep=(23, 7))
    assert sleeper.quiet(NOON) == 0
    assert sleeper.quiet(NOON + 11 * 3600) == NOON + 19 * 3600
    assert sleeper.quiet(NOON + 18.9 * 3600) == pytest.approx(NOON + 19 * 3600)
    assert sleeper.quiet(NOON + 19 * 3600) == 0


def test_pauses_follow_what_was_learned_else_typing() -> None:
    assert Behaviour().pause(0.5, 10) == pytest.approx(2.4)
    mine = Behaviour(pauses=Pauses(quantiles=(0.0, math.log(5), math.log(50)), slope=0.5, mean=math.log1p(4)))
    assert mine.pause(0.5, 4) == pytest.approx(5)
    assert mine.pause(0.5, 20) > mine.pause(0.5, 4) > mine.pause(0.1, 4)


def test_a_profile_of_an_older_fit_still_loads() -> None:
    assert Behaviour(learned=True, delay=(1, 2, 3), bubble_gap=4).learned
