"""Judges that try to tell two lists of replies apart, and how well they do it.

A judge is fitted on four fifths of the sessions and asked about the last fifth, five times; no reply
is judged by who has seen its session. It is fitted once: intervals and permutations are of the scores
it gave to what it had not seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import ndtr, ndtri

from training.evaluate.manner import row
from training.evaluate.sample import Reply

FOLDS = 5
MOST_MESSAGES = 9999.0
"""What k90 is at most: there nobody tells them apart."""
_K90 = 1.812

Array = np.ndarray[Any, Any]
Judge = Callable[[Sequence[Reply], Array, Sequence[tuple[Array, Array]]], Array]
"""(replies, labels, folds) → the score of each reply by the judge that hasn't seen it; higher: more likely label 1."""


@dataclass(slots=True, frozen=True)
class Scores:
    """What a judge gave to replies it hadn't seen; label 1 is the one that is to be found out."""

    score: Array
    label: Array
    fold: Array

    def auc(self, weights: Array | None = None) -> Array:
        """(draws,): how often a reply of label 1 outscores one of label 0 of the same fold, under (draws, replies) weights."""
        if weights is None:
            weights = np.ones((1, len(self.score)))
        return self._auc(weights * self.label, weights * (1 - self.label))

    def permuted(self, session: Sequence[str], rng: np.random.Generator, times: int) -> Array:
        """(times,): the AUC where whole sessions change sides at random."""
        names, place = np.unique(np.asarray(session), return_inverse=True)
        flipped = rng.integers(2, size=(times, len(names)))[:, place]
        positive = np.abs(self.label - flipped).astype(float)
        return self._auc(positive, 1 - positive)

    def bags(self, size: int, rng: np.random.Generator, times: int = 400) -> float:
        """The AUC of means of `size` replies, drawn from all folds."""
        even = np.array(self.score, dtype=float)
        for fold in range(FOLDS):
            here = self.fold == fold
            even[here] = (even[here] - even[here].mean()) / (even[here].std() or 1.0)
        means = []
        for label in (0, 1):
            one = even[self.label == label]
            means.append(np.array([one[rng.choice(len(one), size, replace=False)].mean() for _ in range(times)]))
        found = Scores(np.concatenate(means), np.repeat([0, 1], times), np.zeros(2 * times, dtype=int))
        return float(found.auc()[0])

    def _auc(self, positive: Array, negative: Array) -> Array:
        won, pairs = np.zeros(len(positive)), np.zeros(len(positive))
        for fold in range(FOLDS):
            here = np.flatnonzero(self.fold == fold)
            if not len(here):
                continue
            values, place = np.unique(self.score[here], return_inverse=True)
            onto = csr_matrix((np.ones(len(here)), (place, np.arange(len(here)))), shape=(len(values), len(here)))
            up, down = (onto @ positive[:, here].T).T, (onto @ negative[:, here].T).T
            below = np.cumsum(down, axis=1) - down / 2
            won += (up * below).sum(axis=1)
            pairs += up.sum(axis=1) * down.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return won / pairs


def judged(judge: Judge, zeros: Sequence[Reply], ones: Sequence[Reply]) -> Scores:
    """What the judge makes of two lists of replies."""
    from sklearn.model_selection import GroupKFold

    replies = [*zeros, *ones]
    label = np.repeat([0, 1], [len(zeros), len(ones)])
    folds = list(GroupKFold(FOLDS).split(label, groups=[reply.session for reply in replies]))
    fold = np.zeros(len(replies), dtype=int)
    for number, (_, asked) in enumerate(folds):
        fold[asked] = number
    return Scores(judge(replies, label, folds), label, fold)


def by_characters(replies: Sequence[Reply], label: Array, folds: Sequence[tuple[Array, Array]]) -> Array:
    """Runs of one to three characters by TF-IDF, line breaks between bubbles among them."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    seen = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True, lowercase=False)
    table = seen.fit_transform([reply.text or " " for reply in replies])
    return _crossed(LogisticRegression(max_iter=1000), table, label, folds)


def by_features(replies: Sequence[Reply], label: Array, folds: Sequence[tuple[Array, Array]]) -> Array:
    """Lengths, bubbles, punctuation and their like, no characters; delays and gaps where both sides have them."""
    table = np.array([row(reply) for reply in replies])
    if _timed(replies, label):
        timing = [[reply.delay or 0.0, sum(reply.gaps) / max(1, len(reply.gaps))] for reply in replies]
        table = np.hstack([table, np.log1p(np.array(timing))])
    return by_numbers(table, label, folds)


def by_numbers(table: Array, label: Array, folds: Sequence[tuple[Array, Array]]) -> Array:
    """(replies, numbers): any shape of difference in a few numbers."""
    from sklearn.ensemble import RandomForestClassifier

    return _crossed(RandomForestClassifier(60, min_samples_leaf=5, random_state=0), table, label, folds)


def k90(auc: Any) -> Any:
    """Messages that a judge of this AUC needs for .90, if they were independent."""
    d = np.sqrt(2) * ndtri(np.clip(auc, 0.5 + 1e-9, 1 - 1e-9))
    return np.minimum((_K90 / d) ** 2, MOST_MESSAGES)


def expected_of_bags(auc: float, size: int) -> float:
    """The AUC that bags of independent messages would have."""
    return float(ndtr(ndtri(np.clip(auc, 1e-9, 1 - 1e-9)) * np.sqrt(size)))


def _crossed(judge: Any, table: Any, label: Array, folds: Sequence[tuple[Array, Array]]) -> Array:
    score = np.zeros(len(label))
    for known, asked in folds:
        judge.fit(table[known], label[known])
        # Rounded: equal replies are equal whatever the order of sums was.
        score[asked] = np.round(judge.predict_proba(table[asked])[:, 1], 9)
    return score


def _timed(replies: Sequence[Reply], label: Array) -> bool:
    """Whether nine tenths of both sides have a delay."""
    has = np.array([reply.delay is not None for reply in replies], dtype=float)
    return all(has[label == side].mean() >= 0.9 for side in (0, 1))
