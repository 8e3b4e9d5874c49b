"""How a reply is written, as numbers and categories: what style and the second judge look at.

Knows one reply at a time; doesn't know who wrote it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from training.evaluate.sample import Reply

_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")
_LAUGHTER = re.compile(r"[哈呵嘿嘻]{2,}|h{2,}|(?:ha){2,}|2?3{2,}|[w草]{3,}|xs+wl|笑死", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[，。！？、；：…~～,.!?;:—\-·()（）\"“”‘’「」《》]")
_LATIN = re.compile(r"[A-Za-z]")
_MENTION = re.compile(r"@\S+ ?")
_PARTICLE = re.compile(r"([吧啊呢嘛哈呀啦哦噢呗咯嘞哇呜耶诶欸捏惹])[^\w]*$")
_FIRST = re.compile(r"我们|咱们|本人|老子|本宝宝|人家|俺|咱|偶|朕|窝|我")


def words(bubble: str) -> str:
    """A bubble without mentions."""
    return _MENTION.sub("", bubble).strip()


def _share(pattern: re.Pattern[str], text: str) -> int:
    """Per cent of the characters."""
    return round(100 * len(pattern.findall(text)) / max(1, len(text)))


def _per_bubble(number: Callable[[str], int]) -> Callable[[Reply], list[int]]:
    return lambda reply: [number(bubble) for bubble in reply.bubbles]


class Scale(NamedTuple):
    """A numeric feature: its values in a reply (one a bubble, or one in all), whole numbers from 0 to `top`."""

    top: int
    values: Callable[[Reply], Sequence[int]]


NUMBERS = {
    "length": Scale(200, _per_bubble(lambda bubble: len(words(bubble)))),
    "bubbles": Scale(12, lambda reply: [len(reply.bubbles)]),
    "punctuation": Scale(100, _per_bubble(lambda bubble: _share(_PUNCTUATION, words(bubble)))),
    "emoji": Scale(6, _per_bubble(lambda bubble: len(_EMOJI.findall(bubble)))),
    "laughter": Scale(20, _per_bubble(lambda bubble: max(map(len, _LAUGHTER.findall(bubble)), default=0))),
    "latin": Scale(100, _per_bubble(lambda bubble: _share(_LATIN, words(bubble)))),
}
"""Shares (punctuation, Latin letters) are per cent of a bubble's characters."""


def _last(bubble: str) -> str:
    return words(bubble)[-1:]


def _particle(bubble: str) -> str:
    found = _PARTICLE.search(words(bubble))
    return found[1] if found else ""


CATEGORIES: dict[str, Callable[[Reply], Iterable[str]]] = {
    "final_character": lambda reply: map(_last, reply.bubbles),
    "final_particle": lambda reply: map(_particle, reply.bubbles),
    "stickers": lambda reply: reply.media or [""],
    "addressing": lambda reply: [("@" if reply.ats else "") + ("quote" if reply.quotes else "")],
    "first_person": lambda reply: _FIRST.findall(reply.text) or [""],
}
"""Name of a categorical feature → the categories in a reply; "" where a reply or bubble has none."""


def grams(bubbles: Iterable[str], longest: int = 3) -> Iterator[str]:
    """Every run of 1 to `longest` characters within a bubble."""
    for bubble in bubbles:
        for size in range(1, longest + 1):
            for place in range(len(bubble) - size + 1):
                yield bubble[place : place + size]


def row(reply: Reply) -> list[float]:
    """A reply as numbers, for a judge that sees no characters."""
    lines = reply.bubbles or ("",)
    means = [sum(values) / max(1, len(values)) for values in (scale.values(reply) for scale in NUMBERS.values())]
    return [
        *means,
        float(max(len(words(line)) for line in lines)),
        sum(bool(_particle(line)) for line in lines) / len(lines),
        sum(bool(_PUNCTUATION.match(_last(line))) for line in lines) / len(lines),
        float(_FIRST.search(reply.text) is not None),
    ]
