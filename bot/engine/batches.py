"""The thread that owns the model: what waits is put into batches, one after the other.

Knows a bounded first-in-first-out queue, deadlines in it, and memory that ran out; doesn't know
HTTP, and of the model only how to load it and how to carry a batch to its end.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from bot.engine.model import Loaded
from bot.engine.rows import Row, choose
from config.errors import MyBotError
from config.settings import Engine

STOPPED = "the engine stopped"
"""Why a row ended that may be asked again elsewhere."""
_LULL = 0.004
"""Seconds without a newcomer after which a batch leaves."""
_PATIENCE = 0.05
"""Seconds after which it leaves anyway."""


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
        self._on_ready = on_ready
        self._on_end = on_end
        self._changed = threading.Condition()
        self._waiting: list[Row] = []
        self._running: list[Row] = []
        self._closed = False
        self.loaded: Loaded | None = None
        self.error: MyBotError | None = None
        """Why the model could not be loaded."""
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

    def submit(self, row: Row) -> bool:
        """Take a row, or say at once that too many wait."""
        with self._changed:
            if self._closed or len(self._waiting) >= self._max_queue:
                self.ended["busy"] += 1
                return False
            self._waiting.append(row)
            self._changed.notify()
            return True

    def close(self) -> None:
        """End every row at its next step, and then the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run(self) -> None:
        done = False
        try:
            self.loaded = self._load()
            self._on_ready()
            while rows := self._take():
                self._answer(self.loaded, rows)
            done = True
        except MyBotError as error:
            self.error = error
            done = True
        finally:
            self.crashed = not done
            self.close()
            self._end([*self._running, *self._waiting], STOPPED)
            self._on_end()

    def _take(self) -> list[Row]:
        """The next batch, as soon as somebody waits; empty when closed."""
        with self._changed:
            while not self._closed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                self._gather()
                self._sweep(time.monotonic())
                loaded = self.loaded
                if self._waiting and loaded is not None and not self._closed:
                    self._running = choose(self._waiting, self._max_batch, loaded.budget)
                    self._waiting = [row for row in self._waiting if row not in self._running]
                    return self._running
        return []

    def _gather(self) -> None:
        """Let those who come together leave together."""
        until = time.monotonic() + _PATIENCE
        here = 0
        while here < len(self._waiting) < self._max_batch and time.monotonic() < until and not self._closed:
            here = len(self._waiting)
            self._changed.wait_for(lambda now=here: len(self._waiting) > now or self._closed, _LULL)

    def _answer(self, loaded: Loaded, rows: list[Row]) -> None:
        if not self._generate(loaded, rows, self._step):
            self._after_out_of_memory([row for row in rows if row.finish is None])
        self._note(rows)
        self._running = []

    def _after_out_of_memory(self, rows: list[Row]) -> None:
        """Once more, in smaller batches, for those who have not said anything yet."""
        again = [row for row in rows if not row.spoke and not row.retried]
        for row in again:
            row.retried = True
            row.begin()
        with self._changed:
            self._waiting[:0] = again
        self._end([row for row in rows if row not in again], "out of memory")

    def _step(self, now: float) -> None:
        if self._closed:
            self._end(self._running, STOPPED)
        if self._waiting:
            with self._changed:
                self._sweep(now)

    def _sweep(self, now: float) -> None:
        """Let those go who were cancelled or whose time is up while they waited."""
        gone = [row for row in self._waiting if row.expire(now)]
        self._note(gone)
        self._waiting = [row for row in self._waiting if row.finish is None]

    def _end(self, rows: Sequence[Row], why: str) -> None:
        for row in rows:
            row.end("error", why)

    def _note(self, rows: Sequence[Row]) -> None:
        self.ended.update(row.finish for row in rows if row.finish)
