"""Nobody of a worker's process group outlives the bot, not even a frozen one after a kill -9.

A supervised server leaves when its pipe to the bot closes, if it still can. This forks a watcher
that waits at the same pipe and knows nothing else: when it closes, the server gets a few seconds to
leave by itself, then the whole group (what the server started among it) is killed.
"""

import os
import signal
import time

GRACE = 8.0
"""Seconds from the end of the pipe to the end of the group."""
_LOOK = 0.1


def watch_over_group() -> None:
    """Call it early: before threads, sockets and a model. Does nothing where there is no fork or no own group."""
    if not hasattr(os, "fork") or os.getpgid(0) != os.getpid():
        return
    server = os.getpid()
    if os.fork():
        return
    try:
        _watch(server)
    finally:
        os._exit(0)


def _watch(server: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # The bot reads the server's output to its end: it must not wait for us.
    os.closerange(1, 1024)
    while os.read(0, 1024):
        pass
    until = time.monotonic() + GRACE
    # Who has lost its parent has another one.
    while os.getppid() == server and time.monotonic() < until:
        time.sleep(_LOOK)
    os.killpg(0, signal.SIGKILL)
