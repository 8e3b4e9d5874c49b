"""What lines mean, beside their words: a vector a line, kept in the file of memories and searched in one chat.

Facts have one, too, as far as anybody may hear them. A vector is kept twice: its signs, by which thousands are compared in a blink, and its numbers in a byte each, by
which the closest are put in order. Only the newest lines of a chat have one. It goes when its line goes, whoever
deletes that. Doesn't know who makes vectors (bot/embeddings.py), nor what a line is recalled for.
"""

import math
import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import nsmallest
from operator import mul

from bot.recall_tables import key_of, numbers_of

NEWEST = 5_000
"""Lines of a chat, the newest ones, that have vectors and are searched by them."""
CLOSEST = 50
"""Of these so many are looked at closely."""
_KEYS = 500
"""Keys in one query."""
FEWEST = 30
"""Lines below which nothing stands out from the others."""

_TABLES = """
    CREATE TABLE IF NOT EXISTS vectors (line INTEGER PRIMARY KEY, signs BLOB NOT NULL, numbers BLOB NOT NULL);
    CREATE TRIGGER IF NOT EXISTS vectors_go AFTER DELETE ON lines BEGIN
        DELETE FROM vectors WHERE line = old.line;
    END;
    CREATE TABLE IF NOT EXISTS facts (key INTEGER PRIMARY KEY, signs BLOB NOT NULL);
"""
_MISSING = """
    SELECT some.key, some.text FROM
        (SELECT line, key, text FROM lines WHERE line BETWEEN ? AND ? ORDER BY line DESC LIMIT ?) AS some
    LEFT JOIN vectors ON vectors.line = some.line WHERE vectors.line IS NULL ORDER BY some.line LIMIT ?
"""
"""In the order of the file: its pages are left half empty by what is written backwards."""
_KEEP = "INSERT OR REPLACE INTO vectors SELECT line, ?, ? FROM lines WHERE key = ?"
_FOUND = "SELECT key, signs, numbers FROM lines JOIN vectors USING (line) WHERE length(numbers) > 0 AND key IN ({})"
_SIGNS = "SELECT line, signs FROM vectors WHERE line BETWEEN ? AND ? ORDER BY line DESC LIMIT ?"
_NUMBERS = "SELECT line, signs, numbers FROM vectors WHERE line IN ({})"


