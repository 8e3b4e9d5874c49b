"""The turn engine: decides whether, when and in how many bubbles to speak.

`step(state, event, now)` takes what happened and returns what to do. No I/O, no clock, no sleep;
what is drawn comes from the seed in the state, so a run replays exactly. The state is plain data.
Knows ids, times and lengths; doesn't know prompts, engines or platforms. Live chat and tests
drive this same code. The invariants T1, T2, … are those of tests/bot/test_turns.py.

What is heard from one sender becomes a `Call`; calls of a chat queue up in order; the first one
becomes the chat's one `Turn`:

    Heard ─▶ Call ──debounce, a free slot──▶ Turn: drafting ──▶ bubbles ──paced──▶ Sent … ─▶ next call
               ▲        asker speaks, busy, error     │            │
               └──────────────────────────────────────┘            └ somebody speaks: the rest is dropped

Where it grows: a new mode of a chat is a case in `_wanted`; a learned delay or gate is a later
`Call.due`; a learned pause is `_bubble_due`; limits over users and days stand beside `_slot`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bot.events import (
    Action,
    Cancel,
    Cleared,
    Clock,
    Drafted,
    Ended,
    Event,
    Generate,
    Heard,
    Muted,
    Outcome,
    Recalled,
    Send,
    Sent,
    Settle,
    Switched,
    Wake,
)
from bot.turn_state import Call, Chat, Pace, State, Turn

MINUTE = 60.0


@dataclass(slots=True)
class _Step:
    """One step under way: where it happens, when, and what is to be done so far."""

    state: State
    key: str
    chat: Chat
    now: float
    out: list[Action] = field(default_factory=list)

    @property
    def pace(self) -> Pace:
        return self.state.pace

    def settle(self, ids: list[str], outcome: Outcome) -> None:
        self.out.append(Settle(self.key, tuple(ids), outcome))

    def drop_turn(self) -> None:
        """Nothing more of the reply under way; a bubble on its way can't be stopped."""
        turn, self.chat.turn = self.chat.turn, None
        if turn is not None and not turn.ended:
            self.out.append(Cancel(self.key, turn.id))

    def drop_all(self) -> None:
        turn, calls = self.chat.turn, self.chat.calls
        self.drop_turn()
        if turn is not None and not turn.begun:
            self.settle(turn.call.ids, "off")
        for call in calls:
            self.settle(call.ids, "off")
        calls.clear()


def step(state: State, event: Event, now: float) -> list[Action]:
    """What to do after this event. Changes the state, and nothing else."""
    at = _Step(state, event.chat, state.chats.setdefault(event.chat, Chat()), now)
    if not isinstance(event, Clock):
        _HANDLERS[type(event)](at, event)
    _go_on(at)
    return at.out


def forget_idle(state: State, now: float) -> None:
    """Drop the chats of which nothing needs to be remembered; their mode must be told again."""
    for key, chat in list(state.chats.items()):
        busy = chat.calls or chat.turn or chat.in_flight or chat.muted_until > now
        resting = all(at + MINUTE <= now for at in chat.sends) and all(until <= now for until in chat.seen.values())
        if resting and not busy:
            del state.chats[key]


def _heard(at: _Step, event: Heard) -> None:
    chat, turn = at.chat, at.chat.turn
    if event.mine or event.id in chat.seen:
        return
    _remember(at, event.id, event.time)
    wanted = _wanted(chat, event)
    if at.now - event.time > at.pace.stale:
        if wanted:
            at.settle([event.id], "stale")
        return
    chat.heard += 1
    behind = _others_wait(chat, event.sender)
    if turn is not None and turn.begun:
        at.drop_turn()
    if not wanted:
        return
    if chat.mode == "off" or chat.muted_until > at.now:
        at.settle([event.id], "off")
    elif not _restarted(at, event):
        _call(at, event, behind)


def _wanted(chat: Chat, event: Heard) -> bool:
    """Whether this message gets an answer: called, in private, or going on with what was asked."""
    if event.private or event.addressed:
        return True
    asking = chat.turn is not None and chat.turn.call.sender == event.sender
    return asking or any(call.sender == event.sender for call in chat.calls)


def _others_wait(chat: Chat, sender: str) -> bool:
    """Whether somebody else's answer is still to come, so that mine will not stand below its question."""
    turn = chat.turn
    if turn is not None and turn.call.sender != sender and (not turn.begun or chat.in_flight == turn.id):
        return True
    return any(call.sender != sender for call in chat.calls)


def _remember(at: _Step, message: str, time: float) -> None:
    seen = at.chat.seen
    while seen and next(iter(seen.values())) <= at.now:
        del seen[next(iter(seen))]
    seen[message] = max(at.now, time) + at.pace.stale


def _restarted(at: _Step, event: Heard) -> bool:
    """The asker goes on, and nothing of the answer is out (else it was dropped): listen on, then draft anew."""
    turn = at.chat.turn
    if turn is None or turn.call.sender != event.sender or turn.call.restarts >= at.pace.restarts:
        return False
    at.drop_turn()
    turn.call.restarts += 1
    turn.call.first = at.now
    at.chat.calls.insert(0, turn.call)
    _join(at, turn.call, event)
    return True


def _call(at: _Step, event: Heard, behind: bool) -> None:
    call = next((call for call in at.chat.calls if call.sender == event.sender), None)
    if call is not None:
        _join(at, call, event)
        return
    wait = at.pace.bare_wait if event.bare else at.pace.debounce
    call = Call(event.sender, [event.id], at.now, at.now, at.now + wait, at.chat.heard, event.bare, behind)
    at.chat.calls.append(call)


