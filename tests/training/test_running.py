"""A night is never lost: kill -9, SIGTERM, a card that is too small, a loss that is no number."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.persona.prompt import PromptSpec
from config.errors import SettingsError, TrainingError
from config.settings import ROOT, Train, parse
from training import base, recipe, running, sft
from training.dataset import read_rows
from training.windows import Cutter, Window

STEPS = 24
KNOBS: dict[str, Any] = {
    "max_length": 192, "r": 8, "lora_alpha": 16, "max_steps": STEPS, "learning_rate": 5e-3, "optim": "adamw_torch",
    "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "save_steps": 4, "eval_strategy": "no",
    "lora_dropout": 0.1, "logging_steps": 1,
}  # fmt: skip


def flags_of(toy: Path, data: Path, runs: Path) -> list[str]:
    flags = [part for name, value in KNOBS.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    where = ["--base-model", str(toy), "--data", str(data), "--runs", str(runs), "--name", "tree"]
    return [*flags, *where]


def report(runs: Path) -> dict[str, Any]:
    return json.loads((runs / "tree" / "run.json").read_bytes())


def windows_of(toy: Path, data: Path) -> list[Window]:
    spec = PromptSpec.model_validate_json((data / "prompt.json").read_bytes())
    cutter = Cutter(base.load_tokenizer(str(toy)), spec, KNOBS["max_length"])
    return list(sft.cut_rows(cutter, read_rows(data / "train.jsonl")))


@pytest.fixture(scope="module")
def unbroken(toy: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    runs = tmp_path_factory.mktemp("unbroken")
    sft.main(Train(**KNOBS, base_model=str(toy), data=data, runs=runs, name="tree", as_json=True))
    assert report(runs)["resumed"] == []
    return report(runs)


def stopped(process: "subprocess.Popen[str]", part: Path, number: int) -> str:
    """Let a run make its second checkpoint, then send it a signal; what it said."""
    deadline = time.monotonic() + 90
    while not list(part.glob("checkpoint-8/trainer_state.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    return process.communicate(timeout=60)[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_a_broken_run_goes_on_and_ends_as_an_unbroken_one(
    toy: Path, data: Path, tmp_path: Path, unbroken: dict[str, Any], number: int, capsys: Any
) -> None:
    flags = flags_of(toy, data, tmp_path)
    line = [sys.executable, str(ROOT / "mybot.py"), "train", *flags]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    said = stopped(process, tmp_path / ".tree.part", number)
    if number == signal.SIGTERM:
        assert process.returncode == 128 + signal.SIGTERM
        assert "stopped after step" in said
        assert "hint: the same command goes on" in said
    assert not (tmp_path / "tree" / "run.json").exists()
    before = json.loads((tmp_path / ".tree.part" / "course.json").read_bytes())
    # The same command, without loading torch anew.
    sft.main(parse(Train, flags, "train"))
    assert "going on from step" in capsys.readouterr().err
    run = report(tmp_path)
    assert run["resumed"][0] >= 8
    # What it took is that of both starts: the seconds together, of the memory the most.
    assert run["cost"]["seconds"] > before["spent"] + 0.3
    assert before["spent"] > 0.3
    assert run["cost"]["memory_gib"] >= round(before["peaks"]["memory"], 3) > 0.1
    assert run["losses"]["heldout_loss"] == pytest.approx(unbroken["losses"]["heldout_loss"], rel=2e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_another_recipe_or_data_is_not_gone_on_with(toy: Path, data: Path, tmp_path: Path) -> None:
    part = tmp_path / ".tree.part"
    knobs = {**KNOBS, "base_model": str(toy), "data": data, "runs": tmp_path, "name": "tree", "as_json": True}
    (part / "checkpoint-4").mkdir(parents=True)
    (part / "checkpoint-4" / "trainer_state.json").write_text("{}")
    begun = {"data": sft._hashes(Train(**knobs)), "base model": str(toy), "recipe": sft._fixed(Train(**knobs))}
    (part / "begun.json").write_text(json.dumps({**begun, "recipe": {**begun["recipe"], "r": 4}}))
    with pytest.raises(SettingsError, match="another recipe"):
        sft.main(Train(**knobs))
    (part / "begun.json").write_text(json.dumps({**begun, "data": {}}))
    with pytest.raises(SettingsError, match="another data"):
        sft.main(Train(**knobs))
    assert (part / "checkpoint-4").is_dir()
    sft.main(Train(**{**knobs, "fresh": True, "max_steps": 2, "save_steps": 0}))
    assert report(tmp_path)["resumed"] == []


def test_half_a_checkpoint_is_none(tmp_path: Path) -> None:
    from training.checkpoints import newest

    for step, state in ((4, "{}"), (8, '{"half'), (12, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert newest(tmp_path) == tmp_path / "checkpoint-4"


def test_a_card_that_is_too_small_gets_smaller_batches(
    toy: Path, data: Path, tmp_path: Path, unbroken: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import torch

    whole = running.base.load_model

    def small_card(name: str, **options: Any) -> Any:
        model = whole(name, **options)

        def refuse(_module: Any, args: Any, kwargs: dict[str, Any]) -> None:
            if kwargs["input_ids"].shape[0] > 1 and model.training:
                raise torch.OutOfMemoryError("CUDA out of memory (as this test's card says)")

        model.register_forward_pre_hook(refuse, with_kwargs=True)
        return model

    monkeypatch.setattr(running.base, "load_model", small_card)
    sft.main(Train(**KNOBS, base_model=str(toy), data=data, runs=tmp_path, name="tree", as_json=True))
    longest = max(len(window.input_ids) for window in windows_of(toy, data))
    assert report(tmp_path)["micro_batch"] < 2 * longest
    # The same updates, in more micro-batches; dropout draws others.
    assert report(tmp_path)["losses"]["heldout_loss"] == pytest.approx(unbroken["losses"]["heldout_loss"], rel=0.01)
    assert "out of memory: going on with" in " ".join(capsys.readouterr().err.split())


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(
    toy: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = running.base.load_model
    calls = 0

    def spoilt(name: str, **options: Any) -> Any:
        model = whole(name, **options)

        def to_nan(_module: Any, _args: Any, output: Any) -> None:
            nonlocal calls
            calls += model.training
            if calls > 6:
                output.mul_(float("nan"))

        model.model.layers[0].mlp.register_forward_hook(to_nan)
        return model

    monkeypatch.setattr(running.base, "load_model", spoilt)
    with pytest.raises(TrainingError, match="not a number"):
        sft.main(Train(**KNOBS, base_model=str(toy), data=data, runs=tmp_path, name="tree", as_json=True))
    assert (tmp_path / ".tree.part" / "checkpoint-4").is_dir()
    assert [path.name for path in (tmp_path / "tree").iterdir()] == ["train.html"]


def test_the_best_adapter_is_kept_not_the_last(toy: Path, data: Path, tmp_path: Path) -> None:
    """A learning rate that grows until it ruins the adapter; and measuring changes nothing that is learned."""
    knobs = {**KNOBS, "learning_rate": 4.0, "lr_scheduler_type": "constant_with_warmup", "warmup_steps": 400}
    knobs |= {"eval_strategy": "epoch", "max_steps": -1, "num_train_epochs": 9, "save_steps": 0, "eval_windows": 4}
    knobs |= {"early_stopping_patience": 2, "samples": False}
    sft.main(Train(**knobs, base_model=str(toy), data=data, runs=tmp_path, name="tree", as_json=True))
    kept = report(tmp_path)["best_step"]
    measured = [entry["step"] for entry in report(tmp_path)["course"] if "eval_loss" in entry]
    assert measured[0] < kept < measured[-1]
    # A run that ends there has that adapter.
    short = {**knobs, "max_steps": kept, "eval_strategy": "no"}
    sft.main(Train(**short, base_model=str(toy), data=data, runs=tmp_path / "short", name="tree", as_json=True))
    from safetensors.torch import load_file

    best, last = (
        load_file(folder / "tree" / "adapter" / "adapter_model.safetensors")
        for folder in (tmp_path, tmp_path / "short")
    )
    assert all((best[name] == last[name]).all() for name in best)


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(
    toy: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    whole, writes = torch.save, 0

    def full(*args: Any, **options: Any) -> None:
        nonlocal writes
        writes += 1
        if writes > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(*args, **options)

    knobs = {**KNOBS, "base_model": str(toy), "data": data, "runs": tmp_path, "name": "tree", "as_json": True}
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match="the disk is full"):
        sft.main(Train(**knobs))
    assert (tmp_path / ".tree.part" / "checkpoint-4").is_dir()
    monkeypatch.setattr(torch, "save", whole)
    sft.main(Train(**knobs))
    assert report(tmp_path)["resumed"] == [4]


@pytest.mark.parametrize("gone", ["folder", "weights", "half of the weights"])
def test_a_base_model_that_vanished_is_two_lines(toy: Path, data: Path, tmp_path: Path, gone: str) -> None:
    lost = tmp_path / "base"
    if gone != "folder":
        shutil.copytree(toy, lost)
        weights = lost / "model.safetensors"
        half = weights.read_bytes()[:50_000]
        weights.unlink()
        if gone != "weights":
            weights.write_bytes(half)
    with pytest.raises(TrainingError, match="base model") as error:
        sft.main(Train(**KNOBS, base_model=str(lost), data=data, runs=tmp_path / "runs", name="tree", as_json=True))
    assert len(error.value.lines().splitlines()) == 2
    assert not (tmp_path / "runs" / "tree").exists()


def test_a_step_that_becomes_slow_on_a_full_card_halves_the_micro_batches(
    toy: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """On this test's clock a card computes a token a millisecond; after 15 passes it begins to spill all
    that is larger than two windows, ten times as slowly."""
    from training import pace

    whole, large, now = running.base.load_model, 0, 0.0
    longest = max(len(window.input_ids) for window in windows_of(toy, data))

    def spilling_card(name: str, **options: Any) -> Any:
        model = whole(name, **options)

        def compute(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
            nonlocal large, now
            tokens = kwargs["input_ids"].numel()
            large += model.training and tokens > 2 * longest
            # An evaluation takes as long as it likes.
            now += tokens / 1000 * (10 if large > 15 and tokens > 2 * longest else 1) + 100 * (not model.training)

        model.register_forward_pre_hook(compute, with_kwargs=True)
        return model

    monkeypatch.setattr(running.base, "load_model", spilling_card)
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: now))
    knobs = {**KNOBS, "gradient_accumulation_steps": 2, "save_steps": 0, "max_steps": 40, "eval_strategy": "epoch"}
    knobs |= {"base_model": str(toy), "data": data, "runs": tmp_path, "name": "tree", "as_json": True}
    knobs |= {"early_stopping_patience": 0}
    sft.main(Train(**knobs))
    assert "step takes several times" not in capsys.readouterr().err
    assert large > 30
    large = 0
    monkeypatch.setattr(pace, "full", lambda: True)
    sft.main(Train(**knobs))
    assert "a step takes several times as long as before" in " ".join(capsys.readouterr().err.split())
    assert report(tmp_path)["micro_batch"] <= 4 * longest
    assert 15 < large < 30


def test_what_is_too_large_or_small_an_adapter_is_said() -> None:
    assert recipe.remarks(Train(r=16), 50_000, 1_000_000, 40_000_000) == []
    (small,) = recipe.remarks(Train(r=16), 50_000, 3_000_000, 1_000_000)
    assert "--r 48" in small
    (many,) = recipe.remarks(Train(r=16), 900_000, 25_000_000, 40_000_000)
    assert "--r 32" in many
    (few,) = recipe.remarks(Train(), 1999, 30_000, 40_000_000)
    assert "--lora-dropout 0.05" in few
    assert recipe.remarks(Train(lora_dropout=0.05), 1999, 30_000, 40_000_000) == []
