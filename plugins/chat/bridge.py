"""Between NoneBot's events and the runner, from the startup hook to the shutdown hook.

Knows what has to be opened and in which order, and who is told what. Doesn't know how a message
looks on the wire (onebot.py), nor when the persona speaks (bot/runner.py).
"""

import logging
from collections import OrderedDict
from contextlib import AsyncExitStack

from nonebot.adapters.onebot.v11 import Bot as Account, Event, NoticeEvent

from bot.counting import token_counter
from bot.engine.wire import Talker
from bot.engine.worker import open_talker
from bot.history import History
from bot.persona.manifest import version_folder
from bot.runner import Runner
from config.settings import Bot, Engine
from plugins.chat import onebot
from plugins.chat.port import OneBotPort

log = logging.getLogger("bot.chat")

KNOWN_NAMES = 4096
"""Names of people that are kept, so that an @ can be read."""


class Bridge:
    """The persona that is up, and the way to it."""

    def __init__(self, port: OneBotPort) -> None:
        self.port = port
        self.runner: Runner | None = None
        self._nicknames: tuple[str, ...] = ()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._open = AsyncExitStack()
        self._resumed = False

    async def open(self, settings: Bot, engine: Engine) -> None:
        """Bring up history, engine and runner. What was opened is closed again by `close`."""
        self._nicknames = tuple(settings.nickname)
        history = await History.open(settings.database)
        self._open.push_async_callback(history.close)
        talker = await open_talker(engine)
        self._open.push_async_callback(talker.close)
        counter = token_counter(version_folder(engine.persona))
        self.runner = Runner(talker, history, settings=settings, port=self.port, count=counter)
        self._open.push_async_callback(self.runner.close)
        log.info("%s is up (%s)", talker.persona.name, talker.persona.hash)

    async def close(self) -> None:
        """Let go of everything, last opened first; after a start that broke off too."""
        self.runner = None
        await self._open.aclose()

    @property
    def talker(self) -> Talker:
        """The engine that speaks; only while the bridge is open."""
        assert self.runner is not None, "the chat plugin has not started"
        return self.runner.talker

    async def connected(self) -> None:
        """The QQ side is there: answer what a restart left unanswered."""
        if self.runner is not None and not self._resumed:
            self._resumed = True
            await self.runner.resume()

    async def hear(self, account: Account, event: Event) -> None:
        """Tell the runner of a message, in order; our own echo is none."""
        if self.runner is None:
            return
        heard = onebot.read(event, me=self.talker.persona.prompt.me, nicknames=self._nicknames, names=self._names)
        if heard is None:
            return
        message = heard.message
        if message.mine:
            message.name = self.talker.persona.prompt.me
            if await self.port.is_echo(message.chat, message.id):
                return
        name = heard.group_name
        if self.runner.is_on(message.chat, message.sender):
            self.port.meet(message.chat, account.self_id)
            self._remember(message.sender, message.name)
            if message.kind == "group":
                name = await self.port.group_name(account, message.chat, name)
        await self.runner.hear(message, addressed=heard.addressed, chat_name=name)

    async def note(self, event: NoticeEvent) -> None:
        """Tell the runner of a recall or a ban."""
        happened = onebot.notice(event)
        if self.runner is None or happened is None:
            return
        if isinstance(happened, onebot.Recalled):
            await self.runner.recall(happened.chat, happened.id)
        else:
            await self.runner.mute(happened.chat, happened.until)

    def _remember(self, sender: str, name: str) -> None:
        self._names[sender] = name
        self._names.move_to_end(sender)
        if len(self._names) > KNOWN_NAMES:
            self._names.popitem(last=False)
