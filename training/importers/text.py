"""The text of an export, whatever its encoding: read in blocks, never as a whole.

A byte-order mark decides; without one, strict UTF-8 over the whole file; else the reading with
fewer errors. One broken byte must not turn a UTF-8 file into GBK.
"""

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 64 * 1024
DAMAGED = "\ufffd"
"""What stands for bytes that could not be decoded."""

_PLACE = re.compile(f"{DAMAGED}+")

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def blocks(file: BinaryIO, encoding: str, *, strict: bool = False) -> Iterator[str]:
    """The text in pieces; no piece ends between the CR and the LF of one line end."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)("strict" if strict else "replace")
    held = ""
    while raw := file.read(BLOCK):
        text = held + decoder.decode(raw)
        held = "\r" if text.endswith("\r") else ""
        yield text[:-1] if held else text
    yield held + decoder.decode(b"", final=True)


def encoding_of(file: BinaryIO) -> str:
    """The encoding that reads the file best."""
    file.seek(0)
    head = file.read(4)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    try:
        for _ in blocks(file, "utf-8", strict=True):
            pass
    except UnicodeDecodeError:
        return _least_damaged(file)
    return "utf-8"


def decode_head(head: bytes) -> str:
    """The text at the beginning of a file, for guessing its format."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return head.decode(name, "replace")
    text = head.decode("utf-8", "replace")
    # The cut may fall into a character: one error is no reason to doubt UTF-8.
    return text if text.count(DAMAGED) <= 1 else min(text, head.decode("gb18030", "replace"), key=_damage_rate)


def _least_damaged(file: BinaryIO) -> str:
    broken, sound = _damage(file, "utf-8")
    if broken * 4 <= sound:
        return "utf-8"
    gbk, _ = _damage(file, "gb18030")
    return "gb18030" if gbk < broken else "utf-8"


def _damage(file: BinaryIO, encoding: str) -> tuple[int, int]:
    """Places that could not be read, and characters beyond ASCII that could.

    A place may be several bytes in a row: one flipped bit can spoil a character of three or four.
    """
    broken = sound = 0
    for text in blocks(file, encoding):
        broken += len(_PLACE.findall(text))
        sound += len(text) - len(text.encode("ascii", "ignore")) - text.count(DAMAGED)
    return broken, sound


def _damage_rate(text: str) -> float:
    bad = text.count(DAMAGED)
    return bad / (1 + len(text) - len(text.encode("ascii", "ignore")))
