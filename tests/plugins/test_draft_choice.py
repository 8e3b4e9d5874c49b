"""Which draft a short word of the owner's is about, and when it is about none."""

import asyncio
from pathlib import Path
from typing import Any

from bot.persona.message import Message, Segment
from bot.port import Unsent
from bot.words import DISCLOSURE
from config.settings import Shadow
from tests.plugins.test_commands import give, hear
from tests.plugins.test_drafts import decide, drafted
from tests.plugins.test_personas import OWNER, A, B, home, until, up
from training.shadow import _pairs as shadow_pairs, figures

__all__ = ["home"]
TELEGRAM_OWNER = "telegram:private:10009"


async def second_draft(bridge: Any) -> None:
    """A draft in another chat; there is one in B already."""
    before = len(bridge.port.texts(OWNER))
    await give(bridge, "on draft", chat=A)
    await hear(bridge, 50, "明天呢", chat=A)
    await until(lambda: len(bridge.port.texts(OWNER)) > before)


def word(bridge: Any, id: str, words: str, *, late: int = 0, **more: Any) -> Message:  # noqa: A002
    where = {"chat": OWNER, "sender": "10001", "reply_to": None, **more}
    time = int(bridge.port.now()) - late
    return Message(id, where["chat"], "private", time, where["sender"], "主人", [Segment("text", words)], False,
                   reply_to=where["reply_to"])  # fmt: skip


async def outcomes(bridge: Any) -> list[str]:
    return [draft.outcome for draft in await bridge.history.keepsakes.drafts(kind="draft")]


async def test_where_several_wait_the_owner_says_which_by_number_or_by_quoting(home: Path) -> None:
    async with up(home) as bridge:
        await give(bridge, "on draft")
        await drafted(bridge, 1)
        note = f"s{len(bridge.port.sent)}"
        await second_draft(bridge)
        assert await decide(bridge, 2, "发") == "在等的有 #1 #2：引用那一条，或写上编号"
        assert await outcomes(bridge) == ["open", "open"]
        await bridge.runner.hear(word(bridge, "q", "发", reply_to=note))
        assert bridge.port.texts(OWNER)[-1] == "发了 #1"
        # A copy of the word sends nothing more.
        await bridge.runner.hear(word(bridge, "q", "发", reply_to=note))
        assert await outcomes(bridge) == ["sent", "open"]
        assert await decide(bridge, 3, "发") == "发了 #2"
        await until(lambda: len(bridge.port.texts(A)) == 2)


async def test_a_late_word_and_one_meant_for_the_draft_before_send_nothing(home: Path) -> None:
    async with up(home) as bridge:
        await give(bridge, "on draft")
        await drafted(bridge, 1)
        await bridge.runner.hear(word(bridge, "late", "发", late=600))
        assert await outcomes(bridge) == ["open"]
        await drafted(bridge, 2)
        assert await decide(bridge, 3, "发") == "刚换成了 #2，看过再说"
        assert await outcomes(bridge) == ["superseded", "open"]
        assert await decide(bridge, 4, "发 2") == "发了 #2"


async def test_a_draft_of_a_chat_that_was_closed_since_is_not_sent(home: Path) -> None:
    async with up(home) as bridge:
        await give(bridge, "on draft")
        await drafted(bridge, 1)
        await give(bridge, "deny")
        said = len(bridge.port.texts(B))
        assert await decide(bridge, 2, "改 我来说") == "#1 那里已经关了，没发"
        await asyncio.sleep(0.2)
        assert len(bridge.port.texts(B)) == said
        assert await outcomes(bridge) == ["superseded"]


async def test_a_draft_that_cannot_go_out_now_waits_on(home: Path) -> None:
    async with up(home) as bridge:
        await give(bridge, "on draft")
        await drafted(bridge, 1)
        await bridge.runner.stop_all()
        assert await decide(bridge, 2, "发") == "#1 现在发不了：被禁言，或者急停着。还留着"
        await bridge.runner.go_on()
        assert await decide(bridge, 3, "发") == "发了 #1"


