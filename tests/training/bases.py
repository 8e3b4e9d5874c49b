"""The base models that presets name: the numbers of their config.json, and tiny ones of the same architecture.

Nothing is downloaded; a tiny one has random weights and the toy's tokenizer.
"""

from pathlib import Path
from typing import Any

QWEN3 = {"model_type": "qwen3", "head_dim": 128, "num_key_value_heads": 8, "vocab_size": 151936}
REAL: dict[str, dict[str, Any]] = {
    "RicardoLee/Llama2-chat-13B-Chinese-50W": {
        "model_type": "llama", "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
        "num_attention_heads": 40, "num_key_value_heads": 40, "vocab_size": 32000, "tie_word_embeddings": False,
    },
    "Qwen/Qwen3-4B-Instruct-2507": {
        **QWEN3, "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
        "num_attention_heads": 32, "tie_word_embeddings": True,
    },
    "Qwen/Qwen3-8B": {
        **QWEN3, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
        "num_attention_heads": 32, "tie_word_embeddings": False,
    },
    "Qwen/Qwen3-14B": {
        **QWEN3, "hidden_size": 5120, "intermediate_size": 17408, "num_hidden_layers": 40,
        "num_attention_heads": 40, "tie_word_embeddings": False,
    },
    "Qwen/Qwen3-32B": {
        **QWEN3, "hidden_size": 5120, "intermediate_size": 25600, "num_hidden_layers": 64,
        "num_attention_heads": 64, "tie_word_embeddings": False,
    },
    "Qwen/Qwen3.5-9B": {
        "model_type": "qwen3_5_text", "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 32,
        "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 248320,
        "linear_num_key_heads": 16, "linear_num_value_heads": 32, "tie_word_embeddings": False,
    },
}  # fmt: skip

SMALL: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 32, "max_position_embeddings": 4096,
}  # fmt: skip
"""Sizes that every dense architecture takes, all multiples of 32."""

MORE: dict[str, dict[str, Any]] = {
    # in_proj_a and in_proj_b are as wide as there are heads: 32, for the 4-bit path on the CPU.
    "qwen3_5_text": {
        "layer_types": ["linear_attention", "full_attention"], "linear_num_value_heads": 32,
        "linear_num_key_heads": 16, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    },
}  # fmt: skip
"""What some architectures need beside SMALL."""


def real_config(name: str) -> Any:
    """The configuration of a base model that a preset names, in its real size."""
    from transformers import AutoConfig

    return AutoConfig.for_model(**REAL[name])


def tiny_model(model_type: str, tokenizer: Any, *, seed: int = 7) -> Any:
    """A random model of an architecture, with this tokenizer's vocabulary."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    size = len(tokenizer) + -len(tokenizer) % 64
    ends: dict[str, Any] = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = AutoConfig.for_model(
        model_type, **{**SMALL, "vocab_size": size, "bos_token_id": None, **ends, **MORE.get(model_type, {})}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config)


def tiny_base(folder: Path, model_type: str, tokenizer: Any) -> Path:
    """The folder of such a model, as a hub would deliver it."""
    from training import tiny

    tiny.save(folder, tokenizer, tiny_model(model_type, tokenizer))
    return folder
