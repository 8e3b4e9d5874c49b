"""What could go wrong with orders: copies, late lines, other people of the same number, and what is under way."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.persona.message import Message, Segment
from bot.turn_state import State
from tests.plugins.test_commands import FRIEND, give, hear
from tests.plugins.test_personas import OWNER, B, home, until, up

__all__ = ["home"]
TELEGRAM = "telegram:group:7001"


def heard(bridge: Any, id: str, *segments: Segment, chat: str = B, sender: str = FRIEND, **more: Any) -> Message:  # noqa: A002
    kind = "private" if ":private:" in chat else "group"
    fields = {"time": int(bridge.port.now()), **more}
    return Message(
        id, chat, kind, fields.pop("time"), sender, "友", list(segments), fields.pop("mine", False), **fields
    )


def text(words: str) -> Segment:
    return Segment("text", words)


async def test_the_same_number_on_another_platform_is_somebody_else(home: Path) -> None:
    async with up(home) as bridge:
        await give(bridge, "allow telegram:group:7001")
        await give(bridge, f"block {FRIEND}")
        await hear(bridge, 1, chat=TELEGRAM, addressed=True)
        await until(lambda: len(bridge.port.texts(TELEGRAM)) == 1)
        await hear(bridge, 2, "别回我", chat=TELEGRAM)
        await hear(bridge, 3, chat=TELEGRAM, addressed=True)
        await give(bridge, f"unblock {FRIEND}")
        await hear(bridge, 4, addressed=True)
        said = len(bridge.port.texts(B))
        await until(lambda: len(bridge.port.texts(B)) > said)
        assert len(bridge.port.texts(TELEGRAM)) == 1
        assert await give(bridge, "block telegram-name", chat=TELEGRAM) == "好，不理 telegram:telegram-name 了"
        assert await give(bridge, "unblock telegram:telegram-name") == "好，又理 telegram:telegram-name 了"
        assert "要写清是谁" in await give(bridge, "block 张三")
        await hear(bridge, 5, "这里的话")
        await give(bridge, f"forget {FRIEND} all", chat=TELEGRAM)
        assert await bridge.history.recent(TELEGRAM, 9) == [
            message for message in await bridge.history.recent(TELEGRAM, 9) if message.mine
        ]
        assert "这里的话" in [message.text for message in await bridge.history.recent(B, 9)]


async def test_the_stop_word_holds_in_a_chat_that_nobody_opened_and_on_my_own_account(home: Path) -> None:
    async with up(home) as bridge:
        await bridge.runner.hear(heard(bridge, "s1", text("紧急停止"), chat="qq:group:7999", sender="20002"))
        assert not bridge.runner.status().halted
        await bridge.runner.hear(heard(bridge, "s2", text("紧急停止"), chat="qq:group:7999", sender="10001"))
        assert bridge.runner.status().halted
        await give(bridge, "resume")
        await bridge.runner.hear(heard(bridge, "s2", text("紧急停止"), chat="qq:group:7999", sender="10001"))
        assert not bridge.runner.status().halted, "a copy of an order is none"
        mine = heard(bridge, "s3", text("紧急停止"), chat="qq:private:20009", sender="555", mine=True)
        await bridge.runner.hear(mine)
        assert bridge.runner.status().halted
        assert not await bridge.history.recent("qq:private:20009", 9)


async def test_a_wish_put_to_somebody_else_is_talk(home: Path) -> None:
    async with up(home) as bridge:
        await bridge.runner.hear(heard(bridge, "w0", text("周末来吗"), sender="20002"), me=["555"])
        for id_, segments, quoted in (
            ("w1", [Segment("at", id="20002", name="阿泽"), text("忘了我")], None),
            ("w2", [text("忘了我")], "w0"),
            ("w3", [text("别回我")], "unknown"),
        ):
            await bridge.runner.hear(heard(bridge, id_, *segments, reply_to=quoted), me=["555"])
        kept = [message.id for message in await bridge.history.recent(B, 9)]
        assert kept == ["w0", "w1", "w2", "w3"]
        assert await bridge.history.keepsakes.consent(B, FRIEND) == ""
        await bridge.runner.hear(heard(bridge, "w4", Segment("at", id="555", name="我"), text("忘了我")), me=["555"])
        assert [message.id for message in await bridge.history.recent(B, 9)] == ["w0"]


async def test_what_is_forgotten_while_a_reply_is_under_way_gets_none(home: Path) -> None:
    async with up(home, debounce=0.3) as bridge:
        await hear(bridge, 1, "我住在桥边", addressed=True)
        await hear(bridge, 2, "忘了我")
        await hear(bridge, 3, "我住在河边", addressed=True, sender="20002")
        assert await give(bridge, "forget group:7001 20002", chat=OWNER) == "删掉了1 条消息"
        await asyncio.sleep(0.8)
        assert bridge.port.texts(B) == []
        assert not await bridge.history.recent(B, 9)


@pytest.mark.parametrize("words", ["forget chat 确认", "undo"])
async def test_a_bubble_on_its_way_is_forgotten_and_taken_back_with_the_rest(home: Path, words: str) -> None:
    async with up(home) as bridge:
        send, leaves, taken = bridge.port.send, asyncio.Event(), []

        async def slow(chat: str, *rest: Any) -> str:
            if chat == B and not leaves.is_set():
                leaves.set()
                await asyncio.sleep(0.4)
            return await send(chat, *rest)

        async def unsend(_chat: str, id: str) -> bool:  # noqa: A002
            taken.append(id)
            return True

        bridge.port.send, bridge.port.unsend = slow, unsend
        await hear(bridge, 1, addressed=True)
        await leaves.wait()
        await give(bridge, words)
        await asyncio.sleep(0.5)
        kept = await bridge.history.recent(B, 9)
        assert not [message for message in kept if message.mine]
        assert taken == (["s1"] if words == "undo" else [])


async def test_retry_after_undo_leaves_the_reply_before_alone(home: Path) -> None:
    async with up(home) as bridge:
        taken: list[str] = []

        async def unsend(_chat: str, id: str) -> bool:  # noqa: A002
            taken.append(id)
            return True

        bridge.port.unsend = unsend
        for number in (1, 2):
            await hear(bridge, number, addressed=True)
            await until(lambda number=number: len(bridge.port.texts(B)) == number)
        await asyncio.sleep(0.1)
        await give(bridge, "undo")
        assert taken == ["s2"]
        assert await give(bridge, "retry") == ""
        await until(lambda: len(bridge.port.texts(B)) == 3)
        assert taken == ["s2"]
        await give(bridge, "pause")
        assert "/resume" in await give(bridge, "retry")
        assert taken == ["s2"]


async def test_quoting_somebody_forgets_that_line_though_the_phone_adds_an_at(home: Path) -> None:
    async with up(home) as bridge:
        for number in (1, 2, 3):
            await hear(bridge, number, f"第{number}句")
        assert await give(bridge, "forget", quoted=f"{B}/2", ats=[FRIEND]) == "删掉了1 条消息"
        assert "只能要一个" in await give(bridge, "forget", quoted=f"{B}/1", ats=["20002"])
        assert "只能要一个" in await give(bridge, "forget", quoted="nothing", ats=[FRIEND])
        assert [message.text for message in await bridge.history.recent(B, 9)] == ["第1句", "第3句"]
        assert await give(bridge, "block", quoted=f"{B}/1", ats=[FRIEND]) == f"好，不理 {FRIEND} 了"


async def test_on_says_so_where_a_chat_is_denied(home: Path) -> None:
    async with up(home) as bridge:
        await give(bridge, "deny")
        assert "/allow" in await give(bridge, "on", "ADMIN")
        assert not bridge.runner.is_on(B)
        assert "先 /allow" in await give(bridge, "say group:7001 在的", chat=OWNER)
        await give(bridge, "allow")
        assert "开着" in await give(bridge, "on")


async def test_nobody_ends_the_owners_own_silence_or_shortens_another(home: Path) -> None:
    async with up(home) as bridge:
        await give(bridge, "takeover")
        await give(bridge, "mute 1", "GROUP_ADMIN")
        assert "主人" in await give(bridge, "unmute", "ADMIN")
        assert bridge.runner.status().hushed[B] > 1e300
        assert await give(bridge, "unmute") == "好，回来了"
        await give(bridge, "mute", "ADMIN")
        await give(bridge, "mute 1", "GROUP_ADMIN")
        assert bridge.runner.status().hushed[B] > 1e300


async def test_say_quotes_and_a_word_may_begin_with_a_capital(home: Path) -> None:
    async with up(home) as bridge:
        quotes: list[str | None] = []
        send = bridge.port.send

        async def sending(chat: str, words: str, quote: str | None, *rest: Any) -> str:
            quotes.append(quote)
            return await send(chat, words, quote, *rest)

        bridge.port.send = sending
        await hear(bridge, 1, "谁去")
        await give(bridge, "Say 我去", quoted=f"{B}/1")
        await until(lambda: bridge.port.texts(B) == ["我去"])
        assert quotes == [f"{B}/1"]
        assert "不能 @" in await give(bridge, "say 你好", ats=["20002"])


async def test_teach_takes_the_whole_reply_that_is_quoted_and_nobody_elses(home: Path) -> None:
    async with up(home) as bridge:
        history, now = bridge.history, int(bridge.port.now())
        await hear(bridge, 1, "来吗")
        for number, words in enumerate(("来", "等我", "十分钟")):
            mine = heard(bridge, f"m{number}", text(words), sender="", mine=True, time=now + 1)
            await history.add(mine, author="persona:abc", at=bridge.port.now())
        await hear(bridge, 2, "好")
        assert await give(bridge, "teach 来的", quoted=f"{B}/2") == "引用的不是我最近说的话"
        assert await give(bridge, "teach 来的", quoted="m1") == "记住了，下次训练就学"
        (pair,) = await history.keepsakes.preferences(B)
        assert pair.rejected == ("来", "等我", "十分钟")


async def test_what_is_remembered_is_told_to_the_owner_alone(home: Path, tmp_path: Path) -> None:
    async with up(home, me=tmp_path / "me.toml") as bridge:
        assert await give(bridge, "记忆", "ADMIN") == ""
        assert await give(bridge, "记住 我对花生过敏", chat=OWNER) == "记住了，谁都可以听到"
        assert await give(bridge, "remember 我周末在") == "记住了，只在 group:7001 里说"
        assert await give(bridge, "memory") == "私聊发你了"
        assert bridge.port.texts(OWNER)[-1] == "· 我对花生过敏（谁都可以听）\n· 我周末在（group:7001）"
        assert await give(bridge, "memory 花生", chat=OWNER) == "· 我对花生过敏（谁都可以听）"
        assert "200 字" in await give(bridge, "remember " + "长" * 201)
        assert "忘掉了" in await give(bridge, "memory forget 花生", chat=OWNER)
        assert "花生" not in (tmp_path / "me.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("role", ["ADMIN", "OWNER"])
async def test_a_machines_trouble_is_no_talk_for_a_group(home: Path, role: str) -> None:
    async with up(home) as bridge:
        fallen = {"failures": 9, "trouble": "/srv/me is gone", "cut": [], "refused": []}
        told = {"me": {"state": "asleep", "version": "v1", "restarts": 0, **fallen}}
        bridge.personas.status = lambda: told
        shown = await give(bridge, "status", role)
        assert "连续 9 次没起来" in shown
        assert "/srv" not in shown
        assert ("/srv" in await give(bridge, "status", role, chat=OWNER)) == (role == "OWNER")


def test_blocked_accounts_are_known_by_their_platform() -> None:
    from bot.turn_state import Chat, Pace
    from bot.turn_step import Step

    state = State(Pace(), 0)
    state.blocked = frozenset({"5", "telegram:6"})
    for chat, sender, blocked in (
        ("qq:group:1", "5", True),
        ("telegram:group:1", "5", False),
        ("telegram:group:1", "6", True),
        ("qq:group:1", "6", False),
    ):
        assert Step(state, chat, Chat(), 0.0).blocks(sender) is blocked
