"""One `mybot serve` process: started, waited for, watched, stopped.

Knows the process, its group and its log; doesn't know what to do when it dies. The child holds the
reading end of a pipe from us and leaves when it closes, and guardian.py sees to it: no process of
its group outlives the bot, not even a kill -9.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bot.engine.client import Client, Lost
from bot.persona.manifest import Persona, open_persona
from config.errors import EngineError
from config.settings import ROOT, Engine

log = logging.getLogger("bot.engine.worker")

SERVE = (sys.executable, str(ROOT / "mybot.py"), "serve")
_HEALTH_EVERY = 5.0
_LOOK = 0.1
"""Seconds between two looks whether a process has ended."""
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
        self._stall = knobs.stall
        self.born = asyncio.get_running_loop().time()
        self.running = 0
        """Requests in flight."""
        self.idle = asyncio.Event()
        """Set while there are none."""
        self.idle.set()
        self.company = 0
        """Requests in flight when the first of them was lost."""
        self.dismissed = False
        """Whether its end is our own doing."""
        self._exit = asyncio.create_task(_ended(process))
        self._last: deque[str] = deque(maxlen=40)
        self._ready = asyncio.Event()
        streams = (process.stdout, process.stderr)
        self._readers = [asyncio.create_task(self._read(stream)) for stream in streams if stream is not None]

    @classmethod
    async def start(cls, path: Path, knobs: Engine, command: Sequence[str] = SERVE) -> "Child":
        """A child that is ready to answer. PersonaError or EngineError says why there is none."""
        folder, persona = open_persona(path)
        key = secrets.token_urlsafe(24)
        process = await asyncio.create_subprocess_exec(
            *command,
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
        except Lost:
            self.company = max(self.company, self.running)
            raise
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()

    async def gone(self, within: float) -> bool:
        """Whether the process has ended, or does so within some seconds."""
        await asyncio.wait({self._exit}, timeout=within)
        return self._exit.done()

    async def end(self) -> None:
        """Return once the process has ended; one that shows no sign of life for long is killed.

        A sign of life is an answer that says the model's thread moves: HTTP still answers beside a
        forward that never ends.
        """
        loop = asyncio.get_running_loop()
        lived = loop.time()
        while not await self.gone(min(_HEALTH_EVERY, self._stall / 4)):
            health = await self._ask_health()
            stalled = float((health or {}).get("stalled", 0.0))
            lived = lived if health is None else loop.time()
            if max(stalled, loop.time() - lived) > self._stall and self.alive:
                log.warning("engine %d hangs; killing it", self.process.pid)
                self._kill()
        self._kill()

    async def stop(self) -> None:
        """End the process, gently first; it and all that it started are gone afterwards."""
        self.dismissed = self.dismissed or self.alive
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
                await self.gone(_STOP_GRACE)
        self._kill()
        # Waiting, unlike awaiting, leaves the tasks alone when we are cancelled: stop can be called again.
        await asyncio.wait({self._exit, *self._readers})
        await self.client.close()

    def _kill(self) -> None:
        """Kill the process and what it started; what has ended already stays so."""
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            elif self.alive:
                self.process.kill()

    async def _ask_health(self) -> dict[str, Any] | None:
        try:
            return await asyncio.wait_for(self.client.health(), self._stall)
        except asyncio.TimeoutError:
            return None

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

    async def _read(self, stream: asyncio.StreamReader) -> None:
        """Join the child's log into ours, line by line."""
        while True:
            try:
                raw = await stream.readline()
            except ValueError:  # a line without end: dropped as far as it has come
                continue
            if not raw:
                return
            line = raw.decode("utf-8", "replace").rstrip()
            self._last.append(line)
            if line.startswith("listening on "):
                self.client.url = line.removeprefix("listening on ")
            elif line.startswith("ready"):
                self._ready.set()
            log.log(_level(line), "engine %d: %s", self.process.pid, line)


async def _ended(process: asyncio.subprocess.Process) -> None:
    # Its own wait() also waits for its pipes, which whatever it started may hold open.
    while process.returncode is None:  # noqa: ASYNC110 - nobody tells of the end alone
        await asyncio.sleep(_LOOK)


def _level(line: str) -> int:
    """How loud a line of the child's log is in ours."""
    word = line.split(" ", 1)[0]
    return {"ERROR": logging.ERROR, "WARNING": logging.WARNING}.get(word, logging.INFO)


def _flags(folder: Path, knobs: Engine) -> list[str]:
    # A supervised one that is idle is ended as a whole: only that surely frees a card.
    flags = ["--persona", str(folder), "--host", "127.0.0.1", "--port", "0", "--idle-unload", "0"]
    same = ("device", "dtype", "threads", "max_batch", "max_queue", "max_new_tokens", "timeout")
    for name in (*same, "compile", "attn_implementation"):
        flags += [f"--{name.replace('_', '-')}", str(getattr(knobs, name))]
    for name in ("load_in_8bit", "load_in_4bit", "prefix_reuse"):
        flag = name.replace("_", "-")
        flags.append(f"--{flag}" if getattr(knobs, name) else f"--no-{flag}")
    if knobs.base_model:
        flags += ["--base-model", str(knobs.base_model)]
    return flags
