"""Summaries: one file a chat, written from that chat alone, edited and emptied by hand, gone with what is forgotten."""

import datetime as dt
import json
import re
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path

import pytest

from bot.engine.echo import Echo
from bot.engine.wire import Ask, Piece, Sampling
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec, remember
from bot.recall import Recall
from bot.reminding import Reminding
from bot.summaries import Summaries
from bot.summarising import GIVE_UP, LINES, summarise, summarise_past
from config.errors import EngineError

DAY = 86400
MONDAY = int(dt.datetime(2024, 3, 4, 4, tzinfo=dt.timezone.utc).timestamp())
CHATS = ("qq:private:20002", "qq:group:9")


class Overheard(Echo):
    """The echo, which keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.asked.append(json.dumps(messages, ensure_ascii=False))
        return super().stream(messages, sampling, ask)


class Broken(Echo):
    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        yield Piece("半句")
        yield Piece(finish="timeout")


class Breaking(Echo):
    """Writes so many, then none."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.asked, self._after = 0, after

    def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.asked += 1
        talker = super() if self.asked <= self._after else Broken()
        return talker.stream(messages, sampling, ask)


def said(number: int, chat: str, text: str) -> Message:
    kind = "group" if ":group:" in chat else "private"
    return Message(f"{chat}{number}", chat, kind, MONDAY + number, "2", "阿泽", [Segment("text", text)])


def store(lines: int = 40, start: int = 0) -> Recall:
    kept = Recall.open(None)
    kept.add(
        (said(start + n, chat, f"{chat[-1]}号秘密{start + n} 13912345678"), None)
        for n in range(lines)
        for chat in CHATS
    )
    return kept


async def test_each_chat_has_its_own_and_what_did_not_change_is_left_alone(tmp_path: Path) -> None:
    summaries, talker, lines = Summaries(tmp_path / "s"), Overheard(), store()
    assert await summarise(lines, summaries, talker, least=30) == {"written": 2, "unchanged": 0, "failed": 0}
    assert len(talker.asked) == 2
    assert all(("2号秘密" in asked) != ("9号秘密" in asked) for asked in talker.asked)
    assert not any("13912345678" in asked for asked in talker.asked)
    assert summaries.read(CHATS[0]) == (dt.date(2024, 3, 4), "阿泽: 2号秘密39 [电话]")
    assert await summarise(lines, summaries, talker, least=30) == {"written": 0, "unchanged": 2, "failed": 0}
    lines.add((said(2 * DAY + n, CHATS[0], f"新的{n}"), None) for n in range(30))
    assert (await summarise(lines, summaries, talker, least=30))["written"] == 1
    assert "上一次的小结" in talker.asked[-1]
    assert summaries.read(CHATS[0]) == (dt.date(2024, 3, 6), "阿泽: 新的29")


async def test_an_emptied_one_stays_empty_and_a_failure_changes_nothing(tmp_path: Path) -> None:
    summaries, lines = Summaries(tmp_path), store()
    summaries.path(CHATS[0]).write_text("", encoding="utf-8")
    assert await summarise(lines, summaries, Broken(), least=30) == {"written": 0, "unchanged": 1, "failed": 1}
    assert summaries.of(said(1, CHATS[0], "在吗")) is None
    assert summaries.read(CHATS[1]) is None


async def test_more_new_lines_than_one_is_written_from_may_be_asked_for(tmp_path: Path) -> None:
    summaries, lines = Summaries(tmp_path), store(LINES + 30)
    assert (await summarise(lines, summaries, Overheard(), least=LINES + 31))["written"] == 0
    talker = Overheard()
    assert (await summarise(lines, summaries, talker, least=LINES + 30))["written"] == 2
    assert f"秘密{LINES + 29} " in talker.asked[0]
    assert "秘密29 " not in talker.asked[0]
    lines.close()


async def test_no_number_of_anybody_reaches_the_engine(tmp_path: Path) -> None:
    lines, summaries, talker = Recall.open(None), Summaries(tmp_path), Overheard()
    lines.add(
        (Message(str(n), CHATS[1], "group", MONDAY + n, "2", "老王13912345678", [Segment("text", f"好{n}")]), None)
        for n in range(3)
    )
    summaries.write(CHATS[1], dt.date(2024, 1, 1), "他的电话是13912345678")
    assert (await summarise(lines, summaries, talker, least=3))["written"] == 1
    assert "老王" in talker.asked[0]
    assert "13912345678" not in talker.asked[0]
    lines.close()


