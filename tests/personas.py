"""Personas for tests, made on the fly: a random Llama that speaks bytes."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bot.persona.manifest import Generation, Model, Persona, Provenance
from bot.persona.prompt import PromptSpec

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]


def byte_tokenizer() -> Any:
    """A byte-level BPE with hardly any merges, ChatML and three special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(
        ["the cat sat on the mat", "你好呀 你好 周四来吗", "user assistant system"] * 3, trainer
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|im_end|>")
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    fast.chat_template = CHATML
    return fast


def make_persona(
    folder: Path,
    *,
    seed: int = 0,
    context: int = 512,
    name: str = "toy",
    spoil: str = "",
    size: int = 1,
    heads: int = 4,
    **knobs: Any,
) -> Path:
    """A sealed version folder with a random Llama of about 100,000 parameters; size 4 has 4 times the width, heads and layers.

    Spoiled, it is "endless" (the likeliest token is always a word) or "nan" (its scores are no numbers).
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=64 * size,
                intermediate_size=128 * size,
                num_hidden_layers=2 * size,
                num_attention_heads=heads * size,
                num_key_value_heads=heads * size // 2,
                max_position_embeddings=max(2048, context),
                # Random weights of the usual size hardly tell one history from another.
                initializer_range=0.2,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                bos_token_id=None,
            )
        )
        if spoil == "endless":
            model.lm_head.weight.data[[not token.isalpha() for token in _spelt(tokenizer)]] = 0.0
        elif spoil == "nan":
            model.model.norm.weight.data[:] = float("nan")
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    persona = Persona(
        name=name,
        model=Model(base="random", dtype="float32", parameters=model.num_parameters(), context=context),
        prompt=PromptSpec(me="小鹿"),
        generation=Generation(temperature=0.8, top_p=0.95, max_tokens=24),
        provenance=Provenance(created=datetime(2026, 1, 1, tzinfo=timezone.utc)),
    )
    persona.model_copy(update=knobs).seal(folder)
    return folder


def _spelt(tokenizer: Any) -> list[str]:
    return [tokenizer.decode([token]) for token in range(len(tokenizer))]
