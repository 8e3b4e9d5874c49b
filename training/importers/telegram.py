"""Telegram Desktop's result.json: one chat, or a whole account.

    {"name", "type": "personal_chat", "id", "messages": [{"id", "type": "message", "date_unixtime",
     "from", "from_id", "text": "…" or ["…", {"type": "mention", "text": "@…"}]}, …]}
    {"personal_information": {"user_id", …}, "chats": {"list": [one chat, …]}, "left_chats": {…}}

A forwarded message isn't the speaker's own words, and one sent through a bot is the bot's.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from bot.persona.message import Kind, Message, Segment
from training.importers.json_rows import Broken, grouped_rows, member
from training.importers.source import Notes, Source, Zone
from training.importers.text import DAMAGED, decode_head
from training.importers.values import Moment, as_dict, as_list, as_text, moment

SYSTEM = ("telegram", "Telegram")
"""Sender of a service line of which nobody is the actor."""

_CHAT_TYPES = (
    "personal_chat|bot_chat|saved_messages|replies|verification_codes|"
    "private_group|private_supergroup|public_supergroup|private_channel|public_channel"
)
_CHAT = re.compile(rf'"type"\s*:\s*"(?:{_CHAT_TYPES})"\s*,\s*"id"\s*:\s*-?[0-9]')
_BEGINS = re.compile(r'\{\s*"id"\s*:\s*-?[0-9]+\s*,\s*"type"\s*:\s*"(?:message|service|unsupported)"')
_PRIVATE = frozenset({"personal_chat", "bot_chat", "saved_messages", "replies", "verification_codes"})

_MEDIA = {
    "sticker": "sticker",
    "voice_message": "voice",
    "video_message": "video",
    "video_file": "video",
    "animation": "image",
    "audio_file": "file",
}
_FIELDS = {
    "photo": "image",
    "location_information": "location",
    "place_name": "location",
    "contact_information": "card",
    "poll": "card",
    "todo_list": "card",
    "game_title": "card",
    "invoice_information": "card",
    "giveaway_information": "card",
    "giveaway_results": "card",
    "paid_media": "image",
    "file": "file",
}
"""Fields that say what a message without a `media_type` carries."""


def sniff(source: Source) -> float:
    """Sure with a chat's type and id as Telegram writes them, or with the account's head."""
    text = decode_head(source.head)
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return 0.0
    if _CHAT.search(text) and '"messages"' in text:
        return 0.96
    if '"personal_information"' in text and '"user_id"' in text:
        return 0.9
    return 0.85 if '"Here is the data you requested' in text and '"chats"' in text else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages of all chats, in the file's order, one at a time."""
    owner = as_text(as_dict(member(source.file, "personal_information")).get("user_id"))
    if owner:
        notes.owners.add(f"user{owner}")
    number = 0
    for head, rows in grouped_rows(source.file, "messages", _BEGINS):
        chat = _Chat(source, head, zone, notes)
        for row in rows:
            number += 1
            if isinstance(row, Broken):
                notes.drop("truncated" if row.truncated else "broken_row", source, number, row.begins)
            elif (message := chat.message(row, number)) is not None:
                yield message


