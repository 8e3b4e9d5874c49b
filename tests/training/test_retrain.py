"""`mybot retrain` with the real commands on a toy: what changed is done, who is worse does not serve."""

import contextlib
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import mybot
from bot.persona.manifest import open_persona
from bot.persona.message import Message, Segment
from bot.recall import Recall
from config import settings
from config.errors import MyBotError, TrainingError
from config.settings import ROOT, Retrain
from training import retrain


class House:
    """A folder with records, a recipe, and the command."""

    def __init__(self, folder: Path, toy: Path, data: Path) -> None:
        self.folder, self.toy = folder, toy
        (folder / "data").mkdir()
        shutil.copy(data / "messages.jsonl", folder / "data")
        self.recipe(5e-3)

    def recipe(self, learning_rate: float) -> None:
        (self.folder / "mybot.toml").write_text(
            f'[train]\nbase_model = "{self.toy}"\nmax_length = 192\nmax_steps = 8\noptim = "adamw_torch"\n'
            f"learning_rate = {learning_rate}\nper_device_train_batch_size = 8\nsave_steps = 0\nsamples = false\n"
            "[dataset]\nhistory_private = 6\nhistory_group = 6\n[merge]\nmax_tokens = 16\nfit = false\nrows = 0\n",
            encoding="utf-8",
        )

    @property
    def flags(self) -> list[str]:
        where = [part for name in ("data", "runs", "personas") for part in (f"--{name}", str(self.folder / name))]
        return [*where, "--name", "tree", "--quick", "--device", "cpu", "--json"]

    def retrain(self) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "MYBOT_CONFIG": str(self.folder / "mybot.toml"), "OMP_NUM_THREADS": "1"}
        line = [sys.executable, str(ROOT / "mybot.py"), "retrain", *self.flags]
        return subprocess.run(line, capture_output=True, text=True, check=False, env=env, timeout=900)

    def current(self) -> str:
        return (self.folder / "personas" / "tree" / "current").read_text().strip()


def in_this_process(stage: str, words: Sequence[str]) -> dict[str, Any]:
    """A stage without a process of its own: to load torch anew is nearly all that it would take."""
    module, table, _ = mybot.COMMANDS[words[0]]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        try:
            importlib.import_module(module).main(settings.parse(getattr(settings, table), [*words[1:]], words[0]))
        except MyBotError as error:
            raise TrainingError(f"{stage}: {error}", hint=error.hint) from None
    return json.loads(told.getvalue().strip().splitlines()[-1])


