"""Lines of all chats as they are kept in a file of memories: taken in, followed, forgotten.

Knows lines, their chats and an index over their grams; doesn't know prompts, engines or platforms, nor how
anything is found again (bot/recall.py). Deleting takes the line, its grams and what the file still holds of them.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

from typing_extensions import Self

from bot.persona.message import Kind, Message
from bot.recall_tables import CHAT_BITS, CHOSEN, SELECT, key_of, mark_of, marks_over, numbers_of, opened, terms
from bot.recall_vectors import Vectors


class Kept:
    """The memories of all chats. Made by `open`, let go of by `close`; for one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.vectors: Vectors | None = None
        self._load()

    def _load(self) -> None:
        """Know the chats and people of the file."""
        self._chats: dict[str, tuple[int, Kind]] = {
            row[1]: (row[0], row[2]) for row in self._rows("SELECT * FROM chats")
        }
        self._sizes = dict(self._rows("SELECT chat, size FROM chats"))
        self._names: dict[int, tuple[str, str]] = {row[0]: row[1:] for row in self._rows("SELECT * FROM people")}
        self._people = {sender: person for person, (sender, _) in self._names.items()}
        self._new_chats = count(1 + max(self._sizes, default=0))
        self._new_people = count(1 + max(self._names, default=0))
        self._version = self._rows("PRAGMA data_version")[0][0]
        self._newest: dict[int, int] = {}
        """Chat → number of its last line, where that was asked."""

    def embedded_by(self, model: str) -> Vectors:
        """From now on, lines are found by what they mean as well, as far as they have vectors of this model."""
        self.vectors = Vectors(self._db, model)
        return self.vectors

    @classmethod
    def open(cls, path: Path | None) -> Self:
        """The memories in this file, made if it isn't there; None: for now only. InputError where it is none."""
        return cls(opened(path))

    def close(self) -> None:
        self._db.close()

    def __len__(self) -> int:
        return sum(self._sizes.values())

    @property
    def chats(self) -> int:
        """How many have memories."""
        return sum(size > 0 for size in self._sizes.values())

    def add(self, messages: Iterable[tuple[Message, int | None]]) -> int:
        """Keep lines, each with its number in the history; those that are there, or forgotten, are passed over."""
        grown: Counter[int] = Counter()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._look_again()
            forgotten = self._forgotten()
            for message, seq in messages:
                text = "".join(segment.plain() for segment in message.segments).strip()
                if text and message.spoken and not message.bare_media and not _covered(message, forgotten):
                    self._add(message, text, seq, grown)
            self._db.executemany("UPDATE chats SET size = size + ? WHERE chat = ?", [(n, c) for c, n in grown.items()])
        except BaseException:
            self._db.execute("ROLLBACK")
            self._load()
            raise
        self._db.execute("COMMIT")
        return grown.total()

    def _look_again(self) -> None:
        """Know what another process has written meanwhile."""
        if self._rows("PRAGMA data_version")[0][0] != self._version:
            self._load()

    def _add(self, message: Message, text: str, seq: int | None, grown: Counter[int]) -> None:
        chat, number = self._next(message)
        person = 0 if message.mine else self._person(message)
        row = (number, message.time, person, seq, key_of(message.chat, message.id), text)
        if not self._db.execute("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?, ?, ?)", row).rowcount:
            return
        grown[chat] += 1
        self._sizes[chat] += 1
        self._newest[chat] = number
        self._db.execute("INSERT INTO words (rowid, grams) VALUES (?, ?)", (number, terms(chat, text)))

    def _next(self, message: Message) -> tuple[int, int]:
        """The number of the message's chat, and of the next line in it."""
        if message.chat not in self._chats:
            chat = next(self._new_chats)
            self._db.execute("INSERT INTO chats VALUES (?, ?, ?, 0)", (chat, message.chat, message.kind))
            self._chats[message.chat] = chat, message.kind
            self._sizes[chat] = 0
        chat = self._chats[message.chat][0]
        if chat not in self._newest:
            newest = self._rows("SELECT max(line) FROM lines WHERE line BETWEEN ? AND ?", numbers_of(chat))[0][0]
            self._newest[chat] = newest or numbers_of(chat)[0]
        return chat, self._newest[chat] + 1

    def _person(self, message: Message) -> int:
        if message.sender not in self._people:
            person = next(self._new_people)
            self._db.execute("INSERT INTO people VALUES (?, ?, ?)", (person, message.sender, message.name))
            self._people[message.sender] = person
            self._names[person] = (message.sender, message.name)
        return self._people[message.sender]

    def size(self, chat: str) -> int:
        """How many lines of a chat there are."""
        return self._sizes[self._chats[chat][0]] if chat in self._chats else 0

    def without_vectors(self, most: int) -> list[tuple[int, str]]:
        """Key and text of some lines that should have a vector; none where they have no use."""
        self._look_again()
        return self.vectors.missing(self._sizes, most) if self.vectors is not None else []

    def names(self) -> list[str]:
        """The chats that have memories."""
        return [name for name, (number, _) in self._chats.items() if self._sizes[number]]

    def forget(self, chat: str = "", sender: str = "", message: str = "", *, until: int) -> int:
        """Delete a chat's lines, a person's in a chat or everywhere (chat ""), or one message's; how many went.

        What was said up to then is not taken in again. A person's private chat goes as a chat.
        """
        self._look_again()
        key = key_of(chat, message) if message else None
        gone: list[int] = []
        for name, (number, _) in self._chats.items():
            if chat in ("", name):
                gone += self._chosen(number, key, "" if name.endswith(f":private:{sender}") else sender)
        self._db.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (mark_of(chat, sender, message), until))
        self._delete(gone)
        return len(gone)

    def _chosen(self, chat: int, key: int | None, sender: str) -> list[int]:
        first, last = numbers_of(chat)
        person = self._people.get(sender, -1) if sender else None
        values = {"first": first, "last": last, "key": key, "person": person}
        return [row[0] for row in self._rows(CHOSEN, values)]

    def followed(self) -> int:
        """Up to which number of the history its lines were taken in."""
        found = self._rows("SELECT value FROM state WHERE name = 'followed'")
        return found[0][0] if found else 0

    def follow(self, seq: int) -> None:
        """Note up to where they were."""
        self._db.execute("INSERT OR REPLACE INTO state VALUES ('followed', ?)", (seq,))

    def live(self) -> list[tuple[int, int]]:
        """History number and key of all lines that came from there, in order."""
        return self._rows("SELECT seq, key FROM lines WHERE seq IS NOT NULL ORDER BY seq")

    def live_of(self, keys: Sequence[int]) -> list[tuple[int, int]]:
        """The same of these lines alone."""
        query = "SELECT seq, key FROM lines WHERE seq IS NOT NULL AND key IN (SELECT value FROM json_each(?))"
        return self._rows(query, (json.dumps(list(keys)),))

    def drop(self, keys: Sequence[int]) -> int:
        """Delete the lines with these keys; how many went."""
        gone = [row[0] for key in keys for row in self._rows("SELECT line FROM lines WHERE key = ?", (key,))]
        self._delete(gone)
        return len(gone)

    def _delete(self, lines: Sequence[int]) -> None:
        if not lines:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for row in self._read(lines):
                chat = row[0] >> CHAT_BITS
                self._db.execute(
                    "INSERT INTO words (words, rowid, grams) VALUES ('delete', ?, ?)", (row[0], terms(chat, row[5]))
                )
                self._db.execute("DELETE FROM lines WHERE line = ?", (row[0],))
                self._sizes[chat] -= 1
                self._db.execute("UPDATE chats SET size = size - 1 WHERE chat = ?", (chat,))
            self._db.execute("DELETE FROM people WHERE person NOT IN (SELECT person FROM lines)")
        except BaseException:
            self._db.execute("ROLLBACK")
            self._load()
            raise
        self._db.execute("COMMIT")
        self._load()
        # Until its segments are merged the index still has the grams of what was deleted.
        self.compact()

    def compact(self) -> None:
        """Make the index one piece, without what was deleted."""
        self._db.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _forgotten(self) -> dict[int, int]:
        """Mark → up to when."""
        return dict(self._rows("SELECT mark, until FROM forgotten"))

    def _read(self, lines: Sequence[int]) -> list[tuple[int, int, int, int | None, int, str]]:
        found: list[tuple[int, int, int, int | None, int, str]] = []
        for start in range(0, len(lines), 500):
            some = lines[start : start + 500]
            found += self._rows(f"{SELECT} WHERE line IN ({','.join('?' * len(some))})", some)
        return found

    def _rows(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[tuple]:
        return self._db.execute(query, values).fetchall()  # pyright: ignore[reportArgumentType]


def _covered(message: Message, forgotten: Mapping[int, int]) -> bool:
    """Whether a message was said before it, its person or its chat was forgotten."""
    return bool(forgotten) and any(message.time <= forgotten.get(mark, -1) for mark in marks_over(message))
