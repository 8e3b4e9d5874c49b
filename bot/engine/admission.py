"""Who may speak with the engine next, whatever engine it is: order, fairness, deadlines.

Two halves. `step` is pure: requests come and go, and it says who may go on and who is sent away.
`Admission` is a Talker around a Talker that lives by it. Neither knows prompts, servers or platforms.

    Asked ─▶ waiting ──a place is free, the chat's turn──▶ Go ─▶ running ─▶ Left
                 │
                 └ too many wait: busy · nobody wants it any more: timeout ─▶ Refuse

One request of a chat runs at a time, in the order they came; where many chats wait, the best rank
goes first, and within a rank the chat that has waited longest since its last turn. A chat has the
rank of the best that waits in it, so that none of its own holds it back.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

from bot.counting import Count
from bot.engine.wire import RANKS, Ask, Piece, Rank, Sampling, Talker
from bot.persona.manifest import Persona
from config.settings import Engine

logger = logging.getLogger(__name__)

Verdict = Literal["busy", "timeout"]
_TICK = 0.001
"""Seconds by which a timer may be early."""
_WHY: dict[Verdict, str] = {
    "busy": "too many requests wait already",
    "timeout": "its turn did not come in time",
}


@dataclass(slots=True, frozen=True)
class Asked:
    """A request; numbers only grow. At `expires` it is not wanted any more unless it runs."""

    number: int
    chat: str
    rank: Rank
    expires: float


@dataclass(slots=True, frozen=True)
class Left:
    """A request is over, or nobody waits for it any more."""

    number: int


@dataclass(slots=True, frozen=True)
class Clock:
    """Time has passed."""


@dataclass(slots=True, frozen=True)
class Go:
    number: int


@dataclass(slots=True, frozen=True)
class Refuse:
    number: int
    finish: Verdict


Event: TypeAlias = Asked | Left | Clock
Decision: TypeAlias = Go | Refuse


@dataclass(slots=True)
class Line:
    """Who waits and who runs."""

    limit: int
    """Requests that run at once."""
    room: int
    """Requests that may wait."""
    waiting: dict[int, Asked] = field(default_factory=dict)
    """By number, in the order they came."""
    running: dict[int, str] = field(default_factory=dict)
    """Number → chat."""
    since: dict[str, int] = field(default_factory=dict)
    """Chat → its place in the round, for each chat that waits and has nothing running."""
    rounds: int = 0


def step(line: Line, event: Event, now: float) -> list[Decision]:
    """What follows from an event. Changes the line, and nothing else."""
    if isinstance(event, Asked):
        line.waiting[event.number] = event
    elif isinstance(event, Left):
        line.waiting.pop(event.number, None)
        line.running.pop(event.number, None)
    out: list[Decision] = [_refuse(line, one, "timeout") for one in _over(line, now) if one.expires < now]
    heads = _line_up(line)
    while heads and len(line.running) < line.limit:
        one = heads.pop(0)
        del line.waiting[one.number], line.since[one.chat]
        line.running[one.number] = one.chat
        out.append(Go(one.number))
    # Who won't wait at all had this one chance.
    out += [_refuse(line, one, "timeout") for one in _over(line, now)]
    while len(line.waiting) > line.room:
        out.append(_refuse(line, _last(line), "busy"))
    return out


def _over(line: Line, now: float) -> list[Asked]:
    return [one for one in line.waiting.values() if one.expires <= now]


def _refuse(line: Line, one: Asked, finish: Verdict) -> Refuse:
    del line.waiting[one.number]
    if all(other.chat != one.chat for other in line.waiting.values()):
        line.since.pop(one.chat, None)
    return Refuse(one.number, finish)


def _line_up(line: Line) -> list[Asked]:
    """The oldest of each chat that may go, best first; chats that are new here get their place in the round."""
    busy = set(line.running.values())
    ranks: dict[str, int] = {}
    oldest: dict[str, Asked] = {}
    for one in line.waiting.values():
        if one.chat not in busy:
            ranks[one.chat] = min(ranks.get(one.chat, len(RANKS)), RANKS.index(one.rank))
            oldest.setdefault(one.chat, one)
    for chat in oldest:
        if chat not in line.since:
            line.rounds += 1
            line.since[chat] = line.rounds
    line.since = {chat: line.since[chat] for chat in oldest}
    return sorted(oldest.values(), key=lambda one: (ranks[one.chat], line.since[one.chat]))


def _last(line: Line) -> Asked:
    """Who has to go when too many wait: of the lowest rank, of the chat with most of them, the newest."""
    crowd: dict[tuple[str, Rank], int] = {}
    for one in line.waiting.values():
        crowd[one.chat, one.rank] = crowd.get((one.chat, one.rank), 0) + 1
    return max(line.waiting.values(), key=lambda one: (RANKS.index(one.rank), crowd[one.chat, one.rank], one.number))


class Admission:
    """A Talker that lets at most `limit` requests reach another at once; every one ends in one terminal piece.

    `room` is how many may wait, `timeout` how many seconds a request may take, waiting and
    decoding together. What waits beyond that is told so at once, never held.
    """

    def __init__(self, talker: Talker, *, limit: int, room: int, timeout: float) -> None:
        self._talker = talker
        self._line = Line(limit, room)
        self._timeout = timeout
        self._numbers = itertools.count(1)
        self._verdicts: dict[int, asyncio.Future[Verdict | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def of(cls, talker: Talker, knobs: Engine) -> "Admission":
        """As the [engine] table says: so many run as it takes into one batch, for each server."""
        limit = knobs.max_batch * max(1, len(knobs.urls))
        return cls(talker, limit=limit, room=knobs.max_queue, timeout=knobs.timeout)

    @property
    def persona(self) -> Persona:
        return self._talker.persona

    @property
    def count(self) -> Count | None:
        return self._talker.count

    @property
    def waiting(self) -> int:
        return len(self._line.waiting)

    @property
    def running(self) -> int:
        return len(self._line.running)

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        """The reply, as soon as it is this request's turn; its place is free again before anybody sees the end."""
        number = next(self._numbers)
        pieces: asyncio.Queue[Piece] = asyncio.Queue()
        # A task of its own: a place is given back in time however slowly, or never, the pieces are taken.
        task = asyncio.create_task(self._carry(number, messages, sampling, ask, pieces))
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, pieces))
        try:
            while not (piece := await pieces.get()).finish:
                yield piece
            yield piece
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def close(self) -> None:
        """End what waits and what runs, then let go of the engine."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._talker.close()

    async def _carry(
        self,
        number: int,
        messages: list[dict[str, str]],
        sampling: Sampling,
        ask: Ask | None,
        pieces: "asyncio.Queue[Piece]",
    ) -> None:
        """Wait for the request's turn and hand on what the engine says, and one end whatever happens."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        deadline = loop.time() + self._timeout
        end = Piece(finish="error", why="the engine ended a reply without an end")
        alarm = None
        try:
            verdict = await self._turn(number, ask or Ask(f"caller {number}"), deadline)
            if verdict is not None:
                end = Piece(finish=verdict, persona=self.persona.hash, why=_WHY[verdict])
                return
            alarm = loop.call_at(deadline, lambda: task and task.cancel())
            async with aclosing(self._talker.stream(messages, sampling, ask)) as stream:
                async for piece in stream:
                    if piece.finish:
                        end = piece
                        break
                    pieces.put_nowait(piece)
        except asyncio.CancelledError:
            # By the alarm, or because nobody listens any more: the task is ours, and ends here.
            late = loop.time() + _TICK >= deadline
            why = f"no end within {self._timeout:.0f} s" if late else ""
            end = Piece(finish="timeout" if late else "cancelled", persona=self.persona.hash, why=why)
        finally:
            if alarm is not None:
                alarm.cancel()
            self._step(Left(number))
            pieces.put_nowait(end)

    async def _turn(self, number: int, ask: Ask, deadline: float) -> Verdict | None:
        """None once the request may go; else why it may not."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        expires = deadline if ask.patience is None else min(deadline, now + ask.patience)
        self._verdicts[number] = verdict = loop.create_future()
        alarm = loop.call_at(expires, self._step, Clock(), expires)
        try:
            self._step(Asked(number, ask.chat, ask.rank, expires), now)
            return await verdict
        finally:
            alarm.cancel()
            del self._verdicts[number]

    def _step(self, event: Event, now: float | None = None) -> None:
        now = asyncio.get_running_loop().time() if now is None else now
        for decision in step(self._line, event, now):
            verdict = self._verdicts[decision.number]
            if not verdict.done():
                verdict.set_result(decision.finish if isinstance(decision, Refuse) else None)

    def _done(self, pieces: "asyncio.Queue[Piece]", task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled():
            # Before its first step: nothing else could say so.
            pieces.put_nowait(Piece(finish="cancelled", persona=self.persona.hash))
        elif (error := task.exception()) is not None:
            logger.error("the engine's own code broke down", exc_info=error)
