"""Which persona speaks in which chat: chosen by command, else by the settings, else the default.

Knows names of personas and the history's settings; doesn't know what is said, nor on which platform.
"""

import logging
from collections.abc import Mapping

from bot.engine.personas import Personas
from bot.engine.wire import Talker
from bot.engine.worker import Worker
from bot.history import History
from bot.persona.manifest import Persona
from config.errors import MyBotError

log = logging.getLogger("bot.chat")

CHOSEN = "persona"
"""The setting of a chat that names its persona."""


class Speakers:
    """Who speaks where. `by_settings`: chat → name, as [bot] personas."""

    def __init__(self, personas: Personas, history: History, by_settings: Mapping[str, str]) -> None:
        self._personas, self._history, self._by_settings = personas, history, by_settings

    async def meet(self) -> None:
        """Know every persona that a chat chose. One of the settings must be there; one chosen by command
        may have been deleted since: its chats stay silent, and the log says so."""
        for name in sorted(set(self._by_settings.values())):
            await self._personas.know(name)
        for chat, name in self._history.chats_with(CHOSEN).items():
            try:
                await self._personas.know(name or self._personas.default)
            except MyBotError as error:
                log.error("%s stays silent: %s", chat, error)

    def name(self, chat: str) -> str:
        """The name of who speaks in a chat."""
        known = self._history.setting(chat, CHOSEN)
        named = (name for key, name in self._by_settings.items() if f":{chat}".endswith(f":{key}"))
        return known or next(named, "") or self._personas.default

    def talker(self, chat: str) -> Talker:
        """Who speaks there. EngineError where it is gone."""
        return self._personas.talker(self.name(chat))

    async def worker(self, chat: str) -> Worker:
        """The worker that speaks in a chat. EngineError where a server elsewhere does."""
        return await self._personas.know(self.name(chat))

    async def use(self, chat: str, name: str) -> Persona:
        """Let a persona speak in a chat from now on, kept over restarts; it is started to see that it can."""
        worker = await self._personas.know(name)
        await worker.start()
        await self._history.put(chat, CHOSEN, name)
        return worker.persona
