"""What one part of a line tells of me, by the shapes of training/shapes.py.

    我在宠物店上班   ─▶ work   工作       宠物店
    我花生过敏       ─▶ likes  过敏:花生  是
    我家猫叫年糕     ─▶ people 名字:猫    年糕

Knows words only, and nothing for certain. What sort of line it stands in is training/doubts.py's.
"""

import re
from typing import NamedTuple

from bot.persona.facts import FactKind
from training.shapes import END, SHAPES, A


class Statement(NamedTuple):
    """Something a line tells."""

    kind: FactKind
    topic: str
    """What it is about; it has one value at a time."""
    value: str
    """What it says about that, folded: two with the same are one fact."""
    text: str
    """As I would say it."""
    plain: bool
    """Whether it is meant for good by its words alone."""
    said: str
    """The value as it stands in the text, where other words may take its place."""


_RULES: list[tuple[FactKind, str, re.Pattern[str], bool]] = [
    (kind, topic, re.compile(rf"(?P<told>{shape}){END}"), plain) for kind, topic, shape, plain in SHAPES
]
_JOKES = re.compile(
    r"月球|火星|宇宙|奥特曼|仙女|美女|帅哥|霸总|皇帝|神仙|地球|外星|天才|废物|牛马|社畜|纸片人|爸爸$|祖宗|狼人|预言家|平民|女巫|你爹|大佬|富婆|韭菜|空气|寂寞"
)
"""What nobody is, has or lives on in earnest."""
_EMPTY = re.compile(
    r"的$|^的|[吗呢吧]$|是$|在$|^(?:一|几|两|三)[口下次个点些天](?!人)|自己|我|东西|起来|下去|出来|进去|过来|下来|回来|完$|着$|死$"
)
_SURE = re.compile(r"最|从小|一直|一向|打小|天生|从来|特别|超|不能|不了$|过敏")
_DIGITS = str.maketrans("零一二三四五六七八九", "0123456789")


def told(clause: str) -> Statement | None:
    """What a part of a line tells; None where it has no such shape. The first shape that fits counts."""
    for kind, topic, rule, plain in _RULES:
        found = rule.fullmatch(clause)
        if found is None:
            continue
        groups = {name: text for name, text in found.groupdict().items() if text}
        value = groups.get("v") or groups.get("w") or groups.get("x") or ""
        if _JOKES.search(value) or _EMPTY.search(value):
            continue
        about, denied = folded(value), "no" in groups
        subject = topic.format(v=about, r=groups.get("r", ""))
        if "{v}" in topic:
            about = "不" if denied else "是"
        sure = plain or _SURE.search(groups.get("no", "") + groups.get("most", "")) is not None
        text = groups["told"]
        if "我" not in text:
            # Who says no 我 may speak of somebody else.
            return Statement(kind, subject, about, f"我{text}", False, value)
        return Statement(kind, subject, about, text, sure, value)
    return None


def folded(text: str) -> str:
    """A value without what varies: punctuation, endings, the way a number is written."""
    bare = re.sub(r"[\W_]+", "", text.lower())
    bare = re.sub(r"^(?:在|是|一[个只名]|[个只名])|(?:这边|那边|附近|的|了)$", "", bare)
    return re.sub(r"[一二三四五六七八九十廿]+(?=[月号日岁]|$)", lambda found: _number(found[0]), bare).removesuffix(
        "日"
    )


def key_of(text: str) -> str:
    """A statement without adverbs, endings and punctuation."""
    bare = re.sub(r"[\W_]+", "", text.lower())
    return re.sub(rf"^(我?){A}", r"\1", re.sub(r"(?:[了啊呀哦噢哈嘛吧呗啦的滴诶捏哒])+$", "", bare))


def _number(words: str) -> str:
    """A number up to 99, in digits."""
    if "十" not in words:
        return words.translate(_DIGITS)
    tens, _, ones = words.partition("十")
    return f"{tens.translate(_DIGITS) or '1'}{ones.translate(_DIGITS) or '0'}"
