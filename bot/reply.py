"""One reply of the persona: from the messages of a chat to bubbles that may be sent.

Knows the prompt, the engine and the guard; doesn't know when to speak, nor where bubbles go.
The chat, the browser, the demo and the platforms all come through here.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import takewhile

from bot.counting import Count
from bot.engine.wire import Ask, Finish, Sampling, Talker
from bot.persona import privacy
from bot.persona.message import Message
from bot.persona.prompt import Labels, PromptSpec, readable, split_reply, to_prompt, without_media
from bot.persona.pseudonyms import Hidden


@dataclass(slots=True)
class Where:
    """A chat as the prompt sees it: its kind, its partner's or group's name, and its labels."""

    kind: str
    name: str
    labels: Labels = field(default_factory=dict)
    start: str = ""
    """Id of the message that the last prompt began with, so that the next one begins there too."""


@dataclass(slots=True, frozen=True)
class Said:
    """One step of a reply: a finished bubble, or (last) how it ended."""

    bubble: str = ""
    finish: Finish | None = None
    persona: str = ""
    why: str = ""
    held_back: int = 0
    """Bubbles that the guard kept from being said, so far."""


async def reply(
    talker: Talker,
    messages: Sequence[Message],
    where: Where,
    sampling: Sampling,
    *,
    now: float | None = None,
    answering: str | None = None,
    quoted: Mapping[str, Message] | None = None,
    guard: bool = True,
    ask: Ask | None = None,
) -> AsyncGenerator[Said, None]:
    """The reply to a chat's messages, bubble by bubble as they are finished; the last has `finish`.

    `quoted` are older messages that these quote, by id. Where the talker can count tokens, the prompt is
    kept within the persona's context.
    """
    persona = talker.persona
    prompt = prompt_for(
        messages,
        persona.prompt,
        where,
        now=now,
        answering=answering,
        quoted=quoted,
        count=talker.count,
        budget=persona.model.context - sampling.max_tokens,
    )
    known = "\n".join(m.text for m in messages)
    hidden = Hidden(persona.prompt.pseudonyms, [*(quoted or {}).values(), *messages])
    before = _last_words(messages)
    pending, held = "", 0
    async with aclosing(talker.stream(prompt, sampling, ask)) as stream:
        async for piece in stream:
            pending += piece.text
            lines = pending.split("\n")
            if not piece.finish:
                pending = lines.pop()
            elif piece.finish not in ("stop", "length"):
                lines = []
            for bubble in split_reply("\n".join(lines)):
                drafted = without_media(bubble)
                # A made-up name whose bearer isn't known here would be said to real people.
                spoken = hidden.revealed(drafted, where.labels)
                safe = spoken is not None and (not guard or privacy.sendable(spoken, known, before))
                spoken = drafted if spoken is None else spoken
                before.append(spoken)
                if spoken and not safe:
                    held += 1
                elif spoken:
                    yield Said(spoken, persona=piece.persona, held_back=held)
            if piece.finish:
                yield Said(finish=piece.finish, persona=piece.persona, why=piece.why, held_back=held)


def prompt_for(
    messages: Sequence[Message],
    spec: PromptSpec,
    where: Where,
    *,
    now: float | None = None,
    answering: str | None = None,
    quoted: Mapping[str, Message] | None = None,
    count: Count | None = None,
    budget: int = 0,
) -> list[dict[str, str]]:
    """The prompt for the reply that comes next, within `budget` tokens and the persona's reach.

    It begins where the chat's last one did. When that is too long a quarter goes at once: a prompt
    that slid by a message each time would never be found again in a server's prefix cache.
    """
    shown = [message for message in messages if readable(message)]
    full = len(shown) >= spec.history(where.kind)
    missing = _quarter(shown) if full else 0
    begin = next((place for place, message in enumerate(shown) if message.id == where.start), missing)
    while True:
        here = shown[begin:]
        before = {message.id: message for message in shown[:begin]}
        prompt = to_prompt(
            here,
            spec,
            where.labels,
            kind=where.kind,
            name=where.name,
            now=now,
            answering=answering,
            quoted={**before, **(quoted or {})},
        )
        short = len(here) <= spec.history(where.kind) and (count is None or count(prompt) <= budget)
        if short or len(here) <= 1:
            where.start = here[0].id if here else ""
            return prompt
        begin += _quarter(here)


def _quarter(messages: Sequence[Message]) -> int:
    """How many of the oldest go at once: whole turns where one ends near enough, never the last message."""
    least = max(1, len(messages) // 4)
    near = range(least, min(2 * least, len(messages) - 1) + 1)
    return next((place for place in near if messages[place].mine != messages[place - 1].mine), least)


def _last_words(messages: Sequence[Message]) -> list[str]:
    """What I said last, with nobody in between: a number begun there may go on in the next bubble."""
    mine = takewhile(lambda message: message.mine, reversed(messages))
    return [message.text for message in mine][::-1]


def greedy(sampling: Sampling) -> Sampling:
    """The same sampling, always taking the likeliest token."""
    return replace(sampling, temperature=0.0)
