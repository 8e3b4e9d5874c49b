"""How fast a card answers many chats: tokens a second, share of the bandwidth ceiling, first token, memory.

    python tests/gpu/serving.py [--models 8b,13b] [--bits 16,8,4] [--chats 1,8,32,64] [--folder DIR]
    python tests/gpu/serving.py --left          what the README still calls not measured, within 8 minutes

Histories of 512 tokens, 64 new ones, random weights. Beside our batches, in one run: plain serial
`generate()` and a static batch of plain greedy `generate()`. The ceiling is the weights once a step
and the cache of every chat, by the bandwidth that a copy reaches on the same card. One JSON line a
row, then the table.
"""

import argparse
import json
import math
import sys
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.engine.model import Loaded, generate, load
from bot.engine.rows import Row
from bot.engine.wire import Piece, Sampling
from bot.persona.manifest import Persona
from config.settings import Engine
from tests.gpu.real import CONFIGS, bandwidth, make_base, peak, persona_of, place

HISTORY, NEW = 512, 64


def prompt(which: str, number: int) -> list[int]:
    size = CONFIGS[which]["vocab_size"]
    return [3 + (7919 * (number + 1) + 104729 * place) % (size - 3) for place in range(HISTORY)]


def ours(loaded: Loaded, which: str, chats: int) -> dict[str, float]:
    """One batch as the server runs it: every row with its own seed, temperature and stream."""
    import torch

    heard: list[list[float]] = [[] for _ in range(chats)]
    rows = []
    for number in range(chats):

        def deliver(piece: Piece, times: list[float] = heard[number]) -> None:
            if piece.text:
                times.append(time.perf_counter())

        sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=NEW, seed=number)
        rows.append(Row(prompt(which, number), sampling, math.inf, deliver, loaded.text_stream))
    begun = time.perf_counter()
    done = generate(loaded, rows, lambda _: None)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    if not done:
        raise torch.OutOfMemoryError("the batch did not fit")
    tokens = sum(row.produced for row in rows)
    first = sorted(times[0] - begun for times in heard if times)
    decoding = max(times[-1] for times in heard if times) - min(first) - begun
    return {
        "tokens": tokens,
        "tokens/s": tokens / seconds,
        "decode tokens/s": (tokens - chats) / decoding,
        "first token p95 ms": 1e3 * first[min(len(first) - 1, math.ceil(0.95 * len(first)) - 1)],
    }


def plain(loaded: Loaded, which: str, chats: int) -> float:
    """Tokens a second of transformers' own greedy `generate()` for one static batch of as many rows."""
    import torch
    import transformers

    ids = torch.tensor([prompt(which, number) for number in range(chats)], device=loaded.device)
    # What a config leaves open is filled from the model's own: nothing shall look for an end here.
    loaded.model.generation_config = transformers.GenerationConfig()
    config = transformers.GenerationConfig(do_sample=False, max_new_tokens=NEW, min_new_tokens=NEW, pad_token_id=0)
    begun = time.perf_counter()
    with torch.inference_mode():
        out = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return chats * (out.shape[1] - HISTORY) / (time.perf_counter() - begun)


def bytes_a_step(loaded: Loaded, which: str, chats: int) -> float:
    """What one step of decoding must read: the weights, and each chat's cache in 16 bit."""
    numbers = CONFIGS[which]
    embeddings = loaded.model.get_input_embeddings().weight
    tied = numbers.get("tie_word_embeddings", False)
    weights = loaded.model.get_memory_footprint() - (0 if tied else embeddings.numel() * embeddings.element_size())
    head = numbers.get("head_dim") or numbers["hidden_size"] // numbers["num_attention_heads"]
    cache = 2 * numbers["num_hidden_layers"] * numbers["num_key_value_heads"] * head * 2
    return weights + chats * cache * (HISTORY + NEW / 2)


def knobs(folder: Path, bits: int, **more: Any) -> Engine:
    return Engine(persona=folder, load_in_8bit=bits == 8, load_in_4bit=bits == 4, max_batch=64, **more)


