"""Where bubbles go: what a platform, a terminal or a test provides to the runner."""

from typing import Protocol


class Unsent(Exception):
    """The platform refused a message, or isn't there. Says why, without message text."""


class Port(Protocol):
    """Where bubbles go. Subclass it, or have the same methods."""

    async def send(self, chat: str, text: str, quote: str | None) -> str:
        """Send one bubble; the id of what was sent, empty where there is none. Raises Unsent, nothing else."""
        ...

    def now(self) -> float:
        """UTC seconds."""
        ...

    async def typing(self, chat: str) -> None:
        """Show that a private chat is being answered, where the platform can."""
