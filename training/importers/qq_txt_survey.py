"""The first, cheap pass over a QQ text export: what must be known before a line can be trusted.

* Line ends: CRLF if most are, else LF (or CR, where there is no LF). Breaks inside messages are
  bare LF or CR in the files that QQ writes.
* A header older than the message before it was quoted by that message. This is believed unless
  it would turn down more than a tenth of a file, which then isn't sorted.
* A single quoted header from the future would make all that follow look old: when several in a
  row are turned down that would fit without it, it is the one that doesn't count.
* Sections: one a chat; group or friend, and whether two sections of one name are one chat.
"""

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from training.importers.qq_txt_lines import Clock, candidates, split_who, structure, wall_time
from training.importers.text import blocks, encoding_of

RECENT = "最近联系人"
"""A section that repeats the people of other sections."""

SYSTEM = frozenset({"10000", "1000000"})

_SAMPLE = 64
"""Headers of a section that decide what it is."""

_STREAK = 5
"""Candidates turned down in a row that speak against the one before them."""

_FEW = 8
"""So many quoted headers prove nothing about the order of a small file."""


@dataclass(slots=True)
class Section:
    """One chat of an export."""

    group: str = ""
    name: str = ""
    with_id: int = 0
    without_id: int = 0
    heads: set[tuple[int, str]] = field(default_factory=set)
    """Some times and speakers, to see whether another section has the same messages."""
    undecided: bool = True
    """Whether more headers must be looked at."""
    label: str = ""
    """What sets its chat apart from another of the same name; mostly empty."""

    @property
    def is_group(self) -> bool:
        """A friend's export has bare names, a group's has ids."""
        return self.with_id > 0 and self.with_id >= self.without_id

    def look_at(self, time: int, who: str) -> None:
        self.heads.add((time, who))
        self.undecided = len(self.heads) < _SAMPLE
        known = None if who == self.name else split_who(who)
        if known is None:
            self.without_id += 1
        elif known[0] not in SYSTEM:
            self.with_id += 1


@dataclass(slots=True)
class Survey:
    """What the first pass found out."""

    encoding: str
    eol: str
    clock: Clock
    sections: list[Section]
    ordered: bool
    """Whether a header that is older than its predecessor is a quoted one."""
    liars: set[int]
    """Candidates, by number, that are quoted headers from the future."""
    parted: list[str]
    """Names that two different chats have."""

    def pattern(self) -> re.Pattern[str]:
        return structure(self.eol, self.clock)


def survey(file: BinaryIO) -> Survey:
    """Look through an export once, without building any message."""
    encoding = encoding_of(file)
    eol = _line_end(file, encoding)
    clock = _clock(file, encoding, eol)
    section = Section()
    found = Survey(encoding, eol, clock, [section], True, set(), [])
    walk = Walk(ordered=True)
    turned_down = total = 0
    for number, (_, match) in enumerate(candidates(blocks(file, encoding), eol, found.pattern())):
        if match is None:
            continue
        day, mark, hour, minutes, mark_after, who, group, name = match.groups()
        if day is None:
            section = Section(group.strip(), name.strip())
            found.sections.append(section)
            walk.restart()
            continue
        time = wall_time(day, hour, minutes, mark or mark_after)
        if time is None:
            continue
        total += 1
        if walk.accepts(time, number):
            if section.undecided:
                section.look_at(time, who)
        else:
            turned_down += 1
    found.liars = walk.liars
    turned_down -= _STREAK * len(walk.liars)
    found.ordered = turned_down <= _FEW or turned_down * 10 <= total
    found.parted = _part_namesakes(found.sections)
    return found


class Walk:
    """Which candidates count, going through them in order."""

    def __init__(self, *, ordered: bool, liars: set[int] | None = None) -> None:
        self._ordered = ordered
        self.liars: set[int] = set() if liars is None else liars
        self._learning = liars is None
        self.restart()

    def restart(self) -> None:
        """A new section has its own order."""
        self._last = self._before = -(1 << 62)
        self._number = -1
        self._streak = 0

    def accepts(self, time: int, number: int) -> bool:
        """Whether the candidate with this number is a header and no quoted line."""
        if number in self.liars:
            return False
        if time >= self._last or not self._ordered:
            self._before, self._last, self._number, self._streak = self._last, time, number, 0
            return True
        if self._learning:
            self._doubt(time)
        return False

    def _doubt(self, time: int) -> None:
        self._streak = self._streak + 1 if time >= self._before else 0
        if self._streak == _STREAK:
            self.liars.add(self._number)
            self._last, self._streak = time, 0


def _line_end(file: BinaryIO, encoding: str) -> str:
    crlf = lf = cr = 0
    for text in blocks(file, encoding):
        both = text.count("\r\n")
        crlf += both
        lf += text.count("\n") - both
        cr += text.count("\r") - both
    if crlf > lf + cr:
        return "\r\n"
    return "\r" if cr and not lf and not crlf else "\n"


def _clock(file: BinaryIO, encoding: str, eol: str) -> Clock:
    """Windows' clock, by the first headers: names may begin with AM too."""
    first = islice(blocks(file, encoding), 1)
    headers = [match for _, match in candidates(first, eol, structure(eol, "both")) if match and match[1]]
    marked = sum(1 for match in headers if match[2] or match[5])
    if marked * 10 <= len(headers):
        return "24h"
    return "12h" if marked * 10 >= len(headers) * 9 else "both"


def _part_namesakes(sections: list[Section]) -> list[str]:
    """Tell chats of one name apart: under two 消息分组, neither a repetition, with nothing in common."""
    parted: list[str] = []
    by_name: dict[tuple[bool, str], list[Section]] = {}
    for section in sections:
        if not section.heads or section.group == RECENT:
            continue
        namesakes = by_name.setdefault((section.is_group, section.name), [])
        same = next((s for s in namesakes if s.group == section.group or s.heads & section.heads), None)
        if same is not None:
            section.label = same.label
        elif namesakes:
            section.label = section.group
            parted.append(section.name)
        namesakes.append(section)
    return parted
