"""`mybot summaries`: lets an engine write down, for each chat, what we are to each other and what is open.

For when nobody waits: at night, from cron. Reads one chat at a time from the memories, so that nothing of another
can get into its summary; personal data never reaches the engine. A chat with nothing new is left alone.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from bot.engine.wire import Talker
from bot.persona.message import Message
from bot.recall import Recall
from bot.summaries import Summaries
from bot.writing import open_writer, plain, record, written
from config.errors import InputError
from config.settings import Summaries as Knobs

LINES = 120
"""The newest lines that a summary is written from."""
WORDS = 200
"""Tokens of a summary."""
ASKED = (
    "下面是{me}的一段聊天记录。用两三句中文写一份简短的小结：对方是谁、和{me}是什么关系、"
    "最近说定了什么、还有什么没做完。只写记录里有的，不要编，不要评论。"
)


def main(knobs: Knobs) -> None:
    if not knobs.memory.is_file():
        raise InputError(f"{knobs.memory} does not exist", hint="mybot remember")
    counts = asyncio.run(_main(knobs))
    Console().print("  ".join(f"{name} {number}" for name, number in counts.items()), highlight=False)


async def _main(knobs: Knobs) -> Counter[str]:
    store = Recall.open(knobs.memory)
    try:
        talker = await open_writer(knobs.url, knobs.persona)
        try:
            return await summarise(store, Summaries(knobs.summaries), talker, least=knobs.least)
        finally:
            await talker.close()
    finally:
        store.close()


async def summarise(store: Recall, summaries: Summaries, talker: Talker, *, least: int) -> Counter[str]:
    """Write the summary of every chat that has at least so many lines since its last one; what became of them."""
    counts: Counter[str] = Counter(written=0, unchanged=0, failed=0)
    for chat in store.names():
        lines = [line.message for line in store.newest(chat, LINES)]
        before = summaries.read(chat)
        fresh = [line for line in lines if before is None or _day(line.time) > before[0]]
        if len(fresh) < least or (before is not None and not before[1]):
            counts["unchanged"] += 1
            continue
        text = await _of(talker, lines, before[1] if before else "")
        if text:
            summaries.write(chat, _day(lines[-1].time), text)
        counts["written" if text else "failed"] += 1
    return counts


async def _of(talker: Talker, lines: Sequence[Message], before: str) -> str:
    """What the engine says of a chat; empty where it fails."""
    me = talker.persona.prompt.me
    asked = ASKED.format(me=me) + (f"\n上一次的小结：{before}" if before else "")
    return plain(await written(talker, asked, record(lines, me), longest=WORDS))


def _day(time: int) -> dt.date:
    return dt.datetime.fromtimestamp(time, dt.timezone.utc).date()