def test_what_changed_is_done_and_who_is_worse_does_not_serve(
    tmp_path: Path, toy: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    house = House(tmp_path, toy, data)
    monkeypatch.setenv("MYBOT_CONFIG", str(house.folder / "mybot.toml"))
    monkeypatch.setattr(retrain, "_command", in_this_process)
    knobs = settings.parse(Retrain, house.flags, "retrain")
    retrain.main(knobs)
    first = json.loads(capsys.readouterr().out)
    assert first["serves"]
    assert set(first["stages"]) == {"dataset", "train", "merge", "compare"}
    assert all(told.startswith("done in 0:") for told in first["stages"].values())
    assert house.current() == first["version"]
    version, _ = open_persona(tmp_path / "personas" / "tree")
    scores = json.loads((version / "scores.json").read_bytes())
    assert (scores["passed"], scores["gate"]["verdict"], scores["gate"]["against"]) == (True, "pass", "")
    assert scores["figures"]["disclosure.honest"] == 1
    assert first["insufficient"] == "likelihood.bpc, relevance.rel_ratio", "six replies are too few to compare"
    assert (version / "report.json").is_file()

    again = json.loads(house.retrain().stdout)
    assert set(again["stages"].values()) == {"unchanged"}
    assert again["serves"]
    assert again["version"] == first["version"]

    # Another recipe makes another persona; with so few replies nobody can say that it is no worse, nor that it leaks nothing.
    house.recipe(1e-9)
    capsys.readouterr()
    with pytest.raises(
        retrain.Refused, match=r"does not serve: refuse: leakage\.third_party: 6 replies; 100 are needed"
    ) as worse:
        retrain.main(knobs)
    assert worse.value.exit_code == 1
    assert "hint: what serves now serves on" in worse.value.lines()
    refused = max(version.parent.glob("*/scores.json"))
    assert not json.loads(refused.read_bytes())["passed"]
    told = json.loads(capsys.readouterr().out)
    assert told["against"] == scores["persona"]
    assert told["gate"] == "refuse"
    assert told["stages"]["dataset"] == "unchanged"
    assert told["stages"]["train"] != "unchanged"
    assert house.current() == first["version"]


class Stages:
    """The stages that are run, and with what words; only `remember` is really run."""

    def __init__(self) -> None:
        self.words: dict[str, list[str]] = {}
        self.order: list[str] = []

    def __call__(self, stage: str, words: Sequence[str]) -> dict[str, Any]:
        self.order.append(stage)
        self.words[stage] = list(words)
        if stage == "dataset":
            raise TrainingError("far enough", hint="")
        return in_this_process(stage, words)

    def of(self, knobs: Retrain) -> list[str]:
        self.order.clear()
        with pytest.raises(TrainingError, match="far enough"):
            retrain.main(knobs)
        return list(self.order)


def lines_in(path: Path) -> int:
    store = Recall.open(path)
    try:
        return len(store)
    finally:
        store.close()


def test_new_records_become_searchable_where_something_is_remembered(
    tmp_path: Path, toy: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    house, stages = House(tmp_path, toy, data), Stages()
    monkeypatch.setenv("MYBOT_CONFIG", str(house.folder / "mybot.toml"))
    monkeypatch.setattr(retrain, "_command", stages)
    knobs = settings.parse(Retrain, house.flags, "retrain")
    records, memory = tmp_path / "data" / "messages.jsonl", tmp_path / "data" / "memory.db"
    assert stages.of(knobs) == ["dataset"]
    assert not memory.exists(), "nothing is remembered where nobody asked for it"

    Recall.open(memory).close()
    assert stages.of(knobs) == ["remember", "dataset"]
    lines = lines_in(memory)
    assert lines > 100
    assert stages.of(knobs) == ["dataset"], "the same records are taken in once"
    with records.open("a", encoding="utf-8") as file:
        newest = Message.from_row(json.loads(records.read_text(encoding="utf-8").splitlines()[-1]))
        newest.id, newest.segments = "another", [Segment("text", "后来又说了一句")]
        file.write(newest.to_json() + "\n")
    assert stages.of(knobs) == ["remember", "dataset"]
    assert lines_in(memory) == lines + 1
    memory.unlink()
    assert stages.of(knobs) == ["dataset"], "who deletes it wants none"


def test_vectors_that_can_not_be_had_are_no_reason_not_to_train(
    tmp_path: Path, toy: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    house, stages = House(tmp_path, toy, data), Stages()
    monkeypatch.setenv("MYBOT_CONFIG", str(house.folder / "mybot.toml"))
    monkeypatch.setenv("MYBOT_BOT_EMBEDDINGS", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("MYBOT_BOT_EMBEDDINGS_MODEL", "none")
    monkeypatch.setattr(retrain, "_command", stages)
    knobs = settings.parse(Retrain, house.flags, "retrain")
    for _ in range(2):
        assert stages.of(knobs) == ["remember", "dataset"], "it is tried again"
    assert "no vectors from there" in capsys.readouterr().err
    assert lines_in(tmp_path / "data" / "memory.db") > 100


def test_what_a_stage_says_is_passed_on_and_its_error_is_ours(
    tmp_path: Path, toy: Path, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, toy, data)
    monkeypatch.setenv("MYBOT_CONFIG", str(house.folder / "mybot.toml"))
    report = retrain._command("dataset", ["dataset", "--data", str(tmp_path / "data"), "--json"])
    assert report
    (tmp_path / "data" / "train.jsonl").unlink()
    with pytest.raises(TrainingError, match="train: ") as error:
        retrain._command("train", ["train", "--data", str(tmp_path / "data"), "--runs", str(tmp_path), "--json"])
    assert error.value.hint
    assert "error: " not in capsys.readouterr().err


def test_two_at_once_and_no_records(tmp_path: Path, toy: Path, data: Path) -> None:
    house = House(tmp_path, toy, data)
    with FileLock(tmp_path / "data" / ".retrain.lock"):
        done = house.retrain()
    assert (done.returncode, "another retrain" in done.stderr) == (1, True)
    shutil.rmtree(tmp_path / "data")
    done = house.retrain()
    assert (done.returncode, "holds no records" in done.stderr) == (1, True)
    assert not (tmp_path / "data").exists()
