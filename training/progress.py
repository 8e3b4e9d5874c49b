"""Progress of a training run: a bar on a terminal, plain lines elsewhere."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback


class Bar(TrainerCallback):
    """Shows step, loss, tokens per second and time left of a transformers Trainer."""

    def __init__(self, tokens_per_epoch: int) -> None:
        self._tokens = tokens_per_epoch
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: Any = None
        self._begun = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._begun = time.monotonic()
        if self._console.is_terminal:
            columns = (
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = Progress(*columns, console=self._console, transient=False)
            self._task = self._bar.add_task("training", total=state.max_steps, note="")
            self._bar.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        note = self._note(state, logs or {})
        if not note:
            return
        if self._bar is not None:
            self._bar.update(self._task, note=note)
        else:
            self._console.print(f"step {state.global_step}/{state.max_steps}  {note}", highlight=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _note(self, state: Any, logs: dict[str, float]) -> str:
        seconds = max(1e-9, time.monotonic() - self._begun)
        rate = f"{(state.epoch or 0) * self._tokens / seconds:,.0f} tokens/s"
        if "loss" in logs:
            return f"loss {float(logs['loss']):.3f}  {rate}"
        return f"held-out loss {float(logs['eval_loss']):.3f}  {rate}" if "eval_loss" in logs else ""
