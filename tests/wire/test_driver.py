"""The driver's sockets, without NoneBot around them: one process, a real QQ side."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from nonebot.config import Config, Env
from nonebot.drivers import Request, WebSocket, WebSocketServerSetup
from nonebot.exception import WebSocketClosed
from nonebot.log import logger
from yarl import URL

from bot import driver as edge, links
from bot.frames import Sieve
from bot.links import Link
from config.errors import EngineError, SettingsError
from tests.wire.peer import ACCOUNT, Peer


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), format="{level} {message}")
    yield lines
    logger.remove(sink)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "BACKOFF", (0.02,))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def config(**values: object) -> Config:
    return Config(**{"_env_file": None, **values})  # pyright: ignore[reportArgumentType]


def forward() -> edge.Forward:
    return edge.Forward(Env(), config())


def asking(url: str, token: str = "") -> Request:
    return Request("GET", url, headers={"Authorization": f"Bearer {token}"} if token else None, timeout=30.0)


async def test_frames_that_an_adapter_cant_read_cost_only_themselves(log: list[str]) -> None:
    peer = Peer()
    request = asking(await peer.serve())
    async with forward().websocket(request) as link:
        assert json.loads(await link.receive())["sub_type"] == "connect"
        await peer.frame("{broken")
        await peer.frame("[1, 2]")
        await peer.frame('{"post_type": "message", "raw_message": "geheim"}')
        await peer.frame("[" * 100_000)
        await peer.event(post_type="notice", notice_type="fine")
        assert json.loads(await link.receive())["notice_type"] == "fine"
    await peer.close()
    dropped = [line for line in log if "dropped a frame" in line]
    assert len(dropped) == 4
    assert not any("geheim" in line for line in log)


async def test_another_platforms_link_is_left_alone(log: list[str]) -> None:
    """Discord's gateway speaks no OneBot: none of its frames may be judged."""
    peer, other = Peer(), Peer()
    ours, theirs = await peer.serve(), await other.serve()
    driver = edge.Forward(Env(), config(onebot_v11_ws_urls={ours}))
    async with driver.websocket(asking(theirs)) as link:
        await link.receive()
        await other.frame('{"op": 10, "d": {"heartbeat_interval": 41250}}')
        await other.frame("no JSON")
        assert json.loads(await link.receive())["op"] == 10
        assert await link.receive() == "no JSON"
    async with driver.websocket(asking(ours)) as link:
        assert isinstance(link, Link)
    await peer.close()
    await other.close()
    assert not [line for line in log if "dropped" in line]


async def test_a_frame_of_20_mib_passes() -> None:
    peer = Peer()
    request = asking(await peer.serve())
    async with forward().websocket(request) as link:
        await link.receive()
        await peer.event(post_type="notice", padding="字" * (20 << 20 >> 3), notice_type="big" + "x" * (15 << 20))
        assert len(await link.receive()) > 20 << 20
    await peer.close()


async def test_a_quiet_link_is_pinged_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PING", 0.2)
    peer = Peer()
    request = asking(await peer.serve())
    async with forward().websocket(request) as link:
        await link.receive()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(link.receive(), 1.2)
        assert not link.closed
    await peer.close()
    assert peer.knocks == 1


