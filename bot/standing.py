"""What holds in each chat: the settings, and what was changed by command since, kept over restarts.

Knows names of settings and what they mean together; doesn't know what is under way in a chat. All of it
stands in the history's settings, the chat "" for what concerns every chat.
"""

import json
from collections.abc import Callable
from typing import cast, get_args

from bot import words
from bot.events import Hush
from bot.history import History
from bot.owner import is_owner, private_chats
from bot.persona.behaviour import Behaviour
from bot.rules import MODES, NEUTRAL, Mode, Night, Rules
from bot.words import Language
from config.errors import MyBotError
from config.settings import Bot

EVERYWHERE = ""


def owners_language(history: History, settings: Bot) -> Language:
    """What the owner is told things in: as the settings say; in "auto" as they last gave an order."""
    return words.chosen(settings.language, (), "en" if history.setting(EVERYWHERE, "language") == "en" else "zh")


class Standing:
    """The rules of all chats."""

    def __init__(self, history: History, settings: Bot, behaviour: Callable[[str], Behaviour]) -> None:
        self._history = history
        self._settings = settings
        self._behaviour = behaviour
        named = [*settings.chats, *private_chats(settings.superusers)]
        self._named = tuple(f":{name}" for name in named)

    @property
    def named(self) -> tuple[str, ...]:
        """The chats that the settings allow, as they are written there, as far as no command says otherwise."""
        said = {*self._history.chats_with("mode"), *self._history.chats_with("allowed")}
        return tuple(name[1:] for name in self._named if not any(f":{chat}".endswith(name) for chat in said))

    def is_owner(self, chat: str, sender: str) -> bool:
        """Whether the owner speaks there, by whatever account."""
        return is_owner(self._settings.superusers, chat, sender)

    @property
    def language(self) -> Language:
        """The owner's, as far as code speaks to them."""
        return owners_language(self._history, self._settings)

    async def ordered(self, order: str) -> Language:
        """The language to answer an order of the owner's in, which what they are told later keeps to."""
        language = words.chosen(self._settings.language, [order], self.language)
        if language != self.language:
            await self._history.put(EVERYWHERE, "language", language)
        return language

    def owned(self, chat: str, sender: str = "") -> bool:
        """Whether this is the owner's own private chat with the bot; not every platform calls it by the owner's id."""
        return ":private:" in chat and any(self.is_owner(chat, one) for one in (chat.rsplit(":", 1)[1], sender))

    def allowed(self, chat: str, sender: str = "") -> bool:
        """Whether what is said there is kept at all."""
        said = self._history.setting(chat, "allowed")
        if said:
            return said == "1"
        mode = self._history.setting(chat, "mode")
        return self._by_settings(chat, sender) or bool(mode and mode != "off")

    def denied(self, chat: str) -> bool:
        """Whether the owner ordered that nothing of it is kept."""
        return self._history.setting(chat, "allowed") == "0"

    def mode(self, chat: str, sender: str = "") -> Mode:
        """What this chat gets: by command, else by the settings."""
        if not self.allowed(chat, sender):
            return "off"
        said = self._history.setting(chat, "mode")
        if said in MODES:
            return cast("Mode", said)
        # Drafts of answers to the owner would go to the same chat.
        return "called" if self.owned(chat, sender) else self._settings.mode

    def rules(self, chat: str, sender: str = "") -> Rules:
        setting = self._history.setting
        night = setting(chat, "night") or setting(EVERYWHERE, "night")
        share = setting(chat, "share")
        return Rules(
            mode=self.mode(chat, sender),
            freq=float(setting(chat, "freq") or self._settings.freq),
            behaviour=self.behaviour(chat),
            night=cast("Night", night) if night in get_args(Night) else self._settings.night,
            share=float(share) if share else None,
            guest=":private:" not in chat and not setting(chat, "met") and not setting(chat, "mode"),
            owned=self.owned(chat, sender),
        )

    def behaviour(self, chat: str) -> Behaviour:
        """The habits of who speaks there."""
        try:
            return self._behaviour(chat)
        except MyBotError:  # a persona that is gone: nobody speaks there
            return NEUTRAL

    def muted_until(self, chat: str) -> float:
        return float(self._history.setting(chat, "muted") or 0)

    def hushed(self, chat: str) -> tuple[float, Hush]:
        """Until when a chat is silenced, and why."""
        until, _, why = self._history.setting(chat, "hushed").partition(" ")
        return float(until or 0), "owner" if why == "owner" else "command"

    async def hush(self, chat: str, until: float, why: Hush) -> None:
        await self._history.put(chat, "hushed", f"{until!r} {why}")

    def hushes(self, now: float) -> dict[str, float]:
        """The chats that are silenced, until when."""
        found = {chat: self.hushed(chat)[0] for chat in self._history.chats_with("hushed")}
        return {chat: until for chat, until in found.items() if until > now}

    @property
    def halted(self) -> bool:
        """Whether the emergency stop holds."""
        return self._history.setting(EVERYWHERE, "halted") == "1"

    async def halt(self, on: bool) -> None:
        await self._history.put(EVERYWHERE, "halted", "1" if on else "")

    @property
    def blocked(self) -> frozenset[str]:
        """Whom the owner lets have no answer anywhere, as owner.account names them."""
        return self._people("blocked")

    @property
    def barred(self) -> frozenset[str]:
        """Who gets no answer anywhere: by the owner's word, or by their own."""
        return self.blocked | self._people("unwanted")

    async def block(self, who: str, on: bool) -> None:
        await self._list("blocked", who, on)

    async def unwanted(self, who: str, on: bool) -> None:
        """Somebody wants no answers; only they take that back."""
        await self._list("unwanted", who, on)

    def _people(self, name: str) -> frozenset[str]:
        return frozenset(json.loads(self._history.setting(EVERYWHERE, name) or "[]"))

    async def _list(self, name: str, who: str, on: bool) -> None:
        people = self._people(name) | {who} if on else self._people(name) - {who}
        await self._history.put(EVERYWHERE, name, json.dumps(sorted(people)))

    async def put(self, chat: str, name: str, value: str) -> None:
        await self._history.put(chat, name, value)

    def _by_settings(self, chat: str, sender: str) -> bool:
        return f":{chat}".endswith(self._named) or (":private:" in chat and self.is_owner(chat, sender))
