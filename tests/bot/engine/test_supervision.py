"""What the worker does about crashes, hangs and new personas: real processes with a model that starts at once."""

import asyncio
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.engine.memory import fits_beside
from bot.engine.trial import Unfit
from bot.engine.wire import Piece, Sampling
from bot.engine.worker import Worker
from bot.faults import told
from bot.persona.behaviour import Behaviour
from bot.persona.manifest import SCORES, Generation, Persona
from config.errors import EngineError, PersonaError
from config.settings import ROOT, Engine
from tests.toy_serve import COMMAND, make_toy
from tests.wire.running import alive, children

SHORT = 24


def knobs(home: Path, **others: Any) -> Engine:
    return Engine(persona=home, device="cpu", max_new_tokens=100_000, start_timeout=60, **{"timeout": 30, **others})


@asynccontextmanager
async def at_work(home: Path, idle: float = 0.0, **others: Any) -> AsyncIterator[Worker]:
    """A worker that leaves no process behind."""
    before = children(os.getpid())
    worker = Worker(knobs(home, **others), command=COMMAND, idle=idle)
    try:
        await worker.start()
        yield worker
    finally:
        await worker.close()
    await gone(children(os.getpid()) - before)


async def gone(pids: set[int], within: float = 20.0) -> None:
    until = time.monotonic() + within
    while left := pids & alive():
        assert time.monotonic() < until, f"left behind: {left}"
        await asyncio.sleep(0.05)


