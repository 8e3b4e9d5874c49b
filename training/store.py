"""data/messages.jsonl: everything imported so far, sorted by chat and time, each message once.

Sorting and de-duplication happen in a temporary SQLite file beside it, so memory stays flat; the
result replaces the old file in one move. Importing the same export twice changes no byte.
"""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.persona.message import Message
from config.errors import InputError

MESSAGES = "messages.jsonl"
ME = "me.json"
_BATCH = 2000
_NOT_MINE, _MINE = '"mine":false,"segments"', '"mine":true,"segments"'


class Store:
    """A pile of messages that is sorted when it is written. One use: add, ask, write."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._db = sqlite3.connect(scratch, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000; PRAGMA temp_store=FILE;"
            "CREATE TABLE m (chat TEXT, id TEXT, time INTEGER, kind TEXT, sender TEXT, name TEXT, line TEXT,"
            " PRIMARY KEY (chat, id));"
            "BEGIN"
        )

    def add(self, messages: Iterable[Message]) -> tuple[int, int]:
        """Add messages; returns how many were new and how many were there already."""
        seen = new = 0
        batch: list[tuple[str, str, int, str, str, str, str]] = []
        for message in messages:
            seen += 1
            message.mine = False
            row = (message.chat, message.id, message.time, message.kind, message.sender, message.name)
            batch.append((*row, message.to_json()))
            if len(batch) >= _BATCH:
                new += self._insert(batch)
                batch = []
        return (new := new + self._insert(batch)), seen - new

    def people(self) -> Counter[tuple[str, str]]:
        """(sender, name) → messages, over all chats; the name is the one used most."""
        rows = self._db.execute(
            "SELECT sender, name, count(*) AS n FROM m GROUP BY sender, name ORDER BY n DESC, sender, name"
        )
        totals: Counter[str] = Counter()
        names: dict[str, str] = {}
        for sender, name, number in rows:
            totals[sender] += number
            names.setdefault(sender, name)
        return Counter({(sender, names[sender]): number for sender, number in totals.items()})

    def chats_of(self) -> dict[str, set[str]]:
        """Name or id → the chats it speaks in."""
        found: dict[str, set[str]] = {}
        for chat, sender, name in self._db.execute("SELECT DISTINCT chat, sender, name FROM m"):
            for key in {sender, name}:
                found.setdefault(key, set()).add(chat)
        return found

    def partners(self) -> dict[str, str]:
        """Private chats by the name in their key."""
        rows = self._db.execute("SELECT DISTINCT chat FROM m WHERE kind = 'private'")
        return {chat: chat.rsplit(":", 1)[-1] for (chat,) in rows}

    def write(self, me: Iterable[str]) -> int:
        """Write everything with `mine` set for these ids and names; returns how many are mine."""
        known = set(me)
        # A nickname may be somebody else's too: where an id of mine is known, only ids count.
        by_name = known if not any(key.isdigit() for key in known) else set()
        total = 0
        with _replaced(self._folder / MESSAGES) as path, path.open("w", encoding="utf-8", newline="\n") as file:
            rows = self._db.execute("SELECT sender, name, line FROM m ORDER BY chat, time, rowid")
            for sender, name, line in rows:
                mine = sender in known or name in by_name
                total += mine
                file.write((line.replace(_NOT_MINE, _MINE, 1) if mine else line) + "\n")
            if not total:
                busiest = ", ".join(f"{n or s} ({s})" if n != s else s for (s, n), _ in self.people().most_common(10))
                raise InputError(
                    f"nobody called {' or '.join(sorted(known))} speaks here", hint=f"the busiest: {busiest}"
                )
        return total

    def close(self) -> None:
        self._db.close()

    def _insert(self, batch: list[tuple[str, str, int, str, str, str, str]]) -> int:
        before = self._db.total_changes
        self._db.executemany("INSERT OR IGNORE INTO m VALUES (?, ?, ?, ?, ?, ?, ?)", batch)
        return self._db.total_changes - before


@contextmanager
def opened_store(folder: Path) -> Iterator[Store]:
    """A store with what the folder holds already; its temporary file is gone afterwards, whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    with _replaced(folder / "import.sqlite", keep=False) as scratch:
        store = Store(folder, scratch)
        try:
            store.add(stored(folder))
            yield store
        finally:
            store.close()


def stored(folder: Path) -> Iterator[Message]:
    """The messages that are there already."""
    path = folder / MESSAGES
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                yield Message.from_row(json.loads(line))
            except ValueError:
                raise InputError(f"{path}:{number}: not a message", hint="move the file away and import anew") from None


@contextmanager
def _replaced(path: Path, *, keep: bool = True) -> Iterator[Path]:
    """A scratch path beside `path` that takes its place at the end, or goes without a trace."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield scratch
        if keep:
            scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
