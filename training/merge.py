"""`mybot merge`: adapter + base model → a sealed persona version; `current` switched last.

    the run ─▶ the model as trained, measured ─▶ each form, measured as it will be served ─▶ the better
            ─▶ sampling fitted on dev ─▶ sealed, with a model card

Runs in a process of its own, never on the trained object: an evaluation repacks quantised weights,
and a later merge would be off. What is not finished lies in a folder that names its process, and
the next merge clears away what a killed one left.
"""

import contextlib
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from bot.persona.behaviour import Behaviour
from bot.persona.manifest import Generation, Model, Persona, Provenance, make_current
from bot.persona.prompt import PromptSpec
from config.errors import TrainingError
from config.settings import ROOT, Merge
from training import base, copies, forms, merging, plan, sampling_fit
from training.card import model_card
from training.forms import Form, Run
from training.judge import Judge, Measured, serving
from training.report import show
from training.trained import TRAINED

FITTED = ("temperature", "min_p", "repetition_penalty")
"""Knobs that are fitted where they are left out."""
NOISE = 0.002
"""Share by which two held-out losses differ by chance: then the form that is nearer to the training wins."""

console = Console(stderr=True, highlight=False)


def main(knobs: Merge) -> None:
    base.quiet()
    run = Run.read(knobs.run)
    target = knobs.personas / (knobs.name or knobs.run.resolve().name)
    _sweep(target)
    scratch = target / f".{os.getpid()}.part"
    try:
        work = Work(knobs, run, scratch)
        form, persona = work.best()
        persona = work.fitted(form, persona)
        forms.write_generation_config(scratch / form, persona.generation)
        (scratch / form / "README.md").write_text(model_card(persona), encoding="utf-8")
        if (run.path / TRAINED).is_file():
            shutil.copy(run.path / TRAINED, scratch / form)
        if not copies.write(scratch / form, knobs.data, persona.provenance.data):
            console.print(f"no {knobs.data / 'messages.jsonl'}: the bot won't know which lines are another chat's")
        persona = persona.seal(scratch / form)
        version = target / f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{persona.hash[:4]}"
        (scratch / form).replace(version)
        if knobs.make_current:
            make_current(version)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    show(f"persona: {version}", _told(version, persona), as_json=knobs.as_json)


