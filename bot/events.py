"""What the turn engine is told (events), and what it asks for (actions).

Knows ids, times and finished bubbles. An event says what happened in a chat, an action what is to
be done there; both name the chat, and those of one reply its turn. Later events (the owner spoke,
another account's typing) and actions (tell the owner) are further classes here.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Mode = Literal["off", "called"]
"""What a chat gets: silence, or answers when I am called (always, in private)."""
Outcome = Literal["off", "stale", "recalled", "capped", "failed"]
"""Why a message that wanted an answer got none."""
End = Literal["done", "busy", "error", "timeout"]


# Events: what happened.


@dataclass(slots=True, frozen=True)
class Heard:
    """A message. `bare`: an @ of me without a word; `mine`: from my own account."""

    chat: str
    id: str
    sender: str
    time: float
    private: bool = False
    addressed: bool = False
    bare: bool = False
    mine: bool = False


@dataclass(slots=True, frozen=True)
class Recalled:
    chat: str
    id: str


@dataclass(slots=True, frozen=True)
class Muted:
    """The account may not speak there until then; 0: it may again."""

    chat: str
    until: float


@dataclass(slots=True, frozen=True)
class Switched:
    chat: str
    mode: Mode


@dataclass(slots=True, frozen=True)
class Cleared:
    """The chat begins anew: what was asked before is asked no more."""

    chat: str


@dataclass(slots=True, frozen=True)
class Drafted:
    """A bubble of the draft is finished."""

    chat: str
    turn: int
    text: str


@dataclass(slots=True, frozen=True)
class Ended:
    """The draft came to its end, good or bad."""

    chat: str
    turn: int
    end: End


@dataclass(slots=True, frozen=True)
class Sent:
    """The bubble on its way arrived, or (not `ok`) the platform refused it."""

    chat: str
    turn: int
    ok: bool = True


@dataclass(slots=True, frozen=True)
class Clock:
    chat: str


Event: TypeAlias = Heard | Recalled | Muted | Switched | Cleared | Drafted | Ended | Sent | Clock


# Actions: what to do.


@dataclass(slots=True, frozen=True)
class Generate:
    """Draft the reply to these messages, oldest first; `short`: there was no word to answer."""

    chat: str
    turn: int
    ids: tuple[str, ...]
    short: bool = False


@dataclass(slots=True, frozen=True)
class Cancel:
    """The draft is not wanted any more; nothing it still says counts."""

    chat: str
    turn: int


@dataclass(slots=True, frozen=True)
class Send:
    """Send a bubble. `answers`, on the first one: the messages that count as answered from now on."""

    chat: str
    turn: int
    text: str
    quote: str | None = None
    answers: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Wake:
    """A `Clock` is wanted then; replaces an earlier one of that chat."""

    chat: str
    at: float


@dataclass(slots=True, frozen=True)
class Settle:
    """These messages will not be answered, and why."""

    chat: str
    ids: tuple[str, ...]
    outcome: Outcome


Action: TypeAlias = Generate | Cancel | Send | Wake | Settle
