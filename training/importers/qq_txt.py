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
from training.importers.qq_txt_lines import TITLE, candidates, split_who, structure, wall_time
from training.importers.qq_txt_survey import SYSTEM, Section, Survey, Walk, survey
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, blocks, decode_head

ANONYMOUS = "80000000"

LONGEST_BODY = 1 << 20
"""Characters of one message; what is beyond is cut off and accounted for."""

_MEDIA = {
    "图片": "image",
    "闪照": "image",
    "表情": "face",
    "动画表情": "sticker",
    "语音": "voice",
    "视频": "video",
    "文件": "file",
    "聊天记录": "forward",
    "位置": "location",
    "红包": "redpacket",
    "语音通话": "call",
    "视频通话": "call",
    "戳一戳": "poke",
}
_MEDIUM = re.compile(r"\[(" + "|".join(_MEDIA) + r")\]")
_WHOLE = re.compile(r"\[(文件|QQ红包|QQ小程序)\]([^\n]+)")
_WHOLE_TYPES = {"文件": "file", "QQ红包": "redpacket", "QQ小程序": "card"}

_Speaker = tuple[str, str, tuple[str, ...]]
_Make = Callable[[int, str, str, int], Message]


def sniff(source: Source) -> float:
    """Sure with a section head, fairly sure with headers after blank lines."""
    text = decode_head(source.head)
    eol = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n" if "\n" in text else "\r"
    found = [match for _, match in candidates([text], eol, structure(eol, "both")) if match]
    headers = [m for m in found if m[1] and wall_time(m[1], m[3], m[4], m[2] or m[5]) is not None]
    if len(headers) < len(found) or text.lstrip(DAMAGED + "\ufeff").startswith(TITLE[:4]):
        return 0.98
    if any(split_who(match[6]) for match in headers):
        return 0.9
    return 0.6 if headers else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages of all sections, in the file's order."""
    shape = survey(source.file)
    notes.warnings += [f"{source.name}: two chats are called {name}; they are kept apart" for name in shape.parted]
    if any(section.heads for section in shape.sections):
        notes.assumed_zone = True
    walk = Walk(ordered=shape.ordered, liars=shape.liars)
    sections = iter(shape.sections)
    make = _maker(next(sections), source, zone)
    pending: tuple[int, str, int] | None = None
    held, line, step = "", -1, len(shape.eol)
    texts = blocks(source.file, shape.encoding)
    for number, (between, match) in enumerate(candidates(texts, shape.eol, shape.pattern())):
        line += between.count(shape.eol[-1])
        body = held + between if held else between
        if match is None:
            held = _capped(body, notes, source, line)
            continue
        day, mark, hour, minutes, mark_after, who, _, _ = match.groups()
        if day:
            time = wall_time(day, hour, minutes, mark or mark_after)
            if time is None or not walk.accepts(time, number):
                held = body + match.group()
                line += 2
                continue
        if pending is not None:
            yield _damage_noted(make(*pending[:2], body[step:], pending[2]), notes, source)
        else:
            _stray(body, notes, source, line)
        held = ""
        line += 2
        if day:
            pending = time, who, line
        else:
            make, pending = _maker(next(sections), source, zone), None
            walk.restart()
            line += 4
    held = _without_last_blank(held, shape.eol)
    if pending is not None:
        yield _damage_noted(make(*pending[:2], held[step:], pending[2]), notes, source)
    else:
        _stray(held, notes, source, line)
