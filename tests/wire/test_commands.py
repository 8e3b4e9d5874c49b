"""Every command over the real wire, to the real `mybot run`: by the owner, by a group's admin, by anybody; and the
owner beside the bot: drafts, a line of their own, the stop word, a lost connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.wire.peer import ACCOUNT, FRIEND, GROUP, OWNER, STRANGER, Peer, at, reply
from tests.wire.running import Process, running, write_settings

TOKEN = {"MYBOT_BOT_ONEBOT_ACCESS_TOKEN": "wire-token"}
HERE, ALONE = f"group:{GROUP}", f"private:{OWNER}"
SECOND = 10005

ORDERS = (
    ("/help", "/whoami /我是谁"), ("/Status", "echo（"), ("/on join", "也插句话"), ("/on", "叫我就回"),
    ("/freq 0.5", "频率 0.5"), ("/mute 5", "安静 5 分钟"), ("/unmute", "回来了"), ("/clear", "不看了"),
    ("/undo", "没有能撤回的"), ("/retry", "没有可以重说的"), ("/stop", "不说了"), ("/why", "人格 echo"),
    ("/block 20003", "不理 20003"), ("/unblock 20003", "又理 20003"), ("/stats", "今天这里说了 0 条"),
    ("/whoami", f"主人，你的号 {OWNER}"), ("/reload", "没成"), ("/model list", "没成"), ("/model load v1", "没成"),
    ("/model use x", "没成"), ("/model rollback", "没成"), ("/persona", "这里是 echo"), ("/retrain", "没成"),
    ("/allow", "叫我就回"), ("/admin", "机器人管理员：没有"), ("/forget 20009", "没有可删的"),
    ("/forget chat", "确认"), ("/set night morning", "早上回"), ("/teach 我来", "最近没有我说的话"),
    ("/takeover 5", "5 分钟里这里归你"), ("/takeover off", "我接着说"), ("/stop all", "全部停了"), ("/resume", "回来了"),
    ("/pause", "模型停了"), ("/resume", "回来了"), ("/off", "不说话了"), ("/on", "叫我就回"), ("/model", "用法"),
)  # fmt: skip
"""In a chat where nothing was said yet: what the owner gets for each."""
QUIETER = (("/mute", "/unmute 叫我"), ("/说话", "回来了"), (".清空", "不看了"), ("/freq 0.4", "频率 0.4"))


@asynccontextmanager
async def talking(folder: Path, *peers: Peer, **knobs: Any) -> AsyncIterator[Process]:
    urls = [await peer.serve() for peer in peers]
    where = {"onebot_v11_ws_urls": urls, "me": str(folder / "me.toml"), "delays": 0}
    try:
        async with running(write_settings(folder, **where, **knobs), **TOKEN) as bot:
            for peer in peers:
                await peer.connected()
            await bot.said("connected")
            yield bot
    finally:
        for peer in peers:
            await peer.close()


async def order(peer: Peer, words: str, *, private: bool = False, user: int = OWNER, **fields: Any) -> str:
    """The answer to a command."""
    before = len(peer.sent)
    await (peer.private(user, words, **fields) if private else peer.group(user, words, **fields))
    return (await peer.answers(before + 1))[-1]


async def silence(peer: Peer, seconds: float = 0.5) -> None:
    before = len(peer.sent)
    await asyncio.sleep(seconds)
    assert [sent.text for sent in peer.sent[before:]] == []


def gone(peer: Peer) -> list[int]:
    """The ids that were taken back."""
    return [call["params"]["message_id"] for call in peer.calls if call["action"] == "delete_msg"]


def leads(user: int) -> dict[str, Any]:
    return {"sender": {"user_id": user, "nickname": "群主", "role": "admin"}}


async def test_t07_each_command_by_each_who_may_and_silence_for_the_rest(tmp_path: Path) -> None:
    peer, second = Peer("wire-token"), Peer("wire-token", account=SECOND)
    async with talking(tmp_path, peer, second, backfill=0) as bot:
        for words, told in ORDERS:
            before = len(peer.sent)
            await peer.group(OWNER, words)
            # Why something went wrong is told in private, before the word that it did.
            got = (await peer.answers(before + 1 + (told == "没成")))[before:]
            assert told in got[-1], words
            assert [sent.chat for sent in peer.sent[before:]] == [ALONE, HERE][-len(got) :]
            # The same from the owner's private chat, about the group.
            answer = await order(peer, f"{words} {HERE}" if " " not in words else words, private=True)
            assert peer.sent[-1].chat == ALONE
            assert answer
        # Who is blocked, and what is remembered of the owner, is nothing for a group.
        assert await order(peer, "/remember 我周末在家") == f"记住了，只在 {HERE} 里说"
        peer.sent.clear()
        await peer.group(OWNER, "/memory")
        await peer.answers(2)
        assert [(sent.chat, sent.text) for sent in peer.sent] == [
            (ALONE, f"· 我周末在家（{HERE}）"),
            (HERE, "私聊发你了"),
        ]
        # Another account of ours in that group hears every command too.
        await second.group(OWNER, "/on join")
        same = await peer.group(OWNER, "/on")
        await peer.answers(3)
        await peer.group(OWNER, "/on", message_id=same)
        await peer.group(OWNER, "/off", time=1_700_000_000)
        await peer.group(ACCOUNT, "/off", **leads(ACCOUNT))
        await silence(peer)
        assert not second.sent
        # What stands on the account itself is no command: the owner is typing there.
        assert "主人" in await order(peer, "/unmute", user=FRIEND, **leads(FRIEND))
        assert await order(peer, "/unmute") == "好，回来了"
        for words, told in QUIETER:
            assert told in await order(peer, words, user=FRIEND, **leads(FRIEND)), words
        everything = [words for words, _ in ORDERS]
        for words in (*everything, "/memory", "/remember x", "/blocklist", "/say x"):
            await peer.group(STRANGER, words)
            await peer.private(FRIEND, words)
        for words in ("/help", "/status", "/on", "/why", "/undo", "/blocklist", "/forget chat 确认", "/freq 3 group:1"):
            await peer.group(FRIEND, words, **leads(FRIEND))
        before = len(peer.sent)
        await peer.group(FRIEND, "/freq 3", **leads(FRIEND))
        await peer.answers(before + 1)
        await asyncio.sleep(0.3)
        assert [sent.text for sent in peer.sent[before:]] != []
        assert "只能往下调，现在 0.4" in [sent.text for sent in peer.sent[before:]]
    assert not [line for line in bot.log if "Traceback" in line]
    assert not any(words in line for line in bot.log for words in ("周末在家", "我来", "/forget", "20009"))


async def test_the_owner_beside_the_bot(tmp_path: Path) -> None:
    peer = Peer("wire-token", report_self=True)
    async with talking(tmp_path, peer, backfill=0) as bot:
        assert "先给主人看" in await order(peer, "/on draft")
        await peer.group(FRIEND, at(ACCOUNT), "周四来吗")
        assert (await peer.answers(2))[-1].startswith("草稿 #1（周末爬山）")
        assert peer.sent[-1].chat == ALONE
        note = peer.sent[-1].id
        await peer.private(OWNER, reply(note), "发")
        await peer.answers(4)
        assert {(sent.chat, sent.text[-4:]) for sent in peer.sent[2:]} == {(ALONE, "了 #1"), (HERE, "周四来吗")}
        await peer.group(20004, at(ACCOUNT), "几点")
        await peer.answers(5)
        await peer.private(OWNER, "改 七点")
        await peer.answers(7)
        assert (HERE, "七点") in [(sent.chat, sent.text) for sent in peer.sent]
        # Told to go on by itself, it answers, until the owner types on its own account.
        assert "叫我就回" in await order(peer, "/on")
        await peer.group(20005, at(ACCOUNT), "带什么")
        assert (await peer.answers(9))[-1].endswith("带什么")
        said = peer.sent[-1].id
        # Taken back and said anew; after /undo there is nothing more to take back.
        await peer.group(OWNER, "/retry")
        assert (await peer.answers(10))[-1].endswith("带什么")
        await peer.group(OWNER, "/undo")
        await peer.until(lambda: len(gone(peer)) == 2)
        await peer.group(OWNER, "/retry")
        await peer.answers(11)
        assert gone(peer) == [said, peer.sent[9].id]
        called = await peer.group(20006, at(ACCOUNT), "还有呢")
        await peer.group(ACCOUNT, "我自己说", post_type="message_sent")
        await silence(peer, 0.8)
        assert "本人在说话" in await order(peer, f"/why {HERE}", private=True)
        assert await order(peer, "/takeover off") == "好，我接着说"
        # The stop word, on the phone that the account is on.
        await peer.group(ACCOUNT, "紧急停止", post_type="message_sent")
        await peer.until(lambda: any(sent.text.startswith("急停了") for sent in peer.sent))
        await peer.group(20007, at(ACCOUNT), "听得到吗")
        await silence(peer, 0.8)
        assert "急停着" in await order(peer, "/status", private=True)
        assert await order(peer, "/resume", private=True) == "回来了"
        # Away and back: what was said meanwhile, and a command that comes again, do nothing.
        off = await peer.group(OWNER, "/freq 0.7")
        await peer.until(lambda: peer.sent[-1].text.startswith("好，频率"))
        await peer.hang_up()
        await peer.connected(30)
        await peer.group(OWNER, "/freq 0.7", message_id=off)
        await peer.group(20006, at(ACCOUNT), "还有呢", message_id=called)
        await silence(peer, 0.8)
        assert "没有" not in await order(peer, "/whoami")
    assert not [line for line in bot.log if "Traceback" in line]
    assert not any(words in line for line in bot.log for words in ("周四来吗", "七点", "我自己说", "还有呢"))
