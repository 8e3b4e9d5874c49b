"""The history on a real SQLite file: what is kept, in which order, and what a restart finds."""

import asyncio
import json
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from bot import database, history as module
from bot.history import ANSWERED, OPEN, OTHER, OWNER, History
from bot.persona.message import Message, Segment
from config.errors import SettingsError

GROUP = "qq:group:7001"


def message(number: int | str, text: str = "在吗", *, chat: str = GROUP, time: int = 1000, **more) -> Message:
    return Message(str(number), chat, more.pop("kind", "group"), time, "20001", "阿泽", [Segment("text", text)], **more)


@asynccontextmanager
async def opened(path: Path):
    history = await History.open(f"sqlite+aiosqlite:///{path}")
    try:
        yield history
    finally:
        await history.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "down" / "history.db"


async def test_a_message_comes_back_whole_after_a_restart(path):
    said = Message(
        "m1",
        GROUP,
        "group",
        1000,
        "20001",
        "阿泽",
        [Segment("at", id="30003", name="我"), Segment("text", "看\n这个"), Segment("image")],
        reply_to="m0",
        flags=("forwarded", "bot"),
        chat_name="羽毛球群",
    )
    async with opened(path) as history:
        assert await history.add(said)
    async with opened(path) as history:
        assert await history.recent(GROUP, 5) == [said]


async def test_an_id_is_unique_in_its_chat_also_after_a_restart(path):
    async with opened(path) as history:
        assert await history.add(message(1))
        assert not await history.add(message(1))
        assert await history.add(message(1, chat="qq:group:7002"))
    async with opened(path) as history:
        assert not await history.add(message(1))
        assert await history.add(message(2, time=900))
        assert len(await history.recent(GROUP, 5)) == 2


async def test_an_id_that_is_no_longer_in_memory_is_found_in_the_database(path, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 3)
    async with opened(path) as history:
        for number in range(10):
            assert await history.add(message(number, time=1000 + number))
        assert not any([await history.add(message(number, time=1000 + number)) for number in range(10)])
        assert len(history._known) <= 3


async def test_a_new_message_asks_the_database_nothing(path):
    async with opened(path) as history:
        await history.add(message(0, time=1000))
    async with opened(path) as history:
        asked = []
        history.database.read = lambda query: asked.append(query)  # type: ignore[method-assign]
        for number in range(1, 4):
            assert await history.add(message(number, time=1000 + number))
        del history.database.read
        assert not asked


async def test_order_is_the_order_of_arrival(path):
    async with opened(path) as history:
        await history.add(message(1, time=1000), at=1010.0)
        await history.add(message(2, time=1060, mine=True), at=1011.0)
        await history.add(message(3, time=1005), at=1012.0)
        await history.add(message(4, time=10), at=10.0)
        assert [m.id for m in await history.recent(GROUP, 9)] == ["4", "1", "2", "3"]
        assert [m.id for m in await history.recent(GROUP, 2)] == ["2", "3"]


async def test_clear_is_a_mark_and_deletes_nothing(path):
    async with opened(path) as history:
        await history.add(message(1))
        await history.add(message(9, chat="qq:group:7002"))
        await history.clear(GROUP, 1500.0)
        await history.add(message(2, time=1501))
    async with opened(path) as history:
        assert [m.id for m in await history.recent(GROUP, 9)] == ["2"]
        assert [m.id for m in await history.recent("qq:group:7002", 9)] == ["9"]
    with sqlite3.connect(path) as raw:
        assert raw.execute("select count(*) from messages").fetchone() == (3,)
    raw.close()


async def test_a_recalled_message_is_in_no_prompt(path):
    async with opened(path) as history:
        await history.add(message(1), turn=OPEN)
        await history.add(message(2))
        history.recall(GROUP, "1")
        assert [m.id for m in await history.recent(GROUP, 9)] == ["2"]
        assert not await history.unanswered(0)
    async with opened(path) as history:
        assert [m.id for m in await history.recent(GROUP, 9)] == ["2"]
        assert not await history.add(message(1))


async def test_a_recall_that_comes_before_its_message_holds(path):
    async with opened(path) as history:
        history.recall(GROUP, "1")
        await history.add(message(1), turn=OPEN)
        await history.add(message(2))
        assert [m.id for m in await history.recent(GROUP, 9)] == ["2"]
        assert not await history.unanswered(0)


async def test_some_messages_by_their_ids(path):
    async with opened(path) as history:
        for number in range(1, 5):
            await history.add(message(number, time=1000 + number))
        history.recall(GROUP, "3")
        assert [m.id for m in await history.some(GROUP, {"2", "3", "9"})] == ["2"]
        assert await history.some(GROUP, set()) == []
        assert await history.some("qq:group:7002", {"2"}) == []
        await history.clear(GROUP, 1500.0)
        assert await history.some(GROUP, {"2"}) == []


