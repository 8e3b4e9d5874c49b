"""The guard: whether a bubble may leave, and why not. One for the platforms, the terminal and the measurements.

Knows the chat that a bubble is for, and what the records hold of others. Doesn't know what is said
instead, nor when.

    machine   a stack trace, a special token, a template (whatever is set, this never leaves)
    repeat    what I have just said
    everybody a call to all members
    data      personal data, a link or a number that this chat has not had
    money     money, a code or a credential given away, asked for, or agreed to
    copy      a long stretch of what was said in another chat
    never     what the owner never says (facts.py; whatever is set)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

from bot.persona import guard_money, guard_text, privacy
from bot.persona.message import Message

Reason = Literal["machine", "repeat", "everybody", "data", "money", "copy", "never"]
Elsewhere = Callable[[str, str], list[str]]
"""A text and a chat → stretches of the text that other chats have and this one hasn't."""
PENDING = 4
"""Newest messages of a chat in which a request for money still waits for its answer."""


def never_mind(_text: str) -> bool:
    """Where the owner has named nothing that is never said."""
    return False


@dataclass(slots=True)
class Guard:
    """What one reply is judged by: the chat as it was when the reply began, and what has been said since."""

    chat: str
    known: str
    """All that this chat has said, as far as the reply may know."""
    mine: list[str] = field(default_factory=list)
    """My lines in it, oldest first, those of this reply at the end."""
    since: list[str] = field(default_factory=list)
    """The last of them, with nobody in between."""
    request: bool = False
    """Whether somebody has asked for money, a code or a credential just now."""
    elsewhere: Sequence[Elsewhere] = ()
    on: bool = True
    """Off, only machine text is held back, and what is never said."""
    reminded: str = ""
    """What else may be told here: earlier lines of the chat, facts for its ears."""
    never: Callable[[str], bool] = never_mind
    """Whether a text has something in it that the owner never says."""

    @classmethod
    def of(
        cls, messages: Sequence[Message], asker: str = "", *, elsewhere: Sequence[Elsewhere] = (), on: bool = True
    ) -> "Guard":
        """The guard of the reply to a chat's messages, oldest first; `asker` is whom it answers (else: anybody)."""
        asked = [m.text for m in messages[-PENDING:] if not m.mine and asker in ("", m.sender)]
        last = list(takewhile(lambda message: message.mine, reversed(messages)))
        return cls(
            chat=messages[-1].chat if messages else "",
            known="\n".join(message.text for message in messages),
            mine=[message.text for message in messages if message.mine],
            since=[message.text for message in reversed(last)],
            request=on and guard_money.asked(asked),
            elsewhere=elsewhere,
            on=on,
        )

    def holds(self, bubble: str) -> Reason | None:
        """Why a bubble is held back; None: it may be said. Either way it stands before the next one."""
        why = self._judged(bubble)
        self.since.append(bubble)
        if why is None:
            self.mine.append(bubble)
        return why

    def _judged(self, bubble: str) -> Reason | None:
        if guard_text.is_machine_text(bubble):
            return "machine"
        before = "".join(self.since[-PENDING:])
        if self.never(bubble) or (self.never(before + bubble) and not self.never(before)):
            return "never"
        if not self.on:
            return None
        if guard_text.repeats(bubble, self.mine, [line for line in self.since if line in self.mine]):
            return "repeat"
        if guard_text.calls_everybody(bubble):
            return "everybody"
        if not privacy.sendable(bubble, self.known, self.since) or guard_text.invented_contact(bubble, self.known):
            return "data"
        if guard_money.gives_away(bubble) or (self.request and guard_money.agrees(bubble)):
            return "money"
        return "copy" if self._is_copy(bubble) else None

    def _is_copy(self, bubble: str) -> bool:
        """Whether a long stretch of it is another chat's, and this chat hasn't had it either."""
        found = [stretch for look in self.elsewhere for stretch in look(bubble, self.chat)]
        if not found:
            return False
        here = guard_text.same_words(f"{self.known}\n{self.reminded}")
        return any(stretch not in here for stretch in found)
