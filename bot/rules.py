"""What holds in a chat: whether the bot speaks there, how much, and by whose habits.

Plain data that the owner's settings and commands make, and the turn engine obeys.
"""

from dataclasses import dataclass
from typing import Literal

from bot.persona.behaviour import Behaviour

Mode = Literal["off", "called", "join", "draft", "shadow"]
"""What a chat gets: silence; answers when I am called (in private: always); that, and I speak up myself;
replies that go to the owner first; replies that go nowhere, for comparison."""
MODES: tuple[Mode, ...] = ("off", "called", "join", "draft", "shadow")
Night = Literal["later", "morning"]
"""When somebody who calls me in my quiet hours is answered: after a while, or when they end."""

NEUTRAL = Behaviour()


@dataclass(slots=True, frozen=True)
class Rules:
    mode: Mode = "off"
    freq: float = 1.0
    """How often I speak up, of how often I really do; 0: only when called."""
    behaviour: Behaviour = NEUTRAL
    night: Night = "later"
    joins: bool = True
    """Whether draft and shadow speak up as join does."""
    share: float | None = None
    """My share of the last 20 messages, at most, when I speak up; None: as I really do."""
    guest: bool = False
    """New in a group: I don't speak up before I was called once."""
    owned: bool = False
    """The owner's own private chat with the bot: no quiet hours, and what the owner says is for the bot."""

    @property
    def joining(self) -> bool:
        return self.freq > 0 and (self.mode == "join" or (self.joins and self.mode in ("draft", "shadow")))
