"""copies.bin: what was said in which chat of the records, as keyed hashes, so that no chat hears another's lines.

    magic, key │ digests of the chats │ entries, sorted: 48 bits of a shingle's hash, 16 bits of the chat's place

A shingle is a stretch of about 12 Chinese characters, or 24 Latin ones: shorter lines, the habits of a
person, leave no trace here. Of every five neighbouring shingles one is kept, the one with the lowest hash
(winnowing), while a text is looked up by all of its shingles: so a whole line of 12 is found, and any
16 in a row of a longer one. What stands in COMMON chats is nobody's secret and is left out.

Knows no words, and no chat by name. Who has the file can try out a guess of a whole line, as with every hash.
"""

import hashlib
import mmap
import struct
import sys
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bot.persona.guard_text import same_words
from config.errors import PersonaError

FILE = "copies.bin"
MAGIC = b"mybot copies 1\n\0"
KEY = 16
WEIGHT = 24
"""Of a shingle: a Chinese character weighs 2, any other 1."""
WINDOW = 5
"""Neighbouring shingles of which one is kept."""
COMMON = 3
"""Chats in which something was said that anybody may say."""
CHATS = 0xFFFF
"""Places for chats; those beyond share the last, which is never the one that is asked about."""
LATELY = 50_000
"""Shingles of what was read lately in live chats."""

_HEAD = struct.Struct(f"<{len(MAGIC)}s{KEY}sQQ")


def shingles(text: str) -> list[str]:
    """The shingles of a text, one for each character that enough others follow."""
    plain = same_words(text)
    found: list[str] = []
    end = weight = 0
    for start, character in enumerate(plain):
        while weight < WEIGHT and end < len(plain):
            weight += _weight(plain[end])
            end += 1
        if weight < WEIGHT:
            break
        found.append(plain[start:end])
        weight -= _weight(character)
    return found


def winnowed(hashes: Sequence[int]) -> set[int]:
    """Of every WINDOW neighbouring hashes the lowest; of fewer, the lowest of all."""
    last = max(1, len(hashes) - WINDOW + 1)
    return {min(hashes[place : place + WINDOW]) for place in range(last)} if hashes else set()


def digest(key: bytes, text: str) -> int:
    """48 bits of the keyed hash of a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), key=key, digest_size=6).digest(), "big")


class Copies:
    """The hashed lines of the records; opened once, read from the disk as it is asked."""

    def __init__(self, key: bytes, chats: Sequence[int], entries: Sequence[int]) -> None:
        self._key = key
        self._place = {chat: place for place, chat in enumerate(chats)}
        self._entries = entries

    @classmethod
    def open(cls, path: Path) -> "Copies":
        """The file of a persona. PersonaError where it is damaged."""
        try:
            with path.open("rb") as file:
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            magic, key, chats, entries = _HEAD.unpack_from(content)
            if magic != MAGIC or len(content) != _HEAD.size + 8 * (chats + entries):
                raise ValueError
        except (OSError, ValueError, struct.error):
            raise PersonaError(f"{path} is damaged", hint="copy the folder again, or merge once more") from None
        numbers = content[_HEAD.size :].cast("Q")
        if sys.byteorder == "big":
            swapped = array("Q", numbers)
            swapped.byteswap()
            numbers = memoryview(swapped)
        return cls(key, numbers[:chats].tolist(), numbers[chats:])

    def __len__(self) -> int:
        return len(self._entries)

    def from_elsewhere(self, text: str, chat: str) -> list[str]:
        """The shingles of a text that were said in other chats of the records and not in this one."""
        here = self._place.get(digest(self._key, chat), -1)
        found: list[str] = []
        for shingle in shingles(text):
            places = self._said_in(digest(self._key, shingle))
            if places and (here not in places or here == CHATS - 1):
                found.append(shingle)
        return found

    def _said_in(self, number: int) -> set[int]:
        entries, places = self._entries, set[int]()
        at = bisect_left(entries, number << 16)
        while at < len(entries) and entries[at] >> 16 == number:
            places.add(entries[at] & 0xFFFF)
            at += 1
        return places


def pack(key: bytes, said: Iterable[tuple[str, Iterator[str]]]) -> bytes:
    """The content of a copies.bin: of each chat its key and its lines."""
    chats: dict[int, int] = {}
    entries: set[int] = set()
    for chat, lines in said:
        place = chats.setdefault(digest(key, chat), min(len(chats), CHATS - 1))
        for line in lines:
            entries.update(number << 16 | place for number in winnowed([digest(key, one) for one in shingles(line)]))
    kept = array("Q", _private(sorted(entries)))
    numbers = array("Q", chats) + kept
    if sys.byteorder == "big":
        numbers.byteswap()
    return _HEAD.pack(MAGIC, key, len(chats), len(kept)) + numbers.tobytes()


def _private(entries: Sequence[int]) -> Iterator[int]:
    """Without what stands in COMMON chats."""
    start = 0
    for place in range(1, len(entries) + 1):
        if place == len(entries) or entries[place] >> 16 != entries[start] >> 16:
            if place - start < COMMON:
                yield from entries[start:place]
            start = place


class Lately:
    """What other chats' prompts held lately, in memory: where an engine mixed chats up, it shows here.

    The persona has never learned it; only a fault could bring it into another chat.
    """

    def __init__(self, size: int = LATELY) -> None:
        self._size = size
        self._said: OrderedDict[int, set[str]] = OrderedDict()

    def hear(self, chat: str, text: str) -> None:
        """Remember what somebody said in a chat."""
        for shingle in shingles(text):
            number = hash(shingle)
            self._said.setdefault(number, set()).add(chat)
            self._said.move_to_end(number)
        while len(self._said) > self._size:
            self._said.popitem(last=False)

    def from_elsewhere(self, text: str, chat: str) -> list[str]:
        """The shingles of a text that were said in other chats and not in this one."""
        found: list[str] = []
        for shingle in shingles(text):
            chats = self._said.get(hash(shingle), set())
            if chats and chat not in chats and len(chats) < COMMON:
                found.append(shingle)
        return found


def _weight(character: str) -> int:
    return 2 if character >= "\u2e80" else 1
