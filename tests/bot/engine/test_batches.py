"""Which rows go together, and that each row ends exactly once whatever happens to its batch."""

import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bot.engine.batches import Batches
from bot.engine.rows import Row, choose
from bot.engine.text import TextStream
from bot.engine.wire import Piece, Sampling
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
        loaded: Any = SimpleNamespace(budget=10_000)
        self.ended = threading.Event()
        self.batches = Batches(lambda: loaded, generate, Engine(**knobs), on_ready=lambda: None, on_end=self.ended.set)

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
            r.take(ord("a"), frozenset(), frozenset())
    return True


def test_out_of_memory_gives_the_silent_a_second_try_and_ends_the_others() -> None:
    calls: list[int] = []

    def generate(loaded: Any, rows: Sequence[Row], sweep: Sweep) -> bool:
        calls.append(len(rows))
        if len(calls) > 1:
            return finish_all(loaded, rows, sweep)
        loaded.budget = 8
        rows[0].take(ord("a"), frozenset(), frozenset())
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
