r"""What the persona is reminded of before it replies: facts, a summary, earlier lines of the chat.

    \※ 阿树: 我在宠物店上班                        a fact about me
    \※ 【小结】昨天: 说好周末一起搬家               what we are to each other, and what is open
    \※ 3个月前 阿泽: 我对花生过敏                  a line that was said here

One block in the system turn, the same function in training and in the bot. A line of it can't be forged:
in what anybody says a backslash is doubled, and no line break is left; ages are ours and stand first.
Doesn't know where memories are kept or how they are found (bot/recall.py), nor who may hear what.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.persona.message import Message
from bot.persona.moments import age, settled

MARK = "\\※"
SUMMARY = "【小结】"
"""No name has such brackets."""
LONGEST = 80
"""Characters of a remembered line that are shown; a summary may be three times as long."""
ASKING = 4
"""Lines at the end of a chat that say what it is about."""

Kind = Literal["fact", "summary", "line"]


@dataclass(slots=True, frozen=True)
class Recalled:
    """Something remembered: as it was said, by whom and when."""

    kind: Kind
    message: Message
    """A fact is a message of mine; a summary one of nobody's."""
    score: float = 0.0
    """How well it fits what was asked."""
    key: int = 0
    """What it is kept under; 0 for what is no line."""
    seq: int | None = None
    """Its number in the bot's history; None where it came from records."""
    answers: bool = False
    """Whether it answers what was asked, as far as words tell; else it only has to do with it."""


def memory_block(
    recalled: Sequence[Recalled],
    now: float,
    budget: int,
    *,
    utc_offset: int,
    says: Callable[[Message], str],
    who: Callable[[Message], str],
) -> str:
    """The lines of the block, within `budget` characters; empty where there is nothing to remember.

    `recalled` with the most wanted first: what doesn't fit any more is left out whole. `says` is how the prompt
    writes a message (scrubbed and escaped, on one line), `who` how it calls its sender. Facts stand first,
    then the summary, then lines in the order they were said. What has passed by `now` is dropped.
    """
    kept: list[tuple[int, int, str]] = []
    for memory in recalled:
        line = _line(memory, now, utc_offset, says, who)
        if line and len(line) + 1 <= budget and all(line != known for *_, known in kept):
            budget -= len(line) + 1
            kept.append((("fact", "summary", "line").index(memory.kind), memory.message.time, line))
    # Sorting is stable: facts of one moment stay in the order of their rank.
    return "\n".join(line for *_, line in sorted(kept, key=lambda one: one[:2]))


def _line(
    memory: Recalled, now: float, utc_offset: int, says: Callable[[Message], str], who: Callable[[Message], str]
) -> str:
    message = memory.message
    whole = settled(says(message), message.time, now, utc_offset, lasting=memory.kind == "fact")
    if not whole:
        return ""
    longest = LONGEST * 3 if memory.kind == "summary" else LONGEST
    text = whole if len(whole) <= longest else whole[:longest].rstrip("\\") + "…"
    if memory.kind == "fact":
        return f"{MARK} {who(message)}: {text}"
    said = age(message.time, now, utc_offset)
    return f"{MARK} {SUMMARY}{said}: {text}" if memory.kind == "summary" else f"{MARK} {said} {who(message)}: {text}"


def asking(messages: Sequence[Message], silence: float) -> list[Message]:
    """The end of a chat that says what it is about: its last lines, as far as no silence parts them."""
    found: list[Message] = []
    for message in reversed(messages):
        if found and (len(found) == ASKING or found[-1].time - message.time >= silence):
            break
        if message.spoken and not message.bare_media:
            found.append(message)
    return found[::-1]
