"""What the README still calls "not measured" of serving on a card, in one go and within its time.

    python tests/gpu/serving.py --left [--seconds 480] [--folder DIR] [--parts step,nf4,13b,int8,reload]

Parts, the most wanted first; one for which no time is left is named and left out. Every part prints lines as the
README's table has them (1, 8, 32 and 64 chats; empty: not measured here).
"""

import math
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.engine.model import Loaded, generate, load, ready
from bot.engine.rows import Row
from bot.engine.wire import Sampling
from config.settings import Engine
from tests.gpu import breakdown, serving
from tests.gpu.real import CONFIGS, make_base, persona_of, random_model, tokenizer_of_size

CHATS = (1, 8, 32, 64)
BENCH = Path(__file__).resolve().parents[1] / "bench" / "bench_reload.py"


@dataclass
class Bench:
    """Where models are made, which ones, what the card moves in a second, and until when."""

    folder: Path
    speed: float
    until: float
    middle: str = "8b"
    large: str = "13b"

    @property
    def left(self) -> float:
        return self.until - time.monotonic()


def line(name: str, rows: Iterable[dict[str, Any]]) -> str:
    """A line of the README's table."""
    cells = dict.fromkeys(CHATS, "")
    for row in rows:
        share = f"{round(row['tokens/s']):,} ({round(100 * row['share of ceiling'])} %)"
        cells[row["chats"]] = share if row["steps"] == "graphs" else f"{share}, not by graphs"
    return f"| {name} | " + " | ".join(cells.values()) + " |"


def step(bench: Bench) -> Iterable[str]:
    """Why one chat is so far from the ceiling; and whether a persona gets the room that another one leaves."""
    which = bench.middle
    folder = make_base(bench.folder / which, which)
    persona = persona_of(folder, which)
    first = load(folder, persona, serving.knobs(folder, 16))
    rows = serving.rows_of(first, which, 16, [1], bench.speed, "auto")
    yield line(f"{which}, bf16, by CUDA graphs", rows)
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=10_000, seed=1)
    if first.shapes is not None:
        yield "| one step at one chat | ms on the card | ms of the host |\n|---|---|---|"
        for part, (card, host) in breakdown.parts(first, serving.prompt(which, 0), sampling, serving.NEW).items():
            yield f"| {part} | {card:.3f} | {host:.3f} |"
        least = 1e3 * serving.bytes_a_step(first, which, 1) / bench.speed
        yield f"| all of it, per token as measured | {1e3 / rows[0]['decode tokens/s']:.3f} | |"
        yield f"| the ceiling: weights and cache once | {least:.3f} | |"
    yield room(first, load(folder, persona, serving.knobs(folder, 16)), which)


def room(old: Loaded, new: Loaded, which: str) -> str:
    """Tokens that a batch of a new persona may hold beside the old one, and after a batch once that is gone."""
    alone, beside = old.most, new.most
    old.release()
    row = Row(serving.prompt(which, 0), Sampling(max_tokens=4), math.inf, lambda _: None, new.text_stream)
    generate(new, [row], lambda _: None)
    after = new.most
    new.release()
    return f"room: alone {alone:,} tokens a batch, beside the old persona {beside:,}, once that has left {after:,}"


def quantized(bench: Bench, bits: int, chats: list[int]) -> Iterable[str]:
    folder = make_base(bench.folder / bench.middle, bench.middle)
    loaded = load(folder, persona_of(folder, bench.middle), serving.knobs(folder, bits))
    by = "CUDA graphs" if loaded.shapes is not None else "a growing cache"
    yield line(f"{'nf4' if bits == 4 else 'int8'}, by {by}", _fitting(bench, loaded, bench.middle, bits, chats))
    loaded.release()


def large(bench: Bench, chats: list[int]) -> Iterable[str]:
    """Made on the card and never written: 26 GB take long to write and to read."""
    import torch

    which, device = bench.large, "cuda:0" if torch.cuda.is_available() else "cpu"
    tokenizer = tokenizer_of_size(CONFIGS[which]["vocab_size"])
    loaded = ready(random_model(which), tokenizer, device, 4096, Engine(max_batch=64))
    yield line(f"{which}, bf16, by CUDA graphs", _fitting(bench, loaded, which, 16, chats))
    loaded.release()


def reload(bench: Bench) -> Iterable[str]:
    make_base(bench.folder / bench.middle, bench.middle)
    command = [sys.executable, str(BENCH), "--model", bench.middle, "--swaps", "2", "--folder", str(bench.folder)]
    yield subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=bench.left).stdout.strip()


def _fitting(bench: Bench, loaded: Loaded, which: str, bits: int, chats: list[int]) -> Iterable[dict[str, Any]]:
    """The rows that memory and time allow; the others are named."""
    import torch

    for number in chats:
        try:
            if bench.left < 30:
                raise TimeoutError("no time left")
            yield from serving.rows_of(loaded, which, bits, [number], bench.speed, "auto")
        except (torch.OutOfMemoryError, TimeoutError) as error:
            print(f"{which} in {bits} bit at {number} chats: {error}", flush=True)


PARTS: dict[str, tuple[float, Callable[[Bench], Iterable[str]]]] = {
    "step": (60, step),
    "nf4": (45, lambda bench: quantized(bench, 4, [32, 64, 8, 1])),
    "13b": (45, lambda bench: large(bench, [64, 8, 32, 1])),
    "int8": (60, lambda bench: quantized(bench, 8, [64, 8])),
    "reload": (100, reload),
}
"""By name: the seconds without which it isn't begun, and what it says."""


def run(bench: Bench, names: Iterable[str]) -> list[str]:
    """Every part in turn; all lines again at the end, so that they stand together."""
    said: list[str] = []
    for name in names:
        least, part = PARTS[name]
        if bench.left < least:
            said.append(f"{name}: not measured, {bench.left:.0f} s were left")
            continue
        begun = time.monotonic()
        try:
            for text in part(bench):
                print(text, flush=True)
                said.append(text)
        except Exception:  # noqa: BLE001 - the other parts are still worth having
            traceback.print_exc()
            said.append(f"{name}: not measured, see above")
        print(f"({name} took {time.monotonic() - begun:.0f} s)", flush=True)
    print("\n" + "\n".join(said), flush=True)
    return said
