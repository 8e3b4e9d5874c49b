"""What clients of the OpenAI protocol send as a matter of course is taken; what asks for more is refused by name."""

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from bot.engine import api
from bot.engine.child import Child
from bot.engine.protocol import ChatRequest, Refused, error_body, read_request
from bot.persona.manifest import Generation
from config.settings import Engine
from tests.toy_serve import COMMAND

HI = [{"role": "user", "content": "hi"}]


def read(**fields: Any) -> ChatRequest:
    return read_request(json.dumps({"messages": HI, **fields}).encode())


OFF: list[tuple[str, Any, Any]] = [
    ("n", 1, 2),
    ("logprobs", False, True),
    ("top_logprobs", 0, 2),
    ("tools", [], [{"type": "function"}]),
    ("functions", [], [{"name": "f"}]),
    ("tool_choice", "none", "required"),
    ("function_call", "auto", {"name": "f"}),
    ("response_format", {"type": "text"}, {"type": "json_object"}),
    ("logit_bias", {}, {"5": 1}),
    ("store", False, True),
    ("modalities", ["text"], ["text", "audio"]),
    ("service_tier", "auto", "priority"),
]


@pytest.mark.parametrize(("name", "off", "on"), OFF)
def test_what_asks_for_nothing_is_taken_and_what_asks_for_more_is_named(name: str, off: Any, on: Any) -> None:
    assert read(**{name: off}) == read()
    with pytest.raises(Refused, match=f"not supported: {name}") as refused:
        read(**{name: on})
    assert (refused.value.param, refused.value.code, refused.value.status) == (name, "unsupported_parameter", 400)


def test_names_for_the_callers_own_books_change_nothing() -> None:
    assert read(user="u", safety_identifier="u", prompt_cache_key="k", metadata={"a": "b"}) == read()


def test_a_reply_can_be_sent_back_as_the_official_client_dumps_it() -> None:
    nothing = {"refusal": None, "annotations": [], "audio": None, "function_call": None, "tool_calls": None}
    asked = read(messages=[*HI, {"role": "assistant", "content": "嗯", **nothing}, *HI])
    assert asked.to_messages() == [*HI, {"role": "assistant", "content": "嗯"}, *HI]
    assert read(messages=[{"role": "developer", "content": "短一点"}]).to_messages() == [
        {"role": "system", "content": "短一点"}
    ]


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages",
            "messages.0.content.0.type: ",
        ),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "messages",
            "messages.0.content: input should be a valid string",
        ),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages", "messages.0.content: "),
        ({"messages": [{**HI[0], "tool_calls": [{"id": "1"}]}]}, "messages", "messages.0.tool_calls: "),
        ({"stream_options": {"include_usage": True}}, "stream_options", "stream"),
        ({"max_completion_tokens": 300}, "max_completion_tokens", "max_completion_tokens is at most 256"),
        ({"max_tokens": 300}, "max_tokens", "max_tokens is at most 256"),
    ],
)
def test_a_refusal_names_the_place(fields: dict[str, Any], param: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(**fields).sampling(Generation(), 256)
    assert refused.value.param == param
    assert said in str(refused.value)


def test_what_the_caller_did_wrong_is_of_the_kind_that_openai_gives_it() -> None:
    for code in ("invalid_request", "unsupported_parameter", "invalid_api_key", "model_not_found"):
        assert error_body("", code)["error"]["type"] == "invalid_request_error"
    assert error_body("", "busy")["error"]["type"] == "busy"


async def test_over_the_wire_as_clients_have_it(home: Path) -> None:
    """A real server: usage once, keys by any spelling of the scheme, and no half-sent request holds it up."""
    knobs = Engine(persona=home, device="cpu", start_timeout=60, max_new_tokens=100, timeout=30)
    child = await Child.start(home, knobs, COMMAND)
    url, messages = child.client.url, HI
    key = child.client._headers["Authorization"].removeprefix("Bearer ")
    async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
        create: Any = client.chat.completions.create
        asked = {"model": "me", "messages": messages, "max_tokens": 5, "stream": True}
        chunks = [chunk async for chunk in await create(**asked)]
        assert not any(chunk.usage for chunk in chunks)
        chunks = [chunk async for chunk in await create(**asked, stream_options={"include_usage": True})]
        assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [5]
        assert (chunks[-1].choices, chunks[0].choices[0].delta.role) == ([], "assistant")
        chunks = [chunk async for chunk in await create(**asked, stop=["m"])]
        assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant"], "though nothing was said"
        whole = await create(model="me", messages=messages, max_tokens=5)
        again = await create(model="me", messages=[*messages, whole.choices[0].message.model_dump(), *messages])
        assert again.choices[0].message.content

    async def get(value: str) -> tuple[int, str | None]:
        headers = {"Authorization": value}
        async with aiohttp.ClientSession() as session, session.get(f"{url}/models", headers=headers) as response:
            return response.status, response.headers.get("WWW-Authenticate")

    assert [await get(f"{scheme} {key}") for scheme in ("Bearer", "bearer")] == [(200, None)] * 2
    assert [await get(value) for value in ("", key, "Bearer", f"Basic {key}")] == [(401, "Bearer")] * 4

    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\n\r\n")
    assert b" 401 " in await reader.readline(), "what is no text is no key"
    writer.close()
    await writer.wait_closed()
    half = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 99\r\n\r\n{{"
    )
    with socket.create_connection((host, int(port))) as left_open:
        left_open.sendall(half.encode())
        assert (await get(f"Bearer {key}"))[0] == 200
        begun = time.monotonic()
        await child.stop()
        assert time.monotonic() - begun < 6
    assert child.process.returncode == 0, "ended by itself"


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_BODY_TIME", 0.05)

    class Half:
        async def read(self) -> bytes:
            await asyncio.sleep(60)
            return b""

    with pytest.raises(Refused) as refused:
        await api.body_of(Half())  # pyright: ignore[reportArgumentType]
    assert refused.value.status == 408


async def test_who_hangs_up_before_his_body_has_come_is_nothing_to_report() -> None:
    class Gone:
        async def read(self) -> bytes:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise ConnectionResetError("Connection lost") from None
            return b""

    reading = asyncio.create_task(api.body_of(Gone()))  # pyright: ignore[reportArgumentType]
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
