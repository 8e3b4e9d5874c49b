"""The knobs of the adapter by their PEFT and TRL names: each acts, and what is saved is what was trained."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from config.errors import SettingsError, TrainingError
from config.settings import Train
from training import adapters, base, recipe


@pytest.fixture(autouse=True)
def quiet() -> None:
    base.quiet()


KNOBS: dict[str, Any] = {"r": 8, "lora_alpha": 16}


def adapted(toy: Path, **knobs: Any) -> tuple[Any, Train]:
    """A base model with an adapter that learned something: its weights are moved at random."""
    from peft import get_peft_model

    recipe_ = Train(**{**KNOBS, "base_model": str(toy), **knobs})
    torch.manual_seed(1)
    model: Any = get_peft_model(base.load_model(str(toy), dtype=torch.float32), recipe.lora(recipe_))
    adapters.remember_start(model, recipe_)
    for weights in model.parameters():
        if weights.requires_grad:
            weights.data += 0.05 * torch.randn_like(weights)
    return model.eval(), recipe_


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.arange(5, 45).reshape(2, 20)).logits


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"init_lora_weights": "gaussian"},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "pissa_niter_16", "use_rslora": True},
        {"init_lora_weights": "olora", "bias": "all"},
        {"init_lora_weights": "pissa", "modules_to_save": "norm"},
        {"use_dora": True},
        {"use_rslora": True, "target_modules": "q_proj,down_proj", "layers_to_transform": "1"},
    ],
    ids=lambda knobs: ",".join(str(value) for value in knobs.values()) or "plain",
)
def test_what_is_saved_goes_onto_the_base_as_it_was_fetched(toy: Path, tmp_path: Path, knobs: dict[str, Any]) -> None:
    from peft import PeftModel

    model, told = adapted(toy, **knobs)
    trained = logits(model)
    adapters.save(model, tmp_path / "adapter")
    assert [path.name for path in (tmp_path / "adapter").glob("*.md")] == []
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_bytes())
    fresh: Any = PeftModel.from_pretrained(base.load_model(str(toy), dtype=torch.float32), tmp_path / "adapter").eval()
    assert torch.allclose(logits(fresh), trained, atol=2e-5)
    merged = fresh.merge_and_unload(safe_merge=True)
    assert torch.allclose(logits(merged), trained, atol=2e-5)
    # And it isn't the base alone that says so.
    assert not torch.allclose(logits(base.load_model(str(toy), dtype=torch.float32)), trained, atol=1e-2)
    assert config["r"] == (16 if recipe.changes_base(told) else 8)


def test_each_knob_is_in_force(toy: Path) -> None:
    from peft.tuners.lora import LoraLayer

    def layers(**knobs: Any) -> dict[str, Any]:
        model, _ = adapted(toy, **knobs)
        return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}

    assert {layer.use_dora["default"] for layer in layers(use_dora=True).values()} == {True}
    assert {layer.scaling["default"] for layer in layers(use_rslora=True).values()} == {16 / 8**0.5}
    chosen = layers(target_modules="q_proj, down_proj", layers_to_transform="1")
    assert sorted(name.split("layers.")[1] for name in chosen) == ["1.mlp.down_proj", "1.self_attn.q_proj"]
    model, _ = adapted(toy, modules_to_save="norm", bias="all")
    assert any("modules_to_save" in name for name, p in model.named_parameters() if p.requires_grad)
    assert model.peft_config["default"].bias == "all"


def test_pissa_begins_with_the_base_itself(toy: Path) -> None:
    from peft import get_peft_model

    plain = base.load_model(str(toy), dtype=torch.float32)
    before = logits(plain)
    model: Any = get_peft_model(plain, recipe.lora(Train(**KNOBS, init_lora_weights="pissa")))
    assert torch.allclose(logits(model), before, atol=2e-5)
    assert any(weights.abs().max() > 0.01 for name, weights in model.named_parameters() if "lora_B" in name)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"init_lora_weights": "pissa", "load_in_4bit": True}, "is quantised"),
        ({"init_lora_weights": "olora", "load_in_8bit": True}, "is quantised"),
        ({"init_lora_weights": "pissa", "use_dora": True}, "use_dora"),
        ({"layers_to_transform": "1"}, "by name"),
        ({"layers_to_transform": "one", "target_modules": "q_proj"}, "no list of numbers"),
    ],
)
def test_what_does_not_go_together_is_said(knobs: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        recipe.lora(Train(**knobs))


def test_attention_and_noise_are_as_asked(toy: Path, tmp_path: Path) -> None:
    for asked, given in (("auto", "sdpa"), ("eager", "eager")):
        model = base.load_model(str(toy), dtype=torch.float32, attn_implementation=asked)
        assert model.config._attn_implementation == given
    with pytest.raises(TrainingError, match="can't be loaded"):
        base.load_model(str(toy), dtype=torch.float32, attn_implementation="flash_attention_2")
    assert recipe.sft_config(Train(neftune_noise_alpha=5), tmp_path, evaluate=False).neftune_noise_alpha == 5
    assert recipe.sft_config(Train(), tmp_path, evaluate=False).neftune_noise_alpha is None
