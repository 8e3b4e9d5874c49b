"""What the bot wrote, read back from a real history database."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from bot.database import connect
from bot.persona.message import Message, Segment
from bot.tables import messages
from config.errors import InputError
from training.written import Written

LAYOUTS = Path(__file__).parents[1] / "bot" / "layouts"
AT = 1_700_000_000


def row(number: int, author: str, text: str) -> dict[str, Any]:
    segments = json.dumps([{"type": "text", "text": text}], ensure_ascii=False)
    return {
        "chat": "c", "id": str(number), "kind": "private", "chat_name": "", "at": AT, "time": AT, "sender": "1",
        "name": "x", "mine": True, "author": author, "segments": segments, "flags": "[]", "recalled": False, "turn": "",
    }  # fmt: skip


async def fill(url: str) -> None:
    engine = await connect(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(
                insert(messages), [row(1, "persona:1", "我是机器人说的"), row(2, "owner", "我自己说的")]
            )
    finally:
        await engine.dispose()


def message(text: str, time: int = AT, kind: Any = "private") -> Message:
    return Message("1", "other", kind, time, "1", "x", [Segment("text", text)], True)


def test_the_bots_lines_are_known_by_words_kind_and_time(tmp_path: Path) -> None:
    asyncio.run(fill(f"sqlite+aiosqlite:///{tmp_path / 'history.db'}"))
    written = Written.beside("", tmp_path)
    assert len(written) == 1
    assert written.by_the_bot(message("我是机器人说的", AT + 100))
    assert not written.by_the_bot(message("我是机器人说的", AT + 200))
    assert not written.by_the_bot(message("我是机器人说的", kind="group"))
    assert not written.by_the_bot(message("我自己说的"))


def test_no_database_is_no_lines(tmp_path: Path) -> None:
    written = Written.beside("", tmp_path)
    assert not len(written)
    assert not list(tmp_path.iterdir())


def test_a_database_that_isnt_there_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Written.beside(f"sqlite+aiosqlite:///{tmp_path / 'histroy.db'}", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_database_is_read_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as raw:
        raw.executescript((LAYOUTS / "1-sqlite.sql").read_text(encoding="utf-8"))
    raw.close()
    before = path.read_bytes()
    assert Written.beside("", tmp_path).by_the_bot(message("去呀，三点", 1700000031, "group"))
    assert path.read_bytes() == before
