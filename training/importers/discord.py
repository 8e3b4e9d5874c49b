"""DiscordChatExporter's JSON: one channel or direct conversation a file.

    {"guild": {"id", "name"}, "channel": {"id", "type": "GuildTextChat", "name"}, "messages": [
     {"id", "type": "Default", "timestamp", "content", "author": {"id", "name", "nickname", "isBot"},
      "attachments": […], "stickers": […], "mentions": […], "reference"?, "forwardedMessage"?}, …]}

Times have a zone. Nothing says whose export it is.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from bot.persona.message import Kind, Message, Segment
from config.errors import InputError
from training.importers.json_rows import Broken, member, rows
from training.importers.source import Notes, Source, Zone
from training.importers.text import DAMAGED, decode_head
from training.importers.values import as_dict, as_list, as_text, file_segment, moment, text_with_mentions

SYSTEM = ("discord", "Discord")

_BEGINS = re.compile(r'\{\s*"id"\s*:\s*"[0-9]+"\s*,\s*"type"\s*:')
_SPOKEN = frozenset({"Default", "0", "Reply", "19", "ChatInputCommand", "20", "ContextMenuCommand", "23"})
"""Message types that hold somebody's words; the others are lines of the system (a pin, a new member)."""

_REPLIES = frozenset({"Reply", "19"})


def sniff(source: Source) -> float:
    """Sure with the keys that begin such an export."""
    text = decode_head(source.head)
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return 0.0
    keys = sum(f'"{key}"' in text for key in ("guild", "channel", "messages", "dateRange", "exportedAt"))
    return 0.96 if keys >= 4 and '"guild"' in text and '"channel"' in text else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order, one at a time."""
    channel = as_dict(member(source.file, "channel"))
    if not channel:
        raise InputError(f"{source.name} doesn't say which channel it is", hint="export it again as JSON")
    reader = _Channel(source, channel, as_dict(member(source.file, "guild")), notes, zone)
    for number, row in enumerate(rows(source.file, "messages", _BEGINS), 1):
        if isinstance(row, Broken):
            notes.drop("truncated" if row.truncated else "broken_row", source, number, row.begins)
        elif (message := reader.message(row, number)) is not None:
            yield message


class _Channel:
    """Builds the messages of one channel."""

    def __init__(
        self, source: Source, channel: dict[str, Any], guild: dict[str, Any], notes: Notes, zone: Zone
    ) -> None:
        self._source, self._notes, self._zone = source, notes, zone
        kind = as_text(channel.get("type"))
        self._kind: Kind = "private" if kind == "DirectTextChat" else "group"
        name = as_text(channel.get("name")) or as_text(channel.get("id")) or PurePath(source.name).stem
        server = "" if kind.startswith("Direct") else as_text(guild.get("name"))
        self._name = f"{server} #{name}" if server else name
        self._key = f"discord:{self._kind}:{as_text(channel.get('id')) or self._name}"

    def message(self, row: dict[str, Any], number: int) -> Message | None:
        """One row as a message; None, and a note, if it is none."""
        when = moment(row.get("timestamp"), self._zone)
        if when is None:
            self._notes.drop("bad_time", self._source, number, as_text(row.get("timestamp")))
            return None
        if not as_text(row.get("id")) or not isinstance(row.get("author"), dict):
            self._notes.drop("not_a_message", self._source, number, as_text(row.get("id")))
            return None
        if not when.had_zone:
            self._notes.assumed_zone = True
        author = as_dict(row["author"])
        sender = as_text(author.get("id")) or as_text(author.get("name")) or SYSTEM[0]
        segments = _segments(row)
        if any(DAMAGED in segment.text for segment in segments):
            self._notes.damage("undecodable_bytes", self._source, number)
        return Message(
            as_text(row["id"]),
            self._key,
            self._kind,
            when.time,
            sender,
            as_text(author.get("nickname")) or as_text(author.get("name")) or sender,
            segments,
            reply_to=_answered(row),
            precision=when.precision,
            flags=_flags(row, author),
            source=f"{self._source.name}:{number}",
            chat_name=self._name,
        )


def _flags(row: dict[str, Any], author: dict[str, Any]) -> tuple[str, ...]:
    flags: list[str] = []
    if as_text(row.get("type")) not in _SPOKEN:
        flags.append("system")
    if _forwarded(row):
        flags.append("forwarded")
    if author.get("isBot") is True:
        flags.append("bot")
    return tuple(flags)


def _forwarded(row: dict[str, Any]) -> bool:
    return isinstance(row.get("forwardedMessage"), dict) or as_dict(row.get("reference")).get("type") == "Forward"


def _answered(row: dict[str, Any]) -> str | None:
    if as_text(row.get("type")) not in _REPLIES or _forwarded(row):
        return None
    return as_text(as_dict(row.get("reference")).get("messageId")) or None


def _segments(row: dict[str, Any]) -> list[Segment]:
    """The words, what hangs on them, and what was forwarded."""
    if as_text(row.get("type")) in ("Call", "3"):
        return [Segment("call")]
    segments: list[Segment] = []
    for part in (row, as_dict(row.get("forwardedMessage"))):
        segments += _words(as_text(part.get("content")), as_list(row.get("mentions")))
        segments += [file_segment(as_text(as_dict(a).get("fileName"))) for a in as_list(part.get("attachments"))]
        segments += [Segment("sticker", as_text(as_dict(s).get("name"))) for s in as_list(part.get("stickers"))]
        if not as_text(part.get("content")):
            # A link brings an embed of its own; it is only worth a word where there is no text.
            segments += [Segment("card", as_text(as_dict(e).get("title"))) for e in as_list(part.get("embeds"))]
    return segments or ([Segment("forward")] if _forwarded(row) else [])


def _words(content: str, mentions: list[Any]) -> list[Segment]:
    if not content:
        return []
    ids: dict[str, str] = {}
    for mention in map(as_dict, mentions):
        for name in (as_text(mention.get("nickname")), as_text(mention.get("name"))):
            if name:
                ids.setdefault(name, as_text(mention.get("id")))
    if not ids or "@" not in content:
        return [Segment("text", content)]
    names = "|".join(re.escape(name) for name in sorted(ids, key=len, reverse=True))
    return text_with_mentions(content, re.compile(f"@({names})"), ids)
