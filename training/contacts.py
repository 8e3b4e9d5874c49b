"""Who is who over all exports: a friend without a number in one, with one in another.

Knows data/contacts.json and the rows of messages.jsonl; messages.jsonl itself is never changed by a
join, so that a join can be parted again and an import repeated. A joined friend's private chats are
read as one: merged by time, each message once.
"""

import heapq
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from bot.persona.manifest import write_atomically
from bot.persona.message import Message, parsed
from config.errors import InputError

FORMAT = 1
EVIDENCE = 20_000
"""Messages of a chat without numbers that are remembered for comparison."""

_ACCOUNT = re.compile(r"[1-9][0-9]{4,11}")
_CHAT = re.compile(rb'"chat":\s*("(?:[^"\\]|\\.)*")')

Row = dict[str, Any]


@dataclass(slots=True)
class Contacts:
    """The joins: a name that stands without a number → the account it belongs to."""

    joins: dict[str, str] = field(default_factory=dict)
    parted: set[str] = field(default_factory=set)
    """Names that are not to be suggested again."""

    @classmethod
    def load(cls, folder: Path) -> "Contacts":
        """What contacts.json of a data folder says."""
        path = folder / "contacts.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise InputError(f"{path} was made by another mybot", hint="update mybot, or delete the file")
            return cls({str(k): str(v) for k, v in found["joins"].items()}, set(map(str, found["parted"])))
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path} is damaged", hint="delete it and join your contacts again") from None

    def save(self, folder: Path) -> None:
        content = {"format": FORMAT, "joins": self.joins, "parted": sorted(self.parted)}
        write_atomically(folder / "contacts.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")

    def change(self, joins: Iterable[str], parts: Iterable[str], people: "People") -> None:
        """Join NAME=NUMBER, part NAME. InputError for somebody who isn't there."""
        for entry in joins:
            name, _, account = entry.rpartition("=")
            if not name or not _ACCOUNT.fullmatch(account):
                raise InputError(f"--join {entry}: not NAME=NUMBER", hint="such as --join 小鹿=20002")
            if name not in people.bare:
                raise InputError(f"nobody is called {name} without a number", hint=f"there are: {people.some_bare()}")
            self.joins[name] = account
            self.parted.discard(name)
        for name in parts:
            if name not in self.joins and name not in people.bare:
                raise InputError(f"nobody is called {name} without a number", hint=f"there are: {people.some_bare()}")
            self.joins.pop(name, None)
            self.parted.add(name)

    def chat(self, key: str) -> str:
        """The key of a chat after the joins."""
        platform, _, rest = key.partition(":")
        kind, _, peer = rest.partition(":")
        return f"{platform}:{kind}:{self.joins.get(peer, peer)}" if kind == "private" else key

    def apply(self, row: Row) -> Row:
        """A row under its person's number."""
        sender, chat = self.joins.get(row["sender"], row["sender"]), self.chat(row["chat"])
        return row if sender == row["sender"] and chat == row["chat"] else {**row, "sender": sender, "chat": chat}

    def messages(self, path: Path) -> Iterator[Message]:
        """The messages of a messages.jsonl, by chat and time, under their people's numbers."""
        if not self.joins:
            yield from (_message(row, path, number) for number, row in _rows(path))
            return
        ranges = _ranges(path)
        for _, keys in groupby(sorted(ranges, key=lambda key: (self.chat(key), key)), key=self.chat):
            chats = [self._record(path, ranges[key], place) for place, key in enumerate(keys)]
            yield from (_message(row, path, 0) for row in _together(chats))

    def _record(self, path: Path, where: tuple[int, int], place: int) -> Iterator[tuple[int, int, Row]]:
        """One chat's rows with their time; `place` tells it from the others of the same person."""
        for _, row in _rows(path, *where):
            yield row["time"], place, self.apply(row)


