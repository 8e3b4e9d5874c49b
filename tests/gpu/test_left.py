"""The measurements of what is left, where there is no card: a tiny model goes all their ways but bitsandbytes'."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from config.settings import Engine
from tests.gpu import left, serving
from tests.gpu.left import Bench, line
from tests.gpu.real import make_base


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    def knobs(folder: Path, bits: int, **more: Any) -> Engine:
        return Engine(persona=folder, device="cpu", max_batch=64, **{**more, "compile": "on"})

    monkeypatch.setattr(serving, "knobs", knobs)
    monkeypatch.setattr(serving, "HISTORY", 12)
    monkeypatch.setattr(serving, "NEW", 9)
    return Bench(tmp_path, 1e10, time.monotonic() + 300, middle="tiny", large="tiny")


def test_a_line_is_the_readmes() -> None:
    rows = [{"chats": 8, "tokens/s": 1234.5, "share of ceiling": 0.434, "steps": "graphs"}]
    assert line("nf4", rows) == "| nf4 |  | 1,234 (43 %) |  |  |"
    rows.append({"chats": 64, "tokens/s": 2.0, "share of ceiling": 0.0, "steps": "growing"})
    assert line("nf4", rows).endswith("|  | 2 (0 %), not by graphs |")


def test_a_step_is_taken_apart_and_a_number_of_chats_has_its_cell(bench: Bench) -> None:
    make_base(bench.folder / "tiny", "tiny")
    said = [*left.run(bench, ["step"]), *left.large(bench, [8, 1])]
    parts = {text.split("|")[1].strip(): text for text in said if text.count("|") == 4}
    assert {"drawing", "the model alone (one replay)", "the ceiling: weights and cache once"} < set(parts)
    assert all(float(text.split("|")[2]) > 0 for name, text in parts.items() if name != "one step at one chat")
    assert [text.split("|")[1] for text in said if text.count("|") == 6] == [
        " tiny, bf16, by CUDA graphs ",
        " tiny, bf16, by CUDA graphs ",
    ]
    assert ["(" in cell for cell in said[-1].split("|")[2:6]] == [True, True, False, False]
    [room] = [text for text in said if text.startswith("room: ")]
    assert "32,768" in room


def test_what_there_is_no_time_for_and_what_fails_is_named(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.until = time.monotonic() + 50
    bench.middle = "none"
    said = left.run(bench, ["step", "nf4"])
    assert said == ["step: not measured, 50 s were left", "nf4: not measured, see above"]
    assert "KeyError" in capsys.readouterr().err


def test_the_flags_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[Bench, list[str]]] = []
    monkeypatch.setattr(left, "run", lambda bench, names: begun.append((bench, names)))
    monkeypatch.setattr(sys, "argv", ["serving.py", "--left", "--seconds", "60", "--parts", "nf4,reload"])
    serving.main()
    [(bench, names)] = begun
    assert (names, bench.middle, bench.large) == (["nf4", "reload"], "8b", "13b")
    assert 50 < bench.left <= 60
    assert set(names) < set(left.PARTS)
