"""The body of a message in QQ's database: Protocol Buffers, read without a schema.

Field 40800 repeats, one element each; 45002 says which kind. Unknown fields are passed over
(wire format: protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator
from typing import NamedTuple

from bot.persona.message import Segment
from bot.persona.onebot import segment

_TYPES = {2: "image", 4: "voice", 5: "video", 9: "redpacket", 11: "sticker", 21: "call", 26: "card"}
_TEXT, _FILE, _FACE, _QUOTE, _NOTICE, _APP = 1, 3, 6, 7, 8, 10


class Body(NamedTuple):
    """What a message holds, and whether nobody said it."""

    segments: list[Segment]
    notice: bool


def body_of(raw: bytes) -> Body | None:
    """The body; None where the bytes are no message of this kind."""
    segments: list[Segment] = []
    kinds: list[int] = []
    try:
        for field, value in fields(raw):
            if field == 40800 and isinstance(value, bytes):
                element = dict(fields(value))
                kind = element.get(45002)
                kinds.append(kind if isinstance(kind, int) else 0)
                if (one := _segment(kinds[-1], element)) is not None:
                    segments.append(one)
    except ValueError:
        return None
    return Body(segments, notice=bool(kinds) and set(kinds) == {_NOTICE})


def fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field. ValueError where the bytes end too early or make no sense."""
    place = 0
    while place < len(raw):
        tag, place = _varint(raw, place)
        wire = tag & 7
        if wire == 0:
            value, place = _varint(raw, place)
            yield tag >> 3, value
            continue
        if wire == 2:
            size, place = _varint(raw, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if place + size > len(raw):
            raise ValueError("ends too early")
        yield tag >> 3, raw[place : place + size]
        place += size


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(raw):
            break
        byte = raw[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("no end of a number")


def _segment(kind: int, element: dict[int, int | bytes]) -> Segment | None:
    if kind == _TEXT:
        text = _words(element.get(45101))
        return Segment("text", text) if text else None
    if kind == _QUOTE:
        return None
    if kind == _FILE:
        return Segment("file", _words(element.get(45402)))
    if kind == _FACE:
        number = element.get(47601)
        return Segment("face", _words(element.get(47602)), str(number) if isinstance(number, int) else "")
    if kind == _NOTICE:
        return Segment("text", _words(element.get(48214)))
    if kind == _APP:
        return segment("json", {"data": _words(element.get(47901))}, {})
    return Segment(_TYPES.get(kind, "unknown"))


def _words(value: int | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
