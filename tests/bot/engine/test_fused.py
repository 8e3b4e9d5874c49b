"""Fused kernels say the same, and are taken back where they don't."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
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
    mlp = model.model.layers[0].mlp
    assert all("forward" in vars(part) for part in (attention.k_proj, mlp.up_proj, attention))
    assert attention.k_proj.weight.untyped_storage().data_ptr() == attention.q_proj.weight.untyped_storage().data_ptr()
    assert (after - before).abs().max() < 1e-4
    assert (model.get_memory_footprint(), set(model.state_dict())) == (size, names)


class Kernels(TorchDispatchMode):
    """Counts what a card would have to start: all but views."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and func._schema.name not in ("aten::_unsafe_view", "aten::detach"):
            self.names.append(func._schema.name)
        return func(*args, **(kwargs or {}))


def kernels(kind: str, layers: int, *, fuse: bool) -> int:
    model = model_of(kind, num_hidden_layers=layers)
    assert not fuse or fused.fuse(model)
    with torch.inference_mode():
        cache = model(torch.tensor([[5, 6, 7]]), use_cache=True).past_key_values
        with Kernels() as counted:
            model(torch.tensor([[8]]), past_key_values=cache, use_cache=True)
    return len(counted.names)


def test_half_of_a_layers_kernels_are_gone() -> None:
    plain, less = (kernels("qwen3", 2, fuse=fuse) - kernels("qwen3", 1, fuse=fuse) for fuse in (False, True))
    assert less <= 0.5 * plain, (plain, less)


@pytest.mark.parametrize("kind", ["glm4", "qwen3_5_text"])
def test_what_turns_otherwise_or_in_part_says_the_same(kind: str) -> None:
    more = {"layer_types": ["linear_attention", "full_attention"], "linear_num_value_heads": 4}
    more |= {"linear_num_key_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16}
    model = model_of(kind, pad_token_id=0, **(more if kind == "qwen3_5_text" else {}))
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        before = model(ids).logits
        assert fused.fuse(model)
        assert (model(ids).logits - before).abs().max() < 1e-4


def test_another_model_of_the_same_kind_hears_nothing_of_it() -> None:
    one, other = model_of("llama"), model_of("llama")
    turn = type(other.model.layers[0].self_attn).forward.__globals__["apply_rotary_pos_emb"]
    assert fused.fuse(one)
    assert "forward" not in vars(other.model.layers[0].self_attn)
    assert type(other.model.layers[0].self_attn).forward.__globals__["apply_rotary_pos_emb"] is turn


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
