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
from bot.words import CALLED, Text
from plugins.admin import words
from plugins.admin.line import Line, Wrong
from plugins.chat.bridge import Bridge

DEFAULT = ("default", "默认")


async def reload(bridge: Bridge, line: Line) -> str:
    line.only(0)
    worker = await bridge.speakers.worker(line.chat)
    before = worker.persona.hash
    persona = await worker.reload(force=line.force)
    text = words.NO_NEW_VERSION if persona.hash == before else words.EXCHANGED
    return line.say(text, called=_called(line, persona))


async def load(bridge: Bridge, line: Line) -> str:
    name = bridge.speakers.name(line.chat)
    loaded = await bridge.personas.load(name, _one(line), force=line.force)
    return line.say(words.EXCHANGED, called=_called(line, loaded))


async def rollback(bridge: Bridge, line: Line) -> str:
    line.only(0)
    worker = await bridge.speakers.worker(line.chat)
    return line.say(words.ROLLED_BACK, called=_called(line, await worker.rollback()))


async def use(bridge: Bridge, line: Line) -> str:
    name = _one(line)
    persona = await bridge.speakers.use(line.chat, bridge.personas.default if name in DEFAULT else name)
    return line.say(words.USED, called=_called(line, persona))


async def persona(bridge: Bridge, line: Line) -> str:
    """Who speaks in this chat, or who is to."""
    if line.only(1):
        return await use(bridge, line)
    return line.say(words.SPEAKS_HERE, called=_called(line, bridge.runner.talker_in(line.chat).persona))


async def show(bridge: Bridge, line: Line) -> str:
    """Every persona, and the versions of the one that speaks here."""
    line.only(0)
    personas = bridge.personas
    here = bridge.speakers.name(line.chat)
    await personas.know(here)
    lines = [line.say(words.VERSIONS, name=here), *(_version(line, one) for one in personas.versions(here))]
    others = line.say(words.AND).join(name for name in personas.names() if name != here)
    return "\n".join([*lines, line.say(words.OTHERS, names=others) if others else line.say(words.NO_OTHERS)])


def _version(line: Line, version: Version) -> str:
    marks = [
        *([words.SERVING] if version.serving else []),
        *([words.CURRENT] if version.current and not version.serving else []),
        *([words.NOT_PASSED] if version.passed is False else []),
    ]
    told = line.say(words.AND).join(map(line.say, marks))
    return line.say(words.VERSION, name=version.name, marks=told) if told else f"· {version.name}"


async def pause(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.pause()
    return line.say(words.PAUSING)


async def resume(bridge: Bridge, line: Line) -> str:
    """Back from a pause, and from the emergency stop."""
    line.only(0)
    await bridge.runner.go_on()
    await bridge.resume()
    return line.say(words.RESUMED)


async def last_training(bridge: Bridge, line: Line) -> str:
    """How the newest version of who speaks here came out: when, its score, and the gate's verdict."""
    line.only(0)
    name = bridge.speakers.name(line.chat)
    await bridge.personas.know(name)
    newest = next(iter(bridge.personas.versions(name)), None)
    if newest is None:
        return line.say(words.NO_VERSION, name=name)
    folder = bridge.personas.folder(name, newest.name)
    made = Persona.load(folder).provenance.created
    trained = line.say(words.TRAINED, name=f"{name}/{newest.name}", when=_when(made))
    return "\n".join([trained, *_scored(line, folder / SCORES)])


def _scored(line: Line, path: Path) -> list[str]:
    if not path.is_file():
        return [line.say(words.NO_SCORES)]
    scores: dict[str, Any] = json.loads(path.read_bytes())
    told = []
    if (loss := scores.get("loss")) is not None:
        told.append(line.say(words.LOSS, loss=loss))
    if (leaks := scores.get("leaks")) is not None:
        told.append(line.say(words.LEAKS, leaks=leaks, generations=scores.get("generations", 0)))
    verdicts: dict[bool | None, Text] = {True: words.PASSED, False: words.REFUSED}
    reasons = line.say(words.NEXT).join(scores.get("reasons", []))
    return [*told, line.say(verdicts.get(scores.get("passed"), words.NOT_JUDGED), reasons=reasons)]


def _when(moment: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment.timestamp()))


def _one(line: Line) -> str:
    if len(line.only(1)) != 1:
        raise Wrong
    return line.words[0]


def _called(line: Line, persona: Persona) -> str:
    return line.say(CALLED, name=persona.name, hash=persona.hash)
