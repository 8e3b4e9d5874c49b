"""`mybot doctor`: what is wrong with this set-up, before a user of the bot finds out.

Looks at each part as `mybot run` will use it: settings, persona (every hash), torch and the card
(in a child process, as torch takes seconds to load and a broken CUDA may take the process down),
the database, the QQ side. Changes nothing but an empty database that isn't there yet.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import aiohttp
from rich.console import Console
from rich.markup import escape

from bot import frames
from bot.alert_ways import ways
from bot.embeddings import Embeddings
from bot.engine.trial import Verdict
from bot.engine.weights import REAL, size_of
from bot.history import History
from bot.owner import home
from bot.persona.base_model import find_base
from bot.persona.manifest import MANIFEST, Persona, open_persona, version_folder
from bot.whereabouts import check as check_whereabouts
from config.errors import MyBotError
from config.settings import ROOT, Bot, Doctor, Engine, load

State = Literal["ok", "note", "wrong"]
PATIENCE = 5.0
"""Seconds the QQ side has to answer."""
LEAST_DISK = 2 << 30

_PROBE = """
import json, torch
cuda = torch.cuda.is_available()
found = {"version": torch.__version__, "cuda": torch.version.cuda or "", "archs": torch.cuda.get_arch_list(), "cards": []}
for index in range(torch.cuda.device_count() if cuda else 0):
    card = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    found["cards"].append({"name": card.name, "sm": f"{card.major}{card.minor}", "free": free, "total": total})
