"""Servers elsewhere as one Talker: they share the chats and cover for each other.

Knows which of them answer, which is least busy, and where each chat was last, because that server
may still remember its beginning. Doesn't start or stop any: whoever runs a server does that.

Of an end it knows what shows from here: a server that broke off under a request, or failed it, and doesn't
answer afterwards. One that is back at once, or has somebody who answers in its place, has not ended for all we
know. What two servers in turn ended under goes to no third (quarantine.py).
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Collection, Coroutine, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from bot.counting import Count, token_counter
from bot.engine.client import Client, Lost
from bot.engine.quarantine import WHY, Quarantine, key_of
from bot.engine.since import Messages
from bot.engine.wire import Ask, Piece, Sampling
from bot.persona.manifest import Persona, open_persona
from config.errors import EngineError
from config.settings import Engine

log = logging.getLogger(__name__)

_PAUSES = (1.0, 3.0, 10.0, 30.0, 60.0)
"""Seconds before a lost server is looked at again, growing with each loss in a row; the last one repeats."""
_AFTERMATH = 6.0
"""Seconds after a failure of its own in which a server may end: vLLM answers 500 first, and looks every 5 s."""
_KNOWN = 4096
"""Chats whose server is remembered."""


@dataclass(slots=True, eq=False)
class Server:
    """One of the servers as we have met it."""

    client: Client
    running: int = 0
    company: int = 0
    """Requests in flight when the first of them was lost."""
    away: bool = False
    why: str = ""
    """Why it was left out last."""
    returns: int = 0
    """How often it came back."""
    watched: bool = False
    """Whether a task looks when it is back."""
    chats: int = 0
    """Chats that were here last."""
    losses: int = 0
    """Failures in a row."""


class Remote:
    """A Talker over servers; the persona's folder here says how to prompt them.

    A chat stays with its server while that one answers and has fewer than `full` requests running.
    No request asks for more than `longest` tokens.
    """

    def __init__(
        self,
        clients: Sequence[Client],
        persona: Persona,
        count: Count | None = None,
        *,
        full: int = 32,
        longest: int = 256,
    ) -> None:
        self._servers = [Server(client) for client in clients]
        self._persona = persona
        self._count = count
        self._full = full
        self._longest = longest
        self._quarantine = Quarantine(time.monotonic)
        self._last: OrderedDict[str, Server] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def persona(self) -> Persona:
        return self._persona

    @property
    def count(self) -> Count | None:
        return self._count

    @classmethod
    async def open(cls, knobs: Engine, persona: Persona | None = None) -> "Remote":
        """As this persona, or that of the folder here. Raises EngineError when none of the servers answers,
        PersonaError when there is no persona here."""
        folder, persona = open_persona(knobs.persona) if persona is None else (None, persona)
        key = knobs.api_key.get_secret_value() if knobs.api_key else ""
        clients = [Client(url, api_key=key, model=knobs.model, timeout=knobs.timeout) for url in knobs.urls]
        counter = token_counter(folder) if folder is not None else None
        remote = cls(clients, persona, counter, full=knobs.max_batch, longest=knobs.max_new_tokens)
        try:
            await remote._meet()
        except BaseException:
            await remote.close()
            raise
        return remote

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        """The reply. Where a server is lost or full before it said anything, another is asked, once; what
        ends servers is not sent to them."""
        sampling = replace(sampling, max_tokens=min(sampling.max_tokens, self._longest))
        end, chat = Piece(finish="error", why="no server answers"), ask.chat if ask else ""
        key = key_of(messages, chat)
        async with self._quarantine.admitted(key):
            for attempt, server in enumerate(self._choices(chat, self._quarantine.places(key))):
                prompt = self._quarantine.allowed(messages, chat)
                if prompt is None:
                    end = Piece(finish="error", why=WHY)
                if prompt is None or (attempt and self._quarantine.suspects(key)):
                    break
                spoken = False
                async with aclosing(self._ask(server, messages, chat, prompt, sampling)) as pieces:
                    async for piece in pieces:
                        if piece.finish:
                            end = piece
                            break
                        spoken = True
                        yield replace(piece, persona=piece.persona or self._persona.hash)
                if spoken or not (end.finish == "busy" or (end.finish == "error" and server.away)):
                    break
        yield replace(end, persona=end.persona or self._persona.hash)

    def status(self) -> dict[str, Any]:
        """What an admin wants to know, in plain values, by the names that a worker has for it."""
        there = sum(not server.away for server in self._servers)
        nearest = min(self._servers, key=lambda server: server.losses)
        return {
            "persona": self._persona.name,
            "hash": self._persona.hash,
            "version": f"url {there}/{len(self._servers)}",
            "previous": "",
            "state": "ready" if there else "away",
            "pid": None,
            "in_flight": sum(server.running for server in self._servers),
            "restarts": 0,
            "failures": 0 if there else nearest.losses,
            "trouble": "" if there else nearest.why,
            "crashes": 0,
            "fell": "",
            "cut": self._quarantine.cut,
            "refused": self._quarantine.refused,
        }

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(server.client.close() for server in self._servers))

    async def _meet(self) -> None:
        """Look at every server once; raise the first one's error when none answers."""
        found = await asyncio.gather(*map(self._look_at, self._servers))
        errors = [error for error in found if error is not None]
        if len(errors) == len(found):
            raise errors[0]
        for server, error in zip(self._servers, found, strict=True):
            if error is not None:
                self._lose(server, str(error))
            elif server.client.persona not in ("", self._persona.hash):
                log.warning("%s serves another version than the persona here", server.client.url)

    async def _look_at(self, server: Server) -> EngineError | None:
        try:
            await server.client.recognize()
        except EngineError as error:
            return error
        return None

    def _choices(self, chat: str, only: Collection[str] = ()) -> Iterator[Server]:
        """The server to ask; and if one goes on, another that is there. `only` these addresses, where there are some."""
        servers = [server for server in self._servers if not only or server.client.url in only]
        first = self._choose(chat, servers)
        yield first
        others = [server for server in servers if server is not first and not server.away]
        if others:
            yield self._choose(chat, others)

    def _choose(self, chat: str, servers: list[Server]) -> Server:
        last = self._last.get(chat)
        there = [server for server in servers if not server.away]
        if last in there and last.running < self._full:
            server = last
        elif there:
            server = min(there, key=lambda server: (server.running, server.chats))
        else:
            # The request itself finds out who is back.
            server = min(servers, key=lambda server: server.losses)
        if chat:
            self._remember(chat, server)
        return server

    def _remember(self, chat: str, server: Server) -> None:
        if (last := self._last.pop(chat, None)) is not None:
            last.chats -= 1
        self._last[chat] = server
        server.chats += 1
        if len(self._last) > _KNOWN:
            self._last.popitem(last=False)[1].chats -= 1

    async def _ask(
        self, server: Server, messages: Messages, chat: str, prompt: Messages, sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """One server's reply to what is allowed of a chat's messages; what that says of both is kept."""
        server.running += 1
        try:
            async with aclosing(server.client.pieces(prompt, sampling)) as pieces:
                async for piece in pieces:
                    if piece.finish == "timeout":
                        self._lose(server, piece.why)
                    elif piece.finish == "error" and not piece.why.startswith("4"):
                        server.company = max(server.company, server.running)
                        self._spawn(self._look_after(server, messages, chat, _AFTERMATH))
                    elif piece.finish:
                        self._is_there(server)
                        server.losses = server.losses if piece.finish == "error" else 0
                        if piece.finish != "busy":
                            self._quarantine.outlived(messages, chat)
                    yield piece
        except Lost as lost:
            server.company = max(server.company, server.running)
            self._lose(server, str(lost))
            if lost.reached:
                await self._look_after(server, messages, chat)
            yield Piece(finish="error", why=str(lost))
        finally:
            server.running -= 1

    async def _look_after(self, server: Server, messages: Messages, chat: str, pause: float = 0.0) -> None:
        """See whether a server has ended under a prompt that it broke off or failed."""
        await asyncio.sleep(pause)
        error = await self._look_at(server)
        if error is None:
            server.company = 0
            return
        self._lose(server, str(error))
        url = server.client.url
        self._quarantine.crashed(messages, chat, (url, server.returns), url, alone=server.company == 1)

    def _is_there(self, server: Server) -> None:
        server.returns += server.away
        server.away, server.company = False, 0

    def _lose(self, server: Server, why: str) -> None:
        """Leave a server out, and look after a while whether it is back."""
        server.losses += 1
        server.why = why
        if not server.away:
            server.away = True
            log.warning("left out for now: %s", why)
        if server.watched:
            return
        server.watched = True
        self._spawn(self._watch(server))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, server: Server) -> None:
        while server.away:
            await asyncio.sleep(_PAUSES[min(server.losses, len(_PAUSES)) - 1])
            if not server.away:
                break
            if await self._look_at(server) is None:
                self._is_there(server)
            else:
                server.losses += 1
        server.watched = False
        log.info("%s is back", server.client.url)
