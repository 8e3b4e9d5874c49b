"""Every command, by who may give it and by who may not: what it does, what it says, and what a restart keeps."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from bot.persona.message import Message, Segment
from tests.plugins.test_personas import OWNER, B, home, until, up

__all__ = ["home"]
FRIEND = "20001"


def line(words: str, role: str = "OWNER", *, chat: str = B, sender: str = "10001", **more: Any) -> Any:
    from plugins.admin.line import Line
    from plugins.admin.roles import Role

    return Line(chat, chat, OWNER, sender, Role[role], words=words.split(), text=words, **more)


async def give(bridge: Any, words: str, role: str = "OWNER", **more: Any) -> str:
    """The answer to a command; empty where there was none."""
    from plugins.admin.commands import run

    given = line(words, role, **more)
    before = len(bridge.port.texts(given.place))
    await run(bridge, given)
    return "\n".join(bridge.port.texts(given.place)[before:])


async def hear(
    bridge: Any, number: int, words: str = "在吗", *, chat: str = B, sender: str = FRIEND, **more: Any
) -> None:
    kind = "private" if ":private:" in chat else "group"
    time = int(bridge.port.now())
    message = Message(f"{chat}/{number}", chat, kind, time, sender, "友", [Segment("text", words)], False)
    await bridge.runner.hear(message, chat_name="群", **more)


QUIET = ("off", "mute", "mute 5", "unmute", "clear", "freq", "freq 0.5")
ADMIN = ("help", "status", "on", "undo", "retry", "stop", "why", "block 5", "unblock 5", "blocklist", "stats", "whoami")
OWNERS = (
    "reload", "model list", "model load v2", "model use other", "model rollback", "persona", "pause", "resume",
    "allow", "deny", "admin", "forget 5", "set", "say 在的", "takeover 5", "retrain",
)  # fmt: skip


async def test_t07_no_role_no_answer(home: Path) -> None:
    from plugins.admin.commands import COMMANDS

    async with up(home) as bridge:
        for words in (*QUIET, *ADMIN, *OWNERS, "help", "set night morning", "model"):
            assert await give(bridge, words, "NOBODY") == ""
        for words in (*ADMIN, *OWNERS, "help me"):
            assert await give(bridge, words, "GROUP_ADMIN") == ""
        for words in OWNERS:
            assert await give(bridge, words, "ADMIN") == ""
        assert bridge.runner.is_on(B)
        assert not bridge.runner.blocked()
    words = {" ".join(name) for command in COMMANDS for name in command.names}
    listed = {" ".join(w for w in given.split() if not w[0].isdigit()) for given in (*QUIET, *ADMIN, *OWNERS)}
    assert {command.word for command in COMMANDS} <= {w if w in words else w.split()[0] for w in listed} | words


async def test_every_command_has_two_names_and_no_name_is_two_commands() -> None:
    from plugins.admin.commands import COMMANDS

    names = [tuple(name) for command in COMMANDS for name in command.names]
    assert len(names) == len(set(names)) >= 2 * len(COMMANDS)
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in command.alias) for command in COMMANDS)


async def test_a_groups_admin_may_only_quieten(home: Path) -> None:
    async with up(home) as bridge:
        assert (
            await give(bridge, "freq 0.5", "GROUP_ADMIN") == "好，频率 0.5（这里现在只在被叫时说话，/on join 才插话）"
        )
        assert await give(bridge, "频率 1", "GROUP_ADMIN") == "只能往下调，现在 0.5"
        assert "之间" in await give(bridge, "freq 9", "GROUP_ADMIN")
        assert bridge.runner.standing.rules(B).freq == 0.5
        assert await give(bridge, "闭嘴 30", "GROUP_ADMIN") == "好，安静 30 分钟"
        assert bridge.runner.status().hushed[B] == pytest.approx(bridge.port.now() + 1800, abs=5)
        assert await give(bridge, "说话", "GROUP_ADMIN") == "好，回来了"
        assert not bridge.runner.status().hushed
        assert await give(bridge, "关闭", "GROUP_ADMIN") == "好，这里我不说话了"
        assert not bridge.runner.is_on(B)
        assert "/on 才开" in await give(bridge, "unmute", "GROUP_ADMIN")
        # Elsewhere it has no say, and a chat's name is no number.
        assert "不是数字" in await give(bridge, "mute group:7002", "GROUP_ADMIN")
        assert not bridge.runner.status().hushed


async def test_what_a_command_set_survives_a_restart(home: Path) -> None:
    async with up(home) as bridge:
        for words in ("on join", "freq 0.3", "set night morning", "set share 0.1", "set consent yes", "block 5"):
            assert "用法" not in await give(bridge, words), words
        await give(bridge, "mute")
        await give(bridge, "admin add 30003")
        await give(bridge, "allow group:7009")
        await give(bridge, "deny private:20001")
    async with up(home) as bridge:
        rules = bridge.runner.standing.rules(B)
        assert (rules.mode, rules.freq, rules.night, rules.share) == ("join", 0.3, "morning", 0.1)
        assert bridge.runner.status().hushed[B] > 1e300
        assert bridge.runner.blocked() == ["5"]
        assert await bridge.history.keepsakes.consent(B) == "yes"
        assert await give(bridge, "admin") == "机器人管理员：30003"
        assert bridge.runner.is_on("qq:group:7009")
        assert not bridge.runner.is_on("qq:private:20001")
        assert "先给主人看" in await give(bridge, "on draft")
        assert "用法" in await give(bridge, "on nonsense")
        assert "只在心里说" in await give(bridge, "开启 影子")
        told = await give(bridge, "set")
        assert "早上回" in told
        assert "10%" in told
        assert (await give(bridge, "set night later all")).count("晚点回") == 0
        assert bridge.runner.standing.rules("qq:group:7010").night == "later"


async def test_roles_are_found_where_they_are_kept(home: Path) -> None:
    from plugins.admin.roles import Role, role_of

    async with up(home) as bridge:
        await give(bridge, "admin add", ats=["30003"])

        def role(chat: str, sender: str, leads: bool = False) -> Role:
            return role_of(bridge.history, bridge.runner.standing, chat, sender, leads_group=leads)

        assert role(B, "10001") is Role.OWNER
        assert role(B, "30003") is role("qq:private:30003", "30003") is Role.ADMIN
        assert role(B, "30004", leads=True) is Role.GROUP_ADMIN
        assert role("qq:private:30004", "30004", leads=True) is role(B, "30004") is Role.NOBODY
        # The same numbers on another platform are other people.
        assert role("telegram:group:7001", "10001") is role("telegram:group:7001", "30003") is Role.NOBODY
        assert await give(bridge, "whoami", "ADMIN", sender="30003") == f"机器人管理员，你的号 30003，这里是 {B}"
        await give(bridge, "admin remove 30003")
        assert role(B, "30003") is Role.NOBODY


async def test_help_shows_what_one_may(home: Path) -> None:
    async with up(home) as bridge:
        admins, owners = await give(bridge, "help", "ADMIN"), await give(bridge, "帮助")
        assert "/why" in admins
        assert "/forget" not in admins
        assert "/forget" in owners
        assert await give(bridge, "help freq") == "/freq /频率 [0-3]：插话多少：0 只在被叫时，1 像本人"
        assert "/model list" in await give(bridge, "model")


async def test_undo_retry_stop_and_why(home: Path) -> None:
    async with up(home, guard=False) as bridge:
        taken: list[str] = []

        async def unsend(_chat: str, id: str) -> bool:  # noqa: A002
            taken.append(id)
            return True

        bridge.port.unsend = unsend
        assert await give(bridge, "undo") == "没有能撤回的"
        await hear(bridge, 1, addressed=True)
        await until(lambda: len(bridge.port.texts(B)) == 2)
        said = bridge.port.texts(B)[-1]
        assert await give(bridge, "undo") == ""
        assert taken == ["s2"]
        assert said not in [message.text for message in await bridge.history.recent(B, 9)]
        await give(bridge, "retry")
        await until(lambda: len(bridge.port.texts(B)) >= 3)
        why = await give(bridge, "为什么")
        assert "叫了我，回" in why
        assert "\n" not in why
        assert "人格 me（" in why
        size = re.search(r"上次提示 (\d+) 字", why)
        assert size is not None
        assert int(size[1]) > 10
        assert await give(bridge, "停") == "好，不说了"
        assert (await give(bridge, "stats")).startswith("今天这里说了 ")


async def test_the_owner_speaks_through_the_bot_and_takes_over(home: Path) -> None:
    async with up(home) as bridge:
        assert await give(bridge, "say group:7001 我先下了\n明天说", chat=OWNER) == "好，替你说了"
        await until(lambda: bridge.port.texts(B) == ["我先下了", "明天说"])
        await asyncio.sleep(0.1)
        kept = await bridge.history.recent(B, 9)
        assert {await bridge.history.author(B, message.id) for message in kept} == {"owner"}
        assert "用法" in await give(bridge, "say", chat=OWNER)
        assert "10 分钟" in await give(bridge, "接管 10")
        await hear(bridge, 1, addressed=True)
        await asyncio.sleep(0.3)
        assert "本人在说话" in bridge.runner.why(B)
        assert await give(bridge, "takeover off") == "好，我接着说"


async def test_stop_all_holds_over_a_restart_until_resume(home: Path) -> None:
    async with up(home) as bridge:
        assert "用法" in await give(bridge, "stop all", "ADMIN")
        assert await give(bridge, "stop all") == "全部停了，/resume 才继续"
    async with up(home) as bridge:
        assert "急停着" in await give(bridge, "status")
        assert "没说出去" in await give(bridge, "say group:7001 在吗", chat=OWNER)
        assert await give(bridge, "resume") == "回来了"
        assert "急停" not in await give(bridge, "status")


async def test_forget_deletes_and_says_what(home: Path) -> None:
    async with up(home) as bridge:
        for number, sender in enumerate(("20001", "20002", "20001", "20003")):
            await hear(bridge, number, f"第{number}句", sender=sender)
        assert await give(bridge, "forget", quoted=f"{B}/1") == "删掉了1 条消息"
        assert await give(bridge, "遗忘", ats=["20001"]) == "删掉了2 条消息"
        assert [message.text for message in await bridge.history.recent(B, 9)] == ["第3句"]
        assert "一次一个人" in await give(bridge, "forget 20003 20004")
        assert "要写清是谁" in await give(bridge, "forget")
        assert "确认" in await give(bridge, "forget chat")
        assert len(await bridge.history.recent(B, 9)) == 1
        assert "1 条消息" in await give(bridge, "forget chat 确认")
        assert await bridge.history.recent(B, 9) == []
        assert await give(bridge, "forget 20009 all") == "没有可删的"


async def test_block_by_quote_and_the_owner_never(home: Path) -> None:
    async with up(home) as bridge:
        await hear(bridge, 1, sender="20005")
        assert await give(bridge, "拉黑", "ADMIN", quoted=f"{B}/1") == "好，不理 20005 了"
        assert await give(bridge, "blocklist", "ADMIN") == "私聊发你了"
        assert bridge.port.texts(OWNER)[-1] == await give(bridge, "blocklist", "ADMIN", chat=OWNER) == "20005"
        assert "不能拉黑主人" in await give(bridge, "block 10001", "ADMIN")
        assert await give(bridge, "解封 20005", "ADMIN") == "好，又理 20005 了"
        assert await give(bridge, "unblock 20005", "ADMIN") == "20005 不在黑名单里"


async def test_bystanders_are_heard_without_a_word(home: Path) -> None:
    async with up(home) as bridge:
        reacted: list[str] = []

        async def react(_chat: str, id: str) -> bool:  # noqa: A002
            reacted.append(id)
            return True

        bridge.port.react = react
        await hear(bridge, 1, "周末去吗")
        await hear(bridge, 2, "别回我")
        await hear(bridge, 3, addressed=True)
        await asyncio.sleep(0.3)
        assert bridge.port.texts(B) == []
        assert "黑名单" in bridge.runner.why(B)
        # The owner's list is another one: it can't be left by a bystander's own word.
        assert bridge.runner.blocked() == []
        await give(bridge, f"block {FRIEND}")
        await hear(bridge, 4, "可以回我了")
        await hear(bridge, 5, addressed=True)
        await asyncio.sleep(0.3)
        assert len(bridge.port.texts(B)) == 1
        await give(bridge, f"unblock {FRIEND}")
        await hear(bridge, 6, addressed=True)
        await until(lambda: len(bridge.port.texts(B)) == 3)
        await hear(bridge, 7, "忘了我")
        kept = await bridge.history.recent(B, 20)
        assert not [message for message in kept if message.sender == FRIEND]
        assert await bridge.history.keepsakes.consent(B, FRIEND) == "no"
        assert reacted == [f"{B}/2", f"{B}/4", f"{B}/7"]


async def test_the_stop_word_silences_everything(home: Path) -> None:
    async with up(home) as bridge:
        await hear(bridge, 1, "紧急停止", sender="20002")
        assert not bridge.runner.status().halted
        await hear(bridge, 2, "紧急停止", sender="10001")
        assert bridge.runner.status().halted
        await hear(bridge, 3, addressed=True)
        await asyncio.sleep(0.3)
        assert bridge.port.texts(B) == []


async def test_last_training(home: Path) -> None:
    async with up(home) as bridge:
        assert "没有评判过" in (await give(bridge, "训练")) or "还没有评过分" in await give(bridge, "retrain")
        (home / "me" / "v2" / "scores.json").write_text(
            '{"loss": 2.5, "leaks": 0, "generations": 16, "passed": false, "reasons": ["差了点"]}', encoding="utf-8"
        )
        told = await give(bridge, "retrain")
        assert "me/v2" in told
        assert "损失 2.500" in told
        assert told.endswith("评分没过：差了点")
