"""The owner beside the bot: drafts in private, what is taught, shadow and its report. A real bridge and a real worker."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.drafts import decision
from bot.keepsakes import Draft
from config.errors import InputError
from config.settings import Shadow
from tests.plugins.test_commands import give, hear
from tests.plugins.test_personas import OWNER, B, home, until, up
from training import shadow
from training.shadow import Line, figures, likeness, paired, runs

__all__ = ["home"]


@pytest.mark.parametrize(
    ("line", "word", "number", "text"),
    [
        ("发", "send", 0, ""),
        (" 发 12 ", "send", 12, ""),
        ("send #3", "send", 3, ""),
        ("丢", "drop", 0, ""),
        ("改 明天吧", "edit", 0, "明天吧"),
        ("改 12 明天吧\n别等我", "edit", 12, "明天吧\n别等我"),
        ("改：7点见", "edit", 0, "7点见"),
        ("教 我才不去", "teach", 0, "我才不去"),
        ("改 7点见", "edit", 0, "7点见"),
        ("edit: 7 pm", "edit", 0, "7 pm"),
        ("edit #7 pm", "edit", 7, "pm"),
        ("发12", "send", 12, ""),
        ("改 " + "7" * 5000, "edit", 0, "7" * 5000),
    ],
)
def test_the_owners_short_words(line: str, word: str, number: int, text: str) -> None:
    found = decision(line)
    assert found is not None
    assert (found.word, found.number, found.text) == (word, number, text)


@pytest.mark.parametrize("line", ["发什么呆", "改", "丢人", "sender", "教", "发 12 个红包", "", "dropped it", "在吗"])
def test_talk_is_no_decision(line: str) -> None:
    assert decision(line) is None


async def drafted(bridge: Any, number: int, words: str = "在吗") -> str:
    """Somebody calls in a draft chat; what the owner is shown."""
    before = len(bridge.port.texts(OWNER))
    await hear(bridge, number, words, addressed=True)
    await until(lambda: len(bridge.port.texts(OWNER)) > before)
    return bridge.port.texts(OWNER)[-1]


async def decide(bridge: Any, number: int, words: str) -> str:
    before = len(bridge.port.texts(OWNER))
    await hear(bridge, number, words, chat=OWNER, sender="10001")
    await until(lambda: len(bridge.port.texts(OWNER)) > before)
    return bridge.port.texts(OWNER)[-1]


async def test_a_draft_is_sent_edited_dropped_or_taught_by_a_word(home: Path) -> None:
    async with up(home, guard=False, per_minute=60, per_day=999) as bridge:
        await give(bridge, "on draft")
        said = len(bridge.port.texts(B))
        shown = await drafted(bridge, 1, "周四来吗")
        assert shown.startswith("草稿 #1（群）\n友：周四来吗\n→ me/v1")
        assert len(bridge.port.texts(B)) == said
        assert await decide(bridge, 2, "发") == "发了 #1"
        await until(lambda: len(bridge.port.texts(B)) == said + 1)
        assert bridge.port.texts(B)[-1].startswith("me/v1")
        await drafted(bridge, 3)
        assert await decide(bridge, 4, "改 明天吧") == "发了 #2"
        await until(lambda: bridge.port.texts(B)[-1] == "明天吧")
        await drafted(bridge, 5)
        assert await decide(bridge, 6, "丢 3") == "丢了 #3"
        await drafted(bridge, 7)
        assert await decide(bridge, 8, "教 我才不去") == "记住了，#4 没发"
        assert await decide(bridge, 9, "发 4") == "#4 已经不在了"
        await asyncio.sleep(0.2)
        assert bridge.port.texts(B)[said + 1 :] == ["明天吧"]
        recent = await bridge.history.recent(B, 20)
        authors = [await bridge.history.author(B, message.id) for message in recent if message.mine]
        assert [author[:7] for author in authors] == ["persona", "owner"]
        pairs = await bridge.history.keepsakes.preferences(B)
        assert [pair.chosen for pair in pairs] == [("明天吧",), ("我才不去",)]
        assert all(pair.rejected[0].startswith("me/v1") and pair.context for pair in pairs)
        # With nothing open, the words are talk and get an answer.
        assert (await decide(bridge, 10, "发")).startswith("me/v1")


async def test_a_draft_outlives_a_restart_but_not_its_chat(home: Path) -> None:
    async with up(home, guard=False) as bridge:
        await give(bridge, "on draft")
        await drafted(bridge, 1)
        await drafted(bridge, 2)
        assert await decide(bridge, 3, "发 1") == "#1 已经不在了"
    async with up(home, guard=False) as bridge:
        assert [draft.number for draft in await bridge.history.keepsakes.open_drafts()] == [2]
        await hear(bridge, 4, "我自己来", sender="10001")
        assert await decide(bridge, 5, "发 2") == "#2 已经不在了"
    async with up(home, guard=False, draft_minutes=0.0001) as bridge:
        await bridge.runner.takeover(B, 0)
        await drafted(bridge, 6)
        await asyncio.sleep(0.1)
        assert await decide(bridge, 7, "发 3") == "#3 太久了，没发"


async def test_only_the_owner_decides(home: Path) -> None:
    async with up(home, guard=False) as bridge:
        await give(bridge, "on draft")
        await drafted(bridge, 1)
        await hear(bridge, 2, "发", sender="10001")
        await hear(bridge, 3, "发 1", chat="qq:private:20001")
        await asyncio.sleep(0.3)
        drafts = await bridge.history.keepsakes.drafts(kind="draft")
        assert "sent" not in {draft.outcome for draft in drafts}


async def test_teach_keeps_a_pair_for_a_reply_that_was_sent(home: Path) -> None:
    async with up(home, guard=False) as bridge:
        assert await give(bridge, "教 我会这么说") == "这里最近没有我说的话"
        before = len(bridge.port.texts(B))
        await hear(bridge, 1, "周四来吗", addressed=True)
        await until(lambda: len(bridge.port.texts(B)) == before + 1)
        assert await give(bridge, "teach 来\n等我下班") == "记住了，下次训练就学"
        (pair,) = await bridge.history.keepsakes.preferences(B)
        assert pair.chosen == ("来", "等我下班")
        assert pair.rejected[0].startswith("me/v1")
        assert pair.context == (f"{B}/1",)
        assert "用法" in await give(bridge, "teach")


def test_a_history_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no history at"):
        shadow.main(Shadow(database=f"sqlite+aiosqlite:///{tmp_path}/none.db"))
    assert not list(tmp_path.iterdir())


async def test_shadow_says_nothing_and_the_report_compares(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    knobs = Shadow(database=f"sqlite+aiosqlite:///{home.parent}/history.db", as_json=True)
    async with up(home, guard=False) as bridge:
        await give(bridge, "on shadow")
        said = len(bridge.port.texts(B))
        await hear(bridge, 1, "周四来吗", addressed=True)
        keepsakes = bridge.history.keepsakes
        for _ in range(200):
            if await keepsakes.drafts(kind="shadow"):
                break
            await asyncio.sleep(0.05)
        await hear(bridge, 2, "来", sender="10001")
        assert len(bridge.port.texts(B)) == said
        assert not bridge.port.texts(OWNER)
    await asyncio.to_thread(shadow.main, knobs)
    told = json.loads(capsys.readouterr().out)
    assert (told["drafts"], told["times you spoke"], told["both"]) == (1, 1, 1)
    assert told["precision"] == told["recall"] == 1.0
    with pytest.raises(InputError, match="nothing was drafted"):
        await asyncio.to_thread(shadow.main, knobs.model_copy(update={"days": 1e-9}))


def draft(number: int, due: float, *bubbles: str) -> Draft:
    return Draft(number, B, due, (), bubbles, "abc", "shadow", due, "open", (), None)


def test_pairs_are_the_nearest_and_each_once() -> None:
    lines = [
        Line(0, False, "来吗"), Line(10, True, "来"), Line(12, True, "马上"),
        Line(500, False, "人呢"), Line(900, True, "堵车"), Line(2000, True, "到了"),
    ]  # fmt: skip
    own = runs(lines)
    assert [(run.at, run.waited, len(run.lines)) for run in own] == [(10, 10, 2), (900, 400, 1), (2000, None, 1)]
    pairs = paired([draft(1, 14, "来了"), draft(2, 20, "来"), draft(3, 5000, "睡了")], lines, 300)
    assert [(p.draft.number if p.draft else 0, p.run.at if p.run else 0) for p in pairs] == [
        (1, 10), (2, 0), (0, 900), (0, 2000), (3, 0),
    ]  # fmt: skip
    told = figures(pairs)
    assert (told["drafts"], told["both"], told["precision"], told["recall"]) == (3, 1, 0.333, 0.333)
    assert told["delay of the draft minus yours, median s"] == 4.0


def test_likeness_is_one_for_the_same_words_and_zero_for_others() -> None:
    assert likeness(["明天吧"], ["明天吧"]) == 1
    assert likeness(["明天吧"], ["不去了"]) == 0
    assert likeness(["来"], ["不去了"]) is None
