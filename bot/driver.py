"""NoneBot on aiohttp, both WebSocket directions: we dial the QQ side, or it dials us.

Knows tokens, and what to say when the other side is away. Doesn't know what goes over a link
(bot/links.py), nor what an event means. NoneBot's own drivers drop a quiet link after 30 s and a
frame above 4 MiB, write a traceback every three seconds while the QQ side is down, and mount an
HTTP route that asks no token; this one pings, takes frames of 64 MiB, names a cause once, and has
no such route.

    bot.driver:Forward    dials out only, opens no port
    bot.driver            also listens, on loopback unless there is a token
"""

import asyncio
import hmac
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, cast

import aiohttp
from aiohttp import web
from anyio.abc import TaskGroup
from nonebot.config import Config, Env
from nonebot.drivers import ASGIMixin, HTTPServerSetup, Request, WebSocketServerSetup
from nonebot.drivers.aiohttp import Mixin as HTTPClient
from nonebot.drivers.none import Driver as NoneDriver
from nonebot.internal.driver._lifespan import LIFESPAN_FUNC
from nonebot.log import logger
from nonebot.utils import is_coroutine_callable
from typing_extensions import override
from yarl import URL

from bot.frames import handshake
from bot.links import Link, Refused, Visitor, connect
from config.errors import EngineError, MyBotError, SettingsError

BACKOFF = (3.0, 6.0, 15.0, 30.0, 60.0)
"""Seconds before the next attempts to dial."""

_TOKENS = ("onebot_v11_access_token", "onebot_access_token")


