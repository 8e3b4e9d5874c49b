"""Rankers without a model: what relevance must beat, and relevance by shared words.

Shortcuts show what a choice gives away: words that stand in both, or length alone. By the same words
a system's replies are looked at: does a reply find its own moment among those of other sessions. That is
weaker than a model's judgement, and there without one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluate.bins import by_session
from training.evaluate.figures import Draws, Outcome, draw_ratio, insufficient, measured, missing
from training.evaluate.judges import Array
from training.evaluate.sample import Answers, Moment, Sample

AXIS = "text_relevance"
NEEDS = ()
LEAST = 100
OTHERS = 99
LEAST_CHARS = 4
"""Characters of a reply of mine below which it fits anywhere."""
NEWEST = 10_000
"""Replies of the training part by which runs are rare or common."""
CONTEXT = 5
"""Messages before a reply that are its context."""
GOOD = (0.8, None)


def tf_idf(contexts: Sequence[str], candidates: Sequence[Sequence[str]], known: Sequence[str]) -> Array:
    """(questions, candidates): likeness of each candidate to its context in runs of one to three characters.

    `known` are the texts by which a run is rare or common. Every question has as many candidates.
    """
    return _likeness(_seen(known), contexts, candidates)


def length_only(candidates: Sequence[Sequence[str]]) -> Array:
    """(questions, candidates): the shorter, the better."""
    return np.array([[-float(len(text)) for text in few] for few in candidates])


def measure(sample: Sample, answers: Answers, draws: Draws, *, quick: bool) -> Outcome:
    """RelRatio and MRR by shared words: at which place a reply's own context stands among those of other sessions."""
    places = [place for place, moment in enumerate(sample.moments) if len(moment.mine.text) >= LEAST_CHARS]
    moments = [sample.moments[place] for place in places]
    sessions = [moment.mine.session for moment in moments]
    about: dict[str, Any] = {"n": len(moments), "sessions": len(set(sessions))}
    why = missing(len(moments), about["sessions"], LEAST)
    if not why and (few := _fewest_others(sessions)) < OTHERS:
        why = f"{few} contexts of other sessions; {OTHERS} are needed"
    if why:
        return Outcome({name: insufficient(why, **about) for name in ("rel_ratio", "mrr")})
    seen = _seen([text for reply in sample.of("train")[-NEWEST:] for text in (reply.text, reply.asked)])
    contexts = [context(moment) for moment in moments]
    chosen = _others(sessions, draws)
    mine = 1 / _places(seen, [moment.mine.text for moment in moments], contexts, chosen)
    bot = 1 / _places(seen, [answers[place].text for place in places], contexts, chosen)
    tops, bottoms = by_session(bot, sessions), by_session(mine, sessions)
    counts = by_session(np.ones(len(sessions)), sessions)
    own, chance = float(mine.mean()), float((1 / np.arange(1, OTHERS + 2)).mean())
    note = f"by shared words; chance is {chance / own:.2f}"
    return Outcome(
        {
            "rel_ratio": measured(
                float(bot.mean()) / own, draw_ratio(tops, bottoms, draws, AXIS), good=GOOD, note=note, **about
            ),
            "mrr": measured(float(bot.mean()), draw_ratio(tops, counts, draws, AXIS), floor=own, **about),
        }
    )


def context(moment: Moment) -> str:
    """What the last few messages before a reply say."""
    return "\n".join(message.text for message in moment.messages[-CONTEXT:])


def _places(seen: Any, texts: Sequence[str], contexts: Sequence[str], chosen: Array) -> Array:
    """At which place each text's own context stands; those as good as it count half."""
    candidates: list[list[str]] = [[contexts[int(place)] for place in row] for row in chosen]
    likeness = _likeness(seen, texts, candidates)
    own, others = likeness[:, :1], likeness[:, 1:]
    return 1 + (others > own).sum(axis=1) + (others == own).sum(axis=1) / 2


def _likeness(seen: Any, asked: Sequence[str], candidates: Sequence[Sequence[str]]) -> Array:
    texts = sorted({text for few in candidates for text in few})
    place = {text: number for number, text in enumerate(texts)}
    table, rows = seen.transform(texts), seen.transform(asked)
    likeness = np.zeros((len(asked), len(candidates[0]) if candidates else 0))
    for number, few in enumerate(candidates):
        likeness[number] = (table[[place[text] for text in few]] @ rows[number].T).toarray().ravel()
    # Rounded: equal texts are equally like, whatever the order of sums was.
    return np.round(likeness, 9)


def _others(sessions: Sequence[str], draws: Draws) -> Array:
    """(moments, 1 + OTHERS): each moment, and others of other sessions."""
    rng, names = draws.rng(AXIS), np.asarray(sessions)
    rows = [
        [place, *rng.choice(np.flatnonzero(names != session), OTHERS, replace=False)]
        for place, session in enumerate(sessions)
    ]
    return np.array(rows)


def _fewest_others(sessions: Sequence[str]) -> int:
    return len(sessions) - max(sessions.count(session) for session in set(sessions))


def _seen(known: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, lowercase=False).fit(known)
