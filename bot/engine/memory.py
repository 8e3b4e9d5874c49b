"""Whether a second model fits beside the one that runs: sizes and free memory, without torch.

The free memory of a card is what the running child says in /health; without a card it is the
machine's. What isn't known is taken as enough: the new model then says itself that it does not fit.
"""

from pathlib import Path
from typing import Any

from bot.engine.weights import size_of
from bot.persona.manifest import Persona
from config.settings import Engine

BESIDE = 1 << 30
"""Bytes that a worker needs beside its weights: libraries, a context on the card, a small batch."""
_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}


def fits_beside(persona: Persona, knobs: Engine, health: dict[str, Any] | None) -> bool:
    """Whether this persona may be loaded while another one runs; `health` is what that one's server says."""
    if knobs.swap != "auto":
        return knobs.swap == "beside"
    free = free_bytes(health)
    return free is None or weight_bytes(persona, knobs, on_card=_on_card(health)) + BESIDE <= free


def weight_bytes(persona: Persona, knobs: Engine, *, on_card: bool) -> float:
    """Bytes of the weights in the form they are loaded in."""
    dtype = knobs.dtype if knobs.dtype != "auto" else persona.model.dtype if on_card else "float32"
    width = 0.6 if knobs.load_in_4bit else 1.1 if knobs.load_in_8bit else _BYTES[dtype]
    return size_of(persona) * width


def free_bytes(health: dict[str, Any] | None) -> float | None:
    """Free memory where the running model is; None where nobody says."""
    if _on_card(health):
        return float(((health or {}).get("memory") or {})["free"])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _on_card(health: dict[str, Any] | None) -> bool:
    return bool((health or {}).get("memory"))
