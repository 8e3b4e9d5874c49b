"""How many threads a forward gets on the CPU: what is asked for, else what is fastest, by its size."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bot.engine.child import _flags
from bot.engine.model import generate, load
from bot.engine.rows import Row
from bot.engine.threads import LONG, SIZES, Threads, choose
from bot.engine.wire import Sampling
from bot.persona.manifest import Persona
from config.settings import Engine


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Sleeper:
    """A model whose forward takes as long as it is told; with more threads it has to wake them first."""

    config = SimpleNamespace()

    def __init__(self, token: float, wake: float, parameters: float = 1e6) -> None:
        self.token, self.wake, self.parameters, self.asked = token, wake, parameters, 0

    def num_parameters(self) -> float:
        return self.parameters

    def __call__(self, *, input_ids: torch.Tensor, **_: Any) -> None:
        self.asked += 1
        threads = torch.get_num_threads()
        time.sleep(self.token * input_ids.numel() / threads + self.wake * (threads - 1))


def test_a_step_gets_one_thread_and_a_prompt_all_where_waking_them_costs() -> None:
    threads = choose(Sleeper(token=0.0005, wake=0.001), 0)
    assert threads.table == {1: 1, 16: 2}
    assert str(threads) == "1 thread (2 from 16 tokens on)"
    assert torch.get_num_threads() == 2
    assert choose(Sleeper(token=0.00001, wake=0.01), 0).table == {1: 1, LONG: 2}
    assert choose(Sleeper(token=0.004, wake=0.0), 0).table == {1: 2}


def test_what_is_long_or_asked_for_is_not_tried() -> None:
    slow = Sleeper(token=0.12, wake=0.0)
    begun = time.perf_counter()
    assert choose(slow, 0).table == {1: 2}
    assert slow.asked == 2
    assert time.perf_counter() - begun < 1.0
    torch.set_num_threads(16)
    begun = time.perf_counter()
    assert choose(Sleeper(token=0.4, wake=0.0), 0).table == {1: 16}
    assert time.perf_counter() - begun < 2.0, "one thread, that takes sixteen times as long, is not tried"
    torch.set_num_threads(2)
    large = Sleeper(token=0.0, wake=0.0, parameters=7e9)
    assert choose(large, 0).table == {1: 2}
    assert choose(large, 3).table == {1: 3}
    assert torch.get_num_threads() == 3
    assert not large.asked


def test_each_size_has_its_threads() -> None:
    threads = Threads({1: 1, 16: 2, 256: 3}, 3)
    for tokens, count in ((0, 1), (1, 1), (15, 1), (16, 2), (255, 2), (256, 3), (4000, 3)):
        threads.use(tokens)
        assert torch.get_num_threads() == count
    threads.use(1)
    threads.use_all()
    assert torch.get_num_threads() == 3
    assert max(SIZES) < LONG


def test_a_reply_reads_with_all_and_speaks_with_one(toy: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        loaded = load(toy, Persona.load(toy), Engine(persona=toy, device="cpu"))
    assert f"on cpu, {loaded.threads}:" in caplog.text
    loaded.threads = Threads({1: 1, 16: 2}, 2)
    seen: list[tuple[int, int]] = []

    def look(_: Any, args: Any, kwargs: dict[str, Any]) -> None:
        seen.append((kwargs["input_ids"].shape[1], torch.get_num_threads()))

    loaded.model.register_forward_pre_hook(look, with_kwargs=True)
    pieces: list[Any] = []
    row = Row([5] * 40, Sampling(temperature=0, max_tokens=4), time.monotonic() + 60, pieces.append, loaded.text_stream)
    assert generate(loaded, [row], lambda now: None)
    assert pieces[-1].finish
    assert seen == [(40, 2), *[(1, 1)] * (len(seen) - 1)]
    assert torch.get_num_threads() == 2


def test_a_worker_hands_the_number_on(toy: Path) -> None:
    flags = _flags(toy, Engine(persona=toy, threads=3))
    assert flags[flags.index("--threads") + 1] == "3"
