"""What an axis gets to see: where I answered and what I said there, what I and the others said elsewhere.

Ids of chats, sessions and people are hashed; texts are not, and stay in memory and in private files.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.persona.memory import Recalled
from bot.persona.message import Kind, Message
from bot.persona.prompt import Labels, Turn

Part = Literal["train", "dev", "test", "test_chat", ""]
"""Where a session belongs; empty: in an embargo, or nothing of mine was said there."""
ME = ""
"""The author of my own replies."""


@dataclass(slots=True, frozen=True)
class Reply:
    """What somebody said in one go: neighbouring bubbles, as text that could be sent (no media placeholders)."""

    bubbles: tuple[str, ...]
    """None where a persona said nothing that may be sent."""
    session: str
    chat: str
    kind: Kind
    time: int
    """UTC seconds of the first bubble."""
    part: Part = "test"
    author: str = ME
    """Hashed; ME for mine, and for a persona's."""
    delay: float | None = None
    """Seconds since the message before, which somebody else said; None where nobody did or times are rough."""
    gaps: tuple[float, ...] = ()
    """Seconds between neighbouring bubbles; none where times are rough."""
    media: tuple[str, ...] = ()
    """Types of its media segments (image, face, …), in order; a persona's are always none."""
    ats: int = 0
    """How many @ it holds."""
    quotes: bool = False
    """Whether it quotes a message."""
    asked: str = ""
    """What somebody else said right before it, in the same session."""

    @property
    def text(self) -> str:
        """All of it, one bubble a line."""
        return "\n".join(self.bubbles)


@dataclass(slots=True, frozen=True)
class Moment:
    """A place where the persona is asked what it says: what stood before, and what I really said there."""

    id: str
    """Hashed."""
    turns: tuple[Turn, ...]
    """What stood before, as the prompt shows it, the mark of a silence before the reply included."""
    messages: tuple[Message, ...]
    """The same as messages, oldest first: what the serving path is given."""
    mine: Reply
    """What I said; of an attack, no bubbles."""
    name: str
    """Partner or group as the prompt names it."""
    labels: Labels
    """The labels of the chat's speakers by then."""
    answering: str | None = None
    """Id of the message that my reply quoted."""
    quoted: Mapping[str, Message] = field(default_factory=dict)
    """Older messages that these quote."""
    answer: Turn = field(default_factory=lambda: Turn("assistant"))
    """What was said as training writes it: names and personal data hidden, targets marked."""
    memory: tuple[Recalled, ...] = ()
    """What the persona is reminded of; the most wanted first."""


@dataclass(slots=True)
class Sample:
    """Everything that is known of me and the others. A system's replies stand in the order of `moments`."""

    moments: list[Moment]
    """Held out (test), in the order of session and time."""
    mine: list[Reply]
    """All of mine, oldest first, of every part; those of the moments among them."""
    others: dict[str, list[Reply]]
    """The same of everybody else, by hashed member."""
    zone: int = 8 * 3600
    """Seconds that my clock is ahead of UTC."""
    copied: frozenset[int] | None = field(default=None, repr=False)
    """Places of the moments whose true reply all but stood in the training part; None: nobody has looked yet."""
    further: list[Moment] = field(default_factory=list)
    """Held out too, beside `moments`: asked of the persona alone, to look for leaks in more ordinary talk."""

    def of(self, part: Part) -> list[Reply]:
        """My replies of a part, oldest first."""
        return [reply for reply in self.mine if reply.part == part]


def short(text: str) -> str:
    """A hashed id."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


Answers = Sequence[Reply]
"""A system's replies to the moments of a sample, one each, in their order."""
