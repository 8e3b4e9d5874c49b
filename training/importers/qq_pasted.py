"""Text copied out of a QQ window or the message manager, and QQNT_Export's text.

    【管理员】阿泽 2023/1/1 8:00:11        小鹿 1/1/2023 8:00:11 AM        小鹿(20002) 下午 8:00:11
    — —  2023-1-1  — —                    2023-01-01 08:00:00 收

Read leniently and claimed last: nothing but the look of a line tells a header from what was said.
A time without a day belongs to the last day named, or to the next one where the clock went back; with
none named, to the day that the user told, else to the one on which the file was saved, which is counted.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import PurePath

from bot.persona.message import Kind, Message, Precision
from training.importers.lines import Line, lines
from training.importers.qq_marks import Speaker, segments_of, speaker_of
from training.importers.qq_txt_lines import split_who, wall_time
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, blocks, decode_head, encoding_of

ME, OTHER = "我", "对方"
"""Names of both sides where an export has none."""

_LONGEST = 200
"""Characters of a line that may be a header."""
_DAY = r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}|[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}"
_MARK = "上午|下午|凌晨|清晨|早上|中午|傍晚|晚上"
_HEADER = re.compile(
    rf"(?P<who>\S.{{0,120}}?) {{1,2}}(?:(?P<day>{_DAY}) )?(?:(?P<mark>{_MARK}) ?)?"
    r"(?P<hour>[0-9]{1,2}):(?P<rest>[0-9]{2}:[0-9]{2})(?: (?P<late>AM|PM))? ?"
)
_SENT = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2}) (?P<hour>[0-9]{2}):(?P<rest>[0-9]{2}:[0-9]{2}) (?P<way>[收发])"
)
_DAY_LINE = re.compile(rf"(?: |— — {{1,4}})({_DAY})(?: {{1,4}}— —)? ?")
_NOTICE = re.compile(
    r"(?:[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?: [AP]M)?)?.{0,60}撤回了一条消息(?: ?重新编辑)?|.{0,80}个共同好友，点击添加好友。"
    r"|你已经是群成员了，和大家打个招呼吧！|.{1,60}将群名称修改为“.{1,60}”"
    r"|管理员已(?:开启|关闭)全员禁言|.{1,60}获得群主授予的“.{1,30}”头衔|.{1,60}(?:加入|退出)了?(?:本群|群聊)。?"
)
_TITLE = re.compile(r"【[^】]{1,20}】(?=.)")
_BACK = 6 * 3600
"""Seconds by which the clock must go back for a new day."""


@dataclass(slots=True)
class _Entry:
    line: int
    who: str
    wall: int
    dated: bool
    body: list[str] = field(default_factory=list)


def sniff(source: Source) -> float:
    """A little sure where headers stand from the first line on; surer with QQNT_Export's."""
    found = [line for line in decode_head(source.head).removeprefix("\ufeff").splitlines() if line.strip()]
    if not found or len(found[0]) > _LONGEST:
        return 0.0
    if _SENT.fullmatch(found[0]):
        return 0.9
    first = _header(found[0]) is not None or _DAY_LINE.fullmatch(found[0]) is not None
    return 0.55 if first and any(_header(line) for line in found) else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order."""
    entries = list(_entries(source, notes))
    people = Counter(entry.who for entry in entries)
    is_group = len(people) > 2 or any(split_who(who) for who in people)
    kind: Kind = "group" if is_group else "private"
    stem = PurePath(source.name).stem
    chat = f"qq:{kind}:{stem}"
    identify = fingerprint(chat)
    for entry in entries:
        while entry.body and not entry.body[-1]:
            entry.body.pop()
        text = "\n".join(entry.body)
        if DAMAGED in text or DAMAGED in entry.who:
            notes.damage("undecodable_bytes", source, entry.line, text)
        precision: Precision = "s"
        if not entry.dated:
            notes.damage("no_date", source, entry.line)
            precision = "day"
        if entry.who == ME:
            notes.owners.add(ME)
        notes.assumed_zone = True
        time = zone.utc(entry.wall)
        sender, name, flags = _speaker(entry.who)
        yield Message(
            identify(time, sender, text),
            chat,
            kind,
            time,
            sender,
            name,
            segments_of(text),
            precision=precision,
            flags=flags,
            source=f"{source.name}:{entry.line}",
            chat_name=stem,
        )


def _entries(source: Source, notes: Notes) -> Iterator[_Entry]:
    """Headers with what was said below them."""
    entry: _Entry | None = None
    day, dated, last = source.day or _saved_on(source), bool(source.day), -1
    for line in lines(blocks(source.file, encoding_of(source.file))):
        text = line.text.removeprefix("\ufeff").rstrip("\r")
        if line.cut:
            notes.drop("too_long", source, line.number, text)
            continue
        match = _header(text)
        if match is None:
            if named := _DAY_LINE.fullmatch(text[: _LONGEST + 1]):
                day, dated, last = _iso(named[1]), True, -1
            elif len(text) <= _LONGEST and _NOTICE.fullmatch(text):
                notes.drop("notice", source, line.number, text)
            elif entry is not None:
                entry.body.append(text)
            elif text.strip():
                notes.drop("outside_messages", source, line.number, text)
            continue
        found = match.groupdict()
        if found.get("day"):
            day, dated, last = _iso(found["day"]), True, -1
        wall = wall_time(day, found["hour"], found["rest"], found.get("mark") or found.get("late"))
        if wall is None:
            notes.drop("bad_time", source, line.number, text)
            continue
        if wall < last - _BACK:
            wall += 86400
            day = _date_of(wall)
        last = wall
        if entry is not None:
            yield entry
        entry = _entry(line, found, wall, dated=dated)
    if entry is not None:
        yield entry


def _entry(line: Line, found: dict[str, str | None], wall: int, *, dated: bool) -> _Entry:
    way = found.get("way")
    who = {"发": ME, "收": OTHER}[way] if way else str(found["who"])
    return _Entry(line.number, who, wall, dated)


def _header(line: str) -> re.Match[str] | None:
    if len(line) > _LONGEST:
        return None
    if sent := _SENT.fullmatch(line):
        return sent
    match = _HEADER.fullmatch(line)
    # A day alone is no name: then it is a line of the classic export.
    return match if match and not re.fullmatch(_DAY, match["who"]) else None


def _speaker(who: str) -> Speaker:
    if split_who(who):
        return speaker_of(who, is_group=True)
    name = _TITLE.sub("", who, count=1).strip() if who.startswith("【") else who.strip()
    return name, name, ()


def _iso(day: str) -> str:
    """`2020/2/14` or the American `2/14/2020` as 2020-02-14."""
    parts = re.split("[-/]", day)
    year, month, date = parts if len(parts[0]) == 4 else (parts[2], parts[0], parts[1])
    return f"{year}-{int(month):02}-{int(date):02}"


def _date_of(wall: int) -> str:
    return f"{datetime.fromtimestamp(wall, timezone.utc):%Y-%m-%d}"


def _saved_on(source: Source) -> str:
    try:
        return _date_of(int(source.path.stat().st_mtime))
    except OSError:
        return _date_of(0)
