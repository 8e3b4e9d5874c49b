"""The rows of a page that QQ wrote, one at a time: no tree of the page is built, pictures aren't read."""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from bot.persona.message import Segment
from training.importers.qq_marks import segments_of
from training.importers.source import Source
from training.importers.text import blocks

LONGEST = 4 << 20
"""Characters of one row; a longer one is cut off and says so."""

_OVER = re.compile(r"</html>|\n-{6,}=_NextPart")
_TAG = re.compile(r"<(?:(/?br)|(img)|/?[a-zA-Z])[^<>]*>", re.IGNORECASE)


class HtmlRow(NamedTuple):
    line: int
    text: str
    cut: bool


def html_rows(source: Source, end: str) -> Iterator[HtmlRow]:
    """The rows of a page, each without its end tag `end`, up to the end of the page."""
    buffer, line, cut = "", 1, False
    for text in blocks(source.file, "utf-8-sig"):
        start = max(0, len(buffer) - len(end))
        buffer += text
        place = 0
        while (at := buffer.find(end, start)) >= 0:
            yield HtmlRow(line, buffer[place:at], cut or at - place > LONGEST)
            line += buffer.count("\n", place, at)
            place = start = at + len(end)
            cut = False
        buffer = buffer[place:]
        if _OVER.search(buffer, 0, 4096) and line > 1:
            return
        if len(buffer) > LONGEST:
            line += buffer.count("\n", 0, len(buffer) - 64)
            buffer, cut = buffer[-64:], True
    if cut or "<div style=" in buffer or "<font" in buffer:
        yield HtmlRow(line, buffer, cut=True)


def html_body(markup: str) -> list[Segment]:
    """A message's markup as segments: pictures where they stand, words without tags."""
    segments: list[Segment] = []
    words: list[str] = []
    place = 0
    for tag in _TAG.finditer(markup):
        words.append(markup[place : tag.start()])
        place = tag.end()
        if tag[1]:
            words.append("\n")
        elif tag[2]:
            segments += segments_of(plain("".join(words)))
            segments.append(Segment("image"))
            words = []
    words.append(markup[place:])
    return segments + segments_of(plain("".join(words)))


def plain(text: str) -> str:
    """Text without entities, the misspelt `&get;` of QQ included."""
    return html.unescape(text.replace("&get;", "&gt;")).replace("\xa0", " ") if "&" in text else text
