"""Prompts that end the engine: after two crashes what stood in them is not said to it again for a while.

Knows of a chat only numbers for its lines, and of a crash who was in flight, and where. Doesn't know processes:
the worker says when one has died under a request, remote.py what it saw of a server elsewhere. Nobody is
convicted for another's crash: who was never alone when the engine ended is a suspect at most, runs while nobody
else does, and is free as soon as another is convicted of it.

    unknown ──a crash──▶ known ──a crash in company──▶ suspect: runs alone
       ▲                   │                             │
       └──ends well────────┴─── a crash when alone ──────┴──▶ convicted: only what is said since is asked
                                                                │ convicted again
                                                                └──▶ refused, for a while

Where what ends the engine stands in a chat's history, each new message makes a new prompt of it: so what
stood in all the prompts that ended it is left out, and the chat is answered to what was said since.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from dataclasses import dataclass, field

from bot.engine.since import Messages, lines_of, shared, since

log = logging.getLogger("bot.engine.worker")

WHY = "this prompt has ended the engine before: it is not tried again for a while"
"""What a request is told that is not tried."""
CRASHES = 2
"""After so many in a row, one of them alone, a chat is convicted."""
VERDICTS = 2
"""After so many within the while it is not tried at all: somebody says it again and again."""
HELD = 3600.0
"""Seconds for which a crash is remembered, and what follows from it."""
KNOWN = 256
"""Chats that are remembered."""


def key_of(messages: Sequence[dict[str, str]], chat: str) -> str:
    """By what a request is known: its chat, or without one its whole prompt."""
    return chat or hashlib.blake2b(json.dumps(messages, ensure_ascii=False).encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class Record:
    """What is held against a chat."""

    chat: str
    """"" where there is none."""
    at: float
    """When it was in flight in a crash last."""
    crashes: set[Hashable] = field(default_factory=set)
    """Which, since it last ended well or was convicted, and no other was convicted of."""
    alone: bool = False
    """Whether one of these had nobody else in flight."""
    lines: list[int] = field(default_factory=list)
    """What stood in all its prompts that were in flight in these."""
    places: set[str] = field(default_factory=set)
    """Which servers they ended."""
    left_out: list[int] = field(default_factory=list)
    """What it was convicted of."""
    verdicts: int = 0

    @property
    def refused(self) -> bool:
        return self.verdicts >= (VERDICTS if self.chat else 1)

    def crashed(self, lines: list[int], crash: Hashable, place: str, *, alone: bool) -> set[Hashable]:
        """Note a crash under a prompt of these lines; of which crashes that convicts it."""
        self.places = {*self.places, place} if self.crashes else {place}
        common = shared(self.lines, lines) if self.crashes else 0
        self.lines = lines[: common or len(lines)]
        self.crashes, self.alone = {*self.crashes, crash}, self.alone or alone
        if len(self.crashes) < CRASHES or not self.alone:
            return set()
        convicted = self.crashes
        self.verdicts, self.left_out = self.verdicts + 1, self.lines
        self.acquit(self.crashes)
        return convicted

    def acquit(self, crashes: set[Hashable]) -> None:
        """It was not these."""
        self.crashes = self.crashes - crashes
        self.alone = self.alone and bool(self.crashes)


class Quarantine:
    """The chats of one engine. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._inside = 0
        self._lone = asyncio.Lock()
        """Held by a suspect; who comes meanwhile waits."""
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def cut(self) -> list[str]:
        """The chats whose history is left out now."""
        self._forget()
        return sorted(one.chat for one in self._records.values() if one.verdicts and not one.refused)

    @property
    def refused(self) -> list[str]:
        """The chats that are not tried now; "" is a caller without a chat."""
        self._forget()
        return sorted({one.chat for one in self._records.values() if one.refused})

    def allowed(self, messages: Messages, chat: str) -> Messages | None:
        """What of a prompt may be tried now; None where nothing may."""
        record = self._known(key_of(messages, chat))
        if record is None or not record.verdicts:
            return messages
        return None if record.refused else since(messages, record.left_out) or None

    def suspects(self, key: str) -> bool:
        """Whether this one is tried alone."""
        record = self._known(key)
        return record is not None and len(record.crashes) >= CRASHES

    def places(self, key: str) -> set[str]:
        """Where alone a suspect may be tried: what has ended already. Empty: it is none."""
        record = self._known(key)
        return record.places if record is not None and self.suspects(key) else set()

    def crashed(self, messages: Messages, chat: str, crash: Hashable, place: str = "", *, alone: bool) -> None:
        """The engine ended with this prompt in flight, of several the one at that place; who was in flight in
        the same `crash` names the same."""
        key = key_of(messages, chat)
        record = self._known(key) or Record(chat, 0.0)
        self._records.pop(key, None)
        record.at = self._clock()
        self._records[key] = record
        if len(self._records) > KNOWN:
            self._records.popitem(last=False)
        if convicted := record.crashed(lines_of(messages), crash, place, alone=alone):
            # Who was there by chance is free again at once.
            for other in self._records.values():
                other.acquit(convicted)
            held = "not tried" if record.refused else "what was said there so far is left out"
            log.error("a prompt of %s ends the engine again and again: %s for an hour", chat or "a caller", held)

    def outlived(self, messages: Messages, chat: str) -> None:
        """The engine outlived what was allowed of this prompt."""
        record = self._known(key := key_of(messages, chat))
        if record is not None and record.verdicts:
            record.acquit(record.crashes)
        elif record is not None:
            del self._records[key]

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

    def _known(self, key: str) -> Record | None:
        self._forget()
        return self._records.get(key)

    def _forget(self) -> None:
        oldest = self._clock() - HELD
        while self._records and next(iter(self._records.values())).at <= oldest:
            self._records.popitem(last=False)
