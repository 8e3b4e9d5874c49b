"""One step of the turn engine under way, and what its parts share.

Knows how a reply is dropped and how messages are settled; doesn't know why.
"""

import math
from dataclasses import dataclass, field
from hashlib import blake2b

from bot.events import Action, Cancel, Outcome, Propose, Settle
from bot.owner import account
from bot.turn_state import Call, Chat, Limit, Pace, State, What, Why

_RANGE = float(1 << 64)


@dataclass(slots=True)
class Step:
    """Where something happens, when, and what is to be done so far."""

    state: State
    key: str
    chat: Chat
    now: float
    out: list[Action] = field(default_factory=list)

    @property
    def pace(self) -> Pace:
        return self.state.pace

    @property
    def silent(self) -> What:
        """Why nothing is said in this chat now; empty where something may be."""
        chat = self.chat
        if self.state.halted:
            return "halted"
        if chat.rules.mode == "off":
            return "off"
        if chat.muted_until > self.now:
            return "muted"
        if chat.hushed_until > self.now:
            return "owner" if chat.hushed_by == "owner" else "hushed"
        return ""

    def blocks(self, sender: str) -> bool:
        """Whether somebody of this chat gets no answer; the same number on another platform is somebody else."""
        return account(self.key, sender) in self.state.blocked

    @property
    def proposing(self) -> bool:
        """Whether replies go to the owner, or nowhere, instead of into the chat."""
        return self.chat.rules.mode in ("draft", "shadow")

    def draw(self, *what: object) -> float:
        """A number in (0, 1) that depends on the seed and on what it is drawn for, and on nothing else."""
        name = "/".join(map(str, (self.state.seed, self.key, *what)))
        drawn = int.from_bytes(blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        return (drawn + 0.5) / _RANGE

    def because(self, what: What, *, delay: float | None = None, caps: tuple[Limit, ...] = ()) -> None:
        """Note what was decided about an answer, for whoever asks why."""
        self.chat.why = Why(self.now, what, delay=delay, caps=caps)

    def settle(self, call: Call, outcome: Outcome) -> None:
        """A call ends without an answer. Where I'd have spoken up unasked, nobody waits for one."""
        if call.kind in ("addressed", "private"):
            self.out.append(Settle(self.key, tuple(call.ids), outcome))

    def drop_turn(self) -> None:
        """Nothing more of the reply under way; a bubble on its way can't be stopped."""
        turn, self.chat.turn = self.chat.turn, None
        if turn is not None and not turn.ended:
            self.out.append(Cancel(self.key, turn.id))

    def drop_all(self, outcome: Outcome = "off") -> None:
        turn, calls = self.chat.turn, self.chat.calls
        self.drop_turn()
        if turn is not None and not turn.begun:
            self.settle(turn.call, outcome)
        for call in calls:
            self.settle(call, outcome)
        calls.clear()

    def propose(self, call: Call, turn: int, bubbles: list[str]) -> None:
        """A reply goes to the owner, or nowhere."""
        kind = "draft" if self.chat.rules.mode == "draft" else "shadow"
        answers = tuple(call.ids) if call.kind != "join" else ()
        at = max(self.now, call.speak_at)
        self.out.append(Propose(self.key, turn, tuple(bubbles), answers, kind, at))
        self.settle(call, "drafted" if kind == "draft" else "shadow")


def clamped(value: float, least: float, most: float) -> float:
    return least if value < least else min(value, most)


NEVER = -math.inf
