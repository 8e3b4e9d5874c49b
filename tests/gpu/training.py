"""What fine-tuning takes on a card: peak memory against `mybot plan`, tokens a second of recipe beside recipe.

    python tests/gpu/training.py [--cases 8b:8b-24g,8b:original-13b-v100,…] [--steps 6] [--folder DIR]

A case is a model of real size with random weights, a preset, and a cap on the card's memory if need
be (`8b:8b-12g@10.5`). Two sets of windows: `full` ones of max_length tokens, which memory is planned
for, and `mixed` ones whose lengths are those of chats (the bundled sample's sessions have a median
of about 150 tokens), which speed is compared on. Useful tokens: padding is none. One JSON line a case.
"""

import argparse
import json
import random
import sys
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from config.settings import Train
from tests.gpu.real import CONFIGS, make_base, peak, place, tokenizer_of_size
from training import base, plan, recipe, running
from training.windows import IGNORE, Window

WARM = 2
"""Optimiser steps that are not timed: kernels are chosen and memory is taken in them."""
MIXED = 3000
"""Windows of a small person's records."""


def lengths(kind: str, count: int, longest: int) -> list[int]:
    draw = random.Random(7)
    if kind == "full":
        return [longest] * count
    return [max(16, min(longest, int(draw.lognormvariate(5.0, 0.9)))) for _ in range(count)]


def windows(kind: str, count: int, longest: int, vocabulary: int) -> list[Window]:
    draw = random.Random(11)
    made = []
    for length in lengths(kind, count, longest):
        ids = [draw.randrange(3, vocabulary) for _ in range(length)]
        made.append(Window(ids, [token if place % 4 == 0 else IGNORE for place, token in enumerate(ids)]))
    return made


def timing() -> Any:
    """A callback that notes when each optimiser step ended, with the card idle, and the useful tokens so far."""
    import torch
    from transformers import TrainerCallback

    class Timing(TrainerCallback):
        def __init__(self) -> None:
            self.trainer: Any = None
            self.at: list[tuple[float, int]] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.at.append((time.perf_counter(), self.trainer.useful))

    return Timing()


def run(folder: Path, which: str, preset: str, cap: float, kind: str, steps: int, scratch: Path) -> dict[str, Any]:
    """Some optimiser steps of a preset: seconds a step, useful tokens a second, peak memory."""
    given = {"preset": preset, "base_model": str(folder), "report_to": "none", "max_steps": steps, "max_memory": cap}
    knobs = recipe.resolve(Train(**given, save_steps=0, eval_strategy="no"))
    rows = knobs.per_device_train_batch_size * knobs.gradient_accumulation_steps
    count = rows * steps if kind == "full" else MIXED
    made = windows(kind, count, knobs.max_length, CONFIGS[which]["vocab_size"])
    clock = timing()
    with peak() as used:
        begun = time.perf_counter()
        trainer = running._trainer(knobs, base.load_tokenizer(str(folder)), made, [], scratch, [clock])
        clock.trainer = trainer
        loading = time.perf_counter() - begun
        trainer.train()
        batching = trainer.batching
        del trainer, clock.trainer
    warm, end = clock.at[WARM - 1], clock.at[-1]
    seconds, useful = end[0] - warm[0], end[1] - warm[1]
    row = {"model": which, "preset": preset, "windows": kind, "batching": batching, "loading s": round(loading, 1)}
    row |= {"s a step": round(seconds / (len(clock.at) - WARM), 2), "useful tokens/s": round(useful / seconds)}
    return row | {f"{name} GiB": round(size, 2) for name, size in used.items()}


def planned(folder: Path, preset: str, cap: float) -> dict[str, float]:
    knobs = recipe.resolve(Train(preset=preset, base_model=str(folder), max_memory=cap))
    parts = plan.memory(plan.measure(base.load_config(str(folder)), knobs), knobs)
    return {"planned GiB": round(sum(parts.values()), 2)}


def case(text: str) -> tuple[str, str, float]:
    which, preset = text.split(":")
    preset, _, cap = preset.partition("@")
    return which, preset, float(cap or 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default="8b:8b-24g,8b:original-13b-v100,8b:8b-12g@10.5,13b:original-13b-v100")
    parser.add_argument("--kinds", default="full,mixed")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--folder", type=Path, help="where models are made, and kept for the next call")
    asked = parser.parse_args()
    with place(asked.folder) as scratch:
        for which, preset, cap in map(case, asked.cases.split(",")):
            folder = make_base(scratch / which, which)
            tokenizer_of_size(CONFIGS[which]["vocab_size"]).save_pretrained(folder)
            for kind in asked.kinds.split(","):
                try:
                    row = run(folder, which, preset, cap, kind, asked.steps, scratch / "run")
                except Exception:  # noqa: BLE001 - the other cases are still worth having
                    traceback.print_exc()
                    continue
                if kind == "full":
                    row |= planned(folder, preset, cap)
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
