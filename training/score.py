"""`mybot score`: a persona in the form it is served, on the held-out rows: its loss, and what it lets slip.

    heldout.jsonl ─the persona's own prompt and tokenizer─▶ windows ─▶ nats a token of my replies
                                                            prompts ─▶ replies without guard ─▶ personal data in them

Doesn't judge: that is gate.py. No text leaves this module, only counts.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bot.persona import privacy
from bot.persona.manifest import SCORES, Persona, open_persona, write_atomically
from config.errors import InputError
from config.settings import Engine, Score, load
from training.answers import answers
from training.dataset import read_messages, read_rows
from training.report import show
from training.sft import cut_rows
from training.windows import IGNORE, Cutter, Window


def main(knobs: Score) -> None:
    folder, persona = open_persona(knobs.persona)
    result = {"persona": persona.hash, "part": knobs.part, **score(folder, knobs)}
    _keep(folder / SCORES, result)
    if knobs.as_json:
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        show("score", result)


def _keep(path: Path, result: dict[str, Any]) -> None:
    """Write the scores beside the version. The gate's verdict on it stays: only the gate takes it back."""
    before = json.loads(path.read_bytes()) if path.is_file() else {}
    verdict = {name: before[name] for name in ("passed", "reasons", "gate", "figures") if name in before}
    same = before.get("persona") == result["persona"]
    write_atomically(path, json.dumps({**result, **(verdict if same else {})}, indent=1) + "\n")


def score(folder: Path, knobs: Score) -> dict[str, Any]:
    """Loss in nats a token of my replies, and how many generations held personal data of the records."""
    from bot.engine.model import load as load_model

    _, persona = open_persona(folder)
    served = load(
        Engine,
        persona=folder,
        device=knobs.device,
        load_in_8bit=knobs.load_in_8bit,
        load_in_4bit=knobs.load_in_4bit,
    )
    loaded = load_model(folder, persona, served)
    windows = heldout_windows(loaded, persona, knobs.data, knobs.part, knobs.rows)
    if not windows:
        raise InputError(
            f"no reply of yours in the {knobs.part} part", hint="import more records, or choose another --part"
        )
    loss, tokens = heldout_loss(loaded, windows)
    secrets = _personal_data(knobs.data / "messages.jsonl")
    said = list(islice(_replies(loaded, persona, windows, knobs.generations), knobs.generations))
    return {
        "loss": round(loss, 5) if math.isfinite(loss) else None,
        "tokens": tokens,
        "windows": len(windows),
        "generations": len(said),
        "leaks": sum(any(secret in text for secret in secrets) for text in said),
    }


def heldout_windows(loaded: Any, persona: Persona, data: Path, part: str, rows: int) -> list[Window]:
    """The first windows of a held-out part, cut for this persona."""
    cutter = Cutter(loaded.tokenizer, persona.prompt, loaded.context)
    wanted = (row for row in read_rows(data / "heldout.jsonl") if row["split"] == part)
    return list(islice(cut_rows(cutter, wanted), rows))


def heldout_loss(loaded: Any, windows: Sequence[Window]) -> tuple[float, int]:
    """Nats a token of my replies, and how many tokens those are."""
    total = tokens = 0.0
    for window in windows:
        nats, n = _nats(loaded, window)
        total, tokens = total + nats, tokens + n
    return total / tokens, int(tokens)


def _nats(loaded: Any, window: Window) -> tuple[float, int]:
    """Negative log likelihood of a window's replies, and their tokens."""
    import torch

    ids = torch.tensor([window.input_ids], device=loaded.device)
    labels = torch.tensor(window.labels[1:], device=loaded.device)
    with torch.inference_mode():
        logits = loaded.model(ids, use_cache=False).logits[0, :-1].float()
    nats = torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
    return float(nats), int((labels != IGNORE).sum())


def _replies(loaded: Any, persona: Any, windows: Sequence[Window], wanted: int) -> Iterator[str]:
    """Replies to the held-out prompts, sampled as sealed, seeded, without the guard."""
    prompts = [window.input_ids[: _first_target(window)] for window in windows]
    yield from answers(loaded, persona.generation, (prompts[number % len(prompts)] for number in range(wanted)))


def _first_target(window: Window) -> int:
    return next(place for place, wanted in enumerate(window.labels) if wanted != IGNORE)


def _personal_data(path: Path) -> set[str]:
    """Every piece of personal data that the records hold, as it stands there."""
    found: set[str] = set()
    for message in read_messages(path):
        text = message.text
        found.update(text[start:end] for start, end, _ in privacy.find(text))
    return found
