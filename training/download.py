"""Files over HTTP, several at once, each gone on with where it was broken off, and checked by its hash.

A file that isn't whole yet ends in `.part`; what a killed process had fetched of it is kept.
"""

import asyncio
import errno
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from config.errors import TrainingError
from training.hubs import Remote

BLOCK = 1 << 20
TRIES = 5
"""In a row without a single byte."""


def missing(files: list[Remote], folder: Path) -> int:
    """Bytes that are still to be fetched into `folder`."""
    return sum(file.size - _held(file, folder) for file in files)


def _held(file: Remote, folder: Path) -> int:
    path = folder / file.path
    if path.is_file():
        return file.size
    part = _part(path)
    return min(part.stat().st_size, file.size) if part.is_file() else 0


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


async def fetch(
    session: aiohttp.ClientSession,
    files: list[Remote],
    folder: Path,
    *,
    check: Callable[[aiohttp.ClientResponse], Awaitable[None]],
    tell: Callable[[int], None],
    at_once: int = 4,
) -> None:
    """Bring all files into `folder`. `tell` hears of each piece's bytes (below zero: begun anew), `check` of answers."""
    turn = asyncio.Semaphore(at_once)

    async def one(file: Remote) -> None:
        async with turn:
            await _one(session, file, folder / file.path, check, tell)

    tasks = [asyncio.create_task(one(file)) for file in files if not (folder / file.path).is_file()]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _one(
    session: aiohttp.ClientSession,
    file: Remote,
    path: Path,
    check: Callable[[aiohttp.ClientResponse], Awaitable[None]],
    tell: Callable[[int], None],
) -> None:
    part = _part(path)
    tries = 0
    while True:
        before = _size(part)
        if before >= file.size:
            break
        why = "nothing came"
        try:
            await _more(session, file, part, check, tell)
        except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as error:
            why = str(error) or type(error).__name__
        tries = 0 if _size(part) > before else tries + 1
        if tries == TRIES:
            raise TrainingError(
                f"the connection broke while fetching {file.path}: {why}", hint="the same command goes on where it was"
            )
        if tries:
            await asyncio.sleep(0.2 * 2**tries)
    await asyncio.to_thread(_accept, file, part, path)


async def _more(
    session: aiohttp.ClientSession,
    file: Remote,
    part: Path,
    check: Callable[[aiohttp.ClientResponse], Awaitable[None]],
    tell: Callable[[int], None],
) -> None:
    """Append what one connection gives."""
    held = _size(part)
    async with session.get(file.url, headers={"Range": f"bytes={held}-"} if held else {}) as response:
        if response.status != 416:
            await check(response)
        if held and response.status != 206:
            # The server doesn't know ranges, or the file has become another one.
            _forget(part)
            tell(-held)
        if response.status == 416:
            return
        async for block in response.content.iter_chunked(BLOCK):
            _append(part, block)
            tell(len(block))


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)


def _append(part: Path, block: bytes) -> None:
    try:
        with part.open("ab") as out:
            out.write(block)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TrainingError(
                f"the disk is full: {part.parent}", hint="make room; the same command goes on where it was"
            ) from None
        raise


def _accept(file: Remote, part: Path, path: Path) -> None:
    """Let a file that has arrived be there, if it is the one that was announced."""
    if not file.size:
        part.touch()
    if _size(part) != file.size or (file.sha256 and _sha256(part) != file.sha256):
        _forget(part)
        raise TrainingError(f"{file.path} arrived damaged", hint="the same command fetches it again")
    part.replace(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
