"""Scores of chances under weights: those of scikit-learn, and of occasions that are really there so often."""

import numpy as np
import pytest

from training.evaluate import chances
from training.evaluate.chances import Chances

SCORES = (chances.auc, chances.ap, chances.brier_skill, chances.ece, chances.balanced_at(0.4))


def some(n: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 3, n), 2)  # with ties
    return rng.random(n) < p, p, rng.integers(40, size=n)


def test_the_scores_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

    mine, p, session = some()
    one = Chances(mine, p, session)
    assert one.value(chances.auc) == pytest.approx(roc_auc_score(mine, p))
    assert one.value(chances.ap) == pytest.approx(average_precision_score(mine, p))
    assert one.value(chances.balanced_at(0.4)) == pytest.approx(balanced_accuracy_score(mine, p >= 0.4))


@pytest.mark.parametrize("score", SCORES)
def test_a_weight_is_a_repetition(score: chances.Score) -> None:
    mine, p, session = some()
    weights = np.random.default_rng(5).multinomial(40, np.full(40, 1 / 40), size=7).astype(float)
    found = Chances(mine, p, session).drawn(score, weights)
    for row, value in zip(weights, found, strict=True):
        at = np.repeat(np.arange(len(p)), row[session].astype(int))
        # A repeated occasion isn't parted between two bins, so calibration may differ a little.
        near = 0.01 if score is chances.ece else 1e-9
        assert value == pytest.approx(Chances(mine[at], p[at], session[at]).value(score), abs=near)


def test_calibration_error_and_skill_are_what_they_say() -> None:
    took = np.arange(3000) % 10 < 3

    def of(p: np.ndarray, score: chances.Score) -> float:
        return Chances(took, p, np.zeros(3000, dtype=int)).value(score)

    assert of(np.full(3000, 0.3), chances.ece) == pytest.approx(0, abs=0.02)
    assert of(np.full(3000, 0.8), chances.ece) == pytest.approx(0.5, abs=0.02)
    assert of(took.astype(float), chances.brier_skill) == 1
    assert of(np.full(3000, took.mean()), chances.brier_skill) == pytest.approx(0)
    sizes, said, shares = chances.calibration(took, np.full(3000, 0.8))
    assert sizes.tolist() == [200] * chances.BINS
    assert (sizes * np.abs(said - shares)).sum() / 3000 == pytest.approx(of(np.full(3000, 0.8), chances.ece))


def test_the_threshold_is_the_best_there_is() -> None:
    mine, p, session = some()
    one = Chances(mine, p, session)
    best = one.value(chances.balanced_at(chances.threshold(mine, p)))
    assert best == max(one.value(chances.balanced_at(at)) for at in np.unique(p))
    assert chances.threshold(np.array([False, True]), np.array([0.2, 0.9])) == 0.9


def test_chances_of_another_question_are_translated() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(1, 4, 6000)
    often = rng.random(6000) < 1 / (1 + np.exp(-1.5) * ((1 - p) / p) ** 0.7)
    half = np.arange(6000) < 3000
    said = chances.translated(often[half], p[half])(p[~half])
    none = np.zeros(3000, dtype=int)
    assert Chances(often[~half], p[~half], none).value(chances.ece) > 0.15
    assert Chances(often[~half], said, none).value(chances.ece) < 0.03
