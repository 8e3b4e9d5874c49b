"""Summaries: one file a chat, written from that chat alone, edited and emptied by hand, gone with what is forgotten."""

import datetime as dt
import json
from collections.abc import AsyncGenerator
from pathlib import Path

from bot.engine.echo import Echo
from bot.engine.wire import Ask, Piece, Sampling
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec, remember
from bot.recall import Recall
from bot.reminding import Reminding
from bot.summaries import Summaries
from bot.summarising import summarise

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
    summaries.forget(CHATS[0])
    assert summaries.read(CHATS[0]) is None