async def test_the_owners_own_words_are_not_said_to_be_a_machines(home: Path) -> None:
    async with up(home, disclosure=True) as bridge:
        await give(bridge, "on draft", chat=A)
        for number, said in ((1, "改 我本人，七点"), (2, "发")):
            before = len(bridge.port.texts(OWNER))
            await hear(bridge, number, "几点", chat=A)
            await until(lambda before=before: len(bridge.port.texts(OWNER)) > before)
            await decide(bridge, 10 + number, said)
            await asyncio.sleep(0.3)
        assert [text for text in bridge.port.texts(A) if "AI" in text or "本人，" in text] == [
            "我本人，七点",
            DISCLOSURE.zh,
        ]


async def test_the_report_keeps_to_the_shadow_and_to_the_owners_own_lines(home: Path) -> None:
    database = f"sqlite+aiosqlite:///{home.parent}/history.db"
    async with up(home) as bridge:
        now, history = bridge.port.now(), bridge.history
        await give(bridge, "on shadow")
        for number, (ago, author) in enumerate(((900, "other"), (890, "persona:abc"), (880, "owner"), (100, "owner"))):
            at, mine = now - ago, author != "other"
            said = Message(f"r{number}", B, "group", int(at), "", "我", [Segment("text", "来")], mine)
            await history.add(said, author=author, at=at)
        await history.keepsakes.keep_draft(
            B, ["来了"], at=now - 885, answers=[], persona="abc", kind="shadow", due=now - 884
        )
        for mode, times in (("shadow", 2), ("called", 1)):
            await bridge.runner.set_mode(B, mode)
            await history.flush()
            pairs = await shadow_pairs(Shadow(), database)
            assert figures(pairs)["times you spoke"] == times
            assert [pair.run.waited for pair in pairs if pair.run and pair.draft] == [20.0]


async def test_each_owner_may_decide_and_who_can_be_reached_is_shown_it(home: Path) -> None:
    async with up(home, superusers=["telegram:10009", "10001"]) as bridge:
        await give(bridge, "on draft")
        await drafted(bridge, 1)
        assert not bridge.port.texts(TELEGRAM_OWNER)
        await bridge.runner.hear(word(bridge, "t", "丢", chat=TELEGRAM_OWNER, sender="10009"))
        assert bridge.port.texts(TELEGRAM_OWNER) == ["丢了 #1"]
        send = bridge.port.send

        async def sending(chat: str, *rest: Any) -> str:
            if chat == OWNER:
                raise Unsent("not a friend")
            return await send(chat, *rest)

        bridge.port.send = sending
        await hear(bridge, 2, addressed=True)
        await until(lambda: len(bridge.port.texts(TELEGRAM_OWNER)) == 2)
        assert bridge.port.texts(TELEGRAM_OWNER)[-1].startswith("草稿 #2")


async def test_a_sent_draft_stays_its_writers_and_an_edit_the_owners_whatever_the_guard_thinks(home: Path) -> None:
    async with up(home) as bridge:
        await give(bridge, "on draft")
        await drafted(bridge, 1)
        (draft,) = await bridge.history.keepsakes.drafts(kind="draft")
        await give(bridge, "persona other")
        assert await decide(bridge, 2, "发") == "发了 #1"
        await asyncio.sleep(0.2)
        (mine,) = [message for message in await bridge.history.recent(B, 9) if message.mine]
        assert await bridge.history.author(B, mine.id) == f"persona:{draft.persona}"
    async with up(home, guard=True) as bridge:
        assert await give(bridge, "say group:7001 我电话 13800138000", chat=OWNER) == "好，替你说了"
        await until(lambda: bridge.port.texts(B)[-1:] == ["我电话 13800138000"])
