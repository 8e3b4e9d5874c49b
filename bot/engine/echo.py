"""No model at all: answers with the last line it was told. For tests and for wiring up."""

import asyncio
import re
from collections.abc import AsyncGenerator
from datetime import datetime, timezone

from bot.counting import Count
from bot.engine.wire import Ask, Piece, Sampling
from bot.persona.manifest import Model, Persona, Provenance
from bot.persona.prompt import ANSWERS, SILENCE, PromptSpec

_QUOTE = re.compile(r"\\「.*?\\」")


class Echo:
    """A Talker that repeats the last words of the last user turn, one character a piece; no mark of ours."""

    def __init__(self, name: str = "回声") -> None:
        self._persona = Persona(
            name="echo",
            model=Model(base="echo", context=4096),
            prompt=PromptSpec(me=name),
            provenance=Provenance(created=datetime(2023, 1, 1, tzinfo=timezone.utc)),
        )

    @property
    def persona(self) -> Persona:
        return self._persona

    @property
    def count(self) -> Count | None:
        return None

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        said = [message["content"] for message in messages if message["role"] == "user"]
        lines = [line for line in (said[-1] if said else "").split("\n") if not line.startswith((SILENCE, ANSWERS))]
        line = _QUOTE.sub("", lines[-1]) if lines else ""
        for stop in sampling.stop:
            line = line.split(stop, 1)[0]
        for character in line[: sampling.max_tokens]:
            await asyncio.sleep(0)
            yield Piece(character, persona=self._persona.hash)
        yield Piece(finish="stop" if len(line) <= sampling.max_tokens else "length", persona=self._persona.hash)

    async def close(self) -> None:
        return
