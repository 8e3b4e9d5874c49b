"""The personas of all chats: each a worker of its own, started when needed, at most so many at once.

Knows which personas there are and whose turn it is to be in memory. Doesn't know which chat chose
whom: a name is given, and its Talker comes back. A name is a folder beside [engine] persona.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bot.engine.admission import Admission
from bot.engine.child import SERVE
from bot.engine.remote import Remote
from bot.engine.trial import Verdict
from bot.engine.wire import Talker
from bot.engine.worker import Worker, open_talker
from bot.persona.manifest import MANIFEST, Persona, make_current, version_folder
from config.errors import EngineError, MyBotError, PersonaError
from config.settings import Engine

log = logging.getLogger("bot.engine.worker")


@dataclass(slots=True, frozen=True)
class Version:
    """A sealed version of a persona, as an owner chooses among them."""

    name: str
    current: bool
    """Whether the pointer names it: what a restart and a reload take."""
    serving: bool
    passed: bool | None
    """The gate's verdict; None where it never judged it."""


class Personas:
    """Who may speak. `default` is the name of [engine] persona."""

    def __init__(self, knobs: Engine, *, command: Sequence[str] = SERVE) -> None:
        self._knobs = knobs
        self._command = command
        sealed = (knobs.persona / MANIFEST).is_file()
        self._folder = knobs.persona.parent if sealed else knobs.persona
        self.default = self._folder.name
        self._workers: dict[str, Worker] = {}
        self._talkers: dict[str, Talker] = {}
        self._remote: Remote | None = None
        self._own = not knobs.url and (knobs.persona.name != "echo" or knobs.persona.exists())
        self._seats = asyncio.Lock()
        """Held by whoever makes room; first come, first seated."""
        self._seated: set[str] = set()
        self.paused = False

    async def open(self) -> None:
        """Bring up the default persona. The error says why it doesn't come."""
        if self._own:
            await self.know(self.default)
            await self._workers[self.default].start()
        else:
            talker = await open_talker(self._knobs)
            self._remote = talker if isinstance(talker, Remote) else None
            self._talkers[self.default] = Admission.of(talker, self._knobs)

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(talker.close() for talker in self._talkers.values()))

    async def know(self, name: str) -> Worker:
        """The worker of a persona, not started yet if it is new. PersonaError where there is none."""
        if not self._own:
            raise EngineError(
                "this engine has no personas to exchange", hint="only an own worker has: set [engine] persona, no url"
            )
        if name not in self._workers:
            if name != self.default and name not in self.names():
                known = ", ".join(self.names())
                raise PersonaError(f"there is no persona {name!r} in {self._folder.parent}", hint=f"there are: {known}")
            worker = self._worker(name)
            await worker.prepare()
            if name not in self._workers:
                self._workers[name] = worker
                self._talkers[name] = Admission.of(worker, self._knobs)
        return self._workers[name]

    def talker(self, name: str = "") -> Talker:
        """Who speaks under this name; left out, the default. EngineError where nobody is known by it."""
        try:
            return self._talkers[name or self.default]
        except KeyError:
            raise EngineError(f"the persona {name!r} is not there", hint="/model list shows those that are") from None

    def names(self) -> list[str]:
        """Every persona there is, the default first."""
        folders = [path.parent.parent for path in self._folder.parent.glob(f"*/*/{MANIFEST}")]
        return [self.default, *sorted({folder.name for folder in folders} - {self.default})] if self._own else []

    def versions(self, name: str) -> list[Version]:
        """The sealed versions of a persona, newest first."""
        home = self._home(name)
        speaks = self._workers[name].folder if name in self._workers else None
        current = version_folder(home)
        found = sorted((path.parent for path in home.glob(f"*/{MANIFEST}")), reverse=True)
        return [Version(path.name, path == current, path == speaks, Verdict.of(path).passed) for path in found]

    async def load(self, name: str, version: str, *, force: bool = False) -> Persona:
        """Let a persona speak as one of its versions, named whole or by a part; `current` follows."""
        worker = await self.know(name)
        found = [one.name for one in self.versions(name) if version in one.name]
        if version in found:
            found = [version]
        if len(found) != 1:
            which = "several versions" if found else "no version"
            raise PersonaError(f"{name} has {which} like {version!r}", hint="/model list shows them")
        folder = self.folder(name, found[0])
        persona = await worker.swap(folder, force=force)
        make_current(folder)
        return persona

    async def pause(self) -> None:
        """End every process, and start none until `resume`."""
        self.paused = True
        await asyncio.gather(*(worker.place.pause() for worker in self._workers.values()))

    async def resume(self) -> None:
        """Bring the default persona back; others come when they are asked."""
        self.paused = False
        for worker in self._workers.values():
            worker.place.resume()
        if self._own:
            await self._workers[self.default].start()

    async def watch(self, every: float) -> None:
        """Take a new version when `current` names one; each that can't be taken is tried once."""
        tried: dict[str, Path | None] = {}
        while True:
            await asyncio.sleep(every)
            for name, worker in list(self._workers.items()):
                folder = version_folder(self._path(name))
                known = (tried.setdefault(name, worker.folder), worker.folder)
                if worker.place.child is None or folder in known:
                    continue
                tried[name] = folder
                try:
                    await worker.reload()
                except MyBotError as error:
                    log.error("the new version was not taken: %s (%s)", error, error.hint)

    def status(self) -> dict[str, dict[str, Any]]:
        """Name → what its worker, or its servers elsewhere, say of themselves."""
        elsewhere = {self.default: self._remote.status()} if self._remote is not None else {}
        return elsewhere | {name: worker.status() for name, worker in self._workers.items()}

    def folder(self, name: str, version: str) -> Path:
        """Where a version of a persona lies."""
        return self._home(name) / version

    def _home(self, name: str) -> Path:
        return self._folder if name == self.default else self._path(name)

    def _path(self, name: str) -> Path:
        return self._knobs.persona if name == self.default else self._folder.parent / name

    def _worker(self, name: str) -> Worker:
        idle = self._knobs.idle_unload if name == self.default else self._knobs.persona_idle
        worker = Worker(
            self._knobs.model_copy(update={"persona": self._path(name)}),
            command=self._command,
            idle=idle,
            make_room=partial(self._make_room, name),
        )
        worker.place.paused = self.paused
        return worker

    async def _make_room(self, name: str) -> None:
        """Put others to sleep until one more may be loaded: whoever was asked longest ago first."""
        # Who waits for a seat has none: two that make room must not wait for each other.
        self._seated.discard(name)
        async with self._seats:
            while len(others := self._loaded(name)) >= self._knobs.max_personas:
                longest = min(others, key=lambda one: one.place.used)
                log.info("%s makes room for %s", longest.persona.name, name)
                await longest.place.sleep()
            self._seated.add(name)

    def _loaded(self, but: str) -> list[Worker]:
        seated = [self._workers[name] for name in self._seated if name != but]
        return [worker for worker in seated if worker.place.child is not None or worker.place.changing.locked()]
