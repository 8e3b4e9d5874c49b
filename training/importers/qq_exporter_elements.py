"""What qq-chat-exporter's `content.elements` mean: element → segment.

An element of a kind not known here becomes an `unknown` segment and is counted, never lost.
"""

import re
from typing import Any

from bot.persona.message import Segment

_TYPES = {
    "face": "face",
    "market_face": "sticker",
    "marketface": "sticker",
    "mface": "sticker",
    "sticker": "sticker",
    "image": "image",
    "pic": "image",
    "flash": "image",
    "audio": "voice",
    "voice": "voice",
    "ptt": "voice",
    "video": "video",
    "file": "file",
    "forward": "forward",
    "multi_forward": "forward",
    "json": "card",
    "xml": "card",
    "ark": "card",
    "card": "card",
    "markdown": "card",
    "miniapp": "card",
    "music": "card",
    "location": "location",
    "redpacket": "redpacket",
    "red_packet": "redpacket",
    "wallet": "redpacket",
    "transfer": "redpacket",
    "call": "call",
    "av_record": "call",
    "poke": "poke",
}
_NAMED_BY = {
    "face": ("name",),
    "sticker": ("name",),
    "file": ("filename", "fileName", "name"),
    "card": ("title", "summary", "prompt"),
    "location": ("title", "name", "address"),
    "redpacket": ("title", "summary"),
}
_RED_PACKET = re.compile(r"\[QQ红包\](.*)", re.DOTALL)
_REPLY_MARK = re.compile(r"^\[回复消息\]")

Quoted = tuple[str, int, str]
"""Whom a reply answers: the id given, the time in seconds, the sender."""


def segments_of(elements: list[Any]) -> list[Segment]:
    """The elements of a message, without the one that says what it answers."""
    segments: list[Segment] = []
    for element in elements:
        kind, data = _parts(element)
        if kind == "reply":
            continue
        segment = _segment(kind, data)
        if segment.type == "text" and segments and segments[-1].type == "at":
            # QQ puts one space after an @; so does Segment.plain.
            segment.text = segment.text.removeprefix(" ")
        if segment.type != "text" or segment.text:
            segments.append(segment)
    return segments


def plain_segments(text: str) -> list[Segment]:
    """A message of which only the glued text is there."""
    text = _REPLY_MARK.sub("", text)
    return [_text_segment(text)] if text else []


def reply_of(elements: Any, content: Any) -> Quoted | None:
    """What a message answers: its reply element, or `content.reply` of the older dialect."""
    data: dict[str, Any] = {}
    if isinstance(content, dict) and isinstance(content.get("reply"), dict):
        data = content["reply"]
    for element in elements if isinstance(elements, list) else ():
        kind, found = _parts(element)
        if kind == "reply":
            data = {**data, **found}
    if not data:
        return None
    message_id = _string(data, "referencedMessageId", "messageId", "replyMsgId")
    time = _string(data, "timestamp", "replyMsgTime")
    seconds = int(time) if re.fullmatch("[0-9]{1,14}", time) else 0
    return message_id, seconds // 1000 if seconds > 10**11 else seconds, _string(data, "senderUin")


def _segment(kind: str, data: dict[str, Any]) -> Segment:
    if kind in ("text", "system"):
        return _text_segment(_string(data, "text", "summary"))
    if kind == "at":
        return _at(data)
    mapped = _TYPES.get(kind)
    if mapped is None:
        return Segment("unknown", kind[:40])
    name = _string(data, *_NAMED_BY[mapped]) if mapped in _NAMED_BY else ""
    if mapped == "face":
        name = name.removeprefix("/")
    return Segment(mapped, name, _string(data, "id") if mapped == "face" else "")


def _text_segment(text: str) -> Segment:
    packet = _RED_PACKET.fullmatch(text)
    return Segment("redpacket", packet[1]) if packet else Segment("text", text)


def _at(data: dict[str, Any]) -> Segment:
    name = _string(data, "name").removeprefix("@")
    number = _string(data, "uin", "qq", "uid")
    if data.get("atType") == 1 or number in ("0", "all") or name == "全体成员":
        return Segment("at", id="all", name=name or "全体成员")
    return Segment("at", id=number, name=name)


def _parts(element: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(element, dict):
        return "unknown", {}
    data = element.get("data")
    return str(element.get("type") or "unknown"), data if isinstance(data, dict) else element


def _string(data: dict[str, Any], *keys: str) -> str:
    """The first of these values that is a non-empty string or a number."""
    for key in keys:
        value = data.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and value not in ("", 0):
            return str(value)
    return ""
