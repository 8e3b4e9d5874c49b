"""Prompts that end the engine: after two crashes a prompt is tried alone, and then not again for a while.

Knows of a prompt only a hash, and of a crash who was in flight. Doesn't know processes: the worker
says when one has died under a request. Nobody is convicted for another's crash: who was never alone
when the engine ended is a suspect at most, and a suspect runs while nobody else does.

    unknown ──a crash──▶ known ──a crash in company──▶ suspect: runs alone
       ▲                   │                             │
       └──ends well────────┴─── a crash when alone ──────┴──▶ refused, for a while
"""

import asyncio
import contextlib
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

CRASHES = 2
"""After so many, one of them alone, a prompt is not tried again."""
HELD = 3600.0
"""Seconds for which it isn't, and for which a crash is remembered."""
KNOWN = 256
"""Prompts that are remembered."""


def key_of(messages: Sequence[dict[str, str]]) -> str:
    """What a prompt is known by."""
    return hashlib.blake2b(json.dumps(messages, ensure_ascii=False).encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class Record:
    """What is held against a prompt."""

    chat: str
    at: float
    """When it was in flight in a crash last."""
    crashes: int = 0
    alone: bool = False
    """Whether one of them had nobody else in flight."""

    @property
    def convicted(self) -> bool:
        return self.crashes >= CRASHES and self.alone


class Quarantine:
    """The prompts of one worker. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._inside = 0
        self._lone = asyncio.Lock()
        """Held by a suspect; who comes meanwhile waits."""
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def chats(self) -> list[str]:
        """Where a prompt is refused now; "" is a caller without a chat."""
        self._forget()
        return sorted({record.chat for record in self._records.values() if record.convicted})

    def refuses(self, key: str) -> bool:
        """Whether this prompt is not tried now."""
        self._forget()
        record = self._records.get(key)
        return record is not None and record.convicted

    def suspects(self, key: str) -> bool:
        """Whether this prompt is tried alone."""
        self._forget()
        record = self._records.get(key)
        return record is not None and record.crashes >= CRASHES and not record.convicted

    def crashed(self, key: str, chat: str, *, alone: bool) -> None:
        """The engine ended with this prompt in flight."""
        record = self._records.pop(key, None) or Record(chat, self._clock())
        record.crashes, record.alone, record.at = record.crashes + 1, record.alone or alone, self._clock()
        self._records[key] = record
        if len(self._records) > KNOWN:
            self._records.popitem(last=False)

    def acquit(self, key: str) -> None:
        """The engine outlived this prompt."""
        self._records.pop(key, None)

    def clear(self) -> None:
        """Forget it all: another model may bear what this one didn't."""
        self._records.clear()

    @contextlib.asynccontextmanager
    async def admitted(self, key: str) -> AsyncIterator[None]:
        """Be among those who may be in flight; a suspect is there alone, and waits until it can be."""
        async with self._lone:
            if self.suspects(key):
                await self._empty.wait()
                yield
                return
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    def _forget(self) -> None:
        oldest = self._clock() - HELD
        while self._records and next(iter(self._records.values())).at <= oldest:
            self._records.popitem(last=False)
