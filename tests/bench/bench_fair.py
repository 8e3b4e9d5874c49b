"""A quiet chat's waiting time while others flood the same engine, through the bot's admission and a real worker.

    python tests/bench/bench_fair.py [--rounds 6] [--replies 20] [--flood 100]

`another` is one chat that always has --flood requests waiting, `many` are 64 chats that have as many
together; the quiet chat asks again a moment after each answer. The three take turns in one run, so
that a slow minute of the machine meets all. Times are those of whole replies of 32 tokens. A toy
of random weights on the CPU: only the ratios mean anything.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.engine.admission import Admission
from bot.engine.wire import Ask, Sampling
from bot.engine.worker import Worker
from config.settings import Engine
from tests.personas import make_persona

PROMPT = [{"role": "user", "content": "周末去哪儿了"}]
SAMPLING = Sampling(temperature=0, max_tokens=32)
FLOODS = {"alone": 0, "another": 1, "many": 64}


async def reply(admission: Admission, chat: str) -> tuple[float, str]:
    """Seconds until the end, and which end it was."""
    begun, finish = time.perf_counter(), ""
    async for piece in admission.stream(PROMPT, SAMPLING, Ask(chat, "addressed")):
        finish = piece.finish or ""
    return time.perf_counter() - begun, finish


async def insist(admission: Admission, chat: str) -> None:
    """Ask, again and again, until cancelled."""
    while True:
        _, finish = await reply(admission, chat)
        if finish == "busy":
            await asyncio.sleep(0.01)


async def quiet(admission: Admission, replies: int, dice: random.Random) -> list[float]:
    times = []
    for _ in range(replies):
        await asyncio.sleep(dice.uniform(0.01, 0.05))
        seconds, finish = await reply(admission, "quiet")
        if finish != "length":
            raise RuntimeError(f"the quiet chat was told {finish}")
        times.append(seconds)
    return times


async def measure(rounds: int, replies: int, waiting: int) -> None:
    dice = random.Random(3)
    times: dict[str, list[float]] = {name: [] for name in FLOODS}
    with tempfile.TemporaryDirectory() as folder:
        knobs = Engine(persona=make_persona(Path(folder) / "v1", context=2048, spoil="endless"), device="cpu")
        worker = Worker(knobs)
        await worker.start()
        try:
            admission = Admission.of(worker, knobs)
            await quiet(admission, 5, dice)
            for _ in range(rounds):
                for name, chats in FLOODS.items():
                    askers = range(waiting if chats else 0)
                    flood = asyncio.gather(*(insist(admission, f"flood {n % chats}") for n in askers))
                    await asyncio.sleep(0.5)
                    times[name] += await quiet(admission, replies, dice)
                    flood.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await flood
        finally:
            await worker.close()
    p95 = {name: sorted(seconds)[int(0.95 * len(seconds))] for name, seconds in times.items()}
    for name, seconds in times.items():
        middle = sorted(seconds)[len(seconds) // 2]
        ratio = p95[name] / p95["alone"]
        print(
            f"{name:8} {len(seconds)} replies, median {middle * 1e3:.0f} ms, p95 {p95[name] * 1e3:.0f} ms ({ratio:.2f}×)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--replies", type=int, default=20)
    parser.add_argument("--flood", type=int, default=100)
    asked = parser.parse_args()
    asyncio.run(measure(asked.rounds, asked.replies, asked.flood))


if __name__ == "__main__":
    main()
