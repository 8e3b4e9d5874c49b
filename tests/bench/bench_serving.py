"""Sixteen chats at once against one at a time, through the real worker; greedy, so that texts can be compared.

    python tests/bench/bench_serving.py [--persona FOLDER] [--device cpu] [--chats 16] [--rounds 9]

Without --persona a random Llama about as large as the demo's toy is made, in fp32. Both ways run
alternately in one process, so that a slow minute of the machine meets both. The ratio is that of
the medians.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.engine.wire import Sampling
from bot.engine.worker import Worker
from config.settings import Engine
from tests.personas import make_persona

LINES = ("在吗", "周末去哪儿了", "那家面馆还开着没", "我到楼下了", "猫又吐了", "昨天比赛看了吗", "几点的票", "哈哈哈哈")
GREEDY = Sampling(temperature=0, max_tokens=64)


def history(chat: int) -> list[dict[str, str]]:
    """What chat number so-and-so has said: lengths differ, as they do in life."""
    said = [LINES[(chat + place) % len(LINES)] for place in range(1 + chat % 5 * 2)]
    roles = ["user" if (len(said) - place) % 2 else "assistant" for place in range(len(said))]
    return [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]


async def reply(worker: Worker, chat: int) -> str:
    pieces = [piece async for piece in worker.stream(history(chat), GREEDY)]
    if pieces[-1].finish not in ("stop", "length"):
        raise RuntimeError(f"chat {chat} ended in {pieces[-1].finish}: {pieces[-1].why}")
    return "".join(piece.text for piece in pieces)


async def alone(worker: Worker, chats: int) -> list[str]:
    return [await reply(worker, chat) for chat in range(chats)]


async def at_once(worker: Worker, chats: int) -> list[str]:
    return list(await asyncio.gather(*(reply(worker, chat) for chat in range(chats))))


async def measure(persona: Path, device: str, chats: int, rounds: int) -> None:
    worker = Worker(Engine(persona=persona, device=device, max_batch=chats))
    await worker.start()
    try:
        await at_once(worker, chats)
        seconds: dict[str, list[float]] = {"alone": [], "at once": []}
        texts: dict[str, list[str]] = {}
        for _ in range(rounds):
            for name, way in (("alone", alone), ("at once", at_once)):
                begun = time.perf_counter()
                texts[name] = await way(worker, chats)
                seconds[name].append(time.perf_counter() - begun)
    finally:
        await worker.close()
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    same = sum(a == b for a, b in zip(texts["alone"], texts["at once"], strict=True))
    for name, median in medians.items():
        print(f"{name:8} {median:7.2f} s for {chats} replies  ({min(seconds[name]):.2f}–{max(seconds[name]):.2f})")
    best = min(seconds["alone"]) / min(seconds["at once"])
    print(f"ratio    {medians['alone'] / medians['at once']:.2f} (of the fastest rounds: {best:.2f})")
    print(f"greedy   {same} of {chats} replies identical")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--persona", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--chats", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        persona = asked.persona or make_persona(Path(folder) / "v1", context=2048, spoil="endless")
        asyncio.run(measure(persona, asked.device, asked.chats, asked.rounds))


if __name__ == "__main__":
    main()
