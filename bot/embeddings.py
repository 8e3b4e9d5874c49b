"""Vectors of texts, from any server that speaks the OpenAI protocol (POST /embeddings).

Whatever happens there, somebody who waits for a reply waits no longer than `timeout`, and a server that failed is
left alone for a while. Personal data never reaches it. Knows nothing of chats, nor of what vectors are for.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from bot.persona import privacy
from bot.recall_vectors import NOTHING, Vector
from config.errors import SettingsError
from config.settings import Bot

logger = logging.getLogger(__name__)

LONGEST = 500
"""Characters of a text that are sent."""
PATIENCE = 60.0
"""Seconds that a request may take for which nobody waits."""
REFUSED = (400, 413, 422, 500)
"""HTTP status by which servers refuse what is too long, or too much at once."""
REST, LONGEST_REST = 10.0, 600.0
"""Seconds in which a server that failed isn't asked again; each time twice as long."""

_FAULTS = (
    *(aiohttp.ClientError, asyncio.TimeoutError, OSError),
    *(ValueError, KeyError, TypeError, OverflowError, RecursionError),
)
"""How a server fails, and how an answer is none."""


class Embeddings:
    """One server. `url` ends in /v1; `timeout` is how long a reply may wait for it, in seconds."""

    def __init__(self, url: str, *, model: str, api_key: str = "", timeout: float = 0.5) -> None:
        self.model = model
        self.requests = self.failures = 0
        self._url, self._timeout = url.rstrip("/"), timeout
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: aiohttp.ClientSession | None = None
        self._rest, self._again_at = REST, 0.0

    @classmethod
    def of_settings(cls, settings: Bot) -> "Embeddings | None":
        """As [bot] says; None where it names no server. SettingsError where it names no model."""
        if not settings.embeddings:
            return None
        if not settings.embeddings_model:
            raise SettingsError("[bot] embeddings needs embeddings_model", hint="the name that the server knows it by")
        key = settings.embeddings_api_key
        return cls(
            settings.embeddings,
            model=settings.embeddings_model,
            api_key=key.get_secret_value() if key else "",
            timeout=settings.embeddings_timeout,
        )

    async def of(self, texts: Sequence[str], *, waited_for: bool = True) -> list[Vector] | None:
        """A vector of each text, NOTHING of an empty one; None where the server gives none in time.

        Nobody waits for what isn't `waited_for`: it may take a minute, and of what the server refuses as a whole
        it is asked for the parts; NOTHING of a text that it doesn't take.
        """
        if time.monotonic() < self._again_at:
            return None
        sent = [privacy.scrub(" ".join(text.split()))[:LONGEST] for text in texts]
        wanted = [text for text in sent if text]
        try:
            found = iter(await (self._asked(wanted, self._timeout) if waited_for else self._in_parts(wanted)))
        except _FAULTS as error:
            self._failed(error)
            return None
        if self._again_at and wanted:
            logger.info("embeddings: the server answers again")
            self._rest, self._again_at = REST, 0.0
        return [next(found) if text else NOTHING for text in sent]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _in_parts(self, texts: Sequence[str]) -> list[Vector]:
        try:
            return await self._asked(texts, PATIENCE)
        except aiohttp.ClientResponseError as error:
            if error.status not in REFUSED:
                raise
            if len(texts) == 1:
                return [NOTHING]
            half = len(texts) // 2
            found = [*await self._in_parts(texts[:half]), *await self._in_parts(texts[half:])]
            if not any(one.numbers for one in found):
                raise  # it takes nothing at all
            return found

    async def _asked(self, texts: Sequence[str], timeout: float) -> list[Vector]:
        if not texts:
            return []
        self.requests += 1
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        body = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        async with self._session.post(
            f"{self._url}/embeddings", json=body, timeout=aiohttp.ClientTimeout(total=timeout)
        ) as response:
            response.raise_for_status()
            return _vectors(await response.json(content_type=None), len(texts))

    def _failed(self, error: Exception) -> None:
        """Leave the server alone for a while; neither its address nor a text is told."""
        self.failures += 1
        self._again_at = time.monotonic() + self._rest
        status = f" {error.status}" if isinstance(error, aiohttp.ClientResponseError) else ""
        counts = self.failures, self.requests
        told = "embeddings: %s%s (failure %d of %d requests); words alone find for %.0f s"
        logger.warning(told, type(error).__name__, status, *counts, self._rest)
        self._rest = min(self._rest * 2, LONGEST_REST)


def _vectors(answer: Any, count: int) -> list[Vector]:
    """The vectors of an answer, in the order of what was asked. Errors of all sorts where it is none."""
    rows = sorted(answer["data"], key=lambda row: row["index"])
    found = [Vector.of([float(value) for value in row["embedding"]]) for row in rows]
    if len(found) != count or len({len(one.numbers) for one in found}) > 1:
        raise ValueError("not a vector for each text")
    return found
