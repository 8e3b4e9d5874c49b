"""What the turn engine remembers: plain data, so that it can be copied, compared and kept.

A state covers all chats; of a quiet chat nothing is kept (see `bot.turns.forget_idle`). What
counts over days or users (limits, learned delays, the owner's own lines) is a further field here.
"""

from dataclasses import dataclass, field

from bot.events import Mode
from config.settings import Bot


@dataclass(slots=True, frozen=True)
class Pace:
    """The knobs, in seconds and counts."""

    debounce: float = 1.8
    debounce_max: float = 10.0
    stale: float = 120.0
    bubble_pause: float = 1.2
    max_bubbles: int = 4
    restarts: int = 2
    quote_after: int = 4
    bare_wait: float = 4.0
    per_minute: int = 6
    typing: float = 0.12
    """Of one character."""
    typing_max: float = 4.0
    retries: tuple[float, ...] = (2.0, 8.0, 30.0, 60.0)
    """Waits before a draft that the engine failed is tried again."""

    @classmethod
    def of(cls, settings: Bot) -> "Pace":
        return cls(
            debounce=settings.debounce,
            debounce_max=settings.debounce_max,
            stale=settings.stale,
            bubble_pause=settings.bubble_pause,
            max_bubbles=settings.max_bubbles,
        )


@dataclass(slots=True)
class Call:
    """What one sender said to me and waits for: a burst is one call."""

    sender: str
    ids: list[str]
    first: float
    last: float
    due: float
    place: int
    """How many foreign messages the chat had when the newest of these came."""
    bare: bool = False
    behind: bool = False
    """Somebody else was waiting for me already."""
    restarts: int = 0
    retries: int = 0


@dataclass(slots=True)
class Turn:
    """The reply being drafted and sent."""

    id: int
    call: Call
    bubbles: list[str] = field(default_factory=list)
    """Drafted, not yet sent."""
    drafted: int = 0
    ended: bool = False
    begun: int = 0
    """Bubbles sent or on their way; from the first one on there is no way back."""
    sent_at: float = 0.0


@dataclass(slots=True)
class Chat:
    mode: Mode = "off"
    muted_until: float = 0.0
    calls: list[Call] = field(default_factory=list)
    turn: Turn | None = None
    in_flight: int = 0
    """The turn whose bubble is on its way; 0: none."""
    heard: int = 0
    """Foreign messages so far."""
    sends: list[float] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)
    """Message id → until when a second copy would not be stale yet."""


@dataclass(slots=True)
class State:
    """Everything the engine remembers, over all chats."""

    pace: Pace = field(default_factory=Pace)
    seed: int = 0
    turns: int = 0
    chats: dict[str, Chat] = field(default_factory=dict)
