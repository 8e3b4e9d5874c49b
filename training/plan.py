"""`mybot plan`: will it fit, before anything is downloaded or loaded; from the base model's config.json alone.

    config.json ─meta device, PEFT─▶ sizes ─formula─▶ memory by part ─▶ fits, or what to change

The model is built on torch's meta device (no weights), the adapter by PEFT, so both are counted and
not guessed. The formula's parts are explained in `memory`; fragmentation is a share that one card showed.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Train
from training import base, recipe
from training.dataset import read_rows
from training.report import show

GIB = 2**30
FRAGMENTED = 0.1
"""Share that the allocator wastes: with it, four runs of an 8B on an H200 came within 12 % of the plan."""
CONTEXT = 1.0
"""GiB of a CUDA context with its libraries."""
LOSS_ROWS = 256
"""Tokens whose logits are reckoned with, in 12 bytes each. TRL 1.16 holds a tile of 4,096 tokens by 32,768 words in
16 bit, which is less for a large vocabulary; the runs on a card were nearer to this."""
CARDS = (8, 12, 16, 24, 32, 48, 80)
PEAK = {"V100": 112e12, "3090": 71e12, "4090": 165e12, "5090": 209e12, "A100": 312e12, "H100": 989e12, "H200": 989e12}
"""Dense 16-bit FLOPs a second by the makers' data sheets."""
REACHED = 0.3
"""Share of the peak that training usually reaches: for the order of magnitude only."""


@dataclass(slots=True, frozen=True)
class Sizes:
    """What the config alone says: counts of parameters and the shape of a layer."""

    parameters: int
    linear: int
    """Of these, in linear layers that quantisation takes (lm_head is none of them)."""
    adapter: int
    layers: int
    hidden: int
    kv: int
    """Width of the keys, and of the values."""
    inner: int
    """Width of the feed-forward layer."""
    vocabulary: int


def main(knobs: Train) -> None:
    base.quiet()
    knobs = recipe.resolve(knobs)
    config = base.load_config(knobs.base_model, knobs.revision)
    sizes = measure(config, knobs)
    parts = memory(sizes, knobs)
    here, name = card(knobs)
    numbers: dict[str, Any] = {
        "base_model": knobs.base_model,
        "parameters": sizes.parameters,
        "trained_parameters": sizes.adapter,
        "memory_gib": {part: round(size, 2) for part, size in parts.items()},
        "in_all_gib": round(sum(parts.values()), 1),
        "disk_gib": {what: round(size, 1) for what, size in disk(sizes, knobs).items()},
    }
    if here:
        fits = sum(parts.values()) <= here
        numbers["card"] = f"{name}: {here:.1f} GiB may be used"
        numbers["verdict"] = "it fits" if fits else "it does not fit"
        if not fits:
            changes = advice(sizes, config, knobs, here)
            numbers["what_to_change"] = changes if knobs.as_json else dict(enumerate(changes, 1))
    else:
        least = next((f"{size} GB" for size in CARDS if sum(parts.values()) <= size * 1e9 / GIB), "none of one card")
        numbers["card"] = "none here; --max-memory 24 plans for one"
        numbers["verdict"] = f"smallest card it fits on: {least}"
    numbers["time"] = duration(sizes, knobs, name)
    show("plan", numbers, as_json=knobs.as_json)


