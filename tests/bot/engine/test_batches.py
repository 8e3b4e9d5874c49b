"""Which rows go together, and that each row ends exactly once whatever happens to its batch."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bot.engine.batches import PAUSED, Batches
from bot.engine.rows import Row, Steps, choose
from bot.engine.text import TextStream
from bot.engine.wire import Piece, Sampling
from config.errors import EngineError
from config.settings import Engine

Sweep = Callable[[float], None]


def row(length: int = 4, max_tokens: int = 4, *, patience: float = 60.0) -> tuple[Row, list[Piece]]:
    pieces: list[Piece] = []
    deadline = time.monotonic() + patience
    made = Row(
        list(range(length)),
        Sampling(max_tokens=max_tokens),
        deadline,
        pieces.append,
        lambda stop: TextStream(lambda ids: "".join(map(chr, ids)), stop),
    )
    return made, pieces


@given(
    st.lists(st.tuples(st.integers(1, 800), st.integers(1, 200)), min_size=1, max_size=60),
    st.integers(1, 32),
    st.integers(1, 20000),
)
def test_a_batch_begins_with_the_oldest_and_keeps_its_limits(
    shapes: list[tuple[int, int]], max_batch: int, budget: int
) -> None:
    waiting = [row(*shape)[0] for shape in shapes]
    chosen = choose(waiting, max_batch, budget)
    assert chosen[0] is waiting[0]
    assert len(chosen) <= max_batch
    assert [waiting.index(r) for r in chosen] == sorted(waiting.index(r) for r in chosen)
    if len(chosen) > 1:
        longest = max(len(r.ids) for r in chosen)
        assert len(chosen) * (longest + max(r.sampling.max_tokens for r in chosen)) <= budget
        assert len(chosen) * longest <= 2 * sum(len(r.ids) for r in chosen)


class Running:
    """A thread of batches over a generate of the test's own."""

    def __init__(self, generate: Callable[[Any, Sequence[Row], Sweep], bool], **knobs: Any) -> None:
        self.ended = threading.Event()
        self.loads = 0
        self.fault: EngineError | None = None
        """Why the next loads fail."""
        self.batches = Batches(self._load, generate, Engine(**knobs), on_ready=lambda: None, on_end=self.ended.set)

    def _load(self) -> Any:
        if self.fault:
            raise self.fault
        self.loads += 1
        loaded = SimpleNamespace(budget=10_000, model="weights")

        def release() -> int:
            loaded.model = None
            return 0

        loaded.release = release
        return loaded

    def __enter__(self) -> Batches:
        self.batches.start()
        return self.batches

    def __exit__(self, *_: object) -> None:
        self.batches.close()
        assert self.ended.wait(5)
        self.batches.join()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.002)


def finishes(pieces: Sequence[Piece]) -> list[str]:
    return [piece.finish for piece in pieces if piece.finish]


