"""The place of one child process: filled, kept filled, emptied while nobody asks, exchanged.

Knows when a child is started, watched, restarted with growing pauses, put to sleep; doesn't know
personas, prompts or what a good answer is: who starts a child, and of what, is a function given.

    asleep ──a request──▶ starting ──▶ ready ──idle, the room is needed──▶ asleep
                             ▲           │ ended, hung
                             └─growing───┘             paused: ended, and nobody starts it
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from bot.engine.child import Child
from config.errors import EngineError, MyBotError

log = logging.getLogger("bot.engine.worker")

_PAUSES = (0.2, 1.0, 3.0, 10.0, 30.0, 60.0)
"""Seconds before each restart in a row; the last one repeats."""
_STEADY = 60.0
"""Seconds of life after which a child's end counts as the first in a row."""
_LATELY = 600.0
"""Seconds back from now in which crashes are counted."""
_COUNTED = 100
"""Crashes that are counted, at most."""
_LAST_BREATH = 5.0
"""Seconds in which a child that lost a request may turn out to be dead."""
_HASTE = 3.0
"""Seconds that replies under way get when the card is wanted for something else."""


class Place:
    """Where a child serves, or will as soon as somebody asks."""

    def __init__(self, start: Callable[[], Awaitable[Child]], *, patience: float, idle: float) -> None:
        """`patience` is how many seconds a request waits for a child, and a leaving child for its replies;
        after `idle` seconds without a request the child leaves (0: never)."""
        self._start = start
        self._patience = patience
        self._idle = idle
        self.child: Child | None = None
        """Who serves; None while nobody does."""
        self.changing = asyncio.Lock()
        """Held by whoever is about to put another child here, or none."""
        self.paused = False
        self.closed = False
        self.asked = 0
        """Requests inside."""
        self.used = 0.0
        """When the last request ended, on the loop's clock."""
        self.failures = 0
        """Starts and lives that ended badly, in a row."""
        self.restarts = 0
        self.trouble = ""
        """Why the last child fell."""
        self._crashes: deque[float] = deque(maxlen=_COUNTED)
        self._not_before = 0.0
        self._settled = asyncio.Event()
        """Set while there is a child, or surely none will come."""
        self._door = asyncio.Event()
        """Closed while the child is put to sleep: who comes then wakes another one."""
        self._door.set()
        self._still = asyncio.Event()
        """Set while no request is inside."""
        self._still.set()
        self._waking: asyncio.Task[None] | None = None
        self._retiring: set[Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> str:
        stirring = self.changing.locked() or (self._waking is not None and not self._waking.done())
        states = {"closed": self.closed, "paused": self.paused, "ready": self.child, "starting": stirring}
        return next((name for name, so in states.items() if so), "asleep")

    @property
    def crashes(self) -> int:
        """Children that ended by themselves in the last ten minutes."""
        since = asyncio.get_running_loop().time() - _LATELY
        return sum(at > since for at in self._crashes)

    @contextlib.asynccontextmanager
    async def inside(self) -> AsyncIterator[None]:
        """One request more: while it is inside, the child isn't put to sleep."""
        await self._door.wait()
        self.asked += 1
        self._still.clear()
        try:
            yield
        finally:
            self.asked -= 1
            self.used = asyncio.get_running_loop().time()
            if not self.asked:
                self._still.set()

    async def serving(self) -> Child | None:
        """The child, woken if need be; None when time is up, or when none will come."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while not (self.closed or self.paused):
            if self.child is not None:
                return self.child
            self.wake()
            if loop.time() >= until:
                return None
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._settled.wait(), until - loop.time())
        return None

    async def fill(self) -> bool:
        """Start a child if there is none, and whether one was; the error says why it doesn't come."""
        async with self.changing:
            if self.child is not None:
                return False
            await self.put(await self._start())
            return True

    async def put(self, child: Child) -> None:
        """Let this child serve from now on; one that is here already leaves after its replies. Holds `changing`."""
        if self.closed or self.paused:
            await child.stop()
            raise EngineError("the engine is closed or paused", hint="start or resume it again")
        old, self.child = self.child, child
        self.used = asyncio.get_running_loop().time()
        self._settled.set()
        self._spawn(self._guard(child))
        if self._idle:
            self._spawn(self._doze(child))
        if old is not None:
            self._retiring.add(old)
            self._spawn(self._retire(old))

    async def empty(self, patience: float | None = None) -> None:
        """Stop the child after its replies, at the latest after some seconds; who asks waits. Holds `changing`."""
        child, self.child = self.child, None
        if not self.paused:
            self._settled.clear()
        if child is not None:
            self._retiring.add(child)
            await self._retire(child, patience)

    async def sleep(self) -> None:
        """End the process once the replies inside are out. The next request starts it again."""
        self._door.clear()
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._still.wait(), self._patience)
            async with self.changing:
                await self.empty()
        finally:
            self._door.set()

    async def pause(self) -> None:
        """End the process and start none until `resume`: its memory is free on return."""
        self.paused = True
        self._settled.set()
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.wait({self._waking})
        async with self.changing:
            await self.empty(_HASTE)

    def resume(self) -> None:
        """Let a process be started again, with the next request."""
        self.paused = False
        if self.child is None:
            self._settled.clear()

    async def close(self) -> None:
        """End all children, and what is in flight with them."""
        self.closed = True
        self._settled.set()
        self._door.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        children = self._retiring | ({self.child} if self.child else set())
        self.child = None
        await asyncio.gather(*(child.stop() for child in children))

    def wake(self) -> None:
        """See to it that somebody brings a child up."""
        if not self.closed and (self._waking is None or self._waking.done()):
            self._waking = self._spawn(self._bring_up())

    async def mourn(self, child: Child) -> bool:
        """See whether a child that lost a request has died, and not by our hand; its exit reaches us after its socket's."""
        gone = await child.gone(_LAST_BREATH)
        if gone:
            self._lose(child)
        return gone and not child.dismissed

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _bring_up(self) -> None:
        """Start a child until one stands, with growing pauses; not for ever when nobody asks."""
        loop = asyncio.get_running_loop()
        while self.child is None and not (self.closed or self.paused):
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            again = self.failures > 0
            try:
                self.restarts += await self.fill() and again
            except MyBotError as error:
                self._fell(str(error))
            if self.child is None and not self.asked and self.failures >= len(_PAUSES):
                log.error("the engine stays down until somebody asks for it")
                return

    def _fell(self, why: str) -> None:
        """Note a failure: each in a row makes the next start wait longer."""
        pause = _PAUSES[min(self.failures, len(_PAUSES) - 1)]
        self.failures += 1
        self.trouble = why
        self._not_before = asyncio.get_running_loop().time() + pause
        log.error("%s (%d in a row; started again in %.1f s)", why, self.failures, pause)

    def _lose(self, child: Child) -> None:
        """A child has ended by itself: nobody is sent to it any more, and another one is started."""
        if child is not self.child:
            return
        self.child = None
        self._settled.clear()
        self._crashes.append(asyncio.get_running_loop().time())
        if asyncio.get_running_loop().time() - child.born > _STEADY:
            self.failures = 0
        self._fell(f"the engine ended (exit code {child.process.returncode})")
        self.wake()

    async def _guard(self, child: Child) -> None:
        await child.end()
        self._lose(child)
        await child.stop()

    async def _doze(self, child: Child) -> None:
        """Go to sleep after a while without requests."""
        loop = asyncio.get_running_loop()
        while child is self.child:
            rest = self._idle if self.asked else self.used + self._idle - loop.time()
            if rest <= 0:
                log.info("%s is idle: unloaded until somebody asks", child.persona.name)
                await self.sleep()
                return
            await asyncio.sleep(rest)

    async def _retire(self, child: Child, patience: float | None = None) -> None:
        """Stop a child after what it has in flight."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(child.idle.wait(), self._patience if patience is None else patience)
        await child.stop()
        self._retiring.discard(child)
