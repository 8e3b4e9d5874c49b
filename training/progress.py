"""Progress of a training run: a bar on a terminal, plain lines elsewhere."""

from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from transformers import TrainerCallback

from training.pace import Clock


class Bar(TrainerCallback):
    """Shows step, loss, useful tokens per second, memory of the card and time left of a Trainer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: Any = None
        self._loss = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._console.is_terminal and state.is_world_process_zero:
            columns = (
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = Progress(*columns, console=self._console, transient=False)
            self._task = self._bar.add_task("training", total=state.max_steps, note="")
            self._bar.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=state.global_step, total=state.max_steps, note=self._note(state))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        told = {"loss": "loss", "eval_loss": "held-out loss"}
        found = [f"{told[name]} {float(value):.3f}" for name, value in (logs or {}).items() if name in told]
        if not found:
            return
        self._loss = found[0]
        if self._bar is None and state.is_world_process_zero:
            note = self._note(state)
            self._console.print(f"step {state.global_step}/{state.max_steps}  {note}", highlight=False, soft_wrap=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _note(self, state: Any) -> str:
        rate = self._clock.trainer.useful / max(1e-9, self._clock.seconds)
        left = self._clock.left(state.max_steps - state.global_step)
        parts = [self._loss, f"{rate:,.0f} tokens/s", memory()]
        parts.append(f"{timedelta(seconds=round(left))} left" if left is not None else "")
        return "  ".join(filter(None, parts))


def memory() -> str:
    """The most memory of the card that was taken so far."""
    import torch

    return f"{torch.cuda.max_memory_reserved() / 2**30:.1f} GiB" if torch.cuda.is_available() else ""
