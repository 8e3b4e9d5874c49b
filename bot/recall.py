"""Where memories are found again: lines of one chat, by what was asked, by their place or their day.

Doesn't know how lines are kept (bot/recall_kept.py), nor what prompts make of them. A line's grams are indexed
under its chat's number: a search in one chat can't meet another's lines.

The index is FTS5 without contents and without positions. Lines are short and hardly ever have a gram
twice, so the rank is BM25 with a term frequency of one, reckoned here.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import nlargest

from bot.persona.message import Kind, Message, Segment
from bot.recall_kept import Kept
from bot.recall_ranks import Line, different, fused
from bot.recall_tables import COUNT, SELECT, numbers_of
from bot.recall_vectors import Near, Vector

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


class Recall(Kept):
    """The memories of all chats, to be searched."""

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

    def _line(self, chat: str, kind: Kind, row: tuple[int, int, int, int | None, int, str], score: float) -> Line:
        number, time, person, seq, key, text = row
        sender, name = self._names.get(person, ("", ""))
        message = Message(str(number), chat, kind, time, sender, name, [Segment("text", text)], person == 0)
        length = 1 - B + B * len(text) / USUAL
        return Line(number, key, seq, message, score * (K + 1) / (1 + K * length))
