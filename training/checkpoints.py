"""An unfinished run: what it was begun with, its checkpoints, its best adapter so far.

    runs/.<name>.part/   begun.json       what it learns from: data, base model, recipe
                         checkpoint-N/    the Trainer's own
                         best/  best.json the adapter with the lowest held-out loss, and that loss

Knows folders and signals; doesn't know models. A finished run has none of this.
"""

import json
import shutil
import signal
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback

from bot.persona.manifest import write_atomically
from config.errors import SettingsError, TrainingError
from training import adapters

BEGUN = "begun.json"


def take_up(scratch: Path, begun: dict[str, Any], *, fresh: bool) -> Path | None:
    """The checkpoint to go on from, if this run was begun before; SettingsError if that was another run."""
    if fresh or not (scratch / BEGUN).is_file():
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        write_atomically(scratch / BEGUN, json.dumps(begun, ensure_ascii=False))
        return None
    before = json.loads((scratch / BEGUN).read_bytes())
    other = [name for name in begun if before.get(name) != begun[name]]
    if other:
        raise SettingsError(
            f"an unfinished run {scratch.name[1:-5]!r} was begun with another {', '.join(other)}",
            hint="--fresh throws it away; --name gives this run a name of its own",
        )
    return newest(scratch)


def newest(scratch: Path) -> Path | None:
    """The newest whole checkpoint. A Trainer writes trainer_state.json last: without it, one is half-written."""
    found = [path for path in scratch.glob("checkpoint-*") if _whole(path)]
    return max(found, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def _whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_bytes())
    except (OSError, ValueError):
        return False
    return True


def leave(scratch: Path) -> None:
    """After a failure: keep what can be gone on from, and nothing else."""
    if newest(scratch) is None:
        shutil.rmtree(scratch, ignore_errors=True)


class Best(TrainerCallback):
    """Keeps the adapter with the lowest held-out loss, and stops when it no longer falls."""

    def __init__(self, scratch: Path, patience: int) -> None:
        self._folder, self._patience = scratch / "best", patience
        self._note = scratch / "best.json"
        self.loss, self.step, self._worse = float("inf"), 0, 0
        if self._note.is_file():
            self.loss, self.step, self._worse = json.loads(self._note.read_bytes())

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        loss = kwargs["metrics"].get("eval_loss")
        if loss is None:
            return
        first = state.is_world_process_zero
        if loss < self.loss:
            self.loss, self.step, self._worse = loss, state.global_step, 0
            if first:
                adapters.save(kwargs["model"], self._folder)
        else:
            self._worse += 1
        if first:
            write_atomically(self._note, json.dumps([self.loss, self.step, self._worse]))
        if self._patience and self._worse >= self._patience:
            control.should_training_stop = True


class Watch(TrainerCallback):
    """Ends a run early and well: at a signal it saves and stops, at a loss that is no number it stops."""

    def __init__(self) -> None:
        self.signal = 0
        self._handlers: dict[int, Any] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._caught)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            self.restore()
            signal.raise_signal(number)
        self.signal = number

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.signal:
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if loss != loss or loss == float("inf"):
            raise TrainingError(
                f"the loss at step {state.global_step} is not a number",
                hint="lower the learning rate; --fresh begins anew, without it the last good checkpoint goes on",
            )

    def restore(self) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
