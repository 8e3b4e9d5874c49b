"""A run that must end by a time: how many steps that is, measured, and a schedule that ends with it.

After three warm steps and one evaluation the time of a step is measured, and from then on at every
step; what is left of the time says how many steps are left, and the learning rate follows its course
over just those. All processes keep to the first one's plan.
"""

import json
import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, get_scheduler

from bot.persona.manifest import write_atomically
from config.errors import TrainingError
from training.pace import WARM

PLAN = "budget.json"


class Budget(TrainerCallback):
    """Ends the run when its minutes are used, evaluations counted."""

    def __init__(self, minutes: float, scratch: Path) -> None:
        self._seconds, self._file = minutes * 60, scratch / PLAN
        self._spent, self._steps = json.loads(self._file.read_bytes()) if self._file.is_file() else (0.0, 0)
        self._most = 0
        self._first_step = 0
        self._begun = self._warm_at = self._from = time.monotonic()
        self._evaluation = 0.0
        """Seconds of one evaluation, samples included."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        from torch.optim.lr_scheduler import LambdaLR

        if not isinstance(kwargs["lr_scheduler"], LambdaLR):
            raise TrainingError(
                f"max_minutes can't plan {args.lr_scheduler_type}", hint="--lr-scheduler-type cosine, or no max_minutes"
            )
        self._begun, self._first_step, self._most = time.monotonic(), state.global_step, state.max_steps
        if self._steps:
            self._plan(args, state, kwargs["lr_scheduler"], self._steps)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step - self._first_step == WARM:
            self._from = time.monotonic()
            self._evaluation = self._from - self._warm_at

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        done = state.global_step - self._first_step
        if done == WARM:
            self._warm_at = time.monotonic()
            control.should_evaluate = args.eval_strategy != "no"
        if done <= WARM:
            return
        now = time.monotonic()
        a_step = (now - self._from) / (done - WARM)
        # At the end it is evaluated when the epoch breaks off, and once more when the run is closed.
        left = self._seconds - self._spent - (now - self._begun) - 2 * self._evaluation
        steps = _agreed(min(self._most, state.global_step + max(0, math.floor(left / a_step))))
        self._plan(args, state, kwargs["lr_scheduler"], steps)
        if state.global_step >= state.max_steps:
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            spent = self._spent + time.monotonic() - self._begun
            write_atomically(self._file, json.dumps([spent, state.max_steps]))

    def _plan(self, args: Any, state: Any, scheduler: Any, steps: int) -> None:
        """From here on, the course of `steps` steps in all."""
        if steps == state.max_steps:
            return
        state.max_steps = steps
        if args.save_steps < 1:
            state.save_steps = max(1, math.ceil(steps * args.save_steps))
        scheduler.lr_lambdas = [_course(args, steps)] * len(scheduler.lr_lambdas)


def _course(args: Any, steps: int) -> Any:
    """The share of the peak learning rate at each step, as transformers plans it."""
    import torch

    nothing = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    planned: Any = get_scheduler(
        args.lr_scheduler_type,
        nothing,
        num_warmup_steps=args.get_warmup_steps(steps),
        num_training_steps=steps,
        scheduler_specific_kwargs=args.lr_scheduler_kwargs,
    )
    return planned.lr_lambdas[0]


def _agreed(steps: int) -> int:
    """The first process's number: their clocks differ, and they must end together."""
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    if PartialState().num_processes == 1:
        return steps
    return broadcast_object_list([steps])[0]
