"""Which messages the dataset sees at all, and whose words count: chats, days, bots and their commands.

Knows single messages. What is left out is counted under its reason. A bot's lines and commands to
one stay where they were said, as the running bot will see them, but nobody learns from them.
"""

import calendar
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from bot.persona.bots import is_official
from bot.persona.message import Message
from config.errors import InputError, SettingsError
from config.settings import Dataset
from training.importers.source import Zone
from training.written import Written

GOLD = "gold"
"""The flag of what the owner taught the bot to say: the owner's words, even where the bot sent them."""


class Filter:
    """The messages that the owner wants, flagged; one pass counts, another may not."""

    def __init__(self, knobs: Dataset, written: Written) -> None:
        zone = Zone(knobs.tz)
        self._since = _day(knobs.since, zone) if knobs.since else 0
        self._until = _day(knobs.until, zone) + 86400 if knobs.until else 1 << 62
        if self._since >= self._until:
            raise SettingsError("[dataset] until is before since", hint="swap them")
        self._include, self._exclude = set(knobs.include), set(knobs.exclude)
        self._bots = set(knobs.bots)
        try:
            self._command = re.compile(knobs.commands) if knobs.commands else None
        except re.error as error:
            raise SettingsError(f"[dataset] commands: {error}", hint="write a regular expression") from None
        self._written = written
        self._seen: dict[str, str] = {}
        self._found: set[str] = set()

    def messages(self, all_of_them: Iterable[Message], dropped: Counter[str]) -> Iterator[Message]:
        """What is left, in order."""
        for message in all_of_them:
            reason = self._unwanted(message)
            if reason:
                dropped[reason] += 1
                continue
            flag = self._flag(message)
            yield replace(message, flags=(*message.flags, flag)) if flag else message

    def check(self) -> None:
        """InputError for a chat that the owner names and that is nowhere."""
        for name in sorted((self._include | self._exclude) - self._found):
            known = ", ".join(list(self._seen)[:10])
            raise InputError(f"no chat is called {name}", hint=f"there are: {known}")

    def _unwanted(self, message: Message) -> str:
        chat = message.chat
        reason = self._seen.get(chat)
        if reason is None:
            reason = self._seen[chat] = self._unwanted_chat(message)
        if reason:
            return reason
        return "" if self._since <= message.time < self._until else "other_days"

    def _unwanted_chat(self, message: Message) -> str:
        peer = message.chat.rpartition(":")[2]
        names = {message.chat, peer, message.chat_name}
        self._found |= names
        if self._include and names.isdisjoint(self._include):
            return "chat_not_included"
        if not names.isdisjoint(self._exclude):
            return "chat_excluded"
        return "chat_with_a_bot" if message.kind == "private" and self._is_bot(peer, message.chat_name) else ""

    def _flag(self, message: Message) -> str:
        if message.flags and (not message.spoken or GOLD in message.flags):
            return ""
        if message.mine:
            if self._command is not None and self._command.match(message.text):
                return "command"
            return "bot" if self._written.by_the_bot(message) else ""
        return "bot" if self._is_bot(message.sender, message.name) else ""

    def _is_bot(self, sender: str, name: str) -> bool:
        return sender in self._bots or name in self._bots or is_official(sender)


def _day(day: date, zone: Zone) -> int:
    return zone.utc(calendar.timegm(day.timetuple()))
