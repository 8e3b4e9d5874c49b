"""Does StyleScore know me from my friends, and from those who only look like me."""

import pytest

from tests.training.evaluate import people
from tests.training.evaluate.conftest import World
from training.evaluate import style
from training.evaluate.catchphrases import catchphrases, parroted
from training.evaluate.figures import Draws, Outcome


@pytest.fixture(scope="module")
def prepared(world: World) -> style.Prepared:
    return style.prepare(world.sample, world.draws, True)


def measured(world: World, prepared: style.Prepared, control: str) -> Outcome:
    return style.measure(world.sample, world.control(control), world.draws, quick=True, prepared=prepared)


@pytest.mark.parametrize("control", ["me_earlier", "truth", "fresh", "shuffled", "replay"])
def test_my_own_manner_passes(world: World, prepared: style.Prepared, control: str) -> None:
    score = measured(world, prepared, control).figures["score"].figure
    assert score.is_good, score
    assert score.low is not None
    assert score.high is not None
    assert score.value is not None
    assert score.low <= score.value <= score.high


@pytest.mark.parametrize("control", ["other_member", "laughing", "tidied"])
def test_another_manner_fails(world: World, prepared: style.Prepared, control: str) -> None:
    score = measured(world, prepared, control).figures["score"].figure
    assert score.is_good is False
    assert score.high is not None
    assert score.high < 0.85, score


def test_a_line_that_tells_nobody_apart_is_dropped_and_named(world: World, prepared: style.Prepared) -> None:
    outcome = measured(world, prepared, "truth")
    # Nobody here ever sends stickers.
    assert outcome.figures["stickers"].figure.status == "insufficient"
    assert "stickers" in outcome.figures["score"].figure.note
    assert "stickers" not in outcome.figures["length_w1"].figure.note


def test_pictures_hold_shares_and_no_texts(world: World, prepared: style.Prepared) -> None:
    pictures = measured(world, prepared, "other_member").pictures
    assert {"length", "bubbles", "final_particle"} <= set(pictures)
    for picture in pictures.values():
        assert set(picture.series) == {"me", "persona", "floor", "other"}
        assert all(len(label) <= 5 for label in picture.labels)
        assert sum(picture.series["me"]) == pytest.approx(1)


def test_catchphrases_are_mine_and_a_parrot_is_heard(world: World) -> None:
    mine, others = world.sample.of("train"), [r for replies in world.sample.others.values() for r in replies]
    found = catchphrases(mine, others)
    assert {"救命", "我跟你讲", "绝了"} <= set(found)
    assert "按理说" not in found
    assert not parroted(world.control("fresh"), mine, found)
    assert parroted(people.answers(world.sample, ["救命"] * len(world.sample.moments)), mine, found) == ["救命"]


@pytest.mark.parametrize("friends", [0, 4])
def test_without_others_or_with_few_replies_there_is_no_number(friends: int) -> None:
    small = World(friends=friends) if not friends else World(sessions=25, a_session=1)
    prepared = style.prepare(small.sample, Draws(7, 20), True)
    score = style.measure(small.sample, small.control("truth"), small.draws, quick=True, prepared=prepared)
    assert score.figures["score"].figure.status == "insufficient"
    assert score.figures["score"].figure.value is None
    assert score.figures["score"].figure.note


def test_the_same_seed_gives_the_same_numbers(world: World, prepared: style.Prepared) -> None:
    again = style.prepare(world.sample, world.draws, True)
    one, two = (measured(world, made, "fresh").figures["score"].figure for made in (prepared, again))
    assert one == two
