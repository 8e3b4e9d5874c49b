"""Where a line is no statement: questions, wishes, what others said, jokes, dreams, games, what is taken back.

Knows one line at a time, by plain words: which parts of it may be read as something I say of myself, and how
surely. What such a part tells is training/statements.py's.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from bot.persona.message import Message
from training.selection import bound_to_a_moment

LONGEST = 80
"""Characters of a message that may tell a fact; a longer one is a story."""


class Clause(NamedTuple):
    """A part of a line between two pauses, without what leads in."""

    text: str
    passing: bool
    """Whether it may be bound to its day."""
    sure: bool
    """Whether nothing around it sounds like laughing at it."""


_PAUSE = re.compile(r"[\s，,。.!！~～…、;；]+|(?<=[?？])")
_QUOTED = re.compile(r"[“\"「『《‘][^”\"」』》’]*[”\"」』》’]")
_MEDIA = re.compile(r"\[(?:表情|图片|语音|视频|戳一戳)\]")
_LEAD = re.compile(
    # Each word is taken whole, and never in another way: a long laugh could be cut in millions of ways.
    r"^(?:(?=([哈呵嘿嘻嗯额呃啊哦噢诶唉]+|哎呀?|对[啊的]?|是啊|其实|反正|因为|毕竟|但是?|不过|而且|可是|话说|笑死|救命|离谱"
    r"|说实话|老实说|主要是?|关键是?|[跟和]你们?[说讲]过?|你知道的?|233+|xs|hh+))\1)+(?=[我对老养属])"
)
_UNREAL = re.compile(
    r"如果|要是|假如|假设|万一|倘若|除非|就算|即使|哪怕|早知道|的话|就好了|该多好|下辈子|上辈子|前世|梦[到见里]|做梦|恨不得|假装|装作|扮演"
    r"|角色|台词|歌词|剧本|小说里|电影里|游戏里|开局|狗头|doge|bushi|骗你|逗你|玩笑|瞎说|胡说|编的|才怪|滑稽|反话|又不是|谁信|永远",
    re.IGNORECASE,
)
"""Whatever else stands in such a line isn't meant as it is said."""
_DOUBTED = re.compile(
    r"以为|觉得|感觉|好像|似乎|应该|可能|大概|估计|说不定|或许|也许|差点|据说|听说|传说|怀疑|难道|莫非|谁说|哪有|凭什么|怎么可能|想|希望|打算"
)
"""What comes after it in a line is no longer said for certain."""
_REPORTED = re.compile(r"(?:[:：]|[说问讲喊骂写]着?|原话)$")
_OWN_WORDS = re.compile(r"(?:[跟和给同]你们?|老实|说实|实|话|听我|按理)[说讲话]$|我说真的$")
_TAGGED = re.compile(r"(?:对吧|是吧|是不是|对不对|对吗|是吗|没错吧|好吗|真的吗)[?？]?")
_ASKS = re.compile(r"[?？吗吧呢]$|什么|啥|谁|哪|怎|几[点个岁号天]|多少|有没有|是不是|会不会|要不要")
_OTHERS = re.compile(
    r"你|(?<![吉其])他|她|它|咱|您|这[样个么套种]|那[样个么]|一下|个屁|个头|服了|醉了|死了|的时候|之前|以后|那天|那年"
)
_DAYS = re.compile(r"这[几两]天|暂时|临时|刚[刚才]|昨[天晚]|前天|今[天晚早]|本来")
_SINCE = re.compile(
    r"现在|一点(?=\S{1,3}都)|(?:平时|一般)\S*|每[天周晚年]\S*|天天\S*|(?:上个?月|去年|前年|上周)(?=搬|辞|离|结|订|分手|买|领证|退休|毕业)"
)
"""What is told with such a word goes on."""
_LAUGHS = re.compile(r"笑死|哈哈哈|hhh|233|xswl|笑不活")
_TAKEN_BACK = re.compile(
    r"^(?:骗你|逗你|开?玩笑|才怪|瞎说|胡说|编的|我编|说着玩|bushi|不是啦|打错|说错|记错|不对|假的|doge|狗头|反话)",
    re.IGNORECASE,
)
_JOKING_FACES = frozenset({"doge", "狗头", "旺柴", "滑稽", "斜眼笑", "阴险", "坏笑"})


def clauses(message: Message, *, of_others: bool = False) -> Iterator[Clause]:
    """The parts of a message of mine that may say something of me; `of_others`: and of whom I speak of, too."""
    text = message.text
    if len(text) > LONGEST or _UNREAL.search(text) or _joking(message):
        return
    parts = [part for part in _PAUSE.split(_MEDIA.sub(" ", _QUOTED.sub("“”", text))) if part]
    sure, before = _LAUGHS.search(text) is None, ""
    for place, part in enumerate(parts):
        following = parts[place + 1] if place + 1 < len(parts) else ""
        if not (_REPORTED.search(before.rstrip()) and not _OWN_WORDS.search(before.rstrip())):
            clause = _LEAD.sub("", part).rstrip("吖")
            whole = before + clause
            theirs = not of_others and _OTHERS.search(clause) is not None
            if not (_ASKS.search(part) or theirs or _DOUBTED.search(whole) or _tag(following)):
                moment = bound_to_a_moment(_SINCE.sub("", whole)) or _DAYS.search(whole) is not None
                yield Clause(clause, moment, sure)
        before += part + " "


def taken_back(text: str) -> bool:
    """Whether a line of mine says that what I said before it wasn't so."""
    return _TAKEN_BACK.match(text.strip()) is not None


def corrected(text: str) -> str:
    """What stands behind 打错了 or 不对: the right words, if any."""
    found = re.match(
        r"(?:我?(?:打错|说错|记错)了?|不对不?对?|不是)[\s，,。.]*(?:是|应该是|在)?(.{1,12})$", text.strip()
    )
    return found[1].strip() if found else ""


def _tag(following: str) -> bool:
    return _TAGGED.fullmatch(following) is not None


def _joking(message: Message) -> bool:
    return any(s.type in ("face", "sticker") and s.text.strip("/[]") in _JOKING_FACES for s in message.segments)
