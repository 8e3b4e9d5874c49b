"""Several personas behind one bridge, and the owner's commands about them: real processes, a model that starts at once."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot import alerts
from bot.engine import place
from bot.persona.manifest import Persona
from bot.persona.message import Message, Segment
from config.errors import EngineError, MyBotError, PersonaError
from config.settings import Bot, Engine
from tests.toy_serve import COMMAND, make_toy
from tests.wire.running import alive, children

A, B, OWNER = "qq:private:20001", "qq:group:7001", "qq:private:10001"


def recording_port() -> Any:
    """A platform that keeps what it was sent."""
    from plugins.chat.ports import Ports

    class Port(Ports):
        def __init__(self) -> None:
            super().__init__(dict)
            self.sent: list[tuple[str, str]] = []

        async def send(self, chat: str, text: str, quote: str | None, *_: Any) -> str:
            self.sent.append((chat, text))
            return f"s{len(self.sent)}"

        def texts(self, chat: str) -> list[str]:
            return [text for where, text in self.sent if where == chat]

    return Port()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two personas: me with two versions, and other."""
    for folder, me in (("me/v1", "小鹿"), ("me/v2", "小鹿"), ("other/v1", "阿泽")):
        make_toy(tmp_path / "personas" / folder, me=me)
    for name in ("me", "other"):
        (tmp_path / "personas" / name / "current").write_text("v1\n", encoding="utf-8")
    return tmp_path / "personas"


@asynccontextmanager
async def up(home: Path, engine: dict[str, Any] | None = None, **knobs: Any) -> AsyncIterator[Any]:
    """A bridge that is open; closed, nothing of it is left."""
    from plugins.chat.bridge import Bridge

    given: dict[str, Any] = {"chats": ["private:20001", "group:7001"], "superusers": ["10001"], "max_bubbles": 1}
    given |= {
        "debounce": 0.05,
        "delays": 0,
        # The toy says the same over and over.
        "guard": False,
        "disclosure": False,
        "database": f"sqlite+aiosqlite:///{home.parent}/history.db",
    }
    before = children(os.getpid())
    bridge = Bridge(recording_port())
    try:
        table = Engine(persona=home / "me", device="cpu", timeout=60, start_timeout=60, **(engine or {}))
        await bridge.open(Bot(**{**given, **knobs}), table, command=COMMAND)
        yield bridge
    finally:
        await bridge.close()
    await until(lambda: not (children(os.getpid()) - before) & alive())


