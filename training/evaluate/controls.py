"""Systems that are no model: what a number must look like for replay, babble, my own words, and others'.

Knows texts. Every control answers the same moments as the persona, from the axis's own seed.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from training.evaluate.figures import Draws
from training.evaluate.sample import Reply, Sample
from training.evaluate.speaking import said_there

ORDER = 5
"""Characters of a gram of the babble."""
END = "\0"

Control = Callable[[Sample, Draws], "list[Reply] | None"]
"""The answers to a sample's moments; None where there is too little to make them of."""


def me(sample: Sample, draws: Draws) -> list[Reply] | None:
    """What I really said: the person himself, for gates that he must pass."""
    return [moment.mine for moment in sample.moments]


def replay(sample: Sample, draws: Draws) -> list[Reply] | None:
    """Old messages of mine, whatever was asked."""
    old = sample.of("train")
    if not old:
        return None
    chosen = draws.rng("replay").integers(len(old), size=len(sample.moments))
    return [_there(sample, place, old[number]) for place, number in enumerate(chosen)]


def babble(sample: Sample, draws: Draws) -> list[Reply] | None:
    """Gibberish that has my characters: each after the last four, as often as in what I said in training."""
    after: dict[str, Counter[str]] = defaultdict(Counter)
    for reply in sample.of("train"):
        text = END * (ORDER - 1) + reply.text + END
        for place in range(ORDER - 1, len(text)):
            after[text[place - ORDER + 1 : place]][text[place]] += 1
    if not after:
        return None
    grams = {
        before: (sorted(counts), np.cumsum([counts[c] for c in sorted(counts)])) for before, counts in after.items()
    }
    rng = draws.rng("babble")
    return [said_there(moment, _babbled(grams, rng)) for moment in sample.moments]


def _babbled(
    grams: "dict[str, tuple[list[str], np.ndarray]]", rng: np.random.Generator, longest: int = 200
) -> list[str]:
    text = END * (ORDER - 1)
    while len(text) < longest:
        characters, sums = grams[text[-ORDER + 1 :]]
        drawn = characters[int(np.searchsorted(sums, rng.integers(sums[-1]), side="right"))]
        if drawn == END:
            break
        text += drawn
    return [line for line in text.strip(END).split("\n") if line.strip()]


def shuffled(sample: Sample, draws: Draws) -> list[Reply] | None:
    """My true replies, each at a moment of another session."""
    moments = sample.moments
    order = draws.rng("shuffled").permutation(len(moments))
    by_session = sorted(order, key=lambda place: moments[place].mine.session)
    # Shifted by the largest session, nobody meets his own.
    largest = max(Counter(moment.mine.session for moment in moments).values(), default=0)
    if 2 * largest > len(moments):
        return None
    answers: list[Reply | None] = [None] * len(moments)
    for place, other in zip(by_session, by_session[largest:] + by_session[:largest], strict=True):
        answers[place] = _there(sample, place, moments[other].mine)
    return [answer for answer in answers if answer is not None]


def me_earlier(sample: Sample, draws: Draws) -> list[Reply] | None:
    """My newest replies of the training part: how far I drift from myself."""
    newest = sample.of("train")[-len(sample.moments) :]
    return _laid(sample, newest)


def other_member(sample: Sample, draws: Draws) -> list[Reply] | None:
    """The newest replies of whoever of the others said most."""
    most = max(sample.others.values(), key=len, default=[])
    return _laid(sample, most[-len(sample.moments) :])


CONTROLS: dict[str, Control] = {
    "replay": replay,
    "babble": babble,
    "shuffled": shuffled,
    "me_earlier": me_earlier,
    "other_member": other_member,
}


def _laid(sample: Sample, replies: Sequence[Reply]) -> list[Reply] | None:
    """Replies at the moments one by one; None where there are fewer."""
    if len(replies) < len(sample.moments):
        return None
    return [_there(sample, place, reply) for place, reply in enumerate(replies)]


def _there(sample: Sample, place: int, said: Reply) -> Reply:
    """What was said elsewhere, as if it had been said at a moment."""
    mine = sample.moments[place].mine
    return replace(
        said, session=mine.session, chat=mine.chat, kind=mine.kind, time=mine.time, part=mine.part, author=""
    )
