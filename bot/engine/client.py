"""The bot's side of the wire: a prompt out, pieces of a reply in.

Speaks with any OpenAI-compatible server. Whatever happens there, a stream ends in exactly one
terminal piece; knows nothing of processes, chats or retries.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import asdict, replace
from typing import Any, Literal, get_args

import aiohttp

from bot.engine.prompt_ids import disarmed
from bot.engine.wire import Finish, Piece, Sampling
from config.errors import EngineError

_ENDS: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "timeout": "timeout",
    "cancelled": "cancelled",
    "busy": "busy",
}
_STATUS: dict[int, Finish] = {429: "busy", 504: "timeout"}
_AWAY = (401, 403, 502, 503)
"""HTTP status of a server that takes nobody's requests now, or not ours."""
Dialect = Literal["mybot", "llamacpp", "vllm", "sglang", "openai"]
"""Which rules of sampling a server knows, and by which names; told by `owned_by` of its models."""
_DIALECTS: dict[str, Dialect] = {name: name for name in get_args(Dialect)}
_STOPPED = "stopped"
"""What our own server says when its model's thread ends under a reply: it is about to end itself."""
_HEALTH_TIMEOUT = 5.0
_CONNECT = 10.0
"""Seconds in which a server must take a connection; a machine that is switched off doesn't refuse it either."""


class Lost(EngineError):
    """The server went away under a request; it may be asked again. `reached`: the request may have got there."""

    def __init__(self, message: str, *, reached: bool = True) -> None:
        super().__init__(message)
        self.reached = reached


class Client:
    """One server. `url` ends in /v1; `timeout` is the longest a reply may take, in seconds.

    `ours`, and llama.cpp, vLLM and SGLang once recognized, get every rule of sampling; other servers only
    those that are on, because not every server knows them all.
    """

    def __init__(
        self, url: str, *, api_key: str = "", model: str = "", timeout: float = 120.0, ours: bool = False
    ) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self._timeout = timeout
        self.persona = ""
        """Hash of the persona there, where the server is ours and was recognized."""
        self._dialect: Dialect = "mybot" if ours else "openai"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: aiohttp.ClientSession | None = None

    async def stream(self, messages: list[dict[str, str]], sampling: Sampling) -> AsyncGenerator[Piece, None]:
        """The reply, piece by piece; the last has `finish`. Closing the iterator cancels the request."""
        try:
            async with contextlib.aclosing(self.pieces(messages, sampling)) as pieces:
                async for piece in pieces:
                    yield piece
        except Lost as lost:
            yield Piece(finish="error", why=str(lost))

    async def pieces(self, messages: list[dict[str, str]], sampling: Sampling) -> AsyncGenerator[Piece, None]:
        """The same, but raises Lost where the server went away before the end."""
        last: Piece | None = None
        try:
            async with self._open().post(
                f"{self.url}/chat/completions",
                json=_body(messages, sampling, self.model, self._dialect),
                # A little later than the server's own deadline, whose answer says more.
                timeout=aiohttp.ClientTimeout(total=self._timeout + 5, sock_connect=_CONNECT),
            ) as response:
                if response.status != 200:
                    last = await _refusal(response)
                else:
                    async with contextlib.aclosing(_events(response)) as events:
                        async for piece in events:
                            if piece.finish:
                                last = piece
                                break
                            yield piece
        except aiohttp.ConnectionTimeoutError:
            raise Lost(f"{self.url}: takes no connection", reached=False) from None
        except asyncio.TimeoutError:
            last = Piece(finish="timeout", why=f"no end within {self._timeout:.0f} s")
        except (aiohttp.ClientError, OSError) as error:
            reached = not isinstance(error, aiohttp.ClientConnectorError)
            raise Lost(f"{self.url}: {type(error).__name__}: {error}", reached=reached) from None
        except ValueError as error:
            last = Piece(finish="error", why=f"not the OpenAI protocol: {error}")
        if last is None:
            raise Lost(f"{self.url}: the reply broke off")
        # The connection is free again before anybody sees the end.
        yield last

    async def recognize(self) -> None:
        """Find out which model to ask for, and what the server is. Raises EngineError when it can't be reached."""
        models = await self._models()
        named = [model for model in models if model["id"] == self.model]
        if not self.model and models:
            named, self.model = models[:1], str(models[0]["id"])
        for model in named:
            self._dialect = _DIALECTS.get(str(model.get("owned_by")), "openai")
            self.persona = str(model.get("persona") or "")

    async def _models(self) -> list[dict[str, Any]]:
        try:
            async with self._open().get(
                f"{self.url}/models", timeout=aiohttp.ClientTimeout(total=_HEALTH_TIMEOUT)
            ) as response:
                if response.status in (401, 403):
                    raise EngineError(f"{self.url} refuses the key", hint="put MYBOT_ENGINE_API_KEY=… into .env")
                response.raise_for_status()
                return [{**model, "id": str(model["id"])} for model in (await response.json())["data"]]
        except (aiohttp.ClientError, asyncio.TimeoutError, KeyError, TypeError, ValueError) as error:
            raise EngineError(
                f"no engine answers at {self.url}: {type(error).__name__}",
                hint="is the server running? see [engine] url",
            ) from None

    async def health(self) -> dict[str, Any] | None:
        """What our own server says of itself; None when it doesn't answer."""
        try:
            async with self._open().get(
                f"{self.url.removesuffix('/v1')}/health", timeout=aiohttp.ClientTimeout(total=_HEALTH_TIMEOUT)
            ) as response:
                return await response.json() if response.status == 200 else None
        except (aiohttp.ClientError, asyncio.TimeoutError, ValueError):
            return None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No limit on connections: how many wait is the server's to say. And each is used once: one that
            # lay idle may be closed by the other side at the moment it is written to.
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(headers=self._headers, read_bufsize=2**20, connector=connector)
        return self._session


