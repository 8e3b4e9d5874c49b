"""`mybot train`: turns + base model → runs/<name>/adapter, by TRL's SFTTrainer and PEFT.

Knows the recipe and the windows; batching, optimiser and adapter are TRL's and PEFT's. A run
folder has `run.json` written last: without it there is nothing to merge.
"""

import hashlib
import importlib.metadata
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bot.persona.behaviour import Behaviour
from bot.persona.manifest import write_atomically
from bot.persona.prompt import PromptSpec, render
from config.errors import InputError, TrainingError
from config.settings import ROOT, Train
from training import base, continued, recipe, trained
from training.dataset import read_rows, turns_of
from training.report import show
from training.running import Outcome, train
from training.windows import IGNORE, Cutter, Window, check_parity, ended, label

RUN = "run.json"
CHECKED = 32
"""Rows whose tokens are compared with what the engine would feed, before every run."""


def main(knobs: Train) -> None:
    base.quiet()
    knobs = recipe.resolve(knobs)
    if knobs.num_processes > 1 and "WORLD_SIZE" not in os.environ:
        _launch(knobs.num_processes)
        return
    run = knobs.runs / knobs.name
    spec = _spec(knobs.data)
    older = continued.check(knobs) if knobs.continue_from is not None else None
    tokenizer = base.load_tokenizer(knobs.base_model, knobs.revision)
    check_rows(tokenizer, spec, knobs.data / "train.jsonl")
    cutter = Cutter(tokenizer, spec, knobs.max_length, loss_on=knobs.loss_on)
    windows = [ended(window) for window in cut_rows(cutter, read_rows(knobs.data / "train.jsonl"))]
    if not windows:
        raise InputError(f"nothing to learn in {knobs.data / 'train.jsonl'}", hint="check `mybot dataset`")
    judge = Cutter(tokenizer, spec, knobs.max_length)
    heldout = (row for row in read_rows(knobs.data / "heldout.jsonl") if row["split"] == "dev")
    dev = [ended(window) for window in cut_rows(judge, heldout)]
    if knobs.eval_windows and len(dev) > knobs.eval_windows:
        dev = random.Random(knobs.seed).sample(dev, knobs.eval_windows)
    facts = {
        "data": _hashes(knobs),
        "base model": base.locate(knobs.base_model),
        "recipe": _fixed(knobs),
        "older adapter": older,
    }
    outcome = train(knobs, tokenizer, windows, dev, run, facts)
    if os.environ.get("RANK", "0") != "0":
        return
    counts = {
        "windows": len(windows),
        "tokens": sum(len(window.input_ids) for window in windows),
        "tokens_with_loss": sum(window.trained for window in windows),
    }
    _finish(knobs, run, spec, {"counts": counts, "continued_from": older}, outcome)
    show(
        f"train: {run}",
        {
            **counts,
            "left_out": dict(cutter.left_out) or 0,
            **outcome.losses,
            **outcome.cost,
            **({"went_on_from_steps": ", ".join(map(str, outcome.resumed))} if outcome.resumed else {}),
        },
        as_json=knobs.as_json,
    )


def _launch(processes: int) -> None:
    """The same command in as many processes, by torchrun; each takes its own card."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--standalone"]
    done = subprocess.run([*launcher, "--", str(ROOT / "mybot.py"), *sys.argv[1:]], check=False)  # noqa: S603 - our own command
    if done.returncode:
        raise TrainingError("one of the processes failed", hint="the lines above say why")


def cut_rows(cutter: Cutter, rows: Iterable[dict[str, Any]]) -> Iterable[Window]:
    """The windows of dataset rows that have any loss."""
    for row in rows:
        for window in cutter.cut(turns_of(row), kind=row["kind"], name=row["name"], memory=row.get("memory", "")):
            if window.trained:
                yield window


def check_rows(tokenizer: Any, spec: PromptSpec, path: Path) -> None:
    """Raise TrainingError unless the first rows decode to my replies and keep parity with the engine."""
    for row, _ in zip(read_rows(path), range(CHECKED), strict=False):
        turns = render(turns_of(row), spec, kind=row["kind"], name=row["name"], memory=row.get("memory", ""))
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


def _hashes(knobs: Train) -> dict[str, str]:
    return {name: sha256(knobs.data / name) for name in ("train.jsonl", "heldout.jsonl")}


def _list(knobs: Train, run: Path) -> dict[str, str]:
    """Leave with the run what it has learned from, an older adapter's lessons too; the hash of that list."""
    before = [] if knobs.continue_from is None else [trained.beside(knobs.continue_from)]
    whole = trained.together([knobs.data / trained.TRAINED, *before])
    path = run / trained.TRAINED
    path.unlink(missing_ok=True)
    if whole is None:
        return {}
    whole.write(path)
    return {trained.TRAINED: sha256(path)}


def _fixed(knobs: Train) -> dict[str, Any]:
    """The knobs that an unfinished run can't be gone on with under another value."""
    free = {
        "data",
        "runs",
        "name",
        "base_model",
        "as_json",
        "fresh",
        "report_to",
        "logging_steps",
        "max_memory",
        "num_processes",
        "continue_from",
        "samples",
        "sample_prompts",
    }
    split = {"per_device_train_batch_size", "gradient_accumulation_steps"}
    rows = knobs.per_device_train_batch_size * knobs.gradient_accumulation_steps * knobs.num_processes
    return {**knobs.model_dump(mode="json", exclude=free | split), "rows_a_step": rows}


def _finish(knobs: Train, run: Path, spec: PromptSpec, facts: dict[str, Any], outcome: Outcome) -> None:
    behaviour = knobs.data / "behaviour.json"
    manifest = {
        "base_model": base.locate(knobs.base_model),
        "recipe": knobs.model_dump(mode="json", exclude={"data", "runs", "continue_from", "as_json"}),
        "dtype": str(recipe.compute_dtype(knobs)).removeprefix("torch."),
        **facts,
        "data": _hashes(knobs) | _list(knobs, run),
        "prompt": spec.model_dump(mode="json"),
        "behaviour": json.loads(behaviour.read_bytes()) if behaviour.is_file() else Behaviour().model_dump(mode="json"),
        "losses": outcome.losses,
        "best_step": outcome.best_step,
        "resumed": outcome.resumed,
        "micro_batch": outcome.micro_batch,
        "course": outcome.course,
        "cost": outcome.cost,
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
