"""Many chats at once through the real worker against transformers' own `generate()`, one chat at a time.

    python tests/bench/bench_serving.py [--persona FOLDER] [--device cpu] [--rounds 5] [--cases 1x40,4x40,16x40,32x40,8x700] [--second-turn 700] [--threads]

A case is so many chats with histories of about so many tokens. Without --persona a random Llama
of 5 million parameters is made, in fp32. Both ways run alternately, so that a slow minute of the
machine meets both; greedy, so that texts can be compared. For each case: tokens a second as the
ratio of the medians, and the mean time to the first token, all chats asking at once. With one chat
the ratio is what the server costs over the bare model; both have the threads that the engine chose.

Last, one chat alone goes on: the time to the first token of its second turn, after a history of
about so many tokens, with what the first turn read kept ([engine] prefix_reuse) and without, each
in a server of its own. `--cases ""` measures this alone, `--second-turn 0` leaves it out.

`--threads` measures, instead of all that, what the choice of CPU threads gives ([engine] threads): three
servers in turn, one with the threads it tried out, one with one thread, one with as many as there are cores.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# As mybot.py sets it for the server: torch's threads wait in the same way on both sides.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from bot.engine.model import Loaded, load
from bot.engine.prompt_ids import prompt_ids
from bot.engine.wire import Sampling
from bot.engine.worker import Worker
from bot.persona.manifest import open_persona
from config.settings import Engine
from tests.personas import make_persona

LINES = ("在吗", "周末去哪儿了", "那家面馆还开着没", "我到楼下了", "猫又吐了", "昨天比赛看了吗", "几点的票", "哈哈哈哈")
NEW = 64
GREEDY = Sampling(temperature=0, max_tokens=NEW)


@dataclass
class Way:
    """What one way of answering took, round by round."""

    seconds: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    """Mean seconds to the first token of a chat, all having asked at the start of the round."""
    texts: list[str] = field(default_factory=list)


def history(chat: int, tokens: int, tokenizer: Any) -> list[dict[str, str]]:
    """What chat number so-and-so has said, so many tokens of it or a little more."""
    said: list[dict[str, str]] = []
    while not said or len(said) % 2 == 0 or len(prompt_ids(tokenizer, said, True)) < tokens:
        role = "assistant" if len(said) % 2 else "user"
        said.append({"role": role, "content": LINES[(chat + len(said)) % len(LINES)]})
    return said


def serial(loaded: Loaded, prompts: list[list[int]], way: Way) -> None:
    """Bare `generate()`, one prompt after the other."""
    import torch
    from transformers import GenerationConfig
    from transformers.generation.streamers import BaseStreamer

    class First(BaseStreamer):
        """When the first new token came; the prompt is put first."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def put(self, value: Any) -> None:
            self.times.append(time.perf_counter())
            if loaded.threads is not None:
                loaded.threads.use(value.numel())

        def end(self) -> None:
            pass

    config = GenerationConfig(
        do_sample=False, max_new_tokens=NEW, pad_token_id=0, eos_token_id=sorted(loaded.ends), repetition_penalty=1.0
    )
    begun, firsts, way.texts = time.perf_counter(), [], []
    for prompt in prompts:
        ids, heard = torch.tensor([prompt], device=loaded.device), First()
        with torch.inference_mode():
            out = loaded.model.generate(
                ids, attention_mask=torch.ones_like(ids), generation_config=config, streamer=heard
            )
        firsts.append(heard.times[1] - begun)
        text = loaded.tokenizer.decode(out[0, len(prompt) :], skip_special_tokens=True)
        way.texts.append(text.rstrip("\ufffd"))
    way.seconds.append(time.perf_counter() - begun)
    way.first.append(statistics.mean(firsts))


async def reply(worker: Worker, said: list[dict[str, str]]) -> tuple[float, str]:
    """Seconds to the first token of a reply, and all of its text."""
    begun, first, text = time.perf_counter(), 0.0, ""
    async for piece in worker.stream(said, GREEDY):
        first = first or (time.perf_counter() - begun if piece.text else 0.0)
        text += piece.text
        if piece.finish not in (None, "stop", "length"):
            raise RuntimeError(f"a chat ended in {piece.finish}: {piece.why}")
    return first, text


async def at_once(worker: Worker, histories: list[list[dict[str, str]]], way: Way) -> None:
    """All chats at the same moment, through process, HTTP and batches."""
    begun = time.perf_counter()
    heard = await asyncio.gather(*(reply(worker, said) for said in histories))
    way.seconds.append(time.perf_counter() - begun)
    way.first.append(statistics.mean(first for first, _ in heard))
    way.texts = [text for _, text in heard]


