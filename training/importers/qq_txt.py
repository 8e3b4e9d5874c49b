"""QQ's classic text export (PC QQ before 9.9, TIM): a group, a friend, or a whole account in one file.

    消息记录（此消息记录为文本格式，不支持重新导入）

    ================================================================
    消息分组:我的好友
    ================================================================
    消息对象:小鹿
    ================================================================

    2023-01-01 8:00:11 小鹿
    在吗

qq_txt_survey.py decides what to believe, then the messages stream by, a block at a time.
A friend's export has names and no ids: there the sender is the name.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, starmap
from pathlib import PurePath
from typing import cast

from bot.persona.message import Kind, Message, Segment
from training.importers.qq_marks import Speaker, segments_of, speaker_of
from training.importers.qq_txt_lines import (
    BEFORE,
    NEVER,
    TITLE,
    WHEN,
    WHO,
    WIDTH,
    Rows,
    as_written,
    columns,
    rows,
    split_who,
    structure,
    wall_times,
)
from training.importers.qq_txt_survey import Section, Survey, Walk, first_look, survey
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, blocks, decode_head

LONGEST_BODY = 1 << 20
"""Characters of one message; what is beyond is cut off and accounted for."""

_Make = Callable[[int, str, str, int], Message]
_Entry = tuple[int | None, str, str, int]
"""Time, speaker, body and line of a message; text that belongs to none has no time."""
_Batch = tuple[Section, list[_Entry]]


class _Doubt(Exception):
    """Something speaks against what the first look believed."""


def sniff(source: Source) -> float:
    """Sure with a title or section head, fairly sure with headers after blank lines."""
    text = decode_head(source.head).removeprefix("\ufeff")
    eol = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n" if "\n" in text else "\r"
    found = next(rows([text], eol, structure(eol, "both")))
    if len(found) == 1:
        return 0.98 if text.startswith(TITLE[:4]) else 0.0
    if text.startswith(TITLE[:4]) or None in found[WHEN::WIDTH]:
        return 0.98
    headers = [who for who, time in zip(found[WHO::WIDTH], wall_times(found), strict=True) if time != NEVER]
    if any(split_who(who) for who in headers):
        return 0.9
    return 0.6 if headers else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages of all sections, in the file's order."""
    current: Section | None = None
    make: _Make | None = None
    for section, entries in _entries(source, notes):
        if make is None or section is not current:
            current, make = section, _maker(section, source, notes, zone)
        if entries and entries[0][0] is None:
            _, _, body, line = entries.pop(0)
            _account(body, notes, source, line)
        notes.assumed_zone = notes.assumed_zone or bool(entries)
        yield from starmap(make, cast("list[tuple[int, str, str, int]]", entries))


def _entries(source: Source, notes: Notes) -> Iterator[_Batch]:
    """All messages; where there is doubt, only after a survey of the whole file, from where it arose."""
    told = 0
    shape = first_look(source.file)
    if shape.sure:
        try:
            for section, entries in _batches(source, shape, believing=True):
                told += len(entries)
                yield section, entries
        except _Doubt:
            pass
        else:
            return
    shape = survey(source.file, shape)
    notes.warnings += [f"{source.name}: two chats are called {name}; they are kept apart" for name in shape.parted]
    for section, entries in _batches(source, shape, believing=False):
        if told < len(entries):
            yield section, entries[told:]
        told = max(0, told - len(entries))


def _batches(source: Source, shape: Survey, *, believing: bool) -> Iterator[_Batch]:
    """What was said in one section, a block at a time.

    The newest message of a block waits for the next one: whether the header after it counts may only be
    seen there. Raises _Doubt when `believing` a first look that doesn't fit.
    """
    eol = shape.eol
    walk = Walk(ordered=shape.ordered, liars=shape.liars)
    sections = iter(shape.sections)
    now = _Reading(eol, next(sections))
    number = 0
    for block in rows(blocks(source.file, shape.encoding), eol, shape.pattern()):
        if len(block) == 1:
            now.go_on(block[0], block[0])
            continue
        times = wall_times(block)
        if walk.all_count(times, block, number):
            now.take(block, times)
        elif believing and number:
            raise _Doubt
        else:
            walk.weed(times, block, number)
            yield from now.pick(block, times, sections)
        number += len(times)
        yield now.section, now.said[:-1]
        del now.said[:-1]
    now.end(_without_last_blank(now.held, eol), None, "")
    yield now.section, now.said


