"""The supervised worker: a persona in a process of its own, restarted, exchanged, rolled back.

Why a process: a crash, a CUDA error or running out of memory never takes the bot down, NoneBot
never waits for torch, and only an ended process surely frees a card's memory. A new persona is
tried beside the old one and takes over only when it has said something sound.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.engine.child import Child
from bot.engine.client import Lost, Remote
from bot.engine.echo import Echo
from bot.engine.wire import Ask, Piece, Sampling, Talker
from bot.persona.manifest import CURRENT, MANIFEST, Persona, make_current
from bot.persona.prompt import render
from config.errors import EngineError, MyBotError
from config.settings import Engine

log = logging.getLogger("bot.engine.worker")

_PAUSES = (0.2, 1.0, 3.0, 10.0, 30.0, 60.0)
"""Seconds before each restart in a row; the last one repeats."""
_STEADY = 60.0
"""Seconds of life after which a child's end counts as the first in a row."""
_LAST_BREATH = 5.0
"""Seconds in which a child that lost a request may turn out to be dead."""
_SMOKE = ("在吗", "周末去哪儿了")


async def open_talker(knobs: Engine) -> Talker:
    """The engine that the [engine] table means: the echo, a server elsewhere, or an own worker."""
    if knobs.persona.name == "echo" and not knobs.persona.exists():
        return Echo()
    if knobs.url:
        return await Remote.open(knobs)
    worker = Worker(knobs)
    await worker.start()
    return worker


