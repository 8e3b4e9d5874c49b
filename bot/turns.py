"""The turn engine: decides whether, when and in how many bubbles to speak.

`step(state, event, now)` takes what happened and returns what to do. No I/O, no clock, no sleep;
what is drawn comes from the seed in the state, so a run replays exactly. The state is plain data.
Knows ids, times and lengths; doesn't know prompts, engines or platforms. Live chat, the replay of
records and tests drive this same code. The invariants T1, T2, … are those of tests/bot/test_turns*.py.

What is heard from one sender becomes a `Call`, and so does a talk that I join; calls of a chat queue up
in order; the first one becomes the chat's one `Turn`:

    Heard ─▶ Call ──debounce, delay, a free slot──▶ Turn: drafting ──▶ bubbles ──paced──▶ Sent … ─▶ next call
               ▲        asker speaks, busy, error     │            │
               └──────────────────────────────────────┘            └ the talk moves on: the rest is dropped

Without a runner it is driven by a loop: feed events in order of time, each with `now`; a `Wake` asks for a
`Clock` then, and a later one of the same chat replaces it; answer a `Generate` with `Drafted`… and `Ended`
(or a `Cancel` comes first), a `Send` with `Sent`. A chat begins with `Ruled`; my own lines that the engine
has sent are not heard again. training/closed_loop.py does just that on the clock of records.

    turn_heard   what a message becomes          turn_limits  how much may be said
    turn_waits   how long a call waits           turn_bots    who is a machine
    turn_speaks  how a reply is drafted and spoken
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.events import (
    Action,
    Before,
    Blocked,
    Cleared,
    Clock,
    Counted,
    Drafted,
    Ended,
    Event,
    Halted,
    Heard,
    Hushed,
    Muted,
    Recalled,
    Retry,
    Ruled,
    Said,
    Sent,
    Stopped,
)
from bot.turn_heard import heard, remember
from bot.turn_limits import DAY, MINUTE
from bot.turn_speaks import drafted, ended, go_on, sent
from bot.turn_state import Call, Chat, State
from bot.turn_step import Step

WATCHED = 3600.0
"""Seconds without a word after which a chat that I might join is forgotten."""
CHATS = 4096
"""Chats that are remembered though nothing is under way in them."""


def step(state: State, event: Event, now: float) -> list[Action]:
    """What to do after this event. Changes the state, and nothing else."""
    if not event.chat:
        return _everywhere(state, event, now)
    chat = state.chats.get(event.chat)
    if chat is None:
        chat = state.chats[event.chat] = Chat()
    at = Step(state, event.chat, chat, now)
    if not isinstance(event, Clock):
        _HANDLERS[type(event)](at, event)
    if chat.turn is not None or chat.calls:
        go_on(at)
    return at.out


def forget_idle(state: State, now: float) -> None:
    """Drop the chats of which nothing needs to be remembered; their rules must be told again."""
    idle = [(chat.heard_at, key) for key, chat in state.chats.items() if _rests(chat, now)]
    spare = len(state.chats) - CHATS
    for place, (heard_at, key) in enumerate(sorted(idle)):
        if place < spare or not state.chats[key].rules.joining or heard_at + WATCHED <= now:
            del state.chats[key]
    for sender in [sender for sender, begun in state.users.items() if begun[-1] + MINUTE <= now]:
        del state.users[sender]


def _rests(chat: Chat, now: float) -> bool:
    silenced = max(chat.muted_until, chat.hushed_until, chat.shy_until) > now
    if chat.calls or chat.turn or chat.in_flight or silenced:
        return False
    return all(at + MINUTE <= now for at in chat.sends) and all(until <= now for until in chat.seen.values())


def _everywhere(state: State, event: Event, now: float) -> list[Action]:
    """What concerns all chats."""
    if isinstance(event, Blocked):
        state.blocked, state.bots = event.people, event.bots
    elif isinstance(event, Halted):
        state.halted = event.on
    elif isinstance(event, Counted):
        state.day, state.sent_today = int((now + state.pace.utc_offset) // DAY), event.sent
    out: list[Action] = []
    for key, chat in state.chats.items():
        at = Step(state, key, chat, now, out)
        if isinstance(event, Halted) and event.on:
            at.drop_all()
        elif isinstance(event, Blocked):
            _drop_unanswerable(at)
            go_on(at)
    return out


def _drop_unanswerable(at: Step) -> None:
    turn = at.chat.turn
    if turn is not None and _barred(at, turn.call):
        at.drop_turn()
        if not turn.begun:
            at.settle(turn.call, "off")
    for call in [call for call in at.chat.calls if _barred(at, call)]:
        at.chat.calls.remove(call)
        at.settle(call, "off")


def _barred(at: Step, call: Call) -> bool:
    return at.blocks(call.sender) or call.sender in at.state.bots


def _before(at: Step, event: Before) -> None:
    for traits in event.traits:
        at.chat.watch.hear(traits)


def _counted(at: Step, event: Counted) -> None:
    at.chat.sends = [*event.times]
    for sender in event.to:
        at.state.users[sender] = [*at.state.users.get(sender, ()), *event.times[-1:]]


def _recalled(at: Step, event: Recalled) -> None:
    chat, turn = at.chat, at.chat.turn
    remember(at, event.id, at.now)
    if chat.last_call is not None and event.id in chat.last_call.ids:
        left = [known for known in chat.last_call.ids if known != event.id]
        chat.last_call = replace(chat.last_call, ids=left) if left else None
    if turn is not None and event.id in turn.call.ids:
        at.drop_turn()
        if not turn.begun:
            turn.call.due = at.now
            chat.calls.insert(0, turn.call)
    for call in [call for call in chat.calls if event.id in call.ids]:
        at.because("recalled")
        gone = replace(call, ids=[event.id])
        moved_me = call.kind == "join" and call.ids[0] == event.id
        call.ids.remove(event.id)
        if moved_me or not call.ids:
            chat.calls.remove(call)
        at.settle(gone, "recalled")


def _muted(at: Step, event: Muted) -> None:
    at.chat.muted_until = event.until
    if event.until > at.now:
        at.drop_all()


def _hushed(at: Step, event: Hushed) -> None:
    at.chat.hushed_until, at.chat.hushed_by = event.until, event.why
    if event.until > at.now:
        at.drop_all("owner" if event.why == "owner" else "off")


def _ruled(at: Step, event: Ruled) -> None:
    before, at.chat.rules = at.chat.rules, event.rules
    if event.rules.mode == "off":
        at.drop_all()
        return
    turn, calls = at.chat.turn, at.chat.calls
    if turn is not None:
        unwanted = turn.call.kind == "join" and not at.chat.joining
        if unwanted or (turn.begun and before.mode != event.rules.mode):
            at.drop_turn()
    if not at.chat.joining:
        calls[:] = [call for call in calls if call.kind != "join"]


def _retry(at: Step, event: Retry) -> None:
    """By command, the one way in which a message is answered again."""
    last = at.chat.last_call
    if at.silent or at.chat.calls or at.chat.turn is not None:
        return
    if last is None and not event.id:
        return
    kept = last or Call(event.sender, [event.id], 0, 0, 0, at.chat.heard)
    if _barred(at, kept) or (kept.kind == "join" and not at.chat.joining):
        return
    call = replace(kept, ids=[*kept.ids], first=at.now, last=at.now, due=at.now, restarts=0, retries=0)
    call.speak_at = call.waits_until = at.now
    at.chat.calls.append(call)


def _said(at: Step, event: Said) -> None:
    if event.bubbles and not at.state.halted and at.chat.muted_until <= at.now:
        call = Call("", [*event.answers], at.now, at.now, at.now, at.chat.heard, "said")
        call.bubbles, call.quote, call.author, call.waits_until = event.bubbles, event.quote, event.author, at.now
        at.chat.calls.insert(0, call)


_HANDLERS: dict[type[Any], Callable[[Step, Any], None]] = {
    Heard: heard,
    Before: _before,
    Counted: _counted,
    Recalled: _recalled,
    Muted: _muted,
    Hushed: _hushed,
    Ruled: _ruled,
    Cleared: lambda at, _: at.drop_all(),
    Stopped: lambda at, _: at.drop_all(),
    Retry: _retry,
    Said: _said,
    Drafted: drafted,
    Ended: ended,
    Sent: sent,
}