async def until(condition: Any, within: float = 30.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "never so"
        await asyncio.sleep(0.03)


async def say(bridge: Any, chat: str, number: int, words: str = "在吗") -> str:
    """Say something in a chat; the answer."""
    before = len(bridge.port.texts(chat))
    kind = "private" if ":private:" in chat else "group"
    # In a group somebody else each time: who answers within milliseconds is soon taken for a machine.
    sender = "20001" if kind == "private" else f"3000{number}"
    message = Message(f"{chat}{number}", chat, kind, int(time.time()), sender, "友", [Segment("text", words)], False)
    await bridge.runner.hear(message, addressed=True, chat_name="群")
    await until(lambda: len(bridge.port.texts(chat)) > before)
    return bridge.port.texts(chat)[-1]


async def test_each_chat_has_its_persona_over_restarts_and_no_more_are_loaded_than_allowed(home: Path) -> None:
    mine, other = Persona.load(home / "me/v1").hash, Persona.load(home / "other/v1").hash

    def loaded(bridge: Any) -> list[str]:
        return [name for name, told in bridge.personas.status().items() if told["pid"]]

    async with up(home) as bridge:
        assert (await say(bridge, A, 1)).startswith("me/v1")
        assert (await bridge.speakers.use(B, "other")).hash == other
        assert loaded(bridge) == ["other"]
        answers = await asyncio.gather(*(say(bridge, chat, 2) for chat in (A, B)))
        assert [answer[:7] for answer in answers] == ["me/v1 m", "other/v"]
        assert len(loaded(bridge)) == 1
        authors = {chat: await bridge._history.recent(chat, 9) for chat in (A, B)}
        assert {m.name for m in authors[A] if m.mine} == {"小鹿"}
        assert {m.name for m in authors[B] if m.mine} == {"阿泽"}
        for chat, hash_ in ((A, mine), (B, other)):
            last = authors[chat][-1]
            assert await bridge._history.author(chat, last.id) == f"persona:{hash_}"
        with pytest.raises(PersonaError, match="there is no persona 'nobody'"):
            await bridge.speakers.use(A, "nobody")
    async with up(home, engine={"max_personas": 2, "persona_idle": 0.5}) as bridge:
        assert loaded(bridge) == ["me"]
        assert (await say(bridge, B, 3)).startswith("other/v1")
        assert sorted(loaded(bridge)) == ["me", "other"]
        await until(lambda: loaded(bridge) == ["me"])
        assert (await say(bridge, B, 4)).startswith("other/v1")


async def test_the_settings_choose_and_a_persona_that_is_gone_is_silence(home: Path) -> None:
    async with up(home, personas={"group:7001": "other"}, engine={"max_personas": 2}) as bridge:
        assert (await say(bridge, B, 1)).startswith("other/v1")
        assert (await say(bridge, A, 2)).startswith("me/v1")
        await bridge.speakers.use(A, "other")
    (home / "other").rename(home.parent / "gone")
    with pytest.raises(PersonaError, match="no persona 'other'"):
        async with up(home, personas={"group:7001": "other"}):
            pass
    async with up(home) as bridge:
        message = Message("x", A, "private", int(time.time()), "20001", "友", [Segment("text", "在")], False)
        await bridge.runner.hear(message, addressed=True)
        await asyncio.sleep(0.3)
        assert bridge.port.sent == []
        assert (await say(bridge, B, 3)).startswith("me/v1")


async def test_pause_frees_the_processes_and_who_asked_is_answered_afterwards(home: Path) -> None:
    before = children(os.getpid())
    async with up(home) as bridge:
        family = children(os.getpid()) - before
        assert family
        await bridge.pause()
        await until(lambda: not family & alive())
        waiting = asyncio.create_task(say(bridge, A, 1))
        await asyncio.sleep(0.4)
        assert bridge.port.sent == []
        await bridge.resume()
        assert (await waiting).startswith("me/v1")
        assert len(bridge.port.sent) == 1


async def test_what_the_owners_commands_say(home: Path) -> None:
    from plugins.admin.commands import run
    from plugins.admin.line import Line
    from plugins.admin.roles import Role

    async def give(words: str, chat: str = OWNER, *, force: bool = False) -> str:
        line = Line(chat, chat, OWNER, "10001", Role.OWNER, words=words.split(), force=force, text=words)
        await run(bridge, line)
        return bridge.port.texts(chat)[-1]

    make_toy(home / "me" / "v3", manner="mute")
    (home / "me" / "v2" / "scores.json").write_text('{"passed": false, "reasons": ["loss 9"]}', encoding="utf-8")
    async with up(home, engine={"max_personas": 2}) as bridge:
        shown = await give("model list")
        assert "· v1（在用）" in shown
        assert "· v2（评分没过）" in shown
        assert shown.endswith("别的人格：other")
        assert await give("model load v3") == "没成，还是原来的样子。原因：新的一句话也不说"
        assert "强制" in await give("model load v2")
        assert await give("model load v2", chat=B) == "没成，还是原来的样子"
        assert bridge.port.texts(OWNER)[-1].startswith("/model load 没成，还是原来的样子。原因：v2 评分没有通过")
        assert (await give("model load 2", force=True)).startswith("换好了：me（")
        assert (home / "me" / "current").read_text() == "v2\n"
        assert (await say(bridge, A, 1)).startswith("me/v2")
        assert (await give("model rollback")).startswith("退回去了：me（")
        assert (home / "me" / "current").read_text() == "v1\n"
        assert (await give("reload")).startswith("没有新版本")
        assert (await give("model use other", chat=B)).startswith("好，这里换成 other（")
        assert "other/v1：在线" in await give("status", chat=B)
        assert (await give("model use 默认", chat=B)).startswith("好，这里换成 me（")
        assert "暂停" in (await give("pause") + await give("status"))
        assert await give("reload") == "没成，还是原来的样子。原因：模型暂停着"
        assert await give("resume") == "回来了"
        assert "me/v1：在线" in await give("status")


async def test_a_version_that_current_names_is_taken_by_itself_once(home: Path, caplog: Any) -> None:
    make_toy(home / "me" / "v3", manner="nan")
    async with up(home, auto_reload=0.1) as bridge:
        (home / "me" / "current").write_text("v3\n", encoding="utf-8")
        await until(lambda: "was not taken" in caplog.text)
        await asyncio.sleep(0.3)
        assert caplog.text.count("was not taken") == 1
        assert (await say(bridge, A, 1)).startswith("me/v1")
        (home / "me" / "current").write_text("v2\n", encoding="utf-8")
        await until(lambda: bridge.personas.status()["me"]["version"] == "v2")
        assert (await say(bridge, A, 2)).startswith("me/v2")


async def test_an_engine_elsewhere_has_no_personas_to_choose(tmp_path: Path) -> None:
    from bot.engine.personas import Personas

    personas = Personas(Engine(persona=Path("echo")))
    await personas.open()
    assert personas.talker().persona.name == "echo"
    with pytest.raises(EngineError, match="no personas to exchange"):
        await personas.know("other")
    with pytest.raises(MyBotError, match="is not there"):
        personas.talker("other")
    await personas.close()


async def test_a_group_in_which_something_ends_the_model_goes_on_and_its_owner_is_told_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "_PAUSES", (0.1,))
    monkeypatch.setattr(alerts, "LOOKS", 0.2)
    async with up(home) as bridge:
        told = bridge.personas.status
        assert (await say(bridge, B, 1)).startswith("me/v1")
        heard = Message("v", B, "group", int(time.time()), "20002", "客", [Segment("text", "venom")], False)
        await bridge.runner.hear(heard, addressed=True, chat_name="群")
        await until(lambda: told()["me"]["cut"] == [B])
        for number in range(2, 5):
            assert (await say(bridge, B, number)).startswith("me/v1")
        assert (await say(bridge, A, 5)).startswith("me/v1")
        assert told()["me"]["crashes"] == 2
        await until(lambda: bridge.port.texts(OWNER))
        await asyncio.sleep(0.5)
        [line] = [text for text in bridge.port.texts(OWNER) if "一问模型 me 就崩" in text]
        assert line.startswith("群 7001 里有句话")
        assert "venom" not in str(bridge.port.sent)
