"""Time left, and the card that spills into slow memory instead of failing."""

import random

import pytest
from hypothesis import given, strategies as st

from training.pace import FACTOR, SLOW, WARM, Step, seconds_left, spilled

TOKENS = st.lists(st.integers(500, 4000), min_size=WARM + 4 * SLOW, max_size=40)


def even(tokens: list[int], seed: int) -> list[Step]:
    """Steps that take as long as they have tokens, give or take a third."""
    draw = random.Random(seed)
    return [Step(size / 1000 * draw.uniform(0.75, 1.33), size) for size in tokens]


@given(TOKENS, st.integers(0, 99))
def test_steps_of_any_size_are_no_spill(tokens: list[int], seed: int) -> None:
    steps = even(tokens, seed)
    assert not any(spilled(steps[:n]) for n in range(len(steps) + 1))


@given(st.integers(500, 4000), st.integers(2 * SLOW, 30), st.integers(0, 99), st.floats(2 * FACTOR, 100))
def test_a_jump_that_stays_is_one_and_a_moment_is_none(size: int, before: int, seed: int, slower: float) -> None:
    steps = even([size] * (WARM + before), seed)
    slow = [Step(step.seconds * slower, size) for step in steps[-SLOW:]]
    assert spilled(steps + slow)
    for moment in range(1, SLOW):
        assert not spilled(steps + slow[:moment])
        assert not spilled(steps + slow[:moment] + steps[-1:])


@given(st.integers(500, 4000), st.integers(0, 99))
def test_the_first_steps_and_larger_ones_prove_nothing(size: int, seed: int) -> None:
    slow_start = [Step(60.0, size)] * WARM + even([size] * 6, seed)
    assert not spilled(slow_start)
    larger = [Step(step.seconds * 3 * FACTOR, 3 * size) for step in even([size] * SLOW, seed)]
    assert not spilled(even([size] * 12, seed) + larger)


def test_the_time_left_is_measured_after_warm_steps_with_the_pauses_between() -> None:
    steps = [Step(50.0, 100)] * WARM + [Step(2.0, 100)] * 7
    assert seconds_left(steps[:WARM], 0.0, 10) is None
    assert seconds_left(steps, 0.0, 10) == pytest.approx(20.0)
    assert seconds_left(steps, 30.0, 10) == pytest.approx(50.0)
    assert seconds_left(steps, 30.0, 0) == 0.0
