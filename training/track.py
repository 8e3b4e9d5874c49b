"""Follows a training run and keeps its page: numbers as they are logged, samples at each evaluation.

    the Trainer's events ─▶ runs/.<name>.part/course.json ─▶ runs/<name>/train.html

Only the first process writes or speaks. A run that is gone on with takes its course up again, up to
the step it goes on from. Doesn't know how the page looks.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from transformers import TrainerCallback

from bot.persona.manifest import write_atomically
from bot.persona.prompt import PromptSpec
from config.errors import MyBotError
from config.settings import Train
from training import samples, spent
from training.dataset import read_rows
from training.pace import Clock
from training.run_page import PAGE, Course, render
from training.windows import Window

COURSE = "course.json"
EVERY = 2.0
"""Seconds between two writings, at least."""


class Track(TrainerCallback):
    """What a page shows of a run. `with` it, so that the page says how the run ended."""

    clock: Clock
    """To be set before the run begins."""

    def __init__(self, knobs: Train, tokenizer: Any, windows: list[Window], dev: list[Window], scratch: Path) -> None:
        self._knobs, self._tokenizer = knobs, tokenizer
        self._file = scratch / COURSE
        self._page = scratch.with_name(scratch.name.removeprefix(".").removesuffix(".part")) / PAGE
        self._spec = PromptSpec.model_validate_json((knobs.data / "prompt.json").read_bytes())
        self._prompts: list[samples.Prompt] = []
        self._first = False
        self._opened = time.monotonic()
        self.course = self._taken_up() or Course(
            name=knobs.name,
            me=self._spec.me,
            recipe=knobs.model_dump(mode="json", exclude={"data", "runs", "as_json", "fresh"}),
            data={
                "windows": len(windows),
                "tokens": sum(len(window.input_ids) for window in windows),
                "tokens_with_loss": sum(window.trained for window in windows),
                "heldout_windows": len(dev),
            },
        )
        self._spent, self._peaks = self.course.spent, self.course.peaks
        spent.begin()

    def _taken_up(self) -> Course | None:
        """The course so far of a run that is gone on with."""
        if not self._file.is_file():
            return None
        course = Course(**json.loads(self._file.read_bytes()))
        # They may be others than before the break: what is together in an update stays the same.
        for knob in ("per_device_train_batch_size", "gradient_accumulation_steps"):
            course.recipe[knob] = getattr(self._knobs, knob)
        course.state, course.why = "running", ""
        return course

    def __enter__(self) -> "Track":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.course.state = "finished"
        else:
            by_signal = isinstance(error, KeyboardInterrupt | SystemExit) or getattr(error, "exit_code", 0) >= 128
            self.course.state = "stopped" if by_signal else "failed"
            self.course.why = str(error) if isinstance(error, MyBotError) else type(error).__name__
        self.course.seconds_left = None
        if self._first:
            self._write()

    def cost(self) -> dict[str, float]:
        """`seconds` over all starts of the run, but for what a kill cut off; GiB by what held them."""
        course = self.course
        return {
            "seconds": round(course.spent, 1),
            **{f"{name}_gib": round(gib, 3) for name, gib in course.peaks.items()},
        }

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._first = state.is_world_process_zero
        course = self.course
        if state.global_step and state.global_step not in course.resumed:
            course.resumed.append(state.global_step)
        course.cut(state.global_step)
        course.steps, course.step = state.max_steps, state.global_step
        if self._first:
            self._prompts = self._chosen()
            course.asked = [{"asked": prompt.asked, "answered": prompt.answered} for prompt in self._prompts]
            self._speak(kwargs["model"], state.global_step)
            self._write()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        told = logs or {}
        measured = {name: float(told[name]) for name in ("loss", "eval_loss", "learning_rate") if name in told}
        if not self._first or not measured:
            return
        course = self.course
        course.step, course.steps, course.epoch = state.global_step, state.max_steps, state.epoch or 0.0
        if "loss" in measured:
            measured["tokens_per_second"] = self.clock.trainer.useful / max(1e-9, self.clock.seconds)
            measured["memory"] = _memory()
        course.seconds_left = self.clock.left(course.steps - course.step)
        course.points.append({"step": course.step, **measured})
        if time.time() - course.written > EVERY:
            self._write()

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._first:
            self._speak(kwargs["model"], state.global_step)
            self._write()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # What goes on from this checkpoint knows what it took until here.
        if self._first:
            self._write()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.course.step = state.global_step

    def _chosen(self) -> list[samples.Prompt]:
        knobs = self._knobs
        if not knobs.samples or ((knobs.load_in_4bit or knobs.load_in_8bit) and not _has_card()):
            # Without a card, speaking packs quantised weights anew, and training would go on with those.
            return []
        if knobs.sample_prompts:
            return samples.of_texts(self._tokenizer, self._spec, knobs.sample_prompts, knobs.max_length)
        dev = (row for row in read_rows(knobs.data / "heldout.jsonl") if row["split"] == "dev")
        return samples.choose(self._tokenizer, self._spec, dev, knobs.max_length, knobs.seed)

    def _speak(self, model: Any, step: int) -> None:
        if not self._prompts or any(said["step"] == step for said in self.course.said):
            return
        begun = time.monotonic()
        replies = samples.say(model, self._tokenizer, self._prompts)
        self.course.said.append({"step": step, "seconds": round(time.monotonic() - begun, 2), "replies": replies})

    def _write(self) -> None:
        self.course.written = time.time()
        self.course.spent = self._spent + time.monotonic() - self._opened
        self.course.peaks = spent.highest(self._peaks, spent.peaks())
        if self._file.parent.is_dir():
            write_atomically(self._file, json.dumps(asdict(self.course), ensure_ascii=False))
        self._page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._page, render(self.course))


def _has_card() -> bool:
    import torch

    return torch.cuda.is_available()


def _memory() -> float:
    """GiB: the most that was taken of the card, or what the process holds now where there is none."""
    import psutil
    import torch

    used = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else psutil.Process().memory_info().rss
    return used / 2**30
