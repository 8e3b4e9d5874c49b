"""A toy base model made from nothing: for the demo, the tests and the curious.

A Llama of about a million parameters. Three things let so small a model, in a minute on two
cores, take up what is talked about:

* Byte-level BPE whose merges stay inside one character. A vocabulary of phrases makes it answer
  with phrases that ignore the question.
* Embeddings that start from what stands together in one conversation: positive pointwise mutual
  information, factored by SVD (Levy and Goldberg, 2014). From random ones, 40 passes over the
  sample left 6 of 30 questions answered on topic; from these, 10 passes left 22.
* While it learns, a fifth of what others said is replaced at random, so that it can't learn a
  question by its exact wording.

Sizes are multiples of 64, so that the 4- and 8-bit paths work on it too.
"""

import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.base import quiet
from training.templates import dress
from training.windows import IGNORE, Window

if TYPE_CHECKING:
    import torch

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ROLES = ["system", "user", "assistant"]


def make_tokenizer(texts: Iterable[str], *, vocab_size: int = 1536) -> Any:
    """A tokenizer over these texts, one token a common character, dressed as ChatML."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"), bytewise])
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=SPECIAL[1:2]
    )
    # Spelt letter by letter, a role's name would cost more tokens than most replies.
    tokenizer.add_tokens(ROLES)
    dress(tokenizer)
    return tokenizer


def make_model(
    tokenizer: Any,
    *,
    seed: int = 7,
    hidden_size: int = 128,
    intermediate_size: int = 384,
    num_hidden_layers: int = 3,
    num_attention_heads: int = 4,
    num_key_value_heads: int = 4,
    max_position_embeddings: int = 1024,
) -> Any:
    """A Llama with random weights for this tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer) + -len(tokenizer) % 64,
            hidden_size=hidden_size,
            intermediate_size=intermediate_size,
            num_hidden_layers=num_hidden_layers,
            num_attention_heads=num_attention_heads,
            num_key_value_heads=num_key_value_heads,
            max_position_embeddings=max_position_embeddings,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=True,
        )
        return LlamaForCausalLM(config)


def save(folder: Path, tokenizer: Any, model: Any) -> None:
    """Write a base model as a hub would deliver it; the folder is there whole or not at all."""
    quiet()
    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    tokenizer.save_pretrained(scratch)
    model.save_pretrained(scratch)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.replace(folder)


def embed_by_company(model: Any, windows: Sequence[Window], *, scale: float = 0.45) -> None:
    """Set the embeddings by which tokens stand in the same windows; each row has length `scale`."""
    import numpy as np
    import torch

    size, width = model.get_input_embeddings().weight.shape
    together = np.zeros((size, size))
    for window in windows:
        present = np.unique(window.input_ids)
        together[np.ix_(present, present)] += 1
    totals = together.sum(1) + 1e-9
    with np.errstate(divide="ignore"):
        information = np.log(together * together.sum() / np.outer(totals, totals))
    information[together < 2] = 0
    u, s, _ = torch.svd_lowrank(torch.tensor(np.maximum(information, 0)), q=width, niter=4)
    rows = u.numpy() * np.sqrt(s.numpy())
    rows *= scale / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6)
    with torch.no_grad():
        weight = model.get_input_embeddings().weight
        weight.copy_(torch.tensor(rows, dtype=weight.dtype) + 0.005 * torch.randn_like(weight))


def pretrain(
    model: Any,
    tokenizer: Any,
    windows: Sequence[Window],
    *,
    epochs: int,
    seed: int = 7,
    batch: int = 16,
    learning_rate: float = 3e-3,
    replaced: float = 0.2,
    on_step: Callable[[int, int, float], None] | None = None,
) -> None:
    """Teach the toy to read: next-token loss on everything, half of the weight on the labelled part.

    `on_step` is told step, steps and loss after each step.
    """
    import torch

    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.1, betas=(0.9, 0.98))
    steps = epochs * math.ceil(len(windows) / batch)
    fixed = torch.tensor([*tokenizer.convert_tokens_to_ids([*SPECIAL, *ROLES]), *tokenizer("\n")["input_ids"]])
    model.train()
    for step, chosen in enumerate(_batches(windows, batch, epochs, draw), 1):
        ids, labels, mask = _padded(chosen, tokenizer.pad_token_id)
        every = ids.masked_fill(mask == 0, IGNORE)
        hidden = (torch.rand(ids.shape, generator=draw) < replaced) & (labels == IGNORE) & ~torch.isin(ids, fixed)
        shown = torch.where(hidden, torch.randint(len(SPECIAL), len(tokenizer), ids.shape, generator=draw), ids)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1, step / 30) * 0.5 * (1 + math.cos(math.pi * step / steps))
        logits = model(shown, attention_mask=mask).logits[:, :-1].flatten(0, 1)
        each = torch.nn.functional.cross_entropy(logits, every[:, 1:].flatten(), reduction="none")
        weights = [(wanted[:, 1:] != IGNORE).flatten().float() for wanted in (labels, every)]
        replies, everything = ((each * weight).sum() / weight.sum() for weight in weights)
        loss = (replies + everything) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if on_step is not None:
            on_step(step, steps, float(loss.detach()))
    model.eval()


def _batches(windows: Sequence[Window], size: int, epochs: int, draw: "torch.Generator") -> Iterable[list[Window]]:
    """Batches of similar lengths, in another order each epoch."""
    import torch

    for _ in range(epochs):
        noise = (torch.rand(len(windows), generator=draw) * 20).tolist()
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].input_ids) + noise[i])
        starts = list(range(0, len(order), size))
        for i in torch.randperm(len(starts), generator=draw).tolist():
            yield [windows[j] for j in order[starts[i] : starts[i] + size]]


def _padded(windows: Sequence[Window], pad: int) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """`input_ids`, `labels` and `attention_mask`, padded on the right; (batch, longest) each."""
    import torch

    longest = max(len(window.input_ids) for window in windows)
    ids = torch.full((len(windows), longest), pad)
    labels = torch.full((len(windows), longest), IGNORE)
    mask = torch.zeros((len(windows), longest), dtype=torch.long)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        ids[row, :length] = torch.tensor(window.input_ids)
        labels[row, :length] = torch.tensor(window.labels)
        mask[row, :length] = 1
    return ids, labels, mask
