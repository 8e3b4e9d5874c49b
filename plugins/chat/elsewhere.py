"""Messages of every platform but QQ: an adapter's event, read through UniMessage.

Knows where the adapters for Telegram, Discord and their like put time, name and "is a bot", and
finds them by those names in others. One call at most is made from here: an adapter may ask its
platform for the quoted message. QQ over OneBot has a reader of its own, which knows more.
"""

import time
from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime
from typing import Any

from nonebot.adapters import Bot, Event
from nonebot_plugin_alconna import At, AtAll, Audio, Emoji, File, Image, Reply, Text, UniMessage, Video, Voice
from nonebot_plugin_alconna.uniseg import Reference, Segment as Uni, SerializeFailed, Target, get_message_id, get_target

from bot.events import Recalled
from bot.persona.message import Kind, Message, Segment
from plugins.chat.heard import Heard, Known
from plugins.chat.onebot import calls

_NATIVE = {
    "animation": "image",
    "audio": "file",
    "contact": "card",
    "dice": "face",
    "embed": "card",
    "game": "card",
    "location": "location",
    "poll": "card",
    "venue": "location",
    "video_note": "video",
}
"""Segments of an adapter's own that are what an export of the same chat calls them."""
_KINDS: tuple[tuple[type[Uni], str], ...] = (
    (Voice, "voice"),
    (Audio, "voice"),
    (Video, "video"),
    (File, "file"),
    (Reference, "forward"),
)

_TIMES = ("date", "timestamp", "time", "created_at", "message.created_at")
_NAMES = (
    "member.nick",
    "author.global_name",
    "author.username",
    "sender.card",
    "sender.nickname",
    "user.nick",
    "user.name",
)
_BOTS = ("from_.is_bot", "author.bot", "sender.is_bot", "user.is_bot")
_BY_BOTS = ("via_bot.id", "webhook_id")
"""Fields that only a message made by a program has."""
_TITLES = ("chat.title", "group.name", "channel.name")


def platform_of(bot: Bot) -> str:
    """What the chats of this adapter begin with, as NoneBot calls it in SUPERUSERS."""
    name = bot.adapter.get_name().split(maxsplit=1)[0].lower()
    # What "qq" means is taken: QQ as it is seen by a person's own account.
    return "qqbot" if name == "qq" else name


async def read(bot: Bot, event: Event, known: Known) -> Heard | None:
    """A message event of somebody else; None where there is nothing to keep, and of our own."""
    target, sender = where(bot, event), who(event)
    accounts = {bot.self_id, str(_field(bot, "self_info.id") or bot.self_id), *known.accounts}
    if target is None or not sender or sender in accounts:
        return None
    uni = await UniMessage.of(content(event), bot).attach_reply(event, bot)
    reply = uni[Reply, 0] if uni.has(Reply) else None
    segments = _segments(uni, bot, event, known, accounts)
    kind: Kind = "private" if target.private else "group"
    robot = sender in known.bots or bool(_first(event, _BY_BOTS)) or any(_field(event, of) is True for of in _BOTS)
    if not segments or (robot and kind == "private"):
        return None
    message = Message(
        id=get_message_id(event, bot),
        chat=_key(bot, target),
        kind=kind,
        time=sent_at(event),
        sender=sender,
        name=_name(event) or sender,
        segments=segments,
        reply_to=str(reply.id) if reply is not None else None,
        flags=(*(["forwarded"] if _field(event, "forward_date") else []), *(["bot"] if robot else [])),
    )
    quotes_me = reply is not None and _who_wrote(reply.origin) in accounts
    at_me = any(s.type == "at" and s.id in accounts for s in segments)
    addressed = not robot and (event.is_tome() or quotes_me or at_me or calls(message, known.nicknames))
    return Heard(message, addressed, quotes_me, group_name=str(_first(event, _TITLES) or ""))


def chat_of(bot: Bot, event: Event) -> str:
    """The chat's key; empty where the event has none."""
    target = where(bot, event)
    return "" if target is None else _key(bot, target)


def _key(bot: Bot, target: Target) -> str:
    return f"{platform_of(bot)}:{'private' if target.private else 'group'}:{target.id}"


def where(bot: Bot, event: Event) -> Target | None:
    """The chat of an event, as something that can be sent to; None where it has none."""
    try:
        return get_target(event, bot)
    except (NotImplementedError, AssertionError, ValueError, SerializeFailed):
        return None


