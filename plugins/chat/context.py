"""What the QQ side remembers of a chat and we don't: quoted messages, and what was said while we were away.

Kept as context only: nothing from here is ever answered. Knows OneBot's calls for it and that many
a QQ side lacks them; doesn't know what a prompt shows.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from nonebot.adapters.onebot.v11 import Bot as Account

from bot.history import OTHER, History
from bot.persona.message import Message
from plugins.chat import onebot
from plugins.chat.heard import Heard, Known
from plugins.chat.port import OneBotPort

log = logging.getLogger("bot.chat")

UNSURE = "persona:unknown"
"""Author of my account's lines that were not heard live: the owner's or a persona's, so never to be learned."""
SETTLE = 3.0
"""Seconds after a connection before the past is asked for: what the QQ side sends again comes first."""
PAUSE = 0.2
"""Seconds between two chats."""
CHATS = 200
"""Chats of one connection whose past is asked for."""
_CALLS = {"group": ("get_group_msg_history", "group_id"), "private": ("get_friend_msg_history", "user_id")}


class Context:
    """The way from the QQ side's memory into our history."""

    def __init__(self, port: OneBotPort, history: History) -> None:
        self._port, self._history = port, history

    async def quote(self, account: object, heard: Heard, known: Known) -> bool:
        """See that what a message quotes is in the history; whether it was mine. At most one call, bounded."""
        message = heard.message
        chat, wanted = message.chat, message.reply_to
        if wanted is None:
            return False
        author = await self._history.author(chat, wanted)
        if author:
            return author != OTHER
        past = heard.quoted
        if past is None and isinstance(account, Account) and wanted.removeprefix("-").isdecimal():
            row = await self._port.ask(account, "get_msg", message_id=int(wanted))
            past = onebot.past(row, chat, known) if isinstance(row, dict) else None
        if past is None or past.id != wanted:
            return heard.quotes_me
        await self._keep(past)
        return past.mine

    async def backfill(self, account: Account, chats: Iterable[str], known: Callable[[str], Known], n: int) -> int:
        """Keep the newest messages of these chats from before now; how many were new.

        What is said from now on comes as events, and one that came from here would not be answered.
        """
        began, kept = self._port.now(), 0
        await asyncio.sleep(SETTLE)
        for chat in list(chats)[:CHATS]:
            _, kind, peer = chat.split(":", 2)
            action, of = _CALLS[kind]
            answer = await self._port.ask(account, action, **{of: int(peer)}, count=n)
            if answer is None:
                # Unknown there, or not the way it is asked: one try is enough.
                log.info("the QQ side gives no history of chats; each begins with what is heard")
                break
            rows = answer.get("messages") if isinstance(answer, dict) else None
            found = [onebot.past(row, chat, known(chat)) for row in rows or () if isinstance(row, dict)]
            for past in [one for one in found if one is not None and one.time < began - 1][-n:]:
                kept += await self._keep(past)
            await asyncio.sleep(PAUSE)
        return kept

    async def _keep(self, message: Message) -> bool:
        author = UNSURE if message.mine else OTHER
        return await self._history.add(message, author=author, at=message.time)
