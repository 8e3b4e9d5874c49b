"""Relevance by shared words: who answers what was asked is told from who only sounds like me."""

import numpy as np
import pytest

from tests.training.evaluate.conftest import World
from training.evaluate import rankers
from training.evaluate.figures import Draws


@pytest.mark.parametrize("control", ["truth", "fresh"])
def test_who_answers_what_was_asked_passes(world: World, control: str) -> None:
    found = rankers.measure(world.sample, world.control(control), world.draws, quick=True).figures["rel_ratio"].figure
    assert found.is_good, found
    if control == "truth":
        assert (found.value, found.low, found.high) == (1, 1, 1)


def test_a_friend_answers_too_if_not_in_my_words(world: World) -> None:
    answers = world.control("other_member")
    found = rankers.measure(world.sample, answers, world.draws, quick=True).figures["rel_ratio"].figure
    assert found.low is not None
    assert found.low > 0.5


@pytest.mark.parametrize("control", ["babble", "shuffled", "replay", "laughing", "tidied"])
def test_who_only_sounds_like_me_fails(world: World, control: str) -> None:
    found = rankers.measure(world.sample, world.control(control), world.draws, quick=True).figures["rel_ratio"].figure
    assert found.is_good is False
    assert found.high is not None
    assert found.high < 0.8


def test_few_moments_say_nothing() -> None:
    small = World(sessions=30, a_session=2)
    found = rankers.measure(small.sample, small.control("truth"), Draws(7, 20), quick=True)
    assert found.figures["rel_ratio"].figure.status == "insufficient"
    assert found.figures["rel_ratio"].figure.value is None


def test_shared_words_and_length_rank() -> None:
    candidates = [["火锅真好吃", "明天去骑车"], ["嗯", "链条又坏了呀"]]
    likeness = rankers.tf_idf(["火锅吃了吗", "你的链条呢"], candidates, ["火锅", "链条", "骑车", "明天"])
    assert likeness.argmax(axis=1).tolist() == [0, 1]
    assert np.argmax(rankers.length_only(candidates), axis=1).tolist() == [0, 0]
