"""What was heard in a chat, as traits, packed: it can be replayed and counted, and holds no words.

Also reads replies off such lines, recorded or replayed alike.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bot.persona.latency import Situation
from bot.persona.watch import FLOW, HORIZON, Traits

BURST = 180.0
"""Seconds after which my next line in a row is no longer the same reply."""
_FLAGS = ("mine", "private", "addressed", "names_me", "quotes_me", "to_other", "question", "link", "media")


class Recording:
    """The lines of one chat, oldest first; some twenty bytes each."""

    def __init__(self, lines: Iterable[Traits] = ()) -> None:
        self._times, self._senders = array("d"), array("L")
        self._flags, self._chars = array("H"), array("L")
        self._names: dict[str, int] = {}
        for line in lines:
            self.append(line)

    def __len__(self) -> int:
        return len(self._times)

    def append(self, line: Traits) -> None:
        self._times.append(line.time)
        self._senders.append(self._names.setdefault(line.sender, len(self._names)))
        # In the order of _FLAGS.
        first = line.mine | line.private << 1 | line.addressed << 2 | line.names_me << 3 | line.quotes_me << 4
        self._flags.append(first | line.to_other << 5 | line.question << 6 | line.link << 7 | line.media << 8)
        self._chars.append(min(line.chars, 65535))

    def __iter__(self) -> Iterator[Traits]:
        return self.since(0)

    def since(self, begin: int) -> Iterator[Traits]:
        """The lines from that place on."""
        names = list(self._names)
        for place in range(begin, len(self)):
            flags = self._flags[place]
            marks = {name: bool(flags >> bit & 1) for bit, name in enumerate(_FLAGS)}
            yield Traits(names[self._senders[place]], self._times[place], chars=self._chars[place], **marks)


@dataclass(slots=True)
class Reply:
    """One reply: bubbles of mine with nobody between, after somebody spoke."""

    chat: str
    time: float
    """Of its first bubble, UTC seconds."""
    situation: Situation
    delay: float
    """Seconds since the foreign message before."""
    bubbles: int = 1
    gaps: list[float] = field(default_factory=list)
    """Seconds before each bubble but the first."""


def replies(chat: str, lines: Iterable[Traits]) -> Iterator[Reply]:
    """My replies among these lines; what I say after a long silence opens a conversation, and is none."""
    foreign: Traits | None = None
    reply: Reply | None = None
    spoke, last = float("-inf"), float("-inf")
    for line in lines:
        if not line.mine:
            foreign = line
            if reply is not None:
                yield reply
            reply = None
        elif reply is not None and line.time - last <= BURST:
            reply.bubbles += 1
            reply.gaps.append(line.time - last)
        elif foreign is not None:
            if reply is not None:
                yield reply
            reply, foreign = _reply(chat, line, foreign, spoke), None
        if line.mine:
            spoke = line.time
        last = line.time
    if reply is not None:
        yield reply


def _reply(chat: str, line: Traits, to: Traits, spoke: float) -> Reply | None:
    delay = line.time - to.time
    return Reply(chat, line.time, situation(to, entry=to.time - spoke > FLOW), delay) if delay <= HORIZON else None


def situation(heard: Traits, *, entry: bool) -> Situation:
    """Where an answer to this message belongs."""
    if heard.private:
        return "private"
    if heard.addressed or heard.names_me:
        return "addressed"
    return "entry" if entry else "flow"
