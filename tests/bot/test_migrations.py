"""Databases that earlier versions of mybot made, as those wrote them, under today's code."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from bot import migrations
from bot.database import connect
from bot.history import OTHER, OWNER, History
from bot.persona.message import Message, Segment
from config.errors import MyBotError, SettingsError

LAYOUTS = Path(__file__).parent / "layouts"
GROUP, PRIVATE = "qq:group:7001", "qq:private:20001"


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def made_by_version_1(path: Path) -> Path:
    with sqlite3.connect(path) as raw:
        raw.executescript((LAYOUTS / "1-sqlite.sql").read_text(encoding="utf-8"))
    raw.close()
    return path


def layout(connection: Connection) -> dict[str, object]:
    """All tables as the database sees them."""
    seen = inspect(connection)
    found: dict[str, object] = {}
    for table in sorted(seen.get_table_names()):
        columns = [
            (c["name"], str(c["type"]), c["nullable"], str(c["default"]).strip("'()").removesuffix("'::text"))
            for c in seen.get_columns(table)
        ]
        found[table] = (
            columns,
            seen.get_pk_constraint(table)["constrained_columns"],
            sorted((str(i["name"]), i["column_names"]) for i in seen.get_indexes(table)),
            sorted(u["column_names"] for u in seen.get_unique_constraints(table)),
        )
    return found


async def layout_at(where: str) -> dict[str, object]:
    engine = await connect(where)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(layout)
    finally:
        await engine.dispose()


async def check_all_is_there(history: History) -> None:
    """What the file of version 1 holds."""
    assert [m.id for m in await history.recent(GROUP, 9)] == ["101", "102", "103", "104", "105"]
    assert await history.some(GROUP, ["102"]) == [
        Message(
            "102",
            GROUP,
            "group",
            1700000010,
            "20002",
            "小鹿",
            [Segment("at", id="20001", name="阿泽"), Segment("text", "我去\n几点")],
            reply_to="101",
            chat_name="羽毛球群",
        )
    ]
    assert [m.flags for m in await history.recent(PRIVATE, 9)] == [("forwarded",), ()]
    assert [await history.author(GROUP, i) for i in ("101", "104", "105")] == [OTHER, "persona:0123456789ab", OWNER]
    assert [m.id for m in await history.unanswered(0)] == ["202"]
    assert await history.labels(GROUP) == {"20001": "阿泽", "20002": "小鹿"}
    assert history.chats_with("mode") == {GROUP: "called", PRIVATE: "off"}
    assert history.setting(PRIVATE, "disclosed") == "1700000031"
    assert [(s.chat, s.at, s.to) for s in await history.spoken(1700000000.0)] == [(GROUP, 1700000031.75, ())]


async def test_a_file_of_version_1_loses_nothing_and_can_do_what_is_new(tmp_path):
    path = made_by_version_1(tmp_path / "history.db")
    for _ in range(2):
        history = await History.open(url(path))
        await check_all_is_there(history)
        await history.close()
    history = await History.open(url(path))
    assert await history.keepsakes.keep_draft(GROUP, ["好"], at=1.0, answers=["103"], persona="ab") == 1
    await history.close()


async def test_it_becomes_what_a_new_file_is(tmp_path):
    made_by_version_1(tmp_path / "old.db")
    assert await layout_at(url(tmp_path / "old.db")) == await layout_at(url(tmp_path / "new.db"))
    with sqlite3.connect(tmp_path / "old.db") as raw:
        assert raw.execute("select version from schema_version").fetchall() == [(migrations.VERSION,)]
    raw.close()


async def test_a_step_that_breaks_off_leaves_the_old_version_whole(tmp_path, monkeypatch):
    path = made_by_version_1(tmp_path / "history.db")

    def dump() -> list[str]:
        with sqlite3.connect(path) as raw:
            found = list(raw.iterdump())
        raw.close()
        return found

    before = dump()
    with monkeypatch.context() as patch:
        patch.setitem(migrations.STEPS, 1, migrations.STEPS[1] + "; INSERT INTO nowhere VALUES (1)")
        with pytest.raises(SettingsError, match="can't be used"):
            await History.open(url(path))
    assert dump() == before
    history = await History.open(url(path))
    await check_all_is_there(history)
    await history.close()


async def test_two_at_once_make_or_upgrade_it_once(tmp_path):
    made_by_version_1(tmp_path / "old.db")
    for name in ("old.db", "new.db"):
        engines = await asyncio.gather(*(connect(url(tmp_path / name)) for _ in range(4)))
        await asyncio.gather(*(engine.dispose() for engine in engines))
        with sqlite3.connect(tmp_path / name) as raw:
            assert raw.execute("select version from schema_version").fetchall() == [(migrations.VERSION,)]
        raw.close()


async def test_tables_without_a_version_are_those_of_the_first(tmp_path):
    path = made_by_version_1(tmp_path / "history.db")
    with sqlite3.connect(path) as raw:
        raw.execute("drop table schema_version")
        raw.execute("drop table labels")
    raw.close()
    history = await History.open(url(path))
    assert len(await history.recent(GROUP, 9)) == 5
    assert await history.labels(GROUP) == {}
    await history.close()


async def test_a_newer_layout_is_refused_and_stays_as_it_is(tmp_path):
    path = tmp_path / "history.db"
    await (await History.open(url(path))).close()
    with sqlite3.connect(path) as raw:
        raw.execute("update schema_version set version = 99")
        raw.execute("drop table drafts")
    raw.close()
    with pytest.raises(MyBotError, match="newer") as error:
        await History.open(url(path))
    assert error.value.hint
    with sqlite3.connect(path) as raw, pytest.raises(sqlite3.OperationalError):
        raw.execute("select * from drafts")
    raw.close()


def test_there_is_a_step_from_every_version():
    assert list(migrations.STEPS) == list(range(1, migrations.VERSION))