def _body(messages: list[dict[str, str]], sampling: Sampling, model: str, dialect: Dialect) -> dict[str, Any]:
    """The request; at a server we don't know, what is off is left out."""
    rules = asdict(sampling)
    off = asdict(Sampling())
    always = ("temperature", "top_p", "max_tokens")
    body = {name: value for name, value in rules.items() if dialect != "openai" or name in always or value != off[name]}
    if dialect == "llamacpp":
        # Left out, its own defaults would hold; and it would look back over 64 tokens only.
        body |= {"repeat_penalty": body.pop("repetition_penalty"), "repeat_last_n": 65_536}
    elif dialect in ("vllm", "sglang") and not sampling.top_k:
        # Left out, the model folder's generation_config.json would hold.
        body["top_k"] = -1
    if dialect != "mybot":
        messages = [{**message, "content": disarmed(message["content"])} for message in messages]
    body |= {"messages": messages, "stream": True}
    return body | {"model": model} if model else body


async def _refusal(response: aiohttp.ClientResponse) -> Piece:
    why, code = (await response.text())[:300], ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        error = json.loads(why)["error"]
        why, code = str(error["message"]), str(error.get("code"))
    if response.status in _AWAY:
        # Nobody took it up, but where the model ended under it.
        raise Lost(f"{response.url.origin()}: {response.status}: {why}", reached=code == _STOPPED)
    return Piece(finish=_STATUS.get(response.status, "error"), why=f"{response.status}: {why}")


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[Piece, None]:
    """The pieces of a server-sent event stream. ValueError: that's none. Lost: the server says that it ends."""
    async for raw in response.content:
        line = raw.decode("utf-8", "replace").strip()
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        event = json.loads(data)
        if not isinstance(event, dict):
            raise ValueError("an event is not an object")
        if error := event.get("error"):
            said = error if isinstance(error, dict) else {"message": error}
            if said.get("code") == _STOPPED:
                raise Lost(str(said.get("message")))
            yield Piece(finish=_ENDS.get(str(said.get("code")), "error"), why=str(said.get("message")))
            return
        try:
            pieces = [piece for choice in event.get("choices") or () for piece in _choice(choice)]
        except (TypeError, AttributeError) as error:
            raise ValueError(f"an event of another shape: {error}") from None
        for piece in pieces:
            yield replace(piece, persona=str(event.get("persona") or ""))


def _choice(choice: dict[str, Any]) -> list[Piece]:
    text = (choice.get("delta") or {}).get("content") or ""
    if not isinstance(text, str):
        raise TypeError("content is not text")
    pieces = [Piece(text)] if text else []
    if finish := str(choice.get("finish_reason") or ""):
        pieces.append(Piece(finish=_ENDS.get(finish, "error"), why="" if finish in _ENDS else finish))
    return pieces
