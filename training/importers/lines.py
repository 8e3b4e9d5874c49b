"""The lines of a text export, one at a time and never a whole file's worth of one.

A line ends at LF only: messages hold U+2028, U+0085, vertical tabs and lone CRs.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

LONGEST = 1 << 20
"""Characters of one line; what is beyond is cut off."""


class Line(NamedTuple):
    number: int
    text: str
    """Without its line end."""
    cut: bool
    """Whether it was longer than `LONGEST`."""


def lines(texts: Iterable[str]) -> Iterator[Line]:
    """The lines of a text that comes in pieces."""
    number, parts, length = 1, [], 0
    for text in texts:
        place = 0
        while (end := text.find("\n", place)) >= 0:
            parts.append(text[place:end] if length <= LONGEST else "")
            yield _line(number, parts)
            number, parts, length, place = number + 1, [], 0, end + 1
        if length <= LONGEST:
            parts.append(text[place:])
        length += len(text) - place
    if length:
        yield _line(number, parts)


def _line(number: int, parts: list[str]) -> Line:
    text = "".join(parts)
    return Line(number, text[:LONGEST].removesuffix("\r"), len(text) > LONGEST)
