"""Who goes next, over random orders of what may happen; and the same with an engine that does run."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings, strategies as st

from bot.engine.admission import Admission, Asked, Clock, Decision, Go, Left, Line, Refuse, step
from bot.engine.echo import Echo
from bot.engine.wire import RANKS, Ask, Finish, Piece, Rank, Sampling

CHATS = "abcde"
moves = st.one_of(
    st.tuples(st.sampled_from(CHATS), st.sampled_from(RANKS), st.integers(0, 6)),
    st.integers(0, 30),
    st.sampled_from([0.0, 1.0, 3.0]),
)
"""A chat asks, with its patience; the so-many-th request leaves; time passes."""


@dataclass
class Told:
    """Everything that was asked and decided, in order."""

    line: Line
    now: float = 0.0
    asked: dict[int, Asked] = field(default_factory=dict)
    went: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)

    def do(self, move: object) -> None:
        if isinstance(move, tuple):
            chat, rank, patience = move
            event = Asked(len(self.asked), chat, rank, self.now + patience)
            self.asked[event.number] = event
        elif isinstance(move, float):
            self.now += move
            event = Clock()
        else:
            going = [n for n in self.asked if n not in self.left and n not in self.refused]
            if not going:
                return
            event = Left(going[move % len(going)])
            self.left.add(event.number)
        before = dict(self.line.waiting)
        for decision in step(self.line, event, self.now):
            self.check(decision, before | ({event.number: event} if isinstance(event, Asked) else {}))

    def check(self, decision: Decision, waited: dict[int, Asked]) -> None:
        number = decision.number
        assert number in waited
        assert number not in self.went
        assert number not in self.refused
        one = self.asked[number]
        if isinstance(decision, Refuse):
            self.refused[number] = decision.finish
            assert (decision.finish == "timeout") == (one.expires <= self.now)
            return
        self.went.append(number)
        assert one.expires >= self.now

    @property
    def running(self) -> set[int]:
        return {number for number in self.went if number not in self.left}


@settings(max_examples=250)
@given(st.lists(moves, max_size=60), st.integers(1, 3), st.integers(0, 4))
def test_over_any_order_of_events(orders: list[object], limit: int, room: int) -> None:
    told = Told(Line(limit, room))
    for move in orders:
        told.do(move)
        line, running = told.line, told.running
        chats = [told.asked[number].chat for number in running]
        assert set(line.running) == running
        assert len(running) <= limit
        assert len(set(chats)) == len(chats), "one at a time in a chat"
        assert len(line.waiting) <= room
        assert all(one.expires > told.now for one in line.waiting.values()), "nobody waits beyond his time"
        if len(running) < limit:
            assert {one.chat for one in line.waiting.values()} <= set(chats), "no place is left empty"
        assert set(told.asked) == set(line.waiting) | set(told.went) | set(told.refused) | told.left, "nobody is lost"
        assert not set(line.waiting) & (set(told.went) | set(told.refused) | told.left)
        assert len(line.since) <= len(line.waiting), "nothing is kept of a chat that waits for nothing"
    for chat in CHATS:
        order = [number for number in told.went if told.asked[number].chat == chat]
        assert order == sorted(order), "a chat's requests go in the order they came"


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from(CHATS), st.sampled_from(RANKS), st.booleans()), max_size=40))
def test_ranks_first_then_the_chat_that_waited_longest(asks: list[tuple[str, Rank, bool]]) -> None:
    """With one place: each goes whose chat has the best rank, and among those no chat twice before another once."""
    line = Line(1, 1000)
    step(line, Asked(-1, "first", "addressed", 1e9), 0.0)
    going, passed = -1, dict.fromkeys(CHATS, 0)
    arrivals = list(enumerate(asks))
    while arrivals or line.waiting:
        more = True
        while arrivals and more:
            number, (chat, rank, more) = arrivals.pop(0)
            step(line, Asked(number, chat, rank, 1e9), 0.0)
        waiting = list(line.waiting.values())
        decisions = step(line, Left(going), 0.0)
        if not waiting:
            assert not decisions
            continue
        [decision] = decisions
        assert isinstance(decision, Go)
        going = decision.number
        mine = next(one for one in waiting if one.number == going)
        best: dict[str, int] = {}
        for one in waiting:
            best[one.chat] = min(best.get(one.chat, 9), RANKS.index(one.rank))
        assert best[mine.chat] == min(best.values())
        rivals = [chat for chat in best if best[chat] == best[mine.chat] and chat != mine.chat]
        for chat in rivals:
            passed[chat] += 1
            assert passed[chat] < len(CHATS), "passed over by every other chat once, not by one of them twice"
        passed[mine.chat] = 0


def test_a_flood_of_one_chat_is_sent_away_and_not_the_others() -> None:
    line = Line(1, 3)
    went = [step(line, Asked(number, "flood", "addressed", 99), 0) for number in range(4)]
    assert went == [[Go(0)], [], [], []]
    assert step(line, Asked(4, "flood", "addressed", 99), 0) == [Refuse(4, "busy")]
    assert step(line, Asked(5, "quiet", "addressed", 99), 0) == [Refuse(3, "busy")]
    assert step(line, Asked(6, "quiet", "join", 99), 0) == [Refuse(6, "busy")]
    assert step(line, Asked(7, "other", "private", 99), 0) == [Refuse(7, "busy")]
    assert list(line.waiting) == [1, 2, 5]
    assert step(line, Left(0), 0) == [Go(5)]


def test_a_talk_to_join_is_not_waited_for() -> None:
    line = Line(1, 3)
    assert step(line, Asked(0, "a", "join", 5.0), 5.0) == [Go(0)]
    assert step(line, Asked(1, "b", "join", 5.0), 5.0) == [Refuse(1, "timeout")]
    assert step(line, Asked(2, "b", "join", 6.0), 5.0) == []
    assert step(line, Left(0), 6.5) == [Refuse(2, "timeout")]


class Slow(Echo):
    """An engine that says a word after a while and keeps book; what its prompt says, it does."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[str] = []
        self.most = 0
        self.begun: list[str] = []
        self.pause = 0.002
        self._callers = itertools.count()

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        text = messages[-1]["content"]
        chat = ask.chat if ask else f"caller {next(self._callers)}"
        assert chat not in self.running
        self.running.append(chat)
        self.begun.append(f"{chat} {text}")
        self.most = max(self.most, len(self.running))
        try:
            yield Piece("嗯")
            await asyncio.sleep(1e6 if text == "hang" else self.pause)
            if text == "break":
                return
            if text == "bug":
                raise ZeroDivisionError
            yield Piece(finish="stop")
            yield Piece("after the end")
        finally:
            await asyncio.sleep(self.pause)
            self.running.remove(chat)

    async def ask(self, admission: Admission, text: str, ask: Ask | None) -> list[Piece]:
        return [piece async for piece in admission.stream([{"role": "user", "content": text}], Sampling(), ask)]


