"""What the engine says over HTTP: the OpenAI routes, /health, and pause and resume.

Knows who may call and how a request becomes a row of a batch, and back; doesn't know chats, and
of the model only its tokenizer.
"""

import asyncio
import contextlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import jinja2
from aiohttp import web

from bot.engine.batches import PAUSED, STOPPED, Batches, State
from bot.engine.model import Loaded
from bot.engine.prompt_ids import prompt_ids
from bot.engine.protocol import STATUS, ChatRequest, Refused, Reply, error_body, read_request
from bot.engine.rows import Row
from bot.engine.wire import Piece
from bot.persona.manifest import Persona
from config.settings import Engine

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_BODY_LIMIT = 4 * 2**20
_BODY_TIME = 60.0
"""Seconds in which a request's body must have come."""
_POLL = 0.02
"""Seconds between two looks at a model that comes or goes."""
_REFUSALS = {"busy": "too many requests wait already", "paused": PAUSED}
_UNAVAILABLE = {STOPPED: "stopped", PAUSED: "paused"}
"""Codes of what isn't the request's fault and may be asked again."""


class Api:
    """The routes of one persona; with a key, nobody else may use them."""

    def __init__(self, persona: Persona, batches: Batches, knobs: Engine, key: str) -> None:
        self._persona = persona
        self._batches = batches
        self._knobs = knobs
        self._key = key

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=_BODY_LIMIT)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{name}", self._model)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/pause", self._pause)
        app.router.add_post("/v1/resume", self._resume)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._key and request.path != "/health" and not self._may(request.headers.get("Authorization", "")):
            body = error_body("wrong or missing API key", "invalid_api_key")
            return web.json_response(body, status=401, headers={"WWW-Authenticate": "Bearer"})
        try:
            return await handler(request)
        except Refused as refused:
            body = error_body(str(refused), refused.code, refused.param)
            return web.json_response(body, status=refused.status)
        except web.HTTPRequestEntityTooLarge as wrong:
            body = error_body(f"the body is larger than {_BODY_LIMIT >> 20} MiB", "invalid_request")
            return web.json_response(body, status=wrong.status)
        except web.HTTPException as wrong:  # an address or a method that isn't ours
            return web.json_response(error_body(wrong.reason, "invalid_request"), status=wrong.status)

    def _may(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode(errors="surrogateescape"), self._key.encode()
        )

    async def _health(self, request: web.Request) -> web.Response:
        batches = self._batches
        body = {
            "state": batches.state,
            "stalled": round(batches.stalled, 3),
            "name": self._persona.name,
            "persona": self._persona.hash,
            "waiting": batches.waiting,
            "running": batches.running,
            "ended": dict(batches.ended),
        }
        if batches.loaded is not None and (memory := batches.loaded.memory()):
            body["memory"] = memory
        return web.json_response(body)

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [self._described()]})

    async def _model(self, request: web.Request) -> web.Response:
        self._check_name(request.match_info["name"])
        return web.json_response(self._described())

    def _described(self) -> dict[str, Any]:
        persona = self._persona
        created = int(persona.provenance.created.timestamp())
        return {
            "id": persona.name,
            "object": "model",
            "created": created,
            "owned_by": "mybot",
            "persona": persona.hash,
        }

    def _check_name(self, name: str) -> None:
        if name != self._persona.name:
            raise Refused(f"there is no model {name[:80]!r} here", status=404, code="model_not_found", param="model")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = read_request(await body_of(request))
        name, loaded = self._persona.name, self._batches.loaded
        if asked.model:
            self._check_name(asked.model)
        if loaded is None:
            raise Refused("the model is still loading", status=503, code="loading")
        pieces: asyncio.Queue[Piece] = asyncio.Queue()
        row = self._row(asked, loaded, pieces)
        if refusal := self._batches.submit(row):
            raise Refused(_REFUSALS[refusal], status=503 if refusal == "paused" else 429, code=refusal)
        # While it waits nobody else looks at its time, least of all while the model is being loaded.
        late = asyncio.get_running_loop().call_later(self._knobs.timeout, self._batches.sweep)
        reply = Reply(uuid.uuid4().hex, name, self._persona.hash, len(row.ids))
        try:
            return await _answer(request, asked, reply, row, pieces)
        finally:
            late.cancel()
            if row.finish is None:
                row.cancelled = True
                self._batches.sweep()

    async def _pause(self, request: web.Request) -> web.Response:
        """Answered once what runs is done and the memory is free."""
        self._batches.pause()
        return await self._state("paused")

    async def _resume(self, request: web.Request) -> web.Response:
        """Answered once the model can speak again."""
        self._batches.resume()
        response = await self._state("ready")
        if fault := self._batches.fault:
            raise Refused(str(fault), status=503, code="error")
        return response

    async def _state(self, wanted: State) -> web.Response:
        batches = self._batches
        # Another thread's state has no event of ours.
        while batches.state != wanted and batches.wants(wanted) and batches.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(_POLL)
        return web.json_response({"state": batches.state})

    def _row(self, asked: ChatRequest, loaded: Loaded, pieces: "asyncio.Queue[Piece]") -> Row:
        sampling = asked.sampling(self._persona.generation, self._knobs.max_new_tokens)
        try:
            ids = prompt_ids(loaded.tokenizer, asked.to_messages(), True)
        except jinja2.TemplateError as error:
            raise Refused(f"messages don't fit the persona's chat template: {error}", param="messages") from None
        if not ids or max(ids) >= loaded.vocabulary:
            raise Refused("messages make a prompt that the model has no tokens for", param="messages")
        if len(ids) + sampling.max_tokens > loaded.context:
            raise Refused(
                f"{len(ids)} tokens and max_tokens {sampling.max_tokens} are more than the context of {loaded.context}",
                code="context_length_exceeded",
                param="messages",
            )
        loop = asyncio.get_running_loop()

        def deliver(piece: Piece) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        deadline = time.monotonic() + self._knobs.timeout
        return Row(ids, sampling, deadline, deliver, loaded.text_stream)


