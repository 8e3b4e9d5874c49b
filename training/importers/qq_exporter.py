"""qq-chat-exporter's JSON, from its first dialect to today's; told by its keys, for its versions lie.

    {"metadata": {…}, "chatInfo": {"name", "type", "selfUin"?, "peerUin"?}, "statistics": {…},
     "messages": [{"id", "timestamp", "sender": {"uid", "uin", "name"}, "content": {"elements": […]},
                   "recalled", "system"}, …]}

Or the messages lie in chunks, one a line, that the manifest names: {…, "chunked": {"chunks":
[{"relativePath", "count"}]}}. The older dialect has `messageId`, ISO times, `messageType`, `isSystemMessage`, `isRecalled`, and
`rawMessage` beside. Texts are built from the elements: `content.text` glues marks to the words.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import PurePath
from typing import Any, cast

from bot.persona.message import Kind, Message
from config.errors import InputError
from training.importers.json_rows import Broken, member, objects, rows
from training.importers.qq_exporter_elements import plain_segments, reply_of, segments_of
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, decode_head

SYSTEM = ("10000", "系统消息")
"""Sender of what nobody said, as QQ's text export names it."""

_NUMBER = re.compile("[1-9][0-9]{4,11}")
_BEGINS = re.compile(r'\{\s*"(?:id|messageId)"\s*:')
_NOWHERE = frozenset({"", "0", "未知"})
_REMEMBERED = 20_000
"""Messages back that a reply may mean by time and sender."""

_LATEST = 1 << 36


