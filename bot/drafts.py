"""Replies that the owner decides on: shown in private, then sent, edited, dropped, or only learned from.

    Propose ─kept─▶ shown to the owner ─"发", "改 …", "丢", "教 …"─▶ said in the chat, or not; what was edited
                                                                  or taught is kept as a preference

Knows the short words and what each does; doesn't know when a reply is drafted. A newer draft of a chat,
the owner's own line there, and time make one obsolete: nothing old is ever sent by a late word, and nothing
that the owner can't have read. The persona's words have passed the guard before they get here; the owner's
own are sent as they are.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bot import words
from bot.events import Propose
from bot.history import History
from bot.keepsakes import Draft, Outcome
from bot.owner import is_owner, private_chats
from bot.persona.message import Message
from bot.port import Port, Unsent
from bot.standing import Standing
from bot.words import Language, Text
from config.settings import Bot

logger = logging.getLogger(__name__)

Word = Literal["send", "edit", "drop", "teach"]

_WORDS: dict[str, Word] = {
    "发": "send",
    "send": "send",
    "改": "edit",
    "edit": "edit",
    "丢": "drop",
    "drop": "drop",
    "教": "teach",
    "teach": "teach",
}
_OUTCOMES: dict[Word, Outcome] = {"send": "sent", "edit": "edited", "drop": "dropped", "teach": "dropped"}
_NUMBER = r"(?:[#＃](\d{1,9})(?!\d)|(\d{1,9})(?=[\s:：]|$))"
_LINE = re.compile(rf"({'|'.join(_WORDS)})(?![a-z])\s*{_NUMBER}?[\s:：]*(.*)", re.IGNORECASE | re.DOTALL)
CONTEXT = 20
"""Messages before a reply that are kept with what the owner would have said."""
SHOWN = 60
"""Characters of the answered message that the owner is shown."""
READ = 4.0
"""Seconds in which a bare word is still meant for the draft that a newer one has just replaced."""
NOTES = 256
"""Notes to the owner that are known when they are quoted."""
MOVED_ON = 4
"""Foreign messages after the answered one from which on a sent draft quotes it."""

Say = Callable[..., Awaitable[bool]]


@dataclass(slots=True, frozen=True)
class Decision:
    """What the owner says of a draft; `number` 0: of the one whose note is quoted, or of the only open one."""

    word: Word
    number: int
    text: str
    said: str
    """The word as it was written."""


def decision(line: str) -> Decision | None:
    """The decision that a line is; None where it is talk."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        return None
    word, number, text = _WORDS[found[1].lower()], int(found[2] or found[3] or 0), found[4].strip()
    # "发" and "丢" stand alone, the others are followed by words: anything else is ordinary talk.
    return Decision(word, number, text, found[1]) if bool(text) == (word in ("edit", "teach")) else None


