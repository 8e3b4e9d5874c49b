"""Personas of an evaluation, made on the fly: random, but sealed with what they were trained on."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from bot.persona.manifest import Persona
from bot.persona.prompt import PromptSpec
from tests.personas import make_persona
from training.trained import TRAINED


def evaluated_persona(folder: Path, data: Path, spec: PromptSpec, **how: Any) -> Path:
    """A random persona that says it was trained on the training part of some data."""
    make_persona(folder, prompt=spec, context=512, **how)
    shutil.copy(data / TRAINED, folder)
    persona = Persona.load(folder)
    digest = hashlib.sha256((folder / TRAINED).read_bytes()).hexdigest()
    provenance = persona.provenance.model_copy(update={"data": {TRAINED: digest}})
    persona.model_copy(update={"provenance": provenance}).seal(folder)
    return folder
