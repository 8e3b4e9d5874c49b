"""Facts that my records seem to tell, by plain rules: gathered over all chats, counted, with their sources.

My own lines are read by their shape (training/doubts.py, shapes.py), my short answers by the question before them
(training/asked.py). Of what has one value at a time the newest stays; what I take back within moments is gone.
Knows words only, and nothing for certain. Who confirms is the owner (training/facts.py).
"""

import datetime as dt
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bot.persona import privacy
from bot.persona.facts import FactKind
from bot.persona.message import Message
from training.asked import answers
from training.doubts import Clause, clauses, corrected, taken_back
from training.endings import Ending, endings, ends
from training.importers.source import Zone
from training.plans import is_journey, plan_of
from training.statements import Statement, told

SOURCES = 3
"""Of each, so many are shown."""
SOON, LINES = 600, 4
"""Seconds and lines within which a question is answered, or what was said taken back."""
PRIVATE = ("感情", "孩子", "身体", "住", "年龄", "生日", "名字", "信仰")
"""What isn't everybody's business, wherever it was said."""
AGEING = ("年龄", "岁", "年级", "近况")
"""What isn't so any more after a year."""
OPEN_CHATS = 4
"""Chats in which something was said for it to be no secret; one group counts as two."""
_NEAR = {"昨天": -1, "今天": 0, "明天": 1, "后天": 2}
_BIRTHDAY = re.compile(r"(昨天|今天|明天|后天)是?我(?:的)?生日|我(昨天|今天|明天|后天)(?:过)?生日")


@dataclass(slots=True)
class Proposal:
    """A fact as I have said it, how often on how many days, and where."""

    kind: FactKind
    text: str
    topic: str = ""
    """What it is about."""
    value: str = ""
    mentions: int = 0
    plain: bool = False
    """Whether it was ever said in words that are meant for good."""
    read: bool = True
    """Whether only an engine reads it so."""
    until: dt.date | None = None
    """The first day on which it is over."""
    before: str = ""
    """What I said of it earlier, where that was something else."""
    days: set[int] = field(default_factory=set)
    chats: dict[str, int] = field(default_factory=dict)
    """Chat → mentions."""
    names: dict[str, str] = field(default_factory=dict)
    """Chat → what it is called."""
    anew: int = 0
    """The day on which it was said first after something else was; 0: nothing else ever was."""
    last: int = 0
    """When it was said last."""
    seen: set[tuple[str, str]] = field(default_factory=set)
    """Chats and ids of the lines that say it."""
    sources: list[Message] = field(default_factory=list)
    """The newest ones, oldest first."""

    def see(self, one: "Mention") -> None:
        """Another mention; a line counts once, by whomever it is read."""
        source = one.source
        self.plain |= one.statement.plain
        self.read &= one.read
        if (source.chat, source.id) in self.seen:
            return
        self.seen.add((source.chat, source.id))
        if source.time >= self.last:
            self.last, self.text, self.until = source.time, one.statement.text, one.until
        self.mentions += 1
        self.days.add(one.day.toordinal())
        self.chats[source.chat] = self.chats.get(source.chat, 0) + 1
        self.names[source.chat] = source.chat_name or source.chat.rpartition(":")[2]
        self.sources = sorted([*self.sources, source], key=lambda message: message.time)[-SOURCES:]

    @property
    def since(self) -> dt.date:
        """When it was said first, since it is so."""
        return dt.date.fromordinal(self.anew or min(self.days))

    @property
    def open(self) -> bool:
        """Whether it was said in so many places, and is of such a sort, that anyone may hear it."""
        heard = sum(2 if ":group:" in chat else 1 for chat in self.chats)
        return heard >= OPEN_CHATS and not any(part in PRIVATE for part in self.topic.split(":"))


@dataclass(slots=True)
class Mention:
    """A statement, where it stands."""

    statement: Statement
    source: Message
    day: dt.date
    until: dt.date | None = None
    read: bool = False
    """Whether it is an engine that reads it so."""


