"""What becomes of a message: a call, a talk that I join, an end to what I was saying, or nothing.

Knows who is to be answered (T2, T3, T5, T10, T13, T22, T29, T30, T32) and when I speak up by myself (T24);
doesn't know how a reply is drafted and sent.
"""

from dataclasses import replace

from bot.events import Heard, Settle
from bot.turn_bots import ends_rally, interrupts, is_bot
from bot.turn_limits import minded, share_is_full
from bot.turn_state import Call, Chat, Turn, What, Why
from bot.turn_step import Step
from bot.turn_waits import debounce, learn_rhythm, pause, wait, wait_again


def heard(at: Step, event: Heard) -> None:
    chat = at.chat
    if event.id in chat.seen:
        return
    remember(at, event.id, event.time)
    late = at.now - event.time > at.pace.stale and not event.held
    if event.mine:
        if not late:
            _owner_speaks(at, event)
        return
    wanted = _wanted(chat, event)
    if late:
        if wanted:
            _refuse(at, event, "stale")
        return
    chat.heard += 1
    chat.heard_at = at.now
    if event.traits is not None:
        chat.watch.hear(event.traits)
    learn_rhythm(at, event.sender)
    minded(at, event.addressed)
    if event.owner and not event.private and not event.addressed:
        _owner_speaks(at, event)
        return
    interrupts(at, event)
    behind = _others_wait(chat, event.sender)
    refused = _refusal(at, event) if wanted else ""
    called = wanted and not refused
    _turn_meets(at, event, called)
    if refused:
        _refuse(at, event, refused)
    elif wanted:
        _called(at, event, behind)
    else:
        wait_again(at, event)
        _join_in(at, event)


def remember(at: Step, message: str, time: float) -> None:
    """Know a copy of this message while it would not be stale."""
    seen = at.chat.seen
    while seen and next(iter(seen.values())) <= at.now:
        del seen[next(iter(seen))]
    seen[message] = max(at.now, time) + at.pace.stale


def _owner_speaks(at: Step, event: Heard) -> None:
    """The owner's own line: what I had to say is said, and I keep silent for a while (T29)."""
    chat = at.chat
    if event.mine and event.traits is not None:
        chat.watch.hear(event.traits)
    if chat.rules.mode == "shadow":
        # Nothing is ever said here; how long I would have taken is what is looked for.
        _shadow_ends(at)
        return
    if chat.rules.owned and not event.mine:
        return
    chat.hushed_until, chat.hushed_by = max(chat.hushed_until, at.now + at.pace.takeover), "owner"
    at.drop_all("owner")
    at.because("owner")


def _shadow_ends(at: Step) -> None:
    """The owner was faster than my drafts: they are kept as far as they are."""
    turn, calls = at.chat.turn, at.chat.calls
    if turn is not None and turn.call.kind != "said":
        at.drop_turn()
        at.propose(turn.call, turn.id, turn.bubbles)
    ended = [call for call in calls if call.kind != "said"]
    calls[:] = [call for call in calls if call.kind == "said"]
    for call in ended:
        at.state.turns += 1
        at.propose(call, at.state.turns, [])


def _wanted(chat: Chat, event: Heard) -> bool:
    """Whether this message wants an answer: called, in private, or going on with what was asked."""
    if event.private or event.addressed:
        return True
    turn = chat.turn
    if turn is not None and turn.call.kind == "addressed" and turn.call.sender == event.sender:
        return True
    return any(call.sender == event.sender and call.kind == "addressed" for call in chat.calls)


def _refusal(at: Step, event: Heard) -> What:
    """Why a message that wants an answer gets none."""
    if silent := at.silent:
        return silent
    if at.blocks(event.sender):
        return "blocked"
    if is_bot(at, event):
        return "bot"
    if event.poke:
        if at.chat.poked_at and at.now - at.chat.poked_at < at.pace.poke_cooldown:
            return "cooldown"
        at.chat.poked_at = at.now
    return "bot" if ends_rally(at, event) else ""


def _refuse(at: Step, event: Heard, why: What) -> None:
    outcome = why if why in ("stale", "bot", "cooldown", "owner") else "off"
    at.because(why)
    at.out.append(Settle(at.key, (event.id,), outcome))


def _others_wait(chat: Chat, sender: str) -> bool:
    """Whether somebody else's answer is still to come, so that mine will not stand below its question."""
    turn = chat.turn
    if turn is not None and turn.call.kind == "addressed" and turn.call.sender != sender:
        return not turn.begun or chat.in_flight == turn.id
    return any(call.sender != sender and call.kind == "addressed" for call in chat.calls)


