"""What a loaded model says at the moments of a sample, by the way that serves: prompt, engine, guard, bubbles.

    moments ─bot.reply.reply─▶ Local (a Talker) ─rows─▶ the engine's own batches ─▶ ledger

Each moment has its own seed, so it is answered alike in whatever company, and after a break. Needs a
model; doesn't know what the answers are for.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from bot.counting import Count
from bot.engine.wire import Ask, Piece, Sampling, Talker
from bot.persona.manifest import Persona
from bot.persona.prompt import split_reply, without_media
from bot.reply import Where, reply
from config.errors import EngineError
from config.settings import Engine
from training.evaluate.ledger import Ledger
from training.evaluate.sample import Moment, Reply

Note = Callable[[int, int], None]


class Local:
    """A loaded model as a Talker in this process; who asks at once is answered in one batch."""

    def __init__(self, loaded: Any, persona: Persona, knobs: Engine) -> None:
        from bot.engine.batches import Batches
        from bot.engine.model import generate
        from bot.engine.prompt_ids import prompt_ids

        self._loaded, self._persona = loaded, persona
        self._ids: Callable[[Any], list[int]] = lambda messages: prompt_ids(loaded.tokenizer, messages, True)
        nothing = lambda: None  # noqa: E731
        self._batches = Batches(lambda: loaded, generate, knobs, on_ready=nothing, on_end=nothing)
        self._batches.start()
        self.tokens = 0
        """Tokens drawn so far."""

    @property
    def persona(self) -> Persona:
        return self._persona

    @property
    def count(self) -> Count | None:
        return lambda messages: len(self._ids(messages))

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        from bot.engine.rows import Row

        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Piece] = asyncio.Queue()

        def deliver(piece: Piece) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        row = Row(self._ids(messages), sampling, math.inf, deliver, self._loaded.text_stream)
        if refused := self._batches.submit(row):
            raise EngineError(f"the engine is {refused}", hint="start the evaluation again: it goes on where it was")
        try:
            while True:
                piece = await pieces.get()
                yield piece
                if piece.finish:
                    return
        finally:
            row.cancelled = True
            self.tokens += row.produced

    async def close(self) -> None:
        self._batches.close()
        await asyncio.to_thread(self._batches.join)


class Prompted:
    """A talker that is told more in its system turn: who I am and how I answered before."""

    def __init__(self, talker: Talker, profile: Callable[[list[dict[str, str]]], str]) -> None:
        self._talker, self._profile = talker, profile

    @property
    def persona(self) -> Persona:
        return self._talker.persona

    @property
    def count(self) -> Count | None:
        plain = self._talker.count
        return None if plain is None else lambda messages: plain(self._told([dict(turn) for turn in messages]))

    def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        return self._talker.stream(self._told(messages), sampling, ask)

    async def close(self) -> None:
        await self._talker.close()

    def _told(self, messages: list[dict[str, str]]) -> list[dict[str, str]]:
        head, *rest = messages
        return [{**head, "content": f"{head['content']}\n{self._profile(messages)}"}, *rest]


def key(system: str, moment: Moment) -> str:
    """Where an answer stands in the ledger."""
    return f"say {system} {moment.id}"


def seed_of(seed: int, moment: Moment) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {moment.id}".encode()).digest()[:4], "big")


def speak(
    talker: Talker,
    system: str,
    moments: Sequence[Moment],
    ledger: Ledger,
    *,
    seed: int,
    at_once: int,
    note: Note,
    raw: Collection[str] = (),
) -> None:
    """Let the talker answer every moment that the ledger has no answer to.

    `raw` are ids of moments of which is kept, too, what the talker itself says where code answers for it.
    """
    asyncio.run(_speak(talker, system, moments, ledger, seed, at_once, note, raw))


async def _speak(
    talker: Talker,
    system: str,
    moments: Sequence[Moment],
    ledger: Ledger,
    seed: int,
    at_once: int,
    note: Note,
    raw: Collection[str],
) -> None:
    asked = [moment for moment in moments if key(system, moment) not in ledger]
    # Prompts of one length make the fullest batches.
    asked.sort(key=lambda moment: (sum(len(message.text) for message in moment.messages), moment.id))
    sampling = Sampling.of(talker.persona.generation)
    door, done = asyncio.Semaphore(at_once), 0

    async def one(moment: Moment) -> None:
        nonlocal done
        async with door:
            drawn = replace(sampling, seed=seed_of(seed, moment))
            said = await answer(talker, moment, drawn, raw=moment.id in raw)
        ledger.put(key(system, moment), said)
        done += 1
        note(done, len(asked))

    tasks = [asyncio.ensure_future(one(moment)) for moment in asked]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answer(talker: Talker, moment: Moment, sampling: Sampling, *, raw: bool = False) -> dict[str, Any]:
    """What is said at a moment: bubbles that may be sent, and, where the guard kept some back, all of them.

    With `raw` all of them also where the talker was never asked, because code had an answer.
    """
    bubbles, held, drafted, asked = await _answered(talker, moment, sampling, guard=True)
    if raw and not asked:
        _, held, drafted, _ = await _answered(talker, moment, sampling, guard=False)
        return {"bubbles": bubbles, "unguarded": drafted}
    return {"bubbles": bubbles, "unguarded": drafted} if held else {"bubbles": bubbles}


async def _answered(
    talker: Talker, moment: Moment, sampling: Sampling, *, guard: bool
) -> tuple[list[str], int, list[str], bool]:
    """Bubbles that may be sent, how many were held back, all that was drafted, and whether the talker was asked."""
    where = Where(moment.mine.kind, moment.name, dict(moment.labels))
    bubbles: list[str] = []
    held = 0
    heard = _Heard(talker)
    stream = reply(
        heard,
        moment.messages,
        where,
        sampling,
        now=moment.mine.time,
        answering=moment.answering,
        quoted=moment.quoted,
        memory=moment.memory,
        guard=guard,
        disclosure=guard,
        called=guard,
    )
    async with aclosing(stream) as steps:
        async for step in steps:
            held = step.held_back
            if step.bubble:
                bubbles.append(step.bubble)
            if step.finish not in (None, "stop", "length"):
                raise EngineError(
                    f"a reply ended in {step.finish}: {step.why or 'no reason given'}",
                    hint="start the evaluation again: it goes on where it was",
                )
    drafted = (without_media(bubble) for bubble in split_reply(heard.text))
    return bubbles, held, [bubble for bubble in drafted if bubble], heard.asked


class _Heard:
    """A talker of whom is kept what it said before the guard."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker
        self.persona, self.count = talker.persona, talker.count
        self.text, self.asked = "", False

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.asked = True
        async with aclosing(self._talker.stream(messages, sampling, ask)) as pieces:
            async for piece in pieces:
                self.text += piece.text
                yield piece

    async def close(self) -> None:
        await self._talker.close()


def answers(system: str, moments: Sequence[Moment], ledger: Ledger, *, guard: bool = True) -> list[Reply] | None:
    """The answers to all moments as replies at those places; None where one is missing."""
    if ledger.missing(key(system, moment) for moment in moments):
        return None
    said = [ledger.get(key(system, moment)) for moment in moments]
    bubbles = [one["bubbles"] if guard else one.get("unguarded", one["bubbles"]) for one in said]
    return [said_there(moment, there) for moment, there in zip(moments, bubbles, strict=True)]


def said_there(moment: Moment, bubbles: Sequence[str]) -> Reply:
    """Some bubbles as if they had been said at a moment."""
    ats = sum(bubble.count("@") for bubble in bubbles)
    return replace(moment.mine, bubbles=tuple(bubbles), delay=None, gaps=(), media=(), ats=ats, quotes=False)
