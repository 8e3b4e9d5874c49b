"""OneBot v11 events → our messages and notices.

Knows what NapCat, LLBot and go-cqhttp write into events, array format and CQ string alike.
Doesn't know who may talk with the bot, nor what becomes of a message. No call is made from here.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nonebot.adapters.onebot.v11 import (
    Event,
    FriendRecallNoticeEvent,
    GroupBanNoticeEvent,
    GroupRecallNoticeEvent,
    Message as Content,
    NoticeEvent,
)
from nonebot.compat import type_validate_python

from bot.persona.message import Kind, Message
from bot.persona.onebot import segment

_ASCII_WORD = re.compile(r"\w+", re.ASCII)


@dataclass(slots=True, frozen=True)
class Heard:
    """A message event as the runner takes it."""

    message: Message
    addressed: bool
    group_name: str = ""
    """The group's name, where the event has it."""


@dataclass(slots=True, frozen=True)
class Recalled:
    chat: str
    id: str


@dataclass(slots=True, frozen=True)
class Muted:
    chat: str
    until: float
    """UTC seconds; infinite for good, 0 when it has ended."""


def read(
    event: Event, *, me: str = "", nicknames: Iterable[str] = (), names: Mapping[str, str] | None = None
) -> Heard | None:
    """A message event, also one of our own account; None where there is nothing to keep.

    `me` is what an @ of our account reads as, `names` what is known of others by id.
    """
    chat = chat_of(event)
    content = _content(event)
    if not chat or not content:
        return None
    account, sender = str(event.self_id), str(_field(event, "user_id"))
    known = {**(names or {}), account: me}
    message = Message(
        id=str(_field(event, "message_id")),
        chat=chat,
        kind=_kind(event),
        time=event.time,
        sender=sender,
        name=_name(event) or sender,
        segments=[s for s in (segment(part.type, part.data, known) for part in content) if s is not None],
        mine=sender == account or event.post_type == "message_sent",
        reply_to=next((str(part.data["id"]) for part in content if part.type == "reply" and "id" in part.data), None),
        flags=("anonymous",) if _field(event, "anonymous") else (),
    )
    if not message.segments:
        return None
    addressed = bool(_field(event, "to_me")) or _at(message, account) or _named(message, nicknames)
    return Heard(message, addressed and not message.mine, str(_field(event, "group_name") or ""))


def notice(event: NoticeEvent) -> Recalled | Muted | None:
    """A notice that concerns the runner."""
    if isinstance(event, GroupRecallNoticeEvent):
        return Recalled(f"qq:group:{event.group_id}", str(event.message_id))
    if isinstance(event, FriendRecallNoticeEvent):
        return Recalled(f"qq:private:{event.user_id}", str(event.message_id))
    if isinstance(event, GroupBanNoticeEvent) and event.user_id in (event.self_id, 0):
        # User 0 stands for everybody; such a ban has no end of its own.
        forever = event.user_id == 0 or event.duration < 0
        until = 0.0 if event.sub_type == "lift_ban" else math.inf if forever else float(event.time + event.duration)
        return Muted(f"qq:group:{event.group_id}", until)
    return None


def chat_of(event: Event) -> str:
    """The chat's key; empty where the event doesn't say."""
    if _kind(event) == "group":
        return f"qq:group:{_field(event, 'group_id')}"
    other = _field(event, "user_id")
    if str(other) == str(event.self_id):
        # What we wrote ourselves names the partner as its target, or not at all.
        other = _field(event, "target_id")
    return f"qq:private:{other}" if other and str(other) != str(event.self_id) else ""


def _kind(event: Event) -> Kind:
    return "group" if _field(event, "message_type") == "group" else "private"


def _field(event: Event, name: str) -> Any:
    """A field that not every event has; `message_sent` comes as the bare base event."""
    return getattr(event, name, None)


def _content(event: Event) -> Content:
    """The message as it came: NoneBot has cut the @ and the quote out of its own copy."""
    raw = _field(event, "original_message")
    if raw is None:
        raw = _field(event, "message") or []
    return raw if isinstance(raw, Content) else type_validate_python(Content, raw)


def _name(event: Event) -> str:
    sender = _field(event, "sender")
    get: Callable[[str], Any] = sender.get if isinstance(sender, Mapping) else lambda key: getattr(sender, key, None)
    return next((name for key in ("card", "nickname") if (name := str(get(key) or "").strip())), "")


def _at(message: Message, account: str) -> bool:
    return any(s.type == "at" and s.id == account for s in message.segments)


def _named(message: Message, nicknames: Iterable[str]) -> bool:
    text = "".join(s.text for s in message.segments if s.type == "text")
    return any(_says(text, name) for name in nicknames if name)


def _says(text: str, name: str) -> bool:
    """Whether a name stands in a text; a Latin one only as a word of its own."""
    if _ASCII_WORD.fullmatch(name):
        return re.search(rf"\b{name}\b", text, re.ASCII | re.IGNORECASE) is not None
    return name.lower() in text.lower()