class Worker:
    """A Talker whose model lives in a child process."""

    def __init__(self, knobs: Engine) -> None:
        self._knobs = knobs
        self._child: Child | None = None
        self._persona: Persona | None = None
        self._up = asyncio.Event()
        self._previous: Path | None = None
        self._changing = asyncio.Lock()
        """Held by whoever is about to put another child into place."""
        self._retiring: set[Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._failures = 0
        self._restarts = 0

    @property
    def persona(self) -> Persona:
        if self._persona is None:
            raise EngineError("the engine isn't started", hint="await worker.start() first")
        return self._persona

    @property
    def folder(self) -> Path | None:
        """The version folder that speaks now."""
        return self._child.folder if self._child else None

    async def start(self) -> None:
        """Bring the model up; the error says why it doesn't come."""
        async with self._changing:
            await self._use(await Child.start(self._knobs.persona, self._knobs))

    async def close(self) -> None:
        """End the child, and what is in flight with it."""
        self._closed = True
        self._up.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        children = self._retiring | ({self._child} if self._child else set())
        await asyncio.gather(*(child.stop() for child in children))
        self._child = None

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        """The reply. A request whose child died before it said anything is sent again, once."""
        sampling = replace(sampling, max_tokens=min(sampling.max_tokens, self._knobs.max_new_tokens))
        why = ""
        for _ in range(2):
            child = await self._serving()
            if child is None:
                break
            spoken = False
            try:
                with child.at_work():
                    async with contextlib.aclosing(child.client.pieces(messages, sampling)) as pieces:
                        async for piece in pieces:
                            spoken = spoken or bool(piece.text)
                            yield replace(piece, persona=piece.persona or child.persona.hash)
                return
            except Lost as lost:
                why = str(lost)
            if spoken:
                break
            await self._mourn(child)
        persona = self._persona.hash if self._persona else ""
        if why or self._closed:
            yield Piece(finish="error", persona=persona, why=why or "the engine is closed")
        else:
            yield Piece(finish="timeout", persona=persona, why="the engine did not come back in time")

    async def swap(self, path: Path) -> Persona:
        """Let another persona speak. On any failure the old one serves on and the error says why."""
        async with self._changing:
            old = self._child
            new = await Child.start(path, self._knobs)
            try:
                await _smoke_test(new, self._knobs)
            except BaseException:
                await new.stop()
                raise
            await self._use(new)
            if old is not None:
                self._previous = old.folder
                self._retiring.add(old)
                self._spawn(self._retire(old))
            return new.persona

    async def reload(self) -> Persona:
        """Take what [engine] persona means now: `current` may name another version."""
        return await self.swap(self._knobs.persona)

    async def rollback(self) -> Persona:
        """Back to the persona before the last swap, or the version before this one; `current` follows."""
        folder = self._previous or _earlier(self.folder)
        if folder is None:
            raise EngineError("there is no earlier persona to go back to", hint="reload after a new merge first")
        persona = await self.swap(folder)
        if (folder.parent / CURRENT).is_file():
            make_current(folder)
        return persona

    def status(self) -> dict[str, Any]:
        """What an admin wants to know, in plain values."""
        child = self._child
        return {
            "persona": self.persona.name,
            "hash": self.persona.hash,
            "version": child.folder.name if child else "",
            "previous": self._previous.name if self._previous else "",
            "state": "closed" if self._closed else "ready" if self._up.is_set() else "restarting",
            "pid": child.process.pid if child and child.alive else None,
            "in_flight": child.running if child else 0,
            "restarts": self._restarts,
        }

    async def _use(self, child: Child) -> None:
        if self._closed:
            await child.stop()
            raise EngineError("the engine is closed", hint="start it again")
        self._child = child
        self._persona = child.persona
        self._up.set()
        self._spawn(self._guard(child))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serving(self) -> Child | None:
        """The child, as soon as there is one; None when time is up or the worker closed."""
        if not self._closed:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._up.wait(), self._knobs.timeout)
        return self._child if self._up.is_set() else None

    async def _mourn(self, child: Child) -> None:
        """See whether a child that lost a request has died; its exit reaches us after its socket's."""
        if await child.gone(_LAST_BREATH) and child is self._child:
            self._up.clear()

    async def _guard(self, child: Child) -> None:
        """Put a new child into the place of one that ended, with growing pauses."""
        loop = asyncio.get_running_loop()
        born = loop.time()
        await child.end()
        if loop.time() - born > _STEADY:
            self._failures = 0
        while child is self._child:
            self._up.clear()
            log.warning("the engine ended (exit code %s); restarting it", child.process.returncode)
            await child.stop()
            await asyncio.sleep(_PAUSES[min(self._failures, len(_PAUSES) - 1)])
            self._failures += 1
            await self._revive(child)

    async def _revive(self, child: Child) -> None:
        async with self._changing:
            if child is not self._child:
                return
            try:
                await self._use(await Child.start(child.folder, self._knobs))
            except MyBotError as error:
                log.error("the engine does not start: %s", error)
            else:
                self._restarts += 1

    async def _retire(self, child: Child) -> None:
        """Stop a child after what it has in flight."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(child.idle.wait(), self._knobs.timeout)
        await child.stop()
        self._retiring.discard(child)


def _earlier(folder: Path | None) -> Path | None:
    """The sealed version before this one: names begin with their time."""
    if folder is None:
        return None
    versions = [path.parent for path in folder.parent.glob(f"*/{MANIFEST}")]
    return max((path for path in versions if path.name < folder.name), default=None)


async def _smoke_test(child: Child, knobs: Engine) -> None:
    """Raise EngineError unless the persona says something, with finite scores and no control tokens."""
    said = ""
    longest = min(32, child.persona.generation.max_tokens, knobs.max_new_tokens)
    for question in _SMOKE:
        prompt = [turn.to_wire() for turn in render([], child.persona.prompt, kind="private", name="测试")]
        prompt.append({"role": "user", "content": question})
        async for piece in child.client.stream(prompt, Sampling(temperature=0.0, max_tokens=longest)):
            said += piece.text
            if piece.finish not in (None, "stop", "length"):
                raise EngineError(
                    f"the new persona can't answer: {piece.why or piece.finish}", hint="the old one serves on"
                )
    if not said.strip():
        raise EngineError("the new persona says nothing", hint="the old one serves on; train the new one again")
    if any(token in said for token in _special_tokens(child.folder)):
        raise EngineError("the new persona says control tokens", hint="the old one serves on; see its chat template")


def _special_tokens(folder: Path) -> list[str]:
    try:
        added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")).get("added_tokens", [])
    except FileNotFoundError:
        return []
    return [token["content"] for token in added if token["special"]]
