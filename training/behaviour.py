"""How the owner paces a conversation, read off the records: numbers only, no words.

Knows lengths and bursts. When to speak at all is not learned here yet; the turn engine
answers when it is called.
"""

from array import array
from collections.abc import Sequence

from bot.persona.behaviour import Behaviour
from bot.persona.message import Message

LEAST = 30
"""Replies below which the neutral profile stays."""


class Pace:
    """Counts over the sessions it is shown; two numbers a reply, so memory stays small."""

    def __init__(self) -> None:
        self._chars = array("l")
        self._bursts = array("l")

    def see(self, messages: Sequence[Message]) -> None:
        """One session, oldest first."""
        burst = 0
        for message in messages:
            if message.mine and message.spoken:
                self._chars.append(len(message.text))
                burst += 1
            elif burst:
                self._bursts.append(burst)
                burst = 0
        if burst:
            self._bursts.append(burst)

    def fit(self) -> Behaviour:
        """The profile; the neutral one where there is too little to read."""
        if len(self._bursts) < LEAST:
            return Behaviour()
        quarter, half, most = (_quantile(self._chars, q) for q in (0.25, 0.5, 0.75))
        return Behaviour(
            learned=True,
            replies=len(self._bursts),
            chars=(int(quarter), int(half), int(most)),
            bubbles=round(sum(self._bursts) / len(self._bursts), 3),
        )


def _quantile(values: Sequence[float], q: float) -> float:
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(q * len(ordered)))])
