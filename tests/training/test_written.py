"""What the bot wrote, read back from a real history database."""

import asyncio
import json
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bot.database import connect
from bot.persona.message import Message, Segment
from bot.tables import messages
from training.written import Written

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
