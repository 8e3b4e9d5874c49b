"""Memories of a million lines: size on disk, time to take them in, and time of a question.

    python tests/bench/bench_memory.py [lines …] [--vectors WIDTH]

The lines are drawn from 30,000 words by Zipf's law, 2 to 20 words' length, a third of them in one chat and the rest
in 300. A question is three lines drawn alike, asked in the largest chat and in the others by turns. A chat that has
no memories is asked as well. With vectors, the newest lines of each chat get one of so many random numbers, and each
question has one: what a server takes to make them is not in it.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec
from bot.recall import Recall
from bot.recall_tables import key_of
from bot.recall_vectors import Vector
from bot.reminding import Reminding

ASKED = 600


class Talk:
    """Draws lines; common words are characters of which there are 3,000."""

    def __init__(self) -> None:
        self._draw = random.Random(7)
        letters = [chr(0x4E00 + self._draw.randrange(20000)) for _ in range(3000)]
        weights = list(accumulate(1 / (place + 10) for place in range(len(letters))))
        self._words = [
            "".join(self._draw.choices(letters, cum_weights=weights, k=self._draw.choice((1, 2, 2, 2, 3))))
            for _ in range(30_000)
        ]
        self._weights = list(accumulate(1 / (place + 5) for place in range(len(self._words))))

    def line(self) -> str:
        length = min(20, 2 + int(self._draw.expovariate(1 / 4)))
        return "".join(self._draw.choices(self._words, cum_weights=self._weights, k=length))

    def message(self, number: int, chat: int, text: str) -> Message:
        kind = "group" if chat == 0 else "private"
        mine, sender = number % 3 == 0, str(20000 + (number % 40 if chat == 0 else chat))
        return Message(
            str(number),
            f"qq:{kind}:{chat}",
            kind,
            1_500_000_000 + number * 60,
            sender,
            sender,
            [Segment("text", text)],
            mine,
        )

    def messages(self, lines: int) -> Iterator[Message]:
        for number in range(lines):
            yield self.message(number, 0 if number % 3 == 0 else 1 + number % 300, self.line())


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)] * 1000


def embed(store: Recall, width: int, folder: Path) -> None:
    """Give random vectors to all lines that should have one."""
    draw, vectors = random.Random(8), store.embedded_by("random")
    begun, before = time.perf_counter(), size_of(folder)
    some = [Vector.of([draw.gauss(0, 1) for _ in range(width)]) for _ in range(500)]
    while missing := store.without_vectors(2000):
        vectors.keep({key: draw.choice(some) for key, _ in missing})
    store.compact()
    took = time.perf_counter() - begun
    print(
        f"{len(vectors):,} vectors of {width}: {size_of(folder) - before:.0f} MB more, kept within {took:.0f} s",
        flush=True,
    )


def size_of(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def measure(folder: Path, lines: int, width: int) -> None:
    talk, path = Talk(), folder / "memory.db"
    store = Recall.open(path)
    begun = time.perf_counter()
    characters = 0

    def counted() -> Iterator[tuple[Message, None]]:
        nonlocal characters
        for message in talk.messages(lines):
            characters += len(message.text)
            yield message, None

    store.add(counted())
    took = time.perf_counter() - begun
    store.compact()
    compacted = time.perf_counter() - begun - took
    size = size_of(folder)
    print(
        f"{len(store):,} lines of {characters / lines:.1f} characters: {size:.0f} MB on disk, taken in within {took:.0f} s ({took / lines * 1e6:.0f} µs a line), then made one piece in {compacted:.1f} s"
    )
    store.close()
    store = Recall.open(path)
    ask(store, lines, 0)
    if width:
        embed(store, width, folder)
        ask(store, lines, width)
    store.close()


def ask(store: Recall, lines: int, width: int) -> None:
    """The time of a question, without vectors where `width` is 0."""
    talk, draw = Talk(), random.Random(9)
    reminding, spec = Reminding(store), PromptSpec(me="我", memory=300)
    for name, chat in (("largest chat", 0), ("other chats", None), ("a chat without memories", -1)):
        spent, busy = [], []
        for asked in range(ASKED):
            where = 1 + asked % 300 if chat is None else chat
            now = lines + 100_000
            about = [talk.message(now + place, where, talk.line()) for place in range(3)]
            vectors = {
                key_of(one.chat, one.id): Vector.of([draw.gauss(0, 1) for _ in range(width)]) for one in about if width
            }
            begun, used = time.perf_counter(), time.process_time()
            reminding.of(about, spec, now=about[-1].time, vectors=vectors)
            spent.append(time.perf_counter() - begun)
            busy.append(time.process_time() - used)
        print(
            f"{len(store):,}: {name}{' with vectors' if width else ''}: a question takes {percentile(spent, 0.5):.2f} ms, p95 {percentile(spent, 0.95):.2f} ms, at most {max(spent) * 1000:.1f} ms; of the CPU {percentile(busy, 0.5):.2f} ms, p95 {percentile(busy, 0.95):.2f} ms",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--vectors", type=int, default=0, metavar="WIDTH")
    given = parser.parse_args()
    for lines in given.lines:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), lines, given.vectors)


if __name__ == "__main__":
    main()