async def ask(worker: Worker, words: str = "hi", tokens: int = SHORT) -> list[Piece]:
    """All pieces: the terminal one last, alone, and of the one who spoke."""
    prompt = [{"role": "user", "content": words}]
    pieces = [piece async for piece in worker.stream(prompt, Sampling(temperature=0, max_tokens=tokens))]
    assert [bool(piece.finish) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert len({piece.persona for piece in pieces}) == 1
    return pieces


def text(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def whole(folder: Path, tokens: int = SHORT) -> str:
    """What this version says."""
    return (f"{folder.parent.name}/{folder.name} " * tokens)[:tokens]


async def until(condition: Any, within: float = 20.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "never so"
        await asyncio.sleep(0.02)


def pid_of(worker: Worker) -> int:
    pid = worker.status()["pid"]
    assert isinstance(pid, int)
    return pid


async def test_five_reloads_under_sixteen_chats_lose_double_and_mix_nothing(home: Path) -> None:
    async with at_work(home, max_batch=16) as worker:
        processes = len(children(os.getpid()))
        over = asyncio.Event()
        said: list[tuple[str, list[Piece]]] = []
        by_hash = {Persona.load(home / version).hash: version for version in ("v1", "v2")}

        async def talk() -> None:
            while not over.is_set():
                said.append(("", await ask(worker, tokens=60)))

        talking = [asyncio.create_task(talk()) for _ in range(16)]
        for version in ("v2", "v1", "v2", "v1", "v2"):
            (home / "current").write_text(version, encoding="utf-8")
            assert (await worker.reload()).hash == Persona.load(home / version).hash
        over.set()
        await asyncio.gather(*talking)
        assert {pieces[-1].finish for _, pieces in said} == {"length"}
        for _, pieces in said:
            assert text(pieces) == whole(home / by_hash[pieces[0].persona], 60)
        assert {by_hash[pieces[0].persona] for _, pieces in said} == {"v1", "v2"}
        await until(lambda: len(children(os.getpid())) == processes)


async def test_what_is_not_fit_leaves_the_old_one_serving_and_says_why(home: Path, tmp_path: Path) -> None:
    learned = Behaviour(learned=True, chars=(1, 2, 3), bubbles=1.0)
    long = make_toy(tmp_path / "long" / "v1", behaviour=learned, generation=Generation(max_tokens=400, temperature=0))
    async with at_work(home) as worker:
        pid = pid_of(worker)
        for manner, words in (("mute", "says nothing"), ("nan", "not finite"), ("template", "chat template")):
            with pytest.raises(Unfit, match=words) as refused:
                await worker.swap(make_toy(tmp_path / manner / "v1", manner=manner))
            assert told("zh", refused.value).startswith("新的")
            assert "old one" in refused.value.hint
        with pytest.raises(Unfit, match="400 characters, where 8 are usual"):
            await worker.swap(long)
        with pytest.raises(EngineError, match="can't load the weights"):
            await worker.swap(make_toy(tmp_path / "fail" / "v1", manner="fail"))
        (long / "words").unlink()
        with pytest.raises(PersonaError, match="words is missing"):
            await worker.swap(long)
        assert text(await ask(worker)) == whole(home / "v1")
        assert pid_of(worker) == pid


async def test_a_version_the_gate_refused_is_taken_by_force_only(home: Path) -> None:
    (home / "v2" / SCORES).write_text('{"passed": false, "reasons": ["its loss is 9"]}', encoding="utf-8")
    async with at_work(home) as worker:
        with pytest.raises(Unfit, match="its loss is 9") as refused:
            await worker.swap(home / "v2")
        assert "强制" in told("zh", refused.value)
        await worker.swap(home / "v2", force=True)
        assert text(await ask(worker)) == whole(home / "v2")
        await worker.rollback()
        assert (await worker.rollback()).hash == Persona.load(home / "v2").hash


async def test_without_room_the_old_one_leaves_first_and_who_asks_waits(home: Path, tmp_path: Path) -> None:
    broken = make_toy(tmp_path / "mute" / "v1", manner="mute")
    async with at_work(home, swap="exchange") as worker:
        last = asyncio.create_task(ask(worker, tokens=200))
        await asyncio.sleep(0.2)
        swap = asyncio.create_task(worker.swap(home / "v2"))
        await until(lambda: worker.place.child is None)
        held = [asyncio.create_task(ask(worker)) for _ in range(4)]
        await swap
        assert text(await last) == whole(home / "v1", 200)
        assert {text(await one) for one in held} == {whole(home / "v2")}
        swap = asyncio.create_task(worker.swap(broken))
        await until(lambda: worker.place.child is None)
        held = [asyncio.create_task(ask(worker)) for _ in range(4)]
        with pytest.raises(Unfit, match="says nothing"):
            await swap
        assert {text(await one) for one in held} == {whole(home / "v2")}


def test_memory_decides_whether_a_second_one_fits(home: Path, tmp_path: Path) -> None:
    small = Persona.load(home / "v1")
    large = Persona.load(make_toy(tmp_path / "large" / "v1", parameters=8_000_000_000))
    gib = 2**30
    card = {"memory": {"free": 20 * gib, "total": 24 * gib}}
    assert fits_beside(small, knobs(home), card)
    assert fits_beside(large, knobs(home, dtype="float16"), card)
    assert not fits_beside(large, knobs(home), card)
    assert fits_beside(large, knobs(home, load_in_4bit=True), {"memory": {"free": 6 * gib}})
    assert not fits_beside(large, knobs(home, load_in_4bit=True), {"memory": {"free": 5 * gib}})
    assert fits_beside(large, knobs(home, swap="beside"), {"memory": {"free": 0}})
    assert not fits_beside(small, knobs(home, swap="exchange"), card)
    endless = Persona.load(make_toy(tmp_path / "endless" / "v1", parameters=10**15))
    assert not fits_beside(endless, knobs(home), {})


async def test_a_killed_worker_answers_the_silent_once_more_and_the_spoken_never(home: Path) -> None:
    async with at_work(home, max_batch=4) as worker:
        spoken = [asyncio.create_task(ask(worker, tokens=2000)) for _ in range(4)]
        await until(lambda: worker.place.asked == 4)
        await asyncio.sleep(0.3)
        silent = [asyncio.create_task(ask(worker)) for _ in range(4)]
        await asyncio.sleep(0.2)
        os.kill(pid_of(worker), signal.SIGKILL)
        cut = [await one for one in spoken]
        assert {pieces[-1].finish for pieces in cut} == {"error"}
        assert all(whole(home / "v1", 2000).startswith(text(pieces)) and text(pieces) for pieces in cut)
        assert [text(await one) for one in silent] == [whole(home / "v1")] * 4
        assert worker.status()["restarts"] == 1


async def test_a_request_that_kills_is_sent_twice_and_not_for_ever(home: Path, caplog: Any) -> None:
    async with at_work(home) as worker:
        with caplog.at_level(logging.ERROR):
            pieces = await ask(worker, "die", tokens=2)
            assert pieces[-1].finish == "length"
            pieces = await ask(worker, "please die")
        assert pieces[-1].finish == "error"
        assert (await ask(worker, "oom"))[-1].why.startswith("500")
        assert text(await ask(worker)) == whole(home / "v1")
        assert worker.status()["restarts"] <= 2


async def test_a_frozen_worker_is_found_and_replaced(home: Path) -> None:
    async with at_work(home, stall=1.0) as worker:
        frozen = pid_of(worker)
        os.kill(frozen, signal.SIGSTOP)
        silent = asyncio.create_task(ask(worker))
        assert text(await silent) == whole(home / "v1")
        assert pid_of(worker) != frozen
        await gone({frozen})


async def test_a_forward_that_never_ends_is_found_though_http_still_answers(home: Path) -> None:
    async with at_work(home, stall=1.0) as worker:
        stuck = pid_of(worker)
        spoken = asyncio.create_task(ask(worker, "stick"))
        await asyncio.sleep(0.4)
        silent = asyncio.create_task(ask(worker))
        assert (await spoken)[-1].finish == "error"
        assert text(await silent) == whole(home / "v1")
        assert pid_of(worker) != stuck
        await gone({stuck})


async def test_one_that_can_not_start_again_is_tried_with_growing_pauses_and_told(home: Path, caplog: Any) -> None:
    async with at_work(home, timeout=2.0) as worker:
        shutil.move(home, home.with_name("elsewhere"))
        with caplog.at_level(logging.ERROR):
            os.kill(pid_of(worker), signal.SIGKILL)
            await until(lambda: worker.status()["failures"])
            pieces = await ask(worker)
        assert pieces[-1].finish == "timeout"
        assert "no persona.json" in pieces[-1].why
        told = [record.message for record in caplog.records if "in a row" in record.message]
        assert 2 <= len(told) <= 4
        assert "no persona.json" in worker.status()["trouble"]
        assert worker.status()["state"] == "starting"
        shutil.move(home.with_name("elsewhere"), home)
        await worker.start()
        assert text(await ask(worker)) == whole(home / "v1")
        assert worker.status()["trouble"] == ""


async def test_idle_it_sleeps_and_the_next_request_wakes_it(home: Path) -> None:
    async with at_work(home, idle=0.3) as worker:
        pid = pid_of(worker)
        long = asyncio.create_task(ask(worker, tokens=150))
        await asyncio.sleep(0.5)
        assert pid_of(worker) == pid
        assert text(await long) == whole(home / "v1", 150)
        await until(lambda: worker.status()["state"] == "asleep")
        await gone({pid})
        assert text(await ask(worker)) == whole(home / "v1")
        assert worker.status()["restarts"] == 0


async def test_paused_it_ends_and_says_so_until_resumed(home: Path) -> None:
    async with at_work(home) as worker:
        pid = pid_of(worker)
        await worker.place.pause()
        assert pid not in alive()
        assert worker.status()["state"] == "paused"
        pieces = await ask(worker)
        assert (pieces[-1].finish, pieces[-1].why) == ("busy", "the engine is paused")
        with pytest.raises(EngineError, match="paused"):
            await worker.swap(home / "v2")
        worker.place.resume()
        assert text(await ask(worker)) == whole(home / "v1")


PARENT = """
import asyncio, sys
from pathlib import Path
from bot.engine.worker import Worker
from config.settings import Engine
from tests.toy_serve import COMMAND

async def main():
    worker = Worker(Engine(persona=Path(sys.argv[1]), device="cpu"), command=COMMAND)
    await worker.start()
    print("serves as", worker.status()["pid"], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("frozen", [False, True])
async def test_nobody_outlives_a_killed_bot_not_even_frozen_or_a_grandchild(tmp_path: Path, frozen: bool) -> None:
    persona = make_toy(tmp_path / "me" / "v1", manner="child")
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(persona)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert bot.stdout is not None
    server = int((await bot.stdout.readline()).split()[-1])
    family = children(bot.pid)
    assert server in family
    assert len(family) == 3
    if frozen:
        os.kill(server, signal.SIGSTOP)
    bot.kill()
    await bot.wait()
    await gone(family)


async def test_what_a_worker_started_ends_with_it(home: Path, tmp_path: Path) -> None:
    others = children(os.getpid())
    async with at_work(make_toy(tmp_path / "with" / "v1", manner="child")) as worker:
        family = children(os.getpid()) - others
        os.kill(pid_of(worker), signal.SIGKILL)
        pieces = await ask(worker)
        assert text(pieces) == whole(tmp_path / "with" / "v1"), pieces
        assert len(family) >= 3
        await gone(family)


async def test_a_line_without_end_in_its_log_does_not_stop_it(home: Path) -> None:
    noisy = make_toy(home.parent / "noisy" / "v1", manner="noisy")
    async with at_work(noisy) as worker:
        assert text(await ask(worker)) == whole(noisy)
