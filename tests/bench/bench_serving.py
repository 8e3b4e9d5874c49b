"""Many chats at once through the real worker against transformers' own `generate()`, one chat at a time.

    python tests/bench/bench_serving.py [--persona FOLDER] [--device cpu] [--rounds 5] [--cases 1x40,4x40,16x40,32x40,8x700]

A case is so many chats with histories of about so many tokens. Without --persona a random Llama
of 5 million parameters is made, in fp32. Both ways run alternately, so that a slow minute of the
machine meets both; greedy, so that texts can be compared. For each case: tokens a second as the
ratio of the medians, and the mean time to the first token, all chats asking at once. With one chat
the ratio is what the server costs over the bare model.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

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


async def at_once(worker: Worker, histories: list[list[dict[str, str]]], way: Way) -> None:
    """All chats at the same moment, through process, HTTP and batches."""
    begun = time.perf_counter()

    async def reply(said: list[dict[str, str]]) -> tuple[float, str]:
        first, text = 0.0, ""
        async for piece in worker.stream(said, GREEDY):
            first = first or (time.perf_counter() - begun if piece.text else 0.0)
            text += piece.text
            if piece.finish not in (None, "stop", "length"):
                raise RuntimeError(f"a chat ended in {piece.finish}: {piece.why}")
        return first, text

    heard = await asyncio.gather(*map(reply, histories))
    way.seconds.append(time.perf_counter() - begun)
    way.first.append(statistics.mean(first for first, _ in heard))
    way.texts = [text for _, text in heard]


async def measure(persona: Path, device: str, cases: list[tuple[int, int]], rounds: int) -> None:
    knobs = Engine(persona=persona, device=device, max_batch=max(chats for chats, _ in cases))
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
    asked = parser.parse_args()
    cases = [(int(chats), int(tokens)) for chats, tokens in (case.split("x") for case in asked.cases.split(","))]
    with tempfile.TemporaryDirectory() as folder:
        persona = asked.persona or make_persona(Path(folder) / "v1", context=2048, spoil="endless", size=4)
        asyncio.run(measure(persona, asked.device, cases, asked.rounds))


if __name__ == "__main__":
    main()
