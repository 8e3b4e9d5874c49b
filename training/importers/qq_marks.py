"""What QQ writes into every text it hands out: who spoke, and marks in the place of media.

Shared by the classic text export, mht and pasted text; doesn't know any of their layouts.
"""

import re

from bot.persona.message import Segment
from training.importers.qq_txt_lines import split_who
from training.importers.qq_txt_survey import SYSTEM

ANONYMOUS = "80000000"

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

Speaker = tuple[str, str, tuple[str, ...]]
"""Id, name, flags."""


def speaker_of(who: str, *, is_group: bool) -> Speaker:
    """Id, name and flags; in a friend's export, which has no ids, the name is the id."""
    known = split_who(who)
    if known is None or not (is_group or known[0] in SYSTEM):
        name = who.strip()
        return name, name, ()
    sender, name = known
    if sender in SYSTEM:
        return sender, name, ("system",)
    return sender, name, ("anonymous",) if sender == ANONYMOUS else ()


def segments_of(body: str) -> list[Segment]:
    """Media marks become media; one that was typed by hand looks the same and becomes one too."""
    if body.startswith("[") and (whole := _WHOLE.fullmatch(body)):
        return [Segment(_WHOLE_TYPES[whole[1]], whole[2])]
    segments: list[Segment] = []
    for place, part in enumerate(_MEDIUM.split(body)):
        if place % 2:
            segments.append(Segment(_MEDIA[part]))
        elif part:
            segments.append(Segment("text", part))
    return segments
