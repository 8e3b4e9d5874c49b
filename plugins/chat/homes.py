"""Which of our accounts speaks in which chat, and what only sending knows: locks and our own echoes."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

A = TypeVar("A")

REMEMBERED = 2048
"""Sent messages whose echo is known as our own."""


class Homes(Generic[A]):
    """The accounts of one kind, by the chats they speak in."""

    def __init__(self, accounts: Callable[[], Mapping[str, A]]) -> None:
        self.accounts = accounts
        """Those connected now, by id."""
        self._home: dict[str, str] = {}
        self._sending: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.sent: deque[str] = deque(maxlen=REMEMBERED)

    def meet(self, chat: str, account: str) -> bool:
        """Whether this account speaks in a chat: in private who heard, in a group the first one that is there."""
        home = self._home.get(chat)
        if ":group:" in chat and home is not None and home != account and home in self.accounts():
            return False
        self._home[chat] = account
        return True

    def of(self, chat: str) -> A | None:
        """The account that speaks in a chat, if it is connected; any one where none has been heard."""
        accounts, home = self.accounts(), self._home.get(chat)
        return accounts.get(home) if home else next(iter(accounts.values()), None)

    def lock(self, chat: str) -> asyncio.Lock:
        """One bubble of a chat at a time."""
        lock = self._sending.get(chat)
        if lock is None:
            lock = self._sending[chat] = asyncio.Lock()
        return lock
