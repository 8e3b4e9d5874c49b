"""Logits only where there is loss.

    hidden states of all tokens ─labels─▶ those with a token to predict ─lm_head─▶ loss

In a window of a chat's context one token in seven has loss, and in a small model lm_head with the
loss is two fifths of the work. On cards TRL's kernel leaves the others out itself; elsewhere it
computes them and throws them away.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from training.windows import IGNORE


class Labelled:
    """Takes what has no label out of the hidden states of a causal language `model`, while it is asked to."""

    def __init__(self, model: Any) -> None:
        self._has: torch.Tensor | None = None
        model.base_model.register_forward_hook(self._leave)

    @contextlib.contextmanager
    def only(self, inputs: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The inputs as TRL takes them for hidden states that are picked out: with `shift_labels`, (1, labels)."""
        labels = inputs["labels"][:, 1:]
        if labels.is_cuda:
            yield inputs
            return
        self._has = labels != IGNORE
        try:
            yield {**inputs, "shift_labels": labels[self._has][None]}
        finally:
            self._has = None

    def _leave(self, _module: Any, _args: Any, output: Any) -> Any:
        if self._has is not None:
            output.last_hidden_state = output.last_hidden_state[:, :-1][self._has][None]
        return output
