"""What a model said and scored, kept line by line: an evaluation that was broken off goes on from here.

    {"head": {…}}                              which persona, which moments, which seed
    {"base": {"path": …, "fingerprint": …}}    which base model is meant by what follows
    {"key": "say persona 3f2a…", "value": …}   one answer, one score

What the base said belongs to that very base: with another one it is asked anew, and what the persona said
stays. The file is private: it holds replies. With it a report is made again without a model.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from config.errors import InputError

BASED = ("base", "base_prompt")
"""Systems whose values are the base model's; a key's second word is its system."""


class Ledger:
    """Values by key; what is put is on disk before the next one."""

    def __init__(
        self, path: Path, head: Mapping[str, Any], base: Mapping[str, str] | None = None, *, writes: bool = True
    ) -> None:
        """`base` is the base model that is at hand, its path and fingerprint; None: whichever the file knows last.

        InputError where the file is of another persona, other moments, another seed, or (only read) of another
        base, or isn't there to be read.
        """
        self._path = path
        self._values: dict[str, Any] = {}
        self._of_bases: dict[str, dict[str, Any]] = {}
        self._bases: dict[str, dict[str, str]] = {}
        self._file: IO[str] | None = None
        self.base: dict[str, str] = {}
        """The base model whose values these are; empty where none was ever asked."""
        kept = self._read(head) if path.is_file() else None
        if kept is None and not writes:
            raise InputError(f"{path} holds no evaluation", hint="run `mybot evaluate` without --from first")
        if base is not None and self._of_bases and not writes and _identity(base) not in self._of_bases:
            raise InputError(
                f"{path} is of another base model: {_name(self.base)}, not {_name(base)}",
                hint="give that one with --base-model, or evaluate without --from: what the persona said is kept",
            )
        last = self.base
        self._choose(base)
        if writes:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A line that was cut off when the power went is cut away.
            self._file = path.open("a" if kept else "w", encoding="utf-8", newline="\n")
            if kept:
                os.truncate(path, kept)
            else:
                self._write({"head": dict(head)})
            if _identity(self.base) != _identity(last):
                self._write({"base": self.base})

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> Any:
        """A value; None where it was never put."""
        return self._values.get(key)

    def missing(self, keys: Iterable[str]) -> list[str]:
        return [key for key in keys if key not in self._values]

    def put(self, key: str, value: Any) -> None:
        self._values[key] = value
        self._write({"key": key, "value": value})

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def writes(self) -> bool:
        """Whether something may still be asked of a model."""
        return self._file is not None

    def _write(self, row: Mapping[str, Any]) -> None:
        assert self._file is not None, "nothing is put into a ledger that is only read"
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()

    def _read(self, head: Mapping[str, Any]) -> int | None:
        """Take in the whole lines; how many bytes they are. None where there is none."""
        size = 0
        for line in self._path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            row = json.loads(line)
            if not size and row.get("head") != dict(head):
                raise InputError(
                    f"{self._path} is of another evaluation: {_unlike(row.get('head') or {}, head)}",
                    hint="give the file that belongs to this persona, this data and this seed",
                )
            if "base" in row:
                self.base = row["base"]
                self._bases[_identity(self.base)] = self.base
            elif size:
                self._kept(row["key"])[row["key"]] = row["value"]
            size += len(line)
        return size or None

    def _kept(self, key: str) -> dict[str, Any]:
        """Where a value of the file belongs: to the base that was named last, or to nobody's base."""
        if key.split(" ")[1:2] and key.split(" ")[1] in BASED:
            return self._of_bases.setdefault(_identity(self.base), {})
        return self._values

    def _choose(self, base: Mapping[str, str] | None) -> None:
        """Take in what the wanted base said; left out, the one that was named last."""
        if base is not None:
            self.base = self._bases.get(_identity(base), dict(base))
        if self.base:
            self._values |= self._of_bases.get(_identity(self.base), {})


class Blank(Ledger):
    """A ledger that knows nothing and keeps nothing: for what is only reckoned."""

    def __init__(self) -> None:
        self._values, self._file, self.base = {}, None, {}


def _identity(base: Mapping[str, str]) -> str:
    """By what a base is known: its weights, or, where they don't lie here, its name on the hub."""
    return base.get("fingerprint") or base.get("path", "")


def _name(base: Mapping[str, str]) -> str:
    return f"{base.get('path', '')} {base.get('fingerprint', '')[:12]}".strip() or "one it doesn't name"


def _unlike(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return ", ".join(f"{name} {there.get(name)}, not {here.get(name)}" for name in names)
