"""`mybot remember`: the records become memories of the bot: data/messages.jsonl → data/memory.db.

Takes in what isn't there yet, of the chats and days that [dataset] names; call it after each import. What was
forgotten by command stays forgotten. The bot adds what it lives through by itself (bot/remembering.py), and may
run meanwhile.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from rich.console import Console
from rich.status import Status

from bot.embeddings import Embeddings
from bot.persona.message import Message
from bot.recall import Recall
from bot.recall_vectors import Vector, fact_key
from bot.remembering import AT_A_TIME
from config.errors import EngineError
from config.settings import Bot, Dataset, Remember, load
from training.dataset import read_messages
from training.filter import Filter
from training.memories import facts_of
from training.report import show
from training.written import Written

AT_ONCE = 20_000
"""Messages between two moments at which a running bot may write."""
EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""


def main(knobs: Remember) -> None:
    counts: Counter[str] = Counter()
    embeddings = Embeddings.of_settings(load(Bot))
    facts = [fact.text for fact in facts_of(knobs.data).told] if embeddings is not None else []
    store = Recall.open(knobs.memory)
    try:
        messages = _messages(knobs, counts)
        console = Console(stderr=True, highlight=False)
        with console.status("remembering …") as status:
            tell = _teller(console, status)
            while some := list(islice(messages, AT_ONCE)):
                counts["messages"] += len(some)
                counts["new_lines"] += store.add((message, None) for message in some)
                tell(f"remembering … {counts['messages']:,} messages, {counts['new_lines']:,} new lines")
            if counts["new_lines"]:
                store.compact()
            if embeddings is not None:
                counts["vectors"] = asyncio.run(_embed(store, embeddings, facts, tell))
        numbers = {**counts, "lines": len(store), "chats": store.chats, "megabytes": _megabytes(knobs)}
    finally:
        store.close()
    show("remember", numbers, as_json=knobs.as_json)


async def _embed(store: Recall, embeddings: Embeddings, facts: Sequence[str], tell: Callable[[str], None]) -> int:
    """Give vectors to the lines and `facts` that have none; how many lines have one then. EngineError where the
    server fails.

    What is made is kept at once: called again, it goes on where it was.
    """
    vectors, made = store.embedded_by(embeddings.model), 0

    async def of(texts: Sequence[str]) -> list[Vector]:
        found = await embeddings.of(texts, waited_for=False)
        if found is None:
            raise EngineError(
                f"[bot] embeddings: no vectors from there; {len(vectors):,} lines have one",
                hint="the lines are remembered; `mybot remember` again goes on with the vectors",
            )
        return found

    try:
        while some := vectors.lacking(facts)[:AT_A_TIME]:
            vectors.keep_facts({fact_key(text): one.signs for text, one in zip(some, await of(some), strict=True)})
        while missing := store.without_vectors(AT_A_TIME):
            found = await of([text for _, text in missing])
            vectors.keep({key: one for (key, _), one in zip(missing, found, strict=True)})
            made += len(missing)
            tell(f"remembering … {made:,} vectors made")
        if made:
            store.compact()
    finally:
        await embeddings.close()
    return len(vectors)


def _teller(console: Console, status: Status) -> Callable[[str], None]:
    """Says how far it is: in the terminal's last line; elsewhere, now and then, in a line of its own."""
    last = time.monotonic()

    def tell(text: str) -> None:
        nonlocal last
        if console.is_terminal:
            status.update(text)
        elif time.monotonic() - last >= EVERY:
            last = time.monotonic()
            console.print(text)

    return tell


def _messages(knobs: Remember, counts: Counter[str]) -> Iterator[Message]:
    source = knobs.data / "messages.jsonl"
    if not source.is_file():
        # Without records there is what the bot will live through.
        return
    wanted = load(Dataset, data=knobs.data)
    yield from Filter(wanted, Written.beside(wanted.history, knobs.data)).messages(read_messages(source), counts)


def _megabytes(knobs: Remember) -> float:
    return round(knobs.memory.stat().st_size / 1e6, 1)
