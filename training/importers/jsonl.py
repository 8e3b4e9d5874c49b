"""Our own messages.jsonl: what another machine, or an earlier mybot, has imported."""

import json
import re
from collections.abc import Iterator

from bot.persona.message import Message
from training.importers.source import Notes, Source, Zone

LONGEST = 16 << 20
"""Bytes of one line; a longer one counts as broken."""

_ROW = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{"id":\s*"[^\n]{0,400}?"chat":\s*"')


def sniff(source: Source) -> float:
    """Sure when the first line begins like a row of ours."""
    return 0.97 if _ROW.match(source.head) else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:  # noqa: ARG001
    """The rows that are messages; whoever was the owner there is suggested here."""
    source.file.seek(0)
    number = 0
    while line := source.file.readline(LONGEST):
        number += 1
        whole = line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = source.file.readline(LONGEST)
        if not whole.strip():
            continue
        try:
            message = Message.from_row(json.loads(whole.decode("utf-8-sig" if number == 1 else "utf-8")))
        except (ValueError, RecursionError):
            notes.drop("broken_row", source, number, whole)
            continue
        if message.mine:
            notes.owners.add(message.sender)
        yield message
