"""Messages over the real wire, to the real `mybot run`, in both directions."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from tests.wire.peer import ACCOUNT, FRIEND, GROUP, OWNER, STRANGER, Peer, at, reply
from tests.wire.running import Process, free_port, running, write_settings

TOKEN = {"MYBOT_BOT_ONEBOT_ACCESS_TOKEN": "wire-token"}


@asynccontextmanager
async def talking(folder: Path, direction: str = "forward", **knobs: Any) -> AsyncIterator[tuple[Peer, Process]]:
    """A bot and a QQ side that have found each other."""
    peer = Peer("wire-token", report_self=knobs.pop("report_self", False))
    where: dict[str, Any] = {"port": free_port()}
    if direction == "forward":
        where = {"onebot_v11_ws_urls": [await peer.serve()]}
    try:
        async with running(write_settings(folder, **where, **knobs), **TOKEN) as bot:
            if direction == "reverse":
                await peer.dial(where["port"])
            await bot.said("connected")
            yield peer, bot
    finally:
        await peer.close()


async def rows(folder: Path) -> list[dict[str, Any]]:
    """What the bot kept, as it stands in its database."""
    async with aiosqlite.connect(folder / "history.db") as database:
        found = await database.execute_fetchall("select chat, segments, author from messages order by seq")
    return [
        {"chat": chat, "text": "".join(s.get("text", "") for s in json.loads(segments)), "author": author}
        for chat, segments, author in found
    ]


@pytest.mark.parametrize("direction", ["forward", "reverse"])
async def test_a_private_message_and_an_at_anywhere_are_answered(tmp_path: Path, direction: str) -> None:
    async with talking(tmp_path, direction) as (peer, bot):
        await peer.private(OWNER, "在吗")
        assert await peer.answers(1) == ["在吗"]
        assert peer.sent[0].chat == f"private:{OWNER}"
        for number, parts in enumerate(
            ([at(ACCOUNT), " 头上的"], ["中", at(str(ACCOUNT)), " 间的"], ["尾巴上的 ", at(ACCOUNT)]), start=2
        ):
            await peer.group(FRIEND, *parts)
            await peer.answers(number)
            assert peer.sent[-1].chat == f"group:{GROUP}"
        await peer.group(STRANGER, "小北你说呢")
        await peer.answers(5)
        await peer.group(STRANGER, reply(peer.sent[1].id), "引用你的")
        await peer.answers(6)
        await peer.group(FRIEND, "没人叫它")
        await asyncio.sleep(0.8)
    assert len(peer.sent) == 6
    assert [call["action"] for call in peer.calls].count("get_group_info") == 1
    assert not any(words in line for line in bot.log for words in ("在吗", "头上的", "间的", "没人叫它", "引用你的"))
    assert not [line for line in bot.log if "Traceback" in line]


async def test_a_burst_is_answered_once(tmp_path: Path) -> None:
    async with talking(tmp_path) as (peer, _):
        for word in ("那个", "我想问", "周末", "你", "来不来"):
            await peer.private(OWNER, word)
            await asyncio.sleep(0.1)
        assert await peer.answers(1) == ["来不来"]
        await asyncio.sleep(0.8)
    assert len(peer.sent) == 1


async def test_who_is_not_allowed_gets_nothing_and_is_not_kept(tmp_path: Path) -> None:
    async with talking(tmp_path) as (peer, _):
        await peer.private(STRANGER, "陌生人的话")
        await peer.group(STRANGER, at(ACCOUNT), "别的群", group=70009)
        for command in (
            "/status",
            "/off",
            "/on",
            "/状态 --help",
            ".重载 ?",
            "/clear x",
            "/model list",
            "/模型 切换 v1",
            "/pause",
        ):
            await peer.group(STRANGER, command)
            await peer.private(STRANGER, command)
        await peer.group(STRANGER, at(ACCOUNT), "/off")
        await peer.private(OWNER, "主人")
        assert await peer.answers(1) == ["主人"]
        await asyncio.sleep(0.8)
    assert len(peer.sent) == 1
    kept = await rows(tmp_path)
    assert [row["text"] for row in kept] == ["主人", "主人"]


async def test_the_owner_switches_a_chat_and_the_commands_are_no_talk(tmp_path: Path) -> None:
    async with talking(tmp_path, report_self=True) as (peer, _):
        await peer.group(OWNER, "/off")
        assert "不说话" in (await peer.answers(1))[-1]
        await peer.group(FRIEND, at(ACCOUNT), "听得到吗")
        await peer.private(OWNER, ".状态")
        status = (await peer.answers(2))[-1]
        assert status.startswith("echo（")
        assert peer.sent[-1].chat == f"private:{OWNER}"
        await peer.group(OWNER, "/开启")
        assert "开着" in (await peer.answers(3))[-1]
        await peer.group(FRIEND, at(ACCOUNT), "现在呢")
        assert (await peer.answers(4))[-1].endswith("现在呢")
        await peer.group(OWNER, "/clear 全部")
        assert (await peer.answers(5))[-1].startswith("用法：/clear")
        await peer.private(OWNER, "/reload")
        assert "没成" in (await peer.answers(6))[-1]
        assert peer.sent[-1].text.startswith("没成，还是原来的样子。原因：这个模型服务换不了人格")
        await peer.group(OWNER, "/on", group=70009)
        await peer.answers(7)
        await peer.group(FRIEND, at(ACCOUNT), "新来的", group=70009)
        assert (await peer.answers(8))[-1].endswith("新来的")
        await asyncio.sleep(0.8)
    assert len(peer.sent) == 8


async def test_odd_events_cost_nothing(tmp_path: Path) -> None:
    async with talking(tmp_path) as (peer, bot):
        await peer.frame("{broken")
        await peer.event(post_type="notice", notice_type="notify", sub_type="poke", user_id=STRANGER, target_id=ACCOUNT)
        await peer.event(post_type="notice", notice_type="group_msg_emoji_like", group_id=GROUP, likes=[{"a": 1}])
        await peer.event(post_type="message", message_type="group", message="缺很多")
        await peer.event(post_type="meta_event", meta_event_type="heartbeat", interval=30000, status={"online": True})
        await peer.private(OWNER, {"type": "file", "data": {"file": "表.xlsx"}})
        await peer.private(OWNER, "后来的")
        assert await peer.answers(1) == ["后来的"]
        assert not [line for line in bot.log if "Traceback" in line]


async def test_t30_a_poke_at_me_may_be_answered_and_no_storm_of_them(tmp_path: Path) -> None:
    async with talking(tmp_path, backfill=0) as (peer, bot):
        poke = {"post_type": "notice", "notice_type": "notify", "sub_type": "poke", "group_id": GROUP}
        await peer.group(FRIEND, "早")
        await peer.event(**poke, user_id=2854196310, target_id=ACCOUNT)
        await peer.event(**poke, user_id=FRIEND, target_id=OWNER)
        await peer.event(**poke, user_id=ACCOUNT, target_id=FRIEND)
        await peer.event(**{**poke, "group_id": 70009}, user_id=STRANGER, target_id=ACCOUNT)
        await asyncio.sleep(0.6)
        assert not peer.sent
        for second in range(3):
            await peer.event(**poke, user_id=FRIEND, target_id=ACCOUNT, time=int(time.time()) + second)
        await peer.answers(1)
        await asyncio.sleep(0.8)
        assert len(peer.sent) == 1
        assert peer.sent[0].chat == f"group:{GROUP}"
        assert not [line for line in bot.log if "Traceback" in line]


async def test_duplicates_own_lines_old_ones_and_recalled_ones_start_nothing(tmp_path: Path) -> None:
    async with talking(tmp_path) as (peer, _):
        same = await peer.private(OWNER, "一次")
        await peer.answers(1)
        await peer.private(OWNER, "一次", message_id=same)
        await peer.private(ACCOUNT, "手机上写的", target_id=OWNER, post_type="message_sent")
        await peer.private(ACCOUNT, "自己的话", target_id=OWNER)
        await peer.private(OWNER, "很久以前的", time=int(time.time()) - 600)
        gone = await peer.private(OWNER, "当我没说")
        await peer.event(post_type="notice", notice_type="friend_recall", user_id=OWNER, message_id=gone)
        await asyncio.sleep(1.0)
        assert len(peer.sent) == 1


async def test_a_muted_group_is_silent_until_the_ban_is_lifted(tmp_path: Path) -> None:
    ban = {"post_type": "notice", "notice_type": "group_ban", "group_id": GROUP, "user_id": ACCOUNT, "operator_id": 1}
    async with talking(tmp_path) as (peer, _):
        await peer.event(**ban, sub_type="ban", duration=600)
        await peer.group(FRIEND, at(ACCOUNT), "被禁言了")
        await peer.private(OWNER, "那边怎么了")
        await peer.answers(1)
        await asyncio.sleep(0.6)
        assert len(peer.sent) == 1
        await peer.event(**ban, sub_type="lift_ban", duration=0)
        await peer.group(FRIEND, at(ACCOUNT), "回来了")
        assert (await peer.answers(2))[-1].endswith("回来了")
