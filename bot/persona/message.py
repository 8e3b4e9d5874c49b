"""Message: one bubble in a chat. The row of `messages.jsonl`, and what the bot's history keeps.

Slots dataclasses: a validated model per message costs more than the whole parse of an export.
Validation happens where a file is read (`Message.from_row`), not per message.
"""

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from pydantic_core import from_json

Kind = Literal["private", "group"]
Precision = Literal["s", "min", "day"]

PLACEHOLDERS = {
    "image": "[图片]",
    "face": "[表情]",
    "sticker": "[表情]",
    "voice": "[语音]",
    "video": "[视频]",
    "file": "[文件]",
    "forward": "[聊天记录]",
    "card": "[卡片]",
    "location": "[位置]",
    "redpacket": "[红包]",
    "call": "[通话]",
    "poke": "[戳一戳]",
    "unknown": "[未知消息]",
}
"""What stands for a segment that is no text; the same in training and in the bot."""

NOT_SPOKEN = frozenset({"system", "recalled", "forwarded", "bot", "command"})
"""Flags of messages that are never taken as somebody's own words."""


@dataclass(slots=True)
class Segment:
    """A typed piece of a message.

    `type` is "text", "at" or a key of `PLACEHOLDERS`; `text` holds the words of a text, the file
    name or the face's name; `id` and `name` tell whom an "at" means ("all" for everybody).
    """

    type: str
    text: str = ""
    id: str = ""
    name: str = ""

    def plain(self) -> str:
        """The segment as text."""
        if self.type == "text":
            return self.text
        if self.type == "at":
            return f"@{self.name or self.id} "
        return PLACEHOLDERS.get(self.type, PLACEHOLDERS["unknown"])

    def to_row(self) -> dict[str, str]:
        row = {"type": self.type}
        for key in ("text", "id", "name"):
            if value := getattr(self, key):
                row[key] = value
        return row


@dataclass(slots=True)
class Message:
    """One bubble: when, who, what, and whether it is mine.

    `chat` is a stable key such as "qq:group:123456"; `time` UTC seconds, exact to `precision`;
    `sender` an account id, or the name where an export has no id; `mine` whether the owner (or,
    in the bot's history, the persona) wrote it; `reply_to` the id of the quoted message.
    """

    id: str
    chat: str
    kind: Kind
    time: int
    sender: str
    name: str
    segments: list[Segment]
    mine: bool = False
    reply_to: str | None = None
    precision: Precision = "s"
    flags: tuple[str, ...] = ()
    source: str = ""
    chat_name: str = ""

    @property
    def text(self) -> str:
        """What a reader of the chat sees, media as placeholders. Derived, never stored."""
        segments = self.segments
        if len(segments) == 1:
            return segments[0].plain()
        return "".join([segment.plain() for segment in segments])

    @property
    def spoken(self) -> bool:
        """Whether these are the sender's own words."""
        return not self.flags or NOT_SPOKEN.isdisjoint(self.flags)

    @property
    def bare_media(self) -> bool:
        """Whether there is no word in it."""
        return not any(s.type == "at" or (s.type == "text" and s.text.strip()) for s in self.segments)

    @property
    def learnable(self) -> bool:
        """Whether it is something I said, in words."""
        return self.mine and self.spoken and not self.bare_media

    def to_json(self) -> str:
        """One line of messages.jsonl, without the line end."""
        row = {
            "id": self.id,
            "chat": self.chat,
            "chat_name": self.chat_name,
            "kind": self.kind,
            "time": self.time,
            "sender": self.sender,
            "name": self.name,
            "mine": self.mine,
            "segments": [segment.to_row() for segment in self.segments],
            "reply_to": self.reply_to,
            "precision": self.precision,
            "flags": list(self.flags),
            "source": self.source,
        }
        return encoded(row)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Message":
        """The message of a parsed line. Raises ValueError on a row that is none."""
        try:
            if row["kind"] not in ("private", "group"):
                raise ValueError(f"kind {row['kind']!r}")
            segments = [
                Segment(str(s["type"]), str(s.get("text", "")), str(s.get("id", "")), str(s.get("name", "")))
                for s in row["segments"]
            ]
            return cls(
                id=str(row["id"]),
                chat=str(row["chat"]),
                chat_name=str(row.get("chat_name", "")),
                kind=row["kind"],
                time=int(row["time"]),
                sender=str(row["sender"]),
                name=str(row["name"]),
                mine=bool(row.get("mine", False)),
                segments=segments,
                reply_to=None if row.get("reply_to") is None else str(row["reply_to"]),
                precision=row.get("precision", "s"),
                flags=tuple(map(str, row.get("flags", ()))),
                source=str(row.get("source", "")),
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a message: {error!r}") from None


encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A row as one line, without the line end. (`json.dumps` makes an encoder for every call.)"""


def parsed(line: bytes) -> Any:
    """A line as a row, whatever it holds. Raises ValueError where it isn't JSON."""
    try:
        return from_json(line)
    except ValueError:
        # Half a surrogate pair is no text to the faster reader; we keep it. What is broken is broken to both.
        return json.loads(line)


def in_order(messages: list[Message]) -> bool:
    """Whether the messages are sorted by time."""
    return all(a.time <= b.time for a, b in pairwise(messages))
