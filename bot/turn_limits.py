"""How much may be said: in a chat and to a person within a minute, in a day, between two bubbles, and of
a talk that nobody called me into (T24, T25)."""

from bot.events import TellOwner
from bot.turn_state import Call, Chat, Limit
from bot.turn_step import Step

MINUTE, DAY = 60.0, 86400.0
USERS = 4096
"""People whose last minute is remembered."""
UNHEEDED = 300.0
"""Seconds of silence after I spoke up, from which on nobody minded me."""
SHY, SHYEST = 1800.0, 4 * 3600.0
"""Seconds without speaking up once two in a row were not minded; doubled each time, up to."""


def count_send(at: Step) -> None:
    """A bubble goes out."""
    state, day = at.state, int((at.now + at.pace.utc_offset) // DAY)
    if state.day != day:
        state.day, state.sent_today = day, 0
    state.sent_today += 1
    state.sent_at = at.now
    at.chat.sends = [*recent_sends(at), at.now]


def day_is_full(at: Step) -> bool:
    day = int((at.now + at.pace.utc_offset) // DAY)
    return at.state.day == day and at.state.sent_today >= at.pace.per_day


def slot(at: Step) -> float:
    """When the chat may be sent something again."""
    recent = recent_sends(at)
    return recent[-at.pace.per_minute] + MINUTE if len(recent) >= at.pace.per_minute else at.now


def recent_sends(at: Step) -> list[float]:
    return [sent for sent in at.chat.sends if sent + MINUTE > at.now]


def user_slot(at: Step, call: Call) -> float:
    """When this person may be replied to again."""
    if call.kind not in ("addressed", "private"):
        return at.now
    recent = [begun for begun in at.state.users.get(call.sender, ()) if begun + MINUTE > at.now]
    return recent[-at.pace.per_user] + MINUTE if len(recent) >= at.pace.per_user else at.now


def count_user(at: Step, call: Call) -> None:
    """A reply to this person begins."""
    if call.kind not in ("addressed", "private"):
        return
    users = at.state.users
    recent = [begun for begun in users.pop(call.sender, ()) if begun + MINUTE > at.now]
    users[call.sender] = [*recent[1 - at.pace.per_user :], at.now] if at.pace.per_user > 1 else [at.now]
    while len(users) > USERS:
        del users[next(iter(users))]


def hits(at: Step, call: Call) -> tuple[Limit, ...]:
    """The limits that hold a call back now."""
    found: list[Limit] = []
    if slot(at) > at.now:
        found.append("minute")
    if user_slot(at, call) > at.now:
        found.append("user")
    if day_is_full(at):
        found.append("day")
    return tuple(found)


def cap(at: Step, call: Call) -> None:
    """A limit lets a call go unanswered: counted, and the owner is told."""
    at.because("capped", caps=hits(at, call))
    at.settle(call, "capped")
    if call.kind in ("addressed", "private"):
        at.out.append(TellOwner(at.key, "capped"))


def share_is_full(chat: Chat) -> bool:
    """Whether one more bubble unasked would be too much of the last 20 messages (T24)."""
    most = chat.rules.behaviour.share if chat.rules.share is None else chat.rules.share
    return (sum(mine for _, mine in chat.watch.recent[-19:]) + 1) / 20 > most


def minded(at: Step, addressed: bool) -> None:
    """Whether the talk went on after I had spoken up; twice in a row not, and I keep back for a while (T24)."""
    chat = at.chat
    if addressed:
        chat.ignored, chat.shy_until, chat.joined_at = 0, 0.0, 0.0
        return
    if not chat.joined_at:
        return
    if at.now - chat.joined_at <= UNHEEDED:
        chat.ignored = 0
    else:
        chat.ignored += 1
        if chat.ignored >= 2:
            chat.shy_until = chat.joined_at + min(SHYEST, SHY * 2 ** (chat.ignored - 2))
    chat.joined_at = 0.0