class _Chat:
    """Builds the messages of one chat."""

    def __init__(self, source: Source, head: dict[str, Any], zone: Zone, notes: Notes) -> None:
        self._source, self._zone, self._notes = source, zone, notes
        self._type = as_text(head.get("type"))
        number = as_text(head.get("id"))
        self._kind: Kind = "private" if self._type in _PRIVATE else "group"
        saved = "收藏夹" if self._type == "saved_messages" else ""
        self._peer = f"user{number}" if self._type in ("personal_chat", "bot_chat") and number else ""
        # A deleted account has no name: its chat is called as it is, or it might pass for the owner.
        self._name = as_text(head.get("name")) or saved or self._peer or number or PurePath(source.name).stem
        self._key = f"telegram:{self._kind}:{number or self._name}"

    def message(self, row: dict[str, Any], number: int) -> Message | None:
        """One row as a message; None, and a note, if it is none."""
        kind = row.get("type")
        if kind not in ("message", "service", "unsupported"):
            self._notes.drop("not_a_message", self._source, number, as_text(row.get("id")))
            return None
        when = self._time(row)
        if when is None:
            self._notes.drop("bad_time", self._source, number, as_text(row.get("date")))
            return None
        sender, name, flags = self._who(row)
        if kind == "service":
            segments = [_service(row)]
        else:
            segments = _content(row)
            if kind == "unsupported" or any(segment.type == "unknown" for segment in segments):
                self._notes.damage("unknown_element", self._source, number)
        if any(DAMAGED in segment.text for segment in segments):
            self._notes.damage("undecodable_bytes", self._source, number)
        if self._peer and self._type == "personal_chat" and sender not in (self._peer, SYSTEM[0]):
            self._notes.owners.add(sender)
        reply_to = as_text(row.get("reply_to_message_id"))
        return Message(
            as_text(row.get("id")),
            self._key,
            self._kind,
            when.time,
            sender,
            name,
            segments,
            reply_to=reply_to if reply_to and "reply_to_peer_id" not in row else None,
            precision=when.precision,
            flags=flags,
            source=f"{self._source.name}:{number}",
            chat_name=self._name,
        )

    def _time(self, row: dict[str, Any]) -> Moment | None:
        when = moment(row.get("date_unixtime"), self._zone) or moment(row.get("date"), self._zone)
        if when is not None and not when.had_zone:
            self._notes.assumed_zone = True
        return when

    def _who(self, row: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
        """Id, name, and what speaks against the words being the speaker's own."""
        if row.get("type") == "service":
            actor = _peer_id(row.get("actor_id"))
            name = as_text(row.get("actor"))
            return (actor or name or SYSTEM[0], name or actor or SYSTEM[1], ("system",))
        sender = _peer_id(row.get("from_id"))
        name = as_text(row.get("from"))
        if not sender and not name:
            return *SYSTEM, ("system",)
        sender = sender or name
        flags: list[str] = []
        if any(key in row for key in ("forwarded_from", "forwarded_from_id", "saved_from")):
            flags.append("forwarded")
        if "via_bot" in row or (self._type == "bot_chat" and sender == self._peer):
            flags.append("bot")
        return sender, name or sender, tuple(flags)


def _peer_id(value: Any) -> str:
    """`user123` as it is now written, also for the bare numbers of old exports."""
    if isinstance(value, int) and not isinstance(value, bool):
        kind = {0: "user", 1: "chat", 2: "channel"}.get(value >> 32, "user")
        return f"{kind}{value & 0xFFFFFFFF if kind != 'user' else value}"
    return value if isinstance(value, str) else ""


def _service(row: dict[str, Any]) -> Segment:
    action = as_text(row.get("action"))
    return Segment("call") if action in ("phone_call", "group_call") else Segment("text", action)


def _content(row: dict[str, Any]) -> list[Segment]:
    """What a message carries, then what is written under it."""
    segments = [*_media(row), *_text(row.get("text"))]
    if not segments and ("forwarded_from" in row or "forwarded_from_id" in row):
        return [Segment("forward")]
    return segments


def _media(row: dict[str, Any]) -> list[Segment]:
    media_type = row.get("media_type")
    if media_type is not None:
        kind = _MEDIA.get(media_type, "file" if "file" in row else "unknown") if isinstance(media_type, str) else None
        if kind == "sticker":
            return [Segment("sticker", as_text(row.get("sticker_emoji")))]
        return [Segment(kind or "unknown", _file_name(row) if kind == "file" else "")]
    field = next((field for field in _FIELDS if field in row), None)
    if field is None:
        return []
    kind = _FIELDS[field]
    if kind == "card":
        return [Segment("card", as_text(as_dict(row[field]).get("question")) or as_text(row[field]))]
    if kind == "file" and as_text(row.get("mime_type")).startswith("image/"):
        return [Segment("image")]
    return [Segment(kind, _file_name(row) if kind == "file" else as_text(row.get("place_name")))]


def _file_name(row: dict[str, Any]) -> str:
    known = as_text(row.get("file_name")) or as_text(row.get("title"))
    path = as_text(row.get("file"))
    return known or ("" if path.startswith("(") else path.rpartition("/")[2])


def _text(value: Any) -> list[Segment]:
    """The words; a mention becomes an at if a space follows, with which an at is shown."""
    if isinstance(value, str):
        return [Segment("text", value)] if value else []
    segments: list[Segment] = []
    parts = as_list(value)
    for place, part in enumerate(parts):
        entity = as_dict(part)
        text = as_text(entity.get("text")) if entity else as_text(part)
        if entity.get("type") in ("mention", "mention_name") and _spaced(parts[place + 1 : place + 2]):
            number = as_text(entity.get("user_id"))
            segments.append(Segment("at", id=f"user{number}" if number else "", name=text.removeprefix("@")))
        elif segments and segments[-1].type == "text":
            segments[-1].text += text
        elif segments and segments[-1].type == "at":
            segments.append(Segment("text", text.removeprefix(" ")))
        elif text:
            segments.append(Segment("text", text))
    return [segment for segment in segments if segment.type != "text" or segment.text]


def _spaced(after: list[Any]) -> bool:
    text = as_text(as_dict(after[0]).get("text")) if after and isinstance(after[0], dict) else as_text(*after or [""])
    return not text or text[0].isspace()
