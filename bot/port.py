"""Where bubbles go: what a platform, a terminal or a test provides to the runner."""

from collections.abc import Sequence
from typing import Protocol


class Unsent(Exception):
    """The platform refused a message, or isn't there. Says why, without message text."""


class Port(Protocol):
    """Where bubbles go. Subclass it: what a platform can't do is then a quiet no."""

    async def send(
        self, chat: str, text: str, quote: str | None, at: str | None = None, faces: Sequence[str] = ()
    ) -> str:
        """Send one bubble; the id of what was sent, empty where there is none. Raises Unsent, nothing else.

        `at` is whom it is to mention. `faces` are what the face marks in the text stand for, in order
        (bot/persona/faces.py); only where `has_faces`.
        """
        ...

    def now(self) -> float:
        """UTC seconds."""
        ...

    async def typing(self, chat: str) -> None:
        """Show that a private chat is being answered, where the platform can."""

    async def unsend(self, chat: str, id: str) -> bool:  # noqa: A002 - the word for it everywhere
        """Take back something sent; False where that can't be done (any more)."""
        return False

    async def react(self, chat: str, id: str) -> bool:  # noqa: A002
        """Acknowledge a message by a reaction, without a word; False where there is no such thing."""
        return False

    def has_faces(self, chat: str) -> bool:
        """Whether a face of QQ can be sent there by its id."""
        return False
