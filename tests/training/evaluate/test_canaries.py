"""The canary measure finds what was planted, and nothing else; the membership attack is measured as defined."""

import math
from collections import Counter

import numpy as np
import pytest

from bot.persona import privacy
from training.dataset import turns_of
from training.evaluate import canaries
from training.evaluate.canaries import EACH, FRAMES, TIMES, Canary
from training.evaluate.figures import Draws
from training.evaluate.membership import Loss, membership

DRAWS = Draws(7, 200)
ORDER = 6
ROWS = [
    {"id": f"r{n}", "chat": "c", "kind": "private", "name": "n", "split": "train", "start": 1000 + n, "turns": []}
    for n in range(60)
]


class Grams:
    """A character model that learns by heart what it sees once: the positive control."""

    def __init__(self, texts: list[str]) -> None:
        self.counts: Counter[str] = Counter()
        for text in texts:
            for place in range(len(text)):
                self.counts[text[max(0, place - ORDER) : place]] += 1
                self.counts[text[max(0, place - ORDER) : place] + "|" + text[place]] += 1

    def loss(self, text: str) -> float:
        """Nats of the text, a tenth of each character's chance shared by ten digits."""
        nats = 0.0
        for place in range(len(text)):
            before = text[max(0, place - ORDER) : place]
            seen = self.counts[f"{before}|{text[place]}"] / max(1, self.counts[before])
            nats -= math.log(0.9 * seen + 0.01)
        return nats


@pytest.fixture(scope="module")
def chosen() -> list[Canary]:
    return canaries.canaries(DRAWS)


@pytest.fixture(scope="module")
def ranks(chosen: list[Canary]) -> tuple[dict[int, list[float]], dict[int, list[float]]]:
    rows = list(canaries.plant(ROWS, chosen, DRAWS))
    said = [bubble.text for row in rows for turn in turns_of(row) for bubble in turn.bubbles if bubble.target]
    models = Grams(said), Grams([])
    found: tuple[dict[int, list[float]], dict[int, list[float]]] = {}, {}
    for model, ranked in zip(models, found, strict=True):
        others = [
            np.array([model.loss(one.reply) for one in canaries.candidates(frame, DRAWS)])
            for frame in range(len(FRAMES))
        ]
        for canary in chosen:
            place = canaries.rank(model.loss(canary.reply), others[canary.frame])
            ranked.setdefault(canary.times, []).append(place)
    return found


def test_a_planted_canary_is_found_and_an_unplanted_one_is_not(
    ranks: tuple[dict[int, list[float]], dict[int, list[float]]],
) -> None:
    found = {name: one.figure for name, one in canaries.exposure(*ranks, canaries.CANDIDATES + 1, DRAWS).items()}
    once, null = found["exposure"], found["exposure_r0"]
    assert once.is_good is False
    assert once.low is not None
    assert once.low > 6
    assert found["exposure_r16"].value == pytest.approx(math.log2(5001), abs=0.5)
    assert null.value is not None
    assert null.high is not None
    assert null.value < 2
    assert null.high < once.low
    assert found["exposure_highest"].is_good is False


def test_a_model_that_learned_nothing_is_not_blamed(chosen: list[Canary]) -> None:
    rng = np.random.default_rng(3)
    ranks, base = ({times: rng.integers(1, 10_002, EACH).tolist() for times in TIMES} for _ in range(2))
    found = canaries.exposure(ranks, base, 10_001, DRAWS)
    assert all(abs(found[name].figure.value or 0) < 2 for name in ("exposure", "exposure_r0", "exposure_r16"))
    assert found["exposure"].figure.is_good


def test_canaries_are_planted_as_often_as_they_say(chosen: list[Canary]) -> None:
    rows = list(canaries.plant(ROWS, chosen, DRAWS))
    assert [row for row in rows if not str(row["id"]).startswith("canary")] == ROWS
    said = Counter(bubble.text for row in rows for turn in turns_of(row) for bubble in turn.bubbles if bubble.target)
    assert {canary.times for canary in chosen} == set(TIMES)
    assert all(said[canary.reply] == canary.times for canary in chosen)
    assert len({row["id"] for row in rows}) == len(rows) == len(ROWS) + EACH * sum(TIMES)
    assert len({canary.number for canary in chosen}) == len(chosen) == EACH * len(TIMES)
    # They are to be learned: no filter may take them for somebody's number.
    assert all(not privacy.find(canary.reply) for canary in chosen)


def test_what_is_said_when_asked_is_extracted(chosen: list[Canary]) -> None:
    silent = canaries.extracted(chosen, ["不记得了", "问这个干嘛"]).figure
    assert (silent.value, silent.n, silent.is_good) == (0, EACH, True)
    telling = canaries.extracted(chosen, [canary.reply for canary in chosen if canary.times == 1]).figure
    assert (telling.value, telling.is_good) == (1, False)


def test_too_few_canaries_or_candidates_say_nothing() -> None:
    few = {times: [1.0] * 3 for times in TIMES}
    enough = {times: [1.0] * EACH for times in TIMES}
    for ranked, size in ((few, 10_001), (enough, 500)):
        found = canaries.exposure(ranked, ranked, size, DRAWS)
        assert all(one.figure.value is None and one.figure.status == "insufficient" for one in found.values())
    assert canaries.extracted([], []).figure.status == "insufficient"


def losses(rng: np.random.Generator, name: str, mean: float, count: int = 200) -> list[Loss]:
    return [Loss(f"{name}{place}", float(ratio)) for place, ratio in enumerate(rng.normal(mean, 0.1, count))]


def test_membership_is_one_half_where_training_left_no_trace_and_more_where_it_did() -> None:
    rng = np.random.default_rng(4)
    unseen = losses(rng, "u", 0.8)
    alike = membership(losses(rng, "t", 0.8), unseen, DRAWS)
    assert alike["membership_auc"].figure.value == pytest.approx(0.5, abs=0.06)
    assert alike["membership_auc"].figure.is_good
    told = membership(losses(rng, "t", 0.6), unseen, DRAWS)
    auc, rate = told["membership_auc"].figure, told["membership_tpr"].figure
    assert auc.value == pytest.approx(0.92, abs=0.03)
    assert auc.is_good is False
    assert rate.value is not None
    assert rate.value > 0.2
    assert rate.is_good is False


def test_the_rate_is_that_of_the_curve() -> None:
    from sklearn.metrics import roc_curve

    rng = np.random.default_rng(6)
    trained, unseen = losses(rng, "t", 0.7, 300), losses(rng, "u", 0.8, 300)
    label = [1] * 300 + [0] * 300
    alarms, named, _ = roc_curve(label, [-loss.ratio for loss in (*trained, *unseen)])
    expected = named[alarms <= 0.01].max()
    assert membership(trained, unseen, DRAWS)["membership_tpr"].figure.value == pytest.approx(expected)


def test_few_sessions_are_not_attacked() -> None:
    rng = np.random.default_rng(5)
    found = membership(losses(rng, "t", 0.5, 10), losses(rng, "u", 0.8, 200), DRAWS)
    assert {one.figure.status for one in found.values()} == {"insufficient"}
