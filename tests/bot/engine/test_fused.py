"""Fused kernels say the same, and are taken back where they don't."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from bot.engine import fused

SMALL = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "initializer_range": 0.2,
}


def model_of(kind: str, **more: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SMALL, **more})).eval()


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_fused_kernels_say_the_same(kind: str) -> None:
    model = model_of(kind)
    attention = model.model.layers[0].self_attn
    for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
        if projection.bias is not None:
            torch.nn.init.normal_(projection.bias)
    ids = torch.tensor([[5, 6, 7, 8, 9], [1, 2, 3, 4, 5]])
    size = model.get_memory_footprint()
    names = set(model.state_dict())
    with torch.inference_mode():
        before = model(ids).logits
        assert fused.fuse(model)
        after = model(ids).logits
    assert "forward" in vars(attention.k_proj)
    assert attention.k_proj.weight.untyped_storage().data_ptr() == attention.q_proj.weight.untyped_storage().data_ptr()
    assert (after - before).abs().max() < 1e-4
    assert (model.get_memory_footprint(), set(model.state_dict())) == (size, names)


def test_layers_that_are_asked_in_another_order_are_left_alone() -> None:
    model = model_of("llama")
    attention = model.model.layers[1].self_attn
    plain = type(attention).forward

    def backwards(*more: Any, hidden_states: torch.Tensor, **named: Any) -> Any:
        attention.k_proj(hidden_states)
        return plain(attention, *more, hidden_states=hidden_states, **named)

    attention.forward = backwards
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        before = model(ids).logits
        assert not fused.fuse(model)
        after = model(ids).logits
    assert "forward" not in vars(attention.q_proj)
    assert torch.equal(after, before)


def test_a_quantised_or_wrapped_layer_is_not_touched() -> None:
    model = model_of("llama")

    class Other(torch.nn.Linear):
        pass

    attention = model.model.layers[0].self_attn
    attention.k_proj = Other(64, 32, bias=False)
    assert fused.fuse(model)
    assert "forward" not in vars(attention.q_proj)
    assert "forward" in vars(model.model.layers[1].self_attn.q_proj)
