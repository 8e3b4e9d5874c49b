"""The real `mybot run` tells its owner by a webhook that QQ is away, and why."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.wire.peer import ACCOUNT, OWNER, Peer
from tests.wire.running import free_port, running, write_settings
from tests.wire.test_talking import TOKEN

QUICK = {"alert_after": 0.3, "alert_style": "text"}


@asynccontextmanager
async def hook() -> AsyncIterator[tuple["asyncio.Queue[str]", dict[str, str]]]:
    """A web server, and the variable that names it."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        heard.put_nowait(await request.text())
        return web.Response()

    app = web.Application()
    app.router.add_post("/geheim", hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield heard, {"MYBOT_BOT_ALERT_URL": f"http://127.0.0.1:{runner.addresses[0][1]}/geheim"}
    finally:
        await runner.cleanup()


async def test_a_wrong_token_at_the_start_is_told(tmp_path: Path) -> None:
    peer = Peer("another-token", refuse="1403")
    settings = write_settings(tmp_path, onebot_v11_ws_urls=[await peer.serve()], **QUICK)
    async with hook() as (heard, url), running(settings, **TOKEN, **url) as bot:
        text = await asyncio.wait_for(heard.get(), 30)
        assert text.startswith("QQ 不在线")
        assert "不认 token" in text
        assert not any("geheim" in line or "nobody tells you" in line for line in bot.log)
    await peer.close()


async def test_nobody_there_is_told_and_the_log_says_when_there_is_no_way(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, onebot_v11_ws_urls=[f"ws://127.0.0.1:{free_port()}"], **QUICK)
    async with running(settings, **TOKEN) as bot:
        await bot.said("nobody tells you when QQ is away")
        await bot.said("refused the connection")
    async with hook() as (heard, url), running(settings, **TOKEN, **url):
        assert "拒绝了连接" in await asyncio.wait_for(heard.get(), 30)


async def test_a_kicked_account_and_a_lost_link_are_told_and_nothing_old_is_answered_after_the_return(
    tmp_path: Path,
) -> None:
    peer = Peer("wire-token")
    settings = write_settings(tmp_path, onebot_v11_ws_urls=[await peer.serve()], **QUICK)
    beat = {"post_type": "meta_event", "meta_event_type": "heartbeat", "interval": 30000}
    async with hook() as (heard, url), running(settings, **TOKEN, **url) as bot:
        await bot.said("connected")
        await peer.event(**beat, status={"online": True, "good": True})
        await peer.event(**beat, status={"online": False, "good": True})
        assert f"账号 {ACCOUNT} 不在线" in await asyncio.wait_for(heard.get(), 30)
        await peer.event(**beat, status={"online": True, "good": True})
        assert "回来了" in await asyncio.wait_for(heard.get(), 30)
        await peer.hang_up()
        assert f"账号 {ACCOUNT} 不在线" in await asyncio.wait_for(heard.get(), 30)
        await peer.until(lambda: peer._ws is not None, 30)
        assert "回来了" in await asyncio.wait_for(heard.get(), 30)
        await peer.private(OWNER, "很久以前的", time=int(time.time()) - 600)
        await peer.private(OWNER, "刚才的")
        assert await peer.answers(1) == ["刚才的"]
    await peer.close()
