"""The rows of a batch: one request each, from its prompt to its one terminal piece.

Knows tokens, limits, deadlines and stop strings; doesn't know HTTP, weights or how tokens are
drawn. A row is advanced by the thread that owns the model; others may only cancel it.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.engine.text import TextStream
from bot.engine.wire import Finish, Piece, Sampling

PACE = 0.02
"""Seconds for which what a row says is gathered: each piece wakes the thread that serves, for which the model's waits."""


@dataclass(slots=True, eq=False)
class Row:
    """One request. `deliver` is called with every piece, from the model's thread."""

    ids: list[int]
    sampling: Sampling
    deadline: float
    """On the monotonic clock."""
    deliver: Callable[[Piece], None]
    new_text: Callable[[Sequence[str]], TextStream]
    """Makes the text of a reply from its stop strings."""
    text: TextStream = field(init=False)
    produced: int = 0
    """Tokens drawn so far, the end token among them."""
    spoke: bool = False
    """Whether anything of it was delivered."""
    cancelled: bool = False
    finish: Finish | None = None
    _held: str = ""
    """What is to be delivered."""
    _spoke_at: float = -math.inf

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what was drawn: nothing of it has been delivered."""
        self.produced = 0
        self._held = ""
        self.text = self.new_text(self.sampling.stop)

    def expire(self, now: float) -> bool:
        """End the row if it was cancelled or its time is up; whether it has ended."""
        if self.finish is None and self.cancelled:
            self.end("cancelled")
        elif self.finish is None and now >= self.deadline:
            self.end("timeout", "the deadline passed")
        return self.finish is not None

    def take(self, token: int, ends: frozenset[int], hidden: frozenset[int], now: float) -> None:
        """One more token: an end token ends the row, a hidden one is no text."""
        self.produced += 1
        if token in ends:
            self._held += self.text.finish()
            self.end("stop")
            return
        if token not in hidden:
            self._held += self.text.push(token)
        if self.text.stopped:
            self.end("stop")
        elif self.produced >= self.sampling.max_tokens:
            self._held += self.text.finish()
            self.end("stop" if self.text.stopped else "length")
        elif now >= self._spoke_at + PACE:
            self._speak(now)

    def end(self, finish: Finish, why: str = "") -> None:
        """What is still to be delivered, and the terminal piece, once."""
        if self.finish is None:
            self._speak()
            self.finish = finish
            self.deliver(Piece(finish=finish, why=why))

    def _speak(self, now: float = 0.0) -> None:
        if self._held:
            self.spoke, self._spoke_at = True, now
            self.deliver(Piece(self._held))
            self._held = ""


class Steps:
    """What happens after every step: each row is handed its new token, or its end."""

    def __init__(
        self, rows: Sequence[Row], ends: frozenset[int], hidden: frozenset[int], sweep: Callable[[float], None]
    ) -> None:
        self._rows = rows
        self._ends = ends
        self._hidden = hidden
        self._sweep = sweep

    def take(self, tokens: Sequence[int], broken: Sequence[int]) -> list[bool]:
        """The new token of every row, and whether its scores were no numbers; which rows have ended by now."""
        now = time.monotonic()
        for row, token, lost in zip(self._rows, tokens, broken, strict=True):
            if row.expire(now):
                continue
            if lost:
                row.end("error", "the model's scores are not finite")
            else:
                row.take(token, self._ends, self._hidden, now)
        self._sweep(now)
        return [row.finish is not None for row in self._rows]


def choose(waiting: Sequence[Row], max_batch: int, budget: int) -> list[Row]:
    """The next batch: the row that has waited longest, and others in turn that go well with it.

    Padded to one length they must keep within a budget of tokens, and at most half may be padding.
    """
    chosen = [*waiting[:1]]
    for row in waiting[1:]:
        if len(chosen) >= max_batch:
            break
        rows = [*chosen, row]
        longest = max(len(r.ids) for r in rows)
        room = longest + max(r.sampling.max_tokens for r in rows)
        if room * len(rows) <= budget and longest * len(rows) <= 2 * sum(len(r.ids) for r in rows):
            chosen = rows
    return chosen
