"""Can a judge tell the bot's replies from mine, given at the same moments.

    eAUC = AUC(bot against me) − AUC(me earlier against me)        same judge, same n

An AUC grows with n and with the months between; so n is fixed, and the aim is my own drift, not one
half. Below one half a judge can't tell, and that counts as one half: where topics are few, the part that
is left out lacks what the rest has, and nothing else brings it there. Three judges look (characters; features and timing; likelihood under a local model where its
scores are given), and the worst for the bot is what counts.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.evaluate.bins import weights
from training.evaluate.copies import copied
from training.evaluate.figures import Draws, Figure, Measured, Outcome, insufficient, measured, missing
from training.evaluate.judges import (
    Array,
    Judge,
    Scores,
    by_characters,
    by_features,
    by_numbers,
    expected_of_bags,
    judged,
    k90,
)
from training.evaluate.sample import Answers, Reply, Sample

AXIS = "two_sample"
NEEDS = ("prepared", "likelihoods")
LEAST, QUICK, FULL = 100, 200, 500
GOOD = (None, 0.03)
GOOD_K90 = (30.0, None)
BAG = 10
COPY = 8
"""Characters from which on a whole bubble that stands in the training part is a copy."""
DAY = 86400

JUDGES: dict[str, Judge] = {"characters": by_characters, "features": by_features}
Likelihoods = Mapping[Reply, Sequence[float]]
"""Reply → its numbers under a local model (log-probability a character, of its worst token, …), mine and the system's."""


@dataclass(slots=True)
class Prepared:
    """What doesn't depend on who answers."""

    why: str = ""
    n: int = 0
    days: float = 0.0
    places: list[int] = field(default_factory=list)
    earlier: list[Reply] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    """Of the moments that are looked at."""
    drawn: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """(times, sessions) weights."""
    drawn_earlier: Array = field(default_factory=lambda: np.zeros((0, 0)))
    copies: frozenset[str] = frozenset()
    """Whole bubbles of the training part."""
    near: frozenset[int] = frozenset()
    """Places of the moments whose true reply is a near-copy of the training part."""
    floors: dict[str, Scores] = field(default_factory=dict)


@dataclass(slots=True)
class Told:
    """How well one judge tells, and how well it tells me from myself."""

    scores: Scores
    auc: float
    aucs: Array
    floor: float
    floors: Array

    @property
    def excess(self) -> float:
        return max(self.auc, 0.5) - max(self.floor, 0.5)

    @property
    def excesses(self) -> Array:
        return np.maximum(self.aucs, 0.5) - np.maximum(self.floors, 0.5)


def prepare(sample: Sample, draws: Draws, quick: bool) -> Prepared:
    """The moments, me earlier, and how far judges tell me from myself."""
    moments, train = list(range(len(sample.moments))), sample.of("train")
    sessions = {moment.mine.session for moment in sample.moments}
    why = missing(len(moments), len(sessions), LEAST)
    why = why or missing(len(train), len({reply.session for reply in train}), LEAST, "replies of mine to learn from")
    if why:
        return Prepared(why, len(moments))
    n = min(QUICK if quick else FULL, len(moments), len(train))
    places = sorted(draws.rng(AXIS).choice(moments, n, replace=False).tolist())
    mine = [sample.moments[place].mine for place in places]
    earlier = train[-n:]
    days = (_middle(mine) - _middle(earlier)) / DAY
    names = sorted({reply.session for reply in mine})
    older = sorted({reply.session for reply in earlier})
    made = Prepared("", n, days, places, earlier, names)
    made.drawn = weights(draws.chosen(len(names), AXIS), len(names))
    made.drawn_earlier = weights(draws.chosen(len(older), f"{AXIS} earlier"), len(older))
    made.near = copied(sample)
    made.copies = frozenset(bubble for reply in train for bubble in reply.bubbles if len(bubble) >= COPY)
    made.floors = {name: judged(judge, mine, earlier) for name, judge in JUDGES.items()}
    return made


