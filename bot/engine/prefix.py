"""What a chat's next turn need not read again: caches of earlier prompts and their replies.

Knows token ids, which cache shares the longest beginning with a prompt, and which goes when there
are too many; of a cache only its layers and how to cut it. Used by the model's thread alone, for a
row that is alone in its batch; what stands in memory here is of chats that were answered, and goes
with the weights.

Bounded in tokens, at most a quarter of a batch's budget and never beside a batch that needs the
room: a token takes `2 * layers * key and value heads * head size` numbers of 4 bytes, less than the
budget reckons for one (budget.py adds the prefill); without a card at most 8,192 tokens, 2 GiB for
an 8B with 8 such heads.

A cache is never changed once it is kept: a cut shares its memory until the first step copies it, so
one beginning, such as a system prompt, serves many chats.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LEAST = 64
"""Tokens in common from which on a cache is worth it."""
SHARE = 4
"""A batch's budget through this is what is kept."""
_MOVING = {"dynamic", "longrope"}
"""Positions that are reckoned anew when a text grows: an earlier cache has others than one forward."""


@dataclass(slots=True, frozen=True, eq=False)
class Entry:
    ids: list[int]
    """What the cache has read."""
    prompt: int
    """How many of them are the prompt."""
    cache: Any


class Prefixes:
    """The caches that are kept, the longest unused first. `new` makes an empty one."""

    def __init__(self, new: Callable[[], Any]) -> None:
        self._new = new
        self._kept: list[Entry] = []

    @property
    def tokens(self) -> int:
        return sum(len(entry.ids) for entry in self._kept)

    def begin(self, ids: Sequence[int]) -> Any:
        """A cache of the longest known beginning of a prompt, of all but its last token at most; else an empty one."""
        best, entry = max(
            ((common(entry.ids, ids[:-1]), entry) for entry in self._kept),
            key=lambda found: found[0],
            default=(0, None),
        )
        if entry is None or best < LEAST:
            return self._new()
        self._kept.remove(entry)
        self._kept.append(entry)
        return _cut(entry.cache, best)

    def keep(self, read: list[int], prompt: int, cache: Any, budget: int) -> None:
        """Keep a cache and what it has read, a prompt and its reply; one that the same chat has left behind goes,
        and what is too much."""
        self._kept = [entry for entry in self._kept if common(entry.ids, read) < entry.prompt]
        if LEAST <= len(read) <= budget // SHARE:
            self.make_room(len(read), budget // SHARE)
            self._kept.append(Entry(read, prompt, cache))

    def make_room(self, tokens: int, budget: int) -> None:
        """Forget caches until so many tokens more keep within the budget."""
        while self._kept and self.tokens + tokens > budget:
            del self._kept[0]

    def clear(self) -> None:
        self._kept.clear()


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def prefixes(model: Any) -> Prefixes | None:
    """A store for a model whose replies stay what they are; None where that isn't sure.

    In float32 alone: in fewer bits a prompt read in two parts rounds otherwise than in one, and the
    same request would not repeat itself. And only where each token leaves its keys and values and
    nothing else: a recurrent or a sliding layer can't be cut.
    """
    from transformers.cache_utils import DynamicCache, get_layer_types_and_kwargs

    config = model.config.get_text_config(decoder=True)
    positions = getattr(config, "rope_parameters", None) or {}
    moving = positions.get("rope_type") in _MOVING
    rounding = model.dtype.itemsize != 4 or getattr(model.config, "quantization_config", None) is not None
    if moving or rounding or set(get_layer_types_and_kwargs(config)[0]) != {"full_attention"}:
        return None
    return Prefixes(lambda: DynamicCache(config=config))


def _cut(cache: Any, tokens: int) -> Any:
    """The first tokens of a cache, in the same memory."""
    part = copy.copy(cache)
    part.layers = [copy.copy(layer) for layer in cache.layers]
    part.crop(tokens - cache.get_seq_length())
    return part
