"""General dialogue, mixed in among my own against forgetting how to talk about anything else.

Reads {"messages": [{"role", "content"}]} (OpenAI's) and {"conversations": [{"from", "value"}]}
(ShareGPT's), one object a line. Such rows have a system turn of their own, so that they say nothing
about me.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

from bot.persona.prompt import Bubble, Turn
from config.errors import InputError

_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}


def rows(path: Path, wanted: int, dropped: Counter[str]) -> Iterator[dict[str, Any]]:
    """So many rows of the file, from its beginning again where it is short; broken lines are counted."""
    found = list(islice(_dialogues(path, dropped), wanted))
    if not found and wanted:
        hint = 'one object a line: {"messages": [{"role": "user", "content": "…"}, …]}'
        raise InputError(f"{path}: no dialogue in it", hint=hint)
    for number, turns in enumerate(islice(cycle(found), min(wanted, 3 * len(found)))):
        yield {
            "id": f"general-{number}",
            "chat": "general",
            "kind": "general",
            "name": "",
            "split": "train",
            "start": 0,
            "turns": [turn.to_row() for turn in turns],
        }


def _dialogues(path: Path, dropped: Counter[str]) -> Iterator[list[Turn]]:
    try:
        with path.open(encoding="utf-8-sig", newline="\n", errors="replace") as file:
            for line in file:
                turns = _turns(line)
                if turns:
                    yield turns
                elif line.strip():
                    dropped["no_general_dialogue"] += 1
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="check [dataset] general") from None


def _turns(line: str) -> list[Turn]:
    """The turns of one line, the assistant's to be learned; none if it is no dialogue."""
    try:
        row = json.loads(line)
        said = row.get("messages") or row.get("conversations") or []
        turns: list[Turn] = []
        for one in said:
            role, text = _ROLES.get(one.get("role") or one.get("from")), one.get("content") or one.get("value")
            if role is None:
                continue
            # The persona's own lines are bubbles; a general answer is one, with its breaks inside.
            turns.append(Turn("user" if role == "user" else "assistant", [Bubble(text.strip(), target=role != "user")]))
    except (ValueError, AttributeError, TypeError):
        return []
    alternate = all(a.role != b.role for a, b in pairwise(turns))
    return turns if len(turns) > 1 and alternate and turns[0].role == "user" else []
