"""What ends servers elsewhere: real ones that die of a word; two at most, and nobody else is held for it."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.engine import remote as remote_module
from bot.engine.client import Client
from bot.engine.remote import Remote
from bot.engine.since import Messages
from bot.engine.wire import Ask, Piece, Sampling
from bot.persona.manifest import open_persona
from config.errors import EngineError
from config.settings import ROOT
from tests.bot.engine.test_supervision import until
from tests.wire.running import free_port

SERVER = ROOT / "tests" / "dying_server.py"
GROUP = "qq:group:7"


class Process:
    """One of those servers."""

    def __init__(self, manner: str, log: Path) -> None:
        self.port, self.manner, self._log = free_port(), manner, log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def asked(self) -> list[str]:
        """The prompts that it got."""
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - starting one is quick
                [sys.executable, str(SERVER), str(self.port), self.manner], stdout=log
            )
        client, there = Client(self.url), False
        while not there:
            await asyncio.sleep(0.05)
            with contextlib.suppress(EngineError):
                await client.recognize()
                there = True
        await client.close()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@asynccontextmanager
async def house(home: Path, *manners: str) -> AsyncIterator[tuple[Remote, list[Process]]]:
    servers = [Process(manner, home.parent / f"asked {number}") for number, manner in enumerate(manners)]
    talker = Remote([Client(server.url) for server in servers], open_persona(home)[1])
    try:
        await asyncio.gather(*(server.start() for server in servers))
        yield talker, servers
    finally:
        await talker.close()
        for server in servers:
            server.stop()


def alive(servers: list[Process]) -> int:
    return sum(server.alive for server in servers)


def said(*lines: str) -> Messages:
    return [{"role": "user", "content": "\n".join(lines)}]


async def ask(talker: Remote, prompt: Messages, chat: str = GROUP) -> Piece:
    pieces = [piece async for piece in talker.stream(prompt, Sampling(max_tokens=5), Ask(chat))]
    assert [bool(piece.finish) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return pieces[-1]


async def test_what_two_servers_died_of_goes_to_no_third_and_the_chat_is_answered(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(home, "kill", "kill", "kill") as (talker, servers):
        assert (await ask(talker, said("a"))).finish == "stop"
        ends = [await ask(talker, said("a", "venom")) for _ in range(5)]
        assert {end.finish for end in ends} == {"error"}
        assert "not tried again" in ends[-1].why
        await until(lambda: alive(servers) == 1)
        assert (await ask(talker, said("a", "venom", "b"))).finish == "stop"
        [last] = [server for server in servers if server.alive]
        assert last.asked[-1] == "b"
        assert not any("venom" in prompt for prompt in last.asked)
        told = talker.status()
        assert (told["cut"], told["refused"], told["state"], told["version"]) == ([GROUP], [], "ready", "url 1/3")
        assert caplog.text.count(f"a prompt of {GROUP} ends the engine") == 1
        assert "venom" not in caplog.text


async def test_in_company_it_waits_for_one_that_died_already_and_nobody_else_is_held(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "_PAUSES", (0.1,))
    async with house(home, "kill", "kill", "kill") as (talker, servers):
        over = asyncio.Event()

        async def talk(chat: str) -> None:
            while not over.is_set():
                await ask(talker, said("hi"), chat)

        talking = [asyncio.create_task(talk(f"c{number}")) for number in range(6)]
        await asyncio.sleep(0.3)
        assert (await ask(talker, said("venom"))).finish == "error"
        over.set()
        await asyncio.gather(*talking)
        await until(lambda: alive(servers) == 1)
        dead = [server for server in servers if not server.alive]
        assert (await ask(talker, said("venom"))).finish == "error"
        await asyncio.sleep(0.1)
        assert (talker.status()["cut"], alive(servers)) == ([], 1), "not to the third"
        await dead[0].start()
        await until(lambda: talker.status()["version"] == "url 2/3")
        assert {(await ask(talker, said("hi"), f"c{number}")).finish for number in range(6)} == {"stop"}
        assert (await ask(talker, said("venom"))).finish == "error"
        await until(lambda: alive(servers) == 1)
        assert talker.status()["cut"] == [GROUP]
        assert (await ask(talker, said("venom", "b"))).finish == "stop"


async def test_who_becomes_a_suspect_under_way_goes_no_further(home: Path) -> None:
    async with house(home, "kill", "kill") as (talker, servers):
        talker._quarantine.crashed(said("venom"), GROUP, "earlier", "elsewhere", alone=False)
        poisoned = asyncio.create_task(ask(talker, said("venom")))
        await asyncio.sleep(0.05)
        crowd = [asyncio.create_task(ask(talker, said("hi"), f"c{number}")) for number in range(4)]
        assert (await poisoned).finish == "error"
        assert {(await one).finish for one in crowd} == {"stop"}
        await until(lambda: alive(servers) == 1)
        assert talker._quarantine.suspects(GROUP)


async def test_one_that_says_500_before_it_ends_and_one_that_only_breaks_off(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "_AFTERMATH", 1.0)
    monkeypatch.setattr(remote_module, "_PAUSES", (0.1,))
    async with house(home, "late", "late", "cut") as (talker, servers):
        cut = servers[-1]
        for left in ("url 2/3", "url 1/3"):
            assert (await ask(talker, said("venom"))).finish == "error"
            await until(lambda: talker.status()["version"] == left)  # noqa: B023
        assert [server.alive for server in servers] == [False, False, True]
        assert talker.status()["cut"] == [GROUP]
        asked = len(cut.asked)
        assert "not tried again" in (await ask(talker, said("venom"))).why
        assert len(cut.asked) == asked
        for _ in range(3):
            assert (await ask(talker, said("venom"), "qq:group:8")).finish == "error"
            await until(lambda: talker.status()["version"] == "url 1/3")
        assert talker.status()["cut"] == [GROUP], "it is there: nothing has ended"
        assert (await ask(talker, said("venom", "b"))).finish == "stop"
        cut.stop()
        await ask(talker, said("b"), "c")
        told = talker.status()
        assert (told["state"], told["version"]) == ("away", "url 0/3")
        assert "no engine answers" in told["trouble"] or "Connect" in told["trouble"]
