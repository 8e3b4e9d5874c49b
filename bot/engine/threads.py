"""How many CPU threads a forward is worth: tried out when a model is loaded.

A small model's step is over before other threads have been woken; a prompt of some length is worth
them all. Imports torch; imported late, by model.py alone. The number holds for the thread that
sets it: load and generate in one.
"""

import time
from dataclasses import dataclass
from typing import Any

import torch

SIZES = (1, 16, 256)
"""Tokens of the forwards that are tried."""
LONG = 1024
"""Tokens from which on a forward gets all threads untried."""
_TRIAL = 0.08
"""Seconds of trying for each size."""
_SLOW = 0.05
"""Seconds of a forward from which on all threads are worth it."""
_LARGE = 200e6
"""Parameters from which on every step is long."""
_WORTH = 0.95
"""Of the time with fewer threads, what more of them must stay under."""
_HOPELESS = 1.5
"""Times the time with more threads at which fewer are not tried any more."""


@dataclass(slots=True, frozen=True)
class Threads:
    """Tokens of a forward, from so many on → threads."""

    table: dict[int, int]
    most: int
    """What there are between two batches."""

    def use(self, tokens: int) -> None:
        """Let the next forward, of so many tokens, run on as many threads as it is worth."""
        torch.set_num_threads(self.table[max(size for size in self.table if size <= max(1, tokens))])

    def use_all(self) -> None:
        torch.set_num_threads(self.most)

    def __str__(self) -> str:
        steps, *others = self.table.items()
        more = [f"{threads} from {tokens} tokens on" for tokens, threads in others]
        return f"{steps[1]} thread{'s' * (steps[1] > 1)}" + (f" ({', '.join(more)})" if more else "")


def choose(model: Any, asked: int) -> Threads:
    """The numbers for a model on the CPU: `asked`, or tried out where that is 0, for a quarter of a second."""
    most = asked or torch.get_num_threads()
    # A forward would make bitsandbytes repack its weights for good.
    packed = getattr(model.config, "quantization_config", None) is not None
    if asked or most == 1 or packed or model.num_parameters() > _LARGE:
        torch.set_num_threads(most)
        return Threads({1: most}, most)
    table: dict[int, int] = {}
    longest = getattr(model.config, "max_position_embeddings", None) or SIZES[-1]
    for size in (size for size in SIZES if size <= longest):
        best = _best(model, size, most)
        if not table or best != list(table.values())[-1]:
            table[size] = best
        if best == most:
            break
    if most not in table.values():
        table[LONG] = most
    torch.set_num_threads(most)
    return Threads(table, most)


def _best(model: Any, tokens: int, most: int) -> int:
    """The threads that such a forward is worth; more of them only where that shows."""
    counts = [most, *_powers(most)]
    times = dict.fromkeys(counts, float("inf"))
    with torch.inference_mode():
        ids = torch.zeros((1, tokens), dtype=torch.long)
        if _seconds(model, ids, most) > _SLOW:
            return most
        until = time.perf_counter() + _TRIAL
        while time.perf_counter() < until:
            for place, count in enumerate(counts):
                times[count] = min(times[count], _seconds(model, ids, count))
                if place and times[count] > _HOPELESS * min(times[more] for more in counts[:place]):
                    del counts[place:]  # fewer still take longer still
                    break
    best = min(counts)
    for count in sorted(counts):
        if times[count] < _WORTH * times[best]:
            best = count
    return best


def _powers(most: int) -> list[int]:
    return [1 << place for place in reversed(range(most.bit_length())) if 1 << place < most]


def _seconds(model: Any, ids: torch.Tensor, count: int) -> float:
    torch.set_num_threads(count)
    model(input_ids=ids, use_cache=True, logits_to_keep=1)  # the pool grows or shrinks
    begun = time.perf_counter()
    model(input_ids=ids, use_cache=True, logits_to_keep=1)
    return time.perf_counter() - begun