def ends(pieces: list[Piece]) -> Finish | None:
    """How it ended: by its last piece, and by no other."""
    assert [bool(piece.finish) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return pieces[-1].finish


async def test_every_request_ends_once_whatever_the_engine_does(caplog: pytest.LogCaptureFixture) -> None:
    engine = Slow()
    admission = Admission(engine, limit=2, room=8, timeout=0.2)
    asked = ("fine", "break", "bug", "hang", "fine")
    said = await asyncio.gather(*(engine.ask(admission, text, None) for text in asked))
    assert [ends(pieces) for pieces in said] == ["stop", "error", "error", "timeout", "stop"]
    assert engine.most == 2
    assert (admission.running, admission.waiting, engine.running) == (0, 0, [])
    [record] = caplog.records
    assert record.exc_info is not None


async def test_too_many_are_told_at_once_and_what_waits_too_long_in_time() -> None:
    engine = Slow()
    admission = Admission(engine, limit=1, room=1, timeout=0.1)
    hanging = asyncio.create_task(engine.ask(admission, "hang", Ask("a")))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(engine.ask(admission, "fine", Ask("b", "addressed", patience=0.03)))
    await asyncio.sleep(0.01)
    assert ends(await engine.ask(admission, "fine", Ask("c"))) == "busy"
    assert ends(await engine.ask(admission, "fine", Ask("c", "join", patience=0))) == "timeout"
    assert not waiting.done()
    assert ends(await waiting) == "timeout"
    assert not hanging.done()
    assert ends(await hanging) == "timeout"
    assert engine.begun == ["a hang"]
    assert ends(await engine.ask(admission, "fine", Ask("c", "join", patience=0))) == "stop"


async def test_who_goes_away_gives_his_place_back() -> None:
    engine = Slow()
    admission = Admission(engine, limit=1, room=4, timeout=60)
    async with aclosing(admission.stream([{"role": "user", "content": "hang"}], Sampling(), Ask("a"))) as pieces:
        assert (await anext(pieces)).text == "嗯"
        gone = asyncio.create_task(engine.ask(admission, "gone", Ask("b")))
        stays = asyncio.create_task(engine.ask(admission, "stays", Ask("b")))
        await asyncio.sleep(0.01)
        gone.cancel()
    assert "a" not in engine.running, "closed when the caller has closed"
    assert ends(await stays) == "stop"
    assert engine.begun == ["a hang", "b stays"]


async def test_an_end_of_all_ends_each() -> None:
    engine = Slow()
    admission = Admission(engine, limit=1, room=4, timeout=60)
    asking = [asyncio.create_task(engine.ask(admission, "hang", None)) for _ in range(3)]
    await asyncio.sleep(0.01)
    # One that has not even begun.
    late = asyncio.create_task(engine.ask(admission, "hang", None))
    await asyncio.sleep(0)
    await admission.close()
    assert {ends(await one) for one in [*asking, late]} == {"cancelled"}
    assert engine.running == []
