"""The owner's commands about personas and their versions: exchange, choose, pause.

Knows the bridge; what goes wrong comes out as a MyBotError, and the caller says so.
"""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.engine.personas import Version
from bot.persona.manifest import SCORES, Persona
from plugins.admin.line import Line, Wrong
from plugins.chat.bridge import Bridge

DEFAULT = ("default", "默认")


async def reload(bridge: Bridge, line: Line) -> str:
    line.only(0)
    worker = await bridge.worker_of(line.chat)
    before = worker.persona.hash
    persona = await worker.reload(force=line.force)
    return f"没有新版本，{_called(persona)}重新开了一遍" if persona.hash == before else f"换好了：{_called(persona)}"


async def load(bridge: Bridge, line: Line) -> str:
    name = bridge.persona_of(line.chat) or bridge.personas.default
    return f"换好了：{_called(await bridge.personas.load(name, _one(line), force=line.force))}"


async def rollback(bridge: Bridge, line: Line) -> str:
    line.only(0)
    worker = await bridge.worker_of(line.chat)
    return f"退回去了：{_called(await worker.rollback())}"


async def use(bridge: Bridge, line: Line) -> str:
    name = _one(line)
    persona = await bridge.use(line.chat, bridge.personas.default if name in DEFAULT else name)
    return f"好，这里换成 {_called(persona)}"


async def persona(bridge: Bridge, line: Line) -> str:
    """Who speaks in this chat, or who is to."""
    if line.only(1):
        return await use(bridge, line)
    return f"这里是 {_called(bridge.runner.talker_in(line.chat).persona)}"


async def show(bridge: Bridge, line: Line) -> str:
    """Every persona, and the versions of the one that speaks here."""
    line.only(0)
    personas = bridge.personas
    here = bridge.persona_of(line.chat) or personas.default
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


async def pause(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.pause()
    return "好，模型停了，显卡空出来了；/resume 叫我回来。这期间我谁也不回"


async def resume(bridge: Bridge, line: Line) -> str:
    """Back from a pause, and from the emergency stop."""
    line.only(0)
    await bridge.runner.go_on()
    await bridge.resume()
    return "回来了"


async def last_training(bridge: Bridge, line: Line) -> str:
    """How the newest version of who speaks here came out: when, its score, and the gate's verdict."""
    line.only(0)
    name = bridge.persona_of(line.chat) or bridge.personas.default
    await bridge.personas.know(name)
    newest = next(iter(bridge.personas.versions(name)), None)
    if newest is None:
        return f"{name} 还没有训练好的版本"
    folder = bridge.personas.folder(name, newest.name)
    made = Persona.load(folder).provenance.created
    return "\n".join([f"{name}/{newest.name}，{_when(made)}训练好的", *_scored(folder / SCORES)])


def _scored(path: Path) -> list[str]:
    if not path.is_file():
        return ["还没有评过分"]
    scores: dict[str, Any] = json.loads(path.read_bytes())
    told = []
    if (loss := scores.get("loss")) is not None:
        told.append(f"留出的话上的损失 {loss:.3f}")
    if (leaks := scores.get("leaks")) is not None:
        told.append(f"{scores.get('generations', 0)} 条生成里泄漏 {leaks} 条")
    verdicts: dict[bool | None, str] = {True: "评分过了", False: "评分没过：" + "；".join(scores.get("reasons", []))}
    return [*told, verdicts.get(scores.get("passed"), "没有评判过")]


def _when(moment: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M ", time.localtime(moment.timestamp()))


def _one(line: Line) -> str:
    if len(line.only(1)) != 1:
        raise Wrong
    return line.words[0]


def _called(persona: Persona) -> str:
    return f"{persona.name}（{persona.hash}）"
