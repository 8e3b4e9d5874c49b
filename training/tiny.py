"""A toy base model made from nothing: for the demo, the tests and the curious.

Byte-level BPE whose merges stay inside one character (the deciding lever for so small a model: a
vocabulary of phrases makes it answer with phrases that ignore the question), and a Llama with
random weights. Sizes are multiples of 64, so that the 4- and 8-bit paths work on it too.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from training.templates import dress

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def make(
    folder: Path,
    texts: Iterable[str],
    *,
    seed: int = 7,
    hidden_size: int = 128,
    intermediate_size: int = 384,
    num_hidden_layers: int = 3,
    num_attention_heads: int = 4,
    vocab_size: int = 2048,
    max_position_embeddings: int = 1024,
) -> None:
    """Write a toy base model, as a hub would deliver it, into `folder`; it is there whole or not at all."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    tokenizer = _tokenizer(texts, vocab_size)
    tokenizer.save_pretrained(scratch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer) + -len(tokenizer) % 64,
            hidden_size=hidden_size,
            intermediate_size=intermediate_size,
            num_hidden_layers=num_hidden_layers,
            num_attention_heads=num_attention_heads,
            num_key_value_heads=num_attention_heads // 2,
            max_position_embeddings=max_position_embeddings,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=False,
        )
        LlamaForCausalLM(config).save_pretrained(scratch)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.replace(folder)


def _tokenizer(texts: Iterable[str], vocab_size: int):  # noqa: ANN202 - a transformers class, imported late
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=SPECIAL[1:2]
    )
    # Spelt letter by letter, a role's name would cost more tokens than most replies.
    tokenizer.add_tokens(["system", "user", "assistant"])
    dress(tokenizer)
    return tokenizer
