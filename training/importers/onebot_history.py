"""What OneBot's get_group_msg_history and get_friend_msg_history answer (NapCat, LLBot, go-cqhttp).

    {"status": "ok", "data": {"messages": [{"self_id", "user_id", "time", "message_id", "message_type",
     "sender": {"nickname", "card"}, "message": [{"type", "data"}] or "[CQ:…]", "group_id"?}, …]}}

One answer, several one after another, an array of messages, or one message a line. An own message of
a private chat may not say with whom: then its answer's other messages do.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any, cast

from bot.persona.message import Kind, Message
from bot.persona.onebot import cq_parts, segments
from training.importers.json_rows import Broken, grouped_rows, objects
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, decode_head

_BEGINS = re.compile(
    r'\{\s*"(?:self_id|user_id|time|message_id|message_seq|message_type|post_type|group_id|real_id)"\s*:'
)
_ANSWER = re.compile(r'"messages"\s*:\s*\[')
_KEYS = ('"message_id"', '"user_id"', '"sender"', '"time"')
_SYSTEM = frozenset({"10000", "1000000"})
_LATEST = 1 << 36


def sniff(source: Source) -> float:
    """Sure with the keys of a OneBot message event."""
    text = decode_head(source.head)
    if text.lstrip("\ufeff \t\r\n")[:1] not in ("{", "["):
        return 0.0
    if not all(key in text for key in _KEYS):
        return 0.0
    return 0.93 if '"message_type"' in text or '"self_id"' in text else 0.6


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:  # noqa: ARG001
    """The messages in the file's order; times are UTC already."""
    reader = _Reader(source, notes)
    if _ANSWER.search(decode_head(source.head)):
        for _, answer in grouped_rows(source.file, "messages", _BEGINS):
            yield from reader.answer(answer)
    else:
        yield from reader.answer(objects(source.file, _BEGINS))


class _Reader:
    """Builds the messages of one file."""

    def __init__(self, source: Source, notes: Notes) -> None:
        self._source, self._notes = source, notes
        self._identify = fingerprint("onebot")
        self._names: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._number = 0

    def answer(self, rows: Iterable[dict[str, Any] | Broken]) -> Iterator[Message]:
        """The messages of one answer, which is about one chat."""
        partner: Message | None = None
        waiting: list[Message] = []
        for row in rows:
            self._number += 1
            message = self._message(row)
            if message is None:
                continue
            if message.kind == "group":
                yield message
            elif message.chat:
                if message.chat_name or partner is None or partner.chat != message.chat:
                    partner = message
                message.chat_name = message.chat_name or partner.chat_name
                yield from self._placed(waiting, partner)
                waiting = []
                yield message
            elif partner is not None:
                yield from self._placed([message], partner)
            else:
                waiting.append(message)
        yield from self._placed(waiting, None)

    def _placed(self, messages: list[Message], partner: Message | None) -> Iterator[Message]:
        stem = PurePath(self._source.name).stem
        for message in messages:
            message.chat = partner.chat if partner else f"qq:private:{stem}"
            message.chat_name = partner.chat_name if partner else stem
            yield message

    def _message(self, row: dict[str, Any] | Broken) -> Message | None:
        """A row as a message, its chat empty if it doesn't say; None, and a note, if it is none."""
        if isinstance(row, Broken):
            return self._drop("truncated" if row.truncated else "broken_row", row.begins)
        time = row.get("time")
        if isinstance(time, bool) or not isinstance(time, int | float) or not 0 < time < _LATEST:
            return self._drop("bad_time", str(time))
        sender = _dict(row.get("sender"))
        me, who = _text(row.get("self_id")), _text(row.get("user_id") or sender.get("user_id"))
        parts = _parts(row)
        if parts is None or not who:
            return self._drop("not_a_message", _text(row.get("message_id")))
        if me not in ("", "0"):
            self._notes.owners.add(me)
        name = next((n for key in ("card", "nickname") if (n := _text(sender.get(key)).strip())), "")
        name = self._names[who] = name or self._names.get(who, who)
        said = segments(parts, self._names)
        if any(one.type == "unknown" for one in said):
            self._notes.damage("unknown_element", self._source, self._number)
        text = "".join(one.text for one in said)
        if DAMAGED in text:
            self._notes.damage("undecodable_bytes", self._source, self._number, text)
        group = _text(row.get("group_id")) if row.get("message_type") != "private" else ""
        kind: Kind = "group" if group not in ("", "0") else "private"
        partner = _partner(row, me, who)
        chat = f"qq:group:{group}" if kind == "group" else f"qq:private:{partner}" if partner else ""
        if kind == "group":
            named = self._groups[group] = _text(row.get("group_name")) or self._groups.get(group, group)
        else:
            named = name if partner == who else ""
        return Message(
            _text(row.get("message_id")) or self._identify(int(time), who, text),
            chat,
            kind,
            int(time),
            who,
            name,
            said,
            reply_to=next((_text(data.get("id")) or None for kind, data in parts if kind == "reply"), None),
            flags=("system",) if who in _SYSTEM else ("anonymous",) if row.get("anonymous") else (),
            source=f"{self._source.name}:{self._number}",
            chat_name=named,
        )

    def _drop(self, code: str, raw: str) -> None:
        self._notes.drop(code, self._source, self._number, raw)


def _parts(row: dict[str, Any]) -> list[tuple[str, dict[str, Any]]] | None:
    """Type and data of each segment, from the array or the CQ string; None if there is neither."""
    content = row.get("message")
    if isinstance(content, list):
        parts = [_dict(part) for part in cast("list[Any]", content)]
        return [(_text(part.get("type")), _dict(part.get("data"))) for part in parts]
    if not isinstance(content, str):
        content = row.get("raw_message")
    return list(cq_parts(content)) if isinstance(content, str) else None


def _partner(row: dict[str, Any], me: str, who: str) -> str:
    """The other account of a private chat; empty if the row doesn't say."""
    if who != me and row.get("post_type") != "message_sent":
        return who
    other = _text(row.get("target_id") or row.get("peer_id"))
    return other if other not in ("", "0", me) else ""


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
