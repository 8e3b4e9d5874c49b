"""The real `mybot serve` with a model that needs no torch and starts at once: for tests of what supervises it.

Everything but the weights is real: process, pipe, HTTP, queue, batches. The model says its
version's name over and over, one letter a token, and misbehaves when its prompt or its folder says so:

    prompt    "venom" anywhere in it: kill -9 of itself before it says anything; in its last line: "die" kill -9
              after some letters · "stick" a forward that never ends · "oom" memory runs out
    folder    a file `manner` with: "mute" (says nothing) · "nan" (scores are no numbers) · "template" (its chat
              template fails) · "fail" (can't be loaded) · "late" (loads for a while) · "child" (starts a
              process) · "noisy" (writes a line of three megabytes)
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jinja2

from bot.engine import server
from bot.engine.model import Loaded
from bot.engine.rows import Row
from bot.persona.manifest import Generation, Model, Persona, Provenance
from bot.persona.prompt import PromptSpec
from config.errors import EngineError
from config.settings import Engine, parse

COMMAND = (sys.executable, __file__)
STEP = 0.004
END = 0


def make_toy(folder: Path, *, manner: str = "", me: str = "小鹿", parameters: int = 1000, **knobs: Any) -> Path:
    """A sealed version that this server can serve."""
    folder.mkdir(parents=True)
    (folder / "manner").write_text(manner, encoding="utf-8")
    (folder / "words").write_text(f"{folder.parent.name}/{folder.name} ", encoding="utf-8")
    persona = Persona(
        name=folder.parent.name,
        model=Model(base="toy", dtype="float32", parameters=parameters, context=100_000),
        prompt=PromptSpec(me=me),
        generation=Generation(temperature=0, max_tokens=24),
        provenance=Provenance(created=datetime(2026, 1, 1, tzinfo=timezone.utc)),
    )
    persona.model_copy(update=knobs).seal(folder)
    return folder


class Letters:
    """A tokenizer: a letter is a token, and its number is its code."""

    added_tokens_decoder: dict[int, Any] = {}

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, ids: Sequence[int], **_: Any) -> str:
        return "".join(map(chr, ids))

    def __init__(self, manner: str) -> None:
        self._manner = manner

    def apply_chat_template(self, messages: Sequence[dict[str, str]], **_: Any) -> str:
        if self._manner == "template":
            raise jinja2.UndefinedError("'turns' is undefined")
        return "\n".join(message["content"] for message in messages)


class Toy(Loaded):
    """A model without torch, which /health would otherwise import to ask for a card."""

    def memory(self) -> None:
        return None


def load(folder: Path, persona: Persona, knobs: Engine) -> Loaded:
    manner = (folder / "manner").read_text(encoding="utf-8")
    if manner == "fail":
        raise EngineError("can't load the weights", hint="copy the folder again")
    if manner == "late":
        time.sleep(2.0)
    if manner == "child":
        own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        sys.stderr.write(f"started {own.pid}\n")
    if manner == "noisy":
        sys.stderr.write("x" * 3_000_000 + "\n")
    model = SimpleNamespace(
        words=(folder / "words").read_text(encoding="utf-8"),
        manner=manner,
        get_input_embeddings=lambda: SimpleNamespace(num_embeddings=0x110000),
    )
    letters: Any = Letters(manner)
    return Toy(model, letters, "cpu", 100_000, frozenset({END}), frozenset({END}), 1_000_000)


def generate(loaded: Loaded, rows: Sequence[Row], sweep: Callable[[float], None]) -> bool:
    words, manner = loaded.model.words, loaded.model.manner
    prompts = [loaded.tokenizer.decode(row.ids) for row in rows]
    said = [prompt.rsplit("\n", 1)[-1] for prompt in prompts]
    if any("venom" in prompt for prompt in prompts):
        os.kill(os.getpid(), signal.SIGKILL)
    if any("oom" in line for line in said):
        return False
    for number, letter in enumerate(cycle(words)):
        time.sleep(STEP)
        now = time.monotonic()
        for row, line in zip(rows, said, strict=True):
            if "die" in line and number == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            while "stick" in line and number == 3:
                time.sleep(1.0)
            if row.expire(now):
                continue
            if manner == "nan":
                row.end("error", "the model's scores are not finite")
            else:
                row.take(END if manner == "mute" else ord(letter), loaded.ends, loaded.hidden, now)
        sweep(now)
        if all(row.finish for row in rows):
            return True
    return True


if __name__ == "__main__":
    server.load, server.generate = load, generate
    server.main(parse(Engine, sys.argv[1:], "serve"))
