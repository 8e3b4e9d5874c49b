"""Training and merging for real, on a toy: LoRA and QLoRA, a sealed persona, errors that leave nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.persona.manifest import open_persona
from config.errors import InputError, SettingsError, TrainingError
from config.settings import Merge, Train
from training import merge, sft
from training.recipe import resolve

QUICK: dict[str, Any] = {
    "max_length": 192, "r": 8, "lora_alpha": 16, "max_steps": 12, "learning_rate": 5e-3, "optim": "adamw_torch",
    "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "eval_strategy": "no", "as_json": True,
}  # fmt: skip


@pytest.fixture(scope="module", params=[False, True], ids=["lora", "qlora"])
def trained(request: pytest.FixtureRequest, toy: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    sft.main(Train(**QUICK, base_model=str(toy), data=data, runs=runs, name="tree", load_in_4bit=request.param))
    return runs / "tree"


def test_a_run_learns_and_says_what_it_was(trained: Path) -> None:
    run = json.loads((trained / "run.json").read_bytes())
    assert run["losses"]["heldout_loss"] > 0
    assert run["recipe"]["r"] == 8
    assert set(run["data"]) == {"train.jsonl", "heldout.jsonl", "trained.json"}
    assert (trained / "adapter" / "adapter_model.safetensors").is_file()
    assert not list(trained.parent.glob(".*"))
    assert not list(trained.rglob("training_args.bin"))


def test_a_merge_is_the_model_as_trained_and_is_sealed(trained: Path, data: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merge.main(Merge(run=trained, personas=tmp_path, data=data, as_json=True, temperature=0.3))
    folder, persona = open_persona(tmp_path / "tree")
    persona.check(folder, hashes=True)
    origin = persona.provenance
    assert origin.merge_errors["adapter"] == 0
    assert origin.cost == json.loads((trained / "run.json").read_bytes())["cost"]
    assert origin.cost["seconds"] > 0
    assert origin.merge_errors[origin.form] == origin.merge_error
    # Rounding once more than in training, as `original` does, is no longer the model as trained.
    near = "dequant" if "dequant" in origin.merge_errors else "original"
    assert origin.merge_errors[near] <= 0.005
    losses = {name: loss for name, loss in origin.losses.items() if name in ("served_original", "served_dequant")}
    assert origin.losses[f"served_{origin.form}"] <= min(losses.values()) * 1.002
    assert ("served_dequant" in losses) == bool(origin.recipe["load_in_4bit"])
    assert persona.generation.temperature == 0.3
    assert persona.prompt.me == "阿树"
    assert "copies.bin" in persona.files
    assert persona.copies is not None
    assert persona.model.context == 192
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert persona.model.parameters == sum(p.numel() for p in model.parameters())
    assert tokenizer.eos_token_id in model.generation_config.eos_token_id
    assert "im_start" in tokenizer.chat_template
    assert not list((tmp_path / "tree").glob(".*"))


def test_what_cannot_be_used_is_said(toy: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no base model"):
        sft.main(Train(**QUICK, base_model=str(tmp_path / "none"), data=data, runs=tmp_path))
    with pytest.raises(InputError, match="does not exist"):
        sft.main(Train(**QUICK, base_model=str(toy), data=tmp_path, runs=tmp_path))
    with pytest.raises(TrainingError, match="no finished run"):
        merge.main(Merge(run=tmp_path / "none", personas=tmp_path))
    with pytest.raises(SettingsError, match="both"):
        sft.main(Train(**QUICK, base_model=str(toy), data=data, runs=tmp_path, load_in_4bit=True, load_in_8bit=True))
    assert not list(tmp_path.iterdir())


def test_presets_are_whole_and_yield_to_what_was_set() -> None:
    original = resolve(Train(preset="original-13b-v100", max_steps=7))
    assert (original.r, original.lora_alpha, original.lora_dropout, original.max_steps) == (64, 16, 0.1, 7)
    assert (original.loss_on, original.dtype, original.report_to) == ("all", "float16", "wandb")
    with pytest.raises(SettingsError, match="no preset"):
        resolve(Train(preset="none"))
