"""Between NoneBot's events and the runner, from the startup hook to the shutdown hook.

Knows what has to be opened and in which order, and who is told what. Doesn't know how a message
looks on the wire (onebot.py), nor when the persona speaks (bot/runner.py).
"""

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack

from nonebot.adapters import Bot as BaseBot, Event as BaseEvent
from nonebot.adapters.onebot.v11 import Bot as Account, Event, NoticeEvent

from bot.alerts import NOBODY, Alerts
from bot.engine.child import SERVE
from bot.engine.personas import Personas
from bot.events import Recalled
from bot.history import History
from bot.owner import QQ, private_chats
from bot.persona.message import Message
from bot.remembering import Remembering
from bot.runner import Runner
from bot.standing import owners_language
from bot.words import Language
from config.errors import EngineError, MyBotError
from config.settings import Bot, Engine
from plugins.chat import elsewhere, onebot
from plugins.chat.context import Context
from plugins.chat.heard import Heard, Known
from plugins.chat.ports import Ports
from plugins.chat.presence import heed
from plugins.chat.speakers import Speakers

log = logging.getLogger("bot.chat")

_QQ_CHAT = re.compile(rf"{QQ}:(?:group|private):[0-9]+")
ORDERS = 1024
"""Commands that are known when they come again."""
KNOWN_NAMES = 4096
"""Names of people that are kept, so that an @ can be read."""