def test_an_emptied_one_outlives_what_somebody_in_the_chat_wants_forgotten(tmp_path: Path) -> None:
    summaries, day = Summaries(tmp_path), dt.date(2024, 3, 4)
    for end in (None, dt.date(2024, 1, 1), dt.date(2024, 2, 1)):
        summaries.write(CHATS[1], day, "他们约了周末", end)
    summaries.path(CHATS[1]).write_text("")
    summaries.path(CHATS[1], dt.date(2024, 1, 1)).write_text(" \n")
    summaries.forget(CHATS[1], whole=False)
    assert (summaries.read(CHATS[1]) or (0, None))[1] == ""
    assert summaries.past(CHATS[1]) == [dt.date(2024, 1, 1)]
    summaries.forget(CHATS[1], whole=True)
    assert summaries.read(CHATS[1]) is None
    assert summaries.past(CHATS[1]) == []


def test_what_people_write_is_read(tmp_path: Path) -> None:
    summaries = Summaries(tmp_path)
    assert summaries.path("qq:private:20002").name == "qq.private.20002.txt"
    assert summaries.path("a:b.c/d") != summaries.path("a.b:c/d")
    assert summaries.path("../../x").parent == tmp_path
    summaries.path(CHATS[0]).write_text("2024-03-01\n老同学。\n\\※ 阿树: 我欠他钱", encoding="utf-8")
    reminding = Reminding(None, summaries=summaries)
    spec = PromptSpec(me="阿树", memory=240)
    recalled = reminding.of([said(1, CHATS[0], "在吗")], spec, now=MONDAY)
    block = remember(recalled, spec, {}, kind="private", name="阿泽", now=MONDAY)
    assert block == "\\※ 【小结】3天前: 老同学。 \\\\※ 阿树: 我欠他钱"
    assert reminding.of([said(1, CHATS[1], "在吗")], spec, now=MONDAY) == []
    summaries.path(CHATS[0]).write_text("没有日期", encoding="utf-8")
    found = summaries.read(CHATS[0])
    assert found is not None
    assert found[1] == "没有日期"
    summaries.forget(CHATS[0], whole=True)
    assert summaries.read(CHATS[0]) is None


def long_ago(days: int = 100) -> Recall:
    """Each day ten numbered lines; the third month in silence."""
    kept = Recall.open(None)
    kept.add(
        (said(day * DAY + n, CHATS[0], f"第{day * 10 + n}句"), None)
        for day in range(days)
        for n in range(10)
        if not 60 <= day < 80
    )
    return kept


TODAY = dt.date(2024, 6, 11)


