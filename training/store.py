"""messages.jsonl: all messages of all chats, sorted by chat then time, each once.

    what is there ─┐
    sorted runs ───┴─ merge ─▶ a scratch file ─▶ renamed over messages.jsonl

New messages are kept in sorted runs on disk until it is known who the owner is; then they are
merged with what is there in one pass. At no time are more than RUN messages in memory. Nothing is
changed before the last step, and the scratch folder goes whatever happens.
"""

import heapq
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from typing_extensions import Self

from bot.persona.message import Message, encoded, parsed
from config.errors import InputError
from training.importers.source import is_hashed

RUN = 30_000
"""Messages sorted in memory at once."""

FAN_IN = 64
"""Runs that are merged at once: each needs an open file."""

_STEP = 2000
"""Messages between two reports of a merge."""

_SCRATCH = ".importing-"
_ABANDONED = 24 * 3600
"""Seconds after which a scratch folder is one that a killed process left behind."""

Row = dict[str, Any]
_Record = tuple[str, int, Row, bytes]
"""Chat, time, the parsed row and the line it came from."""


@dataclass(slots=True)
class Merged:
    """What a merge came to."""

    total: int = 0
    mine: int = 0
    added: int = 0
    duplicates: int = 0


class Store:
    """The messages of a data folder, and a scratch folder for those to come."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "messages.jsonl"
        self._folder = folder
        self._made_folder = not folder.exists()
        self._scratch = Path()
        self._runs: list[Path] = []
        self._numbered = 0
        self._waiting: list[tuple[str, int, str]] = []
        self._said: dict[int, int] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(f"{_SCRATCH}*"):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        self._scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        if self._made_folder and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def rows(self) -> Iterator[Row]:
        """What is there already."""
        return (row for _, _, row, _ in self._stored())

    def add(self, message: Message) -> None:
        """Keep a new message for the merge."""
        self._note_said(message.chat, message.id, message.flags)
        self._waiting.append((message.chat, message.time, message.to_json()))
        if len(self._waiting) >= RUN:
            self._spill()

    def merge(self, is_mine: Callable[[Row], bool], seen: Callable[[int], None] = lambda _: None) -> Merged:
        """Write everything anew, each message once, marked as mine or not. `seen` hears the count."""
        self._spill()
        while len(self._runs) > FAN_IN:
            self._compact()
        done, due = Merged(), _STEP
        scratch = self._scratch / "messages.jsonl"
        stored = ((chat, at, row, line, False) for chat, at, row, line in self._stored())
        runs = [((c, at, row, line, True) for c, at, row, line in _read(run)) for run in self._runs]
        records = heapq.merge(stored, *runs, key=itemgetter(0, 1))
        with scratch.open("wb") as file:
            for _, second in groupby(records, key=itemgetter(0, 1)):
                together = list(second)
                kept = [record for record in together if not self._is_a_copy(record[2])] if self._said else together
                kept = _distinct(kept) if len(kept) > 1 else kept
                done.duplicates += len(together) - len(kept)
                for _, _, row, line, new in kept:
                    mine = is_mine(row)
                    same = mine == row.get("mine")
                    file.write(line if same else _line({**row, "mine": mine}))
                    done.total += 1
                    done.mine += mine
                    done.added += new
                if done.total >= due:
                    due = done.total + _STEP
                    seen(done.total)
            seen(done.total)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.path)
        return done

    def _stored(self) -> Iterator[_Record]:
        if not self.path.exists():
            return
        records = _read(self.path)
        before: tuple[str, int] | None = None
        for number in count(1):
            try:
                record = next(records, None)
                unsorted = record is not None and before is not None and record[:2] < before
            except (ValueError, KeyError, TypeError, RecursionError):
                hint = "mend or delete that line, then import again"
                raise InputError(f"{self.path}:{number} is not a message", hint=hint) from None
            if record is None:
                return
            if unsorted:
                hint = "move the file elsewhere and import it like an export"
                raise InputError(f"{self.path}:{number} is out of order", hint=hint)
            before = record[:2]
            if flags := record[2].get("flags"):
                self._note_said(record[0], record[2]["id"], flags)
            yield record

    def _note_said(self, chat: str, message_id: str, flags: Sequence[str]) -> None:
        """Remember what is known to have gone out through the bot: another export has it at another second, as mine."""
        if (rank := _rank(flags)) and not is_hashed(message_id):
            key = hash((chat, message_id))
            self._said[key] = max(rank, self._said.get(key, 0))

    def _is_a_copy(self, row: Row) -> bool:
        return _rank(row.get("flags", ())) < self._said.get(hash((row["chat"], row["id"])), 0)

    def _spill(self) -> None:
        if not self._waiting:
            return
        self._waiting.sort(key=itemgetter(0, 1))
        with self._next_run().open("wb") as file:
            for _, _, line in self._waiting:
                file.write(line.encode("utf-8", "replace") + b"\n")
        self._waiting.clear()

    def _compact(self) -> None:
        first, self._runs = self._runs[:FAN_IN], self._runs[FAN_IN:]
        target = self._next_run()
        # Equal times keep the order of the runs: the merged one goes where its first was.
        self._runs.insert(0, self._runs.pop())
        with target.open("wb") as file:
            file.writelines(record[3] for record in heapq.merge(*map(_read, first), key=itemgetter(0, 1)))
        for run in first:
            run.unlink()

    def _next_run(self) -> Path:
        self._numbered += 1
        path = self._scratch / f"run-{self._numbered}"
        self._runs.append(path)
        return path


def _rank(flags: Sequence[str]) -> int:
    """How much is known of a line: that the owner taught it, that a bot said it, that it went out through one."""
    return 3 if "gold" in flags else 2 if "bot" in flags else 1 if "said" in flags else 0


def _read(path: Path) -> Iterator[_Record]:
    with path.open("rb") as file:
        for line in file:
            row = parsed(line)
            if not isinstance(row["id"] + row["chat"] + row["sender"] + row["name"], str):
                raise TypeError("not a message")
            yield row["chat"], row["time"] + 0, row, line if line.endswith(b"\n") else line + b"\n"


def _line(row: Row) -> bytes:
    return encoded(row).encode("utf-8", "replace") + b"\n"


_Marked = tuple[str, int, Row, bytes, bool]


def _distinct(second: list[_Marked]) -> list[_Marked]:
    """The messages of one second of one chat, each once; what was there first stays.

    By id; then across formats: a message without an id of its own platform goes where one with
    such an id says the same.
    """
    ids: set[str] = set()
    kept: list[_Marked] = []
    for record in second:
        if record[2]["id"] not in ids:
            ids.add(record[2]["id"])
            kept.append(record)
    native = [Message.from_row(record[2]) for record in kept if not is_hashed(record[2]["id"])]
    if not native or len(native) == len(kept):
        return kept
    return [record for record in kept if not is_hashed(record[2]["id"]) or not _take(native, record[2])]


def _take(native: list[Message], row: Row) -> bool:
    """Whether one of these is the same message; it is used up by that."""
    poorer = Message.from_row(row)
    for place, richer in enumerate(native):
        same_speaker = poorer.sender == richer.sender or poorer.name == richer.name
        if same_speaker and _folded(poorer) == _folded(richer):
            del native[place]
            return True
    return False


def _folded(message: Message) -> str:
    return " ".join(message.text.split())
