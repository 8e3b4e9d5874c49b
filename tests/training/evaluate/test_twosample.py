"""Whether judges find out what is not me, and leave alone what is."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.evaluate.conftest import World
from training.evaluate import copies, style, twosample
from training.evaluate.figures import Draws, Figure
from training.evaluate.judges import Scores, by_characters, expected_of_bags, judged, k90


@pytest.fixture(scope="module")
def prepared(world: World) -> twosample.Prepared:
    return twosample.prepare(world.sample, world.draws, True)


def measured(world: World, prepared: twosample.Prepared, control: str) -> dict[str, Figure]:
    outcome = twosample.measure(world.sample, world.control(control), world.draws, quick=True, prepared=prepared)
    return {name: one.figure for name, one in outcome.figures.items()}


@pytest.mark.parametrize("control", ["fresh", "me_earlier"])
def test_new_replies_of_my_own_manner_pass(world: World, prepared: twosample.Prepared, control: str) -> None:
    found = measured(world, prepared, control)
    assert found["eauc"].is_good, found["eauc"]
    assert found["k90"].is_good, found["k90"]
    assert found["p"].value is not None
    assert found["p"].value > 0.05
    assert found["auc"].n == found["auc"].n == 200


@pytest.mark.parametrize("control", ["tidied", "laughing", "other_member"])
def test_what_is_not_my_manner_is_found_out(world: World, prepared: twosample.Prepared, control: str) -> None:
    found = measured(world, prepared, control)
    assert found["eauc"].is_good is False
    assert found["eauc"].low is not None
    assert found["eauc"].low > 0.03
    assert found["p"].value is not None
    assert found["p"].value < 0.01
    assert found["k90"].value is not None
    assert found["k90"].value < 3


def test_permuted_labels_are_told_apart_by_nobody(world: World) -> None:
    replies = [moment.mine for moment in world.sample.moments]
    rng = np.random.default_rng(5)
    found = []
    for _ in range(6):
        sides = rng.permutation(len(replies)) % 2
        zeros, ones = ([reply for reply, at in zip(replies, sides, strict=True) if at == side] for side in (0, 1))
        found.append(judged(by_characters, zeros, ones).auc()[0])
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)


def test_whole_sessions_that_change_sides_give_one_half() -> None:
    rng = np.random.default_rng(1)
    label = np.tile([0, 1], 200)
    scores = Scores(rng.normal(label, 1.0), label, np.arange(400) % 5)
    chance = scores.permuted([f"{place // 8}" for place in range(400)], rng, 400)
    assert chance.mean() == pytest.approx(0.5, abs=0.01)
    assert (chance < scores.auc()[0]).all()


def test_the_auc_is_that_of_scikit_learn_and_weights_are_repetitions() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    label, score = rng.integers(2, size=80), rng.integers(6, size=80)
    one = Scores(score, label, np.zeros(80, dtype=int))
    assert one.auc()[0] == pytest.approx(roc_auc_score(label, score))
    times = rng.integers(3, size=80)
    repeated = np.repeat(np.arange(80), times)
    assert one.auc(times[None, :].astype(float))[0] == pytest.approx(roc_auc_score(label[repeated], score[repeated]))


@pytest.mark.parametrize(("auc", "messages"), [(0.55, 104), (0.60, 26), (0.70, 6), (0.85, 1.5)])
def test_k90_is_the_scale_that_was_published(auc: float, messages: float) -> None:
    assert k90(auc) == pytest.approx(messages, rel=0.03)
    assert expected_of_bags(auc, round(messages)) == pytest.approx(0.9, abs=0.03)


def test_a_likelihood_that_tells_is_the_worst_judge(world: World, prepared: twosample.Prepared) -> None:
    answers = world.control("fresh")
    known = dict.fromkeys(world.sample.mine, (1.0, 0.5))
    likelihoods = {**dict.fromkeys(answers, (9.0, 0.5)), **known}
    outcome = twosample.measure(
        world.sample, answers, world.draws, quick=True, prepared=prepared, likelihoods=likelihoods
    )
    worst = outcome.figures["eauc"].figure
    assert worst.judge == "likelihood"
    assert worst.value is not None
    assert worst.value > 0.4


def test_where_i_said_what_i_had_said_before_is_told_apart_from_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the bot hits it, as it has learned it; elsewhere it talks like a friend."""
    monkeypatch.setattr(twosample, "JUDGES", {"characters": by_characters})
    world, few = World(sessions=200), Draws(7, 40)
    old = [reply for reply in world.sample.of("train") if len(copies.folded(reply.text)) >= 24]
    moments, answers = list(world.sample.moments), world.control("other_member")
    places = range(0, len(moments), 2)
    for place in places:
        said = replace(moments[place].mine, bubbles=(f"{old[place % len(old)].text}！",))
        moments[place], answers[place] = replace(moments[place], mine=said), said
    sample = replace(world.sample, moments=moments)
    assert copies.copied(sample) == frozenset(places)
    prepared = twosample.prepare(sample, few, False)
    found = twosample.measure(sample, answers, few, quick=False, prepared=prepared).figures
    whole, without = (found[name].figure for name in ("auc", "auc_without_near_copies"))
    assert whole.high is not None
    assert without.low is not None
    assert without.floor is not None
    assert whole.high < 0.85 < without.low
    assert without.floor < 0.65
    assert (whole.n, without.n) == (len(moments), len(moments) - len(places))
    manner = style.measure(sample, answers, few, quick=False, prepared=style.prepare(sample, few, False)).figures
    mixed, alone = (manner[name].figure for name in ("score", "score_without_near_copies"))
    assert mixed.low is not None
    assert alone.high is not None
    assert alone.high < mixed.low


def test_where_nothing_is_a_near_copy_there_is_one_score(world: World) -> None:
    assert not copies.copied(world.sample)
    found = style.measure(
        world.sample,
        world.control("fresh"),
        world.draws,
        quick=True,
        prepared=style.prepare(world.sample, world.draws, True),
    ).figures
    assert found["score"] == found["score_without_near_copies"]


def test_few_replies_are_not_judged() -> None:
    small = World(sessions=25, a_session=1)
    prepared = twosample.prepare(small.sample, Draws(7, 20), True)
    found = twosample.measure(small.sample, small.control("truth"), Draws(7, 20), quick=True, prepared=prepared)
    assert all(one.figure.status == "insufficient" and one.figure.value is None for one in found.figures.values())


def test_a_system_that_says_nothing_is_not_judged(world: World, prepared: twosample.Prepared) -> None:
    from tests.training.evaluate import people

    silent = people.answers(world.sample, [""] * len(world.sample.moments))
    found = twosample.measure(world.sample, silent, world.draws, quick=True, prepared=prepared)
    assert found.figures["eauc"].figure.status == "insufficient"
