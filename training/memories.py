"""What a training row is reminded of, as the bot would have been there: often nothing, at times nothing to the point.

Knows lines of the chat that are older than all that the row shows, facts that held on that day, and the newest
summary of days before the session; never the reply, nor what came after what it answers. Found by the bot's own
search (bot/reminding.py); lines have the vectors that `mybot remember` has made of them, no server is asked here.
Drawn by the seed.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import Self

from bot.persona.facts import Facts
from bot.persona.memory import MARK, SUMMARY, Recalled, asking
from bot.persona.message import Message
from bot.persona.prompt import Labels, PromptSpec, remember
from bot.recall import Recall
from bot.recall_tables import key_of
from bot.recall_vectors import Vector
from bot.reminding import Reminding
from bot.summaries import Summaries
from config.settings import Bot, Dataset, load
from training.selection import Verdict

MOST = 4
"""Lines of a memory that has nothing to do with the row."""


class Memories:
    """The memories of one chat after the other, as they grow; a context manager, which lets go of the files."""

    def __init__(self, knobs: Dataset, spec: PromptSpec) -> None:
        self._spec, self._seed = spec, knobs.seed
        self._recalled, self._irrelevant = knobs.memory_recalled, knobs.memory_irrelevant
        self._facts = facts_of(knobs.data)
        self._on = spec.memory > 0 and self._recalled + self._irrelevant > 0
        self._reminding = Reminding(None, self._facts, Summaries(knobs.data / "summaries"))
        bot = load(Bot)
        self._model = bot.embeddings_model if bot.embeddings and self._on else ""
        self._records = _records(knobs.data, self._model)
        vectors = self._records.vectors if self._records is not None else None
        self._fact_vectors = vectors.facts() if vectors is not None else {}
        self.rows = self.summaries = 0
        """Rows that got any; and of these, those with a summary."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for store in (self._reminding.lines, self._records):
            if store is not None:
                store.close()

    def begin(self) -> None:
        """Another chat begins: nothing of the last one is left."""
        if self._reminding.lines is not None:
            self._reminding.lines.close()
        self._reminding.lines = Recall.open(None) if self._on else None
        if self._reminding.lines is not None and self._records is not None:
            self._reminding.lines.embedded_by(self._model).keep_facts(self._fact_vectors)

    def see(self, shown: Sequence[Message]) -> None:
        """What was said in the chat, in order, after the row it made was written."""
        lines = self._reminding.lines
        if lines is not None:
            lines.add((message, None) for message in shown)
            if lines.vectors is not None:
                lines.vectors.keep(self._known(shown))

    def _known(self, messages: Sequence[Message]) -> dict[int, Vector]:
        """The vectors of these, as far as data/memory.db has them."""
        if self._records is None or self._records.vectors is None:
            return {}
        return self._records.vectors.of([key_of(message.chat, message.id) for message in messages])

    def block(
        self,
        context: Sequence[Message],
        shown: Sequence[Message],
        chosen: Mapping[str, Verdict],
        labels: Labels,
        name: str,
    ) -> str:
        """The memories of a session's row as the prompt writes them; empty where it gets none."""
        place = _first_reply(shown, chosen)
        seen = [*context, *shown[:place]]
        if not self._on or place == len(shown) or not seen:
            return ""
        draw = random.Random(f"{self._seed}:memory:{shown[0].id}")
        chance, now = draw.random(), shown[place].time
        if chance < self._recalled:
            recalled = self.recalled(seen, now, shown[0].time)
        elif chance < self._recalled + self._irrelevant:
            # A bot that has a summary of the chat shows it whatever is talked about.
            recalled = self._reminding.summary(seen[-1], shown[0].time) + self._drawn(seen, draw)
        else:
            return ""
        block = remember(recalled, self._spec, labels, kind=shown[0].kind, name=name, now=now)
        self.rows += bool(block)
        self.summaries += f"{MARK} {SUMMARY}" in block
        return block

    def recalled(self, messages: Sequence[Message], now: float, start: float) -> list[Recalled]:
        """What a bot would be reminded of by these messages, in a session that began then."""
        if not self._on:
            return []
        vectors = self._known(asking(messages, self._spec.silence))
        return self._reminding.of(messages, self._spec, now=now, before=start, vectors=vectors)

    def _drawn(self, seen: Sequence[Message], draw: random.Random) -> list[Recalled]:
        store = self._reminding.lines
        if store is None:
            return []
        places = [draw.random() for _ in range(draw.randint(1, MOST))]
        return [Recalled("line", line.message) for line in store.drawn(seen[-1].chat, places, before=seen[0].time)]


def _first_reply(shown: Sequence[Message], chosen: Mapping[str, Verdict]) -> int:
    """Where the turn of the first reply that is learned begins: what comes from there on is not to be known."""
    learned = (
        place
        for place, message in enumerate(shown)
        if message.learnable and (verdict := chosen.get(message.id)) is not None and verdict.learned
    )
    first = next(learned, len(shown))
    while 0 < first < len(shown) and shown[first - 1].mine:
        first -= 1
    return first


def _records(data: Path, model: str) -> Recall | None:
    """The lines as the bot has them, for their vectors; None where it uses none, or nothing is remembered yet."""
    path = data / "memory.db"
    if not model or not path.is_file():
        return None
    records = Recall.open(path)
    records.embedded_by(model)
    return records


def facts_of(data: Path) -> Facts:
    """The facts beside the records."""
    path = data / "me.toml"
    return Facts.load(path) if path.is_file() else Facts()
