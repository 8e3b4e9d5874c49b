"""The whole bot with a real model in its worker: exchange, crash and restart, seen from QQ."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.persona.manifest import Generation, Persona
from tests.personas import make_persona
from tests.wire.peer import ACCOUNT, FRIEND, OWNER, Peer, at
from tests.wire.running import Process, children, running, write_settings
from tests.wire.test_talking import TOKEN, rows

GROUPS = range(80001, 80013)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of one persona that says short things."""
    folder = tmp_path_factory.mktemp("personas") / "toy"
    for seed, version in enumerate(("v1", "v2")):
        make_persona(folder / version, seed=seed, context=2048, spoil="endless", generation=Generation(max_tokens=16))
    return folder


@asynccontextmanager
async def alive(folder: Path, persona: Path, **knobs: Any) -> AsyncIterator[tuple[Peer, Process]]:
    """A bot that speaks with a model, and its QQ side."""
    (persona / "current").write_text("v1\n", encoding="utf-8")
    peer = Peer("wire-token")
    knobs = {"onebot_v11_ws_urls": [await peer.serve()], "chats": [f"group:{group}" for group in GROUPS], **knobs}
    # Random weights say anything.
    knobs["guard"] = False
    try:
        settings = write_settings(folder, engine={"persona": str(persona), "device": "cpu"}, **knobs)
        async with running(settings, **TOKEN) as bot:
            await bot.said("connected", 120)
            yield peer, bot
    finally:
        await peer.close()


async def answered_everywhere(peer: Peer, timeout: float) -> None:
    """Wait for a bubble in every group and one for the owner; the error says where there is none."""
    wanted = {f"private:{OWNER}", *(f"group:{group}" for group in GROUPS)}
    try:
        await peer.until(lambda: wanted <= {sent.chat for sent in peer.sent}, timeout)
    except asyncio.TimeoutError:
        silent = sorted(wanted - {sent.chat for sent in peer.sent})
        told = [sent.text for sent in peer.sent if sent.chat == f"private:{OWNER}"]
        raise AssertionError(f"nothing was said in {silent}; the owner was told {told}") from None


async def test_a_reload_while_messages_flow_loses_none(tmp_path: Path, versions: Path) -> None:
    async with alive(tmp_path, versions) as (peer, _):
        (versions / "current").write_text("v2\n", encoding="utf-8")
        for number, group in enumerate(GROUPS):
            # Each group asks by somebody else: nobody is answered more than six times in a minute.
            await peer.group(FRIEND + number, at(ACCOUNT), " 在吗", group=group)
            if number == 3:
                await peer.private(OWNER, "/reload")
            await asyncio.sleep(0.3)
        await answered_everywhere(peer, 60)
        said = [sent.text for sent in peer.sent if sent.chat == f"private:{OWNER}"]
        assert len(said) == 1
        assert Persona.load(versions / "v2").hash in said[0]
        await peer.private(OWNER, "/status")
        await peer.until(lambda: sum(sent.chat == f"private:{OWNER}" for sent in peer.sent) == 2)
        assert f"回了 {len(GROUPS)} 条" in peer.sent[-1].text
        assert "失败 0" in peer.sent[-1].text


async def test_a_new_version_is_taken_by_itself_and_a_broken_one_is_not(tmp_path: Path, versions: Path) -> None:
    async with alive(tmp_path, versions, auto_reload=0.2) as (_, bot):
        make_persona(versions / "v3", seed=5, spoil="nan")
        (versions / "current").write_text("v3\n", encoding="utf-8")
        assert "not finite" in await bot.said("was not taken", 60)
        (versions / "current").write_text("v2\n", encoding="utf-8")
        assert Persona.load(versions / "v2").hash in await bot.said("speaks now", 60)
        assert sum("was not taken" in line for line in bot.log) == 1


async def test_a_killed_worker_comes_back_and_who_waited_is_answered_once(tmp_path: Path, versions: Path) -> None:
    async with alive(tmp_path, versions, max_bubbles=1) as (peer, bot):
        before = children(bot.process.pid)
        await peer.private(OWNER, "你好")
        for child in before:
            os.kill(child, signal.SIGKILL)
        await peer.answers(1, 60)
        assert not before & children(bot.process.pid)
        await asyncio.sleep(1.0)
        assert len(peer.sent) == 1
    assert [row["author"].split(":")[0] for row in await rows(tmp_path)] == ["other", "persona"]


async def test_what_was_said_is_there_after_a_restart(tmp_path: Path, versions: Path) -> None:
    """Greedy, the same question gets another answer where something was said before."""
    old, new = GROUPS[:2]
    async with alive(tmp_path, versions, max_bubbles=1, temperature=0) as (peer, _):
        await peer.group(FRIEND, at(ACCOUNT), " 我叫小鹿", group=old)
        await peer.answers(1, 60)
    kept = await rows(tmp_path)
    async with alive(tmp_path, versions, max_bubbles=1, temperature=0) as (peer, _):
        for group in (old, new):
            await peer.group(FRIEND, at(ACCOUNT), " 我叫什么", group=group)
        await peer.answers(2, 60)
        await asyncio.sleep(0.8)
        said = {sent.chat: sent.text for sent in peer.sent}
        assert len(peer.sent) == 2
        assert said[f"group:{old}"] != said[f"group:{new}"]
    assert [row["author"].split(":")[0] for row in kept] == ["other", "persona"]
    assert (await rows(tmp_path))[:2] == kept


async def test_a_message_that_a_stop_left_unanswered_is_answered_after_the_start(
    tmp_path: Path, versions: Path
) -> None:
    async with alive(tmp_path, versions, max_bubbles=1, debounce=5.0, debounce_max=9.0) as (peer, _):
        await peer.private(OWNER, "先别走")
        await asyncio.sleep(0.5)
        assert not peer.sent
    async with alive(tmp_path, versions, max_bubbles=1) as (peer, _):
        await peer.answers(1, 60)
        await asyncio.sleep(0.8)
        assert len(peer.sent) == 1
