"""What the turn engine is told (events), and what it asks for (actions).

Knows ids, times and finished bubbles. An event says what happened in a chat, an action what is to
be done there; both name the chat, and those of one reply its turn. What concerns all chats at once
(blocked people, the emergency stop) has the chat "".
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.engine.wire import Rank
from bot.persona.watch import Traits
from bot.rules import Rules

Outcome = Literal["off", "stale", "recalled", "capped", "failed", "owner", "bot", "cooldown", "drafted", "shadow"]
"""Why a message that wanted an answer got none (from me, now): the chat is off or silenced, it came too
late, it was taken back, a limit, the engine, the owner answered, its sender is a bot, I was poked again
too soon; or it went to the owner as a draft, or was only drafted."""
End = Literal["done", "busy", "error", "timeout"]
Hush = Literal["command", "owner"]
"""Why a chat is silenced for a while: somebody said so, or the owner is speaking there."""
Proposed = Literal["draft", "shadow"]


# Events: what happened.


@dataclass(slots=True, frozen=True)
class Heard:
    """A message.

    `bare`: an @ of me without a word; `poke`: no message but a poke of me; `mine`: from my own account,
    not sent by the bot; `owner`: the owner, from there or by another account; `bot`: its sender is known
    to be one; `held`: it waited for my night to end, over a restart, and isn't late. `traits`: what the
    gate sees of it; without them it can't be joined in.
    """

    chat: str
    id: str
    sender: str
    time: float
    private: bool = False
    addressed: bool = False
    bare: bool = False
    mine: bool = False
    owner: bool = False
    bot: bool = False
    poke: bool = False
    held: bool = False
    traits: Traits | None = None


@dataclass(slots=True, frozen=True)
class Before:
    """What was said in a chat before the engine knew it, oldest first: context, never answered."""

    chat: str
    traits: tuple[Traits, ...]


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
class Hushed:
    """I am to keep silent there until then; 0: no longer."""

    chat: str
    until: float
    why: Hush = "command"


@dataclass(slots=True, frozen=True)
class Ruled:
    """From now on these rules hold in a chat."""

    chat: str
    rules: Rules


@dataclass(slots=True, frozen=True)
class Cleared:
    """The chat begins anew: what was asked before is asked no more."""

    chat: str


@dataclass(slots=True, frozen=True)
class Stopped:
    """Nothing more of what is under way there."""

    chat: str


@dataclass(slots=True, frozen=True)
class Retry:
    """Answer the last call of the chat once more; where that is forgotten, this message."""

    chat: str
    id: str = ""
    sender: str = ""


@dataclass(slots=True, frozen=True)
class Said:
    """Bubbles to be sent as they are: by command, or a draft that the owner sends. May quote and answer."""

    chat: str
    bubbles: tuple[str, ...]
    quote: str | None = None
    answers: tuple[str, ...] = ()
    author: str = ""
    """Whose words they are, for the history; empty: the persona's."""


@dataclass(slots=True, frozen=True)
class Blocked:
    """From now on these people, and these bots, get no answer anywhere; replaces what was told before."""

    people: frozenset[str]
    bots: frozenset[str]
    chat: str = ""


@dataclass(slots=True, frozen=True)
class Halted:
    """The emergency stop: silence everywhere, or (not `on`) its end."""

    on: bool
    chat: str = ""


@dataclass(slots=True, frozen=True)
class Counted:
    """What was sent before the engine knew it: `sent` bubbles of the account today, in the chat "";
    else in that chat within the last minute, at these times and as replies to these people."""

    chat: str = ""
    sent: int = 0
    times: tuple[float, ...] = ()
    to: tuple[str, ...] = ()


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


Event: TypeAlias = (
    Heard
    | Before
    | Recalled
    | Muted
    | Hushed
    | Ruled
    | Cleared
    | Stopped
    | Retry
    | Said
    | Blocked
    | Halted
    | Counted
    | Drafted
    | Ended
    | Sent
    | Clock
)


# Actions: what to do.


@dataclass(slots=True, frozen=True)
class Generate:
    """Draft a reply to a chat as it is.

    `ids` are the messages it goes back to, oldest first; `answering` those of them that were said to me
    (none where I join in). `short`: there was no word to answer.
    """

    chat: str
    turn: int
    ids: tuple[str, ...]
    short: bool = False
    rank: Rank = "addressed"
    answering: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Cancel:
    """The draft is not wanted any more; nothing it still says counts."""

    chat: str
    turn: int


@dataclass(slots=True, frozen=True)
class Send:
    """Send a bubble. `answers`, on the first one: the messages that count as answered from now on;
    `at`: whose name it begins with."""

    chat: str
    turn: int
    text: str
    quote: str | None = None
    answers: tuple[str, ...] = ()
    at: str | None = None
    author: str = ""


@dataclass(slots=True, frozen=True)
class Propose:
    """A whole reply that isn't sent: the owner decides about it, or it is only kept.

    `at` is when its first bubble would have gone out. In shadow `bubbles` may be empty: the owner was
    faster than the draft.
    """

    chat: str
    turn: int
    bubbles: tuple[str, ...]
    answers: tuple[str, ...]
    kind: Proposed
    at: float


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


@dataclass(slots=True, frozen=True)
class TellOwner:
    """The owner should know: why somebody who called gets nothing."""

    chat: str
    reason: Literal["capped", "failed", "bot", "money"]


Action: TypeAlias = Generate | Cancel | Send | Propose | Wake | Settle | TellOwner
