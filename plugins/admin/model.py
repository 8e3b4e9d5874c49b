"""The owner's commands about personas and their versions: exchange, choose, pause.

Knows the bridge; what goes wrong comes out as a MyBotError, and the caller says so.
"""

from bot.engine.personas import Version
from bot.persona.manifest import Persona
from plugins.chat.bridge import Bridge

DEFAULT = ("default", "默认")


async def reload(bridge: Bridge, chat: str, *, force: bool = False) -> str:
    worker = await bridge.worker_of(chat)
    before = worker.persona.hash
    persona = await worker.reload(force=force)
    return f"没有新版本，{_called(persona)}重新开了一遍" if persona.hash == before else f"换好了：{_called(persona)}"


async def load(bridge: Bridge, chat: str, version: str, *, force: bool = False) -> str:
    name = bridge.persona_of(chat) or bridge.personas.default
    return f"换好了：{_called(await bridge.personas.load(name, version, force=force))}"


async def rollback(bridge: Bridge, chat: str) -> str:
    worker = await bridge.worker_of(chat)
    return f"退回去了：{_called(await worker.rollback())}"


async def use(bridge: Bridge, chat: str, name: str) -> str:
    persona = await bridge.use(chat, bridge.personas.default if name in DEFAULT else name)
    return f"好，这里换成 {_called(persona)}"


async def show(bridge: Bridge, chat: str) -> str:
    """Every persona, and the versions of the one that speaks here."""
    personas = bridge.personas
    here = bridge.persona_of(chat) or personas.default
    await personas.know(here)
    lines = [f"{here} 的版本，新的在前：", *map(_line, personas.versions(here))]
    others = [name for name in personas.names() if name != here]
    return "\n".join([*lines, f"别的人格：{'、'.join(others)}" if others else "没有别的人格"])


def _line(version: Version) -> str:
    marks = {
        "在用": version.serving,
        "重载会换上它": version.current and not version.serving,
        "评分没过": version.passed is False,
    }
    told = "、".join(mark for mark, so in marks.items() if so)
    return f"· {version.name}（{told}）" if told else f"· {version.name}"


async def pause(bridge: Bridge, _chat: str) -> str:
    await bridge.pause()
    return "好，模型停了，显卡空出来了；/resume 叫我回来。这期间我谁也不回"


async def resume(bridge: Bridge, _chat: str) -> str:
    await bridge.resume()
    return "回来了"


def _called(persona: Persona) -> str:
    return f"{persona.name}（{persona.hash}）"