class Drafts:
    """The drafts of all chats. `say` is the runner's way to say bubbles as they are, `is_on` whether a chat is
    answered at all, `may_say` whether the platform and the owner let anything be said there now."""

    def __init__(
        self,
        history: History,
        port: Port,
        settings: Bot,
        standing: Standing,
        say: Say,
        is_on: Callable[[str], bool],
        may_say: Callable[[str], bool],
    ) -> None:
        self._history = history
        self._port = port
        self._standing = standing
        self._say = say
        self._is_on, self._may_say = is_on, may_say
        self._superusers = settings.superusers
        self._lasts = settings.draft_minutes * 60
        self._stale = settings.stale
        self._notes: dict[tuple[str, str, str], int] = {}
        """Platform, owner and id of a note → the draft that it shows. (A chat may be called by its channel.)"""
        self._replaced: dict[str, tuple[int, float]] = {}
        """Chat → its draft that took another one's place, and when."""

    async def take(self, todo: Propose, author: str) -> None:
        """Keep a reply that wasn't sent; one that waits for the owner is shown to them."""
        keepsakes, now = self._history.keepsakes, self._port.now()
        persona = author.removeprefix("persona:")
        number = await keepsakes.keep_draft(
            todo.chat, todo.bubbles, at=now, answers=todo.answers, persona=persona, kind=todo.kind, due=todo.at
        )
        if todo.kind == "draft":
            if await self._settle_others(todo.chat, number):
                self._replaced[todo.chat] = number, now
            await self._show(number, todo)

    async def heard(self, message: Message) -> None:
        """The owner has spoken in a chat themselves: what waits there waits no more."""
        await self._settle_others(message.chat, 0)

    def is_word(self, message: Message) -> bool:
        """Whether this line may decide about a draft: an owner's, in private, and no old one."""
        if message.mine or message.kind != "private" or self._port.now() - message.time > self._stale:
            return False
        return is_owner(self._superusers, message.chat, message.sender) and decision(message.text) is not None

    async def decided(self, message: Message) -> bool:
        """Whether this line of the owner's decides about a draft; if so, it is done."""
        asked = decision(message.text) if self.is_word(message) else None
        if asked is None:
            return False
        waiting = [draft for draft in await self._history.keepsakes.open_drafts() if draft.kind == "draft"]
        platform = message.chat.partition(":")[0]
        number = asked.number or self._notes.get((platform, message.sender, message.reply_to or ""), 0)
        if not number and not waiting:
            return False
        language = await self._standing.ordered(asked.said)
        if not number and len(waiting) > 1:
            numbers = " ".join(f"#{draft.number}" for draft in waiting)
            answer = words.WHICH_DRAFT(language, numbers=numbers)
        elif not number and self._just_replaced(waiting[0]):
            answer = words.DRAFT_REPLACED(language, number=waiting[0].number)
        else:
            draft = next((one for one in waiting if number in (0, one.number)), None)
            gone = words.DRAFT_GONE_OR_WORDS if asked.text else words.DRAFT_GONE
            answer = await self._do(asked, draft, language) if draft else gone(language, number=number)
        await self._tell(message.chat, answer)
        return True

    def _just_replaced(self, draft: Draft) -> bool:
        number, at = self._replaced.get(draft.chat, (0, 0.0))
        return number == draft.number and self._port.now() - at < READ

    async def _do(self, asked: Decision, draft: Draft, language: Language) -> str:
        return (await self._done(asked, draft))(language, number=draft.number)

    async def _done(self, asked: Decision, draft: Draft) -> Text:
        """Do it; what to say of it."""
        keepsakes, now = self._history.keepsakes, self._port.now()
        bubbles = tuple(line.strip() for line in asked.text.splitlines() if line.strip())
        late = now - draft.at > self._lasts
        if late and asked.word in ("send", "edit"):
            await keepsakes.settle_draft(draft.number, "expired", at=now)
            return words.DRAFT_LATE
        if asked.word in ("send", "edit") and not self._is_on(draft.chat):
            await keepsakes.settle_draft(draft.number, "superseded", at=now)
            return words.DRAFT_CLOSED
        if asked.word in ("send", "edit") and not self._may_say(draft.chat):
            return words.DRAFT_WAITS
        final = draft.bubbles if asked.word == "send" else bubbles
        if not await keepsakes.settle_draft(draft.number, _OUTCOMES[asked.word], at=now, final=final):
            return words.DRAFT_DECIDED
        if bubbles:
            await self.teach(
                draft.chat, draft.answers[-1] if draft.answers else "", draft.bubbles, bubbles, draft.persona
            )
        if asked.word == "drop":
            return words.DRAFT_DROPPED
        if asked.word == "teach":
            return words.DRAFT_TAUGHT
        author = f"persona:{draft.persona}" if asked.word == "send" else "owner"
        quote = await self._quote(draft)
        begun = await self._say(draft.chat, "\n".join(final), quote=quote, answers=draft.answers, author=author)
        return words.DRAFT_SENT if begun else words.DRAFT_UNSENT

    async def teach(
        self, chat: str, answered: str, rejected: Sequence[str], chosen: Sequence[str], persona: str
    ) -> None:
        """Keep what the owner would have said, with what came before up to the answered message."""
        ids = [message.id for message in await self._history.recent(chat, 2 * CONTEXT)]
        if answered in ids:
            ids = ids[: ids.index(answered) + 1]
        elif answered:
            ids = [answered]
        await self._history.keepsakes.keep_preference(
            chat, at=self._port.now(), context=ids[-CONTEXT:], rejected=rejected, chosen=chosen, persona=persona
        )

    async def _quote(self, draft: Draft) -> str | None:
        """What is answered, where the chat has moved on since."""
        if not draft.answers:
            return None
        recent = await self._history.recent(draft.chat, CONTEXT)
        place = next((n for n, message in enumerate(recent) if message.id == draft.answers[-1]), None)
        since = recent if place is None else recent[place + 1 :]
        return draft.answers[-1] if sum(not message.mine for message in since) >= MOVED_ON else None

    async def _settle_others(self, chat: str, but: int) -> int:
        """Let the other drafts of a chat wait no more; how many did."""
        settled = 0
        for draft in await self._history.keepsakes.open_drafts(chat):
            if draft.kind == "draft" and draft.number != but:
                settled += await self._history.keepsakes.settle_draft(draft.number, "superseded", at=self._port.now())
        return settled

    async def _show(self, number: int, todo: Propose) -> None:
        answered = await self._history.some(todo.chat, todo.answers)
        recent = answered or await self._history.recent(todo.chat, 1)
        last = recent[-1] if recent else None
        where = (last.chat_name if last else "") or todo.chat.split(":", 1)[1]
        language = self._standing.language
        asked = words.ASKED(language, name=last.name, text=last.text[:SHOWN]) if last else ""
        bubbles = "\n".join(f"→ {bubble}" for bubble in todo.bubbles)
        note = words.DRAFT(language, number=number, where=where, asked=asked, bubbles=bubbles)
        # An owner on the platform of the chat hears of it first.
        home = todo.chat.partition(":")[0] + ":"
        owners = sorted(private_chats(self._superusers), key=lambda chat: not chat.startswith(home))
        for owner in owners:
            sent = await self._tell(owner, note)
            if sent is not None:
                platform, _, account = owner.split(":", 2)
                self._notes[platform, account, sent] = number
                if len(self._notes) > NOTES:
                    del self._notes[next(iter(self._notes))]
                return
        logger.warning("draft #%d waits, and no owner could be shown it", number)

    async def _tell(self, owner: str, text: str) -> str | None:
        """The id of what an owner was told; None where the platform refused it."""
        try:
            return await self._port.send(owner, text, None)
        except Unsent as error:
            logger.warning("an owner was not told of a draft: %s", error)
            return None
