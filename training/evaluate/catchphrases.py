"""What I say more often than others do, and whether the bot overdoes it.

Log-odds with a Dirichlet prior of everybody's counts (Monroe, Colaresi, Quinn: Fightin' Words, 2008).
"""

import math
from collections import Counter
from collections.abc import Sequence

from training.evaluate.sample import Reply

LEAST_Z = 3.0
MOST = 50
SIZES = 2, 6
"""Characters of a catchphrase: from, to (excluded)."""
LEAST_TIMES = 5
"""Replies that must hold it."""
PARROT = 2.0
"""Times my own rate from which on it is a parrot's."""
NEWEST = 20_000
"""Replies of a side that are looked at."""
_PRIOR = 0.1
"""Weight of the prior: of everybody's counts, this share."""


def phrases(reply: Reply) -> set[str]:
    """Every run of characters of a reply that may be a catchphrase."""
    first, past = SIZES
    return {
        bubble[place : place + size]
        for bubble in reply.bubbles
        for size in range(first, past)
        for place in range(len(bubble) - size + 1)
    }


def catchphrases(mine: Sequence[Reply], others: Sequence[Reply]) -> list[str]:
    """My catchphrases, strongest first; of two of which one holds the other only the stronger. Newest replies last."""
    ours: Counter[str] = Counter()
    theirs: Counter[str] = Counter()
    for counts, replies in ((ours, mine), (theirs, others)):
        for reply in replies[-NEWEST:]:
            counts.update(phrases(reply))
    ours_all, theirs_all = ours.total(), theirs.total()
    if not ours_all or not theirs_all:
        return []
    scored = []
    for phrase, n in ours.items():
        if n < LEAST_TIMES:
            continue
        other = theirs[phrase]
        prior, prior_all = _PRIOR * (n + other), _PRIOR * (ours_all + theirs_all)
        odds = math.log((n + prior) / (ours_all + prior_all - n - prior))
        odds -= math.log((other + prior) / (theirs_all + prior_all - other - prior))
        z = odds / math.sqrt(1 / (n + prior) + 1 / (other + prior))
        if z >= LEAST_Z:
            scored.append((-z, -len(phrase), phrase))
    kept: list[str] = []
    for _, _, phrase in sorted(scored):
        if len(kept) == MOST:
            break
        if not any(phrase in other or other in phrase for other in kept):
            kept.append(phrase)
    return kept


def rates(replies: Sequence[Reply], wanted: Sequence[str]) -> list[float]:
    """Share of the replies that hold each phrase."""
    texts = [reply.text for reply in replies]
    return [sum(phrase in text for text in texts) / max(1, len(texts)) for phrase in wanted]


def parroted(answers: Sequence[Reply], mine: Sequence[Reply], wanted: Sequence[str]) -> list[str]:
    """Phrases that the answers hold over twice as often as my replies do, beyond chance (two standard errors)."""
    found = []
    for phrase, bot, me in zip(wanted, rates(answers, wanted), rates(mine, wanted), strict=True):
        expected = PARROT * max(me, 1 / max(1, len(mine)))
        noise = 2 * math.sqrt(expected * (1 - min(expected, 1)) / max(1, len(answers)))
        if bot > expected + noise:
            found.append(phrase)
    return found