@dataclass(slots=True)
class Over:
    """Something is over, and the line that says so."""

    ending: Ending
    source: Message
    day: dt.date


def merged(mentioned: Iterable[Mention | Over], least: int, today: dt.date) -> list[Proposal]:
    """Mentions as facts, the most often said first: alike ones as one, of a topic's values the newest.

    What may have been meant for its day only must have been said on `least` days; what is over is left out.
    """
    found: dict[tuple[str, str], Proposal] = {}
    over: list[Over] = []
    for one in mentioned:
        if isinstance(one, Over):
            over.append(one)
            continue
        said = one.statement
        key = (said.topic, said.value)
        proposal = found.setdefault(key, Proposal(said.kind, said.text, said.topic, said.value))
        proposal.see(one)
    enough = [one for one in found.values() if one.plain or len(one.days) >= least]
    newest: dict[str, Proposal] = {}
    for one in sorted(enough, key=lambda one: one.last):
        known = newest.pop(one.topic, None)
        newest[one.topic] = _later(known, one) if known is not None else one
    _end(newest, over)
    wanted = [one for one in newest.values() if one.until is None or one.until > today]
    return sorted(wanted, key=lambda one: (-len(one.days), -one.mentions, one.text))


def _end(newest: Mapping[str, Proposal], over: Iterable[Over]) -> None:
    """What was said to be over, after it was said last, is over since that day."""
    for one in sorted(over, key=lambda one: one.source.time, reverse=True):
        for proposal in newest.values():
            if proposal.last < one.source.time and ends(one.ending, proposal.topic, proposal.text):
                proposal.until = one.day
                if proposal.topic.startswith("名字:"):
                    # Who had a name was one of something.
                    kept = newest.get(f"养:{proposal.topic.removeprefix('名字:')}")
                    if kept is not None and kept.last < one.source.time:
                        kept.until = one.day


def over(said: Iterable[Mention | Over], text: str, since: dt.date | None) -> Over | None:
    """What I said first to end a fact that is so since then, unless I have said it again later; None: it goes on."""
    known, last, found = told(text), 0, list[Over]()
    topic = known.topic if known is not None else ""
    for one in said:
        if isinstance(one, Over):
            found += [one] if (since is None or one.day > since) and ends(one.ending, topic, text) else []
        elif known is not None and (one.statement.topic, one.statement.value) == (known.topic, known.value):
            last = max(last, one.source.time)
    return min((one for one in found if one.source.time > last), key=lambda one: one.source.time, default=None)


def _later(known: Proposal, one: Proposal) -> Proposal:
    """Of two values of a topic the later, or both as one where they only say it more or less exactly."""
    if not (_within(known.value, one.value) or _within(one.value, known.value)):
        one.before, one.anew = known.text, min(day for day in one.days if day >= max(known.days))
        return one
    exact, other = (known, one) if len(known.value) > len(one.value) else (one, known)
    exact.before = other.before or exact.before
    exact.seen |= other.seen
    exact.mentions = len(exact.seen)
    exact.read &= other.read
    exact.until = one.until
    exact.days |= other.days
    exact.anew, exact.last = known.anew, one.last
    exact.names |= other.names
    for chat, number in other.chats.items():
        exact.chats[chat] = exact.chats.get(chat, 0) + number
    exact.sources = sorted([*exact.sources, *other.sources], key=lambda message: message.time)[-SOURCES:]
    return exact


def _within(part: str, whole: str) -> bool:
    """Whether a value is another one, said less exactly: 宠物店 and 城西宠物店, but not 3月1 and 3月11."""
    return re.search(rf"(?<!\d){re.escape(part)}(?!\d)", whole) is not None and not whole.startswith(("不", "没"))


