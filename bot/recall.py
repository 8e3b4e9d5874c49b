"""Where memories are kept: the lines of all chats in one SQLite file, found again by what was asked.

Knows lines, their chats and an index over their grams; doesn't know prompts, engines or platforms. A line's
grams are indexed under its chat's number: a search in one chat can't meet another's lines.

The index is FTS5 without contents and without positions. Lines are short and hardly ever have a gram
twice, so the rank is BM25 with a term frequency of one, reckoned here. Deleting takes the line, its
grams and what the file still holds of them.
"""

import json
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from itertools import count
from pathlib import Path

from bot.persona.message import Kind, Message, Segment
from bot.recall_ranks import Line, different, fused
from bot.recall_tables import CHAT_BITS, CHOSEN, COUNT, SELECT, key_of, mark_of, marks_over, numbers_of, opened, terms
from bot.recall_vectors import Near, Vector, Vectors

LOOKED_AT = 2500
"""Postings that one search may look at: the rarest grams go first."""
K, B, USUAL = 1.2, 0.3, 10
"""BM25: saturation, how much long lines lose, characters of a usual line."""
SMALL = 200
"""Lines that a chat is reckoned to have at least: what is said twice in a young one is still rare."""
ALONE = 0.7
"""What a single character counts beside a pair."""
CANDIDATES = 100
"""The best of a search, which are read and looked at closely."""
LEAST = 2.0
"""A line that fits less has nothing to do with what is asked."""
STANDS_OUT = 3.0
"""Nor has one whose meaning is not so far (in standard deviations) closer than that of the chat's lines."""
ANSWER = 600
"""Seconds in which the next line is an answer."""


class Recall:
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
    def open(cls, path: Path | None) -> "Recall":
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

    def search(
        self,
        chat: str,
        question: Mapping[str, float],
        *,
        before: float,
        after: float = -math.inf,
        most: int = 8,
        near: Sequence[tuple[int, float]] = (),
    ) -> list[Line]:
        """Lines of a chat that fit a question (gram → weight), or are `near` to it, said in that time; the best first."""
        if question:
            self._look_again()
        if chat not in self._chats:
            return []
        number, kind = self._chats[chat]
        scores = self._scored(number, question)
        best = [line for _, line in nlargest(CANDIDATES, ((score, line) for line, score in scores.items()))]
        close = [line for line, far in near if far >= STANDS_OUT]
        lines = [self._line(chat, kind, row, scores.get(row[0], 0.0)) for row in self._read([*{*best, *close}])]
        fitting = {line.number: line for line in lines if after < line.message.time < before}
        by_words = [line for line in fitting.values() if line.score >= LEAST]
        by_words.sort(key=lambda line: (-line.score, -line.message.time))
        ranked = fused(by_words, [fitting[line] for line in close if line in fitting])
        return different(ranked)[:most]

    def near(self, chat: str, meaning: Vector | None) -> Near:
        """Lines of a chat, and facts, that mean the same as a question; none where no vectors tell."""
        if self.vectors is None or meaning is None or chat not in self._chats:
            return Near()
        return self.vectors.near(self._chats[chat][0], meaning)

    def _scored(self, chat: int, question: Mapping[str, float]) -> dict[int, float]:
        """Line → rank before its length counts."""
        size = max(SMALL, self._sizes[chat])
        counted: list[tuple[int, str, float]] = []
        for gram, weight in question.items():
            if found := self._rows(COUNT, (f'"{chat}x{gram}"', LOOKED_AT + 1))[0][0]:
                counted.append((found, gram, weight))
        scores: defaultdict[int, float] = defaultdict(float)
        looked_at = 0
        for found, gram, weight in sorted(counted):
            looked_at += found
            if looked_at > LOOKED_AT:
                break
            rare = weight * math.log(1 + (size - found + 0.5) / (found + 0.5)) * (1.0 if len(gram) > 1 else ALONE)
            for (line,) in self._db.execute("SELECT rowid FROM words WHERE words MATCH ?", (f'"{chat}x{gram}"',)):
                scores[line] += rare
        return scores

    def drawn(self, chat: str, places: Sequence[float], *, before: float) -> list[Line]:
        """Lines of a chat said before then, each at a share of it in order; for what doesn't fit anything."""
        if chat not in self._chats:
            return []
        number, kind = self._chats[chat]
        first, _ = numbers_of(number)
        wanted = sorted({first + 1 + int(place * self._sizes[number]) for place in places})
        lines = [self._line(chat, kind, row, 0.0) for row in self._read(wanted)]
        return [line for line in lines if line.message.time < before]

    def names(self) -> list[str]:
        """The chats that have memories."""
        return [name for name, (number, _) in self._chats.items() if self._sizes[number]]

    def newest(self, chat: str, most: int, *, since: int = 0, before: int = 1 << 62) -> list[Line]:
        """The last lines of a chat, or of a time in it, oldest first."""
        number, kind = self._chats[chat]
        rows = self._rows(
            f"{SELECT} WHERE line BETWEEN ? AND ? AND time >= ? AND time < ? ORDER BY time DESC LIMIT ?",
            (*numbers_of(number), since, before, most),
        )
        return [self._line(chat, kind, row, 0.0) for row in reversed(rows)]

    def have(self, lines: Sequence[Line]) -> bool:
        """Whether all of these are still there."""
        return len(self._read([line.number for line in lines])) == len(lines)

    def days(self, chat: str) -> dict[int, int]:
        """On which days, counted from 1970 by UTC, how many lines of a chat were said."""
        number, _ = self._chats[chat]
        query = "SELECT time / 86400, count(*) FROM lines WHERE line BETWEEN ? AND ? GROUP BY 1 ORDER BY 1"
        return dict(self._rows(query, numbers_of(number)))

    def answer(self, line: Line) -> Line | None:
        """What the other side said right after a line, if it said something soon."""
        chat, kind = line.message.chat, self._chats[line.message.chat][1]
        _, last = numbers_of(self._chats[chat][0])
        query = f"{SELECT} WHERE line > ? AND line <= ? ORDER BY line LIMIT 2"
        for row in self._rows(query, (line.number, last)):
            following = self._line(chat, kind, row, line.score)
            if not 0 <= following.message.time - line.message.time <= ANSWER:
                break
            if following.message.mine != line.message.mine:
                return following
        return None

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

    def _line(self, chat: str, kind: Kind, row: tuple[int, int, int, int | None, int, str], score: float) -> Line:
        number, time, person, seq, key, text = row
        sender, name = self._names.get(person, ("", ""))
        message = Message(str(number), chat, kind, time, sender, name, [Segment("text", text)], person == 0)
        length = 1 - B + B * len(text) / USUAL
        return Line(number, key, seq, message, score * (K + 1) / (1 + K * length))

    def _rows(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[tuple]:
        return self._db.execute(query, values).fetchall()  # pyright: ignore[reportArgumentType]


def _covered(message: Message, forgotten: Mapping[int, int]) -> bool:
    """Whether a message was said before it, its person or its chat was forgotten."""
    return bool(forgotten) and any(message.time <= forgotten.get(mark, -1) for mark in marks_over(message))
