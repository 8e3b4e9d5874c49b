"""WeChat chats as WeFlow and echotrace export them to JSON.

    {"weflow": {…}, "session": {"wxid", "displayName", "remark", "nickname", "type": "群聊"},
     "messages": [{"localId", "createTime", "type": "文本消息", "localType", "content",
                   "isSend": 0 | 1 | null, "senderUsername", "senderDisplayName"}, …]}

`localType` lies and `localId` repeats from one database of the phone to the next: neither is used.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from bot.persona.message import Kind, Message, Segment
from config.errors import InputError
from training.importers.json_rows import Broken, member, rows
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, decode_head
from training.importers.values import as_dict, as_text, moment
from training.importers.wechat_content import SYSTEM, is_system, segments_of

_BEGINS = re.compile(r'\{\s*"(?:localId|createTime|platformMessageId)"\s*:')
_SESSION = re.compile(r'"session"\s*:\s*\{[^{}]*"wxid"\s*:')


def sniff(source: Source) -> float:
    """Sure with a session that has a wxid; messages may only come after its picture."""
    text = decode_head(source.head)
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return 0.0
    if _SESSION.search(text):
        return 0.96 if '"createTime"' in text and '"isSend"' in text else 0.8
    return 0.7 if re.search(r'"weflow"\s*:\s*\{', text) and '"session"' in text else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order, one at a time."""
    session = as_dict(member(source.file, "session"))
    if not session:
        raise InputError(f"{source.name} doesn't say which chat it is", hint="export it again as JSON")
    reader = _Session(source, session, notes, zone)
    for number, row in enumerate(rows(source.file, "messages", _BEGINS), 1):
        if isinstance(row, Broken):
            notes.drop("truncated" if row.truncated else "broken_row", source, number, row.begins)
        elif (message := reader.message(row, number)) is not None:
            yield message


class _Session:
    """Builds the messages of one chat."""

    def __init__(self, source: Source, session: dict[str, Any], notes: Notes, zone: Zone) -> None:
        self._source, self._notes, self._zone = source, notes, zone
        wxid = as_text(session.get("wxid"))
        is_group = wxid.endswith("@chatroom") or as_text(session.get("type")) == "群聊"
        self._kind: Kind = "group" if is_group else "private"
        names = (as_text(session.get(key)) for key in ("remark", "displayName", "nickname"))
        self._name = next((name for name in names if name), wxid or PurePath(source.name).stem)
        self._key = f"wechat:{self._kind}:{wxid or self._name}"
        self._identify = fingerprint(self._key)

    def message(self, row: dict[str, Any], number: int) -> Message | None:
        """One row as a message; None, and a note, if it is none."""
        when = moment(row.get("createTime"), self._zone) or moment(row.get("formattedTime"), self._zone)
        if when is None:
            self._notes.drop("bad_time", self._source, number, as_text(row.get("createTime")))
            return None
        kind, content = as_text(row.get("type")), row.get("content")
        if not kind or not isinstance(content, str | None):
            self._notes.drop("not_a_message", self._source, number, as_text(row.get("localId")))
            return None
        if not when.had_zone:
            self._notes.assumed_zone = True
        system = is_system(kind) or ("isSend" in row and row["isSend"] is None)
        sender = as_text(row.get("senderUsername"))
        if not sender or sender.endswith("@chatroom"):
            sender, system = SYSTEM, True
        if row.get("isSend") == 1 and not system:
            self._notes.owners.add(sender)
        segments = [Segment("text", content or "")] if system else segments_of(kind, content or "")
        self._look_at(segments, number)
        text = "".join(segment.text for segment in segments)
        return Message(
            _id(row.get("platformMessageId")) or self._identify(when.time, sender, text),
            self._key,
            self._kind,
            when.time,
            sender,
            as_text(row.get("senderDisplayName")) or sender,
            segments,
            reply_to=_id(row.get("replyToMessageId")) or None,
            precision=when.precision,
            flags=("system",) if system else (),
            source=f"{self._source.name}:{number}",
            chat_name=self._name,
        )

    def _look_at(self, segments: list[Segment], number: int) -> None:
        if any(segment.type == "unknown" for segment in segments):
            self._notes.damage("unknown_element", self._source, number)
        if any(DAMAGED in segment.text for segment in segments):
            self._notes.damage("undecodable_bytes", self._source, number)


def _id(value: Any) -> str:
    number = as_text(value).strip()
    return "" if number == "0" else number
