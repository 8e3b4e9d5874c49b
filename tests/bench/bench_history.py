"""CPU of the history beside aiosqlite alone, on the same file and in one run: `python tests/bench/bench_history.py`.

Ours does more: an id is looked for, a message is taken apart and put together, writes gather. CPU time
of all threads; the best of REPEATS rounds, the two in turns.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import aiosqlite

from bot.history import OPEN, History
from bot.persona.message import Message, Segment

CHAT = "qq:group:7001"
INSERTS, READS, REPEATS, BATCH, KEPT = 1000, 200, 3, 50, 20_000

COLUMNS = "chat, id, kind, chat_name, at, time, sender, name, mine, author, segments, reply_to, flags, recalled, turn, answers"
INSERT = f"INSERT OR IGNORE INTO messages ({COLUMNS}) VALUES ({', '.join('?' * 16)})"
RECENT = "SELECT * FROM messages WHERE chat = ? AND recalled = 0 ORDER BY at DESC, seq DESC LIMIT 20"
AUTHOR = "SELECT author FROM messages WHERE chat = ? AND id = ?"


def message(number: int) -> Message:
    text = f"第{number}条：周六下午三点老地方打球，谁来"
    return Message(str(number), CHAT, "group", 1_700_000_000 + number, "20001", "阿泽", [Segment("text", text)])


def row(number: int) -> tuple[object, ...]:
    m = message(number)
    segments = json.dumps([s.to_row() for s in m.segments], ensure_ascii=False)
    return (m.chat, m.id, m.kind, "", m.time, m.time, m.sender, m.name, 0, "other", segments, None, "", 0, "", "")


Work = Callable[[int], Awaitable[object]]


async def cpu(work: Work, start: int, times: int) -> float:
    """Milliseconds of CPU per call."""
    began = time.process_time()
    for number in range(start, start + times):
        await work(number)
    return (time.process_time() - began) / times * 1000


async def side_by_side(what: str, raw: Work, ours: Work, times: int, per: int = 1) -> None:
    rounds = []
    for _ in range(REPEATS):
        side_by_side.numbers += times  # type: ignore[attr-defined]
        start = side_by_side.numbers  # type: ignore[attr-defined]
        rounds.append((await cpu(raw, start + 10**7, times), await cpu(ours, start, times)))
    alone, with_us = min(r[0] for r in rounds) / per, min(r[1] for r in rounds) / per
    print(f"{what:<34} {alone:8.3f} {with_us:8.3f} {with_us / alone:6.1f}x")


side_by_side.numbers = KEPT  # type: ignore[attr-defined]


async def main(folder: Path) -> None:
    path = folder / "history.db"
    history = await History.open(f"sqlite+aiosqlite:///{path}")
    for number in range(KEPT):
        await history.add(message(number))
    await history.flush()
    raw = await aiosqlite.connect(path)
    await raw.execute("PRAGMA synchronous=NORMAL")

    async def raw_one(number: int) -> None:
        await raw.execute(INSERT, row(number))
        await raw.commit()

    async def our_one(number: int) -> None:
        await history.add(message(number))
        await history.flush()

    async def raw_batch(number: int) -> None:
        await raw.executemany(INSERT, [row(number * BATCH + i) for i in range(BATCH)])
        await raw.commit()

    async def our_batch(number: int) -> None:
        for i in range(BATCH):
            await history.add(message(number * BATCH + i))
        await history.flush()

    async def raw_recent(number: int) -> list[object]:
        rows = await raw.execute_fetchall(RECENT, (CHAT,))
        return [(row, json.loads(row[11])) for row in rows]

    async def raw_author(number: int) -> list[object]:
        return list(await raw.execute_fetchall(AUTHOR, (CHAT, str(number % KEPT))))

    print(f"{'CPU ms, SQLite in WAL':<34} {'alone':>8} {'ours':>8} {'ratio':>7}")
    await side_by_side("insert, own commit", raw_one, our_one, INSERTS // 5)
    await side_by_side(f"insert, {BATCH} a commit: a message", raw_batch, our_batch, INSERTS // BATCH, per=BATCH)
    await side_by_side("read the last 20", raw_recent, lambda _: history.recent(CHAT, 20), READS)
    await side_by_side("author of a message", raw_author, lambda n: history.author(CHAT, str(n % KEPT)), READS)
    await raw.close()

    async def call(number: int) -> None:
        await history.add(message(number + 10**9), turn=OPEN)
        await history.answered(CHAT, [str(number + 10**9)])

    print(f"{'a call: kept, counted as answered':<34} {'':8} {await cpu(call, 0, READS):8.3f}")
    began = time.perf_counter()
    gone = await history.forget(CHAT, sender="20001", at=2e9)
    took, size = time.perf_counter() - began, path.stat().st_size / 2**20
    print(f"forgetting one of {gone['messages']:,} messages: {took:.1f} s, the file is {size:.1f} MiB after it")
    await history.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(main(Path(made)))
