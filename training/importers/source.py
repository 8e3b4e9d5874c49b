"""What every importer is given: an open export, a zone for wall clocks, and a place to account for losses.

Knows files and bookkeeping; doesn't know any format.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zoneinfo import ZoneInfo

from config.errors import InputError, SettingsError

if TYPE_CHECKING:
    from training.importers.places import Place

HEAD = 64 * 1024
"""Bytes that a format is recognised by."""

SHOWN = 20
"""Places that are named for each reason; beyond that they are only counted."""


@dataclass(slots=True)
class Source:
    """An export that was opened once and can be read from its beginning as often as needed."""

    name: str
    """The file's name without its folder: what `Message.source` begins with."""
    file: BinaryIO
    head: bytes
    size: int
    path: Path = Path()
    """Where it can be opened a second time while it is open; a zip's member lies unpacked there."""
    day: str = ""
    """The day, as 2023-01-01, of text that names none; empty: not known."""
    url: str = ""
    """Where a database is that is no file; then there are no bytes to read."""
    consent: Collection[str] = ()
    """Chats of the bot's history whose people agreed, as the user told it: group:7001."""
    beside: "Callable[[str], Place | None]" = field(default=lambda _: None, repr=False)
    """The file of a relative name beside this one, for formats of several files."""


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The file at a path. Folders and archives are walked in places.py."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            size = path.stat().st_size
            if not head:
                raise InputError(f"{path} is empty", hint="export the chat again")
            yield Source(path.name, file, head, size, path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", hint="check the path of the export") from None
    except PermissionError:
        raise InputError(f"{path} may not be read", hint="check the file's permissions") from None


@dataclass(slots=True)
class Notes:
    """What can't be seen from the messages themselves: what was dropped, damaged or assumed, and whose export it is."""

    dropped: Counter[str] = field(default_factory=Counter)
    """Code → lines or rows that became no message."""
    damaged: Counter[str] = field(default_factory=Counter)
    """Code → messages that were kept although something in them could not be read."""
    places: dict[str, list[str]] = field(default_factory=dict)
    """Code → where, with a short hash of what stood there; never the text."""
    warnings: list[str] = field(default_factory=list)
    owners: set[str] = field(default_factory=set)
    """Account ids that the format itself says are the owner's."""
    assumed_zone: bool = False
    """Whether wall-clock times were read in the given zone."""

    def drop(self, code: str, source: Source, line: int, raw: str | bytes = b"") -> None:
        """Account for something that becomes no message."""
        self.dropped[code] += 1
        self._place(code, source, line, raw)

    def damage(self, code: str, source: Source, line: int, raw: str | bytes = b"") -> None:
        """Account for a message that is kept, but not as it was."""
        self.damaged[code] += 1
        self._place(code, source, line, raw)

    def _place(self, code: str, source: Source, line: int, raw: str | bytes) -> None:
        places = self.places.setdefault(code, [])
        if len(places) < SHOWN:
            content = raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace")
            places.append(f"{source.name}:{line}#{hashlib.sha256(content).hexdigest()[:8]}")


class Zone:
    """Wall-clock seconds → UTC seconds. A fixed offset needs no time-zone database."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._offsets: dict[int, int] = {}
        if fixed := re.fullmatch(r"([+-])([0-9]{1,2}):?([0-5][0-9])?", name):
            seconds = int(fixed[2]) * 3600 + int(fixed[3] or 0) * 60
            self.fixed: int | None = -seconds if fixed[1] == "-" else seconds
            return
        self.fixed = None
        try:
            self._zone = ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise SettingsError(
                f"[import] tz: no zone {name!r}", hint="write +08:00, or a name like Asia/Shanghai"
            ) from None

    def utc(self, wall: int) -> int:
        """`wall` counts seconds from 1970-01-01 00:00 on the wall clock."""
        if self.fixed is not None:
            return wall - self.fixed
        quarter = wall // 900
        if quarter not in self._offsets:
            local = datetime.fromtimestamp(quarter * 900, timezone.utc).replace(tzinfo=self._zone)
            offset = local.utcoffset()
            self._offsets[quarter] = int(offset.total_seconds()) if offset else 0
        return wall - self._offsets[quarter]

    def local(self, time: int) -> datetime:
        """UTC seconds as the time on the wall clock there."""
        zone = self._zone if self.fixed is None else timezone(timedelta(seconds=self.fixed))
        return datetime.fromtimestamp(time, zone)


def fingerprint(chat: str) -> Callable[[int, str, str], str]:
    """Stable ids for the messages of one chat in a format that has none.

    An id hashes chat, time, sender, text and a count of equals; the count starts anew at every
    second, so that two overlapping exports agree on the seconds they share.
    """
    second = -(1 << 62)
    first = ("", "")
    seen: dict[tuple[str, str], int] = {}
    # Half the time of OpenSSL's sha1 for so short a text.
    blake2b = hashlib.blake2b

    def identify(time: int, sender: str, text: str) -> str:
        nonlocal second, first
        number = 0
        if time != second:
            # Most seconds have one message: what was said is only counted when there is another.
            second, first = time, (sender, text)
            if seen:
                seen.clear()
        else:
            if not seen:
                seen[first] = 0
            key = (sender, text)
            seen[key] = number = seen.get(key, -1) + 1
        content = f"{chat}\0{time}\0{sender}\0{text}\0{number}".encode("utf-8", "replace")
        return "~" + blake2b(content, digest_size=10).hexdigest()

    return identify


def is_hashed(message_id: str) -> bool:
    """Whether an id was made by `fingerprint`, rather than by the platform."""
    return message_id.startswith("~")
