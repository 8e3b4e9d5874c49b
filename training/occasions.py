"""Every message after which I could have spoken, whether I was the next to speak, and how long I took.

Walks the messages of a chat in order, session by session, and sees each as the bot will: the same
traits, the same watch. Knows no model. Times that are exact to the minute are spread within it, and
no delay is taken from them.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bot.persona.behaviour import Behaviour
from bot.persona.gate import Chance
from bot.persona.latency import Situation, tempo
from bot.persona.message import Message
from bot.persona.watch import FEW, HORIZON, Traits, Watch, features, traits
from training.recording import BURST, situation

QUOTABLE = 2000
"""Newest messages of mine that a quote is found among."""


@dataclass(slots=True, frozen=True)
class Me:
    """How I am known in the records: account ids (names where there are none), and what I am called."""

    ids: Collection[str]
    names: Collection[str]


def me(ids: Collection[str], names: Counter[str], called: str) -> Me:
    """From the senders of my messages and the names I had there; a name of one letter is no name."""
    usual = [name for name, n in names.items() if n * 100 >= names.total()]
    return Me({*ids, *usual}, tuple(dict.fromkeys(name for name in (called, *usual) if len(name) > 1)))


@dataclass(slots=True)
class Occasion:
    """A foreign message, and what I made of it."""

    chat: str
    heard: Traits
    entry: bool
    last3: bool
    """Whether one of the three messages before was mine."""
    values: list[float]
    """The gate's features, but that of the hour and the weekday (0) and the share I answer at all (0)."""
    stranger: float
    """How much of that share belongs into the feature `answered`."""
    tempo: tuple[float, float, float]
    chance: Chance | None
    """What a behaviour said, if there was one to ask."""
    mine: bool = False
    """Whether I was the next to speak, within HORIZON."""
    delay: float | None = None
    """Seconds until I did; None where I didn't, or where times are rough."""

    @property
    def situation(self) -> Situation:
        """Where the delay belongs."""
        return situation(self.heard, entry=self.entry)


@dataclass(slots=True)
class Burst:
    """One reply of mine: bubbles without anybody between, and without a long silence."""

    chat: str
    first: Traits
    bubbles: int = 1
    gaps: list[float] = field(default_factory=list)
    """Seconds before each bubble but the first; none where times are rough."""
    chars: list[int] = field(default_factory=list)
    """Of the bubbles that these gaps are before."""
    quotes: bool = False
    ats: bool = False


@dataclass(slots=True)
class Seen:
    """One message as it was seen, and what it ended."""

    message: Message
    traits: Traits
    occasion: Occasion | None
    """The one before it."""
    burst: Burst | None
    """My reply, if this message isn't part of it."""

    @property
    def replayable(self) -> bool:
        """Whether it may stand in a recording: what a bot or a command of mine said there was no reply of mine."""
        return not self.traits.mine or self.message.spoken


class Observer:
    """Goes through one chat after another. `behaviour`, if given, is asked for its chance at every occasion."""

    def __init__(self, me: Me, behaviour: Behaviour | None = None) -> None:
        self._me, self._behaviour = me, behaviour
        self._chat = ""
        self._begin("")

    def _begin(self, chat: str) -> None:
        self._chat, self._watch = chat, Watch()
        self._quotable: deque[str] = deque(maxlen=QUOTABLE)
        self._ids: set[str] = set()
        self._open: Occasion | None = None
        self._exact = False
        self.burst: Burst | None = None
        """My reply under way."""

    def see(self, session: Sequence[Message]) -> "Iterator[Seen]":
        """The messages of a session, each with what it ended: the occasion before it, and a reply of mine.

        An occasion or a reply is handed out once the next message has shown how it went on; the last
        of a chat, which nobody followed, never. Messages that have only a date are passed over.
        """
        if session and session[0].chat != self._chat:
            self._begin(session[0].chat)
        for message, time in zip(session, _spread(session), strict=True):
            if message.precision == "day":
                continue
            seen = self._traits(message, time)
            exact = message.precision == "s"
            occasion = self._close(message, seen, exact)
            burst = self._burst(message, seen, exact)
            self._watch.hear(seen)
            self._exact = exact
            if not seen.mine and "bot" not in message.flags:
                self._open = self._occasion(seen)
            yield Seen(message, seen, occasion, burst)

    def _traits(self, message: Message, time: float) -> Traits:
        quotes_me = message.reply_to in self._ids
        seen = traits(message, me=self._me.ids, nicknames=self._me.names, quotes_me=quotes_me)
        if message.mine:
            if len(self._quotable) == QUOTABLE:
                self._ids.discard(self._quotable[0])
            self._quotable.append(message.id)
            self._ids.add(message.id)
        return seen if time == seen.time else replace(seen, time=time)

    def _close(self, message: Message, seen: Traits, exact: bool) -> Occasion | None:
        occasion, self._open = self._open, None
        if occasion is None or (seen.mine and not message.spoken):
            # What a bot or a command of mine says there doesn't show what I would have done.
            return None
        gap = max(0.0, seen.time - occasion.heard.time)
        if seen.mine and gap <= HORIZON:
            occasion.mine = True
            occasion.delay = gap if exact and self._exact else None
        return occasion

    def _occasion(self, seen: Traits) -> Occasion:
        watch = self._watch
        said = watch.answers[seen.sender][0]
        return Occasion(
            chat=self._chat,
            heard=seen,
            entry=watch.entry(),
            last3=any(mine for _, mine in watch.recent[-4:-1]),
            values=features(watch, seen, hour=0.0, weekday=0.0, usual=0.0),
            stranger=FEW / (said - 1 + FEW),
            tempo=tempo(watch),
            chance=self._behaviour.chance(watch, seen) if self._behaviour else None,
        )

    def _burst(self, message: Message, seen: Traits, exact: bool) -> Burst | None:
        """My reply that this message ended, if it ended one."""
        burst, gap = self.burst, seen.time - self._watch.last
        spoken = seen.mine and message.spoken
        if burst is not None and spoken and gap <= BURST:
            burst.bubbles += 1
            if exact and self._exact:
                burst.gaps.append(max(0.0, gap))
                burst.chars.append(seen.chars)
            ended = None
        else:
            ended, self.burst = burst, Burst(self._chat, seen) if spoken else None
        if self.burst is not None and spoken:
            self.burst.quotes |= message.reply_to is not None
            self.burst.ats |= any(segment.type == "at" for segment in message.segments)
        return ended


def _spread(session: Sequence[Message]) -> list[float]:
    """The times of the messages; those that are exact to a minute only, evenly within it."""
    times: list[float] = []
    begun = 0
    for place, message in enumerate(session):
        if message.time != session[begun].time:
            begun = place
        times.append(float(message.time))
        last = place + 1 == len(session) or session[place + 1].time != message.time
        if last and message.precision == "min":
            n = place + 1 - begun
            times[begun:] = [message.time + 60.0 * (i + 0.5) / n for i in range(n)]
    return times
