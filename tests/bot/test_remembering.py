"""The bot's memories at work: what was said is remembered, what is gone from the history is told no more."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.history import History
from bot.persona.facts import Fact, Facts
from bot.persona.memory import MARK
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec
from bot.recall import Recall
from bot.remembering import Remembering
from bot.runner import Runner
from bot.summaries import Summaries
from config.settings import Bot
from tests.bot.test_runner import FRIEND, GROUP, OTHER_GROUP, PACE, House

SPEC = PromptSpec(me="小北", memory=240, history_private=4, history_group=4)
LONG_AGO = int(time.time()) - 40 * 86400


class Kept:
    """A history with memories, opened again at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Bot(memory=folder / "memory.db", me=folder / "me.toml", summaries=folder)
        self.numbers = 0

    async def open(self) -> "Kept":
        Recall.open(self.settings.memory).close()
        self.history = await History.open(f"sqlite+aiosqlite:///{self.folder / 'history.db'}")
        self.memories = await Remembering.open(self.history, self.settings)
        return self

    async def shut(self) -> None:
        await self.memories.close()
        await self.history.close()

    def said(self, text: str, chat: str = FRIEND, *, mine: bool = False) -> Message:
        self.numbers += 1
        kind = "group" if ":group:" in chat else "private"
        return Message(
            f"m{self.numbers}",
            chat,
            kind,
            LONG_AGO + self.numbers * 60,
            "10000" if mine else "20001",
            "阿泽",
            [Segment("text", text)],
            mine,
        )

    async def hear(self, *texts: str, chat: str = FRIEND, mine: bool = False) -> list[Message]:
        messages = [self.said(text, chat, mine=mine) for text in texts]
        for message in messages:
            await self.history.add(message)
        return messages

    async def asked(self, question: str, chat: str = FRIEND, start: str = "") -> list[str]:
        # Later than all that was said, and not kept.
        message = self.said(question, chat)
        message.time = int(time.time())
        found = await self.memories.recall([message], SPEC, now=message.time, start=start)
        return [one.message.text for one in found]


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.name.startswith("memory.db"))


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    house = await Kept(tmp_path).open()
    yield house
    await house.shut()


async def test_what_was_said_is_remembered_over_a_restart(kept: Kept) -> None:
    await kept.hear("我对花生过敏", "哦")
    assert await kept.asked("你对什么过敏") == ["我对花生过敏"]
    await kept.shut()
    await kept.open()
    await kept.hear("我也对芒果过敏")
    assert set(await kept.asked("你对什么过敏")) == {"我对花生过敏", "我也对芒果过敏"}


async def test_what_is_recalled_forgotten_or_cleared_is_told_no_more(kept: Kept) -> None:
    first, second, third = await kept.hear("我对花生过敏", "我对芒果过敏", "我对虾过敏")
    assert len(await kept.asked("对什么过敏")) == 3
    kept.history.recall(FRIEND, first.id)
    assert set(await kept.asked("对什么过敏")) == {second.text, third.text}
    await kept.history.forget(FRIEND, message=second.id, at=time.time())
    assert await kept.asked("对什么过敏") == [third.text]
    await kept.history.clear(FRIEND, time.time() - 1)
    assert await kept.asked("对什么过敏") == []


async def test_what_is_gone_from_the_history_is_deleted_here(kept: Kept, tmp_path: Path) -> None:
    messages = await kept.hear("花生秘密一", "花生秘密二", "花生秘密三")
    assert len(await kept.asked("花生")) == 3
    await kept.history.forget(FRIEND, message=messages[2].id, at=time.time())
    # SQLite gives the number of the deleted row once more: whoever has it now is nobody else's memory.
    await kept.hear("花生秘密四")
    assert set(await kept.asked("花生")) == {"花生秘密一", "花生秘密二", "花生秘密四"}
    await kept.history.forget(FRIEND, at=time.time())
    assert await kept.asked("花生") == []
    await kept.shut()
    await kept.open()
    raw = contents(tmp_path)
    assert "秘密一".encode() not in raw
    assert "密一".encode() not in raw


async def test_a_number_given_twice_is_no_other_chats_memory(kept: Kept) -> None:
    """Even where nobody tidied in between."""
    (secret,) = await kept.hear("花生是秘密", chat=GROUP)
    assert await kept.asked("花生", GROUP) == [secret.text]
    await kept.history.forget(GROUP, at=time.time())
    await kept.hear("花生好吃", chat=OTHER_GROUP)
    assert await kept.asked("花生", GROUP) == []


async def test_forget_takes_imported_lines_too(kept: Kept) -> None:
    imported = kept.said("我对花生过敏")
    store = Recall.open(kept.settings.memory)
    store.add([(imported, None)])
    store.close()
    await kept.hear("花生酱好吃")
    assert len(await kept.asked("花生")) == 2
    summaries = Summaries(kept.folder)
    summaries.write(FRIEND, dt.date(2024, 3, 4), "花生是秘密")
    assert "花生是秘密" in await kept.asked("花生")
    await kept.history.forget(FRIEND, at=time.time())
    assert summaries.read(FRIEND) is None
    assert await kept.asked("花生") == []
    assert kept.memories.last(FRIEND) == ()


