"""A summary of each chat: a small dated text file that people may read, edit and empty.

    data/summaries/qq.private.20002.txt
        2024-03-05
        老同学，周末常一起打球。他在找房子，答应帮他看看滨江那边的。

An empty file stays empty: nothing is written about that chat again. Doesn't know who writes them
(bot/summarising.py), nor how a prompt shows one.
"""

import datetime as dt
from pathlib import Path
from urllib.parse import quote

from bot.persona.manifest import write_atomically
from bot.persona.message import Message, Segment

LONGEST = 400
"""Characters of a summary."""


class Summaries:
    """The summaries in a folder; one that isn't there has none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, chat: str) -> Path:
        """Where the summary of a chat is."""
        return self.folder / f"{quote(chat.replace('%', '%25').replace('.', '%2E'), safe='%: ').replace(':', '.')}.txt"

    def of(self, about: Message) -> Message | None:
        """The summary of a message's chat, as something said by nobody on its day."""
        found = self.read(about.chat)
        if found is None or not found[1]:
            return None
        day, text = found
        said = int(dt.datetime.combine(day, dt.time(), dt.timezone.utc).timestamp())
        return Message("", about.chat, about.kind, said, "", "", [Segment("text", text)])

    def read(self, chat: str) -> tuple[dt.date, str] | None:
        """Day and text; the text of an emptied file is empty. Without a day in its first line, the day it was saved."""
        path = self.path(chat)
        try:
            content = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        first, _, rest = content.strip().partition("\n")
        try:
            return dt.date.fromisoformat(first.strip()), " ".join(rest.split())
        except ValueError:
            saved = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.timezone.utc)
            return saved.date(), " ".join(content.split())

    def write(self, chat: str, day: dt.date, text: str) -> None:
        """Write the summary of a chat."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path(chat), f"{day.isoformat()}\n{' '.join(text.split())[:LONGEST]}\n")

    def forget(self, chat: str) -> None:
        """Delete the summary of a chat, if there is one."""
        self.path(chat).unlink(missing_ok=True)
