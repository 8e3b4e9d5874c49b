"""What a reader of a platform's events knows beforehand, and what it makes of an event."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bot.persona.message import Message


class Known(NamedTuple):
    """What is known before an event is read: of me, and of others."""

    me: str = ""
    """What an @ of our accounts reads as."""
    accounts: Collection[str] = ()
    """Our accounts on that platform."""
    nicknames: Collection[str] = ()
    names: Mapping[str, str] = {}
    """Account id → name; beside QQ the id stands behind its platform and a colon."""
    bots: Collection[str] = ()
    """Accounts that the owner says are bots."""


@dataclass(slots=True, frozen=True)
class Heard:
    """A message event as the bridge takes it."""

    message: Message
    addressed: bool
    """By @, by a quote of mine, by name, or as NoneBot says."""
    quotes_me: bool = False
    """As far as the event tells: it may not hold what it quotes."""
    quoted: Message | None = None
    """The message that it quotes, where the event holds it."""
    group_name: str = ""
    """The group's name, where the event has it."""
