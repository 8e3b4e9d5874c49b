"""Import formats: one module a format, found by listing this folder.

A format is a module with `sniff` and `read`; the others (source.py, text.py, …) are what they share.
Content decides which format a file has, never its name alone.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Protocol, cast

from bot.persona.message import Message
from config.errors import InputError, SettingsError
from training.importers.source import Notes, Source, Zone

SURE = 0.5
"""A guess below this is no guess."""


class Importer(Protocol):
    """What a module of this folder must have to be a format."""

    def sniff(self, source: Source) -> float:
        """How sure it is, 0 to 1, from `source.head` alone."""
        ...

    def read(self, source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
        """The messages in the order of the file; `mine` is left to the caller."""
        ...


def formats() -> dict[str, Importer]:
    """Every format by its module's name."""
    modules: dict[str, ModuleType] = {
        info.name: importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)
    }
    return {name: cast("Importer", module) for name, module in sorted(modules.items()) if hasattr(module, "sniff")}


def importer_for(source: Source, forced: str = "") -> tuple[str, Importer]:
    """The format that is surest about a source, or the one the user named."""
    known = formats()
    if forced:
        if forced not in known:
            raise SettingsError(f"[import] format: no format {forced!r}", hint=f"one of {', '.join(known)}")
        return forced, known[forced]
    scores = sorted(((importer.sniff(source), name) for name, importer in known.items()), reverse=True)
    guesses = ", ".join(f"{name} {score:.2f}" for score, name in scores if score)
    if scores[0][0] < SURE:
        likest = f"a little like {guesses}" if guesses else f"like none of {', '.join(known)}"
        raise InputError(f"{source.name}: unknown format", hint=f"it looks {likest}; --format NAME forces one")
    if len(scores) > 1 and scores[1][0] == scores[0][0]:
        raise InputError(f"{source.name}: could be several formats", hint=f"guesses: {guesses}; choose with --format")
    return scores[0][1], known[scores[0][1]]
