"""WhatsApp's text export of one chat, from Android and iOS, in many languages.

    2023/1/1 08:00 - 小鹿: 在吗                  a message; lines that don't begin like one continue it
    2023/1/1 08:01 - 小鹿加入了群组               without a name: a line of the system

Names only, no ids; Android's times are exact to the minute, and the file's order counts.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath

from bot.persona.message import Kind, Message, Segment
from config.errors import InputError
from training.importers.lines import LONGEST
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, decode_head
from training.importers.whatsapp_content import content_of, words
from training.importers.whatsapp_lines import INVISIBLE, header, speaker
from training.importers.whatsapp_survey import Survey, in_style, survey

SYSTEM = "WhatsApp"

_CHAT_IN_NAME = (
    re.compile(r"WhatsApp Chat (?:with|-) (.+)", re.IGNORECASE),
    re.compile(r"[与與]\s?(.+?)\s?的\s?WhatsApp\s?(?:聊天|对话|對話).*"),
    re.compile(r"WhatsApp\s?(?:聊天|对话|對話)(?:记录|紀錄)?\s?[-–]\s?(.+)"),
)


def sniff(source: Source) -> float:
    """Sure when the file begins with such a line, and others follow or it has a name."""
    text = decode_head(source.head).lstrip(INVISIBLE + " \r\n")
    found = [match for line in text.split("\n")[:400] if (match := header(line.removesuffix("\r")))]
    if not found:
        return 0.0
    named = sum(1 for match in found if speaker(match.rest))
    if not named:
        return 0.3
    return 0.92 if header(text.partition("\n")[0].removesuffix("\r")) else 0.55


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order."""
    shape = survey(source.file)
    if shape is None:
        raise InputError(f"{source.name}: no WhatsApp message in it", hint="export the chat again, without media")
    if shape.ambiguous:
        notes.warnings.append(f"{source.name}: day and month could be either way round; read as {shape.order}")
    notes.assumed_zone = True
    make = _Chat(source, shape, zone, notes)
    for line, time, who, body in _entries(source, shape, notes):
        yield make.message(line, time, who, body)


_Entry = tuple[int, int, str, str]
"""Line, time on the wall clock, speaker ("" for the system) and body."""


def _entries(source: Source, shape: Survey, notes: Notes) -> Iterator[_Entry]:
    """Every message with the lines that continue it."""
    walk = shape.timeline()
    held: tuple[int, int, str] | None = None
    parts: list[str] = []
    length = 0
    for number, text, cut, found, time in in_style(source.file, shape):
        if found is not None and time is not None and walk.accepts(time, number):
            if held:
                yield *held, "\n".join(parts)
            who = speaker(found.rest)
            held, parts = (number, time, who[0] if who else ""), [who[1] if who else found.rest]
            length = len(found.rest)
        elif held is None:
            if text.strip(INVISIBLE + " \r"):
                notes.drop("outside_messages", source, number, text)
        else:
            if length <= LONGEST < length + len(text) + 1:
                notes.damage("cut_off", source, held[0])
            length += len(text) + 1
            if length <= LONGEST:
                parts.append(text)
        if cut and held:
            notes.damage("cut_off", source, held[0])
    if held:
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        yield *held, "\n".join(parts)


class _Chat:
    """Builds the messages of the chat."""

    def __init__(self, source: Source, shape: Survey, zone: Zone, notes: Notes) -> None:
        self._source, self._zone, self._notes = source, zone, notes
        stem = PurePath(source.name).stem
        found = next((match for pattern in _CHAT_IN_NAME if (match := pattern.fullmatch(stem))), None)
        self._name = found[1].strip() if found else (stem != "_chat" and stem) or shape.subject or stem
        self._kind: Kind = "group" if len(shape.names) > 2 else "private"
        self._key = f"whatsapp:{self._kind}:{self._name}"
        self._precision = "s" if shape.style[1] else "min"
        self._identify = fingerprint(self._key)

    def message(self, line: int, wall: int, who: str, body: str) -> Message:
        """One message; a body with a mark of damage is counted."""
        segments, flags = content_of(body) if who else (words(body), ("system",))
        if DAMAGED in body or DAMAGED in who:
            self._notes.damage("undecodable_bytes", self._source, line, body)
        time = self._zone.utc(wall)
        sender = who or SYSTEM
        return Message(
            self._identify(time, sender, body),
            self._key,
            self._kind,
            time,
            sender,
            sender,
            segments or ([Segment("text", "")] if not flags else []),
            precision=self._precision,  # pyright: ignore[reportArgumentType]
            flags=flags,
            source=f"{self._source.name}:{line}",
            chat_name=self._name,
        )
