"""The rows of a WeChat CSV: columns by name, quotes that don't close, and where a damaged row ends.

A row may go over several lines. If it doesn't come out right (wrong number of fields, no time), only
its first line is given up, and reading goes on with the next one: an eaten quote costs one row.
"""

import csv
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from training.importers.lines import LONGEST, Line, lines
from training.importers.source import Notes, Source, Zone
from training.importers.text import blocks
from training.importers.values import Moment, as_dict, as_text, moment

_NAMES = {
    "msgsvrid": "id",
    "消息id": "id",
    "type_name": "kind",
    "type": "kind",
    "类型": "kind",
    "subtype": "sub",
    "is_sender": "mine",
    "issender": "mine",
    "talker": "talker",
    "room_name": "room",
    "talkerid": "room",
    "talkername": "room_name",
    "sender": "sender",
    "sendername": "name",
    "发送人": "name",
    "remark": "name",
    "nickname": "nick",
    "msg": "content",
    "content": "content",
    "strcontent": "content",
    "内容": "content",
    "createtime": "time",
    "time": "time",
    "时间": "time",
    "strtime": "time2",
}
_DIALECTS = (
    ("pywxdump", {"mine", "talker", "room", "content", "time"}),
    ("memotrace", {"mine", "room", "content"}),
    ("chatlog", {"name", "sender", "talker", "content", "time"}),
    ("memotrace_new", {"kind", "name", "content", "time"}),
)


_Places = tuple[int, ...]


@dataclass(slots=True, frozen=True)
class Columns:
    """Where a file has what: the first place that isn't empty counts."""

    dialect: str
    least: int
    """So many fields a row must have."""
    times: _Places
    mine: _Places
    chat: _Places
    chat_name: _Places
    sender: _Places
    name: _Places
    kind: _Places
    sub: _Places
    content: _Places
    id: _Places


class Row(NamedTuple):
    """What a row says, whatever its columns are called."""

    line: int
    when: Moment
    chat: str
    chat_name: str
    mine: bool | None
    """None where the format doesn't say."""
    sender: str
    name: str
    kind: str
    sub: str
    content: str
    id: str


def columns_of(header: list[str]) -> Columns | None:
    """The columns of a header line; None if it is none of these programs'."""
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        role = _NAMES.get(name.strip().lower())
        if role is not None:
            places.setdefault(role, place)
    if "time" not in places and "time2" not in places:
        return None
    dialect = next((dialect for dialect, needed in _DIALECTS if needed <= places.keys()), None)
    if dialect is None:
        return None

    def at(*roles: str) -> _Places:
        return tuple(places[role] for role in roles if role in places)

    return Columns(
        dialect,
        1 + max(at("content", "time", "time2", "mine", "talker")),
        times=at("time", "time2"),
        mine=at("mine"),
        chat=at("talker" if dialect == "chatlog" else "room"),
        chat_name=at("room_name"),
        sender=at("talker" if dialect == "pywxdump" else "sender"),
        name=at("name", "nick"),
        kind=at("kind"),
        sub=at("sub"),
        content=at("content"),
        id=at("id"),
    )


def fields_of(record: str) -> list[str] | None:
    """The fields of one row; None if it can't be read."""
    record = record.removesuffix("\r")
    if '"' not in record:
        return record.split(",")
    try:
        return next(csv.reader([record]), None)
    except csv.Error:
        return None


def rows(source: Source, encoding: str, zone: Zone, notes: Notes | None = None) -> Iterator[Row]:
    """The rows that are messages; what is none is accounted for in `notes`."""
    feed = _Feed(lines(blocks(source.file, encoding)))
    first = feed.next()
    columns = columns_of(fields_of(first.text.removeprefix("\ufeff")) or []) if first else None
    if columns is None:
        return
    while (line := feed.next()) is not None:
        if not line.text.strip():
            continue
        taken = [line, *feed.until_closed(line)]
        row = None if taken[-1].cut else _row("\n".join(part.text for part in taken), line.number, columns, zone)
        if isinstance(row, Row):
            yield row
            continue
        feed.give_back(taken[1:])
        if notes is not None:
            unclosed = len(taken) > 1 or line.text.count('"') % 2
            notes.drop("too_long" if line.cut else "broken_row" if unclosed else row or "broken_row", source, *line[:2])


class _Feed:
    """Lines that can be given back."""

    def __init__(self, source: Iterator[Line]) -> None:
        self._source = source
        self._back: deque[Line] = deque()

    def next(self) -> Line | None:
        return self._back.popleft() if self._back else next(self._source, None)

    def give_back(self, taken: list[Line]) -> None:
        self._back.extendleft(reversed(taken))

    def until_closed(self, line: Line) -> list[Line]:
        """The lines that follow until every quote is closed, or too much was read."""
        taken: list[Line] = []
        is_open, length = line.text.count('"') % 2 == 1, len(line.text)
        while is_open and length < LONGEST and not line.cut and (following := self.next()) is not None:
            taken.append(following)
            line = following
            length += len(line.text) + 1
            is_open = is_open != (line.text.count('"') % 2 == 1)
        return taken


def _row(record: str, line: int, columns: Columns, zone: Zone) -> Row | str:
    """A row, or why it is none."""
    fields = fields_of(record)
    if fields is None:
        return "broken_row"
    if len(fields) < columns.least:
        return "short_row"

    when = next((when for place in columns.times if (when := _moment(fields, place, zone))), None)
    if when is None:
        return "bad_time"
    mark = _pick(fields, columns.mine).strip()
    if columns.mine and mark not in ("0", "1"):
        return "not_a_message"
    sender, name, content = (_pick(fields, places) for places in (columns.sender, columns.name, columns.content))
    if columns.dialect == "pywxdump":
        content = _content(content)
    return Row(
        line,
        when,
        _pick(fields, columns.chat),
        _pick(fields, columns.chat_name),
        mark == "1" if mark else None,
        sender or ("" if mark else name),
        name,
        _pick(fields, columns.kind) or "文本",
        _pick(fields, columns.sub),
        content.replace("\r\n", "\n"),
        _pick(fields, columns.id),
    )


def _moment(fields: list[str], place: int, zone: Zone) -> Moment | None:
    return moment(fields[place], zone) if place < len(fields) else None


def _pick(fields: list[str], places: _Places) -> str:
    for place in places:
        if place < len(fields) and fields[place]:
            return fields[place]
    return ""


def _content(text: str) -> str:
    """Older PyWxDump kept text and source of a message as one JSON object."""
    if not (text.startswith('{"') and '"msg"' in text):
        return text
    try:
        return as_text(as_dict(json.loads(text)).get("msg"))
    except (ValueError, RecursionError):
        return text
