"""An older adapter is learned on: from a run, from a persona; what doesn't fit it is said."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from config.errors import SettingsError, TrainingError
from config.settings import Merge, Train
from training import merge, sft

QUICK: dict[str, Any] = {
    "max_length": 192, "r": 8, "lora_alpha": 16, "max_steps": 3, "learning_rate": 5e-3, "optim": "adamw_torch",
    "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "eval_strategy": "no", "save_steps": 0,
    "load_in_4bit": True, "as_json": True, "samples": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def first(toy: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    sft.main(Train(**QUICK, base_model=str(toy), data=data, runs=runs, name="first"))
    return runs / "first"


def weights(run: Path) -> dict[str, Any]:
    return load_file(run / "adapter" / "adapter_model.safetensors")


def test_it_begins_where_the_older_one_ended(first: Path, toy: Path, data: Path, tmp_path: Path) -> None:
    still = {**QUICK, "learning_rate": 1e-12, "max_steps": 1}
    sft.main(Train(**still, base_model=str(toy), data=data, runs=tmp_path, name="second", continue_from=first))
    before, after = weights(first), weights(tmp_path / "second")
    assert before.keys() == after.keys()
    assert all((before[name] - after[name]).abs().max() < 1e-6 for name in before)
    run = json.loads((tmp_path / "second" / "run.json").read_bytes())
    assert run["continued_from"] == {
        "name": "first",
        "adapter": sft.sha256(first / "adapter/adapter_model.safetensors"),
    }
    assert str(first) not in json.dumps(run["recipe"])


def test_a_persona_is_learned_on_under_its_own_name(
    first: Path, toy: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(first, tmp_path / "me")
    merge.main(Merge(run=tmp_path / "me", personas=tmp_path / "personas", as_json=True))
    told = {"base_model": str(toy), "data": data, "runs": tmp_path, "name": "me"}
    sft.main(Train(**QUICK, **told, continue_from=tmp_path / "me"))
    begun = json.loads((tmp_path / "me" / "run.json").read_bytes())
    sft.main(Train(**QUICK, **told, continue_from=tmp_path / "personas" / "me"))
    again = json.loads((tmp_path / "me" / "run.json").read_bytes())
    # From the same adapter with the same data both ways end alike.
    assert begun["continued_from"]["adapter"] == again["continued_from"]["adapter"]
    assert begun["losses"] == again["losses"]
    assert begun["losses"]["loss"] < json.loads((first / "run.json").read_bytes())["losses"]["loss"]


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"r": 4}, "has r = 8, this recipe 4"),
        ({"lora_alpha": 8}, "has lora_alpha = 16"),
        ({"target_modules": "q_proj"}, "has target_modules = all-linear"),
        ({"use_dora": True}, "has use_dora = False"),
        ({"init_lora_weights": "pissa", "load_in_4bit": False}, "don't go together"),
    ],
)
def test_another_shape_is_refused(first: Path, toy: Path, data: Path, tmp_path: Path, knobs: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        sft.main(Train(**{**QUICK, **knobs}, base_model=str(toy), data=data, runs=tmp_path, continue_from=first))
    assert not list(tmp_path.iterdir())


def test_another_base_or_none_is_refused(first: Path, toy: Path, data: Path, tmp_path: Path, tokenizer: Any) -> None:
    from tests.training.bases import tiny_base

    other, copy = tiny_base(tmp_path / "other", "llama", tokenizer), tmp_path / "copy"
    shutil.copytree(toy, copy)
    told = {**QUICK, "data": data, "runs": tmp_path, "continue_from": first}
    with pytest.raises(SettingsError, match="not on"):
        sft.main(Train(**told, base_model=str(other)))
    assert sft.continued.check(Train(**told, base_model=str(copy)))["name"] == "first"
    moved = json.loads((first / "run.json").read_bytes()) | {"base_model": "/elsewhere/" + other.name}
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "run.json").write_text(json.dumps(moved))
    shutil.copytree(first / "adapter", tmp_path / "moved" / "adapter")
    told["continue_from"] = tmp_path / "moved"
    assert sft.continued.check(Train(**told, base_model=str(other)))["name"] == "moved"
    with pytest.raises(SettingsError, match="not on"):
        sft.main(Train(**told, base_model=str(toy)))
    with pytest.raises(TrainingError, match="no run and no persona"):
        sft.main(Train(**{**told, "continue_from": tmp_path / "none"}, base_model=str(toy)))
