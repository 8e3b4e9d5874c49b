"""The base model that an adapter persona stands on: where it lies, and that it is the very one.

Knows files and sizes; reads no weights but their ends, so a look costs milliseconds at 26 GB.
"""

import hashlib
from pathlib import Path

from bot.persona.manifest import Model
from config.errors import PersonaError

END = 1 << 16
"""Bytes at the beginning and at the end of a weights file that are looked at."""


def find_base(folder: Path, model: Model, given: Path | None = None) -> str:
    """The folder of the base model, or its name on the hub. `given` is where the operator says it lies.

    Raises PersonaError if it isn't there, or isn't what the adapter was trained on.
    """
    if given is None and not model.folder:
        return model.base
    path = (folder / model.folder if given is None else given).resolve()
    if not (path / "config.json").is_file():
        raise PersonaError(
            f"the base model {model.base} is not at {path}",
            hint="--base-model FOLDER, or [engine] base_model, tells where",
        )
    if model.fingerprint and fingerprint(path) != model.fingerprint:
        raise PersonaError(
            f"{path} is not the base model that this persona was trained on",
            hint=f"it needs the very {model.base} of its training: --base-model FOLDER",
        )
    return str(path)


def fingerprint(folder: Path) -> str:
    """Hex digest of the names, sizes and ends of a model folder's weights."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(END))
            file.seek(max(0, size - END))
            digest.update(file.read(END))
    return digest.hexdigest()