async def test_who_is_forgotten_everywhere_is_in_no_summary_of_a_chat_without_lines(kept: Kept) -> None:
    summaries = Summaries(kept.folder)
    summaries.write(GROUP, dt.date(2024, 3, 4), "阿泽要搬家")
    await kept.history.forget(sender="20001", at=time.time())
    assert summaries.read(GROUP) is None


async def test_memories_stay_while_a_talk_goes_on_and_brings_nothing_new(kept: Kept) -> None:
    await kept.hear("我对花生过敏", "芒果也过敏")
    assert len(await kept.asked("对花生和芒果过敏吗", start="a")) == 2
    assert len(await kept.asked("花生", start="a")) == 2
    assert len(kept.memories.last(FRIEND)) == 2
    assert await kept.asked("好的", start="b") == []


async def test_what_was_cleared_does_not_stay_because_the_talk_goes_on(kept: Kept) -> None:
    await kept.hear("我对花生过敏")
    assert await kept.asked("花生", start="a") == ["我对花生过敏"]
    assert await kept.asked("花生", start="a") == ["我对花生过敏"]
    await kept.history.clear(FRIEND, time.time() - 1)
    assert await kept.asked("花生", start="a") == []


async def test_a_store_that_fails_silences_nobody(kept: Kept) -> None:
    await kept.hear("我对花生过敏")
    lines = Recall.open(kept.settings.memory)
    lines._db.execute("DROP TABLE words")
    lines.close()
    assert await kept.asked("花生") == []


async def test_a_reply_that_is_dropped_leaves_nobody_else_in_the_file(kept: Kept) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()

    dropped = asyncio.create_task(kept.memories._alone(work))
    await asyncio.sleep(0.01)
    dropped.cancel()
    await asyncio.gather(dropped, return_exceptions=True)
    await kept.memories._alone(work)
    assert dropped.cancelled()
    assert most == [1, 1]


async def test_what_was_edited_by_hand_is_not_written_over(kept: Kept) -> None:
    await kept.memories.remember(Fact(text="我在宠物店上班", kind="work"))
    Facts(fact=[Fact(text="我属兔")]).write(kept.settings.me)
    await kept.memories.remember(Fact(text="我住滨江", kind="where"))
    assert [fact.text for fact in Facts.load(kept.settings.me).fact] == ["我属兔", "我住滨江"]


async def test_facts_are_added_and_deleted_in_the_file(kept: Kept) -> None:
    await kept.memories.remember(Fact(text="我在宠物店上班", kind="work"))
    assert await kept.asked("你做什么工作的", GROUP) == ["我在宠物店上班"]
    assert Facts.load(kept.settings.me).fact[0].kind == "work"
    assert [fact.text for fact in await kept.memories.forget_facts("宠物店")] == ["我在宠物店上班"]
    assert Facts.load(kept.settings.me).fact == []
    assert await kept.asked("你做什么工作的", GROUP) == []
    assert await kept.memories.forget_facts(" ") == []


async def test_without_a_file_nothing_is_remembered_and_none_is_made(tmp_path: Path) -> None:
    history = await History.open(f"sqlite+aiosqlite:///{tmp_path / 'history.db'}")
    settings = Bot(memory=tmp_path / "memory.db", me=tmp_path / "me.toml")
    memories = await Remembering.open(history, settings)
    message = Message("1", FRIEND, "private", 1, "2", "x", [Segment("text", "花生")])
    assert await memories.recall([message], SPEC, now=2) == ()
    assert not settings.memory.exists()
    await memories.close()
    await history.close()


async def test_a_reply_is_reminded_and_what_is_never_said_is_held_back(tmp_path: Path) -> None:
    """The whole way: the runner, the voice, the prompt, the guard."""
    house = House(tmp_path, memory=tmp_path / "memory.db", me=tmp_path / "me.toml")
    Recall.open(house.settings.memory).close()
    facts = [Fact(text="我在宠物店上班", kind="work"), Fact(text="李雷", kind="never")]
    Facts(fact=facts).write(house.settings.me)
    await house.open()
    await house.runner.close()
    memories = await Remembering.open(house.history, house.settings)
    persona = house.talker.persona
    house.talker.persona = persona.model_copy(update={"prompt": SPEC})
    house.runner = Runner(
        house.talker, house.history, settings=house.settings, port=house.port, pace=PACE, remembering=memories
    )
    for number in range(8):
        await house.history.add(
            house.message(f"第{number}次说花生过敏", FRIEND, time=LONG_AGO + number, id=f"old{number}")
        )
    house.talker.answer = lambda _: "我记得\n李\n雷说的"
    await house.say("你做什么工作的 花生呢", FRIEND)
    await house.quiet()
    head = house.talker.prompts[-1].split("\n")
    assert f"{MARK} 小北: 我在宠物店上班" in head
    assert any(line.startswith(f"{MARK} 1个月前 ") and "花生过敏" in line for line in head)
    assert house.port.texts(FRIEND) == ["我记得", "李"]
    assert (told := memories.last(FRIEND))

    # One that is dropped while it is reminded: the next prompt begins where the last one did all the same.
    voice = house.runner.errands._voice
    assert (start := voice.starts[FRIEND])
    async with memories._busy:
        await house.say("花生", FRIEND)
        await house.until(lambda: memories._busy._waiters)
        await house.runner.stop(FRIEND)
        await asyncio.sleep(0.01)
    assert voice.starts[FRIEND] == start
    assert memories.last(FRIEND) == told
    await house.shut()
    await memories.close()