def mentions(messages: Iterable[Message], zone: Zone) -> Iterator[Mention | Over]:
    """What my lines tell, and what they end, without personal data, one chat after the other.

    Each comes a moment later than it is said, as it may be taken back.
    """
    chat = ""
    waiting: deque[tuple[int, Mention | Over]] = deque()
    before: deque[Message] = deque(maxlen=LINES)
    for number, message in enumerate(messages):
        if message.chat != chat:
            yield from (one for _, one in waiting)
            waiting.clear()
            before.clear()
            chat = message.chat
        while waiting and (number - waiting[0][0] > LINES or message.time - waiting[0][1].source.time > SOON):
            yield waiting.popleft()[1]
        if message.learnable:
            text = message.text
            if taken_back(text) and waiting:
                last = waiting.pop()[1]
                if (
                    isinstance(last, Mention)
                    and (right := corrected(text))
                    and (mended := _mended(last, message, right)) is not None
                ):
                    waiting.append((number, mended))
            else:
                waiting.extend((number, one) for one in _of(message, before, zone))
        before.append(message)
    yield from (one for _, one in waiting)


def _of(message: Message, before: deque[Message], zone: Zone) -> Iterator[Mention | Over]:
    """What a line of mine tells, by itself or as an answer, and what it ends."""
    if privacy.find(message.text):
        return
    day = zone.local(message.time).date()
    for clause in clauses(message, of_others=True):
        yield from (Over(ending, message, day) for ending in endings(clause.text, passing=clause.passing))
    question = _question(message, before)
    if question is not None and "我" not in message.text and re.search("[他她它]", question.text):
        return
    by_itself = [found for clause in clauses(message) if (found := _in(clause, message, day)) is not None]
    sure = any(found.statement.plain for found in by_itself)
    if not sure and question is not None and not privacy.find(question.text):
        for text in answers(question.text, message.text):
            if (said := told(text)) is not None:
                yield mention(said._replace(plain=True), message, day)
                return
    yield from by_itself


def _in(clause: Clause, message: Message, day: dt.date) -> Mention | None:
    if (plan := plan_of(clause.text, day)) is not None:
        text, does, until = plan
        kind: FactKind = "where" if is_journey(does) else "who"
        return Mention(Statement(kind, f"计划:{does}", until.isoformat(), text, clause.sure, ""), message, day, until)
    if found := _BIRTHDAY.fullmatch(clause.text):
        born = day + dt.timedelta(days=_NEAR[found[1] or found[2]])
        said = told(f"我生日是{born.month}月{born.day}号")
        return mention(said, message, day) if said is not None else None
    if clause.passing or (said := told(clause.text)) is None:
        return None
    return mention(said if clause.sure else said._replace(plain=False), message, day)


def mention(said: Statement, message: Message, day: dt.date, *, read: bool = False) -> Mention:
    """What is told, by an engine if it is `read`; an age and a year of school are over within a year."""
    ageing = said.topic.rpartition(":")[2] in AGEING
    return Mention(said, message, day, day + dt.timedelta(days=365) if ageing else None, read)


def _question(message: Message, before: deque[Message]) -> Message | None:
    """The line of another that mine answers: the last one said there, or the one it quotes."""
    for earlier in reversed(before):
        if message.time - earlier.time > SOON:
            return None
        if message.reply_to is not None:
            if earlier.id == message.reply_to:
                return None if earlier.mine else earlier
        elif not earlier.mine and earlier.spoken:
            return earlier
        elif earlier.mine:
            # What I have said since may have been the answer.
            return None
    return None


def _mended(last: Mention, message: Message, right: str) -> Mention | None:
    """What was just told, with the right words in it."""
    wrong = last.statement.said
    if not wrong or wrong not in last.statement.text:
        return None
    said = told(last.statement.text.replace(wrong, right.removeprefix("是").removeprefix("在")))
    if said is None or said.topic != last.statement.topic:
        return None
    return mention(said, message, last.day)
