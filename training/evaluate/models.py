"""The models of an evaluation: the persona as it is served, and the base it was made from.

Knows where a base model may lie; loads one at a time. Imports torch late.
"""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.persona.base_model import find_base, fingerprint
from bot.persona.manifest import Persona
from config.errors import MyBotError, PersonaError
from config.settings import Engine, Evaluate, load
from training import base
from training.evaluate.workload import Unopened
from training.sft import RUN


def engine(knobs: Evaluate, folder: Path) -> Engine:
    """The engine as it is set up to serve, with what the command says otherwise."""
    over: dict[str, Any] = {"persona": folder, "url": "", "prefix_reuse": False}
    over |= {} if knobs.device == "auto" else {"device": knobs.device}
    over |= {name: True for name in ("load_in_8bit", "load_in_4bit") if getattr(knobs, name)}
    return load(Engine, **over)


def unopened(folder: Path, persona: Persona, knobs: Engine) -> Unopened:
    """What must be known of a persona to count what it will read, without its weights."""
    import transformers

    from bot.engine.weights import choose_device

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return Unopened(tokenizer, persona.model.context, choose_device(persona, knobs.device))


@contextmanager
def opened(folder: Path, persona: Persona, knobs: Engine) -> Iterator[Any]:
    """The persona as the engine serves it, for as long as it is needed."""
    from bot.engine.model import load as load_model

    loaded = load_model(folder, persona, knobs)
    try:
        yield loaded
    finally:
        loaded.release()


@contextmanager
def opened_base(path: str, folder: Path, persona: Persona, knobs: Engine) -> Iterator[Any]:
    """The base model in the persona's place: same tokenizer, template, numbers and bits."""
    import transformers

    from bot.engine.model import ready
    from bot.engine.weights import choose_device, open_weights

    device = choose_device(persona, knobs.device)
    whole = persona.model_copy(update={"model": persona.model.model_copy(update={"weights": "merged"})})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    try:
        model = open_weights(Path(path), whole, knobs, device)
    except (OSError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0][:200]
        raise PersonaError(f"the base model {path} can't be loaded: {first}", hint="give --base-model") from error
    loaded = ready(model, tokenizer, device, persona.model.context, knobs)
    try:
        yield loaded
    finally:
        loaded.release()
        gc.collect()


def locate_base(knobs: Evaluate, folder: Path, persona: Persona) -> str:
    """Where the base model lies; empty where it isn't at hand. What the command names must be there."""
    if knobs.base_model:
        return base.source(knobs.base_model)
    places = (_of_an_adapter(folder, persona), _of_the_run(knobs.runs / persona.name / RUN, persona), _fetched(persona))
    return next((place for place in places if place and Path(place).is_dir()), "")


def known_by(path: str) -> dict[str, str] | None:
    """A base model's path, and the fingerprint by which a persona's manifest knows it; None where none is at hand."""
    if not path:
        return None
    return {"path": path, "fingerprint": fingerprint(Path(path)) if Path(path).is_dir() else ""}


def _of_an_adapter(folder: Path, persona: Persona) -> str:
    if persona.model.weights != "adapter":
        return ""
    try:
        return str(find_base(folder, persona.model, None))
    except MyBotError:
        return ""


def _of_the_run(path: Path, persona: Persona) -> str:
    """The base that the run of this name had, if it is the persona's by its name."""
    if not path.is_file():
        return ""
    there = json.loads(path.read_bytes())["base_model"]
    same = there == persona.model.base or Path(there).name == persona.model.base
    return there if same else ""


def _fetched(persona: Persona) -> str:
    try:
        return base.source(persona.model.base, persona.model.revision)
    except MyBotError:
        return ""
