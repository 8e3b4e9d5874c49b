"""How the runner reaches QQ: sending, typing, and the names of groups.

Knows OneBot v11's calls and how they fail. Doesn't know when to speak, nor what.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nonebot.adapters.onebot.v11 import Bot, Message as Content, MessageSegment
from nonebot.exception import AdapterException, WebSocketClosed

from bot.persona.faces import MARK, segments_of
from bot.persona.message import Segment
from bot.port import Port, Unsent
from plugins.chat.homes import Homes

FAULTS = (AdapterException, WebSocketClosed, OSError, asyncio.TimeoutError)
"""How a call fails: refused, no answer, no connection."""
ASKING = 3.0
"""Seconds that the first message of a group waits for the group's name."""
NODDED = "76"
"""The face a message is acknowledged with: 赞."""
ASK_AGAIN = 600.0
"""Seconds after which a name that could not be had is asked for again."""


class OneBotPort(Port):
    """The runner's port to the accounts that are connected."""

    def __init__(self, bots: Callable[[], Mapping[str, object]]) -> None:
        self.homes = Homes(lambda: {id_: bot for id_, bot in bots().items() if isinstance(bot, Bot)})
        self._mute_typists: set[str] = set()
        self._names: dict[str, tuple[float, asyncio.Future[str]]] = {}

    def now(self) -> float:
        return time.time()

    async def send(
        self, chat: str, text: str, quote: str | None, at: str | None = None, faces: Sequence[str] = ()
    ) -> str:
        """Send a bubble as segments, never as CQ code. Raises Unsent."""
        _, kind, peer = chat.split(":", 2)
        content = Content([MessageSegment("reply", {"id": quote})] if quote else [])
        if at and kind == "group":
            content.append(MessageSegment.at(at))
            text = f" {text}"
        content.extend(map(_on_the_wire, segments_of(text, faces) if faces else [Segment("text", text)]))
        where = {"group_id": int(peer)} if kind == "group" else {"user_id": int(peer)}
        async with self.homes.lock(chat):
            bot = self.homes.of(chat)
            if bot is None:
                raise Unsent("the QQ side is not connected")
            try:
                answer = await bot.call_api(f"send_{kind}_msg", message=content, **where)
            except FAULTS as error:
                raise Unsent(_why(error)) from None
            id_ = str((answer or {}).get("message_id", ""))
            self.homes.sent.append(id_)
        return id_

    async def is_echo(self, chat: str, id_: str) -> bool:
        """Whether a message of our own account is one that we have just sent.

        The echo may come before the answer to the call, so a bubble on its way is waited for.
        """
        async with self.homes.lock(chat):
            return id_ in self.homes.sent

    async def typing(self, chat: str) -> None:
        """Show "typing" in a private chat, where the QQ side can (NapCat's own call)."""
        _, kind, peer = chat.split(":", 2)
        bot = self.homes.of(chat)
        if bot is None or kind != "private" or bot.self_id in self._mute_typists:
            return
        try:
            await asyncio.wait_for(bot.call_api("set_input_status", user_id=int(peer), event_type=1), ASKING)
        except FAULTS:
            self._mute_typists.add(bot.self_id)

    def has_faces(self, chat: str) -> bool:
        return True

    async def unsend(self, chat: str, id: str) -> bool:  # noqa: A002
        """Take back a message of ours, while QQ lets us (two minutes)."""
        bot = self.homes.of(chat)
        return bot is not None and _is_number(id) and await _done(bot.call_api("delete_msg", message_id=int(id)))

    async def react(self, chat: str, id: str) -> bool:  # noqa: A002
        """Put a face under a message of a group (NapCat's and LLBot's own call)."""
        bot = self.homes.of(chat)
        if bot is None or ":group:" not in chat or not _is_number(id):
            return False
        return await _done(bot.call_api("set_msg_emoji_like", message_id=int(id), emoji_id=NODDED))

    async def ask(self, bot: Bot, action: str, **params: Any) -> Any:
        """What the QQ side answers to a call; None where it doesn't, in time."""
        try:
            return await asyncio.wait_for(bot.call_api(action, **params), ASKING)
        except FAULTS:
            return None

    async def group_name(self, bot: Bot, chat: str, known: str = "") -> str:
        """A group's name: from the event, else asked for once and kept; "" if it can't be had."""
        if known:
            return known
        asked, answer = self._names.get(chat, (0.0, None))
        stale = answer is not None and answer.done() and not answer.result() and self.now() - asked > ASK_AGAIN
        if answer is None or stale:
            answer = asyncio.ensure_future(_ask_name(bot, chat))
            self._names[chat] = (self.now(), answer)
        return await asyncio.shield(answer)


def _on_the_wire(segment: Segment) -> MessageSegment:
    """A part of a bubble as OneBot sends it: words, a face by its number, a sticker of the shop."""
    if segment.type == "face":
        return MessageSegment.face(int(segment.id))
    if segment.type == "sticker":
        package, sticker, key = segment.id.split("/")
        ids = {"emoji_package_id": int(package), "emoji_id": sticker, "key": key, "summary": MARK}
        return MessageSegment("mface", ids)
    return MessageSegment.text(segment.text)


async def _done(call: Awaitable[Any]) -> bool:
    try:
        await asyncio.wait_for(call, ASKING)
    except FAULTS:
        return False
    return True


def _is_number(id_: str) -> bool:
    return id_.removeprefix("-").isdecimal()


async def _ask_name(bot: Bot, chat: str) -> str:
    group = int(chat.rsplit(":", 1)[1])
    try:
        answer = await asyncio.wait_for(bot.call_api("get_group_info", group_id=group), ASKING)
    except FAULTS:
        return ""
    return str((answer or {}).get("group_name") or "")


def _why(error: BaseException) -> str:
    """A fault in words, without the text that could not be sent."""
    code = getattr(error, "info", {}).get("retcode", "")
    return f"{type(error).__name__} {code}".strip()
