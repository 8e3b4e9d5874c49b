"""The supervised worker with real models: exchange, roll-back, broken personas. Crashes: test_supervision.py."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.engine.child import _flags
from bot.engine.echo import Echo
from bot.engine.remote import Remote
from bot.engine.wire import Piece, Sampling
from bot.engine.worker import Worker, open_talker
from bot.persona.manifest import Persona
from config.errors import EngineError, PersonaError
from config.settings import Engine, parse

HI = [{"role": "user", "content": "the cat sat"}]
GREEDY = Sampling(temperature=0, max_tokens=12)


def knobs(persona: Path, **others: Any) -> Engine:
    return Engine(persona=persona, device="cpu", max_new_tokens=15_000, timeout=60, start_timeout=120, **others)


@pytest.fixture(scope="session")
async def worker(personas: Path) -> AsyncIterator[Worker]:
    """One worker for all tests of this file; each leaves it serving v1."""
    worker = Worker(knobs(personas))
    await worker.start()
    yield worker
    await worker.close()
    assert worker.status()["state"] == "closed"
    assert [piece.finish for piece in await collect(worker)] == ["error"]


async def collect(worker: Worker, sampling: Sampling = GREEDY) -> list[Piece]:
    """All pieces, the terminal one last and alone."""
    pieces = [piece async for piece in worker.stream(HI, sampling)]
    assert [bool(piece.finish) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return pieces


def text(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def test_a_supervised_server_leaves_going_idle_to_its_worker(personas: Path) -> None:
    table = knobs(personas, idle_unload=60.0, max_batch=3, load_in_4bit=True)
    told = parse(Engine, _flags(personas / "v1", table))
    assert (told.persona, told.idle_unload, told.max_batch) == (personas / "v1", 0.0, 3)
    assert (told.load_in_4bit, told.load_in_8bit) == (True, False)


async def test_the_talker_of_one_persona_goes_idle_as_its_table_says(
    personas: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "start", Worker.prepare)
    talker = await open_talker(knobs(personas, idle_unload=60.0))
    assert isinstance(talker, Worker)
    assert talker.place._idle == 60.0


async def test_exchange_and_roll_back_under_streams_lose_nothing(worker: Worker, personas: Path) -> None:
    old, alone = worker.persona.hash, text(await collect(worker, Sampling(temperature=0, max_tokens=300)))
    new = Persona.load(personas / "v2").hash
    over = asyncio.Event()
    said: list[list[Piece]] = []

    async def talk() -> None:
        while not over.is_set():
            said.append(await collect(worker, Sampling(temperature=0, max_tokens=300)))
            await asyncio.sleep(0.05)

    talking = [asyncio.create_task(talk()) for _ in range(8)]
    await asyncio.sleep(0.2)
    (personas / "current").write_text("v2\n", encoding="utf-8")
    assert (await worker.reload()).hash == new
    assert worker.persona.hash == new
    assert worker.status()["previous"] == "v1"
    await asyncio.sleep(0.2)
    assert (await worker.rollback()).hash == old
    await asyncio.sleep(0.2)
    over.set()
    await asyncio.gather(*talking)

    assert {pieces[-1].finish for pieces in said} <= {"stop", "length"}
    assert all(len({piece.persona for piece in pieces}) == 1 for pieces in said)
    assert {pieces[0].persona for pieces in said} == {old, new}
    assert {text(pieces) for pieces in said if pieces[0].persona == old} == {alone}
    assert len({text(pieces) for pieces in said}) == 2
    assert (personas / "current").read_text() == "v1\n"
    assert worker.folder == personas / "v1"


async def test_a_broken_persona_leaves_the_old_one_serving(worker: Worker, toy: Path, new_persona: Any) -> None:
    before, pid = text(await collect(worker)), worker.status()["pid"]
    with pytest.raises(EngineError, match="not finite") as error:
        await worker.swap(new_persona("nan", spoil="nan"))
    assert "old one" in error.value.hint

    garbled = new_persona("garbled")
    weights = garbled / "model.safetensors"
    weights.write_bytes(b"\0" * weights.stat().st_size)
    with pytest.raises(EngineError, match="can't load") as error:
        await worker.swap(garbled)
    assert "copy the folder again" in error.value.hint

    (garbled / "config.json").unlink()
    with pytest.raises(PersonaError, match=r"config\.json is missing"):
        await worker.swap(garbled)
    assert text(await collect(worker)) == before
    assert worker.status()["pid"] == pid


async def test_a_worker_without_a_persona_says_so(toy: Path) -> None:
    with pytest.raises(PersonaError, match="no persona"):
        await open_talker(Engine(persona=toy / "nowhere"))
    idle = Worker(knobs(toy))
    with pytest.raises(EngineError, match="no earlier persona"):
        await idle.rollback()
    with pytest.raises(EngineError, match="isn't started"):
        idle.status()
    await idle.close()


async def test_a_server_elsewhere_speaks_as_the_persona_here(worker: Worker, personas: Path) -> None:
    assert worker.place.child is not None
    client = worker.place.child.client
    key = client._headers["Authorization"].removeprefix("Bearer ")
    remote = await open_talker(Engine(persona=personas, url=client.url, api_key=key))  # pyright: ignore[reportArgumentType]
    try:
        assert isinstance(remote, Remote)
        assert remote.persona == worker.persona
        said = [piece async for piece in remote.stream(HI, GREEDY)]
        assert text(said) == text(await collect(worker))
        assert said[-1].finish == (await collect(worker))[-1].finish
    finally:
        await remote.close()
    with pytest.raises(EngineError, match="refuses the key"):
        await open_talker(Engine(persona=personas, url=client.url))


async def test_the_echo_says_the_last_line() -> None:
    talker = await open_talker(Engine(persona=Path("echo")))
    assert isinstance(talker, Echo)
    turns = [*HI, {"role": "assistant", "content": "嗯"}, {"role": "user", "content": "第一行\n第二行"}]
    pieces = [piece async for piece in talker.stream(turns, Sampling())]
    assert (text(pieces), pieces[-1].finish) == ("第二行", "stop")
    pieces = [piece async for piece in talker.stream(turns, Sampling(max_tokens=2))]
    assert (text(pieces), pieces[-1].finish) == ("第二", "length")
    pieces = [piece async for piece in talker.stream(turns, Sampling(stop=("行",)))]
    assert (text(pieces), pieces[-1].finish) == ("第二", "stop")
    await talker.close()


def test_special_tokens_are_read_from_the_personas_tokenizer(toy: Path) -> None:
    from bot.engine.trial import _special_tokens

    assert set(_special_tokens(toy)) == {"<|pad|>", "<|im_start|>", "<|im_end|>"}
    assert json.loads((toy / "tokenizer.json").read_text())["added_tokens"]
