"""`mybot serve`: the process that holds a persona behind the OpenAI protocol.

Knows its address, its signals and its supervisor; what is said over HTTP stands in api.py. Prints
`listening on URL` once it can be reached and `ready` once the model is loaded; with
MYBOT_SUPERVISED=1 it ends when its standard input is closed.
"""

import asyncio
import errno
import ipaddress
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial

from aiohttp import web

from bot.engine.api import Api
from bot.engine.batches import Batches
from bot.engine.guardian import watch_over_group
from bot.engine.model import generate, load
from bot.persona.manifest import open_persona
from config.errors import EngineError
from config.settings import Engine

SUPERVISED = "MYBOT_SUPERVISED"
_GRACE = 5.0
"""Seconds that the model's thread gets to end its step."""
_LAST_WORDS = 1.0
"""Seconds in which the ends of replies are written out; who sends his request no further is not waited for."""


def main(knobs: Engine) -> None:
    """Serve until SIGTERM, Ctrl-C, or the end of a supervisor."""
    if os.environ.get(SUPERVISED) == "1":
        watch_over_group()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    caught: list[int] = []
    loading = asyncio.run(_until_stopped(knobs, caught))
    if loading:
        # A thread deep in a library's loading code can be neither stopped nor waited for.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + signal.SIGINT if signal.SIGINT in caught else 0)
    if signal.SIGINT in caught:
        raise KeyboardInterrupt


async def _until_stopped(knobs: Engine, caught: list[int]) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def catch(number: int, _: object) -> None:
        caught.append(number)
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, catch)
    if os.environ.get(SUPERVISED) == "1":
        threading.Thread(target=_wait_for_end, args=(loop, stop), name="supervisor", daemon=True).start()
    return await serve(knobs, stop, _say)


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # A plain read of the descriptor: sys.stdin would hold a lock when the interpreter ends.
    while os.read(0, 1024):
        pass
    try:
        loop.call_soon_threadsafe(stop.set)
    except RuntimeError:  # the loop has ended first
        return


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(knobs: Engine, stop: asyncio.Event, say: Callable[[str], None]) -> bool:
    """Serve the persona of the knobs until `stop`; whether the model's thread is still loading then."""
    key = knobs.api_key.get_secret_value() if knobs.api_key else ""
    check_address(knobs.host, key)
    folder, persona = open_persona(knobs.persona)
    loop = asyncio.get_running_loop()

    def ready() -> None:
        say(f"ready: {persona.name} {persona.hash}")

    def ended() -> None:
        loop.call_soon_threadsafe(stop.set)

    batches = Batches(
        partial(load, folder, persona, knobs),
        generate,
        knobs,
        on_ready=ready,
        on_end=ended,
    )
    # With handler_cancellation a closed connection cancels its handler, and so its row.
    app = Api(persona, batches, knobs, key).app()
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_LAST_WORDS)
    await runner.setup()
    try:
        say(f"listening on http://{await _listen(runner, knobs)}/v1")
        batches.start()
        await stop.wait()
    finally:
        loading = batches.loaded is None and batches.is_alive()
        batches.close()
        if batches.is_alive() and not loading:
            await asyncio.to_thread(batches.join, _GRACE)
        await runner.cleanup()
    if batches.error is not None:
        raise batches.error
    if batches.crashed:
        raise EngineError("the model's thread broke down", hint="the traceback above says where")
    return batches.is_alive()


def check_address(host: str, key: str) -> None:
    """Nobody without a key may reach the persona from another machine."""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    if not here and not key:
        raise EngineError(f"refusing to listen on {host} without a key", hint="put MYBOT_ENGINE_API_KEY=… into .env")


async def _listen(runner: web.AppRunner, knobs: Engine) -> str:
    site = web.TCPSite(runner, knobs.host, knobs.port)
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EngineError(
                f"port {knobs.port} is in use", hint="--port 0 takes a free one, or end the program that has it"
            ) from None
        raise EngineError(
            f"can't listen on {knobs.host}:{knobs.port}: {error.strerror}", hint="try another --host or --port"
        ) from None
    host, port = runner.addresses[0][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
