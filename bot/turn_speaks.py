"""How a reply is drafted and spoken: the next call becomes a turn, its bubbles go out one by one (T9, T16–T18).

Knows when something may be said (turn_waits, turn_limits); doesn't know what becomes of a message.
"""

from bot.events import Cancel, Drafted, Ended, Generate, Send, Sent, TellOwner, Wake
from bot.persona.watch import Traits
from bot.turn_limits import cap, count_send, count_user, day_is_full, share_is_full, slot, user_slot
from bot.turn_state import Call, Turn
from bot.turn_step import Step
from bot.turn_waits import drafted_in, pause


def drafted(at: Step, event: Drafted) -> None:
    turn = at.chat.turn
    if turn is None or turn.id != event.turn or turn.ended:
        return
    if not turn.drafted:
        drafted_in(at, at.now - turn.since)
    turn.bubbles.append(event.text)
    turn.drafted += 1
    if turn.drafted >= (1 if turn.call.bare else at.pace.max_bubbles):
        turn.ended = True
        at.out.append(Cancel(at.key, turn.id))


def ended(at: Step, event: Ended) -> None:
    turn = at.chat.turn
    if turn is None or turn.id != event.turn or turn.ended:
        return
    turn.ended = True
    if turn.drafted:
        return
    at.chat.turn = None
    call = turn.call
    # An empty draft is drawn once more; what took too long once would again; unasked, nothing is.
    waits = {"done": (0.0,), "timeout": ()}.get(event.end, at.pace.retries) if call.kind != "join" else ()
    if call.retries >= len(waits):
        at.because("failed")
        at.settle(call, "failed")
        if call.kind != "join":
            at.out.append(TellOwner(at.key, "failed"))
        return
    call.due = at.now + waits[call.retries]
    call.retries += 1
    at.chat.calls.insert(0, call)


def sent(at: Step, event: Sent) -> None:
    chat, turn = at.chat, at.chat.turn
    if chat.in_flight != event.turn:
        return
    chat.in_flight, said, chat.flying = 0, chat.flying, ""
    if event.ok:
        chat.watch.hear(Traits("", at.now, mine=True, private=":private:" in at.key, chars=len(said)))
    if turn is not None and turn.id == event.turn:
        turn.sent_at, turn.lines = at.now, 0
        if turn.call.kind == "join" and event.ok:
            chat.joined_at = at.now
        if not event.ok:
            at.drop_turn()


def go_on(at: Step) -> None:
    """Whatever is due: the next bubble, else the next turn; and when to look again."""
    chat = at.chat
    if chat.turn is not None and not chat.in_flight:
        _speak_on(at, chat.turn)
    if chat.turn is None and not chat.in_flight:
        _begin(at)


def _speak_on(at: Step, turn: Turn) -> None:
    call = turn.call
    if at.proposing and call.kind != "said":
        if turn.ended:
            at.propose(call, turn.id, turn.bubbles)
            at.chat.turn = None
        return
    if not turn.bubbles:
        at.chat.turn = None if turn.ended else turn
        return
    if not _still_fits(at, turn):
        at.drop_turn()
        return
    due = max(_bubble_due(at, turn), at.state.sent_at + at.pace.gap)
    if due > at.now:
        at.out.append(Wake(at.key, due))
    else:
        _send(at, turn)


def _still_fits(at: Step, turn: Turn) -> bool:
    """Whether the limits allow another bubble, or the first one unasked (T24, T25, T31)."""
    if turn.begun and slot(at) > at.now:
        return False
    if day_is_full(at):
        if not turn.begun:
            cap(at, turn.call)
        return False
    if turn.call.kind != "join":
        return True
    late = not turn.begun and at.now > turn.call.speak_at + at.pace.join_expires
    if late or share_is_full(at.chat):
        at.because("expired" if late else "share")
        return False
    return True


def _bubble_due(at: Step, turn: Turn) -> float:
    """The first bubble after my delay, each other after a pause."""
    if turn.begun:
        return max(turn.sent_at + pause(at, turn), turn.read_until)
    return turn.call.speak_at


def _send(at: Step, turn: Turn) -> None:
    first, call, said = turn.begun == 0, turn.call, turn.call.kind == "said"
    moved_on = call.kind == "addressed" and (call.behind or at.chat.heard - call.place >= at.pace.quote_after)
    quote, mention = call.quote if first else None, None
    if first and moved_on:
        quote, mention = (None, call.sender) if _mentions(at, turn) else (call.ids[-1], None)
    answers = tuple(call.ids) if first and call.kind != "join" else ()
    text = turn.bubbles.pop(0)
    at.out.append(Send(at.key, turn.id, text, quote, answers, mention, call.author))
    turn.begun += 1
    if first and not said:
        at.chat.last_call = call
        at.chat.why_said = call.why
    at.chat.in_flight, at.chat.flying = turn.id, text
    count_send(at)


def _mentions(at: Step, turn: Turn) -> bool:
    """Whether I @ whom I answer, as I do so often, instead of quoting (T17, T18)."""
    habits = at.chat.rules.behaviour
    often = habits.ats + habits.quotes
    return often > 0 and at.draw("mention", turn.id) < habits.ats / often


def _begin(at: Step) -> None:
    while at.chat.calls:
        call = at.chat.calls[0]
        start = max(call.due, slot(at), user_slot(at, call))
        if start > at.now:
            at.out.append(Wake(at.key, start))
            return
        at.chat.calls.pop(0)
        if _dropped(at, call):
            continue
        at.state.turns += 1
        turn = at.chat.turn = Turn(at.state.turns, call, at.now)
        if call.kind == "said":
            turn.bubbles, turn.drafted, turn.ended = [*call.bubbles], len(call.bubbles), True
            _speak_on(at, turn)
        else:
            _generate(at, call)
        return


def _dropped(at: Step, call: Call) -> bool:
    """Whether a call that waited its turn is too old by now, or the day is over."""
    if call.kind == "join" and at.now > call.speak_at + at.pace.join_expires:
        at.because("expired")
        return True
    if day_is_full(at) or at.now - max(call.last, call.waits_until) > at.pace.stale:
        cap(at, call)
        return True
    return False


def _generate(at: Step, call: Call) -> None:
    count_user(at, call)
    ids = tuple(call.ids)
    rank = "join" if call.kind == "join" else "private" if call.kind == "private" else "addressed"
    at.out.append(Generate(at.key, at.state.turns, ids, call.bare, rank, () if rank == "join" else ids))
