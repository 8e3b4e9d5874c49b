"""The bot's memories at work: lines follow the history, what is gone from there goes here too.

Knows the history and where memories are kept; doesn't know prompts, nor who may give commands. Everything
that touches the file runs in a thread, one thing at a time: a search must not hold up the other chats.

A line that the history no longer has, or that was recalled there, is never told, even before it is
deleted here; nor is anything from before a chat was cleared.
"""

import asyncio
import logging
import math
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from bot.embeddings import Embeddings
from bot.forget import Target
from bot.history import IDS_AT_ONCE, History, message_of
from bot.persona.facts import Fact, Facts
from bot.persona.grams import asked
from bot.persona.memory import Recalled, asking
from bot.persona.message import Message
from bot.persona.prompt import PromptSpec
from bot.recall import Recall
from bot.recall_tables import key_of
from bot.recall_vectors import FEWEST, Vector, Vectors, fact_key
from bot.reminding import Reminding
from bot.summaries import Summaries
from bot.tables import messages as kept
from config.settings import Bot

logger = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 2000
"""Rows of the history that are taken in at once."""
IDLE, BREATH, LULL = 5.0, 1.0, 30.0
"""Seconds without a question after which lines get vectors; between two requests for some; and where none can be had."""
AT_A_TIME = 64
"""Lines of one such request."""
CHATS = 4096
"""Chats of which is known what was recalled last."""


