"""Carry a batch from its prompts to its end, token by token: score, draw, hand each row its token.

    prompts ─way.begin─▶ scores ─draw.next─▶ tokens ─way.step─▶ scores … ; tokens ─steps.take─▶ rows

How a step is made is the way's: with a cache that grows (here) or in fixed shapes (shapes.py). Why not
`generate()`: its bookkeeping costs a small model 8 % of every step, it looks at the whole mask at each step,
which a card has to be waited for, and it draws before it lets the card go on.

Imports torch; only model.py imports it, late. Knows nothing of queues and text.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from bot.engine.rows import Steps
from bot.engine.sampling import Draw
from bot.engine.threads import Threads


class Way(Protocol):
    """One batch through a model."""

    @property
    def ahead(self) -> bool:
        """Whether a step runs while others work."""
        ...

    def begin(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The scores after some left-padded prompts, (prompts, vocabulary)."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """The scores after one more token a row; they hold until the next step."""
        ...


class Growing:
    """A cache that grows with every token, from `cache` on if a prompt's beginning was read before (one row then).

    Says what transformers' own `generate()` says, token by token.
    """

    def __init__(self, model: Any, device: str, threads: Threads | None = None, cache: Any = None) -> None:
        self._model = model
        self._threads = threads
        self.ahead = device.startswith("cuda")
        self.cache = cache
        self.fed: list[Tensor] = []
        """The tokens that were read after the prompts, (rows,) each."""
        self._mask: Tensor | None = None
        self._positions: Tensor

    def begin(self, ids: Tensor, mask: Tensor) -> Tensor:
        known = 0 if self.cache is None else self.cache.get_seq_length()
        # Without padding no layer needs a mask, nor has to find out at every step that it needs none.
        self._mask = None if bool(mask.all()) else mask
        positions = (mask.cumsum(-1) - 1).clamp_min(0)
        self._positions = positions[:, -1:]
        self._use_threads(ids.numel() - known)
        scores = self._forward(ids[:, known:], positions[:, known:])
        self._use_threads(len(ids))
        return scores

    def step(self, tokens: Tensor) -> Tensor:
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=-1)
        self._positions = self._positions + 1
        self.fed.append(tokens)
        return self._forward(tokens[:, None], self._positions)

    def _use_threads(self, tokens: int) -> None:
        if self._threads is not None:
            self._threads.use(tokens)

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        out = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.cache = out.past_key_values
        return out.logits[:, -1].float()


def decode(way: Way, ids: Tensor, mask: Tensor, draw: Draw, steps: Steps, limit: int) -> None:
    """Carry a batch to its end, at most `limit` tokens a row."""
    scores = way.begin(ids, mask)
    for left in range(limit - 1, -1, -1):
        tokens = draw.next(scores)
        read = _reader(tokens, draw.broken)
        if left and way.ahead:
            scores = way.step(tokens)
        if all(steps.take(*read())):
            return
        if left and not way.ahead:
            scores = way.step(tokens)


def _reader(tokens: Tensor, broken: Tensor) -> Callable[[], Sequence[list[int]]]:
    """Reads both out at once, later: waits for no more than what has been asked of the card by now."""
    if not tokens.is_cuda:
        return lambda: (tokens.tolist(), broken.tolist())
    out = torch.stack([tokens, broken.long()]).to("cpu", non_blocking=True)
    copied = torch.cuda.Event()
    # Of the card that holds them, which need not be this thread's own.
    copied.record(torch.cuda.current_stream(tokens.device))

    def read() -> Sequence[list[int]]:
        copied.synchronize()
        return out.tolist()

    return read
