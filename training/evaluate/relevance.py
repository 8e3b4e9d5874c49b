"""Does it answer what was asked: my reply among my other replies, the persona's among other contexts.

    R@1, R@10, MRR   the true reply among 99 of my own others, of other sessions and like length; short ones apart
    RelRatio         MRR of a system's replies, each ranking its own context among 99 others by one fixed
                     scorer (the base), over MRR of mine

Style gives nothing away: all candidates are mine. The score is log p(r | context) − log p(r | nothing).
Knows scores; the model is asked elsewhere. Rankers that know no model stand beside it: they must be beaten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluate.figures import Draws, Figure, Measured, Outcome, draw_ratio, insufficient, measured, missing
from training.evaluate.sample import Reply, Sample

AXIS = "relevance"
SHARES = ("r1", "r10", "mrr")
AMONG = "among "
"""How the note begins where there were fewer candidates."""
LEAST, QUICK, FULL = 100, 100, 500
CONTROLLED = 100
"""Replies of a control whose contexts are looked for: it must show as worse, not by how much."""
LEAST_SHORT = 50
"""Questions about short replies."""
OTHERS, LEAST_OTHERS = 99, 19
LEAST_CHARS = 4
"""Characters of a reply of mine below which it fits nearly anywhere: those are told apart."""
SHORT = "_short"
"""How the figures about short replies end."""
NEAR = 0.3
"""Share by which a candidate may be longer or shorter."""
GOOD_RATIO = (0.8, None)

Array = np.ndarray[Any, Any]


@dataclass(slots=True, frozen=True)
class Question:
    """A moment, and what might have been said there: the first was."""

    place: int
    """Of the moment in the sample."""
    candidates: tuple[Reply, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """What they say."""
        return tuple(reply.text for reply in self.candidates)


@dataclass(slots=True, frozen=True)
class Search:
    """A moment whose replies look for their context."""

    place: int
    """Of the moment in the sample."""
    contexts: tuple[int, ...]
    """Places of the moments among which they look, its own first."""


def questions(sample: Sample, draws: Draws, *, quick: bool, short: bool = False) -> list[Question]:
    """As many moments as are asked about, each with equally many other replies of mine, none of them trained on.

    99 where enough questions have so many of their length; else as many as enough of them have. Of short replies
    those are alike in length that are all short, and each stands there once.
    """
    rng = draws.rng(f"{AXIS} questions{SHORT if short else ''}")
    pool = [reply for reply in sample.mine if reply.part != "train" and is_short(reply) == short]
    lengths, few = np.array([len(reply.text) for reply in pool]), LEAST_SHORT if short else LEAST
    found: dict[int, list[Reply]] = {}
    for place, moment in enumerate(sample.moments):
        own, length = moment.mine, len(moment.mine.text)
        if is_short(own) != short:
            continue
        near = np.flatnonzero((lengths >= length * (1 - NEAR)) & (lengths <= length * (1 + NEAR)) | short)
        others = [pool[n] for n in near if pool[n].session != own.session and pool[n].text != own.text]
        if short:
            others = list({other.text: other for other in others}.values())
        if len(others) >= LEAST_OTHERS:
            found[place] = others
    sizes = sorted(map(len, found.values()), reverse=True)
    number = min(OTHERS, sizes[min(few, len(sizes)) - 1]) if sizes else 0
    there = [place for place in found if len(found[place]) >= number]
    chosen = sorted(rng.permutation(there)[: QUICK if quick else FULL].tolist()) if there else []
    asked: list[Question] = []
    for place in chosen:
        others = [found[place][n] for n in rng.permutation(len(found[place]))[:number]]
        asked.append(Question(place, (sample.moments[place].mine, *others)))
    return asked


def searches(sample: Sample, draws: Draws, *, quick: bool) -> list[Search]:
    """Moments whose replies look for their context among 99 others of other sessions, as far as there are so many.

    The moments stand in a ring, in an order that is drawn; each looks among those that come next. So the contexts
    are looked at by about as many, and none is read for a few replies alone.
    """
    long = [place for place, moment in enumerate(sample.moments) if not is_short(moment.mine)]
    ring = draws.rng(f"{AXIS} searches").permutation(long)[:FULL].tolist() if long else []
    session = [moment.mine.session for moment in sample.moments]
    found = []
    for n, place in enumerate(ring[:QUICK] if quick else ring):
        others = [other for other in (*ring[n + 1 :], *ring[:n]) if session[other] != session[place]]
        found.append(Search(place, (place, *others[:OTHERS])))
    return found


def is_short(reply: Reply) -> bool:
    """Whether so little was said that it could have been said nearly anywhere."""
    return len(reply.text) < LEAST_CHARS


def rank(scores: Sequence[float]) -> float:
    """The rank of the first among all, from 1; those alike share theirs."""
    own, others = scores[0], np.asarray(scores[1:])
    return 1 + float((others > own).sum()) + float((others == own).sum()) / 2


def choice(
    sample: Sample, asked: Sequence[Question], scores: Sequence[Sequence[float]], draws: Draws, suffix: str = ""
) -> Outcome:
    """R@1, R@10 and MRR of one ranker; `suffix` tells rankers of the same system apart, and short replies."""
    least = LEAST_SHORT if suffix.endswith(SHORT) else LEAST
    sessions = [sample.moments[question.place].mine.session for question in asked]
    about: dict[str, Any] = {"n": len(asked), "sessions": len(set(sessions))}
    if why := missing(len(asked), len(set(sessions)), least, "questions"):
        return Outcome({f"{name}{suffix}": insufficient(why, **about) for name in SHARES})
    ranks = np.array([rank(row) for row in scores])
    number = len(asked[0].candidates)
    about["note"] = "" if number == OTHERS + 1 else f"{AMONG}{number}"
    values = {"r1": ranks <= 1, "r10": ranks <= 10, "mrr": 1 / ranks}
    return Outcome({f"{name}{suffix}": _mean(value, sessions, draws, about) for name, value in values.items()})


def among(told: Figure) -> int:
    """Of how many candidates a figure of `choice` tells."""
    return int(told.note.removeprefix(AMONG)) if told.note.startswith(AMONG) else OTHERS + 1


def ratio(
    sample: Sample, made: Sequence[Search], theirs: Sequence[float], mine: Sequence[float], draws: Draws
) -> Outcome:
    """RelRatio of a system, from the ranks at which its replies and mine find their own context.

    Of mine there may be more: a control makes only the first searches.
    """
    sessions = [sample.moments[search.place].mine.session for search in made]
    about: dict[str, Any] = {"n": len(made), "sessions": len(set(sessions))}
    if why := missing(len(made), len(set(sessions)), LEAST):
        return Outcome({"rel_ratio": insufficient(why, **about)})
    ours, true = 1 / np.asarray(theirs), 1 / np.asarray(mine[: len(made)])
    found = _mean(true, sessions, draws, about, axis=f"{AXIS} ratio").figure
    chance = float(np.mean([(1 / np.arange(1, len(search.contexts) + 1)).mean() for search in made]))
    if found.low is None or found.low <= chance:
        why = f"the scorer does not find the contexts of my own replies: MRR {true.mean():.3f}, by chance {chance:.3f}"
        return Outcome({"rel_ratio": insufficient(why, **about)})
    drawn = draw_ratio(_by_session(ours, sessions), _by_session(true, sessions), draws, f"{AXIS} ratio")
    value = float(ours.sum() / true.sum())
    if value > 1:
        about["note"] = (
            "above mine: the scorer knows a model's words better than a person's; it can't say more than 'no worse'"
        )
    return Outcome(
        {
            "rel_ratio": measured(value, drawn, good=GOOD_RATIO, **about),
            "rel_mrr": _mean(ours, sessions, draws, about, axis=f"{AXIS} ratio"),
        }
    )


def beats(outcome: Outcome, shortcut: Outcome) -> dict[str, Measured]:
    """R@1 of the model with the bound that a ranker of texts sets: twice as often right."""
    best = shortcut.figures.get("r1_tf_idf")
    own = outcome.figures.get("r1")
    if best is None or own is None or best.figure.value is None or own.figure.value is None:
        return {}
    return {"r1": Measured(own.figure.model_copy(update={"good": (2 * best.figure.value, None)}), own.draws)}


def _mean(values: Array, sessions: Sequence[str], draws: Draws, about: Mapping[str, Any], axis: str = AXIS) -> Measured:
    counts = _by_session(np.ones(len(values)), sessions)
    return measured(float(values.mean()), draw_ratio(_by_session(values, sessions), counts, draws, axis), **about)


def _by_session(values: Array, sessions: Sequence[str]) -> list[float]:
    sums: dict[str, float] = dict.fromkeys(sorted(set(sessions)), 0.0)
    for value, session in zip(values, sessions, strict=True):
        sums[session] += float(value)
    return list(sums.values())