def finish_all(_: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
    for r in rows:
        for _ in range(r.sampling.max_tokens):
            r.take(ord("a"), frozenset(), frozenset(), time.monotonic())
    return True


def test_out_of_memory_gives_the_silent_a_second_try_and_ends_the_others() -> None:
    calls: list[int] = []

    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        calls.append(len(rows))
        if len(calls) > 1:
            return finish_all(loaded, rows, sweep)
        loaded.budget = 8
        rows[0].take(ord("a"), frozenset(), frozenset(), time.monotonic())
        return False

    made = [row() for _ in range(3)]
    with Running(generate) as batches:
        for r, _ in made:
            batches.submit(r)
        wait_for(lambda: all(r.finish for r, _ in made))
    assert calls == [3, 1, 1]
    assert [finishes(pieces) for _, pieces in made] == [["error"], ["length"], ["length"]]
    assert ["".join(p.text for p in pieces) for _, pieces in made] == ["a", "aaaa", "aaaa"]
    assert "memory" in made[0][1][-1].why


def test_who_leaves_while_it_waits_for_its_second_try_is_counted_once() -> None:
    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        rows[0].take(ord("a"), frozenset(), frozenset(), time.monotonic())
        return False

    (spoken, _), (silent, said) = row(), row()
    with Running(generate) as batches:

        def leave(piece: Piece) -> None:
            if piece.finish:
                silent.cancelled = True
                batches.sweep()

        spoken.deliver = leave
        with batches._changed:
            batches.submit(spoken)
            batches.submit(silent)
        wait_for(lambda: batches.ended.total() >= 2 and not batches._running)
        assert finishes(said) == ["cancelled"]
        assert batches.ended == {"error": 1, "cancelled": 1}


def test_out_of_memory_for_a_single_row_ends_only_that_row() -> None:
    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        return len(rows[0].ids) < 100 and finish_all(loaded, rows, sweep)

    (big, big_pieces), (small, small_pieces) = row(200), row(4)
    with Running(generate, max_batch=1) as batches:
        batches.submit(big)
        batches.submit(small)
        wait_for(lambda: bool(big.finish and small.finish))
    assert finishes(big_pieces) == ["error"]
    assert finishes(small_pieces) == ["length"]


def test_who_waits_can_be_cancelled_and_times_out_while_a_batch_runs() -> None:
    started, go = threading.Event(), threading.Event()

    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        started.set()
        while not go.wait(0.005):
            sweep(time.monotonic())
        return finish_all(loaded, rows, sweep)

    made = [row(), row(), row(patience=0.05), row()]
    first, gone, late, last = (r for r, _ in made)
    with Running(generate, max_batch=1, max_queue=3) as batches:
        batches.submit(first)
        assert started.wait(5)
        for r in (gone, late, last):
            assert batches.submit(r) == ""
        assert batches.submit(row()[0]) == "busy"
        gone.cancelled = True
        time.sleep(0.05)
        batches.sweep()
        wait_for(lambda: bool(gone.finish and late.finish))
        assert not first.finish
        assert not last.finish
        go.set()
        wait_for(lambda: bool(first.finish and last.finish))
    assert [finishes(pieces) for _, pieces in made] == [["length"], ["cancelled"], ["timeout"], ["length"]]
    assert batches.ended == {"busy": 1, "cancelled": 1, "timeout": 1, "length": 2}


def test_closing_ends_what_runs_and_what_waits() -> None:
    started = threading.Event()

    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        started.set()
        while not all(r.finish for r in rows):
            sweep(time.monotonic())
        return True

    made = [row(), row()]
    with Running(generate, max_batch=1) as batches:
        batches.submit(made[0][0])
        assert started.wait(5)
        batches.submit(made[1][0])
    assert [finishes(pieces) for _, pieces in made] == [["error"], ["error"]]
    assert not batches.crashed
    assert batches.submit(row()[0]) == "busy"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_ends_every_row_and_the_thread() -> None:
    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        raise ZeroDivisionError

    made, pieces = row()
    running = Running(generate)
    with running as batches:
        batches.submit(made)
        assert running.ended.wait(5)
    assert finishes(pieces) == ["error"]
    assert batches.crashed


def weights(batches: Batches) -> Any:
    return batches.loaded.model if batches.loaded else None


def test_paused_it_gives_the_weights_back_after_what_runs_and_tells_who_waits() -> None:
    started, go = threading.Event(), threading.Event()

    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        assert loaded.model
        started.set()
        assert go.wait(5)
        return finish_all(loaded, rows, sweep)

    running = Running(generate, max_batch=1)
    (runs, pieces), (waits, waits_pieces), (later, _) = row(), row(), row()
    with running as batches:
        batches.submit(runs)
        assert started.wait(5)
        batches.submit(waits)
        batches.pause()
        assert finishes(waits_pieces) == ["error"]
        assert waits_pieces[-1].why == PAUSED
        assert batches.submit(later) == "paused"
        assert weights(batches)
        go.set()
        wait_for(lambda: batches.state == "paused")
        assert finishes(pieces) == ["length"]
        assert not weights(batches)
        batches.resume()
        wait_for(lambda: batches.state == "ready")
        assert weights(batches)
        assert batches.submit(later) == ""
        wait_for(lambda: bool(later.finish))
    assert running.loads == 2


def test_without_work_it_falls_asleep_and_the_next_request_wakes_it() -> None:
    running = Running(finish_all, idle_unload=0.05)
    with running as batches:
        for loads in (1, 2, 3):
            made, pieces = row()
            assert batches.submit(made) == ""
            wait_for(lambda: bool(made.finish))  # noqa: B023
            assert finishes(pieces) == ["length"]
            assert running.loads == loads
            wait_for(lambda: batches.state == "asleep")
            assert not weights(batches)


def test_a_model_that_cannot_come_back_ends_who_waits_and_is_tried_again_by_the_next() -> None:
    running = Running(finish_all, idle_unload=0.02)
    with running as batches:
        wait_for(lambda: batches.state == "asleep")
        running.fault = EngineError("the card is full", hint="free it")
        lost, pieces = row()
        batches.submit(lost)
        wait_for(lambda: bool(lost.finish))
        assert (finishes(pieces), pieces[-1].why) == (["error"], "the card is full")
        assert batches.fault is running.fault
        running.fault = None
        made, pieces = row()
        batches.submit(made)
        wait_for(lambda: bool(made.finish))
        assert finishes(pieces) == ["length"]
        assert batches.fault is None


def test_a_thread_that_does_not_move_is_told_from_one_without_work() -> None:
    started, go = threading.Event(), threading.Event()

    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        sweep(time.monotonic())
        started.set()
        assert go.wait(5)
        return finish_all(loaded, rows, sweep)

    made, _ = row()
    with Running(generate) as batches:
        wait_for(lambda: batches.state == "ready")
        assert batches.stalled == 0.0
        batches.submit(made)
        assert started.wait(5)
        wait_for(lambda: batches.stalled > 0.1)
        go.set()
        wait_for(lambda: bool(made.finish) and batches.stalled == 0.0)


def test_thousands_of_requests_under_every_fault_end_once_each() -> None:
    """Random arrivals, cancels, deadlines, memory that runs out, scores that are no numbers, pauses, sleep."""
    dice = random.Random(7)
    known: list[Row] = []

    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        assert loaded.model
        steps = Steps(rows, frozenset({0}), frozenset(), sweep)
        memory = dice.choice([0, 1, 4, 99])
        for step in range(100):
            if step == memory // 4 and len(rows) > memory:
                return False
            tokens = [dice.choice([0, 97, 98, 99]) for _ in rows]
            if all(steps.take(tokens, [dice.random() < 0.005 for _ in rows])):
                return True
            if dice.random() < 0.1:
                dice.choice(known[-40:]).cancelled = True
        raise AssertionError("rows that never end")

    made: list[tuple[Row, list[Piece]]] = []
    refused = {"busy": 0, "paused": 0}
    with Running(generate, max_batch=8, max_queue=40, idle_unload=0.02) as batches:
        wait_for(lambda: batches.state == "ready")
        for number in range(4000):
            one = row(dice.choice([1, 5, 60]), dice.choice([1, 7, 30]), patience=dice.choice([0.0, 0.02, 60.0]))
            known.append(one[0])
            if answer := batches.submit(one[0]):
                refused[answer] += 1
                assert not one[1]
            else:
                made.append(one)
            if number % 40 == 39:
                batches.sweep()
                time.sleep(dice.choice([0.0, 0.001, 0.01]))
            if number % 1000 == 500:
                batches.pause()
            if number % 1000 == 520:
                batches.resume()
        wait_for(lambda: all(r.finish for r, _ in made))
    assert all(len(finishes(pieces)) == 1 and pieces[-1].finish for _, pieces in made)
    counted = Counter(r.finish for r, _ in made)
    assert {"stop", "length", "cancelled", "timeout", "error"} <= set(counted)
    assert refused["paused"]
    assert batches.ended == counted + Counter({"busy": refused["busy"]})
    assert not batches.crashed
