"""Does what the turn engine asks for: wakes it, lets the persona draft, sends bubbles, hands drafts on.

Knows in what order things are written down: a message counts as answered before its first bubble goes
out, and as drafted before its draft goes to the owner, so that no restart does it twice. Decides nothing.
A chat has at most one task drafting and one sending, and none while it is quiet. Failure is silence in
the chat and one line in the log, without message text.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import aclosing
from typing import Any, Protocol

from bot import words
from bot.engine.wire import Finish
from bot.events import (
    Action,
    Cancel,
    Clock,
    Drafted,
    End,
    Ended,
    Event,
    Generate,
    Propose,
    Send,
    Sent,
    Settle,
    TellOwner,
    Wake,
)
from bot.history import ANSWERED, OWNER, History
from bot.owner import place_of
from bot.port import Port, Unsent
from bot.reply import Said
from bot.voice import Scene, Voice
from bot.words import Language
from config.errors import MyBotError

logger = logging.getLogger(__name__)

LAST_WORDS = 5.0
"""Seconds a bubble on its way may still take when all ends."""

_END: dict[Finish, End] = {"stop": "done", "length": "done", "busy": "busy", "timeout": "timeout"}


class Tells(Protocol):
    """A way to the owner, at its own bounded rate."""

    async def tell(self, reason: str, text: str) -> object: ...


Proposed = Callable[[Propose, str], Awaitable[object]]
"""Takes a draft and its author, `persona:<hash>`."""


class Errands:
    """What is under way in all chats. `feed` tells the turn engine what came of it; the owner is told in `language`."""

    def __init__(
        self,
        voice: Voice,
        history: History,
        port: Port,
        feed: Callable[[Event], None],
        proposed: Proposed,
        *,
        language: Callable[[], Language],
        alerts: Tells | None = None,
    ) -> None:
        self._voice = voice
        self._history = history
        self._port = port
        self._feed = feed
        self._language = language
        self.alerts = alerts
        self._proposed = proposed
        self.counts: Counter[str] = Counter()
        """How messages ended: answered, or a `Settle`'s outcome; and bubbles that the guard held back."""
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.drafts: dict[str, asyncio.Task[None]] = {}
        self.sends: dict[str, asyncio.Task[None]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.scenes: dict[str, Scene] = {}

    def do(self, action: Action) -> None:
        chat = action.chat
        if isinstance(action, Wake):
            self._wake(chat, action.at)
        elif isinstance(action, Cancel):
            if draft := self.drafts.pop(chat, None):
                draft.cancel()
        elif isinstance(action, Generate):
            self.drafts[chat] = self._start(self._draft(action))
        elif isinstance(action, Send):
            self.sends[chat] = self._start(self._send(action))
        elif isinstance(action, Settle):
            self._history.settle(chat, action.ids, action.outcome)
            self.counts[action.outcome] += len(action.ids)
        elif isinstance(action, Propose):
            self._start(self._propose(action))
        else:
            self._start(self._tell(action))

    async def echoes(self, chat: str) -> None:
        """Wait for a bubble on its way: its echo may come before its id does."""
        if chat in self.sends:
            await asyncio.wait([self.sends[chat]])

    def prompt_size(self, chat: str) -> int:
        """Characters of the chat's last prompt; 0 where there was none lately."""
        return self._voice.sizes.get(chat, 0)

    def forget(self, known: Collection[str]) -> None:
        """Let go of what is kept of chats that the turn engine has forgotten."""
        for chat in [chat for chat in self.timers if chat not in known]:
            self.timers.pop(chat).cancel()
        for chat in [chat for chat in self.scenes if chat not in known]:
            del self.scenes[chat]

    async def close(self) -> None:
        """End everything; a bubble on its way may still arrive. Nothing is left running."""
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        for draft in self.drafts.values():
            draft.cancel()
        if sends := list(self.sends.values()):
            await asyncio.wait(sends, timeout=LAST_WORDS)
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self, chat: str, at: float) -> None:
        if timer := self.timers.pop(chat, None):
            timer.cancel()
        delay = max(0.0, at - self._port.now())
        self.timers[chat] = asyncio.get_running_loop().call_later(delay, self._woken, chat)

    def _woken(self, chat: str) -> None:
        del self.timers[chat]
        self._feed(Clock(chat))

    async def _draft(self, todo: Generate) -> None:
        end: End = "error"
        try:
            end = await self._listen(todo)
        finally:
            if self.drafts.get(todo.chat) is asyncio.current_task():
                del self.drafts[todo.chat]
            self._feed(Ended(todo.chat, todo.turn, end))

    async def _listen(self, todo: Generate) -> End:
        """Let the persona draft, tell the turn engine of each bubble, and say how it ended."""
        chat, said = todo.chat, Said()
        try:
            messages = await self._voice.recent(chat)
            if not messages:
                return "done"
            scene = self.scenes[chat] = self._voice.scene(messages, chat)
        except MyBotError as error:
            logger.error("no reply in %s: %s", chat, error)
            return "error"
        async with aclosing(self._voice.draft(todo, scene, messages)) as steps:
            async for said in steps:
                if said.bubble:
                    scene.author = f"persona:{said.persona}" if said.persona else scene.author
                    self._feed(Drafted(chat, todo.turn, said.bubble))
        self.counts["held back"] += said.held_back
        end = _END.get(said.finish or "error", "error")
        if "money" in said.reasons:
            self._start(self._tell(TellOwner(chat, "money")))
        if end != "done":
            logger.warning("no reply in %s: %s %s", chat, said.finish, said.why)
        return end

    async def _send(self, todo: Send) -> None:
        chat, ok = todo.chat, False
        try:
            scene = await self._scene(chat)
            if todo.answers:
                await self._history.answered(chat, todo.answers)
                if scene.kind == "group" and not self._history.setting(chat, "met"):
                    await self._history.put(chat, "met", "1")
                if todo.author != OWNER:
                    await self._voice.disclose(chat, scene)
            await self._voice.say(
                chat, scene, todo.text, quote=todo.quote, answers=todo.answers, at=todo.at, author=todo.author
            )
            ok = True
        except (Unsent, MyBotError) as error:
            logger.warning("not sent in %s: %s", chat, error)
        finally:
            self.counts[ANSWERED if ok else "failed"] += len(todo.answers)
            del self.sends[chat]
            self._feed(Sent(chat, todo.turn, ok))

    async def _scene(self, chat: str) -> Scene:
        """Where a bubble is said; one that nobody drafted needs it too."""
        scene = self.scenes.get(chat)
        if scene is None:
            scene = self.scenes[chat] = self._voice.scene(await self._voice.recent(chat), chat)
        return scene

    async def _propose(self, todo: Propose) -> None:
        await self._history.flush()
        scene = await self._scene(todo.chat)
        await self._proposed(todo, scene.author)

    async def _tell(self, todo: TellOwner) -> None:
        if self.alerts is not None:
            language = self._language()
            news = words.NEWS[todo.reason](language, where=place_of(language, todo.chat))
            await self.alerts.tell(f"{todo.reason} {todo.chat}", news)

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a turn ended in a bug", exc_info=error)
