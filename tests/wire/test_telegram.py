"""Telegram through the real `mybot run`: the adapter polls a real HTTP server of our own."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.wire.running import running, write_settings

TOKEN, OWNER, FRIEND, GROUP = "10000:wire-token", 20001, 20002, -100123


class Telegram:
    """What of the Bot API the bot uses."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.offset = -1

    async def say(self, number: int, words: str, *, group: bool = False, **fields: Any) -> None:
        chat = {"id": GROUP, "type": "supergroup", "title": "爬山"} if group else {"id": OWNER, "type": "private"}
        sender = {"id": FRIEND if group else OWNER, "is_bot": False, "first_name": "阿泽"}
        message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": sender, "text": words}
        self.updates.append({"update_id": number, "message": {**message, **fields}})

    async def answers(self, number: int) -> list[str]:
        end = time.monotonic() + 20
        while len(self.sent) < number:
            assert time.monotonic() < end, self.sent
            await asyncio.sleep(0.05)
        return [call["text"] for call in self.sent]

    async def call(self, request: web.Request) -> web.Response:
        assert request.match_info["token"] == TOKEN
        given = await request.json() if request.can_read_body else {}
        return web.json_response({"ok": True, "result": await self._answer(request.match_info["api"], given)})

    async def _answer(self, api: str, given: dict[str, Any]) -> Any:
        if api == "getMe":
            return {"id": 10000, "is_bot": True, "first_name": "小北", "username": "beibot"}
        if api == "getUpdates":
            self.offset = int(given.get("offset", 0))
            end = time.monotonic() + 1
            while not (due := [one for one in self.updates if one["update_id"] >= self.offset]):
                if time.monotonic() > end:
                    return []
                await asyncio.sleep(0.02)
            return due
        if api == "sendMessage":
            self.sent.append(given)
            chat = {"id": int(given["chat_id"]), "type": "private"}
            return {"message_id": 900 + len(self.sent), "date": int(time.time()), "chat": chat}
        return True


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Telegram, str]]:
    telegram, app = Telegram(), web.Application()
    app.router.add_post("/bot{token}/{api}", telegram.call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield telegram, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_telegram_is_answered_by_mybot_run(tmp_path: Path) -> None:
    async with serving() as (telegram, address):
        knobs = {"superusers": [f"telegram:{OWNER}"], "chats": [f"telegram:group:{GROUP}"]}
        settings = write_settings(tmp_path, adapters=["nonebot.adapters.telegram"], **knobs)
        env = {"TELEGRAM_BOTS": json.dumps([{"token": TOKEN, "api_server": address}])}
        async with running(settings, **env) as bot:
            await bot.said("Start poll")
            await telegram.say(1, "开机前的")
            await telegram.say(2, "在吗")
            assert (await telegram.answers(1))[0] == "在吗"
            mention = [{"type": "mention", "offset": 3, "length": 7}]
            await telegram.say(3, "没人叫的话", group=True)
            await telegram.say(4, "那个 @beibot 呢", group=True, entities=mention)
            assert (await telegram.answers(2))[1].endswith("呢")
            assert int(telegram.sent[1]["chat_id"]) == GROUP
        assert len(telegram.sent) == 2
        assert not any(words in line for line in bot.log for words in ("在吗", "没人叫", "wire-token")), bot.log
        assert not [line for line in bot.log if "Traceback" in line]
