r"""The 2023 notebook's train.json, as that notebook and training/train_json.py wrote it.

    {"text": "### Human: 在吗 ### Assistant: 在"}

No times, names or chats: only which reply belongs to what, and the order of the rows. So every row
is an exchange of its own, an hour after the one before it, beginning in 1970. What train_json.py
escapes is unescaped, if all backslashes of the file are such escapes.
"""

import json
import re
from collections.abc import Iterator
from pathlib import PurePath

from bot.persona.message import Message, Segment
from bot.persona.prompt import unescape
from training.importers.source import Notes, Source, Zone, fingerprint

LONGEST = 16 << 20
"""Bytes of one line; a longer one counts as broken."""

HUMAN, ASSISTANT = "Human", "Assistant"

_STEP = 3600
_FIRST = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"text"\s*:\s*"### Human:')
_MARKER = re.compile(r" ?### (Human|Assistant): ?")
_FOREIGN = re.compile(r"\\(?![\\n])")


def sniff(source: Source) -> float:
    """Sure when the first line is such a row."""
    return 0.95 if _FIRST.match(source.head) else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:  # noqa: ARG001
    """Both sides of every row, the Human's first; one bubble a line."""
    escaped = not any(_foreign(text) for _, text, _ in _texts(source) if text is not None)
    notes.owners.add(ASSISTANT)
    chat = f"train_json:private:{PurePath(source.name).stem}"
    identify = fingerprint(chat)
    exchange = 0
    for number, text, raw in _texts(source):
        turns = _turns(text) if text is not None else []
        if not turns:
            notes.drop("broken_row" if text is None else "not_a_message", source, number, raw)
            continue
        if [speaker for speaker, _ in turns] != [HUMAN, ASSISTANT]:
            notes.drop("more_markers", source, number, raw)
            continue
        exchange += 1
        time = exchange * _STEP
        for speaker, said in turns:
            for line in said.split("\n"):
                body = unescape(line) if escaped else line
                yield Message(
                    identify(time, speaker, body),
                    chat,
                    "private",
                    time,
                    speaker,
                    speaker,
                    [Segment("text", body)],
                    precision="day",
                    source=f"{source.name}:{number}",
                    chat_name=HUMAN,
                )
                time = min(time + 1, exchange * _STEP + _STEP // 2)


def _texts(source: Source) -> Iterator[tuple[int, str | None, bytes]]:
    """Line number, the row's text (None if it can't be read) and the line; blank lines are none."""
    source.file.seek(0)
    number = 0
    while line := source.file.readline(LONGEST):
        number += 1
        whole = line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = source.file.readline(LONGEST)
        if whole.strip():
            yield number, _text(whole, "utf-8-sig" if number == 1 else "utf-8"), whole


def _text(line: bytes, encoding: str) -> str | None:
    try:
        text = json.loads(line.decode(encoding))["text"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return text if isinstance(text, str) else None


def _turns(text: str) -> list[tuple[str, str]]:
    """Who says what; empty for a text that doesn't begin with a marker."""
    markers = list(_MARKER.finditer(text))
    if not markers or markers[0].start() > 0:
        return []
    ends = [marker.start() for marker in markers[1:]] + [len(text)]
    return [(marker[1], text[marker.end() : end]) for marker, end in zip(markers, ends, strict=True)]


def _foreign(text: str) -> bool:
    """Whether a backslash stands in it that train_json.py would not have written."""
    return "\\" in text and _FOREIGN.search(text.replace("\\\\", "")) is not None
