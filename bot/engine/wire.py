"""What everybody who speaks with an engine shares: how to sample, what comes back, how it ends.

A request ends in exactly one terminal piece, whatever happens to the engine meanwhile.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.counting import Count
from bot.persona.manifest import Generation, Persona

Finish = Literal["stop", "length", "cancelled", "timeout", "error", "busy"]
Rank = Literal["addressed", "private", "join"]
"""Who goes first where many wait: who called me, who writes in private, a talk I'd join unasked."""
RANKS: tuple[Rank, ...] = ("addressed", "private", "join")


@dataclass(slots=True, frozen=True)
class Sampling:
    """How a reply is drawn. `temperature` 0 always takes the likeliest token; `top_k` 0 is off."""

    temperature: float = 0.8
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    max_tokens: int = 128
    seed: int | None = None
    stop: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, generation: Generation, *, temperature: float | None = None, max_tokens: int | None = None
    ) -> "Sampling":
        """The persona's own sampling, with the operator's overrides."""
        return cls(
            temperature=generation.temperature if temperature is None else temperature,
            top_p=generation.top_p,
            top_k=generation.top_k,
            min_p=generation.min_p,
            repetition_penalty=generation.repetition_penalty,
            max_tokens=max_tokens or generation.max_tokens,
        )


@dataclass(slots=True, frozen=True)
class Piece:
    """Some text of a reply; the last piece, and only that, has `finish`.

    `persona` is the hash of the persona that speaks; `why` says, for the log, what went wrong.
    """

    text: str = ""
    finish: Finish | None = None
    persona: str = ""
    why: str = ""


@dataclass(slots=True, frozen=True)
class Ask:
    """For whom a reply is drawn: what decides who goes first, and which server remembers the chat."""

    chat: str
    rank: Rank = "private"
    patience: float | None = None
    """Seconds after which a reply that has not begun is not wanted any more; None: as long as any may take."""


class Talker(Protocol):
    """An engine as the bot sees it: our worker, a server elsewhere, or the echo."""

    @property
    def persona(self) -> Persona:
        """Whose prompt format and sampling hold now."""
        ...

    @property
    def count(self) -> Count | None:
        """Tokens of a prompt as that persona reads it, so that it is kept within its context; None: unknown."""
        ...

    def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        """The reply to a prompt, piece by piece; the last piece has `finish`. Never raises for the engine's faults.

        Closing the iterator cancels the request. Without `ask` nobody is preferred.
        """
        ...

    async def close(self) -> None:
        """Let go of the engine; an own worker process ends."""
        ...
