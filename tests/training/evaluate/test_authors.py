"""Whether the bot's replies are taken for mine by somebody who knows everybody."""

import re

import pytest

from tests.training.evaluate.conftest import World
from training.evaluate import authors
from training.evaluate.figures import Draws, Figure


@pytest.fixture(scope="module")
def prepared(world: World) -> authors.Prepared:
    return authors.prepare(world.sample, world.draws, True)


def measured(world: World, prepared: authors.Prepared, control: str) -> dict[str, Figure]:
    outcome = authors.measure(world.sample, world.control(control), world.draws, quick=True, prepared=prepared)
    return {name: one.figure for name, one in outcome.figures.items()}


@pytest.mark.parametrize("control", ["truth", "fresh", "shuffled", "me_earlier"])
def test_my_replies_are_called_mine(world: World, prepared: authors.Prepared, control: str) -> None:
    found = measured(world, prepared, control)
    assert found["aidr"].is_good, found["aidr"]
    assert found["others_called_me"].is_good
    assert found["rank"].value == pytest.approx(1, abs=0.2)


def test_a_friend_who_answers_in_my_place_is_not_called_me(world: World, prepared: authors.Prepared) -> None:
    found = measured(world, prepared, "other_member")
    assert found["aidr"].is_good is False
    assert found["rank"].value is not None
    assert found["rank"].value > 1.5


def test_without_three_others_nobody_is_named() -> None:
    small = World(friends=2)
    prepared = authors.prepare(small.sample, Draws(7, 20), True)
    found = authors.measure(small.sample, small.control("truth"), Draws(7, 20), quick=True, prepared=prepared)
    assert {one.figure.status for one in found.figures.values()} == {"insufficient"}
    assert "2 others" in found.figures["aidr"].figure.note


def test_names_and_links_say_nothing_of_who_writes() -> None:
    assert authors.masked("小北看 https://a.b/c @阿泽 了吗", re.compile("小北")) == "＠看 ＠ ＠ 了吗"
