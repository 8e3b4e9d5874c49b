"""`mybot remember`: the records become memories of the bot: data/messages.jsonl → data/memory.db.

Takes in what isn't there yet, of the chats and days that [dataset] names; call it after each import. What was
forgotten by command stays forgotten. The bot adds what it lives through by itself (bot/remembering.py), and may
run meanwhile.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from rich.console import Console

from bot.persona.message import Message
from bot.recall import Recall
from config.settings import Dataset, Remember, load
from training.dataset import read_messages
from training.filter import Filter
from training.report import show
from training.written import Written

AT_ONCE = 20_000
"""Messages between two moments at which a running bot may write."""


def main(knobs: Remember) -> None:
    counts: Counter[str] = Counter()
    store = Recall.open(knobs.memory)
    try:
        messages = _messages(knobs, counts)
        with Console(stderr=True).status("remembering …") as status:
            while some := list(islice(messages, AT_ONCE)):
                counts["messages"] += len(some)
                counts["new_lines"] += store.add((message, None) for message in some)
                status.update(f"remembering … {counts['messages']:,} messages, {counts['new_lines']:,} new lines")
            if counts["new_lines"]:
                store.compact()
        numbers = {**counts, "lines": len(store), "chats": store.chats, "megabytes": _megabytes(knobs)}
    finally:
        store.close()
    show("remember", numbers, as_json=knobs.as_json)


def _messages(knobs: Remember, counts: Counter[str]) -> Iterator[Message]:
    source = knobs.data / "messages.jsonl"
    if not source.is_file():
        # Without records there is what the bot will live through.
        return
    wanted = load(Dataset, data=knobs.data)
    yield from Filter(wanted, Written.beside(wanted.history, knobs.data)).messages(read_messages(source), counts)


def _megabytes(knobs: Remember) -> float:
    return round(knobs.memory.stat().st_size / 1e6, 1)
