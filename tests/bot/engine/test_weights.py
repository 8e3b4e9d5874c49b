"""The weights of a persona on their device: whole or an adapter on its base, and what is refused by name."""

from pathlib import Path

import pytest

from bot.engine.weights import choose_device
from bot.persona.base_model import fingerprint
from bot.persona.manifest import Model, Persona, Quantization, open_persona
from config.errors import EngineError, PersonaError
from tests.bot.engine.test_model import open_model


# PEFT still reads a property that transformers has renamed.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("quantization", [None, Quantization(load_in_4bit=True)], ids=["whole", "nf4"])
def test_an_adapter_speaks_on_its_base(toy: Path, tmp_path: Path, quantization: Quantization | None) -> None:
    import shutil

    import torch
    from peft import LoraConfig, get_peft_model

    base = open_model(toy, load_in_4bit=quantization is not None)
    torch.manual_seed(0)
    tuned = get_peft_model(base.model, LoraConfig(target_modules="all-linear", init_lora_weights=False))
    folder = tmp_path / "personas" / "v1"
    shutil.copytree(toy, folder, ignore=shutil.ignore_patterns("model.safetensors", "persona.json"))
    tuned.save_pretrained(folder / "adapter")
    shutil.copytree(toy, tmp_path / "base")
    _, persona = open_persona(toy)
    model = Model(
        base="base", weights="adapter", dtype="float32", parameters=100_000, context=512, quantization=quantization,
        folder="../../base", fingerprint=fingerprint(tmp_path / "base"),
    )  # fmt: skip
    persona.model_copy(update={"model": model}).seal(folder)
    ids = torch.tensor([[60, 61, 62, 70]])
    # As it is served: bitsandbytes computes otherwise on a CPU where gradients are kept.
    with torch.inference_mode():
        wanted = tuned.eval()(ids).logits
    assert torch.allclose(open_model(folder).model(ids).logits, wanted, atol=1e-4)
    assert not torch.allclose(open_model(toy).model(ids).logits, wanted, atol=1e-2)

    moved = (tmp_path / "base").rename(tmp_path / "elsewhere")
    with pytest.raises(PersonaError, match="is not at") as lost:
        open_model(folder)
    assert "--base-model" in lost.value.hint
    assert torch.allclose(open_model(folder, base_model=moved).model(ids).logits, wanted, atol=1e-4)
    weights = moved / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(PersonaError, match="not the base model"):
        open_model(folder, base_model=moved)


def real(persona: Persona) -> Persona:
    return persona.model_copy(update={"model": persona.model.model_copy(update={"parameters": 8_000_000_000})})


def test_a_real_model_is_refused_on_the_cpu_unless_asked_for(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    _, persona = open_persona(toy)
    assert choose_device(persona, "auto") == "cpu"
    assert choose_device(real(persona), "cpu") == "cpu"
    with pytest.raises(EngineError) as refused:
        choose_device(real(persona), "auto")
    assert "--device cpu" in refused.value.hint


@pytest.mark.parametrize("device", ["gpu", "cuda:63"])
def test_a_device_that_is_not_there_is_named(toy: Path, device: str) -> None:
    with pytest.raises(EngineError, match=device):
        choose_device(open_persona(toy)[1], device)


def test_eight_and_four_bit_at_once_are_refused(toy: Path) -> None:
    with pytest.raises(EngineError, match="at once"):
        open_model(toy, load_in_8bit=True, load_in_4bit=True)


def test_weights_that_are_no_weights_are_named(toy: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "v1"
    shutil.copytree(toy, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(b"\0" * weights.stat().st_size)
    with pytest.raises(EngineError, match="can't load"):
        open_model(folder)
