"""Two processes are one with twice the batch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.settings import ROOT
from tests.training.test_running import KNOBS
from tests.wire.running import free_port


def course(runs: Path, toy: Path, data: Path, batch: int, *more: str) -> list[dict[str, Any]]:
    knobs = {**KNOBS, "max_steps": 5, "lora_dropout": 0.0, "save_steps": 3}
    knobs["per_device_train_batch_size"] = batch
    flags = [part for name, value in knobs.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    where = ["--base-model", str(toy), "--data", str(data), "--runs", str(runs), "--name", "tree", *more]
    done = subprocess.run(
        [sys.executable, str(ROOT / "mybot.py"), "train", *flags, *where],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [path.name for path in runs.iterdir()] == ["tree"]
    return json.loads((runs / "tree" / "run.json").read_bytes())["course"]


def test_two_processes_give_the_losses_of_one_with_twice_the_batch(toy: Path, data: Path, tmp_path: Path) -> None:
    one = course(tmp_path / "one", toy, data, 8)
    two = course(tmp_path / "two", toy, data, 4, "--num-processes", "2")
    assert len(one) == len(two) == 6
    for alone, shared in zip(one, two, strict=True):
        for name in alone.keys() & {"loss", "eval_loss"}:
            assert shared[name] == pytest.approx(alone[name], abs=1e-5)


def test_a_world_of_another_size_is_refused(toy: Path, data: Path, tmp_path: Path) -> None:
    env = {**os.environ, "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "OMP_NUM_THREADS": "1"}
    env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    where = ["--base-model", str(toy), "--data", str(data), "--runs", str(tmp_path), "--max-length", "192"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "mybot.py"), "train", *where, "--num-processes", "2"],
        env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "2 processes were asked for, and 1 are there" in done.stderr
    assert not list(tmp_path.iterdir())