def in_a_fresh_process(run: Path, personas: Path, *more: str) -> None:
    """`mybot merge` as a process of its own; its two-line error becomes ours."""
    command = [sys.executable, str(ROOT / "mybot.py"), "merge", str(run), "--personas", str(personas), "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        last = done.stderr.strip().splitlines() or ["no message"]
        raise TrainingError(f"the merge failed: {last[-1]}", hint="run `mybot merge` by hand to see all of it")


class Work:
    """One merge: the forms that come into question, written below `scratch` and measured."""

    def __init__(self, knobs: Merge, run: Run, scratch: Path) -> None:
        self.knobs, self.run, self.scratch = knobs, run, scratch
        sizes = plan.measure(base.load_config(run.base, run.train.revision), run.train)
        engine = serving(knobs)
        fits = forms.fits_card(sizes, run.train.max_length, knobs.card_memory)
        whole = fits and not (engine.load_in_4bit or engine.load_in_8bit)
        self.candidates = forms.candidates(knobs, run, fits=whole)
        self.parameters = sizes.parameters
        self.dtype = run.dtype if knobs.dtype == "auto" else forms.dtype_of(knobs.dtype)
        self.memory = min(knobs.max_memory * merging.GIB, psutil.virtual_memory().available)
        self.judge = Judge(knobs, run, engine, fits=fits)
        if self.judge.unheard:
            self.candidates = self.candidates[:1]
        self._enough_disk()
        self.drafts: dict[Form, Persona] = {}
        self.measured: dict[Form, Measured] = {}

    def best(self) -> tuple[Form, Persona]:
        """The form that is shipped, with its manifest not yet sealed."""
        # The adapter on its base is the model as trained: the others are measured against it.
        self._try("adapter")
        for form in self.candidates:
            if form == "adapter" or (self.judge.unloaded and self._ranked()):
                continue
            self._try(form)
            if len(self.drafts) > 2:
                loser: Form = next(made for made in reversed(self._ranked()) if made in ("dequant", "original"))
                shutil.rmtree(self.scratch / loser)
                del self.drafts[loser]
        chosen = self._ranked()[0]
        for note in filter(None, (self.judge.unheard, self.judge.unloaded)):
            console.print(f"not measured on held-out replies: {note}")
        return chosen, self._documented(chosen)

    def fitted(self, form: Form, persona: Persona) -> Persona:
        """With the sampling that was left open fitted on dev, where there is something to fit it on."""
        open_ = [name for name in FITTED if getattr(self.knobs, name) is None]
        if not (self.knobs.fit and open_) or self.judge.unheard or self.judge.unloaded:
            return persona
        with self.judge.opened(form, self.scratch / form, persona) as loaded, _steps("sampling") as note:
            replies = sampling_fit.replies_of(loaded, self.judge.windows(loaded, persona))
            if len(replies) < sampling_fit.LEAST:
                console.print(
                    f"sampling is not fitted: dev has {len(replies)} replies, {sampling_fit.LEAST} are needed"
                )
                return persona
            found = sampling_fit.fit(
                loaded, persona.generation, replies, knobs=open_, seconds=self.knobs.fit_seconds, note=note
            )
        told = persona.provenance.model_copy(update={"sampling": found.distances})
        return persona.model_copy(update={"generation": found.generation, "provenance": told})

    def _try(self, form: Form) -> None:
        folder = self.scratch / form
        folder.mkdir(parents=True)
        with _steps(f"{form}: shard") as on_shard:
            model = forms.write(
                self.run, form, folder, self.scratch, dtype=self.dtype, memory=self.memory, on_shard=on_shard
            )
        if form == "adapter":
            model = model.model_copy(update={"parameters": self.parameters})
        self.drafts[form] = _draft(self.knobs, self.run, model)
        self.measured[form] = measured = self.judge.measure(form, folder, self.drafts[form])
        if measured.logits is not None and not measured.logits.isfinite().all():
            raise TrainingError(
                f"{form}: the weights give no finite numbers", hint="train again with a lower learning rate"
            )

    def _ranked(self) -> list[Form]:
        """The forms there are to choose from, the best first; losses that are all but equal, or none, in the
        order of preference."""
        losses = {form: self.measured[form].loss or math.inf for form in self.drafts}
        there: list[Form] = [form for form in self.candidates if form in self.drafts]
        least = min((losses[form] for form in there), default=math.inf)
        return sorted(there, key=lambda form: 0.0 if losses[form] <= least * (1 + NOISE) else losses[form])

    def _documented(self, form: Form) -> Persona:
        """The manifest with what was measured."""
        draft, trained = self.drafts[form], self.measured["adapter"]
        losses = {f"served_{name}": round(one.loss, 5) for name, one in self.measured.items() if one.loss is not None}
        errors = {name: one.error(trained) for name, one in self.measured.items()}
        found = {name: round(error, 6) for name, error in errors.items() if error is not None}
        told = draft.provenance.model_copy(
            update={
                "losses": draft.provenance.losses | losses,
                "form": form,
                "served": self.judge.served if losses else "",
                "merge_error": found.get(form),
                "merge_errors": found,
            }
        )
        return draft.model_copy(update={"provenance": told})

    def _enough_disk(self) -> None:
        merged = sum(form != "adapter" for form in self.candidates)
        # While two are compared both are there.
        bytes_ = min(2, merged) * self.parameters * self.dtype.itemsize
        free = shutil.disk_usage(_existing(self.scratch)).free
        if bytes_ > free:
            raise TrainingError(
                f"the merge needs {bytes_ / 1e9:.1f} GB of disk, and {free / 1e9:.1f} are free",
                hint="make room, or choose one form with --way dequant or --weights adapter",
            )


def _draft(knobs: Merge, run: Run, model: Model) -> Persona:
    """The manifest but for what is measured."""
    manifest = run.manifest
    # By its name alone: where it lies on this machine is nobody else's business.
    recipe = manifest["recipe"] | {"base_model": model.base}
    return Persona(
        name=knobs.name or run.path.resolve().name,
        model=model,
        prompt=PromptSpec(**manifest["prompt"]),
        generation=Generation(
            top_p=knobs.top_p,
            max_tokens=knobs.max_tokens,
            **{name: value for name in FITTED if (value := getattr(knobs, name)) is not None},
        ),
        behaviour=Behaviour(**manifest["behaviour"]),
        provenance=Provenance(
            mybot="0.1.0",
            created=datetime.now(timezone.utc),
            data=manifest["data"],
            counts=manifest.get("counts", {}),
            cost=manifest.get("cost", {}),
            recipe={k: v for k, v in recipe.items() if isinstance(v, str | int | float | bool)},
            losses=manifest["losses"],
            packages=manifest["packages"],
        ),
    )


def _told(version: Path, persona: Persona) -> dict[str, Any]:
    origin = persona.provenance
    measured = {
        name.removeprefix("served_"): loss for name, loss in origin.losses.items() if name.startswith("served_")
    }
    return {
        "version": str(version),
        "hash": persona.hash,
        "form": origin.form,
        "parameters": persona.model.parameters,
        "dtype": persona.model.dtype,
        "served": origin.served or None,
        "heldout_loss": measured or None,
        "merge_error": origin.merge_error,
        "merge_errors": origin.merge_errors or None,
        "sampling": {name: getattr(persona.generation, name) for name in FITTED},
        "sampling_fit": origin.sampling or None,
    }


@contextlib.contextmanager
def _steps(what: str) -> Iterator[Callable[[int, int], None]]:
    """Progress with time left: a bar on a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield lambda done, of: console.print(f"{what} {done} of {of}")
        return
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _sweep(target: Path) -> None:
    """Clear away what a killed merge left."""
    for left in target.glob(".*.part"):
        number = left.name[1:-5]
        if not (number.isdigit() and psutil.pid_exists(int(number))):
            shutil.rmtree(left, ignore_errors=True)


def _existing(path: Path) -> Path:
    return next(parent for parent in path.resolve().parents if parent.is_dir())
