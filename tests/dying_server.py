"""A server of the OpenAI protocol that a word ends, as real ones end: a process of its own, nothing of ours in it.

    python tests/dying_server.py PORT MANNER

The word is "venom", anywhere in a prompt. Manners: "kill" (kill -9 of itself) · "late" (it answers 500, and ends a
moment later, as vLLM does) · "cut" (it only breaks the connection off). What it is asked is printed, a JSON line each.
"""

import asyncio
import json
import os
import signal
import sys

from aiohttp import web

THINKS = 0.2
"""Seconds before it says anything."""
LAST = 0.1
"""Seconds it lives on after a 500."""


async def models(_: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": "toy"}]})


async def chat(request: web.Request) -> web.StreamResponse:
    prompt = "\n".join(message["content"] for message in (await request.json())["messages"])
    print(json.dumps(prompt), flush=True)
    await asyncio.sleep(THINKS)
    if "venom" in prompt:
        if sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[2] == "late":
            asyncio.get_running_loop().call_later(LAST, os._exit, 1)
            return web.json_response({"error": {"message": "the engine is dead"}}, status=500)
        assert request.transport is not None
        request.transport.abort()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for choice in ({"delta": {"content": "嗯"}}, {"delta": {}, "finish_reason": "stop"}):
        await response.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
    return response


app = web.Application()
app.router.add_get("/v1/models", models)
app.router.add_post("/v1/chat/completions", chat)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
