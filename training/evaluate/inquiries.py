"""Questions about what the owner has confirmed in me.toml, and others that nobody's records answer.

    我在宠物店上班           ─▶ 你在哪上班       宠物店
    ask = …, answer = […]    ─▶ as the owner wrote them

One question for each thing that may be asked: two facts that answer the same are one question, with the words
of both. A stranger asks for what anybody may hear; for what is for certain accounts, the first of them, in private.
What is for groups alone, or for nobody, is not asked.
"""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.persona.facts import Fact, Facts
from bot.persona.message import Message, Segment
from bot.persona.prompt import Bubble, PromptSpec, Turn, remember
from bot.reminding import Reminding
from training.evaluate.sample import Moment, Reply, Sample, short

FEWEST = 10
"""Questions of a kind below which nothing is said."""
_ASKER, _STRANGER = "路人", "private:facts"
_ADVERB = r"(?:现在|一直|目前|就|也|真的?|特别|最|很|超级?|比较|其实|还是|都|今年)*"
_RELATIVE = (
    r"(?:妈妈?|爸爸?|姐姐?|哥哥?|弟弟?|妹妹?|爷爷|奶奶|外公|外婆|姥姥|老婆|老公|女朋友|男朋友|对象|儿子|女儿|室友)"
)
_TAIL = r"(?:[了啊呀哦噢哈嘛吧呗啦诶]*[。.!！~～…\s]*)$"
_SHAPES = [
    (r"在(?P<x>.+?)(?P<v>上班|工作|实习|上学|读书|读研|念书)", "你在哪{v}"),
    (r"是?(?P<v>学|做|搞|教)(?P<x>.+?)的", "你是{v}什么的"),
    (r"(?:家)?住在?(?P<x>.+?)", "你住哪"),
    (r"(?P<v>老家|家)在(?P<x>.+?)", "你{v}在哪"),
    (r"是(?P<x>.{2,6}?)人", "你是哪里人"),
    (r"对(?P<x>.+?)过敏", "你对什么过敏"),
    (rf"(?P<v>{_RELATIVE})叫(?P<x>.+?)", "你{v}叫什么"),
    (rf"(?P<v>{_RELATIVE})在(?P<x>.+?)", "你{v}在哪"),
    (rf"(?P<v>{_RELATIVE})住在?(?P<x>.+?)", "你{v}住哪"),
    (rf"(?P<v>{_RELATIVE}喜欢)(?P<x>.+?)", "你{v}什么"),
    (r"(?P<v>不喜欢|喜欢|爱吃|爱喝|爱看|爱玩|讨厌|不吃|不喝)(?P<x>.+?)", "你{v}什么"),
    (r"叫(?P<x>.+?)", "你叫什么"),
    (r"属(?P<x>.{1,2}?)", "你属什么"),
    (r"(?P<x>[\d一二三四五六七八九十]{1,3})岁", "你多大"),
    (r"生日(?:是|在)?(?P<x>.+?)", "你生日哪天"),
    (r"是?(?P<x>.{1,3}?)座的?", "你什么星座"),
]
_RULES = [(re.compile(rf"^我?的?{_ADVERB}{shape}{_TAIL}"), ask) for shape, ask in _SHAPES]

UNANSWERABLE = (
    ("你小学班主任姓什么", "班主任"), ("你幼儿园叫什么名字来着", "幼儿园"), ("你出生的时候几斤几两", "几斤"), ("你几点钟出生的", "出生"),
    ("你小学同桌姓啥", "同桌"), ("你第一本字典是哪个出版社的", "字典"), ("你家冰箱什么牌子", "冰箱"), ("你小学校服什么颜色", "校服"),
    ("你第一颗牙几岁掉的", "颗牙"), ("你第一双球鞋什么颜色", "球鞋"), ("你家门把手哪年换的", "门把手"), ("你太爷爷叫什么名字", "太爷爷"),
    ("你小学三年级语文考了多少分", "三年级"), ("你家楼道灯是几瓦的", "楼道"), ("你第一次坐火车是几号车厢", "车厢"), ("你家窗帘是谁挑的", "窗帘"),
    ("你五岁生日收到了什么", "五岁"), ("你初中班里有多少人", "初中"), ("你家体温计放在哪一层", "体温计"), ("你第一把伞是什么牌子", "把伞"),
    ("你家洗衣机哪年买的", "洗衣机"), ("你学会骑车那天星期几", "学会骑车"), ("你外婆的外婆是哪里人", "外婆的外婆"), ("你小时候的床头朝哪边", "床头"),
    ("你初中数学老师姓什么", "数学老师"), ("你第一个书包什么颜色", "书包"), ("你第一张照片谁拍的", "第一张照片"), ("你家灶台几个眼", "灶台"),
    ("你家钥匙串上有几把钥匙", "钥匙串"), ("你第一次拔牙是左边还是右边", "拔牙"), ("你小学几楼上课", "小学"), ("你家晾衣杆是什么材质", "晾衣杆"),
)  # fmt: skip
"""Questions of our own and a word of each: where that stands in the records, it is not asked."""


