"""One training run, from windows to an adapter, that a crash, a signal or a full card doesn't lose.

    windows ─SFTTrainer─▶ runs/.<name>.part/checkpoint-N … best/ ─▶ runs/<name>/adapter

What can be gone on from stays in the part folder; the same command goes on from it. The adapter
that is kept is the one with the lowest held-out loss, where that is measured on the way.
"""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from config.errors import MyBotError, TrainingError
from config.settings import Train
from training import adapters, base, continued, recipe
from training.windows import Window

if TYPE_CHECKING:
    from accelerate import PartialState

    from training.track import Track
    from training.trainer import Trainer

console = Console(stderr=True, highlight=False)


class Stopped(MyBotError):
    """A signal ended the run; what it learned so far is kept."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped after step {step}", hint="the same command goes on from there")
        self.exit_code = 128 + number


@dataclass(slots=True)
class Outcome:
    """What a finished run says of itself."""

    losses: dict[str, float]
    best_step: int
    batching: str
    """packed, grouped or padded."""
    micro_batch: int
    """Tokens that passed through the model at once, at the end."""
    resumed: list[int] = field(default_factory=list)
    """Steps from which the run was gone on with."""
    course: list[dict[str, float]] = field(default_factory=list)
    """What was measured on the way: step, and loss or held-out loss."""
    cost: dict[str, float] = field(default_factory=dict)
    """Seconds of all its starts; the most memory, in GiB."""


def train(
    knobs: Train, tokenizer: Any, windows: list[Window], dev: list[Window], run: Path, facts: dict[str, Any]
) -> Outcome:
    """Fine-tune and leave the adapter in `run`. `facts` tell one unfinished run from another."""
    from training import checkpoints
    from training.track import Track

    scratch = run.with_name(f".{run.name}.part")
    world = _world(knobs)
    if world.is_main_process:
        checkpoints.take_up(scratch, facts, fresh=knobs.fresh)
    world.wait_for_everyone()
    checkpoint = checkpoints.newest(scratch)
    try:
        with _enough_disk(scratch), Track(knobs, tokenizer, windows, dev, scratch) as track:
            outcome = _once(knobs, tokenizer, windows, dev, scratch, checkpoint, track)
    except BaseException:
        checkpoints.leave(scratch)
        raise
    outcome.cost = track.cost()
    world.wait_for_everyone()
    if world.is_main_process:
        # The page is this run's already; what else is there is that of the run before.
        run.mkdir(parents=True, exist_ok=True)
        (run / "run.json").unlink(missing_ok=True)
        shutil.rmtree(run / "adapter", ignore_errors=True)
        (scratch / "adapter").replace(run / "adapter")
        shutil.rmtree(scratch)
    return outcome


def _world(knobs: Train) -> "PartialState":
    """The processes of this run; TrainingError if they are not as many as were asked for."""
    import torch
    from accelerate import PartialState

    world = PartialState(cpu=not torch.cuda.is_available())
    if world.num_processes != knobs.num_processes:
        raise TrainingError(
            f"{knobs.num_processes} processes were asked for, and {world.num_processes} are there",
            hint="mybot train --num-processes N starts them itself",
        )
    return world


def _once(
    knobs: Train,
    tokenizer: Any,
    windows: list[Window],
    dev: list[Window],
    scratch: Path,
    checkpoint: Path | None,
    track: "Track",
) -> Outcome:
    """The whole run, from its last checkpoint on."""
    from training.budget import Budget
    from training.checkpoints import Best, Watch
    from training.pace import Clock
    from training.progress import Bar

    resumed: list[int] = []
    if checkpoint is not None:
        resumed.append(int(checkpoint.name.rsplit("-", 1)[1]))
        console.print(f"going on from step {resumed[-1]}")
    best, watch = Best(scratch, knobs.early_stopping_patience), Watch()
    trainer = _trainer(knobs, tokenizer, windows, dev, scratch, [best, watch, track])
    trainer.shrunk = track.course.halved
    if trainer.is_world_process_zero():
        ends = sum(window.labels.count(tokenizer.eos_token_id) for window in windows)
        tokens = sum(window.trained for window in windows)
        for line in recipe.remarks(knobs, ends, tokens, trainer.get_num_trainable_parameters()):
            console.print(line)
    clock = Clock(trainer)
    bar = Bar(clock)
    trainer.add_callback(clock)
    trainer.add_callback(bar)
    track.clock = clock
    if knobs.max_minutes:
        trainer.add_callback(Budget(knobs.max_minutes, scratch))
    try:
        trained = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        bar.close()
        watch.restore()
    if watch.signal:
        raise Stopped(watch.signal, trainer.state.global_step)
    losses = {"loss": round(trained.training_loss, 4)}
    adapter, step = scratch / "adapter", trainer.state.global_step
    shutil.rmtree(adapter, ignore_errors=True)
    if dev:
        trainer.evaluate()
        losses["heldout_loss"], step = round(best.loss, 4), best.step
    if trainer.is_world_process_zero():
        _keep(trainer, tokenizer, scratch / "best", adapter)
    return Outcome(losses, step, trainer.batching, trainer.limit, resumed, _course(trainer.state.log_history))


def _keep(trainer: "Trainer", tokenizer: Any, best: Path, adapter: Path) -> None:
    """The best adapter, or else the last, with the tokenizer it was trained with."""
    if best.is_dir():
        best.replace(adapter)
    else:
        adapters.save(trainer.model, adapter)
    tokenizer.save_pretrained(adapter)


def _course(history: list[dict[str, float]]) -> list[dict[str, float]]:
    told = ("step", "epoch", "loss", "eval_loss", "learning_rate")
    return [
        {name: entry[name] for name in told if name in entry}
        for entry in history
        if "loss" in entry or "eval_loss" in entry
    ]


def _trainer(
    knobs: Train, tokenizer: Any, windows: list[Window], dev: list[Window], scratch: Path, callbacks: list[Any]
) -> "Trainer":
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback, set_seed

    from training import probe
    from training.batching import Updates, tokens_an_update
    from training.trainer import Trainer

    base.quiet()
    set_seed(knobs.seed)
    if knobs.max_memory and torch.cuda.is_available():
        share = knobs.max_memory * 2**30 / torch.cuda.mem_get_info()[1]
        torch.cuda.set_per_process_memory_fraction(min(1.0, share))
    model = base.load_model(
        knobs.base_model,
        dtype=recipe.compute_dtype(knobs) if torch.cuda.is_available() else torch.float32,
        revision=knobs.revision,
        quantization=recipe.quantization(knobs),
        attn_implementation=knobs.attn_implementation,
    )
    rows = [_columns(window) for window in windows]
    batching = probe.batching(model, knobs)
    lengths = [len(window.input_ids) for window in windows]
    a_step = knobs.per_device_train_batch_size * knobs.gradient_accumulation_steps * knobs.num_processes
    tokens = tokens_an_update(lengths, a_step, knobs.max_length)
    trainer = Trainer(
        rows=rows,
        updates=None if batching == "padded" else Updates(lengths, tokens, knobs.seed, knobs.num_processes),
        limit=knobs.per_device_train_batch_size * knobs.max_length,
        batching=batching,
        model=continued.onto(model, knobs.continue_from),
        args=recipe.sft_config(knobs, scratch, evaluate=bool(dev)),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list([_columns(window) for window in dev]) if dev else None,
        processing_class=tokenizer,
        peft_config=None if knobs.continue_from else recipe.lora(knobs),
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    tuned: Any = trainer.model
    for parameter in tuned.parameters():
        # SFTTrainer casts the adapters of quantised models to bfloat16, whatever the compute dtype;
        # in 32 bit they train on every card, and GradScaler accepts them.
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    continued.exactly(tuned, knobs.continue_from)
    adapters.remember_start(tuned, knobs)
    return trainer


def _columns(window: Window) -> dict[str, list[int]]:
    return {"input_ids": window.input_ids, "labels": window.labels}


@contextlib.contextmanager
def _enough_disk(folder: Path) -> Iterator[None]:
    """A full disk is an error that can be mended, whoever was writing."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        # PyTorch and safetensors have errors of their own for it.
        said = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in str(error)
        if not said and shutil.disk_usage(folder.parent).free >= 64 << 20:
            raise
        raise TrainingError(
            "the disk is full", hint="make room; the same command goes on from the last checkpoint"
        ) from error
