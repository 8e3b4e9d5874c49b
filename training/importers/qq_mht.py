"""QQ's mht export (PC QQ before 9.9, TIM), and the same page saved as html.

    <tr><td>…日期: 2020-02-11</td></tr>
    <tr><td><div style=color:#42B475;…><div style=…>阿树(30044)</div>8:00:11</div><div style=…>…</div></td></tr>

The colour says who is me, which no other export of QQ does. The pictures that follow as base64 are
not read; an e-mail parser would load them all. A friend's page has names without ids.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath

from bot.persona.message import Kind, Message
from training.importers.html_rows import HtmlRow, html_body, html_rows, plain
from training.importers.qq_marks import speaker_of
from training.importers.qq_txt_lines import split_who, wall_time
from training.importers.qq_txt_survey import SYSTEM
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, decode_head

MINE = "42B475"

_HEAD = re.compile(r">消息(分组|对象):([^<]*)<")
_DATE = re.compile(r">日期: ?([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})<")
_MESSAGE = re.compile(
    r"<div style=\"?color:#([0-9A-Fa-f]{6});[^<>]{0,80}><div style=[^<>]{0,80}>([^<]{0,400})</div>"
    r"(?:(AM|PM|上午|下午|凌晨|早上|中午|晚上) ?)?([0-9]{1,2}):([0-9]{2}:[0-9]{2})(?: ?(AM|PM))?</div><div [^<>]{0,80}>"
)


def sniff(source: Source) -> float:
    """Sure with QQ's own head, or with its rows."""
    text = decode_head(source.head)
    if text.startswith("From: <Save by Tencent MsgMgr>"):
        return 0.98
    return 0.95 if "<title>QQ Message</title>" in text or ("消息对象:" in text and _MESSAGE.search(text)) else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order; whoever is green is noted as the owner."""
    page = _Page(source, notes, zone)
    for row in html_rows(source, "</tr>"):
        if row.cut:
            notes.drop("too_long", source, row.line, row.text)
            continue
        message = page.see(row)
        if message is not None:
            yield message


class _Page:
    """What the rows so far said: whose chat, which day."""

    def __init__(self, source: Source, notes: Notes, zone: Zone) -> None:
        self._source, self._notes, self._zone = source, notes, zone
        self._group = ""
        self._name = PurePath(source.name).stem
        self._kind: Kind | None = None
        self._day = ""
        self._identify = fingerprint("")

    def see(self, row: HtmlRow) -> Message | None:
        """The message of a row; None where it is a head or a date."""
        if row.line > 1 and (before := row.text.partition("<tr")[0]).strip():
            self._notes.drop("outside_messages", self._source, row.line, before)
        match = _MESSAGE.search(row.text)
        if match is None:
            self._heading(row)
            return None
        time = wall_time(self._day, match[4], match[5], match[3] or match[6]) if self._day else None
        if time is None:
            self._notes.drop("bad_time", self._source, row.line, row.text)
            return None
        return self._message(row, match, time)

    def _heading(self, row: HtmlRow) -> None:
        """A row without a message: whose chat it is from here on, or which day."""
        for key, value in _HEAD.findall(row.text):
            self._kind = None
            if key == "分组":
                self._group = plain(value)
            else:
                self._name = plain(value) or self._name
        if date := _DATE.search(row.text):
            self._day = f"{date[1]}-{int(date[2]):02}-{int(date[3]):02}"
        if "float:left" in row.text:
            self._notes.drop("broken_row", self._source, row.line, row.text)

    def _message(self, row: HtmlRow, match: re.Match[str], wall: int) -> Message:
        self._notes.assumed_zone = True
        who, mine = plain(match[2]), match[1].upper() == MINE
        kind = self._chat_kind(who)
        sender, name, flags = speaker_of(who, is_group=kind == "group")
        if kind == "private" and mine and name == self._name:
            # Both are called the same: here, and only here, the colour still tells them apart.
            sender = f"{name}@我"
        if mine and not flags:
            self._notes.owners.add(sender)
        segments = html_body(row.text[match.end() :].removesuffix("</td>").removesuffix("</div>"))
        text = "".join(segment.plain() for segment in segments)
        if DAMAGED in text or DAMAGED in who:
            self._notes.damage("undecodable_bytes", self._source, row.line, text)
        time = self._zone.utc(wall)
        return Message(
            self._identify(time, sender, text),
            f"qq:{kind}:{self._name}",
            kind,
            time,
            sender,
            name,
            segments,
            flags=flags,
            source=f"{self._source.name}:{row.line + row.text.count(chr(10), 0, match.start())}",
            chat_name=self._name,
        )

    def _chat_kind(self, who: str) -> Kind:
        """A group by its heading, or because its people have ids."""
        if self._kind is None:
            known = split_who(who)
            self._kind = "group" if "群" in self._group or (known and known[0] not in SYSTEM) else "private"
            self._identify = fingerprint(f"qq:{self._kind}:{self._name}")
        return self._kind
