"""Values as foreign programs write them: of any type, and times in many spellings.

Knows how a single value reads; doesn't know any format.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, cast

from bot.persona.message import Precision, Segment
from training.importers.source import Zone

LATEST = 1 << 36
"""Seconds since 1970 beyond which a number is no time."""

_DATE_TIME = re.compile(
    r"\s*(?P<y>\d{4})(?:[-/.](?P<mo>\d{1,2})[-/.](?P<d>\d{1,2})|年\s?(?P<mo2>\d{1,2})月\s?(?P<d2>\d{1,2})日)"
    r"[T ]?\s*(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?\s*",
    re.ASCII,
)


class Moment(NamedTuple):
    """A time as it was written."""

    time: int
    precision: Precision
    had_zone: bool


def as_dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """A string or number as text; anything else as none."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def moment(value: Any, zone: Zone) -> Moment | None:
    """Seconds or milliseconds since 1970, an ISO time, or date and time on a wall clock; None if it is none of them."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{5,15}(\.0*)?\s*", value, re.ASCII):
        value = int(value.strip().partition(".")[0])
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A comparison that is false for nan too.
        if not 0 < value < LATEST * 1000:
            return None
        return Moment(int(value // 1000 if value > 1e11 else value), "s", True)
    match = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    wall = wall_seconds(match["y"], match["mo"] or match["mo2"], match["d"] or match["d2"])
    hour, minute, second = int(match["h"]), int(match["mi"]), int(match["s"] or 0)
    if wall is None or hour > 23 or minute > 59 or second > 60:
        return None
    wall += hour * 3600 + minute * 60 + second
    offset = match["zone"]
    time = zone.utc(wall) if offset is None else wall - _offset(offset)
    return Moment(time, "s" if match["s"] else "min", offset is not None)


@lru_cache(maxsize=4096)
def wall_seconds(year: str, month: str, day: str) -> int | None:
    """The first second of a day, counted from 1970; None for a day there never was."""
    try:
        return (date(int(year), int(month), int(day)) - date(1970, 1, 1)).days * 86400
    except ValueError:
        return None


def text_with_mentions(text: str, mentions: re.Pattern[str], ids: dict[str, str]) -> list[Segment]:
    """A text in which every match (group 1: the name) became an at.

    One that isn't followed by a space stays text: an at is shown with a space after it.
    """
    segments: list[Segment] = []
    done = 0
    for match in mentions.finditer(text):
        rest = text[match.end() : match.end() + 1]
        if rest and not rest.isspace():
            continue
        if match.start() > done:
            segments.append(Segment("text", text[done : match.start()]))
        segments.append(Segment("at", id=ids.get(match[1], ""), name=match[1]))
        done = match.end() + (rest in (" ", "\u2005"))
    if done < len(text):
        segments.append(Segment("text", text[done:]))
    return segments


MEDIA_ENDINGS = {
    "image": ("jpg", "jpeg", "png", "gif", "webp", "heic", "bmp", "avif"),
    "video": ("mp4", "mov", "webm", "mkv", "3gp", "avi"),
    "voice": ("ogg", "opus", "m4a", "mp3", "wav", "amr", "aac", "flac"),
}
_KIND_BY_ENDING = {ending: kind for kind, endings in MEDIA_ENDINGS.items() for ending in endings}


def file_segment(name: str) -> Segment:
    """What a file is, by the ending of its name."""
    kind = _KIND_BY_ENDING.get(name.rpartition(".")[2].lower(), "file")
    return Segment(kind, name if kind == "file" else "")


def _offset(text: str) -> int:
    if text == "Z":
        return 0
    seconds = int(text[1:3]) * 3600 + int(text[-2:]) * 60
    return -seconds if text[0] == "-" else seconds
