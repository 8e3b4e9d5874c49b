"""What is forgotten is gone: from every table, from the file and its log, and it doesn't come back."""

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot import database as module, retention
from bot.forget import Target
from bot.history import OPEN, OWNER, History
from bot.persona.message import Message, Segment
from bot.tables import metadata
from training.written import Written

GROUP, OTHERS, PRIVATE = "qq:group:7001", "qq:group:7002", "qq:private:20001"
WORDS = "ZQ悄悄话一共八个字"
"""Said by the one who wants to be forgotten, and by nobody else."""
NOTHING = dict.fromkeys(("messages", "mentions", "labels", "drafts", "preferences", "settings", "consents"), 0)


def line(number: int | str, chat: str, sender: str, *segments: Segment | str, **more: Any) -> Message:
    parts = [Segment("text", part) if isinstance(part, str) else part for part in segments]
    kind = "private" if ":private:" in chat else "group"
    names = {"20001": "ZQ阿泽", "20002": "小鹿"}
    return Message(str(number), chat, kind, more.pop("time", 1000), sender, names.get(sender, "北北"), parts, **more)


async def fill(history: History) -> None:
    """Two groups and a private chat, and everything that may hold what 20001 said."""
    kept, bot = history.keepsakes, {"author": "persona:ab"}
    for chat in (GROUP, OTHERS):
        await history.add(line(1, chat, "20001", f"我的号码是{WORDS}"))
        await history.add(line(2, chat, "20002", Segment("at", id="20001", name="ZQ阿泽"), "好的", time=1001))
        await history.add(line(3, chat, "20002", "明天去打羽毛球吗", time=1002), turn=OPEN)
        await history.add(line(4, chat, "", "去呀去呀", mine=True, time=1003), answers=["3"], **bot)
        await history.add(line(5, chat, "", f"你说{WORDS}", mine=True, time=1004), answers=["1"], **bot)
        await history.add(line(6, chat, "30003", "我带球", mine=True, time=1005), author=OWNER)
        history.keep_labels(chat, {"20001": "ZQ阿泽", "20002": "小鹿"})
        await kept.keep_draft(chat, ["知道了"], at=1006.0, answers=["1"], persona="ab")
        await kept.keep_draft(chat, [f"嗯，{WORDS}"], at=1007.0, answers=["3"], persona="ab", kind="shadow")
        await kept.keep_draft(chat, ["去"], at=1008.0, answers=["3"], persona="ab")
        same = {"at": 1009.0, "rejected": ["去呀去呀"], "chosen": ["不去"], "persona": "ab"}
        await kept.keep_preference(chat, context=["3", "1"], **same)
        await kept.keep_preference(chat, context=["1", "2", "3"], **same)
        await kept.set_consent(chat, "20001", "yes", 1010.0)
        await kept.set_consent(chat, "", "yes", 1010.0)
        await history.put(chat, "mode", "off")
        await history.clear(chat, 900.0)
    await history.add(line(8, PRIVATE, "20001", WORDS))
    await history.add(line(9, PRIVATE, "", "在的在的", mine=True, time=1001), **bot)
    await history.put(PRIVATE, "disclosed", "1001")
    await history.put(PRIVATE, "mode", "called")
    await kept.set_consent("", "20001", "yes", 1010.0)
    await kept.set_consent("", "20002", "no", 1010.0)


async def left(history: History) -> str:
    """Every row of every table as text."""
    rows = [row for table in metadata.sorted_tables for row in await history.database.read(select(table))]
    return "\n".join(str(tuple(row)) for row in rows)


async def check_a_person_is_forgotten(history: History) -> None:
    """The same on every database, filled or not yet."""
    await fill(history)
    here = await history.forget(GROUP, sender="20001", at=2000.0)
    assert here == {
        "messages": 2,
        "mentions": 1,
        "labels": 1,
        "drafts": 2,
        "preferences": 1,
        "settings": 0,
        "consents": 1,
    }
    assert [m.id for m in await history.recent(GROUP, 9)] == ["2", "3", "4", "6"]
    assert [m.text for m in await history.some(GROUP, ["2"])] == ["@某人 好的"]
    assert await history.labels(GROUP) == {"20002": "小鹿"}
    assert [d.bubbles for d in await history.keepsakes.open_drafts(GROUP)] == [("去",)]
    assert [p.context for p in await history.keepsakes.preferences(GROUP)] == [("2", "3")]
    assert await history.keepsakes.consent(GROUP) == "yes"
    assert len(await history.recent(OTHERS, 9)) == 6
    assert len(await history.recent(PRIVATE, 9)) == 2
    assert await history.forget(GROUP, sender="20001", at=2000.0) == NOTHING

    everywhere = await history.forget(sender="20001", at=2000.0)
    assert everywhere == {
        "messages": 4,
        "mentions": 1,
        "labels": 1,
        "drafts": 2,
        "preferences": 1,
        "settings": 1,
        "consents": 2,
    }
    assert await history.recent(PRIVATE, 9) == []
    assert (history.setting(PRIVATE, "disclosed"), history.setting(PRIVATE, "mode")) == ("", "called")
    assert history.setting(GROUP, "cleared") == "900.0"
    assert await history.keepsakes.consent("", "20002") == "no"
    rest = await left(history)
    assert "ZQ" not in rest
    assert "20001" not in rest.replace(PRIVATE, "")


