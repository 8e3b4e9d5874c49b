"""Would somebody who knows all members take the bot's replies for mine.

    AIDR = share of the bot's bags that are called me / share of my own held-out bags

A classifier knows every member's training replies by runs of one to four characters, names and links
masked, and is asked about bags of twenty replies. Where it doesn't know myself, it says nothing of the bot.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.evaluate.bins import weights
from training.evaluate.figures import Draws, Measured, Outcome, clusters, insufficient, measured
from training.evaluate.judges import Array
from training.evaluate.sample import ME, Answers, Reply, Sample

AXIS = "author_id"
NEEDS = ("prepared",)
BAG = 20
LEAST_TRAINED = 300
LEAST_OTHERS, LEAST_BAGS = 3, 10
GOOD, GOOD_OTHERS = (0.9, None), (None, 0.05)
_MOST_BAGS = 60
"""Training bags of a member: who talks more isn't known better."""
_LINK = re.compile(r"https?://\S+|www\.\S+|@\S+")


@dataclass(slots=True)
class Prepared:
    """The classifier, and what it says of me and the others."""

    why: str = ""
    bags: int = 0
    known: Any = None
    mask: re.Pattern[str] | None = None
    mine: Array = field(default_factory=lambda: np.zeros(0))
    """Rank of me for each of my held-out bags, 1 is first."""
    theirs: Array = field(default_factory=lambda: np.zeros(0))
    """Rank of me for each held-out bag of the others."""


class Authors:
    """Who wrote a bag: fitted on the bags of several members."""

    def __init__(self, bags: Mapping[str, Sequence[str]]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.svm import LinearSVC

        self._seen = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True, lowercase=False)
        names = sorted(bags)
        table = self._seen.fit_transform([bag for name in names for bag in bags[name]])
        self._judge = LinearSVC(random_state=0, class_weight="balanced", max_iter=5000)
        self._judge.fit(table, [name for name in names for _ in bags[name]])

    def ranks(self, bags: Sequence[str], author: str) -> Array:
        """At which place the author stands for each bag, 1 is first."""
        if not bags:
            return np.zeros(0)
        table: Any = self._seen.transform(bags)
        given = self._judge.decision_function(table)
        own = given[:, list(self._judge.classes_).index(author)]
        return 1 + (given > own[:, None]).sum(axis=1)


def prepare(sample: Sample, draws: Draws, quick: bool) -> Prepared:
    """Fits the classifier on the training part."""
    others = {
        name: replies
        for name, replies in sorted(sample.others.items())
        if sum(reply.part == "train" for reply in replies) >= LEAST_TRAINED
    }
    mine = sample.of("train")
    held = len(sample.moments) // BAG
    if len(others) < LEAST_OTHERS:
        return Prepared(
            f"{len(others)} others with {LEAST_TRAINED} replies to learn from; {LEAST_OTHERS} are needed", held
        )
    if len(mine) < LEAST_TRAINED:
        return Prepared(f"{len(mine)} replies of mine to learn from; {LEAST_TRAINED} are needed", held)
    if held < LEAST_BAGS:
        return Prepared(f"{held} bags of {BAG} replies; {LEAST_BAGS} are needed", held)
    mask = _mask(sample)
    trained = {ME: mine, **{name: [reply for reply in said if reply.part == "train"] for name, said in others.items()}}
    known = Authors({name: bags(said, mask)[-_MOST_BAGS:] for name, said in trained.items()})
    theirs = [bag for said in others.values() for bag in bags([reply for reply in said if reply.part == "test"], mask)]
    own = known.ranks(bags([moment.mine for moment in sample.moments], mask), ME)
    return Prepared("", held, known, mask, own, known.ranks(theirs, ME))


def measure(sample: Sample, answers: Answers, draws: Draws, *, quick: bool, prepared: Prepared) -> Outcome:
    """AIDR, rank and MRR of the bot's bags; and how often others are called me. Bags are drawn, not sessions."""
    names = ("aidr", "top1", "rank", "mrr", "others_called_me")
    if prepared.why:
        return Outcome({name: insufficient(prepared.why, n=prepared.bags) for name in names})
    spoken = [reply for reply in answers if reply.bubbles]
    found = prepared.known.ranks(bags(spoken, prepared.mask), ME)
    about: dict[str, Any] = {"n": len(found), "sessions": len({reply.session for reply in spoken})}
    top = float((prepared.mine == 1).mean())
    if len(found) < LEAST_BAGS:
        why = f"{len(found)} bags of {BAG} spoken replies; {LEAST_BAGS} are needed"
    else:
        why = "" if top >= 0.5 else f"it knows me in {top:.0%} of my own bags only"
    if why:
        return Outcome({name: insufficient(why, **about) for name in names})
    mine = _drawn(prepared.mine == 1, draws)
    first = _drawn(found == 1, draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = first / mine
    return Outcome(
        {
            "aidr": measured(float((found == 1).mean()) / top, ratio, good=GOOD, **about),
            "top1": measured(float((found == 1).mean()), first, floor=top, **about),
            "rank": measured(float(found.mean()), _drawn(found, draws), floor=float(prepared.mine.mean()), **about),
            "mrr": measured(
                float((1 / found).mean()), _drawn(1 / found, draws), floor=float((1 / prepared.mine).mean()), **about
            ),
            "others_called_me": _called_me(prepared.theirs, draws, about),
        }
    )


def bags(replies: Iterable[Reply], mask: re.Pattern[str] | None, size: int = BAG) -> list[str]:
    """Replies in bags, session after session, names and links masked; what is left over is left out."""
    grouped = clusters(replies, lambda reply: reply.session)
    texts = [masked(reply.text, mask) for group in grouped for reply in group]
    return ["\n".join(texts[start : start + size]) for start in range(0, len(texts) - size + 1, size)]


def masked(text: str, names: re.Pattern[str] | None) -> str:
    """A text without whom it speaks of and what it links to."""
    bare = _LINK.sub("＠", text)
    return names.sub("＠", bare) if names is not None else bare


def _mask(sample: Sample) -> re.Pattern[str] | None:
    """Every label and name of a chat."""
    names = {name for moment in sample.moments for name in (*moment.labels.values(), moment.name)}
    names |= {message.name for moment in sample.moments for message in moment.messages}
    long = sorted((name for name in names if len(name) >= 2), key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, long))) if long else None


def _called_me(theirs: Array, draws: Draws, about: dict[str, Any]) -> Measured:
    if len(theirs) < LEAST_BAGS:
        return insufficient(f"{len(theirs)} held-out bags of others; {LEAST_BAGS} are needed", n=len(theirs))
    more = {**about, "n": len(theirs)}
    return measured(float((theirs == 1).mean()), _drawn(theirs == 1, draws), good=GOOD_OTHERS, **more)


def _drawn(values: Array, draws: Draws) -> Array:
    """(times,): the mean of bags that are drawn with replacement; the same places for every system."""
    chosen = weights(draws.chosen(len(values), AXIS), len(values))
    return chosen @ np.asarray(values, dtype=float) / len(values)
