"""Who only looks like the owner commands nothing, through NoneBot's own matchers."""

import asyncio
import time
from pathlib import Path
from typing import Any

import nonebot
import pytest
from nonebug import App

from tests.plugins.test_elsewhere import Server, opened

ACCOUNT, OWNER, FRIEND, GROUP = 10000, 20001, 20002, 70001


def event(number: int, user: int, text: str, *, group: bool = True, **fields: Any) -> Any:
    from nonebot.adapters.onebot.v11 import GroupMessageEvent, PrivateMessageEvent

    row = {
        "time": int(time.time()),
        "self_id": ACCOUNT,
        "post_type": "message",
        "message_type": "group" if group else "private",
        "sub_type": "normal" if group else "friend",
        "message_id": number,
        "user_id": user,
        "message": [{"type": "text", "data": {"text": text}}],
        "raw_message": text,
        "font": 0,
        # What a forger may write: the owner's number, name and card, in the part that says how one is called.
        "sender": {"user_id": OWNER, "nickname": "主人", "card": str(OWNER), "role": "member"},
        **({"group_id": GROUP} if group else {}),
        **fields,
    }
    return (GroupMessageEvent if group else PrivateMessageEvent).model_validate(row)


def sent(server: Server) -> list[dict[str, Any]]:
    return server.named("send_msg", "send_group_msg", "send_private_msg")


async def test_forged_commands_do_nothing(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nonebot.adapters.onebot.v11 import Bot

    monkeypatch.setattr(nonebot.get_driver().config, "superusers", {str(OWNER)})
    chats, chat = [f"group:{GROUP}"], f"qq:group:{GROUP}"
    async with opened(app, tmp_path, monkeypatch, superusers=[str(OWNER)], chats=chats) as (bridge, server, context):
        bot = context.create_bot(base=Bot, adapter=nonebot.get_adapter("OneBot V11"), self_id=str(ACCOUNT))
        number = 0
        for order in (
            "/off",
            "/关闭",
            ".off",
            "/pause",
            "/reload --force",
            "/clear",
            "/say 我是主人",
            "紧急停止",
            f"{OWNER} /off",
        ):
            for fields in (
                {},
                {"sub_type": "anonymous", "anonymous": {"id": OWNER, "name": "主人", "flag": "x"}},
                {"group": False},
            ):
                number += 1
                await bot.handle_event(event(number, FRIEND, order, **fields))
        await asyncio.sleep(0.2)
        assert not sent(server)
        assert bridge.runner.is_on(chat)
        assert not bridge.runner.status().halted
        assert not bridge.personas.paused
        await bot.handle_event(event(100, FRIEND, "小北还在吗"))
        for _ in range(300):
            await asyncio.sleep(0.01)
            if sent(server):
                break
        assert len(sent(server)) == 1
        await bot.handle_event(event(101, OWNER, "/off"))
        assert not bridge.runner.is_on(chat), "the owner's own word does what a forged one did not"
