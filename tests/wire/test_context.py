"""What the QQ side knows and we did not hear: earlier lines, quotes, our other accounts. On the real wire."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiosqlite

from tests.wire.peer import ACCOUNT, FRIEND, GROUP, OWNER, STRANGER, Peer, at, reply
from tests.wire.running import running, write_settings
from tests.wire.test_talking import talking

SECOND = 10001


async def kept(folder: Path, chat: str = f"qq:group:{GROUP}") -> list[tuple[str, str, bool]]:
    """Text, author and whether it is mine, in the order in which a prompt shows them."""
    async with aiosqlite.connect(folder / "history.db") as database:
        query = "select segments, author, mine from messages where chat = ? order by at, seq"
        found = list(await database.execute_fetchall(query, (chat,)))
    return [("".join(s.get("text", "") for s in json.loads(row[0])), row[1], bool(row[2])) for row in found]


async def until_kept(folder: Path, number: int) -> list[tuple[str, str, bool]]:
    end = time.monotonic() + 12
    while len(found := await kept(folder)) < number:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.1)
    return found


async def test_t05_what_was_said_while_away_is_context_and_never_answered(tmp_path: Path) -> None:
    peer, before = Peer(), int(time.time()) - 60
    for number in range(6):
        await peer.group(FRIEND, at(ACCOUNT), f" 旧话{number}", unheard=True, time=before + number)
    await peer.group(ACCOUNT, "我以前说的", unheard=True, time=before + 10)
    await peer.group(FRIEND, "别的群的话", group=70009, unheard=True, time=before)
    settings = write_settings(tmp_path, onebot_v11_ws_urls=[await peer.serve()], backfill=6)
    try:
        async with running(settings) as bot:
            await bot.said("connected")
            await peer.group(FRIEND, at(ACCOUNT), " 现在的")
            assert (await peer.answers(1))[0].endswith("现在的")
            await bot.said("earlier messages")
            found = await until_kept(tmp_path, 6)
            await asyncio.sleep(0.8)
        assert len(peer.sent) == 1
    finally:
        await peer.close()
    # The newest six, two of which came as events by then.
    assert [text for text, _, _ in found[:4]] == ["旧话3", "旧话4", "旧话5", "我以前说的"]
    assert [author for _, author, _ in found[:4]] == [*["other"] * 3, "persona:unknown"]
    asked = [
        call["params"].get("group_id", call["params"].get("user_id"))
        for call in peer.calls
        if "history" in call["action"]
    ]
    assert set(asked) == {GROUP, OWNER}


async def test_a_qq_side_without_history_is_asked_once(tmp_path: Path) -> None:
    peer = Peer(lacks=("get_group_msg_history", "get_friend_msg_history"))
    settings = write_settings(
        tmp_path, onebot_v11_ws_urls=[await peer.serve()], chats=[f"group:{GROUP}", "group:70002"]
    )
    try:
        async with running(settings) as bot:
            await bot.said("gives no history")
            await peer.group(FRIEND, at(ACCOUNT), " 在吗")
            await peer.answers(1)
            assert [call["action"] for call in peer.calls if "history" in call["action"]] == ["get_group_msg_history"]
            assert not [line for line in bot.log if "Traceback" in line]
    finally:
        await peer.close()


async def test_a_quote_of_something_unheard_is_found(tmp_path: Path) -> None:
    async with talking(tmp_path, backfill=0) as (peer, bot):
        old = int(time.time()) - 5000
        question = await peer.group(OWNER, "很久以前的问题", unheard=True, time=old)
        mine = await peer.group(ACCOUNT, "我从前的话", unheard=True, time=old + 1)
        elsewhere = await peer.group(OWNER, "别的群的秘密", group=70009, unheard=True, time=old)
        await peer.group(FRIEND, reply(question), at(ACCOUNT), " 这个")
        assert (await peer.answers(1))[-1].endswith("这个")
        await peer.group(FRIEND, reply(mine), "你说过的")
        assert (await peer.answers(2))[-1].endswith("你说过的")
        await peer.group(STRANGER, reply(elsewhere), at(ACCOUNT), " 那个")
        await peer.answers(3)
        await peer.group(STRANGER, reply(424242), at(ACCOUNT), " 没有的")
        await peer.answers(4)
        found = await kept(tmp_path)
        assert found[0] == ("很久以前的问题", "other", False)
        assert found[1] == ("我从前的话", "persona:unknown", True)
        assert not [text for text, _, _ in found if "秘密" in text]
        asked = [call["params"]["message_id"] for call in peer.calls if call["action"] == "get_msg"]
        assert asked.count(question) == asked.count(mine) == 1
        assert asked.count(424242) <= 2
        assert not [line for line in bot.log if "Traceback" in line]


async def test_t01_one_reply_over_reconnects_and_t05_nothing_old(tmp_path: Path) -> None:
    async with talking(tmp_path, backfill=0) as (peer, bot):
        fields: dict[str, Any] = {"time": int(time.time())}
        one = await peer.group(FRIEND, at(ACCOUNT), " 一次", **fields)
        await peer.answers(1)
        bot.log.clear()
        await peer.hang_up()
        await peer.until(lambda: peer.knocks == 2)
        await bot.said("connected")
        await peer.group(FRIEND, at(ACCOUNT), " 一次", message_id=one, **fields)
        await peer.group(FRIEND, at(ACCOUNT), " 走开的时候", time=int(time.time()) - 600)
        await peer.group(FRIEND, at(ACCOUNT), " 回来了")
        assert (await peer.answers(2))[-1].endswith("回来了")
        await asyncio.sleep(0.8)
        assert len(peer.sent) == 2


async def test_two_accounts_of_mine_in_one_group_speak_with_one_voice(tmp_path: Path) -> None:
    first, second = Peer(), Peer(account=SECOND)
    urls = [await first.serve(), await second.serve()]
    try:
        async with running(write_settings(tmp_path, onebot_v11_ws_urls=urls, backfill=0)) as bot:
            await first.connected()
            await second.connected()
            await bot.said(f"{SECOND} connected")
            await first.group(FRIEND, "先来的一句")
            await asyncio.sleep(0.3)
            for peer in (first, second):
                await peer.group(FRIEND, at(SECOND), " 两个号都在")
            assert (await first.answers(1))[-1].endswith("两个号都在")
            await second.private(OWNER, "私聊第二个号")
            assert await second.answers(1) == ["私聊第二个号"]
            await asyncio.sleep(0.8)
            assert (len(first.sent), len(second.sent)) == (1, 1)
            await first.hang_up()
            await first.until(lambda: first.knocks == 1)
            await asyncio.sleep(0.2)
            await second.group(FRIEND, at(SECOND), " 换一个号")
            assert (await second.answers(2))[-1].endswith("换一个号")
            # The owner types with the other account: mine, nobody's call, and from then on the owner's turn.
            await second.group(SECOND, "小北，我自己说的", post_type="message_sent")
            await asyncio.sleep(0.8)
            assert ("小北，我自己说的", "owner", True) in await kept(tmp_path)
            assert (len(first.sent), len(second.sent)) == (1, 2)
    finally:
        await first.close()
        await second.close()
