"""The running bot, and what can be ordered of it: each order is a short word.

Whatever changes what holds in a chat is kept over restarts. Doesn't know who may order it, nor how a
command is written; what is heard and what comes of it is in bot/hearing.py.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from bot import wishes, words
from bot.bystanders import Wish
from bot.drafts import Drafts
from bot.events import Blocked, Cleared, Halted, Hushed, Propose, Retry, Ruled, Said, Stopped
from bot.hearing import Hearing, Status
from bot.history import OTHER, OWNER
from bot.last_reply import LOOKED_BACK, last_reply
from bot.owner import account
from bot.persona.message import Message
from bot.rules import Mode
from bot.turn_limits import DAY
from bot.turn_state import Chat
from bot.why import told
from bot.words import Language
from config.errors import MyBotError

ORDERS = 1024
"""Lines that ordered something of which a copy is known."""


__all__ = ["Runner", "Stats", "Status"]


@dataclass(slots=True, frozen=True)
class Stats:
    """What was said today."""

    here: int
    """Bubbles in this chat."""
    replies: int
    """Replies to somebody's call there."""
    everywhere: int
    per_day: int


class Runner(Hearing):
    """The personas in all of their chats, under orders."""

    @cached_property
    def drafts(self) -> Drafts:
        """The replies that the owner decides on."""
        return Drafts(self.history, self.port, self.settings, self.standing, self.say, self.is_on, self.may_say)

    @cached_property
    def _orders(self) -> dict[tuple[str, str], None]:
        """Lines that ordered something, by chat and id; the newest ones."""
        return {}

    async def proposed(self, todo: Propose, author: str) -> None:
        """A reply isn't sent: the owner decides about it, or it is only kept."""
        await self.drafts.take(todo, author)

    async def hear(
        self, message: Message, *, addressed: bool = False, chat_name: str = "", me: Collection[str] = ()
    ) -> bool:
        """Take in a message, or do what it orders by itself: such a line is not kept."""
        if await self._ordered(message, me):
            return False
        new = await super().hear(message, addressed=addressed, chat_name=chat_name, me=me)
        if new and self.standing.mode(message.chat) == "draft" and self._by_owner(message):
            await self.drafts.heard(message)
        return new

    async def _ordered(self, message: Message, me: Collection[str]) -> bool:
        """Do what a line orders; False where it orders nothing. The stop word holds in any chat."""
        if (message.chat, message.id) in self._orders:
            return True
        if wishes.stops(message, self.standing, self.settings.stop_word):
            self._once(message)
            await self._emergency(message)
            return True
        if not self.standing.allowed(message.chat, message.sender):
            return False
        if self.drafts.is_word(message):
            self._once(message)
            return await self.drafts.decided(message)
        asked = wishes.asked(message, self.standing)
        if asked is None or await self._to_other(message, me):
            return False
        self._once(message)
        await self._grant(message, asked)
        return True

    def _once(self, message: Message) -> None:
        """A copy of it, which may come at any time, orders nothing again."""
        self._orders[message.chat, message.id] = None
        if len(self._orders) > ORDERS:
            del self._orders[next(iter(self._orders))]

    async def _emergency(self, message: Message) -> None:
        await self.stop_all()
        await wishes.acknowledge(self.port, message)
        if self.errands.alerts is not None:
            await self.errands.alerts.tell("halted", words.HALTED(self.standing.language))

    async def _grant(self, message: Message, asked: Wish) -> None:
        who = account(message.chat, message.sender)
        if asked == "forget":
            await self.forget(message.chat, sender=message.sender)
            await wishes.forgotten(message, self.history, self.port, self.errands.alerts, self.standing.language)
        else:
            await self.standing.unwanted(who, asked == "ignore")
            self.feed(Blocked(self.standing.barred, self.state.bots))
        await wishes.acknowledge(self.port, message)

    async def _to_other(self, message: Message, me: Collection[str]) -> bool:
        """Whether somebody in a group says it to somebody else."""
        if message.kind == "private":
            return False
        if any(segment.type == "at" and segment.id not in me for segment in message.segments):
            return True
        quoted = message.reply_to
        return bool(quoted) and await self.history.author(message.chat, quoted or "") in ("", OTHER)

    async def set_mode(self, chat: str, mode: Mode) -> None:
        """What the chat gets from now on; stronger than the settings."""
        await self._set(chat, "mode", mode)

    async def set_freq(self, chat: str, freq: float) -> None:
        """How often I speak up there by myself, of how often I really do; 0: only when called."""
        await self._set(chat, "freq", repr(float(freq)))

    async def set_share(self, chat: str, share: float | None) -> None:
        """My share of the last 20 messages, at most, when I speak up; None: as I really do."""
        await self._set(chat, "share", "" if share is None else repr(float(share)))

    async def set_night(self, chat: str, night: str) -> None:
        """When a call in my quiet hours is answered, "later" or "morning"; the chat "" is all of them."""
        await self.standing.put(chat, "night", night)
        for known in [chat] if chat else list(self.state.chats):
            self._tell_rules(known)

    async def allow(self, chat: str) -> None:
        """Let the chat be kept, and get what the settings say."""
        await self._set(chat, "allowed", "1")

    async def deny(self, chat: str) -> None:
        """Keep nothing more of the chat, and say nothing there."""
        await self._set(chat, "allowed", "0")

    async def hush(self, chat: str, until: float) -> None:
        """Keep silent there until then; 0: no longer."""
        self.feed(Hushed(chat, until))
        await self.standing.hush(chat, until, "command")

    async def takeover(self, chat: str, until: float) -> None:
        """The owner speaks there until then; 0: no longer."""
        self.feed(Hushed(chat, until, "owner"))
        await self.standing.hush(chat, until, "owner")

    async def stop(self, chat: str) -> None:
        """Say nothing more of what is under way there."""
        self.feed(Stopped(chat))

    async def stop_all(self) -> None:
        """The emergency stop: silence everywhere, also after a restart, until `go_on`."""
        self.feed(Halted(True))
        await self.standing.halt(True)

    async def go_on(self) -> None:
        """End the emergency stop."""
        await self.standing.halt(False)
        self.feed(Halted(False))

    async def clear(self, chat: str) -> None:
        """Let the chat begin anew: nothing said so far stands in a prompt again. Deletes nothing."""
        self.feed(Cleared(chat))
        await self.history.clear(chat, self.port.now())

    async def forget(self, chat: str, *, sender: str = "", message: str = "", everywhere: bool = False) -> Counter[str]:
        """Delete a chat, a person there (`everywhere`: on that platform), or one message; how much, by table.

        Nothing of it that is under way is said any more.
        """
        if message:
            await self.recall(chat, message)
        elif sender:
            # Whoever gets no answer has nothing under way.
            one = account(chat, sender)
            self.feed(Blocked(self.standing.barred | {one}, self.state.bots))
            self.feed(Blocked(self.standing.barred, self.state.bots))
        else:
            await self.stop(chat)
        await self.errands.echoes(chat)
        at, platform = self.port.now(), chat.partition(":")[0]
        if not everywhere:
            return Counter(await self.history.forget(chat, sender=sender, message=message, at=at))
        chats = await self.history.chats_of(sender)
        if all(known.startswith(f"{platform}:") for known in chats):
            return Counter(await self.history.forget(sender=sender, at=at))
        # The same number elsewhere is somebody else.
        gone: Counter[str] = Counter()
        for known in chats:
            if known.startswith(f"{platform}:"):
                gone.update(await self.history.forget(known, sender=sender, at=at))
        return gone

    async def block(self, who: str) -> None:
        """Answer this account (as owner.account names it) nowhere any more."""
        await self._block(who, True)

    async def unblock(self, who: str) -> None:
        await self._block(who, False)

    def blocked(self) -> list[str]:
        return sorted(self.standing.blocked)

    def may_say(self, chat: str) -> bool:
        """Whether even the owner's words could go out there now: no ban by the platform, no emergency stop."""
        return not self.standing.halted and self.standing.muted_until(chat) <= self.port.now()

    async def say(
        self,
        chat: str,
        text: str,
        *,
        quote: str | None = None,
        answers: tuple[str, ...] = (),
        author: str = OWNER,
    ) -> bool:
        """Say this as it is, a bubble a line; whether that was begun. `author` is whose words they are."""
        bubbles = tuple(line for line in text.splitlines() if line.strip())
        self.feed(Said(chat, bubbles, quote, answers, author))
        return bool(bubbles) and self._under_way(chat)

    async def undo(self, chat: str) -> int:
        """Take back my last reply, or what was said for the owner since; how many bubbles the platform took back.

        No prompt shows it again; the owner's own words, as long as they stand there, are shown.
        """
        await self._halt_there(chat)
        return await self._take_back(chat, await last_reply(self.history, chat, owners=True))

    async def _halt_there(self, chat: str) -> None:
        """Nothing more is said there, and what was on its way has arrived."""
        await self.stop(chat)
        await self.errands.echoes(chat)

    async def _take_back(self, chat: str, reply: list[Message]) -> int:
        taken = 0
        for message in reply:
            gone = await self.port.unsend(chat, message.id)
            taken += gone
            if gone or await self.history.author(chat, message.id) != OWNER:
                self.history.recall(chat, message.id)
        return taken

    async def teach(self, chat: str, words: str, quoted: str = "") -> bool:
        """Keep what the owner would have said instead of my last reply, or of the quoted one; False where there is none."""
        reply = await last_reply(self.history, chat, quoted)
        if not reply:
            return False
        bubbles = [message.text for message in reversed(reply)]
        recent = await self.history.recent(chat, LOOKED_BACK)
        before = recent[: recent.index(reply[-1])] if reply[-1] in recent else []
        author = await self.history.author(chat, reply[-1].id)
        answered = before[-1].id if before else ""
        chosen = [line.strip() for line in words.splitlines() if line.strip()]
        await self.drafts.teach(chat, answered, bubbles, chosen, author.removeprefix("persona:"))
        return True

    async def retry(self, chat: str) -> bool:
        """Say my last reply anew, and take it back if it is still there; whether that was begun."""
        await self._halt_there(chat)
        known, recent = self.state.chats.get(chat), await self.history.recent(chat, LOOKED_BACK)
        last = known.last_call if known else None
        asked = [place for place, one in enumerate(recent) if (one.id in last.ids if last else not one.mine)]
        if not asked:
            return False
        reply = await last_reply(self.history, chat)
        # What was said before that call answered another one: after `undo` it is all that is left.
        if reply and recent.index(reply[-1]) > asked[-1]:
            await self._take_back(chat, reply)
        self.feed(Retry(chat, recent[asked[-1]].id, recent[asked[-1]].sender))
        return self._under_way(chat)

    def why(self, chat: str, language: Language | None = None) -> str:
        """The last decision there, in one line; in the owner's language where none is named."""
        language = language or self.standing.language
        known = self.state.chats.get(chat) or Chat(self.standing.rules(chat))
        try:
            persona = self.talker_in(chat).persona
            name = words.CALLED(language, name=persona.name, hash=persona.hash)
        except MyBotError:
            name = words.NOBODY(language)
        zone = known.rules.behaviour.utc_offset
        prompt = self.errands.prompt_size(chat)
        return told(known, language, now=self.port.now(), utc_offset=zone, persona=name, prompt=prompt)

    async def stats(self, chat: str) -> Stats:
        """What was said today, there and everywhere."""
        now, pace = self.port.now(), self.state.pace
        spoken = await self.history.spoken(now - (now + pace.utc_offset) % DAY)
        here = [bubble for bubble in spoken if bubble.chat == chat]
        return Stats(len(here), sum(bool(bubble.to) for bubble in here), len(spoken), pace.per_day)

    async def _set(self, chat: str, name: str, value: str) -> None:
        await self.standing.put(chat, name, value)
        self._tell_rules(chat)

    def _tell_rules(self, chat: str) -> None:
        self.feed(Ruled(chat, self.standing.rules(chat)))

    async def _block(self, who: str, on: bool) -> None:
        await self.standing.block(who, on)
        self.feed(Blocked(self.standing.barred, self.state.bots))

    def _under_way(self, chat: str) -> bool:
        known = self.state.chats.get(chat)
        return known is not None and bool(known.calls or known.turn or known.in_flight)
