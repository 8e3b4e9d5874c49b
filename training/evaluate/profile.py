"""The best that a prompt alone can do: who I am by numbers, and how I answered what was most alike.

Makes the system turn of the base model longer; knows the training part only. What the persona must beat.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from bot.persona import privacy
from bot.persona.prompt import PromptSpec, escape
from bot.persona.pseudonyms import Hidden
from training.evaluate.sample import Reply

EXAMPLES = 8
"""Answers of mine that are shown."""
SHARE = 4
"""Of the context, one in so many tokens may go to the profile."""
MOST = 20_000
"""Newest answers among which is looked."""


class Profile:
    """What is told beside who and where I am: a few numbers of how I write, and answers of mine."""

    def __init__(self, known: Sequence[Reply], spec: PromptSpec, count: Callable[[str], int], context: int) -> None:
        self._pairs = [(reply.asked, reply.text) for reply in known if reply.asked][-MOST:]
        self._manner = _manner(known)
        self._hidden = Hidden(spec.pseudonyms, ())
        self._count, self._room = count, context // SHARE
        self._vectorizer: Any = None
        if self._pairs:
            self._vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True)
            self._asked = self._vectorizer.fit_transform([asked for asked, _ in self._pairs])

    def __call__(self, messages: list[dict[str, str]]) -> str:
        """The profile for a prompt: its examples are the nearest to its last turn."""
        told = self._manner
        for line in self._examples(messages[-1]["content"] if len(messages) > 1 else ""):
            if self._count(longer := f"{told}\n{line}") > self._room:
                break
            told = longer
        return told

    def _examples(self, last: str) -> list[str]:
        if self._vectorizer is None:
            return []
        near = np.asarray((self._asked @ self._vectorizer.transform([last]).T).todense()).ravel()
        best = np.argsort(-near, kind="stable")[:EXAMPLES]
        return [f"有人说：{self._line(self._pairs[n][0])}\n你回：{self._line(self._pairs[n][1])}" for n in best]

    def _line(self, text: str) -> str:
        return escape(privacy.scrub(self._hidden.text(text)))


def _manner(known: Sequence[Reply]) -> str:
    lengths = sorted(len(bubble) for reply in known for bubble in reply.bubbles)
    if not lengths:
        return "只写你会发的消息，一行一条。"
    quarter, middle = lengths[len(lengths) // 4], lengths[len(lengths) * 3 // 4]
    bubbles = sum(len(reply.bubbles) for reply in known) / len(known)
    ends = Counter(bubble[-1] for reply in known for bubble in reply.bubbles)
    common = "".join(end for end, n in ends.most_common(8) if n > len(lengths) // 100 and not end.isalnum())
    last = f"，常用的结尾是 {common}" if common else ""
    return (
        f"你的消息多半有 {quarter} 到 {middle} 个字，一次发 {bubbles:.1f} 条{last}。"
        "只写你会发的消息，一行一条，不解释。下面是你以前的回答："
    )
