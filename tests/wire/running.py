"""The real `mybot run` in a process of its own, with a settings file of its own."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from config.settings import ROOT
from tests.wire.peer import GROUP, OWNER

QUICK: dict[str, Any] = {
    "superusers": [str(OWNER)],
    "chats": [f"group:{GROUP}"],
    "nickname": ["小北"],
    "debounce": 0.3,
    "delays": 0,
    "debounce_max": 2.0,
    "bubble_pause": 0.05,
    "disclosure": False,
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def write_settings(folder: Path, *, engine: dict[str, Any] | None = None, **knobs: Any) -> Path:
    """A settings file; what is asked for wins over quick ones for tests."""
    tables = {
        "engine": {"persona": "echo", **(engine or {})},
        "bot": {**QUICK, "database": f"sqlite+aiosqlite:///{folder}/history.db", **knobs},
    }
    path = folder / "mybot.toml"
    lines = [
        f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items()) for name, table in tables.items()
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


class Process:
    """One run of a mybot command: its log, its end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log: list[str] = []
        self._grown = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, command: str, settings: Path, **env: str) -> "Process":
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MYBOT_")}
        ours = {"MYBOT_CONFIG": str(settings), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "mybot.py"), *command.split()),
            env={**kept, **ours, **env},
            cwd=settings.parent,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return cls(process)

    async def said(self, words: str, timeout: float = 30) -> str:
        """The first line of the log with these words, waited for."""

        def found() -> str:
            return next((line for line in self.log if words in line), "")

        try:
            async with self._grown:
                await asyncio.wait_for(self._grown.wait_for(found), timeout)
        except asyncio.TimeoutError:
            raise AssertionError(f"never said {words!r}:\n" + "\n".join(self.log)) from None
        return found()

    async def end(self, sig: int | None = signal.SIGTERM, timeout: float = 20) -> int:
        """The exit code, after a signal; killed if it doesn't end."""
        if self.process.returncode is None and sig is not None:
            self.process.send_signal(sig)
        try:
            await asyncio.wait_for(self.process.wait(), timeout)
        except asyncio.TimeoutError:
            self.process.kill()
            raise AssertionError("it did not end:\n" + "\n".join(self.log)) from None
        finally:
            await self._reader
        return self.process.returncode or 0

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            async with self._grown:
                self.log.append(raw.decode().rstrip())
                self._grown.notify_all()


@asynccontextmanager
async def running(settings: Path, command: str = "run", **env: str) -> AsyncIterator[Process]:
    """A bot that is stopped afterwards, and must then end well and alone."""
    process = await Process.start(command, settings, **env)
    try:
        yield process
    except BaseException:
        sys.stderr.write("\n".join(process.log) + "\n")
        raise
    finally:
        before = children(process.process.pid)
        code = await process.end()
        assert code == 0, "\n".join(process.log)
        assert not before & alive(), "an orphan was left"


def children(pid: int) -> set[int]:
    """Processes below this one."""
    found: set[int] = set()
    for path in Path("/proc").glob(f"{pid}/task/*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            for child in map(int, path.read_text().split()):
                found |= {child} | children(child)
    return found


def alive() -> set[int]:
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal() and not _dead(path)}


def _dead(path: Path) -> bool:
    try:
        return path.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