def measure(config: Any, knobs: Train) -> Sizes:
    """The sizes of this base model with this recipe's adapter, without any weights."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    base.quiet()
    text = config.get_text_config()
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
        parameters = sum(p.numel() for p in model.parameters())
        head = model.get_output_embeddings()
        linear = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head)
        tuned = get_peft_model(model, recipe.lora(knobs))
        adapter = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
    heads = text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    return Sizes(
        parameters=parameters,
        linear=linear,
        adapter=adapter,
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        kv=width * (getattr(text, "num_key_value_heads", None) or heads),
        inner=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        vocabulary=text.vocab_size,
    )


def memory(sizes: Sizes, knobs: Train) -> dict[str, float]:
    """GiB by part, for one micro-batch of full windows."""
    s, tokens = sizes, knobs.per_device_train_batch_size * knobs.max_length
    # nf4: half a byte, a constant a block of 64 in 8 bit, and one in 32 bit for 256 of those.
    per_linear = 0.5 + 1 / 64 + 4 / (64 * 256) if knobs.load_in_4bit else 1.0 if knobs.load_in_8bit else 2.0
    # Adapters are kept in 32 bit: weights, gradients, and two moments of Adam.
    per_adapter = 4 + 4 + (2 if "8bit" in knobs.optim or knobs.optim == "auto" else 8)
    live = 2 * (6 * s.hidden + 2 * s.kv + 4 * s.inner)
    checkpointed = knobs.gradient_checkpointing != "off"
    activations = s.layers * tokens * s.hidden * 2 + tokens * live if checkpointed else s.layers * tokens * live
    loss = LOSS_ROWS * s.vocabulary * 12 + 4 * tokens * s.hidden
    dequantised = 2 * s.hidden * s.inner if knobs.load_in_4bit or knobs.load_in_8bit else 0
    parts = {
        "base model": s.linear * per_linear + (s.parameters - s.linear) * 2,
        "adapter and optimiser": s.adapter * per_adapter,
        "activations": activations,
        "loss and buffers": loss + dequantised,
    }
    parts = {name: size / GIB for name, size in parts.items()}
    return {**parts, "fragmentation": sum(parts.values()) * FRAGMENTED, "CUDA": CONTEXT}


def disk(sizes: Sizes, knobs: Train) -> dict[str, float]:
    """GiB on disk: what is fetched, and what is made."""
    return {
        "base model": 0.0
        if Path(base.source(knobs.base_model, knobs.revision)).is_dir()
        else sizes.parameters * 2 / GIB,
        "checkpoints": sizes.adapter * 4 * 3 / GIB,
        "merged persona": sizes.parameters * 2 / GIB,
    }


def card(knobs: Train) -> tuple[float, str]:
    """GiB that training may use, and the card's name; 0 where there is no card and none was named."""
    import torch

    if not torch.cuda.is_available():
        return knobs.max_memory, "a card of that size" if knobs.max_memory else ""
    free, total = torch.cuda.mem_get_info()
    return min(knobs.max_memory or total / GIB, free / GIB), torch.cuda.get_device_name()


def advice(sizes: Sizes, config: Any, knobs: Train, here: float) -> list[str]:
    """The first few changes, one on top of the other, after which it fits; else what is left to do."""
    said: list[str] = []
    for flag, change in _ladder(knobs):
        knobs = knobs.model_copy(update=change)
        said.append(flag)
        if "r" in change:
            sizes = dataclasses.replace(sizes, adapter=measure(config, knobs).adapter)
        if sum(memory(sizes, knobs).values()) <= here:
            return said
    return [*said, "and still too large: choose a smaller base model"]


def _ladder(knobs: Train) -> list[tuple[str, dict[str, Any]]]:
    """Changes in the order of how little they cost."""
    steps: list[tuple[str, dict[str, Any]]] = []
    if knobs.gradient_checkpointing == "off":
        steps.append(("--gradient-checkpointing on", {"gradient_checkpointing": "on"}))
    if knobs.per_device_train_batch_size > 1:
        more = knobs.per_device_train_batch_size * knobs.gradient_accumulation_steps
        flags = f"--per-device-train-batch-size 1 --gradient-accumulation-steps {more}"
        steps.append((flags, {"per_device_train_batch_size": 1, "gradient_accumulation_steps": more}))
    if not knobs.load_in_4bit:
        steps.append(("--load-in-4bit", {"load_in_4bit": True, "load_in_8bit": False}))
    if "8bit" not in knobs.optim and knobs.optim != "auto":
        steps.append(("--optim paged_adamw_8bit", {"optim": "paged_adamw_8bit"}))
    steps += [(f"--max-length {n}", {"max_length": n}) for n in (1024, 512) if n < knobs.max_length]
    if knobs.r > 8:
        steps.append(("--r 8", {"r": 8}))
    return steps


def duration(sizes: Sizes, knobs: Train, name: str) -> str:
    """The order of magnitude of the time; training measures it after its first steps."""
    peak = next((flops for known, flops in PEAK.items() if known in name), 0.0)
    if not (knobs.data / "train.jsonl").is_file():
        return "unknown before `mybot dataset` has run"
    rows = read_rows(knobs.data / "train.jsonl")
    characters = sum(len(bubble["text"]) + 4 for row in rows for turn in row["turns"] for bubble in turn["bubbles"])
    # A Chinese vocabulary takes about 0.7 tokens a character.
    tokens = characters * 0.7 * knobs.num_train_epochs
    if knobs.max_steps > 0:
        rows_a_step = knobs.per_device_train_batch_size * knobs.gradient_accumulation_steps
        tokens = min(tokens, knobs.max_steps * rows_a_step * knobs.max_length)
    told = f"about {tokens:,.0f} tokens in all"
    if not peak:
        return f"{told}; on a card the first steps measure how long they take"
    minutes = 6 * sizes.parameters * tokens / (peak * REACHED) / 60
    return f"{told}, {max(1, minutes):,.0f} minutes or a few times that; the first steps measure it"
