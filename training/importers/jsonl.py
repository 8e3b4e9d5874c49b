"""mybot's own messages.jsonl: one message a line, as `Message.to_json` writes it."""

import json
from collections.abc import Iterator

from bot.persona.message import Message
from training.importers.source import Notes, Source, Zone


def sniff(source: Source) -> float:
    """Sure when the first line is a message of ours."""
    try:
        Message.from_row(json.loads(source.head.split(b"\n", 1)[0]))
    except ValueError:
        return 0.0
    return 1.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages; a row that is none is dropped and accounted for."""
    source.file.seek(0)
    for number, raw in enumerate(source.file, 1):
        if not raw.strip():
            continue
        try:
            yield Message.from_row(json.loads(raw))
        except ValueError:
            notes.drop("not a message", source, number, raw)
