"""What a prompt says since another one of its chat: its history left out, line by line.

Knows how prompts are written: bubbles are lines, marks are lines that nobody can type, what I am reminded
of stands in the system turn. Of an earlier prompt only numbers are kept, no text. Doesn't know why.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from bot.persona.memory import MARK
from bot.persona.prompt import ANSWERS, SILENCE

Messages = list[dict[str, str]]


def lines_of(messages: Sequence[dict[str, str]]) -> list[int]:
    """A number for each line of a prompt that somebody has said, oldest first."""
    return [hash((role, line)) for role, line in _lines(messages) if not _is_mark(line)]


def shared(older: Sequence[int], newer: Sequence[int]) -> int:
    """How many lines of a newer prompt, from its beginning, are over with the last that stood in an older one."""
    *blocks, _ = SequenceMatcher(None, older, newer, autojunk=False).get_matching_blocks()
    return blocks[-1].b + blocks[-1].size if blocks else 0


def since(messages: Sequence[dict[str, str]], older: Sequence[int]) -> Messages:
    """The prompt without what stood in an older one, and without memories; empty where nobody else has spoken since."""
    kept = _after(messages, shared(older, lines_of(messages)))
    if not any(role == "user" and not _is_mark(line) for role, line in kept):
        return []
    head = [{**turn, "content": _without_memories(turn["content"])} for turn in messages if turn["role"] == "system"]
    turns = [
        {"role": role, "content": "\n".join(line for _, line in lines)}
        for role, lines in groupby(kept, key=lambda one: one[0])
    ]
    # The first after the system turn is the user's, as everywhere.
    first = [{"role": "user", "content": SILENCE}] if turns[0]["role"] == "assistant" else []
    return [*head, *first, *turns]


def _after(messages: Sequence[dict[str, str]], left: int) -> list[tuple[str, str]]:
    """Role and line of what follows the first so many lines, with the marks that belong to it."""
    kept: list[tuple[str, str]] = []
    for role, line in _lines(messages):
        if _is_mark(line):
            if not left and _belongs(line, kept):
                kept.append((role, line))
        elif left:
            left -= 1
        else:
            kept.append((role, line))
    return kept


def _lines(messages: Sequence[dict[str, str]]) -> Iterator[tuple[str, str]]:
    for turn in messages:
        if turn["role"] != "system":
            for line in turn["content"].split("\n"):
                yield turn["role"], line


def _is_mark(line: str) -> bool:
    return line.startswith((SILENCE, ANSWERS))


def _belongs(mark: str, kept: Sequence[tuple[str, str]]) -> bool:
    """Whether a mark may stand after these lines: one that answers a line must answer one of them."""
    if mark.startswith(SILENCE):
        return bool(kept)
    answered = mark.removeprefix(ANSWERS).rstrip("…")
    return any(line.startswith(answered) for _, line in kept)


def _without_memories(system: str) -> str:
    lines = system.split("\n")
    return "\n".join(line for line in lines if not line.startswith(MARK))