print(json.dumps(found))
"""


@dataclass(slots=True)
class Finding:
    """One thing looked at. `hint` says what to do about it."""

    part: str
    state: State
    text: str
    hint: str = ""


def main(knobs: Doctor) -> None:
    findings = asyncio.run(examine(load(Bot), load(Engine)))
    if knobs.as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False) + "\n")
    else:
        _show(findings)
    wrong = [finding.part for finding in findings if finding.state == "wrong"]
    if wrong:
        raise MyBotError(f"something is wrong with: {', '.join(wrong)}", hint="the lines above say what to do")


async def examine(bot: Bot, engine: Engine) -> list[Finding]:
    """Everything that was found, in the order a set-up is made."""
    looks: list[tuple[str, Callable[[], Awaitable[list[Finding]]]]] = [
        ("persona", lambda: asyncio.to_thread(_persona, engine)),
        ("personas", lambda: asyncio.to_thread(_chosen, bot, engine)),
        ("torch", lambda: asyncio.to_thread(_torch, engine)),
        ("disk", lambda: asyncio.to_thread(_disk)),
        ("database", lambda: _database(bot)),
        ("owner", lambda: asyncio.to_thread(_owner, bot)),
        ("qq", lambda: _qq(bot)),
        ("alerts", lambda: _alerts(bot)),
        ("embeddings", lambda: _embeddings(bot)),
    ]
    return [finding for found in await asyncio.gather(*(_look(*look) for look in looks)) for finding in found]


async def _look(part: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await look()
    except MyBotError as error:
        return [Finding(part, "wrong", str(error), error.hint)]


def _persona(engine: Engine) -> list[Finding]:
    if engine.persona.name == "echo" and not engine.persona.exists():
        return [Finding("persona", "note", "the echo engine repeats what it hears", "set [engine] persona for a model")]
    folder, persona = open_persona(engine.persona)
    persona.check(folder, hashes=True)
    if persona.model.weights == "adapter":
        find_base(folder, persona.model, engine.base_model)
    size = sum(file.size for file in persona.files.values()) / 1e9
    return [
        Finding("persona", "ok", f"{persona.name} {persona.hash}: {len(persona.files)} files, {size:.1f} GB, whole")
    ]


def _chosen(bot: Bot, engine: Engine) -> list[Finding]:
    """The personas that chats chose, and what the gate said of those that serve."""
    sealed = (engine.persona / MANIFEST).is_file()
    home = engine.persona.parent.parent if sealed else engine.persona.parent
    paths = [engine.persona, *(home / name for name in sorted(set(bot.personas.values())))]
    found: list[Finding] = []
    for path in paths:
        folder = version_folder(path)
        if path is not engine.persona:
            persona = Persona.load(folder)
            found.append(Finding("personas", "ok", f"{path.name}: {persona.name} {persona.hash}"))
        verdict = Verdict.of(folder)
        if verdict.passed is False:
            hint = "/model rollback takes the version before"
            found.append(
                Finding("personas", "note", f"{folder.name}: the gate refused it: {'; '.join(verdict.reasons)}", hint)
            )
    if bot.personas and engine.url:
        hint = "leave out [engine] url, or [bot] personas"
        found.append(Finding("personas", "wrong", "a server elsewhere speaks as one persona only", hint))
    return found


def _torch(engine: Engine) -> list[Finding]:
    if engine.url:
        return [Finding("torch", "ok", f"not needed: the model is served at {engine.url}")]
    command = [sys.executable, "-c", _PROBE]
    probe = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    if probe.returncode:
        last = (probe.stderr.strip().split("\n") or [""])[-1]
        hint = "pip install -c constraints.txt -e '.[model]', or set [engine] url to a server elsewhere"
        return [Finding("torch", "wrong", f"can't be loaded: {last}", hint)]
    found = json.loads(probe.stdout.strip().split("\n")[-1])
    if not found["cards"]:
        return [_without_card(found, engine)]
    return [_card(card, found) for card in found["cards"]]


def _without_card(found: dict[str, Any], engine: Engine) -> Finding:
    text = f"torch {found['version']} sees no card"
    try:
        parameters = size_of(open_persona(engine.persona)[1])
    except MyBotError:
        parameters = 0.0
    if engine.device == "auto" and parameters > REAL:
        hint = 'mend the driver, or live with a slow reply: [engine] device = "cpu"'
        return Finding("torch", "wrong", f"{text}, and {parameters / 1e9:.1f}B parameters need one", hint)
    return Finding("torch", "note", text, "enough for small models only")


def _card(card: dict[str, Any], found: dict[str, Any]) -> Finding:
    memory = f"{card['free'] / 1e9:.0f} of {card['total'] / 1e9:.0f} GB free"
    text = f"torch {found['version']} on {card['name']} (sm_{card['sm']}), {memory}"
    same_major = any(arch.startswith("sm_") and arch[3:-1] == card["sm"][:-1] for arch in found["archs"])
    if not same_major:
        hint = "install the cu126 build of torch: newer ones have dropped old cards such as the V100 (sm_70)"
        return Finding("torch", "wrong", f"{text}: this build knows only {', '.join(found['archs'])}", hint)
    return Finding("torch", "ok", text)


def _disk() -> list[Finding]:
    free = shutil.disk_usage(ROOT).free
    text = f"{free / 1e9:.0f} GB free"
    hint = "a merged 8B persona alone takes 16 GB"
    return [Finding("disk", "ok" if free > LEAST_DISK else "wrong", text, "" if free > LEAST_DISK else hint)]


async def _database(bot: Bot) -> list[Finding]:
    history = await History.open(bot.database)
    await history.close()
    return [Finding("database", "ok", bot.database.split("@")[-1])]


def _owner(bot: Bot) -> list[Finding]:
    found: list[Finding] = []
    odd = [one for one in bot.superusers if one.count(":") > 1 or not home(one)[1].isdecimal()]
    if not bot.superusers:
        hint = "put your QQ number into [bot] superusers"
        found.append(Finding("owner", "note", "nobody may give commands, and nobody gets answers in private", hint))
    elif odd:
        found.append(
            Finding("owner", "wrong", f"{', '.join(odd)}: no QQ number", "[bot] superusers takes digits, or telegram:…")
        )
    else:
        found.append(Finding("owner", "ok", f"commands from {', '.join(bot.superusers)}"))
    if not bot.chats:
        found.append(Finding("owner", "note", "no chat is open to others", "/on in a chat, or [bot] chats, opens it"))
    return found


async def _alerts(bot: Bot) -> list[Finding]:
    found = ways(bot)
    if not found:
        hint = "set [bot] alert_mail, or MYBOT_BOT_ALERT_URL in .env"
        return [Finding("alerts", "note", "nobody tells you when QQ is away", hint)]
    return [Finding("alerts", "ok", f"{way.name}: {await way.check()}") for way in found]


async def _embeddings(bot: Bot) -> list[Finding]:
    server = Embeddings.of_settings(bot)
    if server is None:
        return []
    try:
        begun = time.monotonic()
        found = await server.of(["你好"])
        took = time.monotonic() - begun
    finally:
        await server.close()
    if not found:
        hint = "is the server running, and does it know [bot] embeddings_model? meanwhile words alone find"
        return [Finding("embeddings", "wrong", f"no vector within {bot.embeddings_timeout:g} s", hint)]
    width = len(found[0].numbers)
    return [Finding("embeddings", "ok", f"{bot.embeddings_model}: {width} numbers a line, within {took:.2f} s")]


async def _qq(bot: Bot) -> list[Finding]:
    check_whereabouts(bot)
    found = await asyncio.gather(*(_dial(url, bot) for url in bot.onebot_v11_ws_urls))
    return [*found, *([_port(bot)] if bot.port else [])]


def _port(bot: Bot) -> Finding:
    place = f"ws://{bot.host}:{bot.port}/onebot/v11/ws"
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((bot.host, bot.port))
        except OSError:
            hint = "mybot is running already, or another program is: choose another [bot] port"
            return Finding("qq", "wrong", f"port {bot.port} is in use", hint)
    return Finding("qq", "ok", f"free to listen: let a WebSocket 客户端 of NapCat dial {place}")


async def _dial(url: str, bot: Bot) -> Finding:
    """Connect as the bot will, and wait for the greeting."""
    token = bot.onebot_access_token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    try:
        async with aiohttp.ClientSession() as session:
            link = await asyncio.wait_for(session.ws_connect(url, headers=headers, max_msg_size=0), PATIENCE)
            async with link:
                return _greeting(url, await asyncio.wait_for(link.receive(), PATIENCE))
    except aiohttp.WSServerHandshakeError as error:
        return Finding("qq", "wrong", f"{url}: {frames.handshake(error.status)}")
    except asyncio.TimeoutError:
        hint = "is this NapCat's OneBot 11 WebSocket 服务端?"
        return Finding("qq", "wrong", f"{url} says nothing for {PATIENCE:.0f} seconds", hint)
    except (aiohttp.ClientError, OSError):
        return Finding("qq", "wrong", f"nobody listens at {url}", "start NapCat, log in, turn on its WebSocket 服务端")


def _greeting(url: str, frame: Any) -> Finding:
    if frame.type is not aiohttp.WSMsgType.TEXT:
        return Finding("qq", "wrong", f"{url} closed the connection at once", f"is the token right? {frames.TOKEN}")
    if frames.Sieve().unreadable(frame.data):
        return Finding("qq", "wrong", f"{url} doesn't speak OneBot v11", "choose OneBot 11 in NapCat's settings")
    if frames.refuses(frame.data):
        return Finding("qq", "wrong", f"{url}: {frames.TOKEN}")
    return Finding("qq", "ok", f"{url}: account {json.loads(frame.data).get('self_id', '?')} is there")


_MARKS: dict[State, str] = {"ok": "[green]✓[/]", "note": "[yellow]·[/]", "wrong": "[red]✗[/]"}


def _show(findings: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(f"{_MARKS[finding.state]} {finding.part:9} {escape(finding.text)}")
        if finding.hint:
            console.print(f"  {'':9} [dim]→ {escape(finding.hint)}[/]")
