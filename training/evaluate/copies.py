"""Test replies that all but stood in the training part: how many, and which, so that a score can do without them."""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from bot.persona import privacy
from training.evaluate.figures import Draws, Measured, clusters, draw_ratio, insufficient, measured
from training.evaluate.sample import Reply, Sample

LEAST_CHARS = 12
ALIKE = 0.8
"""Jaccard of the 5-grams from which two replies are copies."""
GRAM = 5
_NOT_WORDS = re.compile(r"[\W_]+")


@lru_cache(maxsize=1 << 16)
def folded(text: str) -> str:
    """A text without what doesn't tell two sayings apart: width, case, punctuation."""
    return _NOT_WORDS.sub("", privacy.fold(text).lower())


def grams(text: str) -> set[str]:
    return {text[place : place + GRAM] for place in range(len(text) - GRAM + 1)}


def near_copies(replies: Sequence[Reply], known: Sequence[Reply]) -> list[bool]:
    """Which of the replies all but stand in the known ones; short ones never count."""
    texts = sorted({folded(reply.text) for reply in known if len(folded(reply.text)) >= LEAST_CHARS})
    held = [grams(text) for text in texts]
    places: dict[str, list[int]] = defaultdict(list)
    for place, has in enumerate(held):
        for gram in sorted(has):
            places[gram].append(place)
    return [_is_copy(folded(reply.text), held, places) for reply in replies]


def copied(sample: Sample) -> frozenset[int]:
    """Places of the moments whose true reply is a near-copy of a training reply; looked for once."""
    if sample.copied is None:
        flags = near_copies([moment.mine for moment in sample.moments], sample.of("train"))
        sample.copied = frozenset(place for place, is_copy in enumerate(flags) if is_copy)
    return sample.copied


def share(sample: Sample, draws: Draws) -> Measured:
    """Share of the long enough true replies at the moments that are near-copies of a training reply."""
    near = copied(sample)
    told = ((moment.mine, place in near) for place, moment in enumerate(sample.moments))
    pairs = [(mine, is_copy) for mine, is_copy in told if len(folded(mine.text)) >= LEAST_CHARS]
    if not pairs:
        return insufficient(f"no reply has {LEAST_CHARS} characters")
    grouped = clusters(pairs, lambda pair: pair[0].session)
    drawn = draw_ratio([sum(is_copy for _, is_copy in g) for g in grouped], [len(g) for g in grouped], draws, "copies")
    value = sum(is_copy for _, is_copy in pairs) / len(pairs)
    return measured(value, drawn, n=len(pairs), sessions=len(grouped))


def _is_copy(text: str, held: Sequence[set[str]], places: dict[str, list[int]]) -> bool:
    if len(text) < LEAST_CHARS:
        return False
    mine = grams(text)
    shared: dict[int, int] = defaultdict(int)
    for gram in sorted(mine):
        for place in places.get(gram, ()):
            shared[place] += 1
    return any(both / (len(mine) + len(held[place]) - both) >= ALIKE for place, both in shared.items())
