"""Facts that my own lines seem to tell, by plain rules: 我在…上班, 我住…, 我喜欢…, 我妈…; counted, with their sources.

Knows words only, and nothing for certain: a joke looks like a fact. Questions, wishes, what passes with the
day and lines about others are left out. Who confirms is the owner (training/facts.py).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bot.persona import privacy
from bot.persona.facts import FactKind
from bot.persona.message import Message
from training.selection import bound_to_a_moment

SOURCES = 3
"""Of each, so many are shown."""
_END = r"(?:[了啊呀哦噢哈嘛吧呗啦的诶]*)(?:[，,。.!！~～…、;；\s]|$)"
_THING = r"[^\s，,。.!！?？~～…、;；]"
_ADVERB = r"(?:现在|一直|就|也|真的?|特别|最|很|超|超级|比较|其实|还是|都|今年)*"
_RELATIVE = (
    r"(?:妈妈?|爸爸?|姐姐?|哥哥?|弟弟?|妹妹?|爷爷|奶奶|外公|外婆|姥姥|老婆|老公|女朋友|男朋友|对象|儿子|女儿|室友)"
)
_SHAPES: list[tuple[FactKind, str]] = [
    ("work", rf"我{_ADVERB}在{_THING}{{1,12}}?(?:上班|工作|实习|上学|读书|读研|念书)"),
    ("work", rf"我{_ADVERB}是?(?:学|做|搞|教){_THING}{{1,8}}的"),
    ("where", rf"我{_ADVERB}?(?:家)?住(?:在)?{_THING}{{2,12}}"),
    ("where", rf"我?(?:老家|家)在{_THING}{{2,10}}"),
    ("where", rf"我{_ADVERB}是{_THING}{{2,6}}人"),
    ("likes", rf"我{_ADVERB}(?:喜欢|爱吃|爱喝|爱看|爱玩|讨厌|不吃|不喝|不喜欢){_THING}{{1,10}}"),
    ("likes", rf"我?对{_THING}{{1,6}}过敏"),
    ("people", rf"我{_RELATIVE}(?:叫|在|是|住|喜欢|属){_THING}{{1,10}}"),
    ("who", rf"我{_ADVERB}(?:叫|属){_THING}{{1,6}}"),
    ("who", rf"我{_ADVERB}{_THING}{{1,3}}岁"),
    ("who", rf"我生日(?:是|在)?{_THING}{{2,8}}"),
    ("who", rf"我{_ADVERB}是{_THING}{{1,6}}座(?:的)?"),
]
_RULES: list[tuple[FactKind, re.Pattern[str]]] = [
    (kind, re.compile(rf"(?:^|[，,。!！~～\s])({words}){_END}")) for kind, words in _SHAPES
]
_NOT = re.compile(
    r"[?？]|吗|呢|什么|啥|谁|哪|怎|如果|要是|假如|想|觉得|以为|不是我|他|她|你|咱|这样|那样|这个|那个|一下|个屁|个头|服了|醉了|死"
)
_TAIL = re.compile(r"(?:了|啊|呀|哦|噢|哈|嘛|吧|呗|啦|的|滴|诶|捏|哒)+$")


@dataclass(slots=True)
class Proposal:
    """A fact as I have said it, how often on how many days, and where."""

    kind: FactKind
    text: str
    mentions: int = 0
    days: set[int] = field(default_factory=set)
    chats: dict[str, int] = field(default_factory=dict)
    """Chat → mentions."""
    first: int = 0
    """When it was said first."""
    sources: list[Message] = field(default_factory=list)
    """The newest ones, oldest first."""

    @property
    def key(self) -> str:
        """By what it is known again: its words, without what varies."""
        return key_of(self.text)

    def see(self, message: Message) -> None:
        """Another mention."""
        self.first = min(self.first or message.time, message.time)
        self.mentions += 1
        self.days.add(message.time // 86400)
        self.chats[message.chat] = self.chats.get(message.chat, 0) + 1
        self.sources = [*self.sources, message][-SOURCES:]


def proposals(messages: Iterable[Message], least: int) -> list[Proposal]:
    """What my lines tell on at least so many days; the most often said first. Personal data stays out."""
    found: dict[tuple[str, str], Proposal] = {}
    for message in messages:
        if not message.learnable or len(message.text) > 60 or bound_to_a_moment(message.text.replace("现在", "")):
            continue
        for kind, text in _told(message.text):
            found.setdefault((kind, key_of(text)), Proposal(kind, text)).see(message)
    wanted = [one for one in found.values() if len(one.days) >= least]
    return sorted(wanted, key=lambda one: (-len(one.days), -one.mentions, one.text))


def key_of(text: str) -> str:
    """A statement without adverbs, endings and punctuation."""
    bare = re.sub(r"[\W_]+", "", text.lower())
    return re.sub(rf"^(我?){_ADVERB}", r"\1", _TAIL.sub("", bare))


def _told(text: str) -> Iterator[tuple[FactKind, str]]:
    if _NOT.search(text) or privacy.find(text):
        return
    for kind, rule in _RULES:
        if match := rule.search(text):
            yield kind, match[1]
            return
