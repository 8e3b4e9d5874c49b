"""A WebSocket to the QQ side, whoever dialled it: frames in and out, pings, and what a refusal is.

Knows aiohttp's sockets and which frames an adapter can read. Doesn't know when to dial again, nor who may
come in (bot/driver.py).
"""

from collections import deque

import aiohttp
import anyio
from aiohttp import WSMsgType, web
from nonebot.drivers import Request, WebSocket
from nonebot.exception import WebSocketClosed
from nonebot.log import logger
from typing_extensions import override

from bot.frames import TOKEN, Sieve, refuses

MAX_FRAME = 64 << 20
"""Bytes of one frame; NapCat's own limit is 50 MiB."""
PING = 20.0
"""Seconds between pings: the only way to tell a quiet link from a dead one."""
FIRST_FRAME = 15.0
"""Seconds the QQ side has to say something after we dialled: its greeting, or a refusal."""

_GONE = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class Refused(Exception):
    """The other side won't talk with us; the text says why, for a person."""


class Link(WebSocket):
    """One WebSocket of either direction. A frame that is no event or answer costs only itself."""

    def __init__(
        self, request: Request, socket: "aiohttp.ClientWebSocketResponse[bool] | web.WebSocketResponse[bool]"
    ) -> None:
        super().__init__(request=request)
        self.socket = socket
        self.waiting: deque[str] = deque()
        """Frames that were read ahead."""
        self._sieve = Sieve()

    @property
    @override
    def closed(self) -> bool:
        return self.socket.closed

    @override
    async def accept(self) -> None:
        """Dialled links are accepted already."""

    @override
    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.socket.close(code=code, message=reason.encode()[:120])

    @override
    async def receive(self) -> str:
        """The next frame that the adapter can read."""
        if self.waiting:
            return self.waiting.popleft()
        while True:
            frame = await self.socket.receive()
            if frame.type in _GONE:
                raise WebSocketClosed(self.socket.close_code or 1006)
            why = self._sieve.unreadable(frame.data)
            if not why:
                return frame.data
            logger.warning(f"dropped a frame of {len(frame.data)} bytes from the QQ side: {why}")

    @override
    async def receive_text(self) -> str:
        return await self.receive()

    @override
    async def receive_bytes(self) -> bytes:
        return (await self.receive()).encode()

    @override
    async def send_text(self, data: str) -> None:
        await self.socket.send_str(data)

    @override
    async def send_bytes(self, data: bytes) -> None:
        await self.socket.send_bytes(data)


class Visitor(Link):
    """A link that the QQ side dialled; it stands once the adapter accepts it."""

    def __init__(self, request: Request, raw: web.Request) -> None:
        self.response = web.WebSocketResponse(heartbeat=PING, max_msg_size=MAX_FRAME, compress=False, timeout=2)
        super().__init__(request, self.response)
        self.raw = raw
        self.refusal = ""

    @override
    async def accept(self) -> None:
        await self.response.prepare(self.raw)

    @override
    async def close(self, code: int = 1000, reason: str = "") -> None:
        if self.response.prepared:
            await super().close(code, reason)
        else:
            self.refusal = reason or "refused"


async def connect(session: aiohttp.ClientSession, setup: Request) -> Link:
    """Dial, and wait for the first frame: a QQ side that refuses the token greets us with that."""
    raw = await session.ws_connect(
        str(setup.url),
        headers=setup.headers,
        proxy=setup.proxy,
        heartbeat=PING,
        max_msg_size=MAX_FRAME,
        timeout=aiohttp.ClientWSTimeout(ws_receive=None, ws_close=2),  # pyright: ignore[reportCallIssue]
    )
    link, first = Link(setup, raw), ""
    try:
        # Not asyncio.wait_for: before Python 3.12 it may swallow being cancelled.
        with anyio.move_on_after(FIRST_FRAME):
            first = await link.receive()
    except WebSocketClosed:
        raise Refused("it closed the connection at once; is the token right? trying again") from None
    except BaseException:
        await link.close()
        raise
    if not first:
        # Some implementations greet late; a quiet link is one too.
        return link
    if refuses(first):
        await link.close()
        raise Refused(TOKEN)
    link.waiting.append(first)
    return link
