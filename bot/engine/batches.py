"""The thread that owns the model: what waits is put into batches, one after the other.

Knows a bounded first-in-first-out queue, deadlines in it, and when the model may leave its memory
(asleep for want of work, paused by command); doesn't know HTTP, and of the model only how to load
it, how to carry a batch to its end and how to let it go.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol

from bot.engine.model import Loaded
from bot.engine.rows import Row, choose
from config.errors import MyBotError
from config.settings import Engine

logger = logging.getLogger(__name__)

State = Literal["loading", "ready", "asleep", "paused"]

STOPPED = "the engine stopped"
"""Why a row ended that may be asked again elsewhere."""
PAUSED = "the engine is paused; its memory is lent to something else"
_LULL = 0.004
"""Seconds without a newcomer after which a batch leaves."""
_PATIENCE = 0.05
"""Seconds after which it leaves anyway."""
_TICK = 1.0
"""Seconds between two looks of a thread without work."""


class Generate(Protocol):
    def __call__(self, loaded: Loaded, rows: Sequence[Row], sweep: Callable[[float], None], /) -> bool: ...


class Batches(threading.Thread):
    """Rows go in by `submit`, from any thread; every row that was taken ends in one terminal piece."""

    def __init__(
        self,
        load: Callable[[], Loaded],
        generate: Generate,
        knobs: Engine,
        *,
        on_ready: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(name="model", daemon=True)
        self._load = load
        self._generate = generate
        self._max_batch = knobs.max_batch
        self._max_queue = knobs.max_queue
        self._idle_unload = knobs.idle_unload
        self._on_ready = on_ready
        self._on_end = on_end
        self._changed = threading.Condition()
        self._waiting: list[Row] = []
        self._running: list[Row] = []
        self._closed = False
        self._paused = False
        self._wanted = True
        """Whether somebody wants the model in its memory, with a request or without."""
        self._moved = self._worked = time.monotonic()
        self.state: State = "loading"
        self.loaded: Loaded | None = None
        """Once there, always there; asleep and paused it has no weights."""
        self.error: MyBotError | None = None
        """Why the model could not be loaded at start."""
        self.fault: MyBotError | None = None
        """Why it could not be loaded again."""
        self.crashed = False
        """Whether the thread ended on a bug; its traceback is on standard error."""
        self.ended: Counter[str] = Counter()
        """Rows by how they ended."""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return sum(row.finish is None for row in self._running)

    @property
    def stalled(self) -> float:
        """Seconds since the thread last moved, with work before it; loading a model is no work."""
        busy = self.state == "ready" and (self.running or self._waiting)
        return time.monotonic() - self._moved if busy else 0.0

    def submit(self, row: Row) -> Literal["", "busy", "paused"]:
        """Take a row, or say at once why not."""
        with self._changed:
            if self._paused:
                return "paused"
            if self._closed or len(self._waiting) >= self._max_queue:
                self.ended["busy"] += 1
                return "busy"
            self._waiting.append(row)
            self._changed.notify()
            return ""

    def sweep(self) -> None:
        """Let those go who were cancelled or whose time is up while they waited. From any thread."""
        with self._changed:
            now = time.monotonic()
            self._note([row for row in self._waiting if row.expire(now)])
            self._waiting = [row for row in self._waiting if row.finish is None]

    def pause(self) -> None:
        """Give the memory back once what runs is done; who waits is told. `state` says when it is free."""
        with self._changed:
            self._paused, self._wanted = True, False
            gone, self._waiting = self._waiting, []
            self._end(gone, PAUSED)
            self._note(gone)
            self._changed.notify()

    def resume(self) -> None:
        """Load again after a pause."""
        with self._changed:
            self._paused, self._wanted = False, True
            self.fault = None
            self._changed.notify()

    def wants(self, state: State) -> bool:
        """Whether it is still on the way there: not turned round, and not failed."""
        return self._paused if state == "paused" else self._wanted and not self._paused

    def close(self) -> None:
        """End every row at its next step, and then the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run(self) -> None:
        done = False
        try:
            self._wake()
            if self.error is None:
                self._on_ready()
                while work := self._next():
                    work()
            done = True
        finally:
            self.crashed = not done
            self.close()
            self._end([*self._running, *self._waiting], STOPPED)
            self._on_end()

    def _next(self) -> Callable[[], None] | None:
        """What is to be done, as soon as there is something; None when closed."""
        with self._changed:
            while not self._closed:
                now = self._moved = time.monotonic()
                if self.state == "ready" and not self._paused:
                    self._gather()
                work = None if self._closed else self._now(now)
                if work is not None:
                    return work
                if not self._closed:
                    self._changed.wait(self._until_next_look(now))
        return None

    def _now(self, now: float) -> Callable[[], None] | None:
        if self._paused:
            return partial(self._let_go, "paused") if self.state != "paused" else None
        if self.state != "ready":
            return self._wake if self._wanted or self._waiting else None
        if self._waiting:
            return self._batch()
        if self._idle_unload and now - self._worked >= self._idle_unload:
            return partial(self._let_go, "asleep")
        return None

    def _until_next_look(self, now: float) -> float:
        """Seconds until the next look, if nobody comes."""
        sleepy = self._idle_unload and self.state == "ready"
        return min(_TICK, max(0.001, self._worked + self._idle_unload - now)) if sleepy else _TICK

    def _batch(self) -> Callable[[], None] | None:
        self.sweep()
        loaded = self.loaded
        if loaded is None or not self._waiting:
            return None
        self._running = choose(self._waiting, self._max_batch, loaded.budget)
        self._waiting = [row for row in self._waiting if row not in self._running]
        return partial(self._answer, loaded, self._running)

    def _gather(self) -> None:
        """Let those who come together leave together."""
        until = time.monotonic() + _PATIENCE
        here = 0
        while here < len(self._waiting) < self._max_batch and time.monotonic() < until and not self._closed:
            here = len(self._waiting)
            self._changed.wait_for(lambda now=here: len(self._waiting) > now or self._closed, _LULL)

    def _wake(self) -> None:
        """Load the model. The first time a failure ends the thread, later only those who wait."""
        self.state = "loading"
        try:
            self.loaded = self._load()
        except MyBotError as error:
            if self.loaded is None:
                self.error = error
                return
            logger.error("%s", error)
            with self._changed:
                self.fault, self.state, self._wanted = error, "asleep", False
                gone, self._waiting = self._waiting, []
            self._end(gone, str(error))
            self._note(gone)
        else:
            self._worked = time.monotonic()
            self.fault, self.state = None, "ready"

    def _let_go(self, state: State) -> None:
        if self.state == "ready" and self.loaded is not None:
            freed = self.loaded.release()
            logger.info("%s: %.0f MiB given back", state, freed / 2**20)
        self._wanted = False
        self.state = state

    def _answer(self, loaded: Loaded, rows: list[Row]) -> None:
        again = [] if self._generate(loaded, rows, self._step) else self._after_out_of_memory(rows)
        # Those wait already, and whoever looks after who waits counts them.
        self._note([row for row in rows if row not in again])
        self._running = []
        self._worked = time.monotonic()

    def _after_out_of_memory(self, rows: list[Row]) -> list[Row]:
        """Once more, in smaller batches, for those who have not said anything yet and were not alone; who these are."""
        again = [row for row in rows if row.finish is None and not row.spoke and len(rows) > 1]
        for row in again:
            row.begin()
        with self._changed:
            paused = self._paused
            if paused:
                again = []
            self._waiting[:0] = again
        self._end([row for row in rows if row not in again], PAUSED if paused else "out of memory")
        return again

    def _step(self, now: float) -> None:
        self._moved = now
        if self._closed:
            self._end(self._running, STOPPED)

    def _end(self, rows: Sequence[Row], why: str) -> None:
        for row in rows:
            row.end("error", why)

    def _note(self, rows: Sequence[Row]) -> None:
        self.ended.update(row.finish for row in rows if row.finish)
