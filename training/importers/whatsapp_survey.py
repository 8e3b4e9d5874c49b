"""The first pass over a WhatsApp export: day or month first, the file's style, who speaks.

A number above twelve settles which is the day; else the order in which the file is sorted. A line in
the file's own style that is older than the message before it was quoted by that message (with an
hour's grace: clocks go back in autumn).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from training.importers.lines import lines
from training.importers.qq_txt_survey import Walk
from training.importers.text import blocks, encoding_of
from training.importers.whatsapp_lines import BY_WHATSAPP, Header, Order, Style, header, speaker, wall_time

_GRACE = 3600
_FEW = 8
"""So many quoted headers prove nothing about the order of a small file."""

_SPEAKERS = 2000
"""Names that are counted; a chat has fewer."""


class Timeline(Walk):
    """Which headers count, going through them in order: as in QQ's text exports, but with an hour's grace."""

    def accepts(self, time: int, number: int) -> bool:
        return super().accepts(max(time, self._last) if time + _GRACE >= self._last else time, number)


@dataclass(slots=True)
class Survey:
    """What the first pass found out."""

    encoding: str
    order: Order
    style: Style
    ambiguous: bool
    """Whether nothing in the file told day from month."""
    ordered: bool = True
    """Whether a header that is older than its predecessor is a quoted one."""
    liars: set[int] = field(default_factory=set)
    """Headers, by number, that are quoted ones from the future."""
    names: Counter[str] = field(default_factory=Counter)
    """Who speaks how often."""
    subject: str = ""
    """In whose name an iPhone's file begins: the group's, or the friend's."""

    def timeline(self) -> Timeline:
        return Timeline(ordered=self.ordered, liars=self.liars)


@dataclass(slots=True)
class _Dates:
    """What the dates of one style say about day and month."""

    seen: int = 0
    year_first: int = 0
    day_first: int = 0
    month_first: int = 0
    unequal: bool = False
    dotted: int = 0
    first: dict[Order, int] = field(default_factory=dict)
    last: dict[Order, int] = field(default_factory=dict)
    back: Counter[Order] = field(default_factory=Counter)

    def look_at(self, found: Header) -> None:
        a, b, _ = found.numbers
        self.seen += 1
        self.year_first += len(a) == 4 or int(a) > 31
        self.day_first += 12 < int(a) <= 31
        self.month_first += 12 < int(b) <= 31
        self.unequal = self.unequal or int(a) != int(b)
        self.dotted += found.dotted
        orders: tuple[Order, ...] = ("dmy", "mdy")
        for order in orders:
            time = wall_time(found, order)
            if time is not None:
                self.back[order] += time + _GRACE < self.last.get(order, 0)
                self.first.setdefault(order, time)
                self.last[order] = time

    def order(self, *, half_days: bool) -> tuple[Order, bool]:
        """The order, and whether it is no more than a guess."""
        if self.year_first * 2 > self.seen:
            return "ymd", False
        if self.day_first != self.month_first:
            return ("dmy" if self.day_first > self.month_first else "mdy"), False
        if self.back["dmy"] != self.back["mdy"]:
            return ("dmy" if self.back["dmy"] < self.back["mdy"] else "mdy"), False
        if self.dotted:
            return "dmy", False
        spans = {order: self.last[order] - self.first[order] for order in self.last}
        if len(spans) == 2 and spans["dmy"] != spans["mdy"]:
            # Neighbouring messages are days apart rather than months.
            return ("dmy" if spans["dmy"] < spans["mdy"] else "mdy"), self.unequal
        return "mdy" if half_days else "dmy", self.unequal


def survey(file: BinaryIO) -> Survey | None:
    """Look through an export without building any message; None if nothing in it looks like one."""
    encoding = encoding_of(file)
    dates: dict[Style, _Dates] = {}
    for line in lines(blocks(file, encoding)):
        if found := header(line.text):
            dates.setdefault(found.style, _Dates()).look_at(found)
    if not dates:
        return None
    style = max(dates, key=lambda style: dates[style].seen)
    order, ambiguous = dates[style].order(half_days=style[2])
    shape = Survey(encoding, order, style, ambiguous)
    _follow(file, shape)
    return shape


def in_style(file: BinaryIO, shape: Survey) -> Iterator[tuple[int, str, bool, Header | None, int | None]]:
    """Number, text and cut of every line; its header and time where it may begin a message."""
    for line in lines(blocks(file, shape.encoding)):
        found = header(line.text)
        if found is not None and found.style != shape.style:
            found = None
        time = wall_time(found, shape.order) if found else None
        yield line.number, line.text, line.cut, found, time


def _follow(file: BinaryIO, shape: Survey) -> None:
    """Learn which headers are quoted ones, and who speaks."""
    walk = Timeline(ordered=True)
    turned_down = total = 0
    for number, _, _, found, time in in_style(file, shape):
        if found is None or time is None:
            continue
        total += 1
        if not walk.accepts(time, number):
            turned_down += 1
            continue
        who = speaker(found.rest)
        if who and number == 1 and who[1].startswith(BY_WHATSAPP):
            shape.subject = who[0]
        if who and (who[0] in shape.names or len(shape.names) < _SPEAKERS):
            shape.names[who[0]] += 1
    shape.liars = walk.liars
    turned_down -= 5 * len(walk.liars)
    shape.ordered = turned_down <= _FEW or turned_down * 10 <= total
