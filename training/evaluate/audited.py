"""What `mybot audit` found, as a report takes it over: how well a persona trained alike knows planted secrets.

    data/audit/audit.json ─▶ leakage.exposure, leakage.exposure_highest, leakage.extracted, …

It is measured on a persona of its own, which never talks to people. It speaks for another one where that was
trained on the very dataset the secrets were planted in, with the same recipe. Knows files and numbers.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from bot.persona.manifest import Persona, write_atomically
from config.errors import InputError
from training.evaluate.canaries import GOOD_CONTROL, GOOD_EXPOSURE, GOOD_EXTRACTED, GOOD_HIGHEST
from training.evaluate.figures import Figure, Part, rounded
from training.trained import TRAINED

AUDIT = "audit.json"
JUDGED = {
    "exposure": GOOD_EXPOSURE,
    "exposure_highest": GOOD_HIGHEST,
    "exposure_control": GOOD_CONTROL,
    "extracted": GOOD_EXTRACTED,
}
"""Figures that have a bound: without an audit they are said to be missing."""
DECIDING = (
    "loss_on", "max_length", "load_in_4bit", "load_in_8bit", "r", "lora_alpha", "lora_dropout", "bias",
    "target_modules", "modules_to_save", "layers_to_transform", "use_dora", "use_rslora", "init_lora_weights",
    "per_device_train_batch_size", "gradient_accumulation_steps", "num_processes", "learning_rate", "lr_scheduler_type",
    "warmup_steps", "num_train_epochs", "max_steps", "early_stopping_patience", "optim", "max_grad_norm", "weight_decay", "neftune_noise_alpha",
)  # fmt: skip
"""Knobs of a training that decide what is learned by heart."""
NAMED = ("base_model", "revision")
"""Knobs that name the base model, where it isn't known by its weights."""

Recipe = Mapping[str, str | int | float | bool | None]


class Audited(Part):
    """One audit: on what, with which recipe, and what was found."""

    format: Literal[2] = 2
    persona: str
    """Hash of the persona that has learned the planted secrets."""
    seed: int
    dataset: str
    """SHA-256 of the train.jsonl that they were planted in a copy of."""
    base: str = ""
    """Fingerprint of the base model it was held against; empty: its weights didn't lie here, it is known by name."""
    trained: str = ""
    """Hash of the list of all that persona has learned from, an older adapter's lessons too; empty: it has none."""
    recipe: dict[str, str | int | float | bool | None] = {}
    """The [train] table as it was run."""
    figures: dict[str, Figure]

    def write(self, path: Path) -> None:
        write_atomically(path, json.dumps(rounded(self.model_dump(mode="json")), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Audited":
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError:
            raise InputError(
                f"{path} is no audit of this version", hint="run `mybot audit PERSONA` again, or delete it"
            ) from None


def figures(places: Sequence[Path], persona: Persona, base: str = "") -> dict[str, Figure]:
    """What the first audit that is there says of a persona; by name, and as not measured where it can say nothing.

    `base` is the fingerprint of the persona's base model, wherever it lies; empty where none is at hand.
    """
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return _unknown("not audited: `mybot audit` plants secrets in a copy of the dataset and says how to go on")
    found, learned = Audited.read(path), persona.provenance
    if found.persona != persona.hash:
        if found.dataset != learned.data.get("train.jsonl"):
            return _unknown("the audit is of another dataset than this persona's: `mybot audit` plants anew")
        if found.trained != learned.data.get(TRAINED, ""):
            return _unknown("this persona has learned from other conversations, too, than the audit's")
        base = persona.model.fingerprint or base
        if found.base and base and found.base != base:
            return _unknown("the audit's persona was made from another base model")
        knobs = DECIDING if found.base and base else (*NAMED, *DECIDING)
        if others := _otherwise(found.recipe, learned.recipe, knobs):
            return _unknown(f"the audit's persona was trained otherwise: {', '.join(others)}")
    return found.figures


def _unknown(why: str) -> dict[str, Figure]:
    return {name: Figure(status="not_measured", note=why, good=good) for name, good in JUDGED.items()}


def _otherwise(there: Recipe, here: Recipe, knobs: Sequence[str]) -> list[str]:
    """Knobs in which two trainings differ."""
    return [f"{name} {there.get(name)}, not {here.get(name)}" for name in knobs if there.get(name) != here.get(name)]