def measure(
    sample: Sample,
    answers: Answers,
    draws: Draws,
    *,
    quick: bool,
    prepared: Prepared,
    likelihoods: Likelihoods | None = None,
) -> Outcome:
    """eAUC and k90 under the worst judge, each judge's AUC, and the runs with lengths matched and without copies."""
    if prepared.why:
        return Outcome({name: insufficient(prepared.why, n=prepared.n) for name in ("eauc", "auc", "k90")})
    places = [place for place in prepared.places if answers[place].bubbles]
    pairs = [(sample.moments[place].mine, answers[place]) for place in places]
    about: dict[str, Any] = {"n": len(pairs), "sessions": len({one.session for one, _ in pairs})}
    if why := missing(about["n"], about["sessions"], LEAST, "spoken replies"):
        return Outcome({name: insufficient(why, **about) for name in ("eauc", "auc", "k90")})
    judges = dict(JUDGES)
    if likelihoods is not None:
        judges["likelihood"] = _by_likelihood(likelihoods)
        if "likelihood" not in prepared.floors:  # the same for every system
            mine = [sample.moments[place].mine for place in prepared.places]
            prepared.floors["likelihood"] = judged(judges["likelihood"], mine, prepared.earlier)
    told = {name: _told(judge, prepared.floors[name], pairs, prepared, sample) for name, judge in judges.items()}
    worst = max(sorted(told), key=lambda name: told[name].excess)
    figures = _figures(told[worst], worst, prepared, pairs, draws, about)
    figures |= {
        f"auc_{name}": measured(one.auc, one.aucs, floor=one.floor, judge=name, **about) for name, one in told.items()
    }
    judge, fresh = judges[worst], _fresh(places, pairs, prepared.near)
    twins = {
        "auc_matched": ("lengths matched", _matched(pairs)),
        "auc_without_copies": ("no whole copies", _uncopied(pairs, prepared.copies)),
        "auc_without_near_copies": ("no near-copies", fresh),
    }
    figures |= {name: _again(judge, worst, *both, note, prepared) for name, (note, both) in twins.items()}
    figures["auc_without_near_copies"] = _beside(figures["auc_without_near_copies"], judge, fresh[0], prepared)
    return Outcome(figures)


def _told(
    judge: Judge, floor: Scores, pairs: Sequence[tuple[Reply, Reply]], prepared: Prepared, sample: Sample
) -> Told:
    mine, bots = [one for one, _ in pairs], [other for _, other in pairs]
    scores = judged(judge, mine, bots)
    place = {name: number for number, name in enumerate(prepared.sessions)}
    drawn = prepared.drawn[:, [place[one.session] for one in [*mine, *mine]]]
    older = {name: number for number, name in enumerate(sorted({reply.session for reply in prepared.earlier}))}
    test = [place[sample.moments[number].mine.session] for number in prepared.places]
    early = [older[reply.session] for reply in prepared.earlier]
    both = np.hstack([prepared.drawn[:, test], prepared.drawn_earlier[:, early]])
    return Told(scores, float(scores.auc()[0]), scores.auc(drawn), float(floor.auc()[0]), floor.auc(both))