@dataclass(slots=True, frozen=True)
class Vector:
    """A direction: a number a byte, the largest of them 127, and the signs as bits."""

    signs: bytes
    numbers: bytes

    @classmethod
    def of(cls, values: Sequence[float]) -> "Vector":
        """ValueError where these are no direction: none at all, all zero, or no numbers."""
        largest = max(map(abs, values), default=0.0)
        if not 0 < largest < math.inf or any(value != value for value in values):
            raise ValueError("not a vector")
        bits = sum(1 << place for place, value in enumerate(values) if value > 0)
        numbers = array("b", (round(127 * value / largest) for value in values))
        return cls(bits.to_bytes((len(values) + 7) // 8, "little"), numbers.tobytes())

    def cosine(self, other: "Vector") -> float:
        """How alike two of one width are, from -1 to 1."""
        mine, theirs = array("b", self.numbers), array("b", other.numbers)
        return sum(map(mul, mine, theirs)) / (self.length * other.length)

    @property
    def length(self) -> float:
        """Of the numbers as they are kept."""
        numbers = array("b", self.numbers)
        return math.sqrt(sum(map(mul, numbers, numbers)))


NOTHING = Vector(b"", b"")
"""Of a line that has none and needs none."""


def blend(vectors: Sequence[tuple[Vector | None, float]]) -> Vector | None:
    """One vector of several and their weights; None where none of them is there."""
    known = [(array("b", one.numbers), weight) for one, weight in vectors if one is not None and one.numbers]
    if not known:
        return None
    total = [0.0] * len(known[0][0])
    for numbers, weight in known:
        if len(numbers) != len(total):
            return None
        # All of one length: the loudest is not the most wanted.
        share = weight / math.sqrt(sum(map(mul, numbers, numbers)))
        total = [so_far + share * number for so_far, number in zip(total, numbers, strict=True)]
    return Vector.of(total) if any(total) else None


@dataclass(slots=True, frozen=True)
class Near:
    """What is close to a question: lines of its chat, the closest first, and facts by their keys, each with how far
    it stands out from the chat's lines."""

    lines: Sequence[tuple[int, float]] = ()
    facts: Mapping[int, float] = field(default_factory=dict)


def fact_key(text: str) -> int:
    """What a fact's vector is kept under."""
    return key_of("", text)


class Vectors:
    """The vectors in a file of memories, all of one model: those of another are deleted.

    Where somebody else has begun to keep another model's there, none is found or kept any more.
    """

    def __init__(self, db: sqlite3.Connection, model: str) -> None:
        self._db = db
        self._whole: dict[int, int] = {}
        """Chat → how many lines it had when all its newest ones had vectors."""
        self._made_by = int.from_bytes(blake2b(model.encode(), digest_size=7).digest(), "big")
        db.executescript(_TABLES)
        if not self._ours():
            db.execute("DELETE FROM vectors")
            db.execute("DELETE FROM facts")
            db.execute("INSERT OR REPLACE INTO state VALUES ('vectors', ?)", (self._made_by,))

    def _ours(self) -> bool:
        """Whether those in the file are of this model."""
        return self._db.execute("SELECT value FROM state WHERE name = 'vectors'").fetchone() == (self._made_by,)

    def __len__(self) -> int:
        return self._db.execute("SELECT count(*) FROM vectors WHERE length(numbers) > 0").fetchone()[0]

    def missing(self, sizes: Mapping[int, int], most: int) -> list[tuple[int, str]]:
        """Key and text of lines that should have a vector and have none; `sizes` are the chats' lines."""
        found: list[tuple[int, str]] = []
        if not self._ours():
            return found
        for chat, size in sizes.items():
            if len(found) >= most:
                break
            if self._whole.get(chat) != size:
                some = self._db.execute(_MISSING, (*numbers_of(chat), NEWEST, most - len(found))).fetchall()
                found += some
                if not some:
                    self._whole[chat] = size
        return found

    def keep(self, vectors: Mapping[int, Vector]) -> None:
        """Keep the vectors of lines by their keys; a line that is gone meanwhile gets none."""
        self._write(_KEEP, [(one.signs, one.numbers, key) for key, one in vectors.items()])

    def facts(self) -> dict[int, bytes]:
        """The signs of all facts, by their keys."""
        return dict(self._db.execute("SELECT key, signs FROM facts")) if self._ours() else {}

    def lacking(self, texts: Sequence[str]) -> list[str]:
        """Which of all the facts have no vector yet; what is none of them any more loses its own."""
        keys, known = {fact_key(text): text for text in texts}, self.facts()
        if gone := [(key,) for key in known if key not in keys]:
            self._write("DELETE FROM facts WHERE key = ?", gone)
        return [text for key, text in keys.items() if key not in known] if self._ours() else []

    def keep_facts(self, signs: Mapping[int, bytes]) -> None:
        """Keep the signs of facts by their keys."""
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(signs.items()))

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._ours():
                self._db.executemany(statement, rows)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def of(self, keys: Sequence[int]) -> dict[int, Vector]:
        """Key → vector, of those that have one."""
        found: dict[int, Vector] = {}
        if not self._ours():
            return found
        for start in range(0, len(keys), _KEYS):
            some = keys[start : start + _KEYS]
            query = _FOUND.format(",".join("?" * len(some)))
            found |= {key: Vector(signs, numbers) for key, signs, numbers in self._db.execute(query, some)}
        return found

    def near(self, chat: int, asked: Vector) -> Near:
        """Lines of a chat that are closest, and all facts; nothing where the chat has few lines with a vector.

        How far something stands out is told in standard deviations of the differing signs over the chat's lines:
        models disagree about what a cosine means, not about what is unusual.
        """
        if not self._ours():
            return Near()
        signs, width = int.from_bytes(asked.signs, "little"), len(asked.signs)
        rows = self._db.execute(_SIGNS, (*numbers_of(chat), NEWEST))
        apart = [
            ((signs ^ int.from_bytes(other, "little")).bit_count(), line) for line, other in rows if len(other) == width
        ]
        if len(apart) < FEWEST:
            return Near()
        bits = [differing for differing, _ in apart]
        mean = sum(bits) / len(bits)
        usual = math.sqrt(max(0.0, sum(map(mul, bits, bits)) / len(bits) - mean**2)) or 1.0
        far = {line: (mean - differing) / usual for differing, line in nsmallest(CLOSEST, apart)}
        found = self._db.execute(_NUMBERS.format(",".join("?" * len(far))), list(far))
        alike = [(asked.cosine(Vector(signs, numbers)), line) for line, signs, numbers in found]
        facts = {
            key: (mean - (signs ^ int.from_bytes(other, "little")).bit_count()) / usual
            for key, other in self.facts().items()
            if len(other) == width
        }
        return Near([(line, far[line]) for _, line in sorted(alike, reverse=True)], facts)
