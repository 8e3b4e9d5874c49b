"""How long a call waits: for its sender to go on, for my own delay, for my night to end (T14, T15, T23)."""

from typing import TYPE_CHECKING

from bot.events import Heard
from bot.turn_state import Call, Turn
from bot.turn_step import NEVER, Step, clamped

if TYPE_CHECKING:
    from bot.persona.latency import Situation

LEAST, MOST, GAPS = 1.6 / 1.8, 4.0 / 1.8, 1.5
"""A burst has ended after so many of its sender's own gaps; bounds in parts of the debounce."""
LISTENS = 60.0
"""Seconds for which every new message lets my wait begin anew before I join a talk; nobody waits for me there."""
SMOOTH = 0.3
"""Weight of a new figure in a smoothed one."""
SPEAKERS = 32
"""People of a chat whose rhythm is known."""
LATER, SPREAD = 300.0, 1500.0
"""Seconds after which a call at night is answered, at the earliest, and over how many that is spread."""


def learn_rhythm(at: Step, sender: str) -> None:
    """Somebody spoke: how fast do they go on within a burst?"""
    rhythm = at.chat.rhythm
    last, gap = rhythm.pop(sender, (NEVER, 0.0))
    took = at.now - last
    if took <= at.pace.debounce_max:
        gap = gap + SMOOTH * (took - gap) if gap else took
    rhythm[sender] = at.now, gap
    if len(rhythm) > SPEAKERS:
        del rhythm[next(iter(rhythm))]


def debounce(at: Step, sender: str) -> float:
    """Seconds of quiet after which this sender's burst is taken as ended."""
    usual = at.pace.debounce
    _, gap = at.chat.rhythm.get(sender, (0.0, 0.0))
    return clamped(GAPS * gap, LEAST * usual, MOST * usual) if gap else usual


def wait(at: Step, call: Call, settled: float) -> None:
    """Let a call wait from now on, `settled` seconds at least for its sender to go on; its quantile stays."""
    pace, rules = at.pace, at.chat.rules
    ready = min(at.now + settled, max(at.now, call.first + pace.debounce_max))
    own = learned_delay(at, call)
    call.speak_at = min(at.now, call.first + (LISTENS if call.kind == "join" else pace.debounce_max)) + own
    night = rules.behaviour.quiet(at.now) if not (rules.owned or at.proposing) else 0.0
    if night > at.now and call.kind in ("addressed", "private"):
        call.speak_at = _at_night(at, call, night)
    call.waits_until = max(ready, call.speak_at)
    begin = ready if at.proposing else max(ready, call.speak_at - at.state.drafting)
    # A retry that is waited for is not brought forward.
    call.due = max(call.due, begin) if call.retries else begin


def learned_delay(at: Step, call: Call) -> float:
    """Seconds that I take from the last foreign message to my first bubble."""
    if not at.pace.delays:
        return 0.0
    situation: Situation
    if call.kind == "private":
        situation = "private"
    elif call.kind == "join":
        situation = "entry" if call.entry else "flow"
    else:
        situation = "addressed"
    return at.pace.delays * at.chat.rules.behaviour.delay(situation, at.now, call.u, at.chat.watch)


def wait_again(at: Step, event: Heard) -> None:
    """Somebody speaks while I take my time over a call: the wait begins anew, within bounds."""
    for call in at.chat.calls:
        if (call.kind == "join" or call.sender != event.sender) and call.speak_at > at.now and not call.retries:
            wait(at, call, min(max(0.0, call.due - at.now), at.pace.debounce))


def pause(at: Step, turn: Turn) -> float:
    """Seconds before the next bubble, the time it takes to type it included."""
    behaviour, chars, u = at.chat.rules.behaviour, len(turn.bubbles[0]), at.draw("pause", turn.id, turn.begun)
    if behaviour.learned and at.pace.delays:
        return at.pace.delays * behaviour.pause(u, chars)
    typing = min(at.pace.typing_max, at.pace.typing * chars)
    return (0.8 + 0.4 * u) * (at.pace.bubble_pause + typing)


def drafted_in(at: Step, seconds: float) -> None:
    """A draft has come to its first bubble: know how long that takes."""
    known = at.state.drafting
    at.state.drafting = known + SMOOTH * (seconds - known) if known else seconds


def _at_night(at: Step, call: Call, morning: float) -> float:
    if at.chat.rules.night == "morning":
        return morning + SPREAD * call.u
    return at.now + LATER + SPREAD * call.u
