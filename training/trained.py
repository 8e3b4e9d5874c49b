"""Which messages a persona was trained on: hashed ids, so that nothing it has seen is ever taken as a test.

    dataset ─▶ data/trained.json ─train─▶ runs/<name>/trained.json ─merge─▶ the sealed version's trained.json

Its hash stands in the provenance. A run that goes on with an older adapter has seen what that one saw.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bot.persona.manifest import Persona, version_folder, write_atomically
from config.errors import InputError

TRAINED = "trained.json"


@dataclass(slots=True)
class Trained:
    """Messages that were learned from."""

    ids: set[str] = field(default_factory=set)
    newest: int = 0
    """UTC seconds of the newest."""
    refit: bool = False
    """Whether nothing was held out: then only what is newer tells anything."""

    def add(self, chat: str, message: str, time: int) -> None:
        self.ids.add(hashed(chat, message))
        self.newest = max(self.newest, time)

    def __or__(self, other: "Trained") -> "Trained":
        return Trained(self.ids | other.ids, max(self.newest, other.newest), self.refit or other.refit)

    def write(self, path: Path) -> None:
        told = {"newest": self.newest, "refit": self.refit, "ids": sorted(self.ids)}
        write_atomically(path, json.dumps(told) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Trained | None":
        """The list of a file; None where there is none."""
        if not path.is_file():
            return None
        told = json.loads(path.read_bytes())
        return cls(set(told["ids"]), told["newest"], told["refit"])

    @classmethod
    def of(cls, folder: Path, persona: Persona) -> "Trained":
        """The list of a sealed version. InputError where there is none, or another than it was sealed with."""
        path = folder / TRAINED
        sealed = persona.provenance.data.get(TRAINED)
        found = cls.read(path)
        if found is None or sealed is None:
            raise InputError(
                f"{folder.name} doesn't say what it was trained on",
                hint="run `mybot dataset`, `mybot train` and `mybot merge` again: they keep the list since this version",
            )
        if hashlib.sha256(path.read_bytes()).hexdigest() != sealed:
            raise InputError(f"{path} is not the list it was sealed with", hint="copy the persona again")
        return found


def hashed(chat: str, message: str) -> str:
    """A message's id as it stands in the list."""
    return hashlib.blake2b(f"{chat}\n{message}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def together(paths: Iterable[Path]) -> Trained | None:
    """What was learned in all of these; None where one of them doesn't say."""
    whole = Trained()
    for path in paths:
        found = Trained.read(path)
        if found is None:
            return None
        whole |= found
    return whole


def beside(path: Path) -> Path:
    """Where the list of a run, or of a persona, lies."""
    return version_folder(path) / TRAINED