async def test_what_wants_an_answer_is_known_after_a_restart(path):
    async with opened(path) as history:
        for number in range(1, 6):
            await history.add(message(number, time=1000 + number), turn=OPEN if number > 1 else "")
        await history.answered(GROUP, ["2"])
        history.settle(GROUP, ["3"], "off")
        history.settle(GROUP, ["2"], "stale")
    async with opened(path) as history:
        assert [m.id for m in await history.unanswered(0)] == ["4", "5"]
        assert [m.id for m in await history.unanswered(1005)] == ["5"]


async def test_an_answered_id_is_on_disk_at_once(path):
    async with opened(path) as history:
        await history.add(message(1), turn=OPEN)
        await history.answered(GROUP, ["1"])
        with sqlite3.connect(path) as raw:
            assert raw.execute("select id, turn from messages").fetchall() == [("1", ANSWERED)]
        raw.close()


async def test_a_setting_is_on_disk_at_once_and_may_change(path):
    async with opened(path) as history:
        assert history.setting(GROUP, "mode") == ""
        await history.put(GROUP, "mode", "off")
        await history.put(GROUP, "mode", "called")
        with sqlite3.connect(path) as raw:
            assert raw.execute("select chat, name, value from chat_settings").fetchall() == [(GROUP, "mode", "called")]
        raw.close()
    async with opened(path) as history:
        assert history.chats_with("mode") == {GROUP: "called"}
        await history.put(GROUP, "mode", "off")
    async with opened(path) as history:
        assert history.setting(GROUP, "mode") == "off"


async def test_a_setting_for_all_chats_and_one_that_is_dropped(path):
    async with opened(path) as history:
        await history.put("", "admin:20001", "yes")
        await history.put(GROUP, "freq", "0.5")
        await history.put(GROUP, "mode", "off")
        await history.drop(GROUP, "mode")
        await history.drop(GROUP, "mode")
        await history.drop("qq:group:7002", "mode")
        assert history.setting(GROUP, "mode") == ""
    async with opened(path) as history:
        assert history.setting("", "admin:20001") == "yes"
        assert history.setting(GROUP, "mode") == ""
        assert history.chats_with("freq") == {GROUP: "0.5"}
        await history.put(GROUP, "mode", "called")
    async with opened(path) as history:
        assert history.setting(GROUP, "mode") == "called"


async def test_what_the_bot_spoke_since_then_and_to_whom(path):
    async with opened(path) as history:
        for number, sender in enumerate(("20001", "20002", "20001"), 1):
            heard = message(number, time=1000 + number)
            heard.sender = sender
            await history.add(heard)
        await history.add(message(4, time=1010, mine=True), author="persona:a", at=1010.5, answers=["1", "2", "3"])
        await history.add(message(5, time=1011, mine=True), author="persona:a", at=1011.5, answers=["3", "gone"])
        await history.add(message(6, time=1012, mine=True), author="persona:a", at=1012.5)
        await history.add(message(7, time=1013, mine=True), author=OWNER, at=1013.5)
        for_owner = message(9, time=1013, mine=True)
        for_owner.sender = ""
        await history.add(for_owner, author=OWNER, at=1013.75, answers=["2"])
        await history.add(message(8, time=9, mine=True, chat="qq:private:1"), author="persona:b", at=1014.0)
    async with opened(path) as history:
        spoken = [(s.chat, s.at, s.to) for s in await history.spoken(1010.0)]
        assert spoken == [
            (GROUP, 1010.5, ("20001", "20002")),
            (GROUP, 1011.5, ("20001",)),
            (GROUP, 1012.5, ()),
            (GROUP, 1013.75, ("20002",)),
            ("qq:private:1", 1014.0, ()),
        ]
        assert len(await history.spoken(1011.5)) == 4
        assert await history.spoken(2000.0) == []


async def test_writes_gather_and_go_out_by_themselves(path, monkeypatch):
    monkeypatch.setattr(database, "DELAY", 0.05)
    async with opened(path) as history:
        for number in range(100):
            await history.add(message(number))
        with sqlite3.connect(path) as raw:
            assert raw.execute("select count(*) from messages").fetchone() == (0,)
            for _ in range(100):
                await asyncio.sleep(0.02)
                if raw.execute("select count(*) from messages").fetchone() == (100,):
                    break
            else:
                pytest.fail("never written")
        raw.close()


async def test_labels_are_fixed_at_first_sight(path):
    async with opened(path) as history:
        history.keep_labels(GROUP, {"1": "阿泽", "2": "小鹿"})
    async with opened(path) as history:
        history.keep_labels(GROUP, {"1": "别人", "3": "大鹏"})
        assert await history.labels(GROUP) == {"1": "阿泽", "2": "小鹿", "3": "大鹏"}
        assert await history.labels("qq:group:7002") == {}