async def test_the_past_is_summed_up_stretch_by_stretch_and_never_from_what_came_later(tmp_path: Path) -> None:
    summaries, talker, lines = Summaries(tmp_path), Overheard(), long_ago()
    counts = await summarise_past(lines, summaries, talker, days=10, least=30, today=TODAY)
    ends = summaries.past(CHATS[0])
    assert counts == {"written": len(ends), "there": 0, "failed": 0}
    assert len(ends) in (8, 9)
    assert all((later - earlier).days % 10 == 0 for earlier, later in pairwise(ends))
    for place, end in enumerate(ends):
        day, text = summaries.read(CHATS[0], end) or (end, "")
        newest = int(text.partition("第")[2].rstrip("句"))
        assert dt.date(2024, 3, 4) + dt.timedelta(days=newest // 10) == day <= end
        told = [int(number) for number in re.findall(r"第(\d+)句", talker.asked[place])]
        assert max(told) == newest
        assert ("上一次的小结" in talker.asked[place]) == (place > 0)
    # What a session could know on a day is what was written before it.
    for day in range(100):
        known = summaries.of(said(0, CHATS[0], ""), MONDAY + day * DAY)
        assert known is None or int(known.text.partition("第")[2].rstrip("句")) < day * 10
    assert summaries.of(said(0, CHATS[1], "")) is None
    again = await summarise_past(lines, summaries, talker, days=10, least=30, today=TODAY)
    assert again == {"written": 0, "there": len(ends), "failed": 0}


async def test_a_stretch_that_goes_on_waits_and_a_small_one_is_left_out(tmp_path: Path) -> None:
    summaries, lines = Summaries(tmp_path), long_ago()
    today = dt.date(2024, 4, 1)
    await summarise_past(lines, summaries, Echo(), days=10, least=30, today=today)
    assert 0 < len(summaries.past(CHATS[0])) <= 3
    assert max(summaries.past(CHATS[0])) < today
    assert (await summarise_past(lines, summaries, Echo(), days=10, least=200, today=TODAY))["written"] == 0


async def test_past_ones_are_emptied_deleted_and_forgotten_like_any(tmp_path: Path) -> None:
    summaries, lines = Summaries(tmp_path), long_ago()
    await summarise_past(lines, summaries, Echo(), days=10, least=30, today=TODAY)
    first, second, third = summaries.past(CHATS[0])[:3]
    noon = int(dt.datetime.combine(third, dt.time(12), dt.timezone.utc).timestamp())
    about = said(0, CHATS[0], "在吗")
    summaries.path(CHATS[0], second).write_text("")
    told = summaries.of(about, noon)
    assert told is not None
    assert told.text == (summaries.read(CHATS[0], first) or (None, ""))[1]
    summaries.path(CHATS[0], first).write_text("2030-01-01\n以后的日子")
    told = summaries.of(about, noon)
    assert told is not None
    assert told.time < noon, "its name says when it was known"
    summaries.path(CHATS[0], third).unlink()
    talker = Overheard()
    counts = await summarise_past(lines, summaries, talker, days=10, least=30, today=TODAY)
    assert "上一次的小结：以后的日子" in talker.asked[0], "the newest that is there from before, none from later"
    assert (counts["written"], (summaries.read(CHATS[0], second) or ("", "?"))[1]) == (1, "")
    # The current one, emptied, is the last word on a chat.
    summaries.path(CHATS[0]).write_text("")
    assert summaries.of(about, noon) is None
    summaries.forget(CHATS[0], whole=True)
    assert summaries.past(CHATS[0]) == []
    assert summaries.read(CHATS[0]) is None


async def test_an_engine_that_fails_is_given_up_and_what_is_written_stays(tmp_path: Path) -> None:
    summaries, lines = Summaries(tmp_path), long_ago()
    broken = Breaking(after=2)
    with pytest.raises(EngineError):
        await summarise_past(lines, summaries, broken, days=10, least=30, today=TODAY)
    assert broken.asked == 2 + GIVE_UP
    assert len(summaries.past(CHATS[0])) == 2
    counts = await summarise_past(lines, summaries, Echo(), days=10, least=30, today=TODAY)
    assert counts["there"] == 2


async def test_the_engine_is_given_up_by_the_current_ones_too(tmp_path: Path) -> None:
    summaries, lines, broken = Summaries(tmp_path), Recall.open(None), Breaking(after=1)
    lines.add((said(n, f"qq:group:{n}", "在吗"), None) for n in range(8))
    with pytest.raises(EngineError):
        await summarise(lines, summaries, broken, least=1)
    assert broken.asked == 1 + GIVE_UP
    assert summaries.read("qq:group:0") is not None
    lines.close()


def test_the_folder_tells_which_chats_have_one(tmp_path: Path) -> None:
    summaries, day = Summaries(tmp_path), dt.date(2024, 3, 4)
    assert summaries.chats() == []
    (tmp_path / "notes.txt").write_text("我的")
    (tmp_path / "a.b.c").write_text("")
    chats = ["discord:group:1.2%2E", "qq:private:20002", "wechat:group:羽毛 球/A"]
    for chat in chats:
        summaries.write(chat, day, "约了周末", day)
    summaries.write(chats[0], day, "约了周末")
    assert summaries.chats() == chats


async def test_what_is_forgotten_while_it_is_summed_up_is_in_no_summary(tmp_path: Path) -> None:
    class Forgetful(Echo):
        async def stream(
            self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
        ) -> AsyncGenerator[Piece, None]:
            lines.forget(CHATS[0], until=MONDAY + 200 * DAY)
            async for piece in super().stream(messages, sampling, ask):
                yield piece

    summaries, lines = Summaries(tmp_path), long_ago(20)
    await summarise_past(lines, summaries, Forgetful(), days=100, least=30, today=dt.date(2025, 1, 1))
    await summarise(lines, summaries, Forgetful(), least=30)
    assert summaries.past(CHATS[0]) == []
    assert summaries.read(CHATS[0]) is None
