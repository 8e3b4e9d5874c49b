"""One `mybot serve` process: started, waited for, watched, stopped.

Knows the process and its log; doesn't know what to do when it dies. The child holds the reading
end of a pipe from us and leaves when it closes, so it never outlives the bot, not even a kill -9.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from bot.engine.client import Client
from bot.persona.manifest import Persona, open_persona
from config.errors import EngineError
from config.settings import ROOT, Engine

log = logging.getLogger("bot.engine.worker")

_HEALTH_EVERY = 5.0
_HEALTH_MISSES = 6
"""Unanswered health checks in a row after which a child counts as hung."""
_STOP_GRACE = 8.0
"""Seconds a child gets to end by itself."""


class Child:
    """A running `mybot serve` of one sealed persona version."""

    def __init__(
        self, folder: Path, persona: Persona, process: asyncio.subprocess.Process, key: str, knobs: Engine
    ) -> None:
        self.folder = folder
        self.persona = persona
        self.process = process
        self.client = Client("", api_key=key, timeout=knobs.timeout, ours=True)
        self.running = 0
        """Requests in flight."""
        self.idle = asyncio.Event()
        """Set while there are none."""
        self.idle.set()
        self._exit = asyncio.create_task(process.wait())
        self._last: deque[str] = deque(maxlen=40)
        self._ready = asyncio.Event()
        self._readers = [
            asyncio.create_task(self._read(process.stdout)),
            asyncio.create_task(self._read(process.stderr)),
        ]

    @classmethod
    async def start(cls, path: Path, knobs: Engine) -> "Child":
        """A child that is ready to answer. PersonaError or EngineError says why there is none."""
        folder, persona = open_persona(path)
        key = secrets.token_urlsafe(24)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "mybot.py"),
            "serve",
            *_flags(folder, knobs),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "MYBOT_SUPERVISED": "1", "MYBOT_ENGINE_API_KEY": key, "PYTHONUTF8": "1"},
            start_new_session=True,
            limit=2**20,
        )
        child = cls(folder, persona, process, key, knobs)
        try:
            await child._until_ready(knobs.start_timeout)
        except BaseException:
            await child.stop()
            raise
        return child

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """One request more in flight."""
        self.running += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()

    async def gone(self, within: float) -> bool:
        """Whether the process has ended, or does so within some seconds."""
        await asyncio.wait({self._exit}, timeout=within)
        return self._exit.done()

    async def end(self) -> None:
        """Return once the process has ended; one that answers no health check for long is killed."""
        misses = 0
        while not await self.gone(_HEALTH_EVERY):
            misses = 0 if await self.client.health() is not None else misses + 1
            if misses >= _HEALTH_MISSES and self.alive:
                log.warning("the engine hangs; killing it")
                self.process.kill()

    async def stop(self) -> None:
        """End the process, gently first; all of it is gone afterwards."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
                if not await self.gone(_STOP_GRACE):
                    self.process.kill()
        # Waiting, unlike awaiting, leaves the tasks alone when we are cancelled: stop can be called again.
        await asyncio.wait({self._exit, *self._readers})
        await self.client.close()

    async def _until_ready(self, timeout: float) -> None:
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({ready, self._exit}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._ready.is_set() and self.alive:
            return
        if self.alive:
            raise EngineError(f"the engine was not ready after {timeout:.0f} s", hint="raise [engine] start_timeout")
        await asyncio.wait(self._readers)
        raise self._why()

    def _why(self) -> EngineError:
        """The child's own two-line error, or the end of what it said."""
        lines = list(self._last)
        for place, line in enumerate(lines):
            if line.startswith("error: "):
                hint = lines[place + 1].removeprefix(" hint: ") if place + 1 < len(lines) else ""
                return EngineError(line.removeprefix("error: "), hint=hint)
        last = lines[-1] if lines else f"exit code {self.process.returncode}"
        return EngineError(
            f"the engine ended while starting: {last}", hint="run `mybot serve` by hand to see all of it"
        )

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        while stream is not None and (raw := await stream.readline()):
            line = raw.decode("utf-8", "replace").rstrip()
            self._last.append(line)
            if line.startswith("listening on "):
                self.client.url = line.removeprefix("listening on ")
            elif line.startswith("ready"):
                self._ready.set()
            log.log(_level(line), "engine %d: %s", self.process.pid, line)


def _level(line: str) -> int:
    """How loud a line of the child's log is in ours."""
    word = line.split(" ", 1)[0]
    return {"ERROR": logging.ERROR, "WARNING": logging.WARNING}.get(word, logging.INFO)


def _flags(folder: Path, knobs: Engine) -> list[str]:
    flags = ["--persona", str(folder), "--host", "127.0.0.1", "--port", "0"]
    for name in ("device", "dtype", "max_batch", "max_queue", "max_new_tokens", "timeout"):
        flags += [f"--{name.replace('_', '-')}", str(getattr(knobs, name))]
    for name, on in (("load-in-8bit", knobs.load_in_8bit), ("load-in-4bit", knobs.load_in_4bit)):
        flags.append(f"--{name}" if on else f"--no-{name}")
    if knobs.base_model:
        flags += ["--base-model", str(knobs.base_model)]
    return flags
