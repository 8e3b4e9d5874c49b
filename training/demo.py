"""`mybot demo`: the whole way on the bundled sample, by the real commands' own code, then a chat.

import → dataset → toy base → LoRA → merge → held-out questions → a chat. A stage whose inputs did
not change is not done again. Everything it makes lies in one folder.
"""

import asyncio
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from bot.console import Conversation, converse, known
from bot.engine.worker import open_talker
from bot.persona.manifest import Persona, open_persona, write_atomically
from bot.persona.prompt import PromptSpec
from config.errors import MyBotError
from config.settings import ROOT, Chat, Dataset, Demo, Engine, Import, Train, load
from training import dataset, importing, merge, sft, tiny
from training.dataset import read_rows
from training.recipe import resolve
from training.windows import Cutter

SAMPLE = Path(__file__).parent / "sample"
ME = ("小北", "900000010001")
PARTNER = "老顾"
HISTORY = 4
"""Messages that the toy's prompts reach back over; it reads 256 tokens."""
EPOCHS = 12
"""Passes of the toy base model over the sample's training part."""

SAMPLING = ("--temperature", "0.3", "--repetition-penalty", "1.2", "--max-tokens", "48", "--no-fit")
"""So small a model stays on topic when it doesn't draw widely, and repeats itself when nothing stops it."""

console = Console(highlight=False)


def main(knobs: Demo) -> None:
    begun = time.monotonic()
    folder = knobs.folder
    stamp = _stamp(knobs.seed)
    path = folder / "stamp"
    if knobs.fresh or not path.is_file() or path.read_text() != stamp:
        build(folder, knobs.seed)
        write_atomically(path, stamp)
    version, persona = open_persona(folder / "personas" / "xiaobei")
    _explain(persona, time.monotonic() - begun)
    asyncio.run(
        _talk(
            version,
            persona,
            folder / "data" / "me.toml",
            chat=knobs.chat and sys.stdin.isatty() and sys.stdout.isatty(),
        )
    )


def sample_files() -> list[Path]:
    """The bundled exports."""
    return sorted(SAMPLE.glob("*.txt"))


def questions() -> list[dict[str, Any]]:
    """The thirty questions, each with the words that show an answer is on topic."""
    return json.loads((SAMPLE / "questions.json").read_text(encoding="utf-8"))["questions"]


def on_topic(answer: str, words: list[str]) -> bool:
    return any(word in answer for word in words)


def _stamp(seed: int) -> str:
    """A hash of all that the demo's persona depends on: the sample, the code, the recipe."""
    digest = hashlib.sha256(f"{seed} {EPOCHS} {HISTORY}".encode())
    code = [*ROOT.glob("training/**/*.py"), *ROOT.glob("bot/persona/*.py"), ROOT / "config/presets/tiny-cpu.toml"]
    for path in [*sample_files(), *sorted(code)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(folder: Path, seed: int) -> None:
    """Make the toy persona of the sample, stage by stage, in an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data, base, runs = folder / "data", folder / "base", folder / "runs"
    _step(
        "import: seven QQ text exports of an invented person",
        lambda: importing.main(load(Import, exports=sample_files(), me=list(ME), data=data)),
    )
    _step(
        "dataset: sessions, personal data out, replies marked",
        # Nothing in an invented life goes out of date: replies bound to a moment weigh as much as any.
        # And whoever talks with the toy begins a chat.
        lambda: dataset.main(
            load(
                Dataset,
                data=data,
                history_private=HISTORY,
                history_group=HISTORY,
                state_weight=1.0,
                short_contexts=1.0,
            )
        ),
    )
    _step("toy base model: a million parameters, from nothing", lambda: make_base(base, data, seed))
    recipe = Train(
        preset="tiny-cpu", base_model=str(base), data=data, runs=runs, name="xiaobei", seed=seed, save_steps=0
    )
    _step("train: a LoRA adapter on my replies", lambda: sft.main(recipe))
    _step(
        "merge: adapter into the base, sealed as a persona",
        lambda: merge.in_a_fresh_process(runs / "xiaobei", folder / "personas", "--data", str(data), *SAMPLING),
    )


def make_base(base: Path, data: Path, seed: int, epochs: int = EPOCHS) -> None:
    """The toy base model over the training part of a dataset."""
    import torch

    spec = PromptSpec.model_validate_json((data / "prompt.json").read_bytes())
    tokenizer = tiny.make_tokenizer(_texts(data))
    length = resolve(Train(preset="tiny-cpu")).max_length
    windows = list(sft.cut_rows(Cutter(tokenizer, spec, length), read_rows(data / "train.jsonl")))
    torch.manual_seed(seed)
    model = tiny.make_model(tokenizer, seed=seed)
    tiny.embed_by_company(model, windows)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("teaching it to read")

        def tell(step: int, steps: int, loss: float) -> None:
            bar.update(task, completed=step, total=steps)
            if not console.is_terminal and (step % max(1, steps // 10) == 0):
                console.print(f"step {step}/{steps}  loss {loss:.3f}", highlight=False)

        tiny.pretrain(model, tokenizer, windows, epochs=epochs, seed=seed, on_step=tell)
    tiny.save(base, tokenizer, model)


def _texts(data: Path) -> Iterator[str]:
    for row in read_rows(data / "train.jsonl"):
        for turn in row["turns"]:
            yield from (bubble["text"] for bubble in turn["bubbles"])


def _step(title: str, work: Callable[[], object]) -> None:
    console.rule(f"[bold]{title}", align="left")
    begun = time.monotonic()
    work()
    console.print(f"[dim]{time.monotonic() - begun:.1f} s[/dim]")


def _explain(persona: Persona, seconds: float) -> None:
    console.rule("[bold]done", align="left")
    console.print(
        f"A persona of {persona.prompt.me}, made in {seconds:.0f} s: a TOY of {persona.model.parameters:,} parameters. It has\n"
        "picked up what he talks about and a little of how; it understands nothing. A real one, on your\n"
        "own records and a real base model (one 24 GB card):\n\n"
        "  mybot import YOUR_EXPORT.txt --me YOUR_QQ_NUMBER\n"
        "  mybot dataset\n"
        "  mybot train --preset 8b-24g\n"
        "  mybot merge runs/me\n"
        "  mybot chat\n",
        soft_wrap=True,
    )


async def _talk(version: Path, persona: Persona, me: Path, *, chat: bool) -> None:
    """A few of the questions, then the chat; without a terminal the questions are the conversation."""
    talker = await open_talker(load(Engine, persona=version, device="cpu", url=""))
    try:
        knobs = load(Chat, persona=version, name=PARTNER, me=me)
        console.print(f"You are {PARTNER}, his old room-mate. Questions that are not in the sample:\n")
        for question in questions()[::5]:
            talk = Conversation(talker, knobs, known(knobs))
            answer = [bubble async for bubble in talk.say(question["ask"])]
            console.print(f"  [cyan]{PARTNER}:[/cyan] {escape(question['ask'])}")
            for bubble in answer or ["……"]:
                console.print(f"  [green]{persona.prompt.me}:[/green] {escape(bubble)}")
        if chat:
            await converse(talker, knobs)
    except MyBotError as error:
        console.print(error.lines())
        raise
    finally:
        await talker.close()
