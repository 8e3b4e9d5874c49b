"""One reply of the persona: from the messages of a chat to bubbles that may be sent.

Knows the prompt, the engine, the guard, and the lines that code says in the persona's place; doesn't know when to speak, nor where bubbles go.
The chat, the browser, the demo and the platforms all come through here.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from bot.counting import Count
from bot.engine.wire import Ask, Finish, Piece, Sampling, Talker
from bot.honesty import declined, fixed_answer
from bot.persona.guard import Elsewhere, Guard, Reason, never_mind
from bot.persona.memory import Recalled
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
    size: int = 0
    """Characters of the last prompt."""


@dataclass(slots=True, frozen=True)
class Said:
    """One step of a reply: a finished bubble, or (last) how it ended."""

    bubble: str = ""
    finish: Finish | None = None
    persona: str = ""
    why: str = ""
    held_back: int = 0
    """Bubbles that the guard kept from being said, so far."""
    reasons: tuple[Reason, ...] = ()
    """With `finish`: why these were; also "money" where it was asked for and a fixed line said no."""


async def reply(
    talker: Talker,
    messages: Sequence[Message],
    where: Where,
    sampling: Sampling,
    *,
    now: float | None = None,
    answering: str | None = None,
    quoted: Mapping[str, Message] | None = None,
    memory: Sequence[Recalled] = (),
    guard: bool = True,
    disclosure: bool = True,
    called: bool = True,
    elsewhere: Sequence[Elsewhere] = (),
    never: Callable[[str], bool] = never_mind,
    faces: bool = False,
    ask: Ask | None = None,
) -> AsyncGenerator[Said, None]:
    """The reply to a chat's messages, bubble by bubble as they are finished; the last has `finish`.

    `quoted` are older messages that these quote, by id; `memory` is what else to be reminded of. Where the
    talker can count tokens, the prompt is kept within the persona's context. Whoever asks whether an AI writes
    here (unless `disclosure` is off), or for money, a code or a credential, gets a fixed line, if he has `called`
    me. `elsewhere` says what other chats hold, beside the persona's own records; `never` what I never say.
    `faces`: a face mark may stay, it is sent as one.
    """
    persona = talker.persona
    line, reasons = fixed_answer(messages, answering, disclosure=disclosure, guard=guard) if called else ("", ())
    if line:
        yield Said(line, persona=persona.hash)
        yield Said("", "stop", persona.hash, reasons=reasons)
        return
    prompt = prompt_for(
        messages,
        persona.prompt,
        where,
        now=now,
        answering=answering,
        quoted=quoted,
        memory=memory,
        count=talker.count,
        budget=persona.model.context - sampling.max_tokens,
    )
    records = (persona.copies.from_elsewhere,) if persona.copies else ()
    asker = next((m.sender for m in messages if m.id == answering), "")
    guarding = Guard.of(messages, asker, elsewhere=[*records, *elsewhere], on=guard)
    guarding.reminded, guarding.never = "\n".join(one.message.text for one in memory), never
    hidden = Hidden(persona.prompt.pseudonyms, [*(one.message for one in memory), *(quoted or {}).values(), *messages])
    instead = declined(messages, answering) if called else ""
    async with (
        aclosing(talker.stream(prompt, sampling, ask)) as stream,
        aclosing(_judged(stream, guarding, hidden, where.labels, instead, faces)) as steps,
    ):
        async for said in steps:
            yield said


async def _judged(
    stream: AsyncGenerator[Piece, None], guarding: Guard, hidden: Hidden, labels: Labels, instead: str, faces: bool
) -> AsyncGenerator[Said, None]:
    """The bubbles of a reply that may be said, as they are finished; `instead` of a mere yes to a request."""
    pending, said = "", False
    held: list[Reason] = []
    async for piece in stream:
        pending += piece.text
        lines = pending.split("\n")
        if not piece.finish:
            pending = lines.pop()
        elif piece.finish not in ("stop", "length"):
            lines = []
        for bubble in split_reply("\n".join(lines)):
            if not (drafted := without_media(bubble, faces=faces)):
                continue
            # A made-up name whose bearer isn't known here would be said to real people.
            spoken = hidden.revealed(drafted, labels)
            why = guarding.holds(drafted if spoken is None else spoken)
            if spoken is None or why:
                held.append(why or "data")
            else:
                said = True
                yield Said(spoken, persona=piece.persona, held_back=len(held))
        if piece.finish:
            if instead and not said and "money" in held:
                yield Said(instead, persona=piece.persona, held_back=len(held))
            reasons = tuple(held)
            yield Said("", piece.finish, piece.persona, piece.why, len(held), reasons)


def prompt_for(
    messages: Sequence[Message],
    spec: PromptSpec,
    where: Where,
    *,
    now: float | None = None,
    answering: str | None = None,
    quoted: Mapping[str, Message] | None = None,
    memory: Sequence[Recalled] = (),
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
            memory=memory,
        )
        short = len(here) <= spec.history(where.kind) and (count is None or count(prompt) <= budget)
        if short or len(here) <= 1:
            where.start = here[0].id if here else ""
            where.size = sum(len(turn["content"]) for turn in prompt)
            return prompt
        begin += _quarter(here)


def _quarter(messages: Sequence[Message]) -> int:
    """How many of the oldest go at once: whole turns where one ends near enough, never the last message."""
    least = max(1, len(messages) // 4)
    near = range(least, min(2 * least, len(messages) - 1) + 1)
    return next((place for place in near if messages[place].mine != messages[place - 1].mine), least)


def greedy(sampling: Sampling) -> Sampling:
    """The same sampling, always taking the likeliest token."""
    return replace(sampling, temperature=0.0)