class Remembering:
    """What the bot remembers in all chats. Made by `open`, let go of by `close`."""

    def __init__(
        self,
        history: History,
        lines: Recall | None,
        me: Path,
        facts: Facts,
        summaries: Summaries | None = None,
        embeddings: Embeddings | None = None,
    ) -> None:
        self._history, self._me = history, me
        self._reminding = Reminding(lines, facts, summaries)
        self._embeddings = embeddings if lines is not None else None
        self._asked_at = -math.inf
        self._idle: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self._last: OrderedDict[str, tuple[str, tuple[Recalled, ...]]] = OrderedDict()
        """Chat → where its last prompt began, and what it was reminded of."""

    @classmethod
    async def open(cls, history: History, settings: Bot) -> "Remembering":
        """With what is there: a file that isn't is nothing remembered. InputError where one can't be read,
        SettingsError as Embeddings."""
        facts = Facts.load(settings.me) if settings.me.is_file() else Facts()
        summaries = Summaries(settings.summaries) if settings.summaries.is_dir() else None
        embeddings = Embeddings.of_settings(settings)
        # Last: what was opened must be closed, and the others may fail.
        lines = await asyncio.to_thread(Recall.open, settings.memory) if settings.memory.is_file() else None
        remembering = cls(history, lines, settings.me, facts, summaries, embeddings)
        history.forgets.append(remembering.forget)
        await remembering.tidy()
        if embeddings is not None and lines is not None:
            await asyncio.to_thread(lines.embedded_by, embeddings.model)
            remembering._idle = asyncio.create_task(remembering._embed_when_idle(embeddings, lines))
        return remembering

    async def close(self) -> None:
        """Let go of the file."""
        self._history.forgets.remove(self.forget)
        if self._idle is not None:
            self._idle.cancel()
            await asyncio.gather(self._idle, return_exceptions=True)
        if self._embeddings is not None:
            await self._embeddings.close()
        if self._reminding.lines is not None:
            await self._alone(self._reminding.lines.close)

    @property
    def _any(self) -> bool:
        """Whether there is anything that could be recalled."""
        about = self._reminding
        return about.lines is not None or about.summaries is not None or bool(about.facts.fact)

    @property
    def facts(self) -> Facts:
        return self._reminding.facts

    async def recall(
        self, messages: Sequence[Message], spec: PromptSpec, *, now: float, start: str = ""
    ) -> tuple[Recalled, ...]:
        """What the end of a chat reminds of, the most wanted first; `messages` are all that a prompt may show.

        `start` is where the chat's last prompt began: as long as the next one begins there too and is reminded of
        nothing new, it keeps its memories, and with them the beginning that an engine has read already.
        """
        if not messages or not spec.memory or not self._any:
            return ()
        chat = messages[-1].chat
        self._asked_at = time.monotonic()
        cleared = float(self._history.setting(chat, "cleared") or "-inf")
        try:
            await self._follow()
            vectors = await self._vectors(messages, spec)
            found = await self._alone(
                lambda: self._reminding.of(messages, spec, now=now, after=cleared, vectors=vectors)
            )
        except sqlite3.Error as error:
            logger.error("nothing remembered in %s: %s", chat, error)
            return ()
        found = await self._still_there(found)
        began, last = self._last.get(chat, ("", ()))
        last = tuple(one for one in last if one.kind != "line" or one.message.time > cleared)
        if start and start == began and _brings_nothing_new(found, last):
            found = await self._still_there(last)
        self._last.pop(chat, None)
        self._last[chat] = (start, tuple(found))
        if len(self._last) > CHATS:
            self._last.popitem(last=False)
        return tuple(found)

    def last(self, chat: str) -> tuple[Recalled, ...]:
        """What the last reply in a chat was reminded of; for the owner's eyes."""
        return self._last.get(chat, ("", ()))[1]

    async def remember(self, fact: Fact) -> None:
        """Add a fact, and write me.toml. What is there in the same words is replaced."""
        others = [known for known in self._written() if known.text != fact.text]
        await self._keep(Facts(fact=[*others, fact]))

    async def forget_facts(self, words: str) -> list[Fact]:
        """Delete the facts with these words in them, and write me.toml; which they were."""
        known = self._written()
        gone = [fact for fact in known if words.strip() and words.strip() in fact.text]
        if gone:
            await self._keep(Facts(fact=[fact for fact in known if fact not in gone]))
        return gone

    async def forget(self, target: Target, at: float) -> int:
        """Delete the lines that the history deletes, imported ones too; how many went. They don't come back."""
        for known in [known for known in self._last if target.chat in ("", known)]:
            del self._last[known]
        lines, summaries = self._reminding.lines, self._reminding.summaries
        if summaries is not None:
            # It may tell of what is forgotten: the next one is written without.
            for chat in [target.chat] if target.chat else summaries.chats():
                summaries.forget(chat, whole=target.whole(chat))
        if lines is None:
            return 0
        await self.tidy()
        return await self._alone(lambda: lines.forget(target.chat, target.sender, target.message, until=int(at)))

    async def tidy(self) -> int:
        """Delete the lines that the history no longer has, or that were recalled there; how many went."""
        lines = self._reminding.lines
        if lines is None:
            return 0
        live = await self._alone(lines.live)
        gone: list[tuple[int, int]] = []
        for start in range(0, len(live), IDS_AT_ONCE):
            gone += await self._gone(live[start : start + IDS_AT_ONCE])
        return await self._drop(lines, gone)

    async def _follow(self) -> None:
        """Take in what was said since the last time."""
        lines = self._reminding.lines
        while lines is not None:
            since = await self._alone(lines.followed)
            query = select(kept).where(kept.c.seq > since, kept.c.recalled.is_(False)).order_by(kept.c.seq)
            rows = await self._history.database.read(query.limit(AT_ONCE))
            if not rows:
                return
            said = [(message_of(row), row.seq) for row in rows]
            await self._alone(partial(_take_in, lines, said))

    async def _vectors(self, messages: Sequence[Message], spec: PromptSpec) -> dict[int, Vector]:
        """Of the lines that say what it is about; none where words alone find."""
        lines, about = self._reminding.lines, asking(messages, spec.silence)
        if self._embeddings is None or lines is None or lines.vectors is None or not about:
            return {}
        texts = {key_of(message.chat, message.id): message.text for message in about}
        if not asked(texts.values()) or await self._alone(partial(lines.size, about[-1].chat)) < FEWEST:
            return {}
        known = await self._alone(partial(lines.vectors.of, list(texts)))
        unknown = [key for key in texts if key not in known]
        found = await self._embeddings.of([texts[key] for key in unknown]) if unknown else []
        if found:
            fresh = dict(zip(unknown, found, strict=True))
            await self._alone(partial(lines.vectors.keep, fresh))
            known |= fresh
        return known

    async def _embed_when_idle(self, embeddings: Embeddings, lines: Recall) -> None:
        """Give vectors to the lines that have none, a few at a time, while nobody waits for a reply."""
        pause = BREATH
        while True:
            await asyncio.sleep(pause)
            if time.monotonic() - self._asked_at < IDLE:
                continue
            try:
                pause = BREATH if await self._embed_some(embeddings, lines) else LULL
            except (sqlite3.Error, SQLAlchemyError) as error:
                logger.error("no vectors made: %s", type(error).__name__)
                pause = LULL

    async def _embed_some(self, embeddings: Embeddings, lines: Recall) -> int:
        """How many facts, else lines, got a vector, or went."""
        await self._follow()
        if lines.vectors is not None and (facts := await self._alone(partial(lines.vectors.lacking, self._told()))):
            return await self._embed_facts(embeddings, lines.vectors, facts[:AT_A_TIME])
        missing = await self._alone(partial(lines.without_vectors, AT_A_TIME))
        if not missing:
            return 0
        if gone := await self._gone(await self._alone(partial(lines.live_of, [key for key, _ in missing]))):
            # Recalled since it was taken in: nobody else is told.
            return await self._drop(lines, gone)
        found = await embeddings.of([text for _, text in missing], waited_for=False)
        if found is None or lines.vectors is None:
            return 0
        made = {key: one for (key, _), one in zip(missing, found, strict=True)}
        await self._alone(partial(lines.vectors.keep, made))
        return len(made)

    async def _embed_facts(self, embeddings: Embeddings, vectors: Vectors, facts: Sequence[str]) -> int:
        found = await embeddings.of(facts, waited_for=False)
        if found is None:
            return 0
        made = {fact_key(text): one.signs for text, one in zip(facts, found, strict=True)}
        await self._alone(partial(vectors.keep_facts, made))
        return len(made)

    def _told(self) -> list[str]:
        return [fact.text for fact in self.facts.told]

    async def _still_there(self, found: Sequence[Recalled]) -> list[Recalled]:
        """Without lines of the history that are gone from it, or recalled."""
        seqs = [one.seq for one in found if one.seq is not None]
        known = await self._kept(seqs) if seqs else {}
        return [one for one in found if one.seq is None or known.get(one.seq) == one.key]

    async def _gone(self, live: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Of these numbers and keys those whose line the history no longer has, or that was recalled there."""
        there = await self._kept([seq for seq, _ in live])
        return [(seq, key) for seq, key in live if there.get(seq) != key]

    async def _drop(self, lines: Recall, gone: Sequence[tuple[int, int]]) -> int:
        """Delete the lines with these numbers and keys; how many went."""
        if gone:
            # A database may give the numbers of deleted rows once more: what has them now is looked at again.
            first = min(seq for seq, _ in gone)
            await self._alone(lambda: lines.follow(min(lines.followed(), first - 1)))
        return await self._alone(lambda: lines.drop([key for _, key in gone]))

    async def _kept(self, seqs: Sequence[int]) -> dict[int, int]:
        """Of these numbers those that the history has, and whose they are by now."""
        query = select(kept.c.seq, kept.c.chat, kept.c.id).where(kept.c.seq.in_(seqs), kept.c.recalled.is_(False))
        return {row.seq: key_of(row.chat, row.id) for row in await self._history.database.read(query)}

    async def _keep(self, facts: Facts) -> None:
        await asyncio.to_thread(facts.write, self._me)
        self._reminding.facts = facts
        self._last.clear()
        lines = self._reminding.lines
        if lines is not None and lines.vectors is not None:
            await self._alone(partial(lines.vectors.lacking, self._told()))

    def _written(self) -> list[Fact]:
        """The facts of the file as it is now: the owner may have edited it since."""
        return Facts.load(self._me).fact if self._me.is_file() else []

    async def _alone(self, work: Callable[[], T]) -> T:
        # A thread goes on when who waits for it is cancelled: nobody else may begin until it has ended.
        return await asyncio.shield(asyncio.create_task(self._in_turn(work)))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        async with self._busy:
            return await asyncio.to_thread(work)


def _take_in(lines: Recall, said: Sequence[tuple[Message, int]]) -> None:
    lines.add(said)
    lines.follow(said[-1][1])


def _brings_nothing_new(found: Sequence[Recalled], last: Sequence[Recalled]) -> bool:
    before, now = ({_same(one) for one in some} for some in (last, found))
    return now <= before and not any(one.kind == "summary" and _same(one) not in now for one in last)


def _same(one: Recalled) -> tuple[str, int, str]:
    return one.kind, one.message.time, one.message.text
