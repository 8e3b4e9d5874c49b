"""The lines that give a QQ text export its structure: message headers and section heads.

    2023-01-01 8:00:11 小鹿(20002)            a header; it counts only after a blank line

    ================================         a section head; it counts only whole
    消息分组:我的好友                            and after a blank line
    ================================
    消息对象:小鹿
    ================================

Knows what such lines look like and finds the candidates; which of them are quoted inside a
message is decided in qq_txt_survey.py.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import Any, Literal

TITLE = "消息记录（此消息记录为文本格式，不支持重新导入）"

Clock = Literal["24h", "12h", "both"]
"""Whether a header must not, must or may have a mark such as AM or 下午."""

LONGEST = 4 << 20
"""Characters without any structure that are looked through at once."""

_REACH = 2048
"""No structure is longer than this."""

WIDTH = 7
"""Texts in a row of `rows`."""
BEFORE, WHEN, REST, LATE, WHO, GROUP, NAME = range(WIDTH)

NEVER = -(1 << 62)
"""The time of what has none."""

Rows = list[Any]
"""Rows one after the other in one flat list; what a pattern's branch doesn't have is None there."""

_MARKS = "(?:AM|PM|am|pm|上午|下午|凌晨|清晨|早上|中午|傍晚|晚上)"
_RULE = "={16,80}"

_WHO = re.compile(
    r"(?:【[^】]*】)?(?P<name>.*)"
    r"(?:\((?P<number>[0-9]{5,12})\)|<(?P<mail>[^<>\s]+@[^<>\s]+|\+?[0-9][0-9 -]{4,18}[0-9])>)",
    re.DOTALL,
)

_MINUTES = {f"{m:02}:{s:02}": m * 60 + s for m in range(60) for s in range(60)}
_HOURS = {text: hour for hour in range(24) for text in (str(hour), f"{hour:02}")}


def structure(eol: str, clock: Clock) -> re.Pattern[str]:
    """Matches a blank line and the header or section head after it.

    Groups: date, mark and hour; minutes and seconds; mark; who; or 消息分组; 消息对象.
    """
    may = (f"(?:{_MARKS} )?", f"(?: ({_MARKS}))?")
    must = (f"(?:{_MARKS} |(?=[0-9:]+ {_MARKS} ))", may[1])
    before, after = {"24h": ("", "()"), "12h": must, "both": may}[clock]
    rule = re.escape(eol)
    line = r"[^\r\n]"
    return re.compile(
        rf"{rule}{rule}(?:([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {before}[0-9]{{1,2}}):([0-9]{{2}}:[0-9]{{2}}){after}"
        rf" ({line}{{0,400}})"
        rf"|{_RULE}{rule}消息分组:({line}{{0,200}}){rule}{_RULE}{rule}消息对象:({line}{{0,200}}){rule}{_RULE})(?={rule})"
    )


def rows(texts: Iterable[str], eol: str, pattern: re.Pattern[str]) -> Iterator[Rows]:
    """Every structure that may count, as a row: the text before it, then the groups of `structure`.

    The rows of a block come together: splitting it whole costs half of a match object for each. A list
    of one text holds no structure: the text after the last one, or a part of a very long text without any.
    """
    held, buffer = "", eol + eol
    for text in _ended(texts, eol):
        found: Rows = pattern.split(buffer + (text.replace("\r\n", "\n") if eol == "\n" else text))
        found[0] = held + found[0]
        tail = found.pop()
        if found:
            yield found
        looked_through = max(0, len(tail) - _REACH)
        held, buffer = tail[:looked_through], tail[looked_through:]
        if len(held) > LONGEST:
            yield [held]
            held = ""
    yield [held + buffer]


def columns(found: Rows, *which: int) -> Iterator[tuple[Any, ...]]:
    """Some texts of every row."""
    return zip(*(found[column::WIDTH] for column in which), strict=True)


def as_written(found: Rows, place: int, eol: str) -> str:
    """The header of a row with the line ends before it."""
    _, when, rest, late, who, _, _ = found[place * WIDTH : (place + 1) * WIDTH]
    return f"{eol}{eol}{when}:{rest}{' ' + late if late else ''} {who}"


def _ended(texts: Iterable[str], eol: str) -> Iterator[str]:
    """The texts, with the last line ended: a structure is only seen once its line is."""
    last = ""
    for text in texts:
        if text:
            yield text
            last = (last + text[-2:])[-2:]
    if not last.endswith(eol):
        yield eol


def wall_times(found: Rows) -> list[int]:
    """`wall_time` of every row; NEVER for a section head, and for a day or time there never was."""
    hours: list[Any] = found[WHEN::WIDTH]
    lates: list[Any] = found[LATE::WIDTH]
    if any(lates):
        hours = list(zip(hours, lates, strict=True))
        starts = {hour: _hour(*hour) for hour in set(hours)}
    else:
        starts = {hour: _hour(hour, None) for hour in set(hours)}
    # A block has few different hours, so a message costs two look-ups.
    minutes = _MINUTES.get
    times = [starts[hour] + minutes(rest, NEVER) for hour, rest in zip(hours, found[REST::WIDTH], strict=True)]
    return times if min(times) >= 0 else [time if time > NEVER // 2 else NEVER for time in times]


def _hour(when: str | None, late: str | None) -> int:
    """The wall clock at `2023-01-01 下午 8`."""
    if when is None:
        return NEVER
    mark, _, hour = when[11:].rpartition(" ")
    time = wall_time(when[:10], hour, "00:00", mark or late)
    return NEVER if time is None else time


def wall_time(day: str, hour: str, minutes: str, mark: str | None) -> int | None:
    """Seconds since 1970-01-01 00:00 on the wall clock; None for a day or time there never was."""
    start = _day(day)
    h = _HOURS.get(hour)
    rest = _MINUTES.get(minutes)
    if start is None or h is None or rest is None:
        return None
    if mark:
        h = _on_24h(h, mark)
    return start + h * 3600 + rest


@lru_cache(maxsize=4096)
def _day(text: str) -> int | None:
    try:
        return (date(int(text[:4]), int(text[5:7]), int(text[8:])) - date(1970, 1, 1)).days * 86400
    except ValueError:
        return None


def _on_24h(hour: int, mark: str) -> int:
    mark = mark.upper()
    if mark in ("AM", "凌晨", "上午", "清晨", "早上"):
        return 0 if hour == 12 else hour
    if mark == "中午":
        return hour + 12 if hour < 11 else hour
    return hour + 12 if hour < 12 else hour


def split_who(who: str) -> tuple[str, str] | None:
    """The id and name of `【title】name(20002)` or `name<mail>`; None where there is no id."""
    match = _WHO.fullmatch(who)
    return (match["number"] or match["mail"], match["name"].strip()) if match else None
