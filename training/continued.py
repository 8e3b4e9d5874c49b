"""An older adapter, learned on with new records: `mybot train --continue-from RUN`, or a persona.

It must be one for the same base model, and of the shape that the recipe asks for: nothing of what is
asked may be left undone in silence.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.persona.base_model import fingerprint
from bot.persona.manifest import MANIFEST, Persona, version_folder
from config.errors import SettingsError, TrainingError
from config.settings import Train
from training import base, recipe

SHAPE = ("target_modules", "bias", "modules_to_save", "layers_to_transform", "use_dora", "use_rslora")
"""Knobs that the older adapter was made with, beside its rank and scale, which its own config tells."""


@dataclass(frozen=True, slots=True)
class Older:
    """An adapter that was trained before, and what is known of it."""

    name: str
    adapter: Path
    base_model: str
    fingerprint: str
    """Of the base model's weights; empty where it isn't known."""
    recipe: dict[str, Any]


def older(path: Path) -> Older:
    """The adapter of a run, of a persona or of one of its versions; TrainingError if there is none."""
    folder = version_folder(path)
    if (path / "run.json").is_file():
        run = json.loads((path / "run.json").read_bytes())
        found = Older(path.name, path / "adapter", run["base_model"], "", run["recipe"])
    elif (folder / MANIFEST).is_file():
        persona = Persona.load(folder)
        model = persona.model
        found = Older(folder.name, folder / "adapter", model.base, model.fingerprint, dict(persona.provenance.recipe))
    else:
        raise TrainingError(f"{path} is no run and no persona", hint="give runs/NAME or personas/NAME")
    if not (found.adapter / "adapter_config.json").is_file():
        raise TrainingError(f"{path} has no adapter in it", hint="give the run it was merged from, or another version")
    return found


def check(knobs: Train) -> dict[str, str]:
    """What the run's manifest says of the older adapter; SettingsError unless it is learned on as asked."""
    assert knobs.continue_from is not None
    before = older(knobs.continue_from)
    if not _same_base(before, knobs):
        raise SettingsError(
            f"{before.name} was trained on {before.base_model}, not on {knobs.base_model}",
            hint="--base-model must be the same; another base model is begun anew",
        )
    if recipe.changes_base(knobs):
        raise SettingsError(
            f"continue_from and init_lora_weights = {knobs.init_lora_weights!r} don't go together",
            hint="an older adapter has its beginning behind it: leave init_lora_weights at true",
        )
    config = json.loads((before.adapter / "adapter_config.json").read_bytes())
    told = {"r": config["r"], "lora_alpha": config["lora_alpha"]}
    told |= {knob: before.recipe[knob] for knob in SHAPE if knob in before.recipe}
    for knob, value in told.items():
        if getattr(knobs, knob) != value:
            raise SettingsError(
                f"{before.name} has {knob} = {value}, this recipe {getattr(knobs, knob)}",
                hint=f"--{knob.replace('_', '-')} {value} goes on with it; without --continue-from it is begun anew",
            )
    weights = (before.adapter / "adapter_model.safetensors").read_bytes()
    return {"name": before.name, "adapter": hashlib.sha256(weights).hexdigest()}


def onto(model: Any, path: Path | None) -> Any:
    """The base model with the older adapter on it, ready to be trained; as it is where none is named."""
    if path is None:
        return model
    from peft import PeftModel

    tuned: Any = PeftModel.from_pretrained(model, str(older(path).adapter), is_trainable=True)
    tuned.peft_config["default"].base_model_name_or_path = model.name_or_path
    return tuned


def exactly(model: Any, path: Path | None) -> None:
    """Put the older adapter's own numbers back, which the trainer has rounded to bfloat16 on the way."""
    if path is None:
        return
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(model, load_file(older(path).adapter / "adapter_model.safetensors"))


def _same_base(before: Older, knobs: Train) -> bool:
    located = base.locate(knobs.base_model)
    if before.base_model == located:
        return True
    here, there = Path(base.source(knobs.base_model, knobs.revision)), Path(before.base_model)
    if known := before.fingerprint or (fingerprint(there) if there.is_dir() else ""):
        return here.is_dir() and fingerprint(here) == known
    # A merged persona of a local folder tells its name and no more.
    return there.name == Path(located).name
