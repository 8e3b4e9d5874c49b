"""Models of real size with random weights: nothing is downloaded, and a card works as hard as on real ones.

The numbers are those of the models' own config.json. What such a model says is noise; how fast it
says it, and how much memory that takes, is not.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bot.persona.manifest import Generation, Model, Persona, Provenance
from bot.persona.prompt import PromptSpec
from training.templates import dress

CONFIGS: dict[str, dict[str, Any]] = {
    "8b": {  # Qwen3-8B: grouped heads
        "model_type": "qwen3",
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
    },
    "4b": {  # Qwen3-4B
        "model_type": "qwen3",
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "tie_word_embeddings": True,
    },
    "13b": {  # Llama2-13B: every head has its own keys
        "model_type": "llama",
        "hidden_size": 5120,
        "intermediate_size": 13824,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "num_key_value_heads": 40,
        "vocab_size": 55296,
        "max_position_embeddings": 4096,
    },
    "tiny": {  # to try the measurements where there is no card
        "model_type": "qwen3",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": 2048,
        "max_position_embeddings": 4096,
    },
}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def tokenizer_of_size(vocab_size: int) -> Any:
    """A byte-level tokenizer with a word for every id, so that random tokens decode to text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words = [*SPECIAL, *alphabet]
    words += [f"Ġ{number}" for number in range(vocab_size - len(words))]
    core = Tokenizer(models.BPE(vocab={word: place for place, word in enumerate(words)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(SPECIAL)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>"]})
    dress(tokenizer)
    return tokenizer


def make_base(folder: Path, which: str, *, seed: int = 0) -> Path:
    """A model folder of that size, made on the card where there is one and written in 16 bit; one that is there is kept."""
    import torch

    if (folder / "config.json").is_file():
        return folder
    model = random_model(which, seed=seed)
    model.save_pretrained(folder, max_shard_size="4GB")
    del model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return folder


def random_model(which: str, *, seed: int = 0) -> Any:
    """A model of that size, on the card where there is one, in 16 bit there."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    numbers = dict(CONFIGS[which])
    config = AutoConfig.for_model(numbers.pop("model_type"), **numbers, bos_token_id=None, eos_token_id=2)
    torch.manual_seed(seed)
    cuda = torch.cuda.is_available()
    with torch.device("cuda" if cuda else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16 if cuda else torch.float32)
    with torch.no_grad():
        # Random scores are nearly flat; a trained model's are not, and top_p is dear where they are.
        model.get_output_embeddings().weight.mul_(8)
    model.generation_config.eos_token_id = 2
    return model


def persona_of(folder: Path, which: str) -> Persona:
    """What can be served from a base folder, its tokenizer written beside the weights; not sealed, which hashes all of it."""
    import torch

    tokenizer_of_size(CONFIGS[which]["vocab_size"]).save_pretrained(folder)
    return Persona(
        name=which,
        model=Model(base=which, dtype="bfloat16" if torch.cuda.is_available() else "float32", context=4096),
        prompt=PromptSpec(me="小鹿"),
        generation=Generation(temperature=0.8, top_p=0.95, max_tokens=64),
        provenance=Provenance(created=datetime(2026, 1, 1, tzinfo=timezone.utc)),
    )


@contextlib.contextmanager
def place(folder: Path | None) -> Iterator[Path]:
    """Where models are made: a folder that stays, or one that goes again."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)


@contextlib.contextmanager
def peak() -> Iterator[dict[str, float]]:
    """GiB of the card that the block takes at most: what torch holds, and the context beside it."""
    import gc

    import torch

    gc.collect()
    used: dict[str, float] = {}
    if not torch.cuda.is_available():
        yield used
        return
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield used
    free, total = torch.cuda.mem_get_info()
    beside = total - free - torch.cuda.memory_reserved()
    used["allocated"] = torch.cuda.max_memory_allocated() / 2**30
    used["reserved"] = torch.cuda.max_memory_reserved() / 2**30
    used["in all"] = used["reserved"] + beside / 2**30


def bandwidth() -> float:
    """Bytes a second that the card copies, read and written counted: the ceiling of decoding."""
    import torch

    if not torch.cuda.is_available():
        return 1e10
    block = torch.empty(4 << 30, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(block)
    for _ in range(3):
        target.copy_(block)
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(10):
        target.copy_(block)
    end.record()
    torch.cuda.synchronize()
    return 10 * 2 * block.numel() / (begin.elapsed_time(end) / 1e3)
