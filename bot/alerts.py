"""Tells the owner what they should know: in private on QQ, and by another way when QQ is away.

Knows how often it may, and for how long an account may be away before that is news. Doesn't know what
happened but by the line it is given, and none of those holds a message's text.

    tell   a piece of news, at a bounded rate
    away   an account can't speak any more; told after a grace, until `back`
    beat   a sign of life; when no other follows, the account is away
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from bot import faults, words
from bot.alert_ways import Undelivered, Way, ways
from bot.owner import place_of, private_chats
from bot.port import Port, Unsent
from bot.words import Language, Text
from config.settings import Bot

log = logging.getLogger("bot.alerts")

AGAIN = 1800.0
"""Seconds before the same piece of news is told again."""
HOURLY = 6
"""Pieces of news in an hour, at most."""
KNOWN = 1000
"""Pieces of news that are remembered."""
PAUSES = (5.0, 10.0, 20.0, 60.0, 300.0)
"""Seconds before an alert that could not be delivered is tried again; the last one repeats."""
NOBODY = ""
"""The account that has not connected yet."""
MARGIN = 5.0
"""Seconds that the second heartbeat in a row may be late."""
LOOKS = 10.0
"""Seconds between two looks at the engine."""
_LASTING = ("cut ", "refused ")
"""How the reasons begin of what holds for an hour by itself."""
FAILING = 3
"""Failures of the engine in a row that are news."""


class Alerts:
    """The ways to the owner. Let go of by `close`."""

    def __init__(
        self,
        settings: Bot,
        port: Port,
        *,
        why: Callable[[Language], str] = lambda _: "",
        language: Callable[[], Language] = lambda: "zh",
    ) -> None:
        """`why` says what is known of a missing connection, `language` what the owner reads. SettingsError as `ways`."""
        self._owners = private_chats(settings.superusers)
        self._port = port
        self._why = why
        self._language = language
        self._grace = settings.alert_after
        self._ways: list[Way] = ways(settings)
        self._told: dict[str, float] = {}
        self._times: deque[float] = deque(maxlen=HOURLY)
        self._gone: dict[str, asyncio.Task[None]] = {}
        self._news: set[str] = set()
        """Accounts of which the owner was, or is being, told that they are away."""
        self._beats: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        if not self._ways:
            log.warning("nobody tells you when QQ is away: set [bot] alert_mail, or MYBOT_BOT_ALERT_URL in .env")

    async def tell(self, reason: str, text: str) -> bool:
        """Tell the owner in private, by another way where QQ won't; False where it was too often or failed.

        `reason` names the news: the same is not told again for a while.
        """
        now = self._port.now()
        if now - self._told.get(reason, -AGAIN) < AGAIN or (
            len(self._times) == HOURLY and now - self._times[0] < 3600.0
        ):
            return False
        self._told[reason] = now
        if len(self._told) > KNOWN:
            del self._told[next(iter(self._told))]
        self._times.append(now)
        for owner in self._owners:
            try:
                await self._port.send(owner, text, None)
            except Unsent as error:
                log.warning("the owner was not told on QQ: %s", error)
            else:
                return True
        return await self._deliver(text)

    def away(self, account: str, why: Text | None = None, *, grace: float | None = None) -> None:
        """An account can't speak any more. If it is not back within the grace, the owner hears of it."""
        if account not in self._gone:
            wait = self._grace if grace is None else grace
            self._gone[account] = self._start(self._report(account, why, wait))

    def back(self, account: str) -> None:
        """An account is there; so somebody is."""
        for one in (account, NOBODY):
            if task := self._gone.pop(one, None):
                task.cancel()
            if one in self._news:
                self._news.discard(one)
                self._start(self._deliver_back(one or account))

    def beat(self, account: str, interval: float, *, online: bool = True) -> None:
        """A heartbeat: the account is there, or the QQ side says that it isn't."""
        if handle := self._beats.pop(account, None):
            handle.cancel()
        if not online:
            self.away(account, words.OFFLINE)
            return
        self.back(account)
        patience = max(1.5 * interval, min(2 * interval + MARGIN, 100.0))
        loop = asyncio.get_running_loop()
        self._beats[account] = loop.call_later(patience, lambda: self.away(account, words.NO_HEARTBEAT, grace=0.0))

    def disconnected(self, account: str) -> None:
        """The connection of an account has ended."""
        if handle := self._beats.pop(account, None):
            handle.cancel()
        self.away(account, words.DISCONNECTED)

    async def watch(self, status: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        """Look at the engine's own word of itself, for ever: news is a persona that does not come up, or
        again and again, and a chat that ends it, once while it is held."""
        heard: set[str] = set()
        while True:
            await asyncio.sleep(LOOKS)
            news = [one for name, told in status().items() for one in _news(self._language(), name, told)]
            for reason, text in news:
                if reason not in heard and await self.tell(reason, text) and reason.startswith(_LASTING):
                    heard.add(reason)
            heard &= {reason for reason, _ in news}

    async def close(self) -> None:
        """Tell nothing more."""
        for handle in self._beats.values():
            handle.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _report(self, account: str, why: Text | None, wait: float) -> None:
        """Wait for the grace, then tell until somebody has heard it."""
        await asyncio.sleep(wait)
        language = self._language()
        who = words.ACCOUNT(language, account=account) if account else "QQ"
        known = self._why(language) or (why(language) if why else "")
        self._news.add(account)
        attempt = 0
        while not await self._deliver(words.AWAY(language, who=who, why=known).strip()):
            if not self._ways:
                return
            await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
            attempt += 1

    async def _deliver_back(self, account: str) -> None:
        await self._deliver(words.BACK(self._language(), account=account))

    async def _deliver(self, text: str) -> bool:
        """By every way that is not QQ; whether one of them took it."""
        taken = False
        for way in self._ways:
            try:
                await way.send(text)
                taken = True
            except Undelivered as error:
                log.error("the owner was not told: %s", error)
        return taken

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _news(language: Language, name: str, told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a worker's status holds that its owner should know: the reason, and the line."""
    if told["failures"] >= FAILING and told["trouble"]:
        why = faults.told(language, told["trouble"])
        yield f"engine {name}", words.ENGINE_DOWN(language, name=name, times=told["failures"], why=why)
    elif told["crashes"] >= FAILING:
        why = faults.told(language, told["fell"])
        yield f"crashes {name}", words.ENGINE_CRASHES(language, name=name, times=told["crashes"], why=why)
    for chat in told["cut"]:
        yield f"cut {name} {chat}", words.ENGINE_CUTS(language, name=name, where=place_of(language, chat))
    for chat in told["refused"]:
        yield f"refused {name} {chat}", words.ENGINE_REFUSES(language, name=name, where=place_of(language, chat))
