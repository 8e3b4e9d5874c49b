"""How the runner reaches every platform but QQ: through UniMessage.

Knows the few things of Telegram and Discord that UniMessage has no word for. Doesn't know when to
speak, nor what.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nonebot.adapters import Bot, Event
from nonebot.adapters.onebot.v11 import Bot as OneBot
from nonebot_plugin_alconna import At, Reply, Text, UniMessage, message_reaction
from nonebot_plugin_alconna.uniseg import Receipt, SerializeFailed, Target

from bot.port import Port, Unsent
from plugins.chat.elsewhere import platform_of, where
from plugins.chat.homes import Homes
from plugins.chat.port import ASKING, FAULTS

NODDED = "👌"
"""The reaction a message is acknowledged with."""
KEPT = 256
"""Newest messages that can be reacted to, and sent ones that can be taken back."""

_FAULTS = (*FAULTS, SerializeFailed, NotImplementedError, ValueError)
"""How sending fails beside the network: a platform that has no such message."""


class ElsewherePort(Port):
    """The runner's port to accounts on other platforms."""

    def __init__(self, bots: Callable[[], Mapping[str, object]]) -> None:
        self._bots = bots
        self._homes: dict[str, Homes[Bot]] = {}
        self._targets: dict[str, Target] = {}
        self._heard: OrderedDict[tuple[str, str], Event] = OrderedDict()
        self._receipts: OrderedDict[tuple[str, str], Receipt] = OrderedDict()
        self._names: dict[str, str] = {}

    def homes(self, platform: str) -> Homes[Bot]:
        """The accounts of one platform."""
        return self._homes.setdefault(platform, Homes(lambda: self._accounts(platform)))

    def now(self) -> float:
        return time.time()

    def hear(self, chat: str, message_id: str, bot: Bot, event: Event) -> None:
        """Remember where a message came from: some calls need the event itself."""
        if (target := where(bot, event)) is not None:
            self._targets[chat] = _sendable(chat, target)
        self._heard[chat, message_id] = event
        if len(self._heard) > KEPT:
            self._heard.popitem(last=False)

    async def send(
        self, chat: str, text: str, quote: str | None, at: str | None = None, faces: Sequence[str] = ()
    ) -> str:
        """Send a bubble. Raises Unsent."""
        homes = self._at(chat)
        message = UniMessage[Any]([Reply(quote)] if quote else [])
        if at and ":group:" in chat:
            message = message + At("user", at) + Text(" ")
        message = message + Text(text)
        async with homes.lock(chat):
            bot = homes.of(chat)
            if bot is None:
                raise Unsent("the platform is not connected")
            try:
                receipt = await message.send(await self._target(chat, bot), bot, **_only(bot, at))
            except _FAULTS as error:
                raise Unsent(type(error).__name__) from None
            sent = receipt.get_reply(0)
            id_ = "" if sent is None else str(sent.id)
            self._receipts[chat, id_] = receipt
            if len(self._receipts) > KEPT:
                self._receipts.popitem(last=False)
        return id_

    async def typing(self, chat: str) -> None:
        """Show "typing" in a private chat, where we know how."""
        bot, (platform, kind, peer) = self._at(chat).of(chat), chat.split(":", 2)
        if bot is None or kind != "private":
            return
        if platform == "telegram":
            await self._done(bot.call_api("send_chat_action", chat_id=int(peer), action="typing"))
        elif platform == "discord":
            await self._done(bot.call_api("trigger_typing_indicator", channel_id=int(peer)))

    async def unsend(self, chat: str, id: str) -> bool:  # noqa: A002
        """Take back a message of ours, if it is one of the newest."""
        receipt = self._receipts.pop((chat, id), None)
        return receipt is not None and receipt.recallable and await self._done(receipt.recall())

    async def react(self, chat: str, id: str) -> bool:  # noqa: A002
        """Put a reaction under a message, if it is one of the newest."""
        bot, event = self._at(chat).of(chat), self._heard.get((chat, id))
        return bot is not None and event is not None and await self._done(message_reaction(NODDED, id, event, bot))

    async def group_name(self, chat: str, known: str = "") -> str:
        """A group's name: from the event, else what the platform says, asked for once; "" if it can't be had."""
        bot = self._at(chat).of(chat)
        if known or bot is None or not chat.startswith("discord:"):
            return known
        if chat not in self._names:
            self._names[chat] = ""
            try:
                channel = await asyncio.wait_for(
                    bot.call_api("get_channel", channel_id=int(chat.split(":")[2])), ASKING
                )
            except _FAULTS:
                return ""
            name = getattr(channel, "name", "")
            self._names[chat] = name if isinstance(name, str) else ""
        return self._names[chat]

    def _at(self, chat: str) -> Homes[Bot]:
        return self.homes(chat.partition(":")[0])

    def _accounts(self, platform: str) -> dict[str, Bot]:
        found = (
            (id_, bot) for id_, bot in self._bots().items() if isinstance(bot, Bot) and not isinstance(bot, OneBot)
        )
        return {id_: bot for id_, bot in found if platform_of(bot) == platform}

    async def _target(self, chat: str, bot: Bot) -> Target:
        """Where a chat is; of one not heard since the start, as far as its key tells."""
        known = self._targets.get(chat)
        if known is not None:
            return known
        platform, kind, peer = chat.split(":", 2)
        if platform == "discord" and kind == "private":
            try:
                # The settings name an owner there by the person, a message its chat by the channel.
                channel = await asyncio.wait_for(bot.call_api("create_DM", recipient_id=int(peer)), ASKING)
            except _FAULTS:
                return Target(peer, channel=True)
            target = self._targets[chat] = Target(str(channel.id), channel=True)
            return target
        return Target(peer, channel=platform == "discord", private=kind == "private")

    async def _done(self, call: Any) -> bool:
        try:
            await asyncio.wait_for(call, ASKING)
        except _FAULTS:
            return False
        return True


def _sendable(chat: str, target: Target) -> Target:
    if chat.startswith("discord:"):
        # UniMessage takes a private target there for a person, and an event's is the channel.
        target.private = False
    return target


def _only(bot: Bot, at: str | None) -> dict[str, Any]:
    """What keeps a text from calling anybody: on Discord an @ in plain words is one."""
    if platform_of(bot) != "discord":
        return {}
    from nonebot.adapters.discord.api import AllowedMention, Snowflake

    return {
        "allowed_mentions": AllowedMention(
            parse=[], roles=[], users=[Snowflake(int(at))] if at else [], replied_user=True
        )
    }
