"""The statistics that every axis shares: intervals that cover, pairs that are pairs, the same for the same seed."""

import json

import numpy as np
import pytest

from training.evaluate.figures import (
    Draws,
    Figure,
    bootstrap,
    clusters,
    difference,
    draw,
    draw_ratio,
    insufficient,
    measured,
    missing,
    rounded,
)


def mean(items: list[float]) -> float:
    return float(np.mean(items))


def sessions(rng: np.random.Generator, number: int = 60, truth: float = 2.0) -> list[list[float]]:
    """Replies that hang together by session: each session has its own level."""
    return [list(truth + rng.normal() + rng.normal(size=rng.integers(1, 8))) for _ in range(number)]


def test_intervals_of_whole_sessions_cover_the_truth_and_those_of_replies_do_not() -> None:
    rng = np.random.default_rng(3)
    covered = naive = 0
    for repetition in range(100):
        grouped = sessions(rng)
        low, high = bootstrap(mean, grouped, 200, repetition)
        assert low is not None
        assert high is not None
        covered += low <= 2.0 <= high
        alone = [[item] for group in grouped for item in group]
        low, high = bootstrap(mean, alone, 200, repetition)
        assert low is not None
        assert high is not None
        naive += low <= 2.0 <= high
    assert 89 <= covered <= 99
    assert naive < 89, "replies of one session are no independent ones"


def test_ratios_are_drawn_as_the_statistic_would_be() -> None:
    grouped = sessions(np.random.default_rng(1), 30)
    draws = Draws(seed=5, times=50)
    by_hand = draw(mean, grouped, draws, "style")
    at_once = draw_ratio([sum(g) for g in grouped], [len(g) for g in grouped], draws, "style")
    assert by_hand == pytest.approx(at_once)
    assert not np.allclose(at_once, draw_ratio([sum(g) for g in grouped], [len(g) for g in grouped], draws, "when"))


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(2)
    ours = sessions(rng, 40)
    theirs = [[item - 0.1 for item in group] for group in ours]
    draws = Draws(times=200)
    one, other = (
        measured(mean([i for g in grouped for i in g]), draw(mean, grouped, draws, "a"), n=100, sessions=40)
        for grouped in (ours, theirs)
    )
    apart = difference(one, other).figure
    assert apart.value == pytest.approx(0.1)
    assert apart.low == pytest.approx(0.1), "each is wide, their difference is not"
    assert one.figure.high is not None
    assert one.figure.low is not None
    assert one.figure.high - one.figure.low > 0.3
    assert difference(one, insufficient("5 replies; 100 are needed", n=5)).figure.status == "insufficient"


def test_too_little_is_no_number() -> None:
    assert missing(5, 30, 100) == "5 replies; 100 are needed"
    assert missing(500, 3, 100) == "3 sessions; 20 are needed"
    assert missing(500, 30, 100) == ""
    nothing = insufficient(missing(5, 2, 100), n=5, sessions=2).figure
    assert (nothing.value, nothing.status) == (None, "insufficient")
    assert measured(float("nan")).figure.status == "insufficient"


def test_good_is_a_range() -> None:
    assert Figure(value=1.0, good=(0.8, 1.25)).is_good
    assert not Figure(value=0.7, good=(0.8, None)).is_good
    assert Figure(value=0.7).is_good is None
    assert Figure(good=(0.8, None), status="insufficient").is_good is None


def test_reports_are_equal_by_the_byte() -> None:
    told = {"b": [1.0000001, -0.0, float("nan")], "a": {"d": 1, "c": (0.1 + 0.2,)}}
    assert json.dumps(rounded(told)) == '{"a": {"c": [0.3], "d": 1}, "b": [1.0, 0.0, null]}'
    assert clusters([("b", 1), ("a", 2), ("b", 3)], lambda item: item[0]) == [[("a", 2)], [("b", 1), ("b", 3)]]
