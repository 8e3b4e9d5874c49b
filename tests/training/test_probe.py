"""Packed windows don't see each other: asked of tiny random models of every architecture, hybrid ones included."""

from typing import Any

import pytest
import torch

from config.settings import Train
from tests.training.bases import REAL, tiny_model
from training import probe

DENSE = ("llama", "qwen2", "qwen3", "glm4", "hunyuan_v1_dense", "ernie4_5", "gemma3_text", "internlm3")
HYBRID = ("qwen3_5_text",)


def test_every_architecture_of_a_preset_is_tried() -> None:
    assert {numbers["model_type"] for numbers in REAL.values()} <= {*DENSE, *HYBRID}


@pytest.mark.parametrize("architecture", DENSE)
def test_a_dense_model_is_clean(architecture: str, tokenizer: Any) -> None:
    model = tiny_model(architecture, tokenizer)
    assert probe.leak(model) < 1e-5
    assert probe.batching(model, Train(batching="packed")) == "packed"
    # Without a card, packing costs more than it saves.
    assert probe.batching(model, Train()) == "grouped"


@pytest.mark.parametrize("architecture", HYBRID)
def test_a_hybrid_model_is_caught(architecture: str, tokenizer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_model(architecture, tokenizer)
    model.train()
    assert probe.batching(model, Train(batching="packed")) == "grouped"
    assert model.training
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith("batches are grouped by length instead")
    assert said.count(":") == 1


def test_a_model_that_rounds_much_is_clean_and_a_leak_is_above_that(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model("llama", tokenizer)
    whole, ones = type(model).forward, False

    def rounding(self: Any, **inputs: Any) -> Any:
        """As deep models do in 16 bit: another shape of the batch, other last digits."""
        if ones and "position_ids" in inputs:
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        out = whole(self, **inputs)
        noise = torch.randn(out.logits.shape, generator=torch.Generator().manual_seed(out.logits.shape[1]))
        out.logits = out.logits * (1 + 3e-4 * noise)
        return out

    monkeypatch.setattr(type(model), "forward", rounding)
    assert probe.leak(model) > probe.TOLERANCE["float32"]
    assert probe.batching(model, Train(batching="packed")) == "packed"
    ones = True
    assert probe.batching(model, Train(batching="packed")) == "grouped"


def test_a_mask_of_ones_is_why_the_collator_gives_none(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trap the probe stands for: with such a mask, or a cache, the row is one window."""
    model = tiny_model("llama", tokenizer)
    whole = type(model).forward

    def masked(self: Any, **inputs: Any) -> Any:
        return whole(self, **{**inputs, "attention_mask": torch.ones_like(inputs["input_ids"])})

    monkeypatch.setattr(type(model), "forward", masked)
    assert probe.leak(model) > 1e-3


def test_nothing_is_probed_in_4_bit_on_a_cpu(tokenizer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """bitsandbytes would repack the weights, and training go on with others than it was given."""
    model = tiny_model("llama", tokenizer)
    calls: list[int] = []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    model.is_loaded_in_4bit = True
    assert probe.batching(model, Train(batching="packed", load_in_4bit=True)) == "grouped"
    assert not calls
    assert "4 bit on a CPU" in capsys.readouterr().err
    model.is_loaded_in_4bit = False
    assert probe.batching(model, Train(batching="packed")) == "packed"
    assert calls


def test_what_was_asked_for_is_not_probed(tokenizer: Any) -> None:
    for wanted in ("grouped", "padded"):
        assert probe.batching(None, Train(batching=wanted)) == wanted
