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
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import BinaryIO

from training.importers.qq_txt_lines import (
    GROUP,
    LATE,
    NAME,
    NEVER,
    WHEN,
    WHO,
    WIDTH,
    Clock,
    Rows,
    columns,
    rows,
    split_who,
    structure,
    wall_times,
)
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
    sections: list[Section] = field(default_factory=list)
    ordered: bool = True
    """Whether a header that is older than its predecessor is a quoted one."""
    liars: set[int] = field(default_factory=set)
    """Candidates, by number, that are quoted headers from the future."""
    parted: list[str] = field(default_factory=list)
    """Names that two different chats have."""
    sure: bool = False
    """Whether the sections are known."""

    def pattern(self) -> re.Pattern[str]:
        return structure(self.eol, self.clock)


def survey(file: BinaryIO, first: Survey | None = None) -> Survey:
    """Look through an export once, without building any message. A first look needn't be repeated."""
    found = first or _first(file)
    walk = Walk(ordered=True)
    number = accepted = 0
    sections = [Section()]
    for block in rows(blocks(file, found.encoding), found.eol, found.pattern()):
        if len(block) == 1:
            continue
        times = walk.times(block, number)
        number += len(times)
        accepted += len(times) - times.count(NEVER)
        if sections[-1].undecided or None in block[WHEN::WIDTH]:
            _look_at(sections, block, times)
    turned_down = walk.turned_down - _STREAK * len(walk.liars)
    ordered = turned_down <= _FEW or turned_down * 10 <= accepted + walk.turned_down
    parted = _part_namesakes(sections)
    if found.sure:
        # The same again, and handed out already.
        sections[: len(found.sections)] = found.sections
    return replace(found, sections=sections, ordered=ordered, liars=walk.liars, parted=parted, sure=True)


def first_look(file: BinaryIO) -> Survey:
    """What the first headers tell; `sure` says whether that is enough until something speaks against it.

    It is where one chat begins in good order and enough of its headers are seen. Nearly every file is
    like that to its end, and saves the survey.
    """
    found = _first(file)
    blocks_of_rows = rows(blocks(file, found.encoding), found.eol, found.pattern())
    block = next((block for block in blocks_of_rows if len(block) > 1), None)
    if block is None:
        return found
    sections = [Section()]
    times = Walk(ordered=True).times(block, 0)
    _look_at(sections, block, times)
    heads = block[WHEN::WIDTH].count(None)
    in_order = times.count(NEVER) == heads
    one_chat = heads == 0 or (heads == 1 and block[WHEN] is None)
    return replace(found, sections=sections, sure=in_order and one_chat and not sections[-1].undecided)


def _first(file: BinaryIO) -> Survey:
    encoding = encoding_of(file)
    eol = _line_end(file, encoding)
    return Survey(encoding, eol, _clock(file, encoding, eol))


def _look_at(sections: list[Section], block: Rows, times: list[int]) -> None:
    """Let the sections know their headers; a section head begins a new one."""
    for (when, who, group, name), time in zip(columns(block, WHEN, WHO, GROUP, NAME), times, strict=True):
        if when is None:
            sections.append(Section(group.strip(), name.strip()))
        elif time != NEVER and sections[-1].undecided:
            sections[-1].look_at(time, who)


class Walk:
    """Which candidates count, going through them in order."""

    def __init__(self, *, ordered: bool, liars: set[int] | None = None) -> None:
        self._ordered = ordered
        self.liars: set[int] = set() if liars is None else liars
        self._learning = liars is None
        self.turned_down = 0
        self.restart()

    def restart(self) -> None:
        """A new section has its own order."""
        self._last = self._before = -(1 << 62)
        self._number = -1
        self._streak = 0

    def times(self, block: Rows, number: int) -> list[int]:
        """When the candidates of a block were sent, the first of which has this number; NEVER where one doesn't count."""
        times = wall_times(block)
        if not self.all_count(times, block, number):
            self.weed(times, block, number)
        return times

    def weed(self, times: list[int], block: Rows, number: int) -> None:
        """Take away the times of candidates that don't count."""
        for place, when in enumerate(block[WHEN::WIDTH]):
            if when is None:
                self.restart()
            elif times[place] != NEVER and not self.accepts(times[place], number + place):
                times[place] = NEVER

    def all_count(self, times: list[int], block: Rows, number: int) -> bool:
        """Whether nothing speaks against any of them: true of nearly every block, and quickly seen."""
        end = number + len(times)
        if times[0] < max(self._last, NEVER + 1) or any(number <= liar < end for liar in self.liars):
            return False
        if times != sorted(times) or None in block[WHEN::WIDTH]:
            return False
        self._before = times[-2] if len(times) > 1 else self._last
        self._last, self._number, self._streak = times[-1], end - 1, 0
        return True

    def accepts(self, time: int, number: int) -> bool:
        """Whether the candidate with this number is a header and no quoted line."""
        if number in self.liars:
            return False
        if time >= self._last or not self._ordered:
            self._before, self._last, self._number, self._streak = self._last, time, number, 0
            return True
        self.turned_down += 1
        if self._learning:
            self._doubt(time)
        return False

    def _doubt(self, time: int) -> None:
        self._streak = self._streak + 1 if time >= self._before else 0
        if self._streak == _STREAK:
            self.liars.add(self._number)
            self._last, self._streak = time, 0


def _line_end(file: BinaryIO, encoding: str) -> str:
    # In all encodings but UTF-16 the bytes of a line end are nothing else.
    crlf = lf = cr = 0
    for text in blocks(file, encoding if encoding == "utf-16" else "latin-1"):
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
    headers = marked = 0
    for block in rows(first, eol, structure(eol, "both")):
        if len(block) > 1:
            headers += len(block) // WIDTH - block[WHEN::WIDTH].count(None)
            marked += sum(1 for when, late in columns(block, WHEN, LATE) if late or (when and when.count(" ") > 1))
    if marked * 10 <= headers:
        return "24h"
    return "12h" if marked * 10 >= headers * 9 else "both"


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
