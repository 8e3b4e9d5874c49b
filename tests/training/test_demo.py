"""The demo's toy base is made in front of whoever waits, also where there is no terminal."""

import json
from pathlib import Path

import pytest

from training import demo


def test_the_toy_base_tells_how_far_it_is(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = tmp_path / "few"
    few.mkdir()
    (few / "prompt.json").write_bytes((data / "prompt.json").read_bytes())
    rows = (data / "train.jsonl").read_bytes().splitlines(keepends=True)
    (few / "train.jsonl").write_bytes(b"".join(rows[:24]))
    demo.make_base(tmp_path / "base", few, seed=7, epochs=1)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    last = said[-1].split()[1]
    assert last.split("/")[0] == last.split("/")[1]
    assert json.loads((tmp_path / "base/config.json").read_bytes())["model_type"] == "llama"
