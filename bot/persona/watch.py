"""What the gate sees of a chat: the traits of one message, and a watch over the newest ones.

The same two things for training and the bot, so that a decision rests on what was learned from.
No words are kept and nothing about people but how often each one here was answered; a `Watch` is
plain data of bounded size.
"""

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from bot.persona.message import Message

FLOW = 600.0
"""Seconds after my last message until which I am in the flow of a chat; then speaking is an entry."""
HORIZON = 1800.0
"""Seconds of silence after which whoever speaks next opens a conversation instead of answering."""
RECENT, TIMES, SPEAKERS = 21, 64, 32
"""Bounds of what a watch keeps."""
FEW = 10.0
"""Messages of a speaker that weigh as much as what is usual of everybody."""
MANY = 256
"""Messages of a speaker after which old ones begin to fade."""
RARE = 0.003
"""Added to a share before its logarithm is taken."""

FEATURES = (
    "silence",
    "mine_5",
    "mine_10",
    "mine_20",
    "mine_hour",
    "after_me",
    "addressed",
    "names_me",
    "mentions",
    "to_other",
    "question",
    "length",
    "gap",
    "gap_before",
    "speakers",
    "busy",
    "hour",
    "same_speaker",
    "answered",
    "link",
    "quotes_me",
    "media",
    "weekday",
)
"""What the gate weighs, in order."""

_ASKING = ("吗", "呢", "么", "嘛")


@dataclass(slots=True, frozen=True)
class Traits:
    """One message as the gate sees it. `chars` counts its words, not its media; `time` is in UTC seconds."""

    sender: str
    time: float
    mine: bool = False
    private: bool = False
    addressed: bool = False
    """To me: by @, by quote, or as the platform says."""
    names_me: bool = False
    quotes_me: bool = False
    to_other: bool = False
    """By @ or quote to somebody else."""
    question: bool = False
    chars: int = 0
    link: bool = False
    media: bool = False
    """Nothing but media."""


def traits(
    message: Message,
    *,
    me: Collection[str],
    nicknames: Collection[str],
    quotes_me: bool = False,
    addressed: bool = False,
) -> Traits:
    """The traits of a message. `me`: my account ids; `quotes_me`: it answers a line of mine."""
    words, ats = "", [s.id or s.name for s in message.segments if s.type == "at"]
    for segment in message.segments:
        if segment.type == "text":
            words += segment.text
    at_me = any(who in me for who in ats)
    quotes_other = message.reply_to is not None and not quotes_me
    words = words.strip()
    folded = words.casefold()
    return Traits(
        sender=message.sender,
        time=float(message.time),
        mine=message.mine,
        private=message.kind == "private",
        addressed=addressed or at_me or quotes_me,
        names_me=any(name.casefold() in folded for name in nicknames if name),
        quotes_me=quotes_me,
        to_other=quotes_other or (not at_me and any(who != "all" for who in ats)),
        question="?" in words or "？" in words or words.endswith(_ASKING),
        chars=len(words),
        link="://" in words or "www." in folded,
        media=message.bare_media,
    )


@dataclass(slots=True)
class Watch:
    """The newest messages of one chat, in order, mine too. Bounded: a few kilobytes at most."""

    recent: list[tuple[str, bool]] = field(default_factory=list)
    """Sender, and whether it was I; up to RECENT."""
    calls: list[bool] = field(default_factory=list)
    """Whether each of the last four mentioned me, before the newest."""
    times: list[float] = field(default_factory=list)
    """Of the last five minutes, up to TIMES."""
    mine: list[float] = field(default_factory=list)
    """Of my messages in the last hour, up to TIMES."""
    spoke: float = -math.inf
    """When I spoke last."""
    last: float = -math.inf
    """When anybody spoke last."""
    gap: float = HORIZON
    gap_before: float = HORIZON
    """Seconds before the newest message, and before the one before it."""
    answers: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Speaker → messages, and how many of them I was the next to speak after; up to SPEAKERS."""

    def hear(self, heard: Traits) -> None:
        """Take in the next message of the chat."""
        now = max(heard.time, self.last)
        self.gap_before, self.gap = self.gap, min(now - self.last, HORIZON)
        self._count(heard, now - self.last)
        if heard.mine:
            self.spoke = now
            self.mine = _newest(self.mine, now, 3600.0)
        self.times = _newest(self.times, now, 300.0)
        self.recent = [*self.recent[1 - RECENT :], (heard.sender, heard.mine)]
        self.calls = [*self.calls[-4:], not heard.mine and (heard.addressed or heard.names_me)]
        self.last = now

    def entry(self) -> bool:
        """Whether I have been silent for so long that speaking now would be an entry."""
        return self.last - self.spoke > FLOW

    def share(self, of: int = 20) -> float:
        """My share of the newest messages."""
        newest = self.recent[-of:]
        return sum(mine for _, mine in newest) / of

    def _count(self, heard: Traits, gap: float) -> None:
        if heard.mine:
            if self.recent and not self.recent[-1][1] and gap <= HORIZON:
                sender = self.recent[-1][0]
                said, answered = self.answers.get(sender, (1.0, 0.0))
                self.answers[sender] = said, answered + 1
            return
        said, answered = self.answers.pop(heard.sender, (0.0, 0.0))
        if said >= MANY:
            said, answered = said / 2, answered / 2
        elif not said and len(self.answers) >= SPEAKERS:
            del self.answers[next(iter(self.answers))]
        # The newest stands last, so that the first is the one who has been silent longest.
        self.answers[heard.sender] = said + 1, answered


def features(watch: Watch, heard: Traits, *, hour: float, weekday: float, usual: float) -> list[float]:
    """The numbers the gate weighs, in the order of FEATURES, once `watch` has heard the message.

    `hour` and `weekday`: how much I speak then; `usual`: the share of messages that I answer at all.
    """
    flags = [mine for _, mine in watch.recent[:-1]]
    now, previous = watch.last, watch.recent[-2] if len(watch.recent) > 1 else ("", False)
    said, answered = watch.answers.get(heard.sender, (1.0, 0.0))
    return [
        math.log1p(min(now - watch.spoke, 1e6)),
        float(sum(flags[-5:])),
        float(sum(flags[-10:])),
        float(sum(flags)),
        math.log1p(_since(watch.mine, now - 3600.0)),
        float(previous[1]),
        float(heard.addressed),
        float(heard.names_me),
        float(sum(watch.calls[:-1])),
        float(heard.to_other),
        float(heard.question),
        math.log1p(heard.chars),
        math.log1p(watch.gap),
        math.log1p(watch.gap_before),
        float(len({sender for sender, _ in watch.recent[-10:]})),
        math.log1p(_since(watch.times, now - 300.0)),
        hour,
        float(previous[0] == heard.sender),
        # The newest message isn't answered yet: it says nothing about its speaker.
        math.log((answered + FEW * usual) / (said - 1 + FEW) + RARE),
        float(heard.link),
        float(heard.quotes_me),
        float(heard.media),
        weekday,
    ]


def _since(times: Sequence[float], begin: float) -> int:
    return len(times) - bisect_right(times, begin)


def _newest(times: list[float], now: float, span: float) -> list[float]:
    return [*times[max(bisect_right(times, now - span), len(times) + 1 - TIMES) :], now]