def _turn_meets(at: Step, event: Heard, called: bool) -> None:
    """What a message does to the reply under way.

    Between its bubbles the rest is decided anew (T16): it goes on after another pause where a bystander
    said a line or two to somebody else; not where the talk has moved on, nor where an answer comes that
    sees all of it: the asker goes on, or somebody calls me.
    """
    turn = at.chat.turn
    if turn is None or turn.call.kind == "said":
        return
    if turn.begun:
        turn.lines += 1
        if called or event.sender == turn.call.sender or turn.lines > at.pace.kept_lines:
            at.drop_turn()
        elif turn.bubbles:
            turn.read_until = at.now + pause(at, turn)
    elif turn.call.kind == "join":
        join = turn.call
        if called:
            at.drop_turn()
        elif join.restarts < at.pace.restarts:
            at.drop_turn()
            join.restarts += 1
            _waits_on(at, join)


def _waits_on(at: Step, call: Call) -> None:
    """I was about to join in, and the talk goes on: with the same quantile, and no second draw."""
    at.chat.calls.insert(0, call)
    wait(at, call, 0.0)


def _called(at: Step, event: Heard, behind: bool) -> None:
    chat = at.chat
    chat.met = True
    chat.calls[:] = [call for call in chat.calls if call.kind != "join"]
    wait_again(at, event)
    if not _restarted(at, event):
        _call(at, event, behind)


def _restarted(at: Step, event: Heard) -> bool:
    """The asker goes on, and nothing of the answer is out: listen on, then draft anew (T15)."""
    turn = at.chat.turn
    if turn is None or not _asked(turn, event.sender) or turn.call.restarts >= at.pace.restarts:
        return False
    at.drop_turn()
    turn.call.restarts += 1
    turn.call.first = at.now
    at.chat.calls.insert(0, turn.call)
    _goes_on(at, turn.call, event)
    return True


def _asked(turn: Turn, sender: str) -> bool:
    return turn.call.kind in ("addressed", "private") and turn.call.sender == sender and not turn.begun


def _call(at: Step, event: Heard, behind: bool) -> None:
    calls = at.chat.calls
    call = next((one for one in calls if one.sender == event.sender and one.kind in ("addressed", "private")), None)
    if call is not None:
        _goes_on(at, call, event)
        return
    call = Call(event.sender, [event.id], at.now, at.now, at.now, at.chat.heard, bare=event.bare, behind=behind)
    call.kind = "private" if event.private else "addressed"
    call.u = at.draw("delay", event.id)
    calls.append(call)
    bare = event.bare and not event.poke
    wait(at, call, at.pace.bare_wait if bare else debounce(at, event.sender))
    _note(at, call)


def _goes_on(at: Step, call: Call, event: Heard) -> None:
    call.ids.append(event.id)
    call.bare = call.bare and event.bare
    call.last, call.place = at.now, at.chat.heard
    wait(at, call, debounce(at, event.sender))
    _note(at, call)


def _note(at: Step, call: Call) -> None:
    at.because("answering", delay=max(call.due, call.speak_at) - at.now)
    call.why = at.chat.why


def _join_in(at: Step, event: Heard) -> None:
    """Whether I speak up by myself: drawn with the chance that I really would."""
    chat = at.chat
    if not chat.rules.joining:
        return
    pending = next((call for call in chat.calls if call.kind == "join"), None)
    if pending is not None:
        pending.ids = [pending.ids[0], *pending.ids[1:][-2:], event.id]
        pending.last, pending.place = at.now, chat.heard
        return
    if why := _stays_out(at, event):
        at.because(why)
        return
    assert event.traits is not None
    chance = chat.rules.behaviour.chance(chat.watch, event.traits, chat.rules.freq)
    drawn = at.draw("join", event.id)
    chat.why = Why(at.now, "silent", chance.p, drawn, chance.strongest)
    if drawn >= chance.p:
        return
    call = Call(event.sender, [event.id], at.now, at.now, at.now, chat.heard, "join", entry=chance.entry)
    call.u = at.draw("delay", event.id)
    chat.calls.append(call)
    wait(at, call, 0.0)
    chat.why = call.why = replace(chat.why, what="joining", delay=call.speak_at - at.now)


def _stays_out(at: Step, event: Heard) -> What:
    """Why I don't even think of speaking up."""
    chat = at.chat
    if silent := at.silent:
        return silent
    if at.blocks(event.sender):
        return "blocked"
    if is_bot(at, event) or event.traits is None:
        return "bot"
    if chat.calls or chat.turn is not None or chat.in_flight:
        return "answering"
    if chat.rules.guest and not chat.met:
        return "guest"
    if chat.rules.behaviour.quiet(at.now) > at.now:
        return "night"
    if chat.shy_until > at.now:
        return "shy"
    return "share" if share_is_full(chat) and chat.rules.mode == "join" else ""