def notice(bot: Bot, event: Event) -> Recalled | None:
    """A message that was taken back, where the platform tells."""
    if platform_of(bot) != "discord" or _field(event, "__type__") != "MESSAGE_DELETE":
        return None
    kind = "group" if isinstance(_field(event, "guild_id"), int) else "private"
    return Recalled(f"discord:{kind}:{_field(event, 'channel_id')}", str(_field(event, "id")))


def content(event: Event) -> Any:
    """The message as it came: NoneBot has cut the @ and names of ours out of its own copy."""
    original = getattr(event, "original_message", None)
    message = deepcopy(event.get_message() if original is None else original)
    for part in message:
        if part.type == "text_link":
            # Of a link behind words, UniMessage would take the address.
            part.type = "text"
    return message


def _segments(uni: UniMessage[Any], bot: Bot, event: Event, known: Known, accounts: Iterable[str]) -> list[Segment]:
    names = {str(getattr(one, "id", "")): _called(one) for one in _field(event, "mentions") or ()}
    found: list[Segment] = []
    for part in uni:
        one = _at(part, bot, known, accounts, names) if isinstance(part, At) else _segment(part)
        if one is None:
            continue
        if one.type == "text" and found and found[-1].type == "at":
            # Segment.plain puts a space after an @ by itself.
            one.text = one.text.removeprefix(" ")
        if one.type == "text" and found and found[-1].type == "text":
            found[-1].text += one.text
        elif one.text or one.type != "text":
            found.append(one)
    if platform_of(bot) == "telegram":
        # A picture and its caption are one message there, the picture first.
        return sorted(found, key=lambda one: one.type in ("text", "at"))
    if _field(event, "sticker_items"):
        found += [Segment("sticker") for _ in event.sticker_items]  # pyright: ignore[reportAttributeAccessIssue]
    # A link brings an embed of its own; it is only worth a word where there is no text.
    worded = any(one.type == "text" for one in found)
    return [one for one in found if not (worded and one.type == "card")]


def _segment(part: Uni) -> Segment | None:
    native = str(getattr(part.origin, "type", ""))
    if isinstance(part, Text):
        return Segment("text", part.text)
    if isinstance(part, Reply):
        return None
    if native in _NATIVE:
        return Segment(_NATIVE[native])
    if isinstance(part, AtAll):
        return Segment("at", id="all", name="全体成员")
    if isinstance(part, Emoji):
        # Exports write an own emoji as its name or as the usual one it stands for.
        return Segment("text", part.name or "") if native == "custom_emoji" else Segment("face", "", part.id)
    if isinstance(part, Image):
        return Segment("sticker" if part.sticker else "image")
    return Segment(next((kind for cls, kind in _KINDS if isinstance(part, cls)), "unknown"))


def _at(part: At, bot: Bot, known: Known, accounts: Iterable[str], names: dict[str, str]) -> Segment:
    """Whom an @ means; Telegram's names a user by a name of its own kind instead of an id."""
    target = part.target.removeprefix("@")
    if target in accounts or (target and target == _field(bot, "username")):
        return Segment("at", id=bot.self_id, name=known.me)
    name = names.get(target) or known.names.get(f"{platform_of(bot)}:{target}") or (part.display or "").lstrip("@")
    return Segment("at", id=target, name=name or target)


def who(event: Event) -> str:
    """The id of who did it; empty where nobody did."""
    try:
        return event.get_user_id()
    except (ValueError, AttributeError):  # a post of a channel has no author
        return ""


def _who_wrote(origin: object) -> str:
    return str(_first(origin, ("from_.id", "author.id", "sender.user_id", "user.id")) or "")


def _name(event: Event) -> str:
    parts = [_field(event, "from_.first_name"), _field(event, "from_.last_name")]
    whole = " ".join(part for part in parts if isinstance(part, str) and part)
    return (whole or str(_first(event, _NAMES, str) or "")).strip()


def _called(user: object) -> str:
    return str(_first(user, ("member.nick", "global_name", "username", "name"), str) or "")


def sent_at(event: Event) -> int:
    given = _first(event, _TIMES)
    if isinstance(given, datetime):
        return int(given.timestamp())
    if isinstance(given, int | float) and given > 0:
        return int(given if given < 1 << 36 else given / 1000)
    return int(time.time())


def _first(thing: object, places: Iterable[str], kind: type[Any] = object) -> Any:
    found = (_field(thing, place) for place in places)
    return next((one for one in found if one and isinstance(one, kind)), None)


def _field(thing: object, place: str) -> Any:
    """A field of a field, None where one is missing."""
    for name in place.split("."):
        thing = getattr(thing, name, None)
    return thing