async def test_a_side_that_no_longer_answers_pings_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PING", 0.2)
    stopped = asyncio.Event()

    async def deaf(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        await ws.send_str('{"post_type": "meta_event", "time": 1, "self_id": 1}')
        await stopped.wait()
        return ws

    app = web.Application()
    app.router.add_get("/", deaf)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with forward().websocket(asking(f"ws://127.0.0.1:{runner.addresses[0][1]}")) as link:
        await link.receive()
        with pytest.raises(WebSocketClosed):
            await asyncio.wait_for(link.receive(), 3)
    stopped.set()
    await runner.cleanup()


@pytest.mark.parametrize("refuse", ["403", "1403"])
async def test_a_wrong_token_is_said_once(refuse: str, log: list[str], quick: None) -> None:
    peer = Peer("right", refuse=refuse)
    request = asking(await peer.serve(), "wrong")

    async def dial() -> None:
        async with forward().websocket(request):
            raise AssertionError("nobody should be let in")

    dialling = asyncio.create_task(dial())
    await peer.until(lambda: peer.knocks >= 4)
    dialling.cancel()
    await asyncio.gather(dialling, return_exceptions=True)
    await peer.close()
    assert len([line for line in log if "token" in line]) == 1
    assert not any("right" in line or "Traceback" in line for line in log)


async def test_a_side_that_is_down_is_said_once_and_found_when_it_comes(log: list[str], quick: None) -> None:
    port, came = free_port(), asyncio.Event()

    async def dial() -> None:
        async with forward().websocket(asking(f"ws://127.0.0.1:{port}/")) as link:
            await link.receive()
            came.set()

    dialling = asyncio.create_task(dial())
    await asyncio.sleep(0.2)
    assert len([line for line in log if "refused the connection" in line]) == 1
    app = web.Application()
    peer = Peer()
    app.router.add_get("/", peer._knock)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.wait_for(came.wait(), 5)
    await dialling
    await runner.cleanup()


def test_the_second_answer_to_a_call_goes_nowhere() -> None:
    sieve = Sieve()
    answer = json.dumps({"status": "ok", "retcode": 0, "data": None, "echo": "7"})
    assert sieve.unreadable(answer) == ""
    assert sieve.unreadable(answer)
    assert sieve.unreadable(answer.replace('"7"', '"8"')) == ""


class Adapter:
    """What an adapter does with a link that was dialled to us."""

    def __init__(self) -> None:
        self.links: list[WebSocket] = []
        self.frames: list[str] = []

    async def handle(self, link: WebSocket) -> None:
        await link.accept()
        self.links.append(link)
        try:
            while True:
                self.frames.append(str(await link.receive()))
        except WebSocketClosed:
            await link.close()


@asynccontextmanager
async def listening(**values: object) -> AsyncIterator[tuple[str, Adapter, edge.Driver]]:
    driver = edge.Driver(Env(), config(port=free_port(), **values))
    adapter = Adapter()
    driver.setup_websocket_server(WebSocketServerSetup(URL("/onebot/v11/ws"), "test", adapter.handle))
    await driver._lifespan.startup()
    try:
        yield f"http://127.0.0.1:{driver.config.port}/onebot/v11/ws", adapter, driver
    finally:
        await driver._lifespan.shutdown()


async def knock(url: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(url, headers={k.replace("_", "-"): v for k, v in headers.items()}) as ws:
                await ws.send_str("{nonsense")
                await ws.send_str('{"post_type": "meta_event", "time": 1, "self_id": 1}')
            return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


async def test_who_is_let_in(log: list[str]) -> None:
    async with listening(onebot_v11_access_token="s3cret") as (url, adapter, driver):
        me = {"X_Self_ID": str(ACCOUNT)}
        assert await knock(url, **me) == 403
        assert await knock(url, **me) == 403
        assert await knock(url, **me, Authorization="Bearer nope") == 403
        assert await knock(url, Authorization="Bearer s3cret") == 403
        assert not adapter.links
        assert await knock(url, **me, Authorization="Bearer s3cret") == 101
        assert await knock(f"{url}?access_token=s3cret", **me) == 101
        driver.bots[str(ACCOUNT)] = None  # pyright: ignore[reportArgumentType]
        assert await knock(url, **me, Authorization="Bearer s3cret") == 403
    assert len(adapter.links) == 2
    assert len([line for line in log if "no token" in line]) == 1
    assert len([line for line in log if "wrong token" in line]) == 1
    assert not any("s3cret" in line for line in log)
    assert all("meta_event" in frame for frame in adapter.frames)


async def test_there_is_no_way_in_over_http_post() -> None:
    async with listening() as (url, adapter, _), aiohttp.ClientSession() as session:
        for path in ("/onebot/v11/", "/onebot/v11/http", "/onebot/v11/ws"):
            async with session.post(str(URL(url).with_path(path)), json={"post_type": "message"}) as answer:
                assert answer.status in (404, 405)
    assert not adapter.links


async def test_stopping_lets_go_of_the_port_and_of_the_visitors() -> None:
    peer = Peer()
    async with listening() as (_, adapter, driver):
        await peer.dial(driver.config.port)
        await peer.connected()
    assert all(link.closed for link in adapter.links)
    await peer.close()
    with socket.socket() as again:
        again.bind(("127.0.0.1", driver.config.port))


async def test_a_used_port_is_an_error_with_a_hint() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        driver = edge.Driver(Env(), config(port=other.getsockname()[1]))
        with pytest.raises(EngineError, match="in use") as error:
            await driver._lifespan.startup()
        assert error.value.hint
        await driver._lifespan.shutdown()


async def test_the_world_is_not_listened_to_without_a_token() -> None:
    driver = edge.Driver(Env(), config(port=free_port(), host="0.0.0.0"))
    with pytest.raises(SettingsError, match="without a token"):
        await driver._lifespan.startup()
    await driver._lifespan.shutdown()
