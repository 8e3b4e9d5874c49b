"""Lets the turn engine live: timers, history, an engine that drafts, and a Port that sends.

Knows how what the turn engine asks for is done, and in what order it is written down: a message
counts as answered before its first bubble goes out, so that no restart answers it twice. Doesn't
decide anything about speaking (bot/turns.py) and knows no platform: a `Port` is the platform, the
terminal or a test. Failure is silence in the chat and one line in the log, without message text.

A chat has at most one task drafting and one sending, and none while it is quiet. Further modes of a
chat (draft, shadow) are further ways to do `Send`; news for the owner are a further Port method.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from bot.engine.wire import Finish, Talker
from bot.events import (
    Action,
    Cancel,
    Cleared,
    Clock,
    Drafted,
    End,
    Ended,
    Event,
    Generate,
    Heard,
    Mode,
    Muted,
    Recalled,
    Send,
    Sent,
    Settle,
    Switched,
    Wake,
)
from bot.history import ANSWERED, OPEN, OTHER, OWNER, History
from bot.owner import is_owner, private_chats
from bot.persona.message import Message
from bot.port import Port, Unsent
from bot.reply import Said
from bot.turn_state import Pace, State
from bot.turns import forget_idle, step
from bot.voice import Scene, Voice
from config.errors import MyBotError
from config.settings import Bot

logger = logging.getLogger(__name__)

LAST_WORDS = 5.0
"""Seconds a bubble on its way may still take when the runner closes."""
TIDY = 256
"""Messages between two looks for chats that need no memory."""

_END: dict[Finish, End] = {"stop": "done", "length": "done", "busy": "busy", "timeout": "timeout"}


@dataclass(slots=True, frozen=True)
class Status:
    """What an owner wants to know at a glance."""

    persona: str
    hash: str
    on: tuple[str, ...]
    off: tuple[str, ...]
    drafting: int
    waiting: int
    answered: int
    capped: int
    failed: int
    held_back: int
    since: float


class Runner:
    """The personas in all of their chats. What is passed in stays the caller's to close.

    `of_chat` says who speaks in a chat; left out, it is `talker` everywhere.
    """

    def __init__(
        self,
        talker: Talker,
        history: History,
        *,
        settings: Bot,
        port: Port,
        of_chat: Callable[[str], Talker] | None = None,
        seed: int = 0,
        pace: Pace | None = None,
    ) -> None:
        self.talker = talker
        """The engine that drafts where no other was chosen; may be replaced at any time."""
        self._of_chat = of_chat
        self._voice = Voice(self.talker_in, history, settings, port)
        self._history = history
        self._settings = settings
        self._port = port
        self._state = State(pace or Pace.of(settings), seed)
        named = [*settings.chats, *private_chats(settings.superusers)]
        self._allowed = tuple(f":{name}" for name in named)
        self._hearing = asyncio.Lock()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._drafts: dict[str, asyncio.Task[None]] = {}
        self._sends: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._counts: Counter[str] = Counter()
        self._heard = 0
        self._scenes: dict[str, Scene] = {}
        self._since = port.now()
        self._closed = False
        self._held = False

    def talker_in(self, chat: str) -> Talker:
        """Who speaks in this chat. Raises MyBotError where nobody can."""
        return self._of_chat(chat) if self._of_chat else self.talker

    def hold(self) -> None:
        """From now on messages are kept, and not answered before `resume`."""
        self._held = True

    async def resume(self) -> None:
        """Answer what was accepted and not answered before a restart or in a pause, unless it is stale by now."""
        self._held = False
        for message in await self._history.unanswered(self._port.now() - self._settings.stale):
            if self.is_on(message.chat, message.sender):
                self._feed(_as_heard(message, addressed=True, nicknames=self._settings.nickname))

    async def hear(self, message: Message, *, addressed: bool = False, chat_name: str = "") -> bool:
        """Take in a message of a chat; True when it is new and kept. Safe to call twice for one message."""
        message.chat_name = chat_name or message.chat_name
        if message.mine and message.chat in self._sends:
            # The echo of a bubble may come before its id does.
            await asyncio.wait([self._sends[message.chat]])
        if self._closed or not self._kept(message):
            return False
        async with self._hearing:
            return await self._hear(message, addressed)

    async def _hear(self, message: Message, addressed: bool) -> bool:
        history, now = self._history, self._port.now()
        if message.reply_to and not message.mine and not addressed:
            addressed = await history.author(message.chat, message.reply_to) not in ("", OTHER)
        fresh = now - message.time <= self._settings.stale
        wants = not message.mine and (addressed or message.kind == "private")
        new = await history.add(
            message,
            author=OWNER if message.mine else OTHER,
            at=now if fresh else message.time,
            turn=OPEN if wants else "",
        )
        if new and not self._closed and not self._held:
            self._feed(_as_heard(message, addressed=addressed, nicknames=self._settings.nickname))
            self._tidy(now)
        return new

    async def recall(self, chat: str, id: str) -> None:  # noqa: A002 - the word for it everywhere
        """A message was taken back: no answer to it, and no prompt shows it again."""
        self._history.recall(chat, id)
        self._feed(Recalled(chat, id))

    async def mute(self, chat: str, until: float) -> None:
        """The account may not speak there until then; 0: it may again."""
        self._feed(Muted(chat, until))
        await self._history.put(chat, "muted", repr(until))

    async def switch(self, chat: str, on: bool) -> None:
        """Let a chat be answered or not, by command; kept over restarts, and stronger than the config."""
        mode: Mode = "called" if on else "off"
        self._feed(Switched(chat, mode))
        await self._history.put(chat, "mode", mode)

    async def clear(self, chat: str) -> None:
        """Let the chat begin anew: nothing said so far stands in a prompt again. Deletes nothing."""
        self._feed(Cleared(chat))
        await self._history.clear(chat, self._port.now())

    def is_on(self, chat: str, sender: str = "") -> bool:
        """Whether somebody's call is answered there, mutes and limits aside."""
        mode = self._history.setting(chat, "mode")
        return mode != "off" if mode else self._named(chat, sender)

    def status(self) -> Status:
        chats = self._state.chats.values()
        modes = self._history.chats_with("mode")
        on = {chat for chat, mode in modes.items() if mode != "off"}
        off = {chat for chat, mode in modes.items() if mode == "off"}
        named = {name.removeprefix(":") for name in self._allowed if not any(chat.endswith(name) for chat in modes)}
        persona = self.talker.persona
        return Status(
            persona=persona.name,
            hash=persona.hash,
            on=tuple(sorted(on | named)),
            off=tuple(sorted(off)),
            drafting=len(self._drafts),
            waiting=sum(len(chat.calls) for chat in chats),
            answered=self._counts[ANSWERED],
            capped=self._counts["capped"],
            failed=self._counts["failed"],
            held_back=self._counts["held back"],
            since=self._since,
        )

    async def close(self) -> None:
        """End every turn; a bubble on its way may still arrive. Nothing is left running."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for draft in self._drafts.values():
            draft.cancel()
        if sends := list(self._sends.values()):
            await asyncio.wait(sends, timeout=LAST_WORDS)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._history.flush()

    def _named(self, chat: str, sender: str) -> bool:
        mine = ":private:" in chat and is_owner(self._settings.superusers, chat, sender)
        return mine or f":{chat}".endswith(self._allowed)

    def _kept(self, message: Message) -> bool:
        return self._named(message.chat, message.sender) or self.is_on(message.chat, message.sender)

    def _feed(self, event: Event) -> None:
        """Tell the turn engine, and do what it asks for."""
        if self._closed:
            return
        now = self._port.now()
        if event.chat not in self._state.chats:
            sender = event.sender if isinstance(event, Heard) else ""
            step(self._state, Switched(event.chat, "called" if self.is_on(event.chat, sender) else "off"), now)
            step(self._state, Muted(event.chat, float(self._history.setting(event.chat, "muted") or 0)), now)
        for action in step(self._state, event, now):
            self._do(action)

    def _do(self, action: Action) -> None:
        chat = action.chat
        if isinstance(action, Wake):
            self._wake(chat, action.at)
        elif isinstance(action, Cancel):
            if draft := self._drafts.pop(chat, None):
                draft.cancel()
        elif isinstance(action, Generate):
            self._drafts[chat] = self._start(self._draft(action))
        elif isinstance(action, Send):
            self._sends[chat] = self._start(self._send(action))
        elif isinstance(action, Settle):
            self._history.settle(chat, action.ids, action.outcome)
            self._counts[action.outcome] += len(action.ids)

    def _wake(self, chat: str, at: float) -> None:
        if timer := self._timers.pop(chat, None):
            timer.cancel()
        delay = max(0.0, at - self._port.now())
        self._timers[chat] = asyncio.get_running_loop().call_later(delay, self._woken, chat)

    def _woken(self, chat: str) -> None:
        del self._timers[chat]
        self._feed(Clock(chat))

    async def _draft(self, todo: Generate) -> None:
        end: End = "error"
        try:
            end = await self._listen(todo)
        finally:
            if self._drafts.get(todo.chat) is asyncio.current_task():
                del self._drafts[todo.chat]
            self._feed(Ended(todo.chat, todo.turn, end))

    async def _listen(self, todo: Generate) -> End:
        """Let the persona draft, tell the turn engine of each bubble, and say how it ended."""
        chat, said = todo.chat, Said()
        try:
            messages = await self._voice.recent(chat)
            if not messages:
                return "done"
            scene = self._scenes[chat] = self._voice.scene(messages)
        except MyBotError as error:
            logger.error("no reply in %s: %s", chat, error)
            return "error"
        async with aclosing(self._voice.draft(todo, scene, messages)) as steps:
            async for said in steps:
                if said.bubble:
                    scene.author = f"persona:{said.persona}" if said.persona else scene.author
                    self._feed(Drafted(chat, todo.turn, said.bubble))
        self._counts["held back"] += said.held_back
        end = _END.get(said.finish or "error", "error")
        if end != "done":
            logger.warning("no reply in %s: %s %s", chat, said.finish, said.why)
        return end

    async def _send(self, todo: Send) -> None:
        chat, scene, ok = todo.chat, self._scenes[todo.chat], False
        try:
            if todo.answers:
                await self._history.answered(chat, todo.answers)
                await self._voice.disclose(chat, scene)
            await self._voice.say(chat, scene, todo.text, quote=todo.quote, answers=todo.answers)
            ok = True
        except Unsent as error:
            logger.warning("not sent in %s: %s", chat, error)
        finally:
            self._counts[ANSWERED if ok else "failed"] += len(todo.answers)
            del self._sends[chat]
            self._feed(Sent(chat, todo.turn, ok))

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a turn ended in a bug", exc_info=error)

    def _tidy(self, now: float) -> None:
        self._heard += 1
        if self._heard % TIDY == 0:
            forget_idle(self._state, now)
            for chat in [chat for chat in self._timers if chat not in self._state.chats]:
                self._timers.pop(chat).cancel()
            for chat in [chat for chat in self._scenes if chat not in self._state.chats]:
                del self._scenes[chat]


def _as_heard(message: Message, *, addressed: bool, nicknames: list[str]) -> Heard:
    """A message as the turn engine takes it."""
    words = "".join(segment.text for segment in message.segments if segment.type == "text").strip()
    wordless = words in ("", *nicknames) and all(segment.type in ("text", "at") for segment in message.segments)
    return Heard(
        message.chat,
        message.id,
        message.sender,
        message.time,
        private=message.kind == "private",
        addressed=addressed,
        bare=addressed and message.kind == "group" and wordless and not message.reply_to,
        mine=message.mine,
    )