async def test_the_author_of_every_line_is_kept(path):
    async with opened(path) as history:
        await history.add(message(1))
        await history.add(message(2, mine=True), author=OWNER)
        await history.add(message(3, mine=True), author="persona:0123456789ab")
    async with opened(path) as history:
        authors = [await history.author(GROUP, number) for number in "1234"]
        assert authors == [OTHER, OWNER, "persona:0123456789ab", ""]


async def test_text_that_no_database_takes_does_not_stop_the_others(path):
    async with opened(path) as history:
        await history.add(message(1, "半个\ud83d字\0"))
        await history.add(message(2, "好"))
        assert [m.text for m in await history.recent(GROUP, 9)] == ["半个?字\0", "好"]


async def test_a_database_that_fails_for_a_while_loses_nothing(path, caplog):
    async with opened(path) as history:
        await history.add(message(1, "不能进日志"))
        event.listen(history.database.engine.sync_engine, "before_cursor_execute", _full)
        with pytest.raises(OperationalError):
            await history.flush()
        history.database._time_is_up()
        await asyncio.gather(*history.database._at_work, return_exceptions=True)
        await asyncio.sleep(0)
        event.remove(history.database.engine.sync_engine, "before_cursor_execute", _full)
        assert [m.id for m in await history.recent(GROUP, 9)] == ["1"]
    assert "OperationalError" in caplog.text
    assert "不能进日志" not in caplog.text


def _full(*_):
    raise OperationalError("insert", {}, Exception("disk full"))


async def test_errors_of_the_database_do_not_quote_messages(path):
    async with opened(path) as history:
        async with history.database.engine.begin() as connection:
            await connection.exec_driver_sql("drop table messages")
        await history.add(message(1, "不能进日志"))
        with pytest.raises(OperationalError) as error:
            await history.flush()
        assert "不能进日志" not in str(error.value)
        history.database._gathered.clear()


async def test_whoever_reads_may_be_cancelled_at_any_moment(path):
    async with opened(path) as history:
        for number in range(30):
            await history.add(message(number))
            reading = asyncio.create_task(history.recent(GROUP, 50))
            for _ in range(number):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        assert len(await history.recent(GROUP, 50)) == 30


async def test_write_ahead_log_and_normal_sync(path):
    async with opened(path) as history, history.database.engine.connect() as connection:
        assert (await connection.exec_driver_sql("pragma journal_mode")).scalar_one() == "wal"
        assert (await connection.exec_driver_sql("pragma synchronous")).scalar_one() == 1


@pytest.mark.parametrize("url", ["nonsense", "sqlite+nodriver:///x.db", "mysql+asyncdrv://x/y"])
async def test_a_wrong_url_is_an_error_with_a_hint(url):
    with pytest.raises(SettingsError) as error:
        await History.open(url)
    assert error.value.hint


async def test_a_file_that_is_no_database_is_an_error_with_a_hint(tmp_path):
    (tmp_path / "history.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(SettingsError, match="can't be used"):
        await History.open(f"sqlite+aiosqlite:///{tmp_path / 'history.db'}")
    with pytest.raises(SettingsError, match="folder"):
        await History.open(f"sqlite+aiosqlite:///{tmp_path / 'history.db' / 'x' / 'y.db'}")


async def test_a_relative_path_is_relative_to_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr("bot.database.ROOT", tmp_path)
    async with await_open("sqlite+aiosqlite:///data/history.db"):
        assert (tmp_path / "data" / "history.db").is_file()


@asynccontextmanager
async def await_open(url: str):
    history = await History.open(url)
    yield history
    await history.close()


async def test_in_memory_too():
    async with await_open("sqlite+aiosqlite://") as history:
        await history.add(message(1))
        assert len(await history.recent(GROUP, 9)) == 1


ROW = st.tuples(st.integers(0, 30), st.integers(0, 20), st.sampled_from(["a", "b"]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=40), st.integers(1, 8))
async def test_no_id_twice_and_none_lost_in_any_order(tmp_path, rows, remembered):
    number = len(list(tmp_path.iterdir()))
    first: dict[tuple[str, int], int] = {}
    for start in (0, len(rows) // 2):
        async with opened(tmp_path / f"{number}" / "h.db") as history:
            for ident, time, chat in rows[start : len(rows) // 2 if start == 0 else None]:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(module, "REMEMBERED", remembered)
                    new = await history.add(message(ident, time=time, chat=chat), turn=OPEN)
                assert new == ((chat, ident) not in first)
                first.setdefault((chat, ident), time)
            for chat in "ab":
                kept = {int(m.id): m.time for m in await history.recent(chat, 99)}
                assert kept == {ident: time for (where, ident), time in first.items() if where == chat}


async def test_segments_are_json_in_the_database(path):
    async with opened(path) as history:
        await history.add(message(1, "好"))
    with sqlite3.connect(path) as raw:
        (segments,) = raw.execute("select segments from messages").fetchone()
    raw.close()
    assert json.loads(segments) == [{"type": "text", "text": "好"}]
