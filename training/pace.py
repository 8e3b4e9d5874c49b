"""How long the steps take: what is left of the run, and a card that spills into slow memory.

Under WSL and Windows a full card doesn't fail: the driver moves what doesn't fit into the
computer's memory, and a step takes several times as long. Only steps count, never the time
between them, in which the held-out loss is measured and checkpoints are written.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from training.trainer import Trainer

WARM = 3
"""Steps in which kernels are chosen and memory is taken: they say nothing of the others."""
SLOW = 3
"""So many slow steps of like size in a row are no accident."""
FACTOR = 4.0
"""A step that takes so many times as long as before is slow."""
LIKE = 1.25
"""Steps are of like size when their tokens differ by less than this factor."""
FULL = 0.75
"""Share of a card's memory below which nothing spills; a desktop and other programs take their part."""


@dataclass(slots=True, frozen=True)
class Step:
    seconds: float
    tokens: int


def spilled(steps: Sequence[Step]) -> bool:
    """Whether the latest steps became several times as slow as earlier ones of like size."""
    if not steps:
        return False
    now = steps[-1].tokens
    alike = [step.seconds for step in steps[WARM:] if now / LIKE <= step.tokens <= now * LIKE]
    before, latest = alike[:-SLOW], alike[-SLOW:]
    return len(before) >= SLOW and min(latest) > FACTOR * statistics.median(before)


def seconds_left(steps: Sequence[Step], pauses: float, more: int) -> float | None:
    """Seconds that `more` steps take, with as much time between them as there was; None before it is known."""
    if len(steps) <= WARM:
        return None
    warm = steps[WARM:]
    return more * (statistics.fmean(step.seconds for step in warm) + pauses / len(steps))


class Clock(TrainerCallback):
    """Times the steps of a Trainer; where they say that the card spills, it shrinks the micro-batches."""

    def __init__(self, trainer: "Trainer") -> None:
        self.trainer = trainer
        self.steps: list[Step] = []
        self._since_shrunk = 0
        self._begun = self._step = 0.0
        self._computed = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._begun = time.monotonic()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._step, self._computed = time.monotonic(), self.trainer.computed

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        wait()
        self.steps.append(Step(time.monotonic() - self._step, self.trainer.computed - self._computed))
        if spilled(self.steps[self._since_shrunk :]) and full() and self._can_shrink():
            self._since_shrunk = len(self.steps)
            self.trainer.shrink(
                "a step takes several times as long as before, as if out of memory", self.trainer.largest
            )

    def _can_shrink(self) -> bool:
        return len(self.trainer.largest) > 1 and self.trainer.accelerator.num_processes == 1

    @property
    def seconds(self) -> float:
        """Seconds since training began."""
        return time.monotonic() - self._begun

    def left(self, more: int) -> float | None:
        """Seconds that `more` steps take, once that can be told."""
        busy = sum(step.seconds for step in self.steps)
        return seconds_left(self.steps, max(0.0, self.seconds - busy), more)


def wait() -> None:
    """Let the card finish, so that a clock says how long its work took."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def full() -> bool:
    """Whether the card's memory is nearly taken; a CPU has nothing to spill into."""
    import torch

    if not torch.cuda.is_available():
        return False
    return torch.cuda.memory_reserved() > FULL * torch.cuda.get_device_properties().total_memory
