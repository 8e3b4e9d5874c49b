"""Twenty exchanges of the persona under sixteen chats: what is lost, how long nobody speaks, what memory is left.

    python tests/bench/bench_reload.py [--swaps 20] [--chats 16] [--swap beside|exchange] [--toy | --model 8b --folder DIR]

With real models: random Llamas of about 100,000 parameters, a process each. --toy takes the tests'
model that needs no torch; --model one of real size (tests/gpu/real.py), on a card. The gap of an
exchange is the longest time without a piece for any chat while it went on. Memory is the resident
size of all our processes (on a card: what is taken there), before and after. On a card the same
words in another batch round differently, so a mixed reply is known by its pieces' persona alone.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.engine.child import SERVE
from bot.engine.wire import Piece, Sampling
from bot.engine.worker import Worker
from config.settings import Engine
from tests.gpu.real import make_base, persona_of
from tests.personas import make_persona
from tests.toy_serve import COMMAND, make_toy
from tests.wire.running import children

TOKENS = 60
HI = [{"role": "user", "content": "the cat sat"}]


def make_real(flags: argparse.Namespace, home: Path) -> None:
    """Two sealed versions of one model of real size; the second shares the first one's files."""
    base = make_base(flags.folder / flags.model, flags.model)
    persona = persona_of(base, flags.model)
    for version, temperature in (("v1", 0.8), ("v2", 0.9)):
        (home / version).mkdir(parents=True)
        for file in base.iterdir():
            (home / version / file.name).symlink_to(file)
        prompt = persona.prompt.model_copy(update={"me": f"小鹿{version}"})
        generation = persona.generation.model_copy(update={"temperature": temperature})
        persona.model_copy(update={"prompt": prompt, "generation": generation}).seal(home / version)


def taken(flags: argparse.Namespace) -> float:
    """MiB taken on the card, or by us and all below us."""
    if not (flags.model and shutil.which("nvidia-smi")):
        return resident()
    asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0])


def resident() -> float:
    pages = 0
    for pid in {os.getpid(), *children(os.getpid())}:
        pages += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def reply(worker: Worker, heard: list[float]) -> list[Piece]:
    pieces: list[Piece] = []
    async for piece in worker.stream(HI, Sampling(temperature=0, max_tokens=TOKENS)):
        heard.append(time.monotonic())
        pieces.append(piece)
    return pieces


def gap(heard: list[float], begin: float, end: float) -> float:
    """The longest time without a piece that overlaps an exchange."""
    pairs = itertools.pairwise(heard)
    return max((after - before for before, after in pairs if after > begin and before < end), default=0.0)


async def bench(flags: argparse.Namespace, home: Path) -> None:
    command = COMMAND if flags.toy else SERVE
    if flags.model:
        make_real(flags, home)
    for seed, version in enumerate(() if flags.model else ("v1", "v2")):
        if flags.toy:
            make_toy(home / version)
        else:
            make_persona(home / version, seed=seed, spoil="endless")
    (home / "current").write_text("v1\n", encoding="utf-8")
    device = "auto" if flags.model else "cpu"
    worker = Worker(Engine(persona=home, device=device, swap=flags.swap, max_batch=flags.chats), command=command)
    await worker.start()
    alone = {}
    for version in ("v1", "v2"):
        persona = await worker.swap(home / version)
        alone[persona.hash] = "".join(piece.text for piece in await reply(worker, []))
    await asyncio.sleep(2)
    before, heard, said, over = taken(flags), [], [], asyncio.Event()

    async def talk() -> None:
        while not over.is_set():
            said.append(await reply(worker, heard))

    talking = [asyncio.create_task(talk()) for _ in range(flags.chats)]
    gaps: list[float] = []
    took: list[float] = []
    for number in range(flags.swaps):
        begin = time.monotonic()
        await worker.swap(home / ("v1", "v2")[number % 2])
        took.append(time.monotonic() - begin)
        await asyncio.sleep(0.5)
        gaps.append(gap(heard, begin, time.monotonic()))
    over.set()
    await asyncio.gather(*talking)
    await asyncio.sleep(2)
    after = taken(flags)
    lost = sum(pieces[-1].finish != "length" for pieces in said)
    doubled = sum(sum(bool(piece.finish) for piece in pieces) != 1 for pieces in said)
    mixed = sum(
        len({p.persona for p in pieces}) != 1
        or (not flags.model and "".join(p.text for p in pieces) != alone[pieces[0].persona])
        for pieces in said
    )
    await worker.close()
    print(f"{flags.swaps} exchanges ({flags.swap}) under {flags.chats} chats, {len(said)} replies: ", end="")
    print(f"{lost} lost, {doubled} doubled, {mixed} mixed")
    print(f"an exchange took {statistics.median(took):.1f} s, silence of it {statistics.median(gaps):.2f} s ", end="")
    print(f"(longest {max(gaps):.2f} s); memory {before:.0f} → {after:.0f} MiB; personas {len(alone)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--chats", type=int, default=16)
    parser.add_argument("--swap", choices=["beside", "exchange"], default="beside")
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--model", choices=["4b", "8b", "13b", "tiny"], help="a model of that size, on a card")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where it is made and kept")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bench(parser.parse_args(), Path(folder) / "me"))
