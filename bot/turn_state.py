"""What the turn engine remembers: plain data, so that it can be copied, compared and kept.

A state covers all chats; of a quiet chat nothing is kept (see `bot.turns.forget_idle`), and all that
is kept of a chat or about people is bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bot.events import Hush
from bot.persona.watch import Watch
from bot.rules import Rules
from config.settings import Bot

CallKind = Literal["addressed", "private", "join", "said"]
What = Literal[
    "",
    "answering",
    "joining",
    "silent",
    "off",
    "muted",
    "hushed",
    "owner",
    "halted",
    "blocked",
    "bot",
    "cooldown",
    "stale",
    "night",
    "share",
    "shy",
    "guest",
    "capped",
    "failed",
    "recalled",
    "expired",
]
"""What became of the newest message, or of the reply to it."""
Limit = Literal["minute", "gap", "user", "day"]


@dataclass(slots=True, frozen=True)
class Pace:
    """The knobs, in seconds and counts."""

    debounce: float = 1.8
    """For a sender whose own gaps aren't known yet."""
    debounce_max: float = 10.0
    stale: float = 120.0
    delays: float = 1.0
    """Of the learned delays and pauses: 1 as they are, 0 none."""
    bubble_pause: float = 1.2
    """Where pauses weren't learned."""
    max_bubbles: int = 4
    restarts: int = 2
    quote_after: int = 4
    bare_wait: float = 4.0
    per_minute: int = 6
    """Bubbles in a chat."""
    per_user: int = 6
    """Replies to a person in a minute, over all chats."""
    per_day: int = 2000
    """Bubbles of the account."""
    gap: float = 0.5
    """Between any two bubbles of the account."""
    takeover: float = 600.0
    """Silence in a chat after the owner's own line."""
    join_expires: float = 30.0
    """A reply that nobody asked for is dropped when it comes so much later than I would have spoken."""
    poke_cooldown: float = 60.0
    rally: bool = True
    """Whether a talk with what behaves like a bot is broken off."""
    kept_lines: int = 2
    """Foreign lines between two bubbles after which the rest may still be said."""
    utc_offset: float = 8 * 3600.0
    """Where the account's day begins."""
    typing: float = 0.12
    """Of one character, where pauses weren't learned."""
    typing_max: float = 4.0
    retries: tuple[float, ...] = (2.0, 8.0, 30.0, 60.0)
    """Waits before a draft that the engine failed is tried again."""

    @classmethod
    def of(cls, settings: Bot) -> "Pace":
        return cls(
            debounce=settings.debounce,
            debounce_max=settings.debounce_max,
            stale=settings.stale,
            delays=settings.delays,
            bubble_pause=settings.bubble_pause,
            max_bubbles=settings.max_bubbles,
            per_minute=settings.per_minute,
            per_day=settings.per_day,
            takeover=settings.takeover,
        )


@dataclass(slots=True, frozen=True)
class Why:
    """The last decision in a chat."""

    time: float = 0.0
    what: What = ""
    p: float | None = None
    """How likely I was to speak up; `drawn` below it means that I do."""
    drawn: float | None = None
    strongest: tuple[tuple[str, float], ...] = ()
    delay: float | None = None
    caps: tuple[Limit, ...] = ()


@dataclass(slots=True)
class Call:
    """Why I am about to speak: what one sender said to me and waits for (a burst is one call), a talk
    I join, or bubbles I am told to say."""

    sender: str
    ids: list[str]
    first: float
    last: float
    due: float
    """When a draft of it may begin."""
    place: int
    """How many foreign messages the chat had when the newest of these came."""
    kind: CallKind = "addressed"
    bare: bool = False
    behind: bool = False
    """Somebody else was waiting for me already."""
    entry: bool = False
    u: float = 0.0
    """The quantile of my delay that was drawn for it."""
    speak_at: float = 0.0
    """Not to be answered before."""
    waits_until: float = 0.0
    """Until then it waits of my own will, and doesn't grow stale."""
    restarts: int = 0
    retries: int = 0
    bubbles: Sequence[str] = ()
    """What is to be said as it is."""
    quote: str | None = None
    author: str = ""
    why: Why = Why()


@dataclass(slots=True)
class Turn:
    """The reply being drafted and sent."""

    id: int
    call: Call
    since: float = 0.0
    bubbles: list[str] = field(default_factory=list)
    """Drafted, not yet sent."""
    drafted: int = 0
    ended: bool = False
    begun: int = 0
    """Bubbles sent or on their way; from the first one on there is no way back."""
    sent_at: float = 0.0
    read_until: float = 0.0
    """Somebody spoke between my bubbles: read first."""
    lines: int = 0
    """Foreign messages since my last bubble."""


Rhythm: TypeAlias = dict[str, tuple[float, float]]
"""Sender → when they spoke last, and their usual gap within a burst (0: unknown)."""


@dataclass(slots=True)
class Chat:
    rules: Rules = field(default_factory=Rules)
    muted_until: float = 0.0
    hushed_until: float = 0.0
    hushed_by: Hush = "command"
    calls: list[Call] = field(default_factory=list)
    turn: Turn | None = None
    in_flight: int = 0
    """The turn whose bubble is on its way; 0: none."""
    flying: str = ""
    """That bubble."""
    heard: int = 0
    """Foreign messages so far."""
    heard_at: float = 0.0
    """When the newest came."""
    watch: Watch = field(default_factory=Watch)
    rhythm: Rhythm = field(default_factory=dict)
    sends: list[float] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)
    """Message id → until when a second copy would not be stale yet."""
    met: bool = False
    """Called once; no guest any more."""
    joined_at: float = 0.0
    """When I last spoke up unasked, while it isn't known whether anybody minded; 0: known."""
    ignored: int = 0
    """Times in a row that the talk ended with me, after I had spoken up."""
    shy_until: float = 0.0
    poked_at: float = 0.0
    rally: tuple[str, int, int, float] = ("", 0, 0, 0.0)
    """Who answers me, how often in a row like a fast machine and like a slower one, and to which bubble."""
    last_call: Call | None = None
    """The one I answered last, for `Retry`."""
    why: Why = Why()
    why_said: Why = Why()
    """Of the reply I said last."""

    @property
    def joining(self) -> bool:
        """Whether I may speak up here by myself (T32)."""
        return self.rules.joining and (self.met or not self.rules.guest)


@dataclass(slots=True)
class State:
    """Everything the engine remembers, over all chats."""

    pace: Pace = field(default_factory=Pace)
    seed: int = 0
    turns: int = 0
    chats: dict[str, Chat] = field(default_factory=dict)
    halted: bool = False
    blocked: frozenset[str] = frozenset()
    bots: frozenset[str] = frozenset()
    rallies: dict[str, float] = field(default_factory=dict)
    """Who was found to answer like a machine → until when they get no answer."""
    users: dict[str, list[float]] = field(default_factory=dict)
    """Sender → when replies to them began, in the last minute."""
    day: int = 0
    sent_today: int = 0
    sent_at: float = 0.0
    """The account's last bubble."""
    drafting: float = 0.0
    """Seconds that a draft takes up to its first bubble, smoothed."""
