"""The one split into train, dev, test and test_chat, decided once from the sessions' times.

By time: the oldest 80 % of the sessions with a reply of mine train, the next 10 % are dev, the
newest 10 % test; after each border an embargo is left out. By chat: where at least three chats
of a kind are large enough, the smallest of those is held out whole as test_chat.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "dev", "test", "test_chat"]

TRAIN, DEV = 0.8, 0.1
LEAST_CHATS = 3
LEAST_SESSIONS = 20
"""Sessions with a reply of mine below which a chat is too small to be held out."""


@dataclass(slots=True, frozen=True)
class Stretch:
    """A session as the split sees it: where, when, and how many replies of mine."""

    chat: str
    kind: str
    start: int
    mine: int


@dataclass(slots=True, frozen=True)
class Split:
    """Borders in UTC seconds and the chats that are held out whole."""

    dev: float
    test: float
    embargo: float
    chats: frozenset[str]

    def of(self, chat: str, start: int) -> Part | None:
        """The part a session belongs to; None in an embargo."""
        if chat in self.chats:
            return "test_chat"
        if start < self.dev:
            return "train"
        if start < self.test:
            return "dev" if start >= self.dev + self.embargo else None
        return "test" if start >= self.test + self.embargo else None


def decide(stretches: Sequence[Stretch], *, embargo: float) -> Split:
    """The split of these sessions. Too few to hold anything out: everything trains."""
    chats = frozenset(chat for kind in ("private", "group") if (chat := _held_out(stretches, kind)))
    starts = sorted(s.start for s in stretches if s.chat not in chats)
    if len(starts) < LEAST_SESSIONS:
        return Split(float("inf"), float("inf"), embargo, chats)
    return Split(starts[int(len(starts) * TRAIN)], starts[int(len(starts) * (TRAIN + DEV))], embargo, chats)


def _held_out(stretches: Sequence[Stretch], kind: str) -> str | None:
    sizes = Counter(s.chat for s in stretches if s.kind == kind)
    replies: Counter[str] = Counter()
    for s in stretches:
        replies[s.chat] += s.mine
    large = [chat for chat, size in sizes.items() if size >= LEAST_SESSIONS]
    if len(large) < LEAST_CHATS:
        return None
    return min(large, key=lambda chat: (replies[chat], chat))