def measure(
    folder: Path, persona: Persona, bits: int, chats: list[int], speed: float, compiled: str
) -> list[dict[str, Any]]:
    """The rows of one model in one number format."""
    with peak() as used:
        begun = time.perf_counter()
        loaded = load(folder, persona, knobs(folder, bits, compile=compiled))
        loading = time.perf_counter() - begun
        table = rows_of(loaded, persona.name, bits, chats, speed, compiled)
    for row in table:
        row |= {"peak GiB": round(used.get("in all", 0.0), 1), "loading s": round(loading, 1)}
    return table


def rows_of(
    loaded: Loaded, which: str, bits: int, chats: list[int], speed: float, compiled: str
) -> list[dict[str, Any]]:
    """A row for each number of chats; beside `generate()` where nothing is compiled."""
    table = []
    serial = max(plain(loaded, which, 1) for _ in range(2)) if compiled == "off" else 0.0
    for number in chats:
        row: dict[str, Any] = {"model": which, "bits": bits, "chats": number, "compiled": compiled}
        begun = time.perf_counter()
        ours(loaded, which, number)
        row["warm-up s"] = round(time.perf_counter() - begun, 1)
        figures = ours(loaded, which, number)
        ceiling = number * speed / bytes_a_step(loaded, which, number)
        static = (plain(loaded, which, number) if number > 1 else serial) if compiled == "off" else 0.0
        row |= {name: round(value, 1) for name, value in figures.items()}
        row |= {"share of ceiling": round(figures["decode tokens/s"] / ceiling, 3), "ceiling": round(ceiling)}
        row |= {"serial": round(serial, 1), "static batch": round(static, 1), "steps": steps_of(loaded, number)}
        print(json.dumps(row), flush=True)
        table.append(row)
    return table


def steps_of(loaded: Loaded, chats: int) -> str:
    """How so many chats are decoded: by graphs where they have room."""
    fits = loaded.shapes is not None and loaded.shapes.fit(chats, HISTORY + NEW, loaded.budget) is not None
    return "graphs" if fits else "growing"


def show(table: list[dict[str, Any]]) -> None:
    names = ("model", "bits", "compiled", "chats", "tokens/s", "serial", "static batch", "decode tokens/s")
    names += ("share of ceiling", "first token p95 ms", "warm-up s", "peak GiB")
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")
    for row in table:
        print("| " + " | ".join(str(row.get(name, "")) for name in names) + " |", flush=True)


def measure_left(asked: argparse.Namespace) -> None:
    from tests.gpu.left import Bench, run

    until = time.monotonic() + asked.seconds
    with place(asked.folder) as scratch:
        run(Bench(scratch, bandwidth(), until, *asked.models.split(",")), asked.parts.split(","))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", default="8b,13b")
    parser.add_argument("--bits", default="16,8,4")
    parser.add_argument("--chats", default="1,8,32,64")
    parser.add_argument("--compiled", default="off,auto")
    parser.add_argument("--folder", type=Path, help="where models are made, and kept for the next call")
    parser.add_argument("--left", action="store_true", help="only what the README calls not measured (left.py)")
    parser.add_argument("--seconds", type=float, default=480, help="for all of --left")
    parser.add_argument("--parts", default="step,nf4,13b,int8,reload", help="of --left")
    asked = parser.parse_args()
    if asked.left:
        measure_left(asked)
        return
    chats = [int(number) for number in asked.chats.split(",")]
    table: list[dict[str, Any]] = []
    speed = bandwidth()
    print(f"a copy moves {speed / 1e12:.2f} TB/s", flush=True)
    with place(asked.folder) as scratch:
        for which in asked.models.split(","):
            folder = make_base(scratch / which, which)
            persona = persona_of(folder, which)
            for bits in map(int, asked.bits.split(",")):
                for compiled in asked.compiled.split(","):
                    try:
                        table += measure(folder, persona, bits, chats, speed, compiled)
                    except Exception:  # noqa: BLE001 - the other rows are still worth having
                        traceback.print_exc()
    show(table)


if __name__ == "__main__":
    main()
