"""What of a text can be found again: single characters and pairs of them, whole words of other scripts.

One rule for what is stored and for what is asked, so that both always meet. Doesn't know any store.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from bot.persona.message import PLACEHOLDERS

_STOP = frozenset(
    "的了我你他她它们是不在有就都也还吗呢吧啊呀哦噢嗯哈嘿哎唉诶喔嘛哇啦咯么什这那个一得着过地把被让给和与跟或但而又再才很太最"
    "怎啥哪谁几多来去说要会能可以没好到上下里时候想看知道为因所对于从"
)
"""Characters that stand in every second line: alone they find nothing."""
_RUN = re.compile(r"[0-9a-z]+|[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ebef]+")
_MEDIA = re.compile("|".join(re.escape(mark) for mark in sorted({*PLACEHOLDERS.values()})) + r"|@\S+")
WIDE = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
"""Full-width characters and what they stand for."""
_LONGEST = 24
"""Characters of a word or number; what is longer is cut."""
MOST = 200
"""Grams of one text; what comes after is not looked for."""

ASKED = 24
"""Grams of a question, the last line's first."""
EARLIER = 0.5
"""What a line before the last one counts in a question."""


def grams(text: str) -> list[str]:
    """The different grams of a text, in order of appearance."""
    found: dict[str, None] = {}
    for run in _RUN.findall(_MEDIA.sub(" ", text).translate(WIDE).lower()):
        if run[0] <= "z":
            found[run[:_LONGEST]] = None
            continue
        found.update((character, None) for character in run if character not in _STOP)
        found.update((a + b, None) for a, b in pairwise(run) if a not in _STOP or b not in _STOP)
    return list(found)[:MOST]


def asked(lines: Iterable[str]) -> Mapping[str, float]:
    """What lines of a chat, oldest first, ask for: gram → weight; the last line counts most."""
    weights: dict[str, float] = {}
    for place, line in enumerate(reversed(list(lines))):
        for gram in grams(line):
            if len(weights) < ASKED:
                weights.setdefault(gram, EARLIER**place)
    return weights