class Forward(HTTPClient, NoneDriver):
    """Dials the QQ side; opens no port."""

    def __init__(self, env: Env, config: Config) -> None:
        super().__init__(env, config)
        self.failure: MyBotError | None = None
        self.said: dict[str, str] = {}

    @property
    @override
    def type(self) -> str:
        return "mybot"

    @override
    def run(self, *args: Any, **kwargs: Any) -> None:
        """Serve until a signal. What a person can mend comes out as the MyBotError it is."""
        super().run(*args, **kwargs)
        if self.failure is not None:
            raise self.failure

    @override
    def on_startup(self, func: LIFESPAN_FUNC) -> LIFESPAN_FUNC:
        """A hook that goes on for minutes (a model loads) is broken off by the first signal."""

        async def unless_stopped() -> None:
            hook = asyncio.ensure_future(cast("Callable[[], Coroutine[Any, Any, None]]", func)())
            stop = asyncio.ensure_future(self.should_exit.wait())
            try:
                await asyncio.wait({hook, stop}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop.cancel()
                hook.cancel()
            await asyncio.wait({hook})
            if not hook.cancelled():
                hook.result()

        self._lifespan.on_startup(unless_stopped if is_coroutine_callable(func) else func)
        return func

    @override
    async def _startup(self) -> None:
        """NoneBot's own logs whatever goes wrong here and exits 0."""
        try:
            await self._lifespan.startup()
        except MyBotError as error:
            self.failure = error
            self.should_exit.set()

    @override
    async def _handle_lifespan(self, tg: TaskGroup) -> None:
        """Start, wait, stop; the shutdown hooks run however the start ended."""
        try:
            await self._startup()
            await self._listen_exit()
        finally:
            await self._shutdown()
            tg.cancel_scope.cancel()

    def say(self, place: str, cause: str, level: str = "WARNING") -> None:
        """Log what is wrong at a place, unless that was the last thing said about it."""
        if self.said.get(place) != cause:
            self.said[place] = cause
            if cause:
                logger.log(level, f"{place}: {cause}")

    @override
    @asynccontextmanager
    async def websocket(self, setup: Request) -> AsyncGenerator[Any, None]:
        """A link to the QQ side, come back with once there is one; another platform's is NoneBot's own."""
        ours = getattr(self.config, "onebot_v11_ws_urls", None)
        if ours is not None and setup.url not in {URL(str(url)) for url in ours}:
            async with super().websocket(setup) as other:
                yield other
            return
        place, attempt = f"QQ side at {setup.url.with_query(None)}", 0
        while True:
            async with aiohttp.ClientSession(trust_env=True) as session:
                link = await self._dial(session, setup, place)
                if link is not None:
                    self.said.pop(place, None)
                    try:
                        yield link
                    finally:
                        await link.close()
                        if not self.should_exit.is_set():
                            self.say(place, "the connection is closed; trying again")
                    return
            await asyncio.sleep(BACKOFF[min(attempt, len(BACKOFF) - 1)])
            attempt += 1

    async def _dial(self, session: aiohttp.ClientSession, setup: Request, place: str) -> Link | None:
        try:
            return await connect(session, setup)
        except Refused as error:
            self.say(place, str(error), "ERROR")
        except aiohttp.WSServerHandshakeError as error:
            self.say(place, handshake(error.status), "ERROR")
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            refused = isinstance(getattr(error, "os_error", error), ConnectionRefusedError)
            why = "refused the connection" if refused else f"can't be reached ({type(error).__name__})"
            self.say(place, f"{why}; is NapCat running, with its WebSocket 服务端 on? trying again")
        return None


class Driver(Forward, ASGIMixin):
    """Also listens for the QQ side."""

    def __init__(self, env: Env, config: Config) -> None:
        super().__init__(env, config)
        self._web = web.Application(client_max_size=1 << 16)
        self._runner = web.AppRunner(self._web, access_log=None)
        self._visitors: set[Visitor] = set()
        self._socket: socket.socket | None = None
        self.on_startup(self._bind)
        self._lifespan.on_ready(self._listen)
        self.on_shutdown(self._leave)

    @property
    @override
    def server_app(self) -> web.Application:
        return self._web

    @property
    @override
    def asgi(self) -> Any:
        raise NotImplementedError("this driver serves through aiohttp, not through ASGI")

    @override
    def setup_http_server(self, setup: HTTPServerSetup) -> None:
        """No route: over HTTP POST the adapter takes events without asking for the token."""

    @override
    def setup_websocket_server(self, setup: WebSocketServerSetup) -> None:
        async def visit(raw: web.Request) -> web.StreamResponse:
            return await self._visit(raw, setup)

        self._web.router.add_get(setup.path.path, visit)

    @property
    def token(self) -> str:
        """What a QQ side has to know to be let in."""
        return next((str(value) for name in _TOKENS if (value := getattr(self.config, name, None))), "")

    async def _bind(self) -> None:
        """Take the port before a model is loaded for nothing; listening begins when all is up."""
        host, port = str(self.config.host), self.config.port
        if not ip_address(host).is_loopback and not self.token:
            raise SettingsError(
                f"listening on {host} without a token lets anybody command the bot",
                hint="set MYBOT_BOT_ONEBOT_ACCESS_TOKEN in .env, or listen on 127.0.0.1",
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            raise self._taken(error) from None

    async def _listen(self) -> None:
        assert self._socket is not None, "bound at startup"
        await self._runner.setup()
        try:
            await web.SockSite(self._runner, self._socket).start()
        except OSError as error:
            raise self._taken(error) from None
        logger.info(f"listening for the QQ side on ws://{self.config.host}:{self.config.port}/onebot/v11/ws")

    def _taken(self, error: OSError) -> MyBotError:
        return EngineError(
            f"can't listen on {self.config.host}:{self.config.port}: {(error.strerror or str(error)).lower()}",
            hint="another program has it: stop that, or choose another [bot] port",
        )

    async def _leave(self) -> None:
        for visitor in list(self._visitors):
            await visitor.close(1001, "the bot stops")
        await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()

    async def _visit(self, raw: web.Request, setup: WebSocketServerSetup) -> web.StreamResponse:
        place = f"QQ side from {raw.remote}"
        request = Request("GET", str(raw.url), headers=list(raw.headers.items()), cookies=dict(raw.cookies))
        if "Authorization" not in request.headers and (token := raw.query.get("access_token")):
            request.headers["Authorization"] = f"Bearer {token}"
        if cause := self._refusal(request):
            self.say(place, cause, "ERROR")
            return web.Response(status=403, text=cause)
        visitor = Visitor(request, raw)
        self._visitors.add(visitor)
        try:
            self.said.pop(place, None)
            await setup.handle_func(visitor)
        finally:
            self._visitors.discard(visitor)
        if visitor.refusal:
            self.say(place, visitor.refusal, "ERROR")
            return web.Response(status=403, text=visitor.refusal)
        return visitor.response

    def _refusal(self, request: Request) -> str:
        """Why a visitor is not let in; the adapter would say so at every knock."""
        if self.token:
            given = request.headers.get("Authorization", "").partition(" ")[2]
            if not given:
                return "refused: it sent no token; put the bot's access token into NapCat's WebSocket 客户端"
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return "refused: wrong token; both sides need the same access token"
        account = request.headers.get("X-Self-ID", "")
        if not account:
            return "refused: it did not say which account it is (X-Self-ID)"
        return f"refused: account {account} is connected already" if account in self.bots else ""