def sniff(source: Source) -> float:
    """Sure with the keys that only this exporter writes."""
    text = decode_head(source.head)
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return 0.0
    if '"chatInfo"' in text and '"metadata"' in text:
        return 0.95
    return 0.7 if '"chatInfo"' in text and '"messages"' in text else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order, one at a time."""
    info = _dict(member(source.file, "chatInfo"))
    if not info:
        raise InputError(f"{source.name} doesn't say which chat it is", hint="export it again as JSON")
    notes.owners |= {_text(info[key]) for key in ("selfUin",) if _text(info.get(key)) not in _NOWHERE}
    reader = _Reader(source, info, zone, notes)
    chunked = _dict(member(source.file, "chunked"))
    found = _chunked(source, notes, chunked) if chunked else rows(source.file, "messages", _BEGINS)
    for number, row in enumerate(found, 1):
        if isinstance(row, Broken):
            notes.drop("truncated" if row.truncated else "broken_row", source, number, row.begins)
            continue
        message = reader.message(row, number)
        if message is not None:
            yield message


def _chunked(source: Source, notes: Notes, chunked: dict[str, Any]) -> Iterator[dict[str, Any] | Broken]:
    """The rows of the chunks that a manifest names; what is missing is told."""
    listed = chunked.get("chunks")
    for chunk in map(_dict, listed if isinstance(listed, list) else []):
        name = _text(chunk.get("relativePath")) or _text(chunk.get("fileName"))
        place = source.beside(name) if name else None
        if place is None:
            notes.warnings.append(f"{source.name}: the chunk {name or '(no name)'} isn't beside it")
            continue
        count = 0
        with place.open() as part:
            for row in objects(part.file, _BEGINS):
                count += not isinstance(row, Broken)
                yield row
        if (promised := chunk.get("count")) != count and isinstance(promised, int):
            notes.warnings.append(f"{name} has {count:,} messages, the manifest says {promised:,}")


class _Reader:
    """Builds the messages of one export."""

    def __init__(self, source: Source, info: dict[str, Any], zone: Zone, notes: Notes) -> None:
        self._source, self._zone, self._notes = source, zone, notes
        self._kind: Kind = "group" if _text(info.get("type")) in ("group", "2") else "private"
        self._name = _text(info.get("name")) or PurePath(source.name).stem
        number = next((n for key in _CHAT_NUMBERS if _NUMBER.fullmatch(n := _text(info.get(key)))), "")
        self._chat = f"qq:{self._kind}:{number or self._name}"
        self._identify = fingerprint(self._chat)
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._said: OrderedDict[tuple[int, str], str] = OrderedDict()

    def message(self, row: dict[str, Any], number: int) -> Message | None:
        """One row as a message; None, and a note, if it is none."""
        raw = _dict(row.get("rawMessage"))
        time = self._time(row, raw)
        if time is None:
            self._notes.drop("bad_time", self._source, number, str(row.get("timestamp")))
            return None
        content = row.get("content")
        if not isinstance(content, dict | str) or not isinstance(row.get("sender", raw), dict):
            self._notes.drop("not_a_message", self._source, number, str(row.get("id")))
            return None
        sender, name, is_system = _who(row, raw)
        elements = content.get("elements") if isinstance(content, dict) else None
        quoted = reply_of(elements, content)
        if isinstance(elements, list) and elements:
            segments = segments_of(elements)
        else:
            segments = plain_segments(content if isinstance(content, str) else _text(content.get("text")))
        if any(segment.type == "unknown" for segment in segments):
            self._notes.damage("unknown_element", self._source, number)
        text = "".join(segment.text for segment in segments)
        if DAMAGED in text:
            self._notes.damage("undecodable_bytes", self._source, number, text)
        own = _text(row.get("id") or row.get("messageId"))
        message_id = own if own not in _NOWHERE else self._identify(time, sender, text)
        reply_to = self._quoted(quoted)
        self._remember(message_id, time, sender)
        return Message(
            message_id,
            self._chat,
            self._kind,
            time,
            sender,
            name,
            segments,
            reply_to=reply_to,
            flags=_flags(row, raw, is_system=is_system),
            source=f"{self._source.name}:{number}",
            chat_name=self._name,
        )

    def _time(self, row: dict[str, Any], raw: dict[str, Any]) -> int | None:
        for value in (row.get("timestamp"), row.get("time"), raw.get("msgTime")):
            time = self._seconds(value)
            if time is not None:
                return time
        return None

    def _seconds(self, value: Any) -> int | None:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not 0 < value < _LATEST * 1000:
                return None
            return int(value // 1000 if value > 1e11 else value)
        return self._iso_seconds(value) if isinstance(value, str) else None

    def _iso_seconds(self, value: str) -> int | None:
        # Python 3.10 knows neither Z nor three digits of a second in every form: cut them off.
        match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?", value, re.ASCII)
        if match is None:
            return None
        zone = "+00:00" if match[3] in (None, "Z") else match[3]
        try:
            seconds = int(datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}").astimezone(timezone.utc).timestamp())
        except (ValueError, OverflowError):
            return None
        if match[3] is None:
            self._notes.assumed_zone = True
            return self._zone.utc(seconds)
        return seconds

    def _quoted(self, quoted: tuple[str, int, str] | None) -> str | None:
        """The id of the quoted message; by its time and sender if the id given is nowhere."""
        if quoted is None:
            return None
        message_id, time, sender = quoted
        if message_id not in self._ids:
            message_id = self._said.get((time, sender), message_id)
        return message_id if message_id not in _NOWHERE else None

    def _remember(self, message_id: str, time: int, sender: str) -> None:
        self._ids[message_id] = None
        self._said[time, sender] = message_id
        for memory in (self._ids, self._said):
            if len(memory) > _REMEMBERED:
                memory.popitem(last=False)


_CHAT_NUMBERS = ("groupCode", "groupUin", "peerUin", "uin", "groupId")


def _who(row: dict[str, Any], raw: dict[str, Any]) -> tuple[str, str, bool]:
    """Id, name, and whether nobody said it."""
    sender = _dict(row.get("sender"))
    uin = _text(sender.get("uin") or raw.get("senderUin"))
    uid = _text(sender.get("uid"))
    marked = bool(row.get("system") or row.get("isSystemMessage")) or row.get("type") == "system"
    if marked or uin == "0" or uid == "未知" or (uin in _NOWHERE and uid in _NOWHERE):
        return *SYSTEM, True
    number = uin if uin not in _NOWHERE else uid
    candidates = (sender.get("name"), sender.get("groupCard"), sender.get("nickname"), raw.get("sendNickName"))
    name = next((text for value in candidates if (text := _text(value).strip())), number)
    return number, name, False


def _flags(row: dict[str, Any], raw: dict[str, Any], *, is_system: bool) -> tuple[str, ...]:
    recalled = bool(row.get("recalled") or row.get("isRecalled")) or _text(raw.get("recallTime")) not in _NOWHERE
    flags: list[str] = []
    if recalled:
        flags.append("recalled")
    if is_system:
        flags.append("system")
    return tuple(flags)


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A string or number as text; anything else as none."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
