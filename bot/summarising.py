"""`mybot summaries`: lets an engine write down, for each chat, what we are to each other and what is open.

For when nobody waits: at night, from cron. Reads one chat at a time from the memories, so that nothing of another
can get into its summary; personal data never reaches the engine. A chat with nothing new is left alone. With `past`
also one for each stretch of days that is over, from what was said up to its end and the one before: the dataset
shows each session the newest that is older. What is written stays written: an interrupted run goes on where it was.
"""

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import Progress

from bot.engine.wire import Talker
from bot.recall import Recall
from bot.recall_ranks import Line
from bot.summaries import Summaries, day_of
from bot.writing import open_writer, plain, record, written
from config.errors import EngineError, InputError
from config.settings import Summaries as Knobs

LINES = 120
"""The newest lines that a summary is written from."""
WORDS = 200
"""Tokens of a summary."""
GIVE_UP = 3
"""Failures in a row after which the engine isn't asked any more."""
EPOCH = dt.date(1970, 1, 1)
DAY = 86400
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
            summaries = Summaries(knobs.summaries)
            counts: Counter[str] = Counter()
            if knobs.past:
                past = await summarise_past(store, summaries, talker, days=knobs.past, least=knobs.least)
                counts.update({f"past_{name}": number for name, number in past.items()})
            counts.update(await summarise(store, summaries, talker, least=knobs.least))
            return counts
        finally:
            await talker.close()
    finally:
        store.close()


async def summarise(store: Recall, summaries: Summaries, talker: Talker, *, least: int) -> Counter[str]:
    """Write the summary of every chat that has at least so many lines since its last one; what became of them.

    EngineError where the engine fails several times in a row.
    """
    counts: Counter[str] = Counter(written=0, unchanged=0, failed=0)
    in_a_row = 0
    for chat in store.names():
        lines = store.newest(chat, max(LINES, least))
        before = summaries.read(chat)
        fresh = [line for line in lines if before is None or day_of(line.message.time) > before[0]]
        if len(fresh) < least or (before is not None and not before[1]):
            counts["unchanged"] += 1
            continue
        text = await _of(talker, store, lines[-LINES:], before[1] if before else "")
        counts["written" if text else "failed"] += 1
        in_a_row = _failures(in_a_row, text)
        if text:
            summaries.write(chat, day_of(lines[-1].message.time), text)
    return counts


async def summarise_past(
    store: Recall, summaries: Summaries, talker: Talker, *, days: int, least: int, today: dt.date | None = None
) -> Counter[str]:
    """Write the summaries of every chat's past that aren't there yet, oldest first; what became of them.

    EngineError where the engine fails several times in a row.
    """
    counts: Counter[str] = Counter(written=0, there=0, failed=0)
    open_yet: list[tuple[str, dt.date]] = []
    for chat in store.names():
        current = summaries.read(chat)
        if current is not None and not current[1]:
            continue
        there = set(summaries.past(chat))
        for end in _ends(store.days(chat), days, least, today or day_of(time.time())):
            counts["there"] += end in there
            open_yet += [(chat, end)] if end not in there else []
    in_a_row = 0
    with Progress(console=Console(stderr=True)) as bar:
        for chat, end in bar.track(open_yet, description="summing up the past"):
            since = end - dt.timedelta(days=days - 1)
            lines = store.newest(chat, LINES, since=_start(since), before=_start(end) + DAY)
            text = await _of(talker, store, lines, _earlier(summaries, chat, since))
            counts["written" if text else "failed"] += 1
            in_a_row = _failures(in_a_row, text)
            if text:
                summaries.write(chat, day_of(lines[-1].message.time), text, end)
    return counts


def _failures(in_a_row: int, text: str) -> int:
    """How many in a row there are by now. EngineError where it is too many."""
    if not text and in_a_row + 1 == GIVE_UP:
        raise EngineError(f"the engine failed {GIVE_UP} times in a row", hint="what is written stays; run it again")
    return 0 if text else in_a_row + 1


def _ends(said: Mapping[int, int], days: int, least: int, today: dt.date) -> list[dt.date]:
    """The last days of the stretches that are over and in which enough was said. Stretches begin on the same days
    whatever is added later."""
    lines: Counter[int] = Counter()
    for day, number in said.items():
        lines[day // days] += number
    ends = [(EPOCH + dt.timedelta(days=(stretch + 1) * days - 1), number) for stretch, number in sorted(lines.items())]
    return [end for end, number in ends if number >= least and end < today]


def _earlier(summaries: Summaries, chat: str, since: dt.date) -> str:
    """What was written of a chat's past before a stretch; the newest of it."""
    texts = [summaries.read(chat, end) for end in summaries.past(chat) if end < since]
    return next((found[1] for found in reversed(texts) if found is not None and found[1]), "")


async def _of(talker: Talker, store: Recall, lines: Sequence[Line], before: str) -> str:
    """What the engine says of a chat; empty where it fails, or where a line was forgotten meanwhile."""
    me = talker.persona.prompt.me
    asked = ASKED.format(me=me) + (f"\n上一次的小结：{plain(before)}" if before else "")
    text = plain(await written(talker, asked, record([line.message for line in lines], me), longest=WORDS))
    return text if store.have(lines) else ""


def _start(day: dt.date) -> int:
    """When a day begins, by UTC."""
    return (day - EPOCH).days * DAY