async def measure(persona: Path, device: str, cases: list[tuple[int, int]], rounds: int) -> None:
    # Every round asks the same again: what was kept of the round before would make the server look fast.
    most = max(chats for chats, _ in cases)
    knobs = Engine(persona=persona, device=device, max_batch=most, prefix_reuse=False)
    loaded = load(*open_persona(persona), knobs)
    worker = Worker(knobs)
    await worker.start()
    print("chats  history  tokens/s ratio  first token ratio  serial s  at once s  identical")
    try:
        for chats, tokens in cases:
            histories = [history(chat, tokens, loaded.tokenizer) for chat in range(chats)]
            prompts = [prompt_ids(loaded.tokenizer, said, True) for said in histories]
            one, all_ = Way(), Way()
            await at_once(worker, histories, Way())
            serial(loaded, prompts[:1], Way())
            for _ in range(rounds):
                serial(loaded, prompts, one)
                await at_once(worker, histories, all_)
            show(chats, tokens, one, all_)
    finally:
        await worker.close()


async def second_turns(persona: Path, device: str, tokens: int, rounds: int) -> None:
    """A chat alone, its first turn and then its second, by a server that keeps what it read and one that doesn't."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(open_persona(persona)[0])
    reusing, plain = (Worker(Engine(persona=persona, device=device, prefix_reuse=on)) for on in (True, False))
    ways = {reusing: Way(), plain: Way()}
    try:
        for worker in ways:
            await worker.start()
        for chat in range(rounds + 1):  # the first one warms up
            for worker, way in ways.items():
                said = history(chat, tokens, tokenizer)
                _, answer = await reply(worker, said)
                said += [
                    {"role": "assistant", "content": answer},
                    {"role": "user", "content": LINES[chat % len(LINES)]},
                ]
                first, text = await reply(worker, said)
                if chat:
                    way.first.append(first)
                    way.texts.append(text)
    finally:
        for worker in ways:
            await worker.close()
    with_, without = (statistics.median(way.first) for way in ways.values())
    same = sum(a == b for a, b in zip(ways[reusing].texts, ways[plain].texts, strict=True))
    print(
        f"second turn after {tokens}: first token {with_ * 1000:.0f} ms with reuse, {without * 1000:.0f} ms without,"
        f" ratio {with_ / without:.2f}; identical {same} of {rounds}"
    )


async def by_threads(persona: Path, cases: list[tuple[int, int]], rounds: int) -> None:
    """The same chats at once by servers with different CPU threads, one after the other in each round."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(open_persona(persona)[0])
    numbers = {"tried out": 0, "one": 1, "all": os.cpu_count() or 1}
    knobs = Engine(persona=persona, device="cpu", max_batch=64, prefix_reuse=False)
    workers = {name: Worker(knobs.model_copy(update={"threads": number})) for name, number in numbers.items()}
    try:
        for worker in workers.values():
            await worker.start()
        for chats, tokens in cases:
            histories = [history(chat, tokens, tokenizer) for chat in range(chats)]
            ways = {name: Way() for name in workers}
            for number in range(rounds + 1):
                for name, worker in workers.items():
                    await at_once(worker, histories, ways[name] if number else Way())
            told = [
                f"{name} {statistics.median(way.seconds):.2f} s (first token {statistics.median(way.first) * 1000:.0f} ms)"
                for name, way in ways.items()
            ]
            print(f"{chats} chats, history {tokens}: {', '.join(told)}", flush=True)
    finally:
        for worker in workers.values():
            await worker.close()


def show(chats: int, tokens: int, one: Way, all_: Way) -> None:
    serial_s, at_once_s = statistics.median(one.seconds), statistics.median(all_.seconds)
    first = statistics.median(all_.first) / statistics.median(one.first)
    same = sum(a == b for a, b in zip(one.texts, all_.texts, strict=True))
    print(
        f"{chats:5}  {tokens:7}  {serial_s / at_once_s:14.2f}  {first:17.2f}  {serial_s:8.2f}  {at_once_s:9.2f}"
        f"  {same} of {chats}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--persona", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default="1x40,4x40,16x40,32x40,8x700")
    parser.add_argument("--second-turn", type=int, default=700, metavar="TOKENS")
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--size", type=int, default=4, help="4: 5 million parameters; 16: 302 million")
    asked = parser.parse_args()
    shapes = [case.split("x") for case in asked.cases.split(",") if case]
    cases = [(int(chats), int(tokens)) for chats, tokens in shapes]
    with tempfile.TemporaryDirectory() as folder:
        persona = asked.persona or make_persona(Path(folder) / "v1", context=2048, spoil="endless", size=asked.size)
        if asked.threads:
            asyncio.run(by_threads(persona, cases, asked.rounds))
            return
        if cases:
            asyncio.run(measure(persona, asked.device, cases, asked.rounds))
        if asked.second_turn:
            asyncio.run(second_turns(persona, asked.device, asked.second_turn, asked.rounds))


if __name__ == "__main__":
    main()