async def body_of(request: web.Request) -> bytes:
    """All of a request's body. Refused where it doesn't come: who sends it may be long gone."""
    try:
        return await asyncio.wait_for(request.read(), _BODY_TIME)
    except asyncio.TimeoutError:
        raise Refused(f"the body did not come within {_BODY_TIME:.0f} s", status=408) from None
    except ConnectionError:
        # Who hangs up cancels us, and wait_for would rather say why.
        raise asyncio.CancelledError from None


async def _answer(
    request: web.Request, asked: ChatRequest, reply: Reply, row: Row, pieces: "asyncio.Queue[Piece]"
) -> web.StreamResponse:
    first = await pieces.get()
    if first.finish in STATUS:
        return _failed(first)
    if asked.stream:
        return await _stream(request, asked, reply, row, _from(first, pieces))
    text = ""
    async for piece in _from(first, pieces):
        text += piece.text
        if piece.finish in STATUS:
            return _failed(piece)
    return web.json_response(reply.whole(text, row.finish or "error", row.produced))


async def _stream(
    request: web.Request, asked: ChatRequest, reply: Reply, row: Row, pieces: AsyncIterator[Piece]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    # Whoever hangs up while we write has left, and nothing is wrong: the row ends with its handler.
    with contextlib.suppress(ConnectionResetError):
        await response.prepare(request)
        await _write(response, asked, reply, row, pieces)
    return response


async def _write(
    response: web.StreamResponse, asked: ChatRequest, reply: Reply, row: Row, pieces: AsyncIterator[Piece]
) -> None:
    first = True
    async for piece in pieces:
        if piece.text:
            await _event(response, reply.piece(piece.text, first=first))
            first = False
        elif piece.finish in STATUS:
            await _event(response, error_body(piece.why or piece.finish, _UNAVAILABLE.get(piece.why, piece.finish)))
        elif piece.finish:
            await _event(response, reply.last(piece.finish, first=first))
    if asked.stream_options and asked.stream_options.include_usage:
        await _event(response, reply.usage(row.produced))
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()


async def _from(first: Piece, pieces: "asyncio.Queue[Piece]") -> AsyncIterator[Piece]:
    """The pieces of a row up to its terminal one."""
    piece = first
    yield piece
    while not piece.finish:
        piece = await pieces.get()
        # What came while we were writing goes out as one.
        while not piece.finish and not pieces.empty():
            more = pieces.get_nowait()
            if more.finish:
                yield piece
                piece = more
            else:
                piece = Piece(piece.text + more.text)
        yield piece


async def _event(response: web.StreamResponse, body: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n")


def _failed(piece: Piece) -> web.Response:
    finish = piece.finish or "error"
    if code := _UNAVAILABLE.get(piece.why):
        return web.json_response(error_body(piece.why, code), status=503)
    return web.json_response(error_body(piece.why or finish, finish), status=STATUS[finish])
