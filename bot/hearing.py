"""Lets the turn engine live: what is heard goes into the history and to it, what it asks for is done.

Knows in which order a message is kept and told, and what a restart must find again. Doesn't decide
anything about speaking (bot/turns.py), doesn't do it (bot/errands.py), and knows no platform: a `Port`
is the platform, the terminal or a test. What commands
order is in bot/runner.py.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bot.engine.wire import Talker
from bot.errands import Errands, Tells
from bot.events import Before, Blocked, Counted, Event, Halted, Heard, Hushed, Muted, Propose, Recalled, Ruled
from bot.history import ANSWERED, OPEN, OTHER, OWNER, History
from bot.persona.message import Message
from bot.persona.watch import RECENT, Traits, traits
from bot.port import Port
from bot.remembering import Remembering
from bot.rules import Rules
from bot.standing import Standing
from bot.turn_limits import DAY, MINUTE
from bot.turn_state import Pace, State
from bot.turns import forget_idle, step
from bot.voice import Voice
from config.settings import Bot

TIDY = 256
"""Messages between two looks for chats that need no memory."""
NIGHT, MORNING = 24 * 3600.0, 3600.0
"""Seconds that a call in my night is waited with over a restart, and after its end."""


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
    hushed: dict[str, float]
    """Chats that are silenced for a while, until when."""
    blocked: int
    halted: bool
    sent_today: int


class Hearing:
    """The personas in all of their chats. What is passed in stays the caller's to close.

    `of_chat` says who speaks in a chat; left out, it is `talker` everywhere. `alerts` is a way to the
    owner; `remembering` reminds of older lines. Call `resume` once at the start.
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
        alerts: Tells | None = None,
        remembering: Remembering | None = None,
    ) -> None:
        self.talker = talker
        """The engine that drafts where no other was chosen; may be replaced at any time."""
        self.history = history
        self.port = port
        self.standing = Standing(history, settings, lambda chat: self.talker_in(chat).persona.behaviour)
        self.state = State(pace or Pace.of(settings), seed)
        self._of_chat = of_chat
        self.settings = settings
        voice = Voice(self.talker_in, history, settings, port, remembering)
        self.errands = Errands(
            voice, history, port, self.feed, self.proposed, language=lambda: self.standing.language, alerts=alerts
        )
        self._hearing = asyncio.Lock()
        self._heard = 0
        self._since = port.now()
        self._closed = False
        self._held = False
        self.feed(Blocked(self.standing.barred, frozenset(settings.bots)))
        self.feed(Halted(self.standing.halted))

    async def proposed(self, todo: Propose, author: str) -> None:
        """A reply isn't sent, in draft and shadow mode: what becomes of it is for whoever orders the bot."""

    def talker_in(self, chat: str) -> Talker:
        """Who speaks in this chat. Raises MyBotError where nobody can."""
        return self._of_chat(chat) if self._of_chat else self.talker

    def hold(self) -> None:
        """From now on messages are kept, and not answered before `resume`."""
        self._held = True

    async def resume(self) -> None:
        """Count what was sent before a restart; answer what was accepted and not answered before it, or in a
        pause, unless it is stale by now. What came in my night is not, until some time after its end."""
        self._held = False
        now = self.port.now()
        await self._count(now)
        for message in await self.history.unanswered(now - NIGHT):
            rules = self.standing.rules(message.chat, message.sender)
            held = now - message.time > self.state.pace.stale
            if held:
                night = rules.behaviour.quiet(message.time)
                if not night or rules.owned or now > night + MORNING:
                    self.history.settle(message.chat, [message.id], "stale")
                    continue
            if rules.mode != "off":
                self.feed(self._as_heard(message, addressed=True, held=held))

    async def _count(self, now: float) -> None:
        """Tell the turn engine what its limits count from."""
        zone = self.state.pace.utc_offset
        spoken = await self.history.spoken(now - (now + zone) % DAY)
        self.feed(Counted(sent=len(spoken)))
        lately: dict[str, list[float]] = {}
        to: dict[str, list[str]] = {}
        for bubble in spoken:
            if bubble.at > now - MINUTE:
                lately.setdefault(bubble.chat, []).append(bubble.at)
                to.setdefault(bubble.chat, []).extend(bubble.to)
        for chat, times in lately.items():
            self.feed(Counted(chat, times=tuple(times), to=tuple(to[chat])))

    async def hear(
        self, message: Message, *, addressed: bool = False, chat_name: str = "", me: Collection[str] = ()
    ) -> bool:
        """Take in a message of a chat; True when it is new and kept. Safe to call twice for one message.

        `me` are the ids of my accounts, so that an @ of somebody else is known for one.
        """
        message.chat_name = chat_name or message.chat_name
        if message.mine:
            await self.errands.echoes(message.chat)
        if self._closed or not self.standing.allowed(message.chat, message.sender):
            return False
        async with self._hearing:
            return await self._hear(message, addressed, me)

    async def _hear(self, message: Message, addressed: bool, me: Collection[str]) -> bool:
        history, now, chat = self.history, self.port.now(), message.chat
        quotes_me = False
        if message.reply_to and not message.mine:
            quotes_me = await self._is_mine(chat, message.reply_to)
            addressed = addressed or quotes_me
        await self._meet(chat, message.sender, me)
        fresh = now - message.time <= self.state.pace.stale
        by_owner = self._by_owner(message)
        wants = not message.mine and (addressed or (message.kind == "private"))
        new = await history.add(
            message,
            author=OWNER if by_owner else OTHER,
            at=now if fresh else message.time,
            turn=OPEN if wants else "",
        )
        if new and not self._closed and not self._held:
            seen = traits(message, me=me, nicknames=self.settings.nickname, quotes_me=quotes_me, addressed=addressed)
            self.feed(self._as_heard(message, addressed=addressed, seen=seen))
            if by_owner:
                await self._keep_hush(chat)
            self._tidy(now)
        return new

    async def _is_mine(self, chat: str, id: str) -> bool:  # noqa: A002
        """Whether my account wrote this; the owner's other one may have written the owner's lines."""
        author = await self.history.author(chat, id)
        if author != OWNER:
            return author not in ("", OTHER)
        return any(message.mine for message in await self.history.some(chat, [id]))

    async def _meet(self, chat: str, sender: str, me: Collection[str]) -> None:
        """Know the rules of a chat, and what was said in it before, where speaking up depends on it."""
        known = self.state.chats.get(chat)
        if known is not None:
            if known.rules.behaviour is not self.standing.behaviour(chat):
                self.feed(Ruled(chat, self.standing.rules(chat, sender)))
            return
        rules = self.standing.rules(chat, sender)
        self._introduce(chat, rules)
        if rules.joining:
            before = await self.history.recent(chat, RECENT)
            nicknames = self.settings.nickname
            self.feed(Before(chat, tuple(traits(message, me=me, nicknames=nicknames) for message in before)))

    async def _keep_hush(self, chat: str) -> None:
        """The owner has spoken: a restart within that silence keeps it."""
        known = self.state.chats.get(chat)
        if known is not None and known.hushed_until > self.standing.hushed(chat)[0]:
            await self.standing.hush(chat, known.hushed_until, known.hushed_by)

    async def recall(self, chat: str, id: str) -> None:  # noqa: A002 - the word for it everywhere
        """A message was taken back: no answer to it, and no prompt shows it again."""
        self.history.recall(chat, id)
        self.feed(Recalled(chat, id))

    async def mute(self, chat: str, until: float) -> None:
        """The account may not speak there until then; 0: it may again."""
        self.feed(Muted(chat, until))
        await self.history.put(chat, "muted", repr(until))

    def is_on(self, chat: str, sender: str = "") -> bool:
        """Whether somebody's call is answered there, mutes and limits aside."""
        return self.standing.mode(chat, sender) != "off"

    def status(self) -> Status:
        told, state = {*self.history.chats_with("mode"), *self.history.chats_with("allowed")}, self.state
        on = {chat for chat in told if self.is_on(chat)}
        persona, counts = self.talker.persona, self.errands.counts
        return Status(
            persona=persona.name,
            hash=persona.hash,
            on=tuple(sorted(on | set(self.standing.named))),
            off=tuple(sorted(told - on)),
            drafting=len(self.errands.drafts),
            waiting=sum(len(chat.calls) for chat in state.chats.values()),
            answered=counts[ANSWERED],
            capped=counts["capped"],
            failed=counts["failed"],
            held_back=counts["held back"],
            since=self._since,
            hushed=self.standing.hushes(self.port.now()),
            blocked=len(state.blocked),
            halted=state.halted,
            sent_today=state.sent_today,
        )

    async def close(self) -> None:
        """End every turn; a bubble on its way may still arrive. Nothing is left running."""
        self._closed = True
        await self.errands.close()
        await self.history.flush()

    def feed(self, event: Event) -> None:
        """Tell the turn engine, and do what it asks for."""
        if self._closed:
            return
        if event.chat and event.chat not in self.state.chats:
            sender = event.sender if isinstance(event, Heard) else ""
            self._introduce(event.chat, self.standing.rules(event.chat, sender))
        for action in step(self.state, event, self.port.now()):
            self.errands.do(action)

    def _introduce(self, chat: str, rules: Rules) -> None:
        now = self.port.now()
        step(self.state, Ruled(chat, rules), now)
        step(self.state, Muted(chat, self.standing.muted_until(chat)), now)
        step(self.state, Hushed(chat, *self.standing.hushed(chat)), now)

    def _tidy(self, now: float) -> None:
        self._heard += 1
        if self._heard % TIDY == 0:
            forget_idle(self.state, now)
            self.errands.forget(self.state.chats)

    def _by_owner(self, message: Message) -> bool:
        """Whether the owner speaks there: on the bot's account, or in a group by an account of their own."""
        return message.mine or (message.kind == "group" and self.standing.is_owner(message.chat, message.sender))

    def _as_heard(self, message: Message, *, addressed: bool, held: bool = False, seen: Traits | None = None) -> Heard:
        """A message as the turn engine takes it."""
        types = {segment.type for segment in message.segments}
        words = "".join(segment.text for segment in message.segments if segment.type == "text").strip()
        wordless = words in ("", *self.settings.nickname) and types <= {"text", "at"}
        return Heard(
            message.chat,
            message.id,
            message.sender,
            message.time,
            private=message.kind == "private",
            addressed=addressed,
            bare=addressed and message.kind == "group" and wordless and not message.reply_to,
            mine=message.mine,
            owner=self._by_owner(message),
            bot="bot" in message.flags,
            poke=addressed and types == {"poke"},
            held=held,
            traits=seen,
        )
