"""`mybot summaries`: lets an engine write down, for each chat, what we are to each other and what is open.

For when nobody waits: at night, from cron. Reads one chat at a time from the memories, so that nothing of another
can get into its summary; personal data never reaches the engine. A chat with nothing new is left alone.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing

from rich.console import Console

from bot.engine.wire import Sampling, Talker
from bot.engine.worker import open_talker
from bot.persona import privacy
from bot.persona.message import Message
from bot.persona.prompt import clean_name
from bot.recall import Recall
from bot.summaries import Summaries
from config.errors import InputError
from config.settings import Engine, Summaries as Knobs, load

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
    given = {"persona": knobs.persona, "url": knobs.url}
    store = Recall.open(knobs.memory)
    try:
        talker = await open_talker(load(Engine, **{name: value for name, value in given.items() if value}))
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
        text = await _written(talker, lines, before[1] if before else "")
        if text:
            summaries.write(chat, _day(lines[-1].time), text)
        counts["written" if text else "failed"] += 1
    return counts


async def _written(talker: Talker, lines: Sequence[Message], before: str) -> str:
    """What the engine says of a chat; empty where it fails."""
    me = talker.persona.prompt.me
    said = "\n".join(f"{me if line.mine else clean_name(line.name)}: {_plain(line.text)}" for line in lines)
    asked = [ASKED.format(me=me)]
    if before:
        asked.append(f"上一次的小结：{before}")
    messages = [{"role": "system", "content": "\n".join(asked)}, {"role": "user", "content": said}]
    text = ""
    async with aclosing(talker.stream(messages, Sampling(temperature=0.3, max_tokens=WORDS))) as pieces:
        async for piece in pieces:
            text += piece.text
            if piece.finish and piece.finish not in ("stop", "length"):
                return ""
    return _plain(text).strip()


def _plain(text: str) -> str:
    return privacy.scrub(" ".join(text.split()))


def _day(time: int) -> dt.date:
    return dt.datetime.fromtimestamp(time, dt.timezone.utc).date()
