"""Lines that the bot wrote under the owner's account: they come back in later exports as if they were mine.

Knows the bot's history database; doesn't know exports. A persona that learns from its own lines
drifts away from the person, a little more with each training.
"""

from array import array
from pathlib import Path

from bot.forget import plain, print_of
from bot.persona.message import Message
from training.importers.own_rows import opened_rows

AROUND = 120
"""Seconds by which the two clocks may differ."""


class Written:
    """What the bot said: hashed words and when, without the words."""

    def __init__(self) -> None:
        self._times: dict[int, array[float]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._times.values()))

    @classmethod
    def read(cls, url: str) -> "Written":
        """Everything the bot said according to its database. Two lines when that can't be read."""
        return cls._of(Path(), url)

    @classmethod
    def beside(cls, url: str, data: Path) -> "Written":
        """From the database the owner names, or history.db in the data folder; nothing if there is none."""
        if url:
            return cls.read(url)
        path = data / "history.db"
        return cls._of(path) if path.is_file() else cls()

    @classmethod
    def _of(cls, path: Path, url: str = "") -> "Written":
        written = cls()
        with opened_rows(path, url) as rows:
            for row in rows.spoken():
                written.add(plain(row.segments), row.kind, row.time)
            # Of what is deleted there this is left, for this very purpose.
            for row in rows.said():
                written.add_print(row.words, row.time)
        return written

    def add(self, text: str, kind: str, time: float) -> None:
        """The bot said this in a chat of that kind."""
        self.add_print(print_of(text, kind), time)

    def add_print(self, words: int, time: float) -> None:
        """The bot said what hashes to this."""
        self._times.setdefault(words, array("d")).append(time)

    def by_the_bot(self, message: Message) -> bool:
        """Whether the bot said these words at about this time."""
        if not self._times:
            return False
        times = self._times.get(print_of(message.text, message.kind), ())
        return any(abs(time - message.time) <= AROUND for time in times)
