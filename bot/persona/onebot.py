"""OneBot v11 segments → our segments, as NapCat, LLBot and go-cqhttp write them.

One table for what the bot hears and for what an export of the same chat says, so that training and
serving see the same. Doesn't know events.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.persona.faces import is_id
from bot.persona.message import Segment

TYPES = {
    "image": "image",
    "face": "face",
    "dice": "face",
    "rps": "face",
    "mface": "sticker",
    "marketface": "sticker",
    "bface": "sticker",
    "record": "voice",
    "audio": "voice",
    "video": "video",
    "file": "file",
    "onlinefile": "file",
    "forward": "forward",
    "node": "forward",
    "json": "card",
    "xml": "card",
    "share": "card",
    "music": "card",
    "contact": "card",
    "markdown": "card",
    "miniapp": "card",
    "location": "location",
    "redbag": "redpacket",
    "wallet": "redpacket",
    "poke": "poke",
    "shake": "poke",
}
"""Segment types of the wire → ours. Text, at and reply are read apart; anything else is unknown."""

_NOT_SHOWN = frozenset({"reply", "anonymous"})
_CARDS = {"com.tencent.multimsg": "forward", "com.tencent.map": "location"}
"""Apps whose JSON cards are something else in disguise."""

_CQ = re.compile(r"\[CQ:([A-Za-z0-9_.-]+)((?:,[A-Za-z0-9_.-]+=[^,\]]*)*),?\]")


def cq_parts(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Type and data of each segment of a CQ string (OneBot v11, message/string)."""
    place = 0
    for match in _CQ.finditer(text):
        if match.start() > place:
            yield "text", {"text": _unescaped(text[place : match.start()])}
        pairs = (pair.partition("=") for pair in match[2].split(",")[1:])
        yield match[1], {key: _unescaped(value) for key, _, value in pairs}
        place = match.end()
    if place < len(text):
        yield "text", {"text": _unescaped(text[place:])}


def _unescaped(text: str) -> str:
    for escaped, character in (("&#91;", "["), ("&#93;", "]"), ("&#44;", ","), ("&amp;", "&")):
        text = text.replace(escaped, character)
    return text


def segments(parts: Iterable[tuple[str, Mapping[str, Any]]], names: Mapping[str, str]) -> list[Segment]:
    """What a message shows, from the type and data of its parts; `names` by account id."""
    found: list[Segment] = []
    for kind, data in parts:
        one = segment(kind, data, names)
        if one is not None and one.type == "text" and found and found[-1].type == "at":
            # QQ puts one space after an @; so does Segment.plain.
            one.text = one.text.removeprefix(" ")
        if one is not None and (one.text or one.type != "text"):
            found.append(one)
    return found


def segment(kind: str, data: Mapping[str, Any], names: Mapping[str, str]) -> Segment | None:
    """The segment of this type and data, None where nothing is shown; `names` by account id."""
    if kind == "text":
        text = str(data.get("text") or "")
        return Segment("text", text) if text else None
    if kind in _NOT_SHOWN:
        return None
    if kind == "at":
        return _mention(str(data.get("qq", "")), str(data.get("name") or ""), names)
    if kind == "face":
        raw = data.get("raw")
        return Segment("face", _shown(raw.get("faceText")) if isinstance(raw, Mapping) else "", str(data.get("id", "")))
    if kind == "image":
        # Sub-type 0 is a picture, 1 and above are one's own stickers and the shop's.
        sub_type = str(data.get("sub_type", data.get("subType", 0)) or 0)
        return Segment("image") if sub_type == "0" and not data.get("emoji_id") else _sticker(data)
    if TYPES.get(kind) == "sticker":
        return _sticker(data)
    if kind == "json":
        return Segment(_CARDS.get(_app(str(data.get("data", ""))), "card"))
    if kind == "file":
        return Segment("file", _shown(data.get("file_name") or data.get("name") or data.get("file")))
    return Segment(TYPES.get(kind, "unknown"))


def _mention(id_: str, name: str, names: Mapping[str, str]) -> Segment:
    if id_ in ("all", "0"):
        return Segment("at", id="all", name="全体成员")
    return Segment("at", id=id_, name=names.get(id_) or name.lstrip("@").strip())


def _sticker(data: Mapping[str, Any]) -> Segment:
    """A sticker, with its id where it is the shop's."""
    id_ = "/".join(str(data.get(key) or "") for key in ("emoji_package_id", "emoji_id", "key"))
    return Segment("sticker", id=id_ if is_id(id_) else "")


def _app(card: str) -> str:
    try:
        content = json.loads(card)
    except ValueError:
        return ""
    return str(content.get("app", "")) if isinstance(content, dict) else ""


def _shown(value: object) -> str:
    return str(value) if value else ""
