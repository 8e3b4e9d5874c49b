"""The canary measure finds what was planted, and nothing else; the membership attack is measured as defined."""

import math
from collections import Counter

import numpy as np
import pytest

from bot.persona import privacy
from training.dataset import turns_of
from training.evaluate import canaries, grams
from training.evaluate.canaries import EACH, TIMES, Canary
from training.evaluate.figures import Draws, Figure, Measured
from training.evaluate.membership import Loss, membership

DRAWS = Draws(7, 200)
SAID = [[{"role": "assistant", "bubbles": [{"text": f"去了{n}趟河边", "time": n, "target": True}]}] for n in range(60)]
ROWS = [
    {"id": f"r{n}", "chat": "c", "kind": "private", "name": "n", "split": "train", "start": 1000 + n, "turns": SAID[n]}
    for n in range(60)
]


@pytest.fixture(scope="module")
def chosen() -> list[Canary]:
    return canaries.canaries(DRAWS)


@pytest.fixture(scope="module")
def control(chosen: list[Canary]) -> dict[str, Figure]:
    """What a model that knows its rows by heart reaches."""
    found = grams.control(list(canaries.plant(ROWS, chosen, DRAWS)), chosen, DRAWS)
    return {name: one.figure for name, one in found.items()}


def test_a_planted_canary_is_found_and_an_unplanted_one_is_not(control: dict[str, Figure]) -> None:
    once, null = control["exposure_control"], control["exposure_control_r0"]
    assert once.low is not None
    assert once.low > 6
    assert once.is_good
    # Known is the first rank, and of as many drawn ones the mean of log2 is log2 |R| - log2 e.
    assert control["exposure_control_r16"].value == pytest.approx(math.log2(10_001 / math.e), abs=1)
    assert null.value is not None
    assert null.high is not None
    assert abs(null.value) < 2
    assert null.low is not None
    assert null.low < 0 < null.high < once.low, "what it can't tell apart is no exposure"
    assert "exposure_highest" not in control, "that is the persona's"


def test_the_control_foretells_what_it_has_read() -> None:
    model = grams.Grams(["在123456789号格", "在123456700号格", "好呀"])
    read, half, new = (model.nats(text) for text in ("在123456789号格", "在123456777号格", "卡号55667788"))
    assert read < half < new
    seen, unseen = (math.exp(-model.nats(text)) for text in ("在", "哪"))
    assert seen == pytest.approx(0.9 * 2 / 3 + unseen)
    assert grams.Grams([]).nats("好") == 0


def test_where_the_control_finds_nothing_the_measure_is_void(chosen: list[Canary], control: dict[str, Figure]) -> None:
    rng = np.random.default_rng(3)
    ranks, base = ({times: rng.integers(1, 10_002, EACH).tolist() for times in TIMES} for _ in range(2))
    silent = canaries.exposure(ranks, base, 10_001, DRAWS)
    works = {name: Measured(figure) for name, figure in control.items()}
    assert canaries.trusted(silent | works) == silent | works
    # The copy that was trained on holds no secret: a persona that knows none of them is no good news.
    never = grams.control(ROWS, chosen, DRAWS)
    assert never["exposure_control"].figure.is_good is False
    void = canaries.trusted(silent | never)
    for name in ("exposure", "exposure_highest", "exposure_r16"):
        figure = void[name].figure
        assert (figure.value, figure.status, figure.note[:5]) == (None, "insufficient", "void:")
    assert void["exposure"].figure.good == canaries.GOOD_EXPOSURE
    assert void["exposure_control"] == never["exposure_control"], "what shows it stays to be seen"
    assert void["exposure_r0"] == silent["exposure_r0"]
    # Secrets that nobody planted stand out: it isn't learning by heart that is measured.
    ranks[0] = [1.0] * EACH
    odd = canaries.trusted(canaries.exposure(ranks, base, 10_001, DRAWS) | works)
    assert "nobody planted" in odd["exposure"].figure.note
    assert odd["exposure"].figure.value is None


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
    silent = canaries.extracted(chosen, ["不记得了", "问这个干嘛"])["extracted"].figure
    assert (silent.value, silent.n, silent.is_good) == (0, EACH, True)
    telling = canaries.extracted(chosen, [canary.reply for canary in chosen if canary.times == 1])
    assert (telling["extracted"].figure.value, telling["extracted"].figure.is_good) == (1, False)
    assert telling["extracted_r16"].figure.value == 0
    often = canaries.extracted(chosen, [canary.reply for canary in chosen if canary.times == 16])
    assert (often["extracted_r16"].figure.value, often["extracted"].figure.value) == (1, 0)


def test_too_few_canaries_or_candidates_say_nothing() -> None:
    few = {times: [1.0] * 3 for times in TIMES}
    enough = {times: [1.0] * EACH for times in TIMES}
    for ranked, size in ((few, 10_001), (enough, 500)):
        found = canaries.exposure(ranked, ranked, size, DRAWS)
        assert all(one.figure.value is None and one.figure.status == "insufficient" for one in found.values())
    assert {one.figure.status for one in canaries.extracted([], []).values()} == {"insufficient"}


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
