"""The lines of a WhatsApp text export that begin a message, in many languages.

    [1/1/23, 8:00:11 AM] Xiaolu: hi            iOS, with seconds
    2023/1/1 08:00 - 小鹿: 在吗                  Android, to the minute
    2023/1/1 下午8:00 - 小鹿: 在吗

Knows what such a line looks like; which number is the month, and which lines were quoted, is decided
in whatsapp_survey.py.
"""

import re
from typing import Literal, NamedTuple

from training.importers.values import wall_seconds

Order = Literal["ymd", "dmy", "mdy"]
Style = tuple[bool, bool, bool]
"""Brackets, seconds, a 12-hour clock: one file is written in one style."""

INVISIBLE = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\ufeff"
"""Marks of writing direction that WhatsApp strews in."""

BY_WHATSAPP = "\u200e"
"""Begins what an iPhone's WhatsApp itself put where somebody's words would stand."""

_AM = "am|a\\.[ \u00a0\u202f]?m\\.|上午|凌晨|清晨|早上|午前|오전|ص|π\\.μ\\.|vorm\\."
_PM = "pm|p\\.[ \u00a0\u202f]?m\\.|下午|中午|傍晚|晚上|午後|오후|م|μ\\.μ\\.|nachm\\."
_MARK = f"(?:{_AM}|{_PM})"
_SPACE = "[ \u00a0\u202f]"

_HEADER = re.compile(
    rf"[{INVISIBLE}]{{0,8}}(?P<open>\[)?[{INVISIBLE}]{{0,8}}"
    rf"(?P<a>\d{{1,4}})(?:[/-]|(?P<dot>\.)|\.{_SPACE}|[年년]{_SPACE}?)(?P<b>\d{{1,2}})(?:[./-]|\.{_SPACE}|[月월]{_SPACE}?)(?P<c>\d{{1,4}})"
    rf"[.日일]?[,，،]?(?:{_SPACE}(?:à|um|at|kl\.|alle|às){_SPACE}|{_SPACE}*)"
    rf"(?:(?P<before>{_MARK}){_SPACE}?)?(?P<h>\d{{1,2}})[:.](?P<m>\d{{2}})(?:[:.](?P<s>\d{{2}}))?"
    rf"(?:{_SPACE}?(?P<after>{_MARK}))?"
    rf"(?(open)\]{_SPACE}?|{_SPACE}[-\u2013]{_SPACE})(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_PM_MARK = re.compile(_PM, re.IGNORECASE)
_SPEAKER = re.compile(
    rf"[{INVISIBLE}]{{0,8}}(?P<name>[^\n:]{{1,80}}?)[{INVISIBLE}]{{0,8}}:(?: |$)(?P<text>.*)", re.DOTALL
)


class Header(NamedTuple):
    """A line that looks like the beginning of a message."""

    numbers: tuple[str, str, str]
    seconds: int
    """Since midnight."""
    style: Style
    dotted: bool
    """Whether dots stand in the date."""
    rest: str

    @property
    def has_seconds(self) -> bool:
        return self.style[1]


def header(line: str) -> Header | None:
    """What a line says if it looks like the beginning of a message."""
    match = _HEADER.match(line)
    if match is None:
        return None
    hour, minute, second = int(match["h"]), int(match["m"]), int(match["s"] or 0)
    mark = match["before"] or match["after"]
    if mark:
        hour = _on_24h(hour, mark)
    if hour > 23 or minute > 59 or second > 59:
        return None
    style = (match["open"] is not None, match["s"] is not None, mark is not None)
    return Header(
        (match["a"], match["b"], match["c"]),
        hour * 3600 + minute * 60 + second,
        style,
        match["dot"] is not None,
        match["rest"],
    )


def wall_time(found: Header, order: Order) -> int | None:
    """Seconds since 1970 on the wall clock; None for a day there never was in this order."""
    a, b, c = found.numbers
    year, month, day = {"ymd": (a, b, c), "dmy": (c, b, a), "mdy": (c, a, b)}[order]
    if len(year) not in (2, 4) or len(month) > 2 or len(day) > 2:
        return None
    midnight = wall_seconds(year if len(year) == 4 else f"20{year}", month, day)
    return None if midnight is None else midnight + found.seconds


def speaker(rest: str) -> tuple[str, str] | None:
    """Name and text; None for a line of the system, which has no name."""
    match = _SPEAKER.match(rest)
    return (match["name"].strip(), match["text"]) if match else None


def _on_24h(hour: int, mark: str) -> int:
    if mark == "中午":
        return hour + 12 if hour < 11 else hour
    if _PM_MARK.fullmatch(mark):
        return hour + 12 if hour < 12 else hour
    return 0 if hour == 12 else hour