def _figures(
    told: Told,
    worst: str,
    prepared: Prepared,
    pairs: Sequence[tuple[Reply, Reply]],
    draws: Draws,
    about: dict[str, Any],
) -> dict[str, Measured]:
    rng = draws.rng(f"{AXIS} permutation")
    session = [one.session for one, _ in pairs] * 2
    chance = told.scores.permuted(session, rng, draws.times)
    p = (1 + int((chance >= told.auc).sum())) / (1 + draws.times)
    size = min(BAG, len(pairs) // 4)
    expected = expected_of_bags(told.auc, size)
    gap = f"me earlier is {prepared.days:.0f} days older"
    ends = {"floor": told.floor, "judge": worst, **about}
    return {
        "eauc": measured(told.excess, told.excesses, good=GOOD, note=gap, judge=worst, **about),
        "auc": measured(told.auc, told.aucs, note=gap, **ends),
        "k90": measured(
            float(k90(told.auc)),
            k90(told.aucs),
            floor=float(k90(told.floor)),
            good=GOOD_K90,
            judge=worst,
            note="if messages were independent",
            **about,
        ),
        "p": Measured(Figure(value=p, judge=worst, note="whole sessions change sides at random", **about)),
        "bag_auc": Measured(
            Figure(
                value=told.scores.bags(size, rng),
                judge=worst,
                note=f"bags of {size}; independent messages would give {expected:.2f}",
                **about,
            )
        ),
    }


def _again(
    judge: Judge, name: str, mine: Sequence[Reply], bots: Sequence[Reply], note: str, prepared: Prepared
) -> Measured:
    """The worst judge's AUC on a part of the replies."""
    about: dict[str, Any] = {"n": len(mine), "sessions": len({reply.session for reply in mine}), "judge": name}
    if why := missing(len(mine), about["sessions"], LEAST // 2):
        return insufficient(f"{note}: {why}", **about)
    place = {session: number for number, session in enumerate(prepared.sessions)}
    scores = judged(judge, mine, bots)
    drawn = scores.auc(prepared.drawn[:, [place[reply.session] for reply in [*mine, *bots]]])
    return measured(float(scores.auc()[0]), drawn, note=note, **about)


def _beside(one: Measured, judge: Judge, mine: Sequence[Reply], prepared: Prepared) -> Measured:
    """With its floor: as many replies of me earlier against the same of mine."""
    if one.figure.value is None:
        return one
    floor = float(judged(judge, mine, prepared.earlier[-len(mine) :]).auc()[0])
    return Measured(one.figure.model_copy(update={"floor": floor}), one.draws)


def _matched(pairs: Sequence[tuple[Reply, Reply]]) -> tuple[list[Reply], list[Reply]]:
    """As many replies of each length on both sides; lengths above 20 characters in steps of a quarter."""
    counts = [Counter(_length(pair[side]) for pair in pairs) for side in (0, 1)]
    kept: tuple[list[Reply], list[Reply]] = [], []
    for side in (0, 1):
        left = counts[0] & counts[1]
        for pair in pairs:
            if left[size := _length(pair[side])] > 0:
                left[size] -= 1
                kept[side].append(pair[side])
    return kept


def _length(reply: Reply) -> int:
    size = len(reply.text)
    return size if size <= 20 else 20 + math.ceil(math.log(size / 20, 1.25))


def _uncopied(pairs: Sequence[tuple[Reply, Reply]], copies: frozenset[str]) -> tuple[list[Reply], list[Reply]]:
    """Both sides without replies that hold a bubble of the training part, whole."""
    mine, bots = ([pair[side] for pair in pairs if copies.isdisjoint(pair[side].bubbles)] for side in (0, 1))
    n = min(len(mine), len(bots))
    return mine[:n], bots[:n]


def _fresh(
    places: Sequence[int], pairs: Sequence[tuple[Reply, Reply]], near: frozenset[int]
) -> tuple[list[Reply], list[Reply]]:
    """Both sides of the moments whose true reply is no near-copy of the training part."""
    kept = [pair for place, pair in zip(places, pairs, strict=True) if place not in near]
    return [mine for mine, _ in kept], [bot for _, bot in kept]


def _by_likelihood(likelihoods: Likelihoods) -> Judge:
    def judge(replies: Sequence[Reply], label: Array, folds: Sequence[tuple[Array, Array]]) -> Array:
        return by_numbers(np.array([likelihoods[reply] for reply in replies]), label, folds)

    return judge


def _middle(replies: Sequence[Reply]) -> float:
    return float(np.median([reply.time for reply in replies]))
