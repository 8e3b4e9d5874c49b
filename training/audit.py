"""`mybot audit`: does a training learn by heart what it has seen once. Made-up secrets show it.

    mybot audit                     data/train.jsonl ─plant─▶ data/audit/train.jsonl, data/audit/canaries.json
    mybot train --data data/audit --name audit;  mybot merge runs/audit --data data/audit
    mybot audit personas/audit      losses of the planted among ten thousand like them ─▶ audit.json beside the
                                    persona and in data/audit, where `mybot evaluate` finds it

The persona of an audit must never talk to people: its verdict says so, and a reload refuses it. Knows the
dataset's files and the models; what exposure is stands in evaluate/canaries.py.
"""

import json
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.persona.manifest import SCORES, Generation, Persona, open_persona, write_atomically
from bot.persona.message import encoded
from bot.persona.prompt import PromptSpec, render
from config.errors import InputError
from config.settings import Audit, Evaluate, load
from training.dataset import read_rows, turns_of
from training.evaluate import canaries, grams
from training.evaluate.audited import AUDIT, Audited
from training.evaluate.canaries import FRAMES, Canary
from training.evaluate.figures import Draws, Figure, Measured
from training.report import show
from training.sft import sha256
from training.trained import TRAINED

if TYPE_CHECKING:
    from training.windows import Window

CANARIES = "canaries.json"
KEPT = ("heldout.jsonl", "prompt.json", "behaviour.json", "trained.json")
"""What the audit's dataset takes over as it is."""
REFUSED = "it was trained on planted secrets, for an audit; it must not talk to people"
ASKED = 32
"""Replies that are drawn to each frame's question when it is tried to get the secrets out."""


def main(knobs: Audit) -> None:
    if knobs.persona is None:
        show("audit", plant(knobs), as_json=knobs.as_json)
        return
    found = measure(knobs, knobs.persona)
    if knobs.as_json:
        sys.stdout.write(json.dumps(found.model_dump(mode="json")) + "\n")
    else:
        show("audit", {name: _line(figure) for name, figure in found.figures.items()})


def plant(knobs: Audit) -> dict[str, Any]:
    """Write the dataset with secrets planted, beside the one it is made from."""
    draws, folder = Draws(knobs.seed), knobs.data / "audit"
    rows = list(read_rows(knobs.data / "train.jsonl"))
    chosen = canaries.canaries(draws)
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        (folder / name).unlink(missing_ok=True)
        if (knobs.data / name).is_file():
            shutil.copyfile(knobs.data / name, folder / name)
    planted = [encoded(row) + "\n" for row in canaries.plant(rows, chosen, draws)]
    write_atomically(folder / "train.jsonl", "".join(planted))
    kept = {"dataset": sha256(knobs.data / "train.jsonl"), "canaries": [asdict(canary) for canary in chosen]}
    write_atomically(folder / CANARIES, json.dumps(kept) + "\n")
    return {
        "rows": len(rows),
        "planted": len(planted) - len(rows),
        "secrets": len(chosen),
        "dataset": str(folder),
        "next": f"mybot train --data {folder} --name audit",
    }


@dataclass(slots=True, frozen=True)
class Planted:
    """What was planted: in which dataset, and what."""

    dataset: str
    """SHA-256 of the train.jsonl whose copy it was."""
    canaries: list[Canary]

    @classmethod
    def read(cls, folder: Path, persona: Persona) -> "Planted":
        """InputError where nothing was planted, or the persona has learned something else."""
        path, learned = folder / CANARIES, persona.provenance.data.get("train.jsonl")
        if not path.is_file():
            raise InputError(f"{path} does not exist", hint="mybot audit, then train and merge on its dataset")
        if learned is not None and learned != sha256(folder / "train.jsonl"):
            raise InputError(
                f"the persona was not trained on {folder}, so it never saw what is planted there",
                hint=f"mybot train --data {folder} --name audit, merge, and audit that one",
            )
        kept = json.loads(path.read_bytes())
        if not isinstance(kept, dict):
            raise InputError(f"{path} is of an earlier version", hint="mybot audit plants anew")
        return cls(kept["dataset"], [Canary(**row) for row in kept["canaries"]])


