"""OneBot v11 events → our messages and notices.

Knows what NapCat, LLBot and go-cqhttp write into events, array format and CQ string alike.
Doesn't know who may talk with the bot, nor what becomes of a message. No call is made from here.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from nonebot.adapters.onebot.v11 import (
    Event,
    FriendRecallNoticeEvent,
    GroupBanNoticeEvent,
    GroupRecallNoticeEvent,
    Message as Content,
    NoticeEvent,
    PokeNotifyEvent,
)
from nonebot.compat import type_validate_python

from bot.events import Muted, Recalled
from bot.persona.bots import is_official
from bot.persona.message import Kind, Message, Segment
from bot.persona.onebot import cq_parts, segments
from plugins.chat.heard import Heard, Known

_ASCII_WORD = re.compile(r"\w+", re.ASCII)


def read(event: Event, known: Known = Known()) -> Heard | None:  # noqa: B008 - it can't be changed
    """A message event, also one of our own account; None where there is nothing to keep."""
    chat = chat_of(event)
    content = _content(event)
    if not chat or not content:
        return None
    mine = {str(event.self_id), *known.accounts}
    sender = str(_field(event, "user_id"))
    names = {**known.names, **dict.fromkeys(mine, known.me)}
    message = Message(
        id=str(_field(event, "message_id")),
        chat=chat,
        kind=_kind(event),
        time=event.time,
        sender=sender,
        name=_name(_field(event, "sender")) or sender,
        segments=segments(((part.type, part.data) for part in content), names),
        mine=sender in mine or event.post_type == "message_sent",
        reply_to=next((str(part.data["id"]) for part in content if part.type == "reply" and "id" in part.data), None),
        flags=_flags(event, sender, known.bots),
    )
    if not message.segments:
        return None
    reply = _field(event, "reply")
    quoted = None if reply is None else past(reply.model_dump(), chat, known._replace(accounts=mine))
    quotes_me = quoted is not None and quoted.mine
    called = bool(_field(event, "to_me")) or quotes_me or _at(message, mine) or calls(message, known.nicknames)
    name = str(_field(event, "group_name") or "")
    return Heard(message, called and not message.mine, quotes_me, quoted, name)


def past(row: Mapping[str, Any], chat: str, known: Known = Known()) -> Message | None:  # noqa: B008
    """A message of a chat as get_msg or a history call gives it; None where it is none of that chat."""
    _, kind, peer = chat.split(":", 2)
    group = str(row.get("group_id") or "")
    elsewhere = (group != peer if group else row.get("message_type") != "group") if kind == "group" else bool(group)
    sender, content = _given(row.get("sender")), row.get("message")
    who, time = str(row.get("user_id") or sender("user_id") or ""), row.get("time")
    if elsewhere or not who or not isinstance(time, int) or time <= 0 or not row.get("message_id"):
        return None
    parts = cq_parts(content) if isinstance(content, str) else map(_part, content or ())
    parts = [(of, data) for of, data in parts]
    names = {**known.names, **dict.fromkeys(known.accounts, known.me)}
    mine = who in known.accounts
    message = Message(
        id=str(row["message_id"]),
        chat=chat,
        kind="group" if kind == "group" else "private",
        time=time,
        sender=who,
        name=known.me if mine else _name(row.get("sender")) or who,
        segments=segments(parts, names),
        mine=mine,
        reply_to=next((str(data["id"]) for of, data in parts if of == "reply" and "id" in data), None),
        flags=_flags(row, who, known.bots),
    )
    return message if message.segments else None


def notice(event: NoticeEvent, bots: Collection[str] = ()) -> Recalled | Muted | Message | None:
    """A notice that concerns the runner; a poke at me is a message of who poked."""
    if isinstance(event, GroupRecallNoticeEvent):
        return Recalled(f"qq:group:{event.group_id}", str(event.message_id))
    if isinstance(event, FriendRecallNoticeEvent):
        return Recalled(f"qq:private:{event.user_id}", str(event.message_id))
    if isinstance(event, GroupBanNoticeEvent) and event.user_id in (event.self_id, 0):
        # User 0 stands for everybody; such a ban has no end of its own.
        forever = event.user_id == 0 or event.duration < 0
        until = 0.0 if event.sub_type == "lift_ban" else math.inf if forever else float(event.time + event.duration)
        return Muted(f"qq:group:{event.group_id}", until)
    if isinstance(event, PokeNotifyEvent) and event.target_id == event.self_id != event.user_id:
        return _poke(event, bots)
    return None


def _poke(event: PokeNotifyEvent, bots: Collection[str]) -> Message:
    who = str(event.user_id)
    kind: Kind = "group" if event.group_id else "private"
    return Message(
        id=f"poke-{event.time}-{who}",
        chat=f"qq:{kind}:{event.group_id or who}",
        kind=kind,
        time=event.time,
        sender=who,
        name=who,
        segments=[Segment("poke")],
        flags=("bot",) if who in bots or is_official(who) else (),
    )


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


def _given(sender: object) -> Callable[[str], Any]:
    """A field of who sent a message, which comes as a model or as a plain object."""
    return sender.get if isinstance(sender, Mapping) else lambda key: getattr(sender, key, None)


def _name(sender: object) -> str:
    get = _given(sender)
    return next((name for key in ("card", "nickname") if (name := str(get(key) or "").strip())), "")


def _flags(event: object, sender: str, bots: Collection[str]) -> tuple[str, ...]:
    """What speaks against the words being somebody's own."""
    get = _given(event)
    said = _given(get("sender"))
    robot = sender in bots or is_official(sender) or any(said(key) is True for key in ("is_robot", "is_bot", "robot"))
    return (*(["anonymous"] if get("anonymous") else []), *(["bot"] if robot else []))


def _part(part: object) -> tuple[str, Mapping[str, Any]]:
    get = _given(part)
    data = get("data")
    return str(get("type") or ""), data if isinstance(data, Mapping) else {}


def _at(message: Message, accounts: Collection[str]) -> bool:
    return any(s.type == "at" and s.id in accounts for s in message.segments)


def calls(message: Message, nicknames: Iterable[str]) -> bool:
    """Whether a message says one of these names."""
    text = "".join(s.text for s in message.segments if s.type == "text")
    return any(_says(text, name) for name in nicknames if name)


def _says(text: str, name: str) -> bool:
    """Whether a name stands in a text; a Latin one only as a word of its own."""
    if _ASCII_WORD.fullmatch(name):
        return re.search(rf"\b{name}\b", text, re.ASCII | re.IGNORECASE) is not None
    return name.lower() in text.lower()