@dataclass(slots=True)
class _Reading:
    """Where the reading of an export stands: what is said in the section, and the message whose end isn't seen yet."""

    eol: str
    section: Section
    said: list[_Entry] = field(default_factory=list)
    time: int | None = None
    who: str = ""
    at: int = -1
    held: str = ""
    """What was seen of its body."""
    line: int = -1

    def take(self, block: Rows, times: list[int]) -> None:
        """A block of headers that all count."""
        befores, whos = block[BEFORE::WIDTH], block[WHO::WIDTH]
        end, step = self.eol[-1], len(self.eol)
        lines = [*accumulate([before.count(end) + 2 for before in befores], initial=self.line)]
        befores[0] = self.held + befores[0]
        bodies = [before[step:] for before in befores]
        lines[0] = self.at
        self.said += zip([self.time, *times], [self.who, *whos], bodies, lines, strict=False)
        self.held, self.time, self.who, self.at, self.line = "", times[-1], whos[-1], lines[-1], lines[-1]

    def pick(self, block: Rows, times: list[int], sections: Iterator[Section]) -> Iterator[_Batch]:
        """A block with headers that don't count, or with section heads; what is said in a section that ends."""
        for place, (before, who) in enumerate(columns(block, BEFORE, WHO)):
            self.line += before.count(self.eol[-1]) + 2
            if who is not None and times[place] == NEVER:
                self.go_on(before + as_written(block, place, self.eol))
                continue
            self.end(self.held + before, times[place], who or "")
            if who is None:
                yield self.section, self.said
                self.section, self.said, self.time = next(sections), [], None
                self.line += 4
            self.at = self.line

    def go_on(self, text: str, counted: str = "") -> None:
        """More of the newest message; enough is kept to see that it is too long."""
        self.line += counted.count(self.eol[-1])
        self.held = (self.held + text)[: LONGEST_BODY + len(self.eol) + 1]

    def end(self, body: str, time: int | None, who: str) -> None:
        """The newest message is whole, and another begins."""
        self.said.append((self.time, self.who, body[len(self.eol) :], self.at))
        self.held, self.time, self.who = "", time, who


def _without_last_blank(body: str, eol: str) -> str:
    """The last body of a file, without its line end and the blank line after it."""
    return body.removesuffix(eol).removesuffix(eol)


def _account(body: str, notes: Notes, source: Source, line: int) -> None:
    """Text that belongs to no message: the title and blank lines are structure."""
    for number, text in enumerate(re.split(r"\r\n|[\r\n]", body), line + 1):
        if text.strip() and not text.startswith(TITLE[:4]):
            notes.drop("outside_messages", source, number, text)


def _maker(section: Section, source: Source, notes: Notes, zone: Zone) -> _Make:
    """Builds the messages of one chat."""
    kind: Kind = "group" if section.is_group else "private"
    chat_name = section.name or PurePath(source.name).stem
    chat = f"qq:{kind}:{chat_name}" + (f"@{section.label}" if section.label else "")
    file, utc, shift, identify = source.name, zone.utc, zone.fixed, fingerprint(chat)
    speakers: dict[str, Speaker] = {}
    last_names: dict[str, str] = {}

    def make(wall: int, who: str, body: str, line: int) -> Message:
        speaker = speakers.get(who)
        if speaker is None:
            speaker = speakers[who] = speaker_of(who, is_group=section.is_group)
        sender, name, flags = speaker
        if name == sender:
            # A number instead of a name: QQ didn't know it that day.
            name = last_names.get(sender, name)
        elif name:
            last_names[sender] = name
        if DAMAGED in body or len(body) > LONGEST_BODY or DAMAGED in who:
            body = _damaged(body, who, notes, source, line)
        if "\r" in body:
            body = body.replace("\r\n", "\n").replace("\r", "\n")
        time = utc(wall) if shift is None else wall - shift
        segments = segments_of(body) if "[" in body or not body else [Segment("text", body)]
        return Message(
            # By place: a million keywords cost a third of a second.
            identify(time, sender, body),
            chat,
            kind,
            time,
            sender,
            name,
            segments,
            False,
            None,
            "s",
            flags,
            f"{file}:{line}",
            chat_name,
        )

    return make


def _damaged(body: str, who: str, notes: Notes, source: Source, line: int) -> str:
    """What is kept of a body that is too long or can't be read whole."""
    if len(body) > LONGEST_BODY:
        notes.damage("cut_off", source, line, body)
    if DAMAGED in body or DAMAGED in who:
        notes.damage("undecodable_bytes", source, line, body)
    return body[:LONGEST_BODY]
