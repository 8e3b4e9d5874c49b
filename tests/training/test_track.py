"""The training page: what it shows, and that looking changes nothing."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from config.errors import TrainingError
from config.settings import Train
from training import html, sft
from training.run_page import Course, render

QUICK: dict[str, Any] = {
    "max_length": 192, "r": 8, "lora_alpha": 16, "max_steps": 10, "learning_rate": 5e-3, "optim": "adamw_torch",
    "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "save_steps": 0, "logging_steps": 1,
    "lora_dropout": 0.1, "gradient_checkpointing": "on", "as_json": True, "early_stopping_patience": 0,
}  # fmt: skip


def trained(toy: Path, data: Path, runs: Path, **more: Any) -> tuple[Any, str]:
    """The adapter's weights and the page of a short run."""
    from safetensors.torch import load_file

    sft.main(Train(**{**QUICK, **more}, base_model=str(toy), data=data, runs=runs, name="tree"))
    page = (runs / "tree" / "train.html").read_text(encoding="utf-8")
    return load_file(runs / "tree" / "adapter" / "adapter_model.safetensors"), page


def test_samples_disturb_nothing(toy: Path, data: Path, tmp_path: Path) -> None:
    loud, page = trained(toy, data, tmp_path / "loud")
    quiet, silent = trained(toy, data, tmp_path / "quiet", samples=False)
    assert all((loud[name] == quiet[name]).all() for name in quiet)
    assert 'class="said"' in page
    assert 'class="said"' not in silent


def course(**more: Any) -> Course:
    points = [{"step": n, "loss": 5 - n / 10, "learning_rate": 1e-3, "memory": 0.5} for n in range(1, 9)]
    points += [{"step": 4, "eval_loss": 4.0}, {"step": 8, "eval_loss": 4.5}]
    facts = {"recipe": {"r": 8, "base_model": "some/<base>"}, "data": {"windows": 12}, "points": points}
    return Course(name="tree", me="阿树", **{**facts, **more})


def test_the_page_is_one_file_and_escapes_what_people_say() -> None:
    said = [{"step": 4, "seconds": 1.0, "replies": [["<script>"]]}]
    page = render(course(asked=[{"asked": ["在吗 & <b>"], "answered": ["在"]}], said=said))
    assert "在吗 &amp; &lt;b&gt;" in page
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=|url\(|@import""", page)
    assert "4.000" in page, "the best held-out loss is marked"
    assert 'http-equiv="refresh"' in page
    for state in ("finished", "stopped", "failed"):
        assert 'http-equiv="refresh"' not in render(course(state=state))


def test_a_course_is_cut_where_the_run_goes_on() -> None:
    begun = course(said=[{"step": 0, "seconds": 1, "replies": []}, {"step": 8, "seconds": 1, "replies": []}])
    assert begun.best() == (4, 4.0)
    begun.cut(3)
    assert [point["step"] for point in begun.points] == [1, 2, 3]
    assert [said["step"] for said in begun.said] == [0]
    assert begun.best() is None


@pytest.mark.parametrize("values", [[1.0], [0.0], [2e-5, 2e-4], [3.1, 9.7, 4.4], [1e9, -1e9], [-3.0, -3.0]])
def test_ticks_are_round_and_hold_all(values: list[float]) -> None:
    ticks = html._ticks(values)
    assert 2 <= len(ticks) <= 7
    assert ticks[0] <= min(values) + 1e-9 * abs(min(values))
    assert ticks[-1] >= max(values) - 1e-9 * abs(max(values))


def test_a_run_with_a_budget_ends_in_time_and_its_schedule_with_it(toy: Path, data: Path, tmp_path: Path) -> None:
    """Far more steps than fit are asked for; what is left is planned from the measured step."""
    import time

    knobs = {"max_steps": 100_000, "max_minutes": 0.1, "eval_windows": 3, "gradient_checkpointing": "off"}
    begun = time.monotonic()
    trained(toy, data, tmp_path, **knobs, samples=False)
    # Loading and the last evaluation are not the budget's.
    assert time.monotonic() - begun < 6 + 25
    course = json.loads((tmp_path / "tree" / "run.json").read_bytes())["course"]
    rates = [entry["learning_rate"] for entry in course if "learning_rate" in entry]
    assert 6 < len(rates) < 10_000
    assert max(rates) > 0.5 * QUICK["learning_rate"]
    assert rates[-1] < 0.1 * QUICK["learning_rate"], "the course is run to its end"
    assert next(entry["step"] for entry in course if "eval_loss" in entry) == 3, "an evaluation is measured first"


def test_a_tracker_that_is_missing_is_said_in_two_lines(toy: Path, data: Path, tmp_path: Path) -> None:
    if find_spec("wandb") is not None:
        pytest.skip("wandb is installed here")
    with pytest.raises(TrainingError, match="'wandb', but it isn't installed") as error:
        trained(toy, data, tmp_path, report_to="wandb")
    assert "hint: pip install wandb" in error.value.lines()


def test_tensorboard_gets_numbers_and_no_message(toy: Path, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    trained(toy, data, tmp_path, report_to="tensorboard", max_steps=2)
    (events,) = (tmp_path / "tree" / "tensorboard").iterdir()
    told = events.read_bytes()
    assert b"train/loss" in told
    assert not [said for said in ("下雨", "面条", "带伞") if said.encode() in told]
