"""The objects of an array in a JSON file, one at a time: the file is never in memory as a whole.

A broken object costs itself and not the rest: reading goes on where the next one begins.
(A parser that stops at the first error would lose all that follows, and one that names every
value's path costs the square of the depth of a file that is nested on purpose.)
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from training.importers.text import blocks

LONGEST = 32 << 20
"""Characters of one object; a longer one counts as broken."""

REACH = 4096
"""Characters before an array in which what is said about it must stand."""

_SPACE = re.compile(r"[\s,]*")
_RAW = json.JSONDecoder()


@dataclass(slots=True, frozen=True)
class Broken:
    """Stands in the place of an object that could not be read."""

    begins: str
    truncated: bool = False
    """Whether the file ended in the middle of it."""


class Window:
    """A part of a file's text that can grow at its end and be cut at its beginning."""

    def __init__(self, file: BinaryIO) -> None:
        self._texts = blocks(file, "utf-8-sig")
        self.text = ""
        self.ended = False
        self.unfinished = False
        """Whether the last value that failed did so for want of more text."""

    def grow(self) -> bool:
        """Read at least as much as there is; False at the end of the file."""
        wanted = max(1, len(self.text))
        parts = [self.text]
        while wanted > 0 and not self.ended:
            part = next(self._texts, None)
            if part is None:
                self.ended = True
            else:
                parts.append(part)
                wanted -= len(part)
        grown = len(parts) > 1
        self.text = "".join(parts)
        return grown

    def seek(self, pattern: re.Pattern[str], start: int = 0) -> bool:
        """Cut everything before the end of the first match; False if there is none."""
        while True:
            if match := pattern.search(self.text, start):
                self.text = self.text[match.end() :]
                return True
            self.text, start = self.text[-256:], 0
            if not self.grow():
                return False

    def pass_by(self, pattern: re.Pattern[str]) -> str | None:
        """Cut everything before the end of the first match; what stood right before it, None if there is none."""
        while True:
            if match := pattern.search(self.text):
                before = self.text[max(0, match.start() - REACH) : match.start()]
                self.text = self.text[match.end() :]
                return before
            self.text = self.text[-REACH:]
            if not self.grow():
                return None

    def resume(self, begins: re.Pattern[str], outside: re.Pattern[str] | None, start: int) -> bool:
        """Cut everything before the next object; False if the array ended before, or the file.

        What stands before `outside` is kept, as far as `pass_by` needs it.
        """
        either = re.compile(begins.pattern + (f"|(?P<outside>{outside.pattern})" if outside else ""))
        while True:
            if match := either.search(self.text, start):
                left = outside is not None and match["outside"] is not None
                self.text = self.text[max(0, match.start() - REACH) if left else match.start() :]
                return not left
            cut = max(0, len(self.text) - REACH)
            start = max(start - cut, len(self.text) - cut - 256, 0)
            self.text = self.text[cut:]
            if not self.grow():
                return False

    def at_end_of_array(self, place: int) -> bool:
        """Whether a bracket here closes the array, and doesn't stand where an object was damaged."""
        if self.text[place] != "]":
            return False
        while not (after := self.text[place + 1 : place + 200].lstrip()) and self.grow():
            pass
        return after[:1] in ("", ",", "}")

    def value(self, start: int) -> tuple[Any, int] | None:
        """The JSON value at a place and where it ends; None if there is no whole one."""
        while True:
            try:
                return _RAW.raw_decode(self.text, start)
            except json.JSONDecodeError as error:
                self.unfinished = error.pos + 64 >= len(self.text) or error.msg.startswith("Unterminated string")
                if not self.unfinished or len(self.text) - start > LONGEST:
                    return None
            except (RecursionError, ValueError):
                self.unfinished = False
                return None
            if not self.grow():
                return None


def member(file: BinaryIO, name: str) -> Any:
    """The first value of this name in a file, None if there is none."""
    window = Window(file)
    return (window.value(0) or (None, 0))[0] if window.seek(_key(name, r"(?=[\[{])")) else None


def rows(file: BinaryIO, name: str, begins: re.Pattern[str]) -> Iterator[dict[str, Any] | Broken]:
    """The objects of the array called `name`; `begins` is what an object looks like at its beginning."""
    window = Window(file)
    if window.seek(_key(name, r"\[")):
        yield from _objects(window, begins)


def grouped_rows(
    file: BinaryIO, name: str, begins: re.Pattern[str]
) -> Iterator[tuple[dict[str, Any], Iterator[dict[str, Any] | Broken]]]:
    """The objects of every array called `name`, each with what stands before it in its own object.

    The rows of one group must be read before the next group is asked for.
    """
    window = Window(file)
    key = _key(name, r"\[")
    while (before := window.pass_by(key)) is not None:
        yield _head(before), _objects(window, begins, key)


def objects(file: BinaryIO, begins: re.Pattern[str]) -> Iterator[dict[str, Any] | Broken]:
    """The objects of a file that is an array, or has them one after another."""
    window = Window(file)
    window.grow()
    window.seek(re.compile(r"\s*\[?"))
    for row in _objects(window, begins):
        # Where objects follow one another nothing closes them: the end of the file is no damage.
        if not isinstance(row, Broken) or row.begins:
            yield row


def _head(before: str) -> dict[str, Any]:
    """The members of an unfinished object, of which the text ends before its last one."""
    text = before.rstrip().removesuffix(",")
    place = text.rfind("{")
    while place >= 0:
        try:
            found = json.loads(text[place:] + "}")
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        place = text.rfind("{", 0, place)
    return {}


def _objects(
    window: Window, begins: re.Pattern[str], outside: re.Pattern[str] | None = None
) -> Iterator[dict[str, Any] | Broken]:
    """The objects of the array in which a window stands; `outside` can only come after its end."""
    place = 0
    while True:
        space = _SPACE.match(window.text, place)
        place = space.end() if space else place
        if place >= len(window.text):
            window.text, place = "", 0
            if not window.grow():
                yield Broken("", truncated=True)
                return
            continue
        if window.at_end_of_array(place):
            window.text = window.text[place:]
            return
        window.text, place = (window.text[place:], 0) if place > 1 << 18 else (window.text, place)
        found = window.value(place)
        if found is not None and isinstance(found[0], dict):
            yield found[0]
            place = found[1]
            continue
        yield Broken(window.text[place : place + 200], truncated=window.ended and window.unfinished)
        if not window.resume(begins, outside, place + 1):
            return
        place = 0


def _key(name: str, value: str) -> re.Pattern[str]:
    # Inside a string the closing quote of the name would have a backslash before it.
    return re.compile(rf'"{re.escape(name)}"\s*:\s*{value}')
