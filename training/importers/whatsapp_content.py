"""What stands after the name in a WhatsApp export: words, left-out media, calls, system lines.

Every phrase is known in Chinese and English; those of other languages by their brackets.
"""

import re
from typing import NamedTuple

from bot.persona.message import Segment
from training.importers.values import file_segment, text_with_mentions
from training.importers.whatsapp_lines import BY_WHATSAPP, INVISIBLE

_NOUNS = (
    ("image", "image|photo|图片|图像|照片|圖片|影像|GIF|动态图|動態圖"),
    ("video", "video note|video message|video|视频|影片|视讯"),
    ("voice", "voice message|audio|语音|音频|音訊|語音"),
    ("sticker", "sticker|贴图|贴纸|貼圖"),
    ("file", "document|file|文档|文件|檔案"),
    ("card", "contact card|联系人|聯絡人|联系人名片|名片|聯絡資料"),
)
_LEFT_OUT = "omitted|not included|已?忽略|已?省略|已?略過|已?略过"
_OMITTED = tuple(
    (
        kind,
        re.compile(
            rf"(?:(?P<name>.*?\.\w{{1,8}})\b.*?)?(?:(?:{nouns}) ?(?:{_LEFT_OUT})|(?:{_LEFT_OUT})(?:{nouns}))",
            re.IGNORECASE,
        ),
    )
    for kind, nouns in _NOUNS
)
_ANY_OMITTED = re.compile(
    r"<(?:media omitted|省略影音内容|省略影音內容|省略多媒体文件|已省略多媒体文件|已省略媒体文件|多媒体文件已省略|略過媒體檔案|已略過媒體檔案"
    r"|médias omis|multimedia omitido|archivo omitido|mídia oculta|arquivo de mídia oculto|medien ausgeschlossen"
    r"|media omessi|media weggelaten|без медиафайлов|미디어 파일을 제외한 내용|メディアは含まれていません)>",
    re.IGNORECASE,
)
_ATTACHED = re.compile(
    r"<(?:attached|附件|已附加|adjunto|anexado|Anhang|pièce jointe|allegato)\s*[:：]\s*(?P<a>[^<>\n]+)>"
    r"|(?P<b>[^\n<>:]{1,120}\.\w{2,5}) \((?:file attached|文件附件|附件|檔案已附加|已附加檔案|附加檔案)\)",
    re.IGNORECASE,
)
_KIND_IN_NAME = re.compile(r"-(PHOTO|VIDEO|AUDIO|STICKER|GIF)-|^(IMG|VID|PTT|AUD|STK)-", re.IGNORECASE)
_BY_NAME = {
    "photo": "image",
    "gif": "image",
    "img": "image",
    "video": "video",
    "vid": "video",
    "audio": "voice",
    "ptt": "voice",
    "aud": "voice",
    "sticker": "sticker",
    "stk": "sticker",
}
_DELETED = re.compile(
    r"(?:this message was deleted|you deleted this message|this message was deleted by admin .*"
    r"|此消息已被?删除|此消息已删除|您删除了此消息|你删除了这条消息|您删除了这条消息|此訊息已刪除|此訊息已被刪除|你已刪除此訊息|您已刪除此訊息|你刪除了這則訊息)[.。]?",
    re.IGNORECASE,
)
_CALL = re.compile(
    r"(?:missed |silenced )?(?:voice|video|group) call\b.{0,60}|(?:未接)?(?:语音|视频|語音|視訊|视讯)(?:通话|通話|来电|來電)\b.{0,60}"
    r"|未接(?:语音|视频|語音|視訊)(?:通话|通話|来电|來電).{0,60}",
    re.IGNORECASE,
)
_LOCATION = re.compile(
    r"(?:live location shared|location|位置|实时位置|即時位置)\s*[:：]\s*https?://\S+|live location shared|.{0,80}https://maps\.google\.com/\?q=\S+",
    re.IGNORECASE,
)
_POLL = re.compile(r"(?:poll|投票)\s*[:：]\s*\n?[^\n]*\n.*", re.IGNORECASE | re.DOTALL)
_EDITED = re.compile(
    rf"[ \n]?[{INVISIBLE}]{{0,8}}<(?:this message was edited|此消息已被?编辑|这条消息已被编辑|已编辑此消息|此訊息已被?編輯)>\s*\Z",
    re.IGNORECASE,
)
_MENTION = re.compile("@\u2068([^\u2068\u2069\n]{1,80})\u2069")
_LONGEST = 400
"""Characters of a line that may stand for a medium: a file's name is short."""

_HIDDEN = str.maketrans("", "", INVISIBLE)


class Content(NamedTuple):
    """What a message holds."""

    segments: list[Segment]
    flags: tuple[str, ...] = ()


def content_of(body: str) -> Content:
    """A body after a name. What WhatsApp itself wrote begins with a mark of writing direction."""
    by_whatsapp = body.startswith(BY_WHATSAPP)
    body = _EDITED.sub("", body)
    plain = body.strip(INVISIBLE + " ")
    first, _, after = plain.partition("\n")
    if _DELETED.fullmatch(plain):
        return Content([], ("recalled",))
    media = _medium(first.rstrip(INVISIBLE), by_whatsapp=by_whatsapp)
    if media is not None:
        caption = [Segment("text", after)] if after.strip(INVISIBLE + " ") else []
        return Content([media, *caption])
    if _POLL.fullmatch(plain) and by_whatsapp:
        return Content([Segment("card", after.partition("\n")[0])])
    if by_whatsapp:
        return Content([Segment("text", plain)], ("system",))
    return Content(words(body))


def words(text: str) -> list[Segment]:
    """A text without WhatsApp's marks of direction; names between isolates are ats."""
    text = text.translate(_HIDDEN) if not text.isascii() else text
    return text_with_mentions(text, _MENTION, {}) if "\u2068" in text else [Segment("text", text)] if text else []


def _medium(line: str, *, by_whatsapp: bool) -> Segment | None:
    """What a line stands for if it stands for a medium."""
    if len(line) > _LONGEST:
        return None
    clean = line.translate(_HIDDEN)
    if _ANY_OMITTED.fullmatch(clean):
        return Segment("image")
    if attached := _ATTACHED.fullmatch(clean):
        name = (attached["a"] or attached["b"]).strip()
        told = _KIND_IN_NAME.search(name)
        return Segment(_BY_NAME[(told[1] or told[2]).lower()]) if told else file_segment(name)
    if _LOCATION.fullmatch(clean):
        return Segment("location")
    if not by_whatsapp and BY_WHATSAPP not in line:
        return None
    if _CALL.fullmatch(clean):
        return Segment("call")
    for kind, pattern in _OMITTED:
        if match := pattern.fullmatch(clean.strip("<>")):
            return Segment(kind, match["name"] or "")
    return None