class Bridge:
    """The persona that is up, and the way to it."""

    def __init__(self, port: Ports) -> None:
        self.port = port
        self._runner: Runner | None = None
        self._settings = Bot.model_construct()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._orders: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._open = AsyncExitStack()
        self._resumed = False
        self._backfills: dict[str, asyncio.Task[None]] = {}

    async def open(
        self,
        settings: Bot,
        engine: Engine,
        *,
        command: Sequence[str] = SERVE,
        why: Callable[[Language], str] = lambda _: "",
    ) -> None:
        """Bring up history, engine and runner. What was opened is closed again by `close`.

        `why` says what is known of a missing connection to QQ.
        """
        self._settings, self._resumed = settings, False
        self._open.callback(self._stop_backfills)
        self._history = history = await History.open(settings.database, keep_days=settings.keep_days)
        self._context = Context(self.port.qq, history)
        self._open.push_async_callback(history.close)
        self.remembering = await Remembering.open(history, settings)
        self._open.push_async_callback(self.remembering.close)
        self.personas = personas = Personas(engine, command=command)
        self._open.push_async_callback(personas.close)
        self._alerts = alerts = Alerts(
            settings, self.port, why=why, language=lambda: owners_language(history, settings)
        )
        self._open.push_async_callback(alerts.close)
        await personas.open()
        self.speakers = Speakers(personas, history, settings.personas)
        await self.speakers.meet()
        main = personas.talker()
        if not settings.nickname and len(me := main.persona.prompt.me) > 1:
            settings = self._settings = settings.model_copy(update={"nickname": [me]})
        self._runner = Runner(
            main,
            history,
            settings=settings,
            port=self.port,
            of_chat=self.speakers.talker,
            alerts=alerts,
            remembering=self.remembering,
        )
        self._open.push_async_callback(self._runner.close)
        log.info("%s is up (%s)", main.persona.name, main.persona.hash)
        if settings.auto_reload:
            watching = asyncio.create_task(personas.watch(settings.auto_reload))
            self._open.callback(watching.cancel)
        looking = asyncio.create_task(alerts.watch(personas.status))
        self._open.callback(looking.cancel)
        if settings.onebot_v11_ws_urls or settings.port:
            alerts.away(NOBODY)

    async def close(self) -> None:
        """Let go of everything, last opened first; after a start that broke off too."""
        self._runner = None
        await self._open.aclose()

    @property
    def up(self) -> bool:
        """Whether there is somebody who could speak: between `open` and `close`."""
        return self._runner is not None

    @property
    def runner(self) -> Runner:
        """What decides about speaking; only between `open` and `close`."""
        if self._runner is None:
            raise EngineError("the persona is not up", hint="wait for the start, or see the log")
        return self._runner

    @property
    def history(self) -> History:
        """What was said; only between `open` and `close`."""
        return self.runner.history

    def accounts(self, chat: str) -> Collection[str]:
        """Our accounts on the platform of a chat."""
        platform = chat.partition(":")[0]
        return self.port.qq.homes.accounts() if platform == QQ else self.port.elsewhere.homes(platform).accounts()

    def orders(self, account: BaseBot, chat: str, id: str, at: float) -> bool:  # noqa: A002 - the word for it
        """Whether a command is to be done: once, by one account of ours, and not long after it was given."""
        if self._runner is None or (chat, id) in self._orders or not self.port.meet(chat, account.self_id):
            return False
        if self.port.now() - at > self._settings.stale:
            log.warning("a command in %s came %d s late: not done", chat, self.port.now() - at)
            return False
        self._orders[chat, id] = None
        if len(self._orders) > ORDERS:
            self._orders.popitem(last=False)
        return True

    async def pause(self) -> None:
        """End the engine's processes; what is said meanwhile is kept."""
        self.runner.hold()
        await self.personas.pause()

    async def resume(self) -> None:
        """Bring the engine back, and answer what is still fresh."""
        try:
            await self.personas.resume()
        finally:
            # If it does not come up now, whoever asks next wakes it.
            await self.runner.resume()

    async def connected(self, account: object = None) -> None:
        """The QQ side is there: answer what a restart left unanswered, and see what was said meanwhile."""
        if self._runner is None:
            return
        if isinstance(account, Account):
            self._alerts.back(account.self_id)
        if isinstance(account, Account) and self._settings.backfill:
            self._end_backfill(account)
            self._backfills[account.self_id] = asyncio.create_task(self._backfill(account))
        # Another platform may be there before QQ is, and what waits on QQ would be lost.
        waits_for_qq = bool(self._settings.onebot_v11_ws_urls or self._settings.port)
        ready = isinstance(account, Account) or not (isinstance(account, BaseBot) and waits_for_qq)
        if ready and not self._resumed and not self.personas.paused:
            self._resumed = True
            await self._runner.resume()

    def disconnected(self, account: object) -> None:
        """The QQ side of an account is gone."""
        if isinstance(account, Account):
            self._end_backfill(account)
            if self._runner is not None:
                self._alerts.disconnected(account.self_id)

    def heed(self, event: Event) -> None:
        """Take what an event says of whether its account is there."""
        if self._runner is not None:
            heed(event, self._alerts)

    def _end_backfill(self, account: Account) -> None:
        if (task := self._backfills.pop(account.self_id, None)) is not None:
            task.cancel()

    def _stop_backfills(self) -> None:
        for task in self._backfills.values():
            task.cancel()

    async def _backfill(self, account: Account) -> None:
        named = [*self._settings.chats, *private_chats(self._settings.superusers)]
        named += [*self._history.chats_with("mode"), *self._history.chats_with("allowed")]
        chats = [chat for chat in dict.fromkeys(_of_qq(named)) if self.runner.is_on(chat)]
        accounts = self.port.qq.homes.accounts()
        kept = await self._context.backfill(
            account, chats, lambda chat: self._known(chat, accounts), self._settings.backfill
        )
        if kept:
            log.info("%d earlier messages of %d chats kept as context", kept, len(chats))

    async def hear(self, account: Account, event: Event) -> None:
        """Tell the runner of a message on QQ, in order; our own echo is none."""
        if self._runner is None:
            return
        known = self._known(onebot.chat_of(event), self.port.qq.homes.accounts())
        heard = onebot.read(event, known)
        if heard is None or not self._meets(account, heard.message):
            return
        message, name = heard.message, heard.group_name
        if message.mine:
            message.name = known.me
            if await self.port.qq.is_echo(message.chat, message.id):
                return
        elif message.kind == "group" and self._allows(message):
            name = await self.port.qq.group_name(account, message.chat, name)
        await self._take(account, heard, known, name)

    async def hear_elsewhere(self, account: BaseBot, event: BaseEvent) -> None:
        """Tell the runner of a message on any other platform."""
        runner, chat = self._runner, elsewhere.chat_of(account, event)
        if runner is None or not chat or not self._listens(chat, elsewhere.who(event)):
            return
        platform = chat.partition(":")[0]
        known = self._known(chat, self.port.elsewhere.homes(platform).accounts())
        heard = await elsewhere.read(account, event, known)
        if heard is None or not self._meets(account, heard.message):
            return
        self.port.elsewhere.hear(chat, heard.message.id, account, event)
        name = heard.group_name
        if heard.message.kind == "group":
            name = await self.port.elsewhere.group_name(chat, name)
        await self._take(account, heard, known, name)

    async def _take(self, account: object, heard: Heard, known: Known, name: str) -> None:
        """Hand over what was read, once what it quotes is there."""
        message, addressed = heard.message, heard.addressed
        if self._allows(message):
            self._remember(message)
            if not message.mine and await self._context.quote(account, heard, known):
                addressed = True
        await self.runner.hear(message, addressed=addressed, chat_name=name, me=known.accounts)

    def _listens(self, chat: str, sender: str) -> bool:
        """Whether a message is worth reading: from where we listen, or the owner's, whose stop word holds anywhere."""
        standing = self.runner.standing
        return standing.allowed(chat, sender) or standing.is_owner(chat, sender)

    def _allows(self, message: Message) -> bool:
        """Whether a message is from where we listen."""
        return self.runner.standing.allowed(message.chat, message.sender)

    def _meets(self, account: BaseBot, message: Message) -> bool:
        """False where another account of ours is in that group too, and speaks there."""
        return not self._allows(message) or self.port.meet(message.chat, account.self_id)

    def _known(self, chat: str, accounts: Collection[str]) -> Known:
        """What reading an event of this chat takes."""
        return Known(self._me(chat), accounts, self._settings.nickname, self._names, self._settings.bots)

    def _me(self, chat: str) -> str:
        """What an @ of our account reads as in this chat."""
        try:
            return self.speakers.talker(chat).persona.prompt.me
        except MyBotError:  # a persona that is gone
            return ""

    async def note(self, account: Account, event: NoticeEvent) -> None:
        """Tell the runner of a recall or a ban, or of a poke, which is as good as a call."""
        happened = onebot.notice(event, self._settings.bots)
        if self._runner is None or happened is None:
            return
        if isinstance(happened, Recalled):
            await self._runner.recall(happened.chat, happened.id)
        elif isinstance(happened, Message):
            if self._allows(happened) and self._meets(account, happened):
                happened.name = self._names.get(happened.sender, happened.sender)
                await self._runner.hear(happened, addressed=True, me=self.port.qq.homes.accounts())
        elif self.port.qq.homes.of(happened.chat) is account:
            await self._runner.mute(happened.chat, happened.until)

    async def note_elsewhere(self, account: BaseBot, event: BaseEvent) -> None:
        """Tell the runner of a message that was taken back on another platform."""
        happened = elsewhere.notice(account, event)
        if self._runner is not None and happened is not None:
            await self._runner.recall(happened.chat, happened.id)

    def _remember(self, message: Message) -> None:
        platform = message.chat.partition(":")[0]
        who = message.sender if platform == QQ else f"{platform}:{message.sender}"
        self._names[who] = message.name
        self._names.move_to_end(who)
        if len(self._names) > KNOWN_NAMES:
            self._names.popitem(last=False)


def _of_qq(names: Iterable[str]) -> list[str]:
    """The chats of QQ among these, by their whole keys: a name without a platform may mean one there."""
    whole = [name if name.count(":") > 1 else f"{QQ}:{name}" for name in names]
    return [name for name in whole if _QQ_CHAT.fullmatch(name)]