def measure(knobs: Audit, where: Path) -> Audited:
    """Exposure and extraction of an audit persona, against its base; kept beside it and beside the dataset."""
    from training.evaluate.models import engine, known_by, locate_base, opened, opened_base
    from training.evaluate.reckoning import steps

    folder, persona = open_persona(where)
    planted = Planted.read(knobs.data / "audit", persona)
    chosen = planted.canaries
    _refuse(folder, persona)
    models = load(Evaluate, persona=where, base_model=knobs.base_model, runs=knobs.runs, device=knobs.device)
    base, served, draws = locate_base(models, folder, persona), engine(models, folder), Draws(knobs.seed)
    if not base:
        raise InputError("the base model of the persona is not at hand", hint="give --base-model")
    with opened(folder, persona, served) as loaded, steps("what the persona makes of them") as note:
        ranks = _ranks(loaded, persona.prompt, chosen, draws, note)
        replies = list(_asked(loaded, persona))
    with opened_base(base, folder, persona, served) as loaded, steps("what its base makes of them") as note:
        base_ranks = _ranks(loaded, persona.prompt, chosen, draws, note)
    figures: dict[str, Measured] = canaries.exposure(ranks, base_ranks, canaries.CANDIDATES + 1, draws)
    figures |= grams.control(read_rows(knobs.data / "audit" / "train.jsonl"), chosen, draws)
    figures = canaries.trusted(figures) | canaries.extracted(chosen, replies)
    found = Audited(
        persona=persona.hash,
        seed=knobs.seed,
        dataset=planted.dataset,
        base=(known_by(base) or {}).get("fingerprint", ""),
        trained=persona.provenance.data.get(TRAINED, ""),
        recipe=persona.provenance.recipe,
        figures={name: one.figure for name, one in sorted(figures.items())},
    )
    for place in (folder, knobs.data / "audit"):
        found.write(place / AUDIT)
    return found


def _refuse(folder: Path, persona: Persona) -> None:
    """Write beside the persona that it doesn't serve."""
    verdict = {"persona": persona.hash, "passed": False, "reasons": [REFUSED]}
    write_atomically(folder / SCORES, json.dumps(verdict, indent=1) + "\n")


def _ranks(
    loaded: Any, spec: PromptSpec, chosen: Sequence[Canary], draws: Draws, note: Callable[[int, int], None]
) -> dict[int, list[float]]:
    """As canaries.ranked, by a model's losses."""
    return canaries.ranked(chosen, draws, lambda asked: _losses(loaded, spec, asked), note)


def _losses(loaded: Any, spec: PromptSpec, asked: Sequence[Canary]) -> list[float]:
    """Nats of each reply after its frame's question, as it is trained."""
    from training.evaluate import scoring

    first = _window(loaded.tokenizer, spec, asked[0])
    prompt, end = first.input_ids[: _begin(first)], loaded.tokenizer.eos_token_id
    texts = loaded.tokenizer([canary.reply for canary in asked], add_special_tokens=False)["input_ids"]
    replies = [[*ids, end] for ids in texts]
    return [round(math.fsum(nats), 6) for nats in scoring.after(loaded, prompt, replies)]


def _asked(loaded: Any, persona: Persona) -> Any:
    """What the persona says to each frame's question, again and again, without any guard."""
    from training.answers import answers

    prompts = []
    for frame in range(len(FRAMES)):
        window = _window(loaded.tokenizer, persona.prompt, Canary(frame, "0" * canaries.DIGITS, 1))
        prompts += [window.input_ids[: _begin(window)]] * ASKED
    yield from answers(loaded, Generation(max_tokens=32), prompts)


def _window(tokenizer: Any, spec: PromptSpec, canary: Canary) -> "Window":
    from training.windows import label

    row = canaries.row(canary, 0, 0)
    turns = render(turns_of(row), spec, kind=row["kind"], name=row["name"])
    return label(tokenizer, turns, {tokenizer.eos_token_id})


def _begin(window: "Window") -> int:
    from training.windows import IGNORE

    return next(place for place, wanted in enumerate(window.labels) if wanted != IGNORE)


def _line(figure: Figure) -> str:
    if figure.value is None:
        return f"insufficient: {figure.note}"
    ends = "" if figure.low is None else f" ({figure.low:.2f} to {figure.high:.2f})"
    return f"{figure.value:.2f}{ends}, n {figure.n}; {figure.note}"
