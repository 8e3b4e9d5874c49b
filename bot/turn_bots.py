"""Other bots: who is known for one, and who behaves like one (T10)."""

from bot.events import Heard, TellOwner
from bot.turn_step import Step

REST = 600.0
"""Seconds without an answer for somebody found to be a machine."""
GLANCE, STROKE, LINGER = 1.0, 0.15, 20.0
"""A person needs a glance to read and so many seconds to write each character; a slower machine is
known only by being there each time, within LINGER seconds, with nobody else in between."""
FAST, SLOW = 3, 8
"""Turns after which a talk with a fast, or a slower, machine ends."""
RALLIES = 1024


def is_bot(at: Step, event: Heard) -> bool:
    return event.bot or event.sender in at.state.bots or at.state.rallies.get(event.sender, 0.0) > at.now


def interrupts(at: Step, event: Heard) -> None:
    """Somebody else speaks: whoever rallies with me slowly has company."""
    who, fast, slow, answered = at.chat.rally
    if slow and who != event.sender:
        at.chat.rally = who, fast, 0, answered


def ends_rally(at: Step, event: Heard) -> bool:
    """Whether a caller has answered me like a machine so often that I stop."""
    chat = at.chat
    if event.owner or chat.rules.owned or not at.pace.rally or not chat.sends:
        return False
    who, fast, slow, answered = chat.rally
    sent = chat.sends[-1]
    if who == event.sender and answered == sent:
        return False
    took = at.now - sent
    chars = min(event.traits.chars, 60) if event.traits else 0
    known = who == event.sender
    fast = (fast if known else 0) + 1 if took < GLANCE + STROKE * chars else 0
    slow = (slow if known else 0) + 1 if took < LINGER and not event.private else 0
    chat.rally = event.sender, fast, slow, sent
    if fast < FAST and slow < SLOW:
        return False
    rallies = at.state.rallies
    for sender in [sender for sender, until in rallies.items() if until <= at.now][:RALLIES]:
        del rallies[sender]
    if len(rallies) >= RALLIES:
        del rallies[next(iter(rallies))]
    rallies[event.sender] = at.now + REST
    chat.rally = "", 0, 0, 0.0
    at.out.append(TellOwner(at.key, "bot"))
    return True
