"""Between NoneBot's events and the runner, from the startup hook to the shutdown hook.

Knows what has to be opened and in which order, and who is told what. Doesn't know how a message
looks on the wire (onebot.py), nor when the persona speaks (bot/runner.py).
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

from nonebot.adapters.onebot.v11 import Bot as Account, Event, NoticeEvent

from bot.counting import token_counter
from bot.engine.admission import Admission
from bot.engine.wire import Talker
from bot.engine.worker import Worker, open_talker
from bot.history import History
from bot.persona.manifest import Persona, version_folder
from bot.runner import Runner
from config.errors import EngineError, MyBotError
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
        self._runner: Runner | None = None
        self._talker: Talker | None = None
        self._nicknames: tuple[str, ...] = ()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._open = AsyncExitStack()
        self._resumed = False

    async def open(self, settings: Bot, engine: Engine) -> None:
        """Bring up history, engine and runner. What was opened is closed again by `close`."""
        self._nicknames = tuple(settings.nickname)
        history = await History.open(settings.database)
        self._open.push_async_callback(history.close)
        self._talker = talker = await open_talker(engine)
        self._open.push_async_callback(talker.close)
        counter = token_counter(version_folder(engine.persona))
        admitted = Admission.of(talker, engine)
        self._runner = Runner(admitted, history, settings=settings, port=self.port, count=counter)
        self._open.push_async_callback(self._runner.close)
        log.info("%s is up (%s)", talker.persona.name, talker.persona.hash)
        if settings.auto_reload and isinstance(talker, Worker):
            watching = asyncio.create_task(self._watch(talker, engine.persona, settings.auto_reload))
            self._open.callback(watching.cancel)

    async def _watch(self, worker: Worker, persona: Path, every: float) -> None:
        """Take a new version when `current` names one; each that can't be taken is tried once."""
        tried = worker.folder
        while True:
            await asyncio.sleep(every)
            folder = version_folder(persona)
            if folder in (tried, worker.folder):
                continue
            tried = folder
            try:
                await self.reload()
            except MyBotError as error:
                log.error("the new version was not taken: %s (%s)", error, error.hint)

    async def close(self) -> None:
        """Let go of everything, last opened first; after a start that broke off too."""
        self._runner = None
        await self._open.aclose()

    @property
    def runner(self) -> Runner:
        """What decides about speaking; only between `open` and `close`."""
        if self._runner is None:
            raise EngineError("the persona is not up", hint="wait for the start, or see the log")
        return self._runner

    async def reload(self) -> Persona:
        """Take what `current` names now; on failure the old persona serves on."""
        return await self._exchange(self._worker().reload())

    async def rollback(self) -> Persona:
        """Back to the persona before."""
        return await self._exchange(self._worker().rollback())

    def _worker(self) -> Worker:
        talker = self._talker
        if not isinstance(talker, Worker):
            raise EngineError(
                "this engine has no personas to exchange", hint="only an own worker has: set [engine] persona, no url"
            )
        return talker

    async def _exchange(self, exchange: Awaitable[Persona]) -> Persona:
        persona = await exchange
        folder = self._worker().folder
        if folder is not None:
            self.runner.count = token_counter(folder)
        log.info("%s speaks now (%s)", persona.name, persona.hash)
        return persona

    async def connected(self) -> None:
        """The QQ side is there: answer what a restart left unanswered."""
        if self._runner is not None and not self._resumed:
            self._resumed = True
            await self._runner.resume()

    async def hear(self, account: Account, event: Event) -> None:
        """Tell the runner of a message, in order; our own echo is none."""
        runner = self._runner
        if runner is None:
            return
        me = runner.talker.persona.prompt.me
        heard = onebot.read(event, me=me, nicknames=self._nicknames, names=self._names)
        if heard is None:
            return
        message = heard.message
        if message.mine:
            message.name = me
            if await self.port.is_echo(message.chat, message.id):
                return
        name = heard.group_name
        if runner.is_on(message.chat, message.sender):
            self.port.meet(message.chat, account.self_id)
            self._remember(message.sender, message.name)
            if message.kind == "group":
                name = await self.port.group_name(account, message.chat, name)
        await runner.hear(message, addressed=heard.addressed, chat_name=name)

    async def note(self, event: NoticeEvent) -> None:
        """Tell the runner of a recall or a ban."""
        happened = onebot.notice(event)
        if self._runner is None or happened is None:
            return
        if isinstance(happened, onebot.Recalled):
            await self._runner.recall(happened.chat, happened.id)
        else:
            await self._runner.mute(happened.chat, happened.until)

    def _remember(self, sender: str, name: str) -> None:
        self._names[sender] = name
        self._names.move_to_end(sender)
        if len(self._names) > KNOWN_NAMES:
            self._names.popitem(last=False)
