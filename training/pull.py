"""`mybot pull`: a base model from the Hugging Face hub, a mirror or ModelScope into the hub's cache.

Files arrive in a folder of their own beside the snapshots and become one of them when all are there:
a snapshot that this made is whole. From then on the model is found by its name, without network.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from bot.persona.manifest import write_atomically
from config.errors import TrainingError, UsageError
from config.settings import Pull, Train, load
from training import recipe
from training.download import fetch, missing
from training.fetched import cache_of
from training.hubs import Hub, ModelScope, needed
from training.report import show

MARGIN = 1 << 30
"""Bytes of the disk that are left free."""


def main(knobs: Pull) -> None:
    name = knobs.model or (recipe.resolve(load(Train, preset=knobs.preset)).base_model if knobs.preset else "")
    if name.count("/") != 1 or Path(name).is_dir():
        raise UsageError(
            f"{name!r} is no model of a hub" if name else "which model?",
            hint="mybot pull OWNER/NAME, such as Qwen/Qwen3-8B, or mybot pull --preset 8b-12g",
        )
    cache = cache_of(name)
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cache / ".pull.lock", timeout=0):
            numbers = asyncio.run(_pull(knobs, name, cache))
    except Timeout:
        raise TrainingError(f"another mybot pull of {name} is running", hint="wait for it") from None
    finally:
        if not any(path.name != ".pull.lock" for path in cache.iterdir()):
            shutil.rmtree(cache)
    show(f"fetched: {name}", numbers, as_json=knobs.as_json)


async def _pull(knobs: Pull, name: str, cache: Path) -> dict[str, str | int]:
    hub = _hub(knobs)
    limits = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=60)
    async with aiohttp.ClientSession(headers=hub.headers, timeout=limits, trust_env=True) as session:
        try:
            listing = await hub.listing(session, name, knobs.revision)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise TrainingError(
                f"{hub.endpoint} can't be reached: {str(error) or type(error).__name__}",
                hint="check the network; HF_ENDPOINT in .env names a mirror, --source modelscope is another hub",
            ) from None
        files = needed(listing, name)
        snapshot, scratch = cache / "snapshots" / listing.commit, cache / f".{listing.commit}.part"
        files = [file for file in files if not (snapshot / file.path).is_file()]
        left = missing(files, scratch)
        _check_disk(left, cache)
        scratch.mkdir(exist_ok=True)
        with _progress(sum(file.size for file in files), left) as tell:
            await fetch(
                session,
                files,
                scratch,
                check=lambda response: hub.check(response, name, knobs.revision),
                tell=tell,
                at_once=knobs.at_once,
            )
    _put_in_place(scratch, snapshot, files=[file.path for file in files])
    ref = cache / "refs" / (knobs.revision or "main")
    ref.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(ref, listing.commit)
    return {"folder": str(snapshot), "files": len(files), "bytes_fetched": left, "commit": listing.commit}


def _hub(knobs: Pull) -> Hub:
    token = knobs.token.get_secret_value() if knobs.token is not None else ""
    if knobs.source == "modelscope":
        return ModelScope(knobs.endpoint, token)
    from huggingface_hub import constants, get_token

    return Hub(knobs.endpoint or constants.ENDPOINT, token or get_token() or "")


def _check_disk(wanted: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if wanted + MARGIN > free:
        raise TrainingError(
            f"{wanted / 1e9:.1f} GB are to be fetched, and {folder} has {free / 1e9:.1f} GB left",
            hint="make room, or name another disk by HF_HOME in .env",
        )


def _put_in_place(scratch: Path, snapshot: Path, files: list[str]) -> None:
    if not snapshot.exists():
        snapshot.parent.mkdir(exist_ok=True)
        scratch.replace(snapshot)
        return
    # The library had fetched some of it: the config, say.
    for path in files:
        (scratch / path).replace(snapshot / path)
    scratch.rmdir()


@contextmanager
def _progress(total: int, left: int) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left on a terminal, a line every twentieth elsewhere."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _Lines(console, total, left)
        return
    columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("fetching", total=total, completed=total - left)
        yield lambda size: bar.advance(task, size)


class _Lines:
    """Told of each piece, says a line now and then."""

    def __init__(self, console: Console, total: int, left: int) -> None:
        self._console, self._total, self._done = console, total, total - left
        self._at_first, self._begun = self._done, time.monotonic()
        self._next = self._done

    def __call__(self, size: int) -> None:
        self._done += size
        if self._done < self._next and self._done < self._total:
            return
        self._next = self._done + self._total // 20
        rate = (self._done - self._at_first) / max(1e-6, time.monotonic() - self._begun)
        minutes = (self._total - self._done) / max(1.0, rate) / 60
        self._console.print(
            f"{self._done / 1e9:.2f} of {self._total / 1e9:.2f} GB, {rate / 1e6:,.1f} MB/s, {minutes:,.0f} minutes left"
        )