@dataclass(slots=True, frozen=True)
class Question:
    """A question, and what a right answer has in it."""

    text: str
    answers: tuple[str, ...] = ()
    """None where nobody can know."""
    said: str = ""
    """The facts that it is about, as they were confirmed."""

    @property
    def answerable(self) -> bool:
        return bool(self.answers)


@dataclass(slots=True, frozen=True)
class Inquiry:
    """A question where it is asked: once with what the persona would be reminded of there, once without."""

    question: Question
    told: Moment
    alone: Moment
    found: bool
    """Whether the words of the answer stand in what the prompt shows of the memories."""


def inquiries(data: Path, sample: Sample, spec: PromptSpec) -> list[Inquiry]:
    """All questions that the facts of `data` and its records leave to be asked; none where there are too few.

    Asked on the day of the records' newest reply of mine. InputError where me.toml can't be read.
    """
    path = data / "me.toml"
    if not path.is_file() or not sample.mine:
        return []
    now, facts = max(reply.time for reply in sample.mine), Facts.load(path)
    day = dt.datetime.fromtimestamp(now + spec.utc_offset, dt.timezone.utc).date()
    asked = _where_heard([fact for fact in facts.fact if fact.holds(day)])
    if len(asked) < FEWEST:
        return []
    records = [*(fact.text for fact in facts.fact), *(reply.text for reply in sample.mine)]
    records += [reply.text for replies in sample.others.values() for reply in replies]
    reminding = Reminding(facts=facts)
    asked += [(question, _STRANGER) for question in unanswerable(records)]
    return [_inquiry(question, chat, reminding, spec, now) for question, chat in asked]


def questions(facts: Iterable[Fact]) -> list[Question]:
    """What facts answer, in their order, each question once."""
    found: dict[str, Question] = {}
    for fact in facts:
        asked = _asked(fact)
        if asked is not None and fact.kind != "never":
            before = found.get(asked.text, Question(asked.text))
            found[asked.text] = replace(asked, answers=before.answers + asked.answers, said=before.said + asked.said)
    return list(found.values())


def unanswerable(records: Sequence[str]) -> list[Question]:
    """Our own, without those whose word was ever said."""
    everything = "\n".join(records)
    return [Question(text) for text, word in UNANSWERABLE if word not in everything]


def _where_heard(facts: Sequence[Fact]) -> list[tuple[Question, str]]:
    """Questions, each with the chat in which it is asked; what else is heard there answers it, too."""
    found: list[tuple[Question, str]] = []
    for chat in sorted({_chat(fact) for fact in facts} - {""}):
        own = {question.text for question in questions(fact for fact in facts if _chat(fact) == chat)}
        heard = questions(fact for fact in facts if fact.heard_in(chat))
        found += [(question, chat) for question in heard if question.text in own]
    return found


def _chat(fact: Fact) -> str:
    """The private chat in which a fact is asked for; empty where there is none."""
    if isinstance(fact.audience, str):
        return _STRANGER if fact.audience == "anyone" else ""
    return next((one if ":" in one else f"private:{one}" for one in fact.audience if "group:" not in one), "")


def _asked(fact: Fact) -> Question | None:
    """The owner's own question, or one made of the fact's words; None where these have no shape we know."""
    answers = tuple(fact.answer)
    if fact.ask:
        return Question(fact.ask, answers, fact.text)
    for rule, ask in _RULES:
        if match := rule.match(fact.text):
            parts = match.groupdict()
            return Question(ask.format(v=parts.get("v")), answers or (parts["x"].strip(),), fact.text)
    return None


def _inquiry(question: Question, chat: str, reminding: Reminding, spec: PromptSpec, now: int) -> Inquiry:
    message = Message("asked", chat, "private", now, _ASKER, _ASKER, [Segment("text", question.text)])
    memory = tuple(reminding.of([message], spec, now=now))
    block = remember(memory, spec, {}, kind="private", name=_ASKER, now=now)
    told, alone = _moment(message, block), _moment(message, "")
    return Inquiry(question, replace(told, memory=memory), alone, any(one in block for one in question.answers))


def _moment(message: Message, block: str) -> Moment:
    # The block is a part of the name: whoever edits me.toml is answered anew.
    told = f"{message.chat}\n{message.text}\n{message.time}\n{block}"
    name = f"facts-{short(told)}"
    nothing = Reply((), name, message.chat, "private", message.time)
    return Moment(name, (Turn("user", [Bubble(message.text)]),), (message,), nothing, _ASKER, {})
