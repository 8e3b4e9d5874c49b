"""The supervised worker: a persona in a process of its own, restarted, exchanged, rolled back.

Why a process: a crash, a CUDA error or running out of memory never takes the bot down, NoneBot
never waits for torch, and only an ended process surely frees a card's memory. A new persona is
tried beside the old one and takes over only when it has said something sound.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bot.engine.child import Child
from bot.engine.client import Remote
from bot.engine.echo import Echo
from bot.engine.wire import Piece, Sampling, Talker
from bot.persona.manifest import Persona
from bot.persona.prompt import render
from config.errors import EngineError, MyBotError
from config.settings import Engine

log = logging.getLogger("bot.engine.worker")

_PAUSES = (0.2, 1.0, 3.0, 10.0, 30.0, 60.0)
"""Seconds before each restart in a row; the last one repeats."""
_HEALTH_EVERY = 5.0
_HEALTH_MISSES = 6
"""Unanswered health checks after which a child counts as hung."""
_DRAIN = 30.0
"""Seconds that an old child may go on with what is in flight."""


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
        self._up = asyncio.Event()
        self._previous: Path | None = None
        self._swapping = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._persona: Persona | None = None
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
        self._use(await Child.start(self._knobs.persona, self._knobs))
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        await asyncio.gather(*self._retiring)
        if self._child is not None:
            await self._child.stop()
            self._child = None

    async def stream(self, messages: list[dict[str, str]], sampling: Sampling) -> AsyncIterator[Piece]:
        """The reply. A request whose child died before it said anything is sent again, once."""
        for attempt in (1, 2):
            child = await self._ready_child()
            if child is None:
                yield Piece(finish="timeout", why="the engine did not come back in time")
                return
            child.running += 1
            spoken = False
            try:
                async for piece in child.client.stream(messages, sampling):
                    if piece.finish == "error" and not spoken and attempt == 1 and await self._is_gone(child):
                        break
                    spoken = spoken or bool(piece.text)
                    yield Piece(piece.text, piece.finish, piece.persona or child.persona.hash, piece.why)
                    if piece.finish:
                        return
            finally:
                child.running -= 1

    async def swap(self, path: Path) -> Persona:
        """Let another persona speak. On any failure the old one serves on and the error says why."""
        async with self._swapping:
            old = self._child
            new = await Child.start(path, self._knobs)
            try:
                await _smoke_test(new)
            except BaseException:
                await new.stop()
                raise
            self._previous = old.folder if old else None
            self._use(new)
            if old is not None:
                task = asyncio.create_task(_retire(old))
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
            return new.persona

    async def reload(self) -> Persona:
        """Take what [engine] persona means now: `current` may name another version."""
        return await self.swap(self._knobs.persona)

    async def rollback(self) -> Persona:
        """Back to the persona before the last swap."""
        if self._previous is None:
            raise EngineError("there is no earlier persona to go back to", hint="reload after a new merge first")
        return await self.swap(self._previous)

    def status(self) -> dict[str, Any]:
        child = self._child
        return {
            "persona": self.persona.name,
            "hash": self.persona.hash,
            "version": child.folder.name if child else "",
            "state": "ready" if self._up.is_set() else "restarting",
            "pid": child.process.pid if child and child.alive else None,
            "in_flight": child.running if child else 0,
            "restarts": self._restarts,
        }

    def _use(self, child: Child) -> None:
        self._child = child
        self._persona = child.persona
        self._up.set()

    async def _ready_child(self) -> Child | None:
        try:
            await asyncio.wait_for(self._up.wait(), self._knobs.timeout)
        except asyncio.TimeoutError:
            return None
        return self._child

    async def _is_gone(self, child: Child) -> bool:
        """Whether an error came from a dying process; its exit may reach us a moment after its socket's."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(child.process.wait()), 1.0)
        if not child.alive and child is self._child:
            self._up.clear()
        return not child.alive

    async def _watch(self) -> None:
        """Restart the child whenever it ends or hangs, with growing pauses."""
        while True:
            child = self._child
            if child is None:
                return
            await _ended_or_hung(child)
            if child is not self._child:
                continue
            self._up.clear()
            log.warning("the engine ended (exit code %s); restarting it", child.process.returncode)
            await child.stop()
            self._use(await self._restarted(child))

    async def _restarted(self, gone: Child) -> Child:
        attempt = 0
        while True:
            await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1
            self._restarts += 1
            try:
                return await Child.start(gone.folder, self._knobs)
            except MyBotError as error:
                log.error("the engine does not start: %s", error)


async def _ended_or_hung(child: Child) -> None:
    """Until the process has ended; one that answers no health check for long is killed."""
    misses = 0
    while child.alive:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(child.process.wait()), _HEALTH_EVERY)
        if child.alive:
            misses = 0 if await child.client.health() is not None else misses + 1
            if misses >= _HEALTH_MISSES:
                log.warning("the engine hangs; killing it")
                child.process.kill()


async def _retire(child: Child) -> None:
    """Stop a child after what it has in flight, or after the patience is up."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _DRAIN
    while child.running and child.alive and loop.time() < end:  # noqa: ASYNC110 - a last look, every now and then
        await asyncio.sleep(0.05)
    await child.stop()


async def _smoke_test(child: Child) -> None:
    """Raise EngineError unless the persona says something, in finite time and without control tokens."""
    spec = child.persona.prompt
    text = ""
    prompt = [turn.to_wire() for turn in render([], spec, kind="private", name="测试")]
    prompt.append({"role": "user", "content": "在吗"})
    own = child.persona.generation
    async for piece in child.client.stream(prompt, Sampling(temperature=0.0, max_tokens=min(32, own.max_tokens))):
        text += piece.text
        if piece.finish and piece.finish not in ("stop", "length"):
            raise EngineError(
                f"the new persona can't answer: {piece.why or piece.finish}", hint="the old one serves on"
            )
    if not text.strip() or "<|" in text:
        raise EngineError("the new persona says nothing sensible", hint="the old one serves on; train it again")
