"""Servers that say something else than the protocol: whatever comes, a stream ends once."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from bot.engine.client import Client
from bot.engine.wire import Piece, Sampling

HI = [{"role": "user", "content": "hi"}]
STRANGE: list[Any] = [
    [],
    "word",
    {"choices": 5},
    {"choices": "word"},
    {"choices": [1]},
    {"choices": [None]},
    {"choices": [{"delta": ["hi"]}]},
    {"choices": [{"delta": "hi"}]},
    {"choices": [{"delta": {"content": 5}}]},
    {"choices": [{"delta": {"content": [{"type": "text", "text": "hi"}]}}]},
    {"choices": [{"delta": {}, "finish_reason": ["stop"]}]},
    {"choices": [{"delta": {}, "finish_reason": 5}]},
    {"error": {"code": ["stopped"]}},
    {"error": [1]},
    {"error": "word"},
]


@pytest.fixture
async def says() -> AsyncIterator[tuple[Client, list[bytes]]]:
    """A client, and what its server answers."""
    body = [b""]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body[0], content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    client = Client(f"http://{host}:{port}/v1", timeout=5)
    yield client, body
    await client.close()
    await runner.cleanup()


async def pieces_of(client: Client) -> list[Piece]:
    return [piece async for piece in client.stream(HI, Sampling())]


async def test_events_of_another_shape_end_a_stream_in_error(says: tuple[Client, list[bytes]]) -> None:
    client, body = says
    for strange in STRANGE:
        first = {"choices": [{"delta": {"content": "a"}}]}
        body[0] = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in (first, strange))
        pieces = await pieces_of(client)
        assert [(piece.text, piece.finish) for piece in pieces] == [("a", None), ("", "error")], strange
        assert pieces[-1].why


async def test_what_servers_add_to_the_protocol_is_passed_over(says: tuple[Client, list[bytes]]) -> None:
    client, body = says
    events = [
        {"choices": [{"delta": {"role": "assistant", "content": None}, "logprobs": None}]},
        {"choices": [{"delta": None}]},
        {"choices": None, "usage": {}},
        {"choices": [], "error": None},
        {"choices": [{"delta": {"content": "b", "reasoning_content": "c"}, "finish_reason": None}]},
        {"choices": [{"delta": {}, "finish_reason": "content_filter"}]},
    ]
    body[0] = b": alive\n\nevent: message\n" + b"".join(
        b"data:" + json.dumps(one).encode() + b"\r\n\r\n" for one in events
    )
    assert [(piece.text, piece.finish, piece.why) for piece in await pieces_of(client)] == [
        ("b", None, ""),
        ("", "error", "content_filter"),
    ]
