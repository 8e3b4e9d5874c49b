"""What the history lets go of, and sees that it stays away: on somebody's word, or because it is old.

Knows when and in how small bites; what goes with what is forget.py's.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from bot.database import Database
from bot.forget import BITE, TABLES, Target, drop_idle_labels, forget_in, marks, purge, refuse, unname
from bot.persona.message import Message
from bot.tables import forgotten

logger = logging.getLogger(__name__)

SWEEP = 600.0
"""Seconds between two looks for what is too old."""
BREATH = 0.2
"""Seconds between two bites of it."""


class Retention:
    """The end of messages. Made by `of`."""

    def __init__(self, database: Database, forgotten_until: dict[str, float]) -> None:
        self._database = database
        self._forgotten = forgotten_until
        """What must not come back, hashed, and until when."""
        self._sweeping: asyncio.Task[None] | None = None

    @classmethod
    async def of(cls, database: Database) -> "Retention":
        """With what was forgotten in this database before."""
        return cls(database, {row.what: row.before for row in await database.read(select(forgotten))})

    def close(self) -> None:
        """Sweep no more."""
        if self._sweeping is not None:
            self._sweeping.cancel()

    def refuses(self, message: Message) -> bool:
        """Whether it belongs to what was forgotten, and comes again."""
        if not self._forgotten:
            return False
        until = (self._forgotten.get(mark, -math.inf) for mark in marks(message.chat, message.sender, message.id))
        return message.time < max(until)

    async def forget(self, target: Target, at: float) -> dict[str, int]:
        """Delete it from tables, file and log; how much, by table."""
        until = math.inf if target.message else math.floor(at) + 1.0
        at_once = self._database.at_once
        self._forgotten[target.mark] = until
        gone: Counter[str] = Counter(dict.fromkeys(TABLES, 0))
        # A chat at a time, so that a reply elsewhere doesn't wait for all of them.
        for chat in await at_once(lambda connection: refuse(connection, target, until)):
            gone.update(await at_once(lambda connection, chat=chat: forget_in(connection, chat, target)))
        if target.sender:
            gone.update(await at_once(lambda connection: unname(connection, target)))
        if any(gone.values()):
            await self._database.scrub()
        return dict(gone)

    async def purge(self, before: float) -> int:
        """Delete what is older, in bites between which others write; how many messages."""
        touched: Counter[str] = Counter()
        while True:
            chats = await self._database.at_once(lambda connection: purge(connection, before))
            touched.update(chats)
            if len(chats) < BITE:
                break
            await asyncio.sleep(BREATH)
        for chat in touched:
            await self._database.at_once(lambda connection, chat=chat: drop_idle_labels(connection, chat))
        return touched.total()

    def sweep(self, seconds: float, now: Callable[[], float] = time.time) -> None:
        """From now on delete what gets older than that, by itself."""
        self._sweeping = asyncio.create_task(self._sweep(seconds, now))

    async def _sweep(self, seconds: float, now: Callable[[], float]) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            try:
                if count := await self.purge(now() - seconds):
                    logger.info("history: %d messages were older than [bot] keep_days and are deleted", count)
            except SQLAlchemyError as error:
                logger.error("history: what is too old is still there: %s", type(error).__name__)
