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
from typing import Literal

TITLE = "消息记录（此消息记录为文本格式，不支持重新导入）"

Clock = Literal["24h", "12h", "both"]
"""Whether a header must not, must or may have a mark such as AM or 下午."""

LONGEST = 4 << 20
"""Characters without any structure that are looked through at once."""

_REACH = 2048
"""No structure is longer than this."""

_MARKS = "(?:AM|PM|am|pm|上午|下午|凌晨|清晨|早上|中午|傍晚|晚上)"
_MARK = f"({_MARKS})"
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

    Groups: date, mark, hour, minutes and seconds, mark, who; or 消息分组, 消息对象.
    """
    may = (f"(?:{_MARK} )?", f"(?: {_MARK})?")
    must = (f"(?:{_MARK} |(?=[0-9:]+ {_MARKS} ))", may[1])
    before, after = {"24h": ("()", "()"), "12h": must, "both": may}[clock]
    rule = re.escape(eol)
    line = r"[^\r\n]"
    return re.compile(
        rf"{rule}{rule}(?:([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}) {before}([0-9]{{1,2}}):([0-9]{{2}}:[0-9]{{2}}){after}"
        rf" ({line}{{0,400}})"
        rf"|{_RULE}{rule}消息分组:({line}{{0,200}}){rule}{_RULE}{rule}消息对象:({line}{{0,200}}){rule}{_RULE})(?={rule})"
    )


def candidates(texts: Iterable[str], eol: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Every structure that may count, each with the text before it; the text after the last one with None.

    A very long text without structure comes in several pieces with None.
    """
    buffer = eol + eol
    for text in _ended(texts, eol):
        look_from = max(0, len(buffer) - _REACH)
        buffer += text.replace("\r\n", "\n") if eol == "\n" else text
        done = 0
        for match in pattern.finditer(buffer, look_from):
            yield buffer[done : match.start()], match
            done = match.end()
        buffer = buffer[done:]
        if len(buffer) > LONGEST:
            yield buffer[:-_REACH], None
            buffer = buffer[-_REACH:]
    yield buffer, None


def _ended(texts: Iterable[str], eol: str) -> Iterator[str]:
    """The texts, with the last line ended: a structure is only seen once its line is."""
    last = ""
    for text in texts:
        if text:
            yield text
            last = (last + text)[-2:]
    if not last.endswith(eol):
        yield eol


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
