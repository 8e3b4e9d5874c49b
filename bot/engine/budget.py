"""How much one batch may hold: what a token costs, and what is free for it.

On a card a token's cost is measured, whatever the model is made of: its cache and its share of the
prefill, and per row what a recurrent layer keeps. Without one it is reckoned from the config:
nobody counts there, and trying it out would make bitsandbytes repack its weights for good.
Imports torch; imported late, by model.py alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

CPU_BUDGET = 32_768
"""Tokens of one batch without a card, where memory allows more: beyond it only waiting grows."""
_SHARE = 0.7
"""Of the free memory; the rest is for what torch fragments and others take."""
_SHORT, _LONG = 64, 320


@dataclass(slots=True, frozen=True)
class Cost:
    """Bytes."""

    token: float
    row: float


def free(device: str) -> int:
    """Bytes that can still be had on a device."""
    if device.startswith("cuda"):
        # What torch holds without using it counts as free.
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    return min(_machine(), _container())


def measure(model: Any, device: str) -> Cost:
    """What tokens and rows cost; on a card by two prompts of two lengths, ragged as they come."""
    config = model.config.get_text_config()
    # The scores of a row, and about as much again for each step of narrowing and drawing them.
    drawing = 12 * 4 * config.vocab_size
    if not device.startswith("cuda"):
        return Cost(_reckoned(config, model.dtype.itemsize), drawing)
    short, long = (_peak(model, device, length) for length in (_SHORT, _LONG))
    token = max(1.0, (long - short) / (2 * (_LONG - _SHORT)))
    return Cost(token, drawing + max(0.0, short / 2 - token * _SHORT))


def tokens(cost: Cost, device: str, max_batch: int) -> int:
    """Tokens of one padded batch, prompts and replies."""
    room = int((_SHARE * free(device) - max_batch * cost.row) / cost.token)
    return max(1024, room if device.startswith("cuda") else min(room, CPU_BUDGET))


def _peak(model: Any, device: str, length: int) -> float:
    """Bytes that a forward of two rows takes at most, its cache among them."""
    ids = torch.ones((2, length), dtype=torch.long, device=device)
    mask = torch.ones_like(ids)
    mask[0, : length // 4] = 0
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    with torch.inference_mode():
        model(input_ids=ids, attention_mask=mask, use_cache=True, logits_to_keep=1)
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _reckoned(config: Any, size: int) -> float:
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cache = 2 * config.num_hidden_layers * heads * head
    prefill = 8 * config.hidden_size + 3 * config.intermediate_size
    return size * (cache + prefill)


def _machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:  # not Linux
        return 8 << 30
    found = next(line for line in lines if line.startswith("MemAvailable:"))
    return int(found.split()[1]) * 1024


def _container() -> int:
    """What a container may still take; no limit reads as much."""
    folder = Path("/sys/fs/cgroup")
    try:
        most = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = (folder / "memory.current").read_text(encoding="ascii").strip()
    except OSError:
        return 1 << 62
    return 1 << 62 if most == "max" else int(most) - int(used)
