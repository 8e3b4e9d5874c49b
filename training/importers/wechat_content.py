"""What WeChat's exporters call their kinds of messages, and how they write them down.

`文本`, `图片消息`, `(分享)小程序`, or WeChat's own numbers (`49/57`): all → segments.
"""

import html
import re
from functools import lru_cache
from typing import NamedTuple

from bot.persona.message import Segment
from training.importers.values import text_with_mentions

SYSTEM = "系统消息"
"""Sender of a system line without one."""

_BY_NUMBER = {
    "1": "text",
    "3": "image",
    "34": "voice",
    "42": "card",
    "43": "video",
    "47": "sticker",
    "48": "location",
    "49/1": "text",
    "49/3": "card",
    "49/5": "card",
    "49/6": "file",
    "49/8": "sticker",
    "49/17": "location",
    "49/19": "forward",
    "49/33": "card",
    "49/36": "card",
    "49/57": "text",
    "49/62": "poke",
    "49/74": "file",
    "49/2000": "redpacket",
    "49/2001": "redpacket",
    "50": "call",
    "62": "video",
    "66": "card",
    "10000": "system",
    "10002": "system",
}
_BY_WORD = (
    ("系统", "system"),
    ("撤回", "system"),
    ("文本", "text"),
    ("引用", "text"),
    ("图文", "card"),
    ("聊天记录", "forward"),
    ("表情", "sticker"),
    ("贴纸", "sticker"),
    ("图片", "image"),
    ("视频号", "card"),
    ("小程序", "card"),
    ("卡片", "card"),
    ("链接", "card"),
    ("名片", "card"),
    ("音乐", "card"),
    ("接龙", "text"),
    ("公告", "text"),
    ("通话", "call"),
    ("语音", "voice"),
    ("视频", "video"),
    ("文件", "file"),
    ("位置", "location"),
    ("红包", "redpacket"),
    ("转账", "redpacket"),
    ("拍一拍", "poke"),
    ("分享", "card"),
)
"""The first word that is in a kind's name decides; `红包卡片` is looked at before."""

_MARK = re.compile(
    r"\[(图片|文件|语音|视频|动画表情|表情|聊天记录|链接|小程序|QQ小程序|QQ红包|红包|转账|位置|名片|音乐|拍一拍|语音通话|视频通话)\]"
    r"[ ]?([^\n]*)"
)
_MENTION = re.compile("@([^@\n\u2005]{1,40})(?=\u2005)")
_TITLE = re.compile(r"<title>(?:<!\[CDATA\[)?(.{0,2000}?)(?:\]\]>)?</title>", re.DOTALL)
_TAG = re.compile(r"<[^<>]{1,200}>")
_QUOTE = re.compile(
    r"\s*\[引用\]\((?P<time>\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{2}:\d{2})\)(?P<name>[^\n]{0,80}?)[:：](?P<text>.*)\Z",
    re.DOTALL,
)


class Quoted(NamedTuple):
    """What a message answers, as it stands below the answer."""

    time: str
    name: str
    text: str


@lru_cache(maxsize=1024)
def type_of(kind: str, sub: str = "") -> str:
    """ "text", "system", or the type of a segment; "unknown" for a kind never seen."""
    if kind.isascii() and kind.isdigit():
        return _BY_NUMBER.get(f"{kind}/{sub}") or _BY_NUMBER.get(kind) or "unknown"
    if "红包" in kind or "转账" in kind:
        return "redpacket"
    return next((found for word, found in _BY_WORD if word in kind), "unknown")


def is_system(kind: str, sub: str = "") -> bool:
    return type_of(kind, sub) == "system"


def segments_of(kind: str, content: str, sub: str = "") -> list[Segment]:
    """A message of a kind that isn't the system's."""
    found = type_of(kind, sub)
    if found == "text":
        return text_segments(words_of(content))
    mark = _MARK.fullmatch(content)
    if found == "unknown":
        return [_unknown(kind, content, mark)]
    if found in ("file", "card", "redpacket", "location"):
        named = _TITLE.search(content) if content.startswith("<") else None
        name = html.unescape(named[1]) if named else mark[2] if mark else ""
        return [Segment(found, name.strip())]
    return [Segment(found)]


def text_segments(text: str) -> list[Segment]:
    """Words, with the ats that WeChat ends by a space of its own."""
    return text_with_mentions(text, _MENTION, {}) if "\u2005" in text else [Segment("text", text)] if text else []


def words_of(content: str) -> str:
    """The words of a text message that stands as XML, as answers do; else as it is."""
    if content.startswith(("<msg", "<?xml")) and (title := _TITLE.search(content)):
        return html.unescape(title[1])
    return content


def system_text(content: str) -> str:
    """A system line without its tags."""
    return _TAG.sub("", content) if content.startswith("<") else content


def split_quote(content: str) -> tuple[str, Quoted | None]:
    """An answer and what it answers."""
    place = content.rfind("[引用](")
    match = _QUOTE.match(content, len(content[:place].rstrip())) if place >= 0 else None
    if match is None:
        return content, None
    return content[: match.start()], Quoted(match["time"], match["name"], match["text"])


def _unknown(kind: str, content: str, mark: re.Match[str] | None) -> Segment:
    """A kind of no known number: what the exporter wrote in brackets still tells."""
    if mark:
        return Segment(type_of(mark[1]), mark[2])
    if content.startswith(("<msg", "<?xml")):
        title = _TITLE.search(content)
        return Segment("card", html.unescape(title[1]).strip() if title else "")
    return Segment("unknown", kind[:40])