def _together(chats: list[Iterator[tuple[int, int, Row]]]) -> Iterator[Row]:
    """Several records of one chat as one: of what stands in more than one of them, the longest record."""
    if len(chats) == 1:
        yield from (row for _, _, row in chats[0])
        return
    for _, second in groupby(heapq.merge(*chats, key=itemgetter(0)), key=itemgetter(0)):
        said: dict[tuple[str, str], dict[int, list[Row]]] = {}
        for _, place, row in second:
            text = " ".join(Message.from_row(row).text.split())
            said.setdefault((row["sender"], text), {}).setdefault(place, []).append(row)
        for records in said.values():
            yield from max(records.values(), key=lambda rows: (len(rows), not rows[0]["id"].startswith("~")))


def _rows(path: Path, start: int = 0, end: int | None = None) -> Iterator[tuple[int, Row]]:
    with path.open("rb") as file:
        file.seek(start)
        place = start
        for number, line in enumerate(file, 1):
            if end is not None and place >= end:
                return
            place += len(line)
            try:
                row = parsed(line)
            except ValueError:
                raise _no_message(path, number) from None
            yield number, row


def _message(row: Any, path: Path, number: int) -> Message:
    try:
        return Message.from_row(row)
    except ValueError:
        raise _no_message(path, number) from None


def _no_message(path: Path, number: int) -> InputError:
    return InputError(f"{path}:{number}: not a message", hint="run `mybot import` again")


def _ranges(path: Path) -> dict[str, tuple[int, int]]:
    """Where each chat stands in the file: the first byte and the byte after the last."""
    ranges: dict[str, tuple[int, int]] = {}
    place, before = 0, b""
    key = ""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            match = _CHAT.search(line)
            if match is None:
                raise _no_message(path, number)
            if match[1] != before:
                before, key = match[1], json.loads(match[1])
                ranges.setdefault(key, (place, place))
            place += len(line)
            ranges[key] = (ranges[key][0], place)
    return ranges


@dataclass(slots=True)
class People:
    """Everybody in a messages.jsonl, as far as joining needs to know them."""

    names: dict[str, Counter[str]] = field(default_factory=dict)
    """Account → the names it had."""
    chats: dict[str, set[str]] = field(default_factory=dict)
    """Account or bare name → the chats it speaks in."""
    bare: Counter[str] = field(default_factory=Counter)
    """Name without an account → messages."""
    alike: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(bare name, account) → messages with the same second and the same text."""

    @classmethod
    def read(cls, path: Path) -> "People":
        people = cls()
        said: dict[int, set[str]] = {}
        for _, row in _rows(path):
            sender, name = row["sender"], row["name"]
            if row.get("mine") or "system" in row.get("flags", ()):
                continue
            people.chats.setdefault(sender, set()).add(row["chat"])
            if _ACCOUNT.fullmatch(sender):
                people.names.setdefault(sender, Counter())[name] += 1
                continue
            people.bare[sender] += 1
            if people.bare[sender] <= EVIDENCE:
                said.setdefault(_print(row), set()).add(sender)
        for _, row in _rows(path):
            if _ACCOUNT.fullmatch(row["sender"]) and not row.get("mine"):
                for name in said.get(_print(row), ()):
                    people.alike[name, row["sender"]] += 1
        return people

    def suggestions(self, known: Contacts) -> list[tuple[str, str, str]]:
        """Name, account, why: by messages that stand in both, else by a name that only one account has."""
        found: list[tuple[str, str, str]] = []
        for name in self.bare:
            if name in known.joins or name in known.parted:
                continue
            alike = [(n, account) for (bare, account), n in self.alike.items() if bare == name and n > 1]
            bearers = [account for account, names in self.names.items() if name in names]
            if alike:
                n, account = max(alike)
                found.append((name, account, f"{n:,} messages stand in both"))
            elif len(bearers) == 1:
                found.append((name, bearers[0], "the same name"))
        return found

    def some_bare(self) -> str:
        return ", ".join(name for name, _ in self.bare.most_common(10)) or "nobody"


def _print(row: Row) -> int:
    text = "".join(segment.get("text", "") for segment in row["segments"])
    return hash((row["time"], " ".join(text.split())))
