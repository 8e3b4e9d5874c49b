"""A server of embeddings over real HTTP: a text's vector is the sum of its characters', words of one meaning alike."""

import asyncio
import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

WIDTH = 256
MEANS = {"肚子空空的": "饿", "想干饭了": "饿", "钱包比脸还干净": "穷", "手头紧巴巴": "穷"}
"""Sentences without a character in common that mean the same."""


def embedding(text: str) -> list[float]:
    """The vector of a text, as the server gives it."""
    total = [0.0] * WIDTH
    for character in MEANS.get(text, text):
        draw = random.Random(character)
        total = [so_far + draw.gauss(0, 1) for so_far in total]
    length = math.sqrt(sum(value * value for value in total)) or 1.0
    return [value / length for value in total]


class Embedder:
    """What it was asked, and how it answers: `answer` replaces the whole body, `status` refuses, `wait` delays."""

    def __init__(self) -> None:
        self.url = ""
        self.texts: list[str] = []
        self.keys: list[str] = []
        self.answer: Any = None
        self.status = 200
        self.wait = 0.0
        self.fails_after = 10**9
        """Requests after which it refuses."""
        self.most, self.longest = 10**9, 10**9
        """Texts of a request and characters of a text beyond which it refuses the whole of it."""
        self.requests = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests += 1
        if self.requests > self.fails_after:
            return web.json_response({"error": {"message": "no"}}, status=503)
        if len(body["input"]) > self.most or max(map(len, body["input"])) > self.longest:
            return web.json_response({"error": {"message": "too large"}}, status=413)
        self.texts += body["input"]
        self.keys.append(request.headers.get("Authorization", ""))
        await asyncio.sleep(self.wait)
        rows = [{"index": place, "embedding": embedding(text)} for place, text in enumerate(body["input"])]
        # In any order: the index says which is whose.
        answer = self.answer if self.answer is not None else {"data": rows[::-1], "model": body["model"]}
        return web.json_response(answer, status=self.status)


@asynccontextmanager
async def embedder() -> AsyncIterator[Embedder]:
    """One on a free port."""
    server, app = Embedder(), web.Application()
    app.router.add_post("/v1/embeddings", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
