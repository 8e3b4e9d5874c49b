"""The first pass over the messages: everything that must be known before a single row can be written.

Knows, per chat, where its sessions begin and how many replies of mine there are; over all chats, my
name and my short habits. Keeps numbers only, but for names and short replies.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from bot.persona.message import Message
from training.selection import folded, is_short
from training.sessions import Pauses, lengths
from training.split import Stretch

HABITS = 50_000
"""Different short replies that are counted."""


@dataclass(slots=True)
class Survey:
    """What the first pass found."""

    names: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    """My accounts."""
    sessions: dict[str, "array[int]"] = field(default_factory=dict)
    """Chat → how many messages each of its sessions has."""
    gaps: dict[str, float] = field(default_factory=dict)
    """Chat → seconds of silence that part its sessions."""
    stretches: list[Stretch] = field(default_factory=list)
    """The sessions in which I said something."""
    replies: Counter[str] = field(default_factory=Counter)
    """Chat → messages of mine that could be learned."""
    repeats: Counter[str] = field(default_factory=Counter)
    """Short reply, folded → how often."""
    newest: int = 0

    @classmethod
    def of(cls, messages: Iterable[Message], gap: float | None) -> "Survey":
        """`messages` by chat and time; `gap` in seconds, None to learn it."""
        survey = cls()
        for chat, said in groupby(messages, key=lambda message: message.chat):
            survey._chat(chat, said, gap)
        return survey

    def _chat(self, chat: str, messages: Iterator[Message], gap: float | None) -> None:
        times, mine, pauses = array("q"), bytearray(), Pauses()
        kind = "private"
        for message in messages:
            kind = message.kind
            if times:
                pauses.see(message.time - times[-1])
            times.append(message.time)
            mine.append(message.learnable)
            if message.mine:
                self._mine(message)
        self.gaps[chat] = gap if gap is not None else pauses.gap()
        self.sessions[chat] = array("l", lengths(times, self.gaps[chat]))
        self.replies[chat] = sum(mine)
        self.newest = max(self.newest, times[-1])
        begun = 0
        for length in self.sessions[chat]:
            if learnable := sum(mine[begun : begun + length]):
                self.stretches.append(Stretch(chat, kind, times[begun], learnable))
            begun += length

    def _mine(self, message: Message) -> None:
        self.ids.add(message.sender)
        if message.name:
            self.names[message.name] += 1
        if message.learnable and is_short(text := message.text):
            habit = folded(text)
            if habit in self.repeats or len(self.repeats) < HABITS:
                self.repeats[habit] += 1
