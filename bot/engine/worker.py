"""The supervised worker: a persona in a process of its own, exchanged, rolled back, restarted.

Why a process: a crash, a CUDA error or running out of memory never takes the bot down, NoneBot
never waits for torch, and only an ended process surely frees a card's memory. A new persona is
tried and takes over only when it has said something sound: beside the old one where memory allows,
else in its place, the requests being held meanwhile.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.counting import Count, token_counter
from bot.engine.child import SERVE, Child
from bot.engine.client import Lost
from bot.engine.echo import Echo
from bot.engine.memory import fits_beside
from bot.engine.place import Place
from bot.engine.quarantine import WHY, Quarantine, key_of
from bot.engine.remote import Remote
from bot.engine.trial import check_verdict, smoke_test
from bot.engine.wire import Ask, Piece, Sampling, Talker
from bot.persona.manifest import CURRENT, MANIFEST, Persona, make_current, open_persona
from config.errors import EngineError, PersonaError
from config.settings import Engine

log = logging.getLogger("bot.engine.worker")


async def open_talker(knobs: Engine) -> Talker:
    """The engine that the [engine] table means: the echo, a server elsewhere, or an own worker."""
    if knobs.persona.name == "echo" and not knobs.persona.exists():
        return Echo()
    if knobs.urls:
        return await Remote.open(knobs)
    worker = Worker(knobs, idle=knobs.idle_unload)
    await worker.start()
    return worker


async def _is_there() -> None:
    return


class Worker:
    """A Talker whose model lives in a child process."""

    def __init__(
        self,
        knobs: Engine,
        *,
        command: Sequence[str] = SERVE,
        idle: float = 0.0,
        make_room: Callable[[], Awaitable[None]] = _is_there,
    ) -> None:
        """`idle` seconds without a request end the process until the next one (0: never); `make_room` is
        called before one is started where none was."""
        self._knobs = knobs
        self._command = command
        self._make_room = make_room
        self._persona: Persona | None = None
        self._folder: Path | None = None
        self._count: Count | None = None
        self._previous: Path | None = None
        self._quarantine = Quarantine(time.monotonic)
        self.place = Place(self._start, patience=knobs.timeout, idle=idle)

    @property
    def persona(self) -> Persona:
        """Who speaks, or will on waking."""
        if self._persona is None:
            raise EngineError("the engine isn't started", hint="await worker.start() first")
        return self._persona

    @property
    def count(self) -> Count | None:
        """Tokens of a prompt for this persona."""
        return self._count

    @property
    def folder(self) -> Path | None:
        """The version folder that speaks, or will on waking."""
        return self._folder

    async def prepare(self) -> None:
        """Learn who will speak, without starting anything. PersonaError says why nobody can."""
        folder, persona = await asyncio.to_thread(open_persona, self._knobs.persona)
        self._become(folder, persona, await asyncio.to_thread(_counter, folder))

    async def start(self) -> None:
        """Bring the model up; the error says why it doesn't come."""
        if self._folder is None:
            await self.prepare()
        await self.place.fill()

    async def close(self) -> None:
        """End the child, and what is in flight with it."""
        await self.place.close()

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        """The reply. A request whose child died before it said anything is sent again, once; what ends
        children is not sent to them (quarantine.py)."""
        sampling = replace(sampling, max_tokens=min(sampling.max_tokens, self._knobs.max_new_tokens))
        why, chat = "", ask.chat if ask else ""
        key = key_of(messages, chat)
        async with self.place.inside(), self._quarantine.admitted(key):
            for attempt in range(2):
                prompt = self._quarantine.allowed(messages, chat)
                if prompt is None or (attempt and self._quarantine.suspects(key)):
                    why = why or WHY
                    break
                child = await self.place.serving()
                if child is None:
                    break
                spoken = False
                try:
                    with child.at_work():
                        async with contextlib.aclosing(child.client.pieces(prompt, sampling)) as pieces:
                            async for piece in pieces:
                                spoken = spoken or bool(piece.text)
                                # Who found no room was never tried, and whose time is up may hang.
                                if piece.finish and piece.finish not in ("busy", "timeout"):
                                    self._quarantine.outlived(messages, chat)
                                yield replace(piece, persona=piece.persona or child.persona.hash)
                    return
                except Lost as lost:
                    why, reached = str(lost), lost.reached
                if await self.place.mourn(child) and reached:
                    self._quarantine.crashed(messages, chat, child.process.pid, alone=child.company == 1)
                if spoken:
                    break
        yield self._last_word(why)

    async def swap(self, path: Path, *, force: bool = False) -> Persona:
        """Let another persona speak. On any failure the old one serves on and the error says why.

        `force` takes one that the gate refused; none that can't speak.
        """
        place = self.place
        if place.paused:
            raise EngineError("the engine is paused", hint="resume it first")
        async with place.changing:
            folder, persona = await asyncio.to_thread(open_persona, path)
            if not force:
                check_verdict(folder)
            count = await asyncio.to_thread(_counter, folder)
            old = place.child
            if old is None:
                await self._make_room()
            elif not fits_beside(persona, self._knobs, await old.client.health()):
                await place.empty()
            try:
                new = await self._try(folder)
            except BaseException:
                if old is not None and place.child is None:
                    place.wake()
                raise
            before = self._folder
            self._become(folder, persona, count)
            await place.put(new)
            if before not in (None, folder):
                self._previous = before
            log.info("%s speaks now (%s)", persona.name, persona.hash)
            return persona

    async def reload(self, *, force: bool = False) -> Persona:
        """Take what [engine] persona means now: `current` may name another version."""
        return await self.swap(self._knobs.persona, force=force)

    async def rollback(self) -> Persona:
        """Back to the persona before the last swap, or the version before this one; `current` follows."""
        gone = self._previous is None or not (self._previous / MANIFEST).is_file()
        folder = earlier(self._folder) if gone else self._previous
        if folder is None:
            raise EngineError("there is no earlier persona to go back to", hint="reload after a new merge first")
        # It has served before, whatever the gate says of it by now.
        persona = await self.swap(folder, force=True)
        if (folder.parent / CURRENT).is_file():
            make_current(folder)
        return persona

    def status(self) -> dict[str, Any]:
        """What an admin wants to know, in plain values."""
        place = self.place
        child = place.child
        return {
            "persona": self.persona.name,
            "hash": self.persona.hash,
            "version": self._folder.name if self._folder else "",
            "previous": self._previous.name if self._previous else "",
            "state": place.state,
            "pid": child.process.pid if child and child.alive else None,
            "in_flight": place.asked,
            "restarts": place.restarts,
            "failures": place.failures,
            "trouble": "" if child else place.trouble,
            "crashes": place.crashes,
            "fell": place.trouble,
            "cut": self._quarantine.cut,
            "refused": self._quarantine.refused,
        }

    def _become(self, folder: Path, persona: Persona, count: Count | None) -> None:
        self._folder, self._persona, self._count = folder, persona, count
        self._quarantine.clear()

    async def _start(self) -> Child:
        """A child of the persona that speaks."""
        assert self._folder is not None, "prepare comes first"
        await self._make_room()
        return await Child.start(self._folder, self._knobs, self._command)

    async def _try(self, folder: Path) -> Child:
        """A child of a new persona that has passed the smoke test."""
        new = await Child.start(folder, self._knobs, self._command)
        try:
            await smoke_test(new, self._knobs)
        except BaseException:
            await new.stop()
            raise
        return new

    def _last_word(self, why: str) -> Piece:
        """The end of a request that no child ended."""
        persona, place = self._persona.hash if self._persona else "", self.place
        if place.paused:
            return Piece(finish="busy", persona=persona, why="the engine is paused")
        if place.closed:
            return Piece(finish="error", persona=persona, why="the engine is closed")
        if why:
            return Piece(finish="error", persona=persona, why=why)
        return Piece(finish="timeout", persona=persona, why=place.trouble or "the engine did not come back in time")


def _counter(folder: Path) -> Count | None:
    """Tokens of a prompt. PersonaError where the tokenizer or the chat template can't be read."""
    try:
        return token_counter(folder)
    except Exception as error:  # tokenizers raises nothing more definite
        raise PersonaError(
            f"{folder}: its tokenizer or chat template is broken: {str(error)[:120]}", hint="merge once more"
        ) from error


def earlier(folder: Path | None) -> Path | None:
    """The sealed version before this one: names begin with their time."""
    if folder is None:
        return None
    versions = [path.parent for path in folder.parent.glob(f"*/{MANIFEST}")]
    return max((path for path in versions if path.name < folder.name), default=None)