def _join(at: _Step, call: Call, event: Heard) -> None:
    call.ids.append(event.id)
    call.bare = call.bare and event.bare
    call.last, call.place = at.now, at.chat.heard
    due = min(at.now + at.pace.debounce, call.first + at.pace.debounce_max)
    # A retry that is waited for is not brought forward.
    call.due = max(call.due, due) if call.retries else due


def _recalled(at: _Step, event: Recalled) -> None:
    chat, turn = at.chat, at.chat.turn
    _remember(at, event.id, at.now)
    if turn is not None and event.id in turn.call.ids:
        at.drop_turn()
        if not turn.begun:
            turn.call.due = at.now
            chat.calls.insert(0, turn.call)
    for call in [call for call in chat.calls if event.id in call.ids]:
        call.ids.remove(event.id)
        if not call.ids:
            chat.calls.remove(call)
        at.settle([event.id], "recalled")


def _muted(at: _Step, event: Muted) -> None:
    at.chat.muted_until = event.until
    if event.until > at.now:
        at.drop_all()


def _switched(at: _Step, event: Switched) -> None:
    at.chat.mode = event.mode
    if event.mode == "off":
        at.drop_all()


def _drafted(at: _Step, event: Drafted) -> None:
    turn = at.chat.turn
    if turn is None or turn.id != event.turn or turn.ended:
        return
    turn.bubbles.append(event.text)
    turn.drafted += 1
    if turn.drafted >= (1 if turn.call.bare else at.pace.max_bubbles):
        turn.ended = True
        at.out.append(Cancel(at.key, turn.id))


def _ended(at: _Step, event: Ended) -> None:
    turn = at.chat.turn
    if turn is None or turn.id != event.turn or turn.ended:
        return
    turn.ended = True
    if turn.drafted:
        return
    at.chat.turn = None
    call = turn.call
    # An empty draft is drawn once more; what took too long once would again.
    waits = {"done": (0.0,), "timeout": ()}.get(event.end, at.pace.retries)
    if call.retries >= len(waits):
        at.settle(call.ids, "failed")
        return
    call.due = at.now + waits[call.retries]
    call.retries += 1
    at.chat.calls.insert(0, call)


def _sent(at: _Step, event: Sent) -> None:
    turn = at.chat.turn
    if at.chat.in_flight != event.turn:
        return
    at.chat.in_flight = 0
    if turn is not None and turn.id == event.turn:
        turn.sent_at = at.now
        if not event.ok:
            at.drop_turn()


_HANDLERS: dict[type[Any], Callable[[_Step, Any], None]] = {
    Heard: _heard,
    Recalled: _recalled,
    Muted: _muted,
    Switched: _switched,
    Cleared: lambda at, _: at.drop_all(),
    Drafted: _drafted,
    Ended: _ended,
    Sent: _sent,
}


def _go_on(at: _Step) -> None:
    """Whatever is due: the next bubble, else the next turn; and when to look again."""
    if at.chat.turn is not None and not at.chat.in_flight:
        _send_next(at, at.chat.turn)
    if at.chat.turn is None and not at.chat.in_flight:
        _begin(at)


def _send_next(at: _Step, turn: Turn) -> None:
    if not turn.bubbles:
        at.chat.turn = None if turn.ended else turn
    elif turn.begun and _slot(at) > at.now:
        at.drop_turn()
    elif (due := _bubble_due(at.state, turn)) > at.now:
        at.out.append(Wake(at.key, due))
    else:
        _send(at, turn)


def _send(at: _Step, turn: Turn) -> None:
    first, call = turn.begun == 0, turn.call
    moved_on = call.behind or at.chat.heard - call.place >= at.pace.quote_after
    quote = call.ids[-1] if first and moved_on else None
    answers = tuple(call.ids) if first else ()
    at.out.append(Send(at.key, turn.id, turn.bubbles.pop(0), quote, answers))
    turn.begun += 1
    at.chat.in_flight = turn.id
    at.chat.sends = [*_recent_sends(at), at.now]


def _bubble_due(state: State, turn: Turn) -> float:
    """The first bubble at once, each other after a pause and the time it takes to type it."""
    if not turn.begun:
        return -math.inf
    drawn = Random(f"{state.seed}/{turn.id}/{turn.begun}").uniform(0.8, 1.2)
    typing = min(state.pace.typing_max, state.pace.typing * len(turn.bubbles[0]))
    return turn.sent_at + drawn * (state.pace.bubble_pause + typing)


def _begin(at: _Step) -> None:
    while at.chat.calls:
        call = at.chat.calls[0]
        start = max(call.due, _slot(at))
        if start > at.now:
            at.out.append(Wake(at.key, start))
            return
        at.chat.calls.pop(0)
        if at.now - call.last > at.pace.stale:
            at.settle(call.ids, "capped")
            continue
        at.state.turns += 1
        at.chat.turn = Turn(at.state.turns, call)
        at.out.append(Generate(at.key, at.state.turns, tuple(call.ids), call.bare))
        return


def _slot(at: _Step) -> float:
    """When the chat may be sent something again."""
    recent = _recent_sends(at)
    return recent[-at.pace.per_minute] + MINUTE if len(recent) >= at.pace.per_minute else at.now


def _recent_sends(at: _Step) -> list[float]:
    return [sent for sent in at.chat.sends if sent + MINUTE > at.now]
