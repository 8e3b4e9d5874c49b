"""A summary of each chat: a small dated text file that people may read, edit and empty.

    data/summaries/qq.private.20002.txt                   as things stand
        2024-03-05
        老同学，周末常一起打球。他在找房子，答应帮他看看滨江那边的。
    data/summaries/qq.private.20002/2023-11-30.txt        as they stood at the end of that day

An empty file stays empty: nothing is written there again, and of a chat whose first file is empty nothing is told
at all. What is deleted is written anew. Doesn't know who writes them (bot/summarising.py), nor how a prompt shows one.
"""

import datetime as dt
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from bot.persona.manifest import write_atomically
from bot.persona.message import Message, Segment

LONGEST = 400
"""Characters of a summary."""


class Summaries:
    """The summaries in a folder; one that isn't there has none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, chat: str, end: dt.date | None = None) -> Path:
        """Where the summary of a chat is: the current one, or that at the end of a day."""
        folder = self._folder(chat)
        return folder.with_name(f"{folder.name}.txt") if end is None else folder / f"{end.isoformat()}.txt"

    def of(self, about: Message, before: float = math.inf) -> Message | None:
        """The newest summary of a message's chat, as something said by nobody on its day.

        Older than `before`: all it is written from was said on days that had passed by then.
        """
        for day, text in self._told(about.chat, before):
            # At noon: that is the same day on most clocks.
            said = int(dt.datetime.combine(day, dt.time(12), dt.timezone.utc).timestamp())
            return Message("", about.chat, about.kind, said, "", "", [Segment("text", text)])
        return None

    def _told(self, chat: str, before: float) -> Iterator[tuple[dt.date, str]]:
        """Summaries that were written by then, newest first; none of a chat whose current one is empty."""
        today = dt.date.max if before == math.inf else day_of(before)
        current = self.read(chat)
        if current is not None:
            if not current[1]:
                return
            if current[0] < today:
                yield current
        for end in reversed(self.past(chat)):
            if end < today and (found := self.read(chat, end)) is not None and found[1]:
                # Whatever day somebody writes into it, it tells of none later than its name.
                yield min(found[0], end), found[1]

    def chats(self) -> list[str]:
        """The chats that have any."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        names = {path.name.removesuffix(".txt") for path in found if path.is_dir() or path.suffix == ".txt"}
        return sorted(unquote(name.replace(".", ":")) for name in names if name.count(".") > 1)

    def past(self, chat: str) -> list[dt.date]:
        """The days at whose end there is a summary, emptied ones too, in order."""
        names = (path.stem for path in self._folder(chat).glob("????-??-??.txt"))
        return sorted(day for name in names if (day := _date(name)) is not None)

    def read(self, chat: str, end: dt.date | None = None) -> tuple[dt.date, str] | None:
        """Day and text of the current one, or that at the end of a day; the text of an emptied file is empty.

        Without a day in its first line, the day it was saved.
        """
        path = self.path(chat, end)
        try:
            content = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        first, _, rest = content.strip().partition("\n")
        if (day := _date(first.strip())) is not None:
            return day, " ".join(rest.split())
        return day_of(path.stat().st_mtime), " ".join(content.split())

    def write(self, chat: str, day: dt.date, text: str, end: dt.date | None = None) -> None:
        """Write the summary of a chat as it stands on a day, or stood at the `end` of one."""
        path = self.path(chat, end)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{day.isoformat()}\n{' '.join(text.split())[:LONGEST]}\n")

    def forget(self, chat: str, *, whole: bool) -> None:
        """Delete the summaries of a chat, if there are any. Emptied ones tell nothing and stay, unless the chat goes
        as a `whole`."""
        folder = self._folder(chat)
        for end in (None, *self.past(chat)):
            found = self.read(chat, end)
            if found is not None and (whole or found[1]):
                self.path(chat, end).unlink(missing_ok=True)
        if folder.is_dir() and (whole or not any(folder.iterdir())):
            shutil.rmtree(folder)

    def _folder(self, chat: str) -> Path:
        return self.folder / quote(chat.replace("%", "%25").replace(".", "%2E"), safe="%: ").replace(":", ".")


def day_of(time: float) -> dt.date:
    """The day of a moment, by UTC."""
    return dt.datetime.fromtimestamp(time, dt.timezone.utc).date()


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
