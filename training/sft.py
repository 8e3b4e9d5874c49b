"""`mybot train`: turns + base model → runs/<name>/adapter, by TRL's SFTTrainer and PEFT.

Knows the recipe and the windows; batching, optimiser and adapter are TRL's and PEFT's. A run
folder has `run.json` written last: without it there is nothing to merge.
"""

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.persona.behaviour import Behaviour
from bot.persona.manifest import write_atomically
from bot.persona.prompt import PromptSpec, render
from config.errors import InputError, TrainingError
from config.settings import Train
from training import base, recipe
from training.dataset import read_rows, turns_of
from training.report import show
from training.windows import IGNORE, Cutter, Window, check_parity, label

if TYPE_CHECKING:
    from trl.trainer.sft_trainer import SFTTrainer

RUN = "run.json"
CHECKED = 32
"""Rows whose tokens are compared with what the engine would feed, before every run."""


def main(knobs: Train) -> None:
    base.quiet()
    knobs = recipe.resolve(knobs)
    run = knobs.runs / knobs.name
    spec = _spec(knobs.data)
    tokenizer = base.load_tokenizer(knobs.base_model, knobs.revision)
    check_rows(tokenizer, spec, knobs.data / "train.jsonl")
    cutter = Cutter(tokenizer, spec, knobs.max_length, loss_on=knobs.loss_on)
    windows = list(cut_rows(cutter, read_rows(knobs.data / "train.jsonl")))
    if not windows:
        raise InputError(f"nothing to learn in {knobs.data / 'train.jsonl'}", hint="check `mybot dataset`")
    judge = Cutter(tokenizer, spec, knobs.max_length)
    dev = list(cut_rows(judge, (row for row in read_rows(knobs.data / "heldout.jsonl") if row["split"] == "dev")))
    losses = _train(knobs, tokenizer, windows, dev, run)
    _finish(knobs, run, spec, losses)
    tokens = sum(len(window.input_ids) for window in windows)
    trained = sum(window.trained for window in windows)
    show(
        f"train: {run}",
        {
            "windows": len(windows),
            "tokens": tokens,
            "tokens_with_loss": trained,
            "left_out": dict(cutter.left_out) or 0,
            **losses,
        },
        as_json=knobs.as_json,
    )


def cut_rows(cutter: Cutter, rows: Iterable[dict[str, Any]]) -> Iterable[Window]:
    """The windows of dataset rows that have any loss."""
    for row in rows:
        for window in cutter.cut(turns_of(row), kind=row["kind"], name=row["name"]):
            if window.trained:
                yield window


def check_rows(tokenizer: Any, spec: PromptSpec, path: Path) -> None:
    """Raise TrainingError unless the first rows decode to my replies and keep parity with the engine."""
    for row, _ in zip(read_rows(path), range(CHECKED), strict=False):
        turns = render(turns_of(row), spec, kind=row["kind"], name=row["name"])
        window = label(tokenizer, turns, {tokenizer.eos_token_id})
        check_parity(tokenizer, turns, window)
        learned = tokenizer.decode([i for i in window.labels if i != IGNORE], skip_special_tokens=True)
        wanted = "".join(turn.content[a:b] for turn in turns for a, b in turn.targets)
        if "".join(learned.split()) != "".join(wanted.split()):
            raise TrainingError("the tokens with loss are not the replies", hint="this tokenizer can't be used")


def _spec(data: Path) -> PromptSpec:
    path = data / "prompt.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist", hint="run `mybot dataset` first")
    return PromptSpec.model_validate_json(path.read_bytes())


def _train(knobs: Train, tokenizer: Any, windows: list[Window], dev: list[Window], run: Path) -> dict[str, float]:
    """Fine-tune and write the adapter; returns the losses. Only a finished adapter is left behind."""
    scratch = run.with_name(f".{run.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        trainer, bar = _trainer(knobs, tokenizer, windows, dev, scratch)
        try:
            outcome = trainer.train()
        finally:
            bar.close()
        losses = {"loss": round(outcome.training_loss, 4)}
        if dev:
            losses["heldout_loss"] = round(trainer.evaluate()["eval_loss"], 4)
        if losses["loss"] != losses["loss"]:
            raise TrainingError("the loss is not a number", hint="lower the learning rate")
        model: Any = trainer.model
        model.save_pretrained(scratch / "adapter")
        tokenizer.save_pretrained(scratch / "adapter")
        (scratch / "adapter" / "README.md").unlink(missing_ok=True)
        shutil.rmtree(run, ignore_errors=True)
        scratch.replace(run)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return losses


def _trainer(
    knobs: Train, tokenizer: Any, windows: list[Window], dev: list[Window], scratch: Path
) -> tuple["SFTTrainer", Any]:
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback, set_seed
    from trl.trainer.sft_trainer import SFTTrainer

    from training.progress import Bar

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
    )
    bar = Bar(sum(len(window.input_ids) for window in windows))
    trainer = SFTTrainer(
        model=model,
        args=recipe.sft_config(knobs, scratch, evaluate=bool(dev)),
        train_dataset=Dataset.from_list([_columns(window) for window in windows]),
        eval_dataset=Dataset.from_list([_columns(window) for window in dev]) if dev else None,
        processing_class=tokenizer,
        peft_config=recipe.lora(knobs),
        callbacks=[bar],
    )
    trainer.remove_callback(PrinterCallback)
    tuned: Any = trainer.model
    for parameter in tuned.parameters():
        # SFTTrainer casts the adapters of quantised models to bfloat16, whatever the compute dtype;
        # in 32 bit they train on every card, and GradScaler accepts them.
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    return trainer, bar


def _columns(window: Window) -> dict[str, list[int]]:
    return {"input_ids": window.input_ids, "labels": window.labels}


def _finish(knobs: Train, run: Path, spec: PromptSpec, losses: dict[str, float]) -> None:
    behaviour = knobs.data / "behaviour.json"
    manifest = {
        "base_model": base.locate(knobs.base_model),
        "recipe": knobs.model_dump(mode="json", exclude={"data", "runs", "as_json"}),
        "data": {name: sha256(knobs.data / name) for name in ("train.jsonl", "heldout.jsonl")},
        "prompt": spec.model_dump(mode="json"),
        "behaviour": json.loads(behaviour.read_bytes()) if behaviour.is_file() else Behaviour().model_dump(mode="json"),
        "losses": losses,
        "packages": versions(),
    }
    write_atomically(run / RUN, json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    names = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "tokenizers")
    return {name: importlib.metadata.version(name) for name in names}