def opened(path: Path) -> "asyncio.Future[History]":
    return asyncio.ensure_future(History.open(f"sqlite+aiosqlite:///{path}"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def times_on_disk(path: Path, what: str) -> int:
    """How often it stands anywhere in the database's files."""
    return sum(file.read_bytes().count(what.encode()) for file in path.parent.glob(f"{path.name}*"))


async def test_a_person(path):
    history = await opened(path)
    await check_a_person_is_forgotten(history)
    assert times_on_disk(path, "ZQ") == 0
    await history.close()
    assert times_on_disk(path, "ZQ") == 0


async def test_a_chat(path):
    history = await opened(path)
    await fill(history)
    gone = await history.forget(GROUP, at=2000.0)
    assert gone == NOTHING | {
        "messages": 6,
        "labels": 2,
        "drafts": 3,
        "preferences": 2,
        "settings": 1,
        "consents": 2,
    }
    assert await history.recent(GROUP, 9) == []
    assert history.setting(GROUP, "cleared") == ""
    assert history.setting(GROUP, "mode") == "off"
    assert len(await history.recent(OTHERS, 9)) == 6
    await history.close()
    history = await opened(path)
    assert (history.setting(GROUP, "cleared"), history.setting(OTHERS, "cleared")) == ("", "900.0")
    await history.close()


async def test_a_message(path):
    history = await opened(path)
    await fill(history)
    gone = await history.forget(GROUP, message="1", at=2000.0)
    assert gone == NOTHING | {"messages": 2, "drafts": 2, "preferences": 1}
    assert [m.id for m in await history.recent(GROUP, 9)] == ["2", "3", "4", "6"]
    assert await history.labels(GROUP) == {"20001": "ZQ阿泽", "20002": "小鹿"}
    assert await history.forget(GROUP, message="nothing", at=2000.0) == NOTHING
    await history.close()


@pytest.mark.parametrize("named", [{}, {"message": "1"}, {"sender": "20001", "message": "1"}])
def test_something_must_be_named(named):
    with pytest.raises(ValueError, match="named"):
        Target(**named)


async def test_what_is_only_gathered_goes_too(path):
    history = await opened(path)
    for number in range(9):
        await history.add(line(number, GROUP, "20001", WORDS))
    history.keep_labels(GROUP, {"20001": "ZQ阿泽"})
    assert (await history.forget(GROUP, sender="20001", at=2000.0))["messages"] == 9
    assert times_on_disk(path, "ZQ") == 0
    assert history.database._gathered == []
    await history.close()


async def test_no_byte_is_left_in_a_file_that_has_lived(path, caplog):
    """Rows that came in no order and were deleted in between leave stale copies, which zeroing rows misses."""
    history, drawn = await opened(path), random.Random(1)
    for number in range(4000):
        who = "20001" if number % 7 == 0 else "20002"
        text = ("ZQ" if who == "20001" else "别人说的") * drawn.choice([1, 3, 9, 40])
        where = f"qq:group:{drawn.randrange(30)}"
        await history.add(line(f"{text[:2]}{drawn.randrange(10**9)}", where, who, text, time=drawn.randrange(10**6)))
        if number % 200 == 0:
            await history.retention.purge(number * 20)
    assert times_on_disk(path, "ZQ") > 1000
    assert (await history.forget(sender="20001", at=1e6))["messages"] > 300
    assert times_on_disk(path, "ZQ") == 0
    assert times_on_disk(path, "别人说的") > 1000
    assert not caplog.records
    await history.close()


async def test_somebody_else_who_reads_only_delays_it(path, monkeypatch, caplog):
    history = await opened(path)
    async with history.database.engine.connect() as connection:
        await connection.exec_driver_sql("pragma busy_timeout=50")
    await history.add(line(1, GROUP, "20001", WORDS))
    await history.flush()
    reader = sqlite3.connect(path)
    reader.execute("begin")
    reader.execute("select count(*) from messages").fetchone()
    await history.forget(GROUP, sender="20001", at=2000.0)
    assert "written over later" in caplog.text
    assert await history.recent(GROUP, 9) == []
    reader.close()
    await history.close()
    assert times_on_disk(path, "ZQ") == 0


async def test_it_is_written_over_once_nobody_reads(path, monkeypatch):
    monkeypatch.setattr(module, "SCRUB_AGAIN", 0.05)
    history = await opened(path)
    async with history.database.engine.connect() as connection:
        await connection.exec_driver_sql("pragma busy_timeout=50")
    await history.add(line(1, GROUP, "20001", WORDS))
    await history.flush()
    reader = sqlite3.connect(path)
    reader.execute("begin")
    reader.execute("select count(*) from messages").fetchone()
    await history.forget(GROUP, sender="20001", at=2000.0)
    assert times_on_disk(path, "ZQ") > 0
    reader.close()
    for _ in range(100):
        await asyncio.sleep(0.02)
        if times_on_disk(path, "ZQ") == 0:
            break
    else:
        pytest.fail("never written over")
    await history.close()


FORGET: list[tuple[dict[str, str], set[str]]] = [
    ({"chat": GROUP, "sender": "20001"}, {"another person", "another chat", "private"}),
    ({"sender": "20001"}, {"another person"}),
    ({"chat": GROUP}, {"another chat", "private"}),
    ({"chat": GROUP, "message": "1"}, {"another person", "another chat", "private"}),
]


@pytest.mark.parametrize(("what", "others"), FORGET)
async def test_a_platform_that_sends_old_messages_again_brings_nothing_back(path, what, others):
    history = await opened(path)
    await history.add(line(1, GROUP, "20001", WORDS))
    await history.forget(**what, at=1500.5)
    for _ in range(2):
        assert not await history.add(line(1, GROUP, "20001", WORDS))
        await history.close()
        history = await opened(path)
    new = {
        "another person": line(2, GROUP, "20002", "好"),
        "another chat": line(2, OTHERS, "20001", "好"),
        "private": line(2, PRIVATE, "", "好", mine=True),
    }
    assert {name for name, message in new.items() if await history.add(message)} == others
    assert await history.add(line(7, GROUP, "20001", "以后说的", time=1502))
    await history.close()


async def test_lines_of_the_bot_that_are_gone_are_still_known_as_the_bots(path):
    history = await opened(path)
    await fill(history)
    await history.forget(GROUP, at=2000.0)
    await history.retention.purge(5000)
    await history.close()
    assert times_on_disk(path, "去呀去呀") == 2  # as what an owner rejected
    written = await asyncio.to_thread(Written.read, f"sqlite+aiosqlite:///{path}")
    assert written.by_the_bot(line("x", GROUP, "30003", "去呀 去呀", mine=True, time=1010))
    assert not written.by_the_bot(line("x", GROUP, "30003", "我带球", mine=True, time=1010))


async def test_what_is_too_old_goes_in_bites_and_what_was_taught_stays(path, monkeypatch):
    monkeypatch.setattr(retention, "BITE", 50)
    monkeypatch.setattr("bot.forget.BITE", 50)
    monkeypatch.setattr(retention, "BREATH", 0.005)
    history = await opened(path)
    await fill(history)
    for number in range(100, 420):
        await history.add(line(number, GROUP, "20003", "好", time=1020 + number))
    history.keep_labels(GROUP, {"20003": "大鹏"})
    purging = asyncio.create_task(history.retention.purge(1400))
    await asyncio.sleep(0.01)
    await history.add(line(999, GROUP, "20002", "中间说的", time=2000))
    waited = await history.recent(GROUP, 500)
    assert not purging.done()
    assert len(waited) > 50
    assert await purging == 2 * 6 + 2 + 280
    assert [m.id for m in await history.recent(GROUP, 500)] == [*map(str, range(380, 420)), "999"]
    assert await history.labels(GROUP) == {"20002": "小鹿", "20003": "大鹏"}
    assert await history.labels(OTHERS) == {}
    assert len(await history.keepsakes.preferences()) == 4
    assert len(await history.keepsakes.open_drafts()) == 6
    await history.keepsakes.settle_draft(1, "sent", at=1.0)
    await history.retention.purge(1400)
    assert await history.keepsakes.draft(1) is None
    await history.close()


async def test_old_messages_go_by_themselves_where_days_are_set(path, monkeypatch):
    monkeypatch.setattr(retention, "SWEEP", 0.02)
    day = 86400
    history = await History.open(f"sqlite+aiosqlite:///{path}", keep_days=2, now=lambda: 10.5 * day)
    await history.add(line(1, GROUP, "20001", "旧", time=8 * day))
    await history.add(line(2, GROUP, "20001", "新", time=9 * day))
    for _ in range(100):
        await asyncio.sleep(0.02)
        if len(await history.recent(GROUP, 9)) == 1:
            break
    assert [m.id for m in await history.recent(GROUP, 9)] == ["2"]
    await history.close()
