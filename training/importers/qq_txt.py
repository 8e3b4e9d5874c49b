"""QQ's classic text export (PC QQ before 9.9, TIM): a group, a friend, or a whole account in one file.

    消息记录（此消息记录为文本格式，不支持重新导入）

    ================================================================
    消息分组:我的好友
    ================================================================
    消息对象:小鹿
    ================================================================

    2023-01-01 8:00:11 小鹿
    在吗

Read twice: qq_txt_survey.py decides what to believe, then the messages stream by.
A friend's export has names and no ids: there the sender is the name.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePath

from bot.persona.message import Kind, Message, Segment
from training.importers.qq_marks import Speaker, segments_of, speaker_of
from training.importers.qq_txt_lines import TITLE, candidates, split_who, structure, wall_time
from training.importers.qq_txt_survey import Section, Survey, Walk, survey
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, blocks, decode_head

LONGEST_BODY = 1 << 20
"""Characters of one message; what is beyond is cut off and accounted for."""

_Make = Callable[[int, str, str, int], Message]
_Entry = tuple[Section, int | None, str, str, int]


def sniff(source: Source) -> float:
    """Sure with a title or section head, fairly sure with headers after blank lines."""
    text = decode_head(source.head).removeprefix("\ufeff")
    eol = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n" if "\n" in text else "\r"
    found = [match for _, match in candidates([text], eol, structure(eol, "both")) if match]
    headers = [m for m in found if m[1] and wall_time(m[1], m[3], m[4], m[2] or m[5]) is not None]
    if text.startswith(TITLE[:4]) or any(match[1] is None for match in found):
        return 0.98
    if any(split_who(match[6]) for match in headers):
        return 0.9
    return 0.6 if headers else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages of all sections, in the file's order."""
    shape = survey(source.file)
    notes.warnings += [f"{source.name}: two chats are called {name}; they are kept apart" for name in shape.parted]
    current: Section | None = None
    make: _Make | None = None
    for section, time, who, body, line in _entries(source, shape):
        if time is None:
            _account(body, notes, source, line)
            continue
        if make is None or section is not current:
            current, make = section, _maker(section, source, zone)
            notes.assumed_zone = True
        if len(body) > LONGEST_BODY:
            notes.damage("cut_off", source, line, body)
        if DAMAGED in body or DAMAGED in who:
            notes.damage("undecodable_bytes", source, line, body)
        yield make(time, who, body[:LONGEST_BODY], line)


def _entries(source: Source, shape: Survey) -> Iterator[_Entry]:
    """Section, time, speaker, body and line of each message; text that belongs to none has no time."""
    eol = shape.eol
    step = len(eol)
    walk = Walk(ordered=shape.ordered, liars=shape.liars)
    sections = iter(shape.sections)
    section, time, who, at = next(sections), None, "", -1
    held, line = "", -1
    texts = blocks(source.file, shape.encoding)
    for number, (between, match) in enumerate(candidates(texts, eol, shape.pattern())):
        line += between.count(eol[-1])
        body = held + between if held else between
        if match is None:
            held = body[: LONGEST_BODY + step + 1]
            continue
        line += 2
        day, mark, hour, minutes, late_mark, name, _, _ = match.groups()
        stamp = wall_time(day, hour, minutes, mark or late_mark) if day else None
        if day and (stamp is None or not walk.accepts(stamp, number)):
            held = (body + match.group())[: LONGEST_BODY + step + 1]
            continue
        yield section, time, who, body[step:], at
        held = ""
        if day is None:
            section = next(sections)
            walk.restart()
            line += 4
        time, who, at = stamp, name or "", line
    yield section, time, who, _without_last_blank(held, eol)[step:], at


def _without_last_blank(body: str, eol: str) -> str:
    """The last body of a file, without its line end and the blank line after it."""
    return body.removesuffix(eol).removesuffix(eol)


def _account(body: str, notes: Notes, source: Source, line: int) -> None:
    """Text that belongs to no message: the title and blank lines are structure."""
    for number, text in enumerate(re.split(r"\r\n|[\r\n]", body), line + 1):
        if text.strip() and not text.startswith(TITLE[:4]):
            notes.drop("outside_messages", source, number, text)


def _maker(section: Section, source: Source, zone: Zone) -> _Make:
    """Builds the messages of one chat."""
    kind: Kind = "group" if section.is_group else "private"
    chat_name = section.name or PurePath(source.name).stem
    chat = f"qq:{kind}:{chat_name}" + (f"@{section.label}" if section.label else "")
    file, utc, identify = source.name, zone.utc, fingerprint(chat)
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
        if "\r" in body:
            body = body.replace("\r\n", "\n").replace("\r", "\n")
        time = utc(wall)
        segments = segments_of(body) if not body or "[" in body else [Segment("text", body)]
        return Message(
            identify(time, sender, body),
            chat,
            kind,
            time,
            sender,
            name,
            segments,
            flags=flags,
            source=f"{file}:{line}",
            chat_name=chat_name,
        )

    return make
