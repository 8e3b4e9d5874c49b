"""Two model hubs on this machine over real HTTP: one that speaks as the Hugging Face hub, one as ModelScope.

Runs in a thread. `slow` makes a file trickle, `broken` counts connections that are cut in the middle of one.
"""

import asyncio
import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "hf_invented"
COMMIT = "c0ffee" * 6 + "c0ff"


@dataclass
class Server:
    """What is on the hub, how it behaves, and what it was asked."""

    files: dict[str, bytes]
    gated: bool = False
    ranges: bool = True
    lie: str = ""
    """The file whose announced hash is wrong."""
    slow: str = ""
    dead: str = ""
    """The file of which nothing ever arrives."""
    broken: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """File and Range of each download."""
    url: str = ""
    began: threading.Event = field(default_factory=threading.Event)
    """Set when half of a slow file was sent."""

    def __enter__(self) -> "Server":
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(self, *_: Any) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    def _run(self, ready: threading.Event) -> None:
        app = web.Application()
        app.router.add_get("/api/models/{owner}/{name}/revision/{revision}", self._hub)
        app.router.add_get("/{owner}/{name}/resolve/{revision}/{path:.*}", self._resolve)
        app.router.add_get("/storage/{path:.*}", self._storage)
        app.router.add_get("/api/v1/models/{owner}/{name}/repo/files", self._modelscope)
        app.router.add_get("/api/v1/models/{owner}/{name}/repo", self._modelscope_file)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

        async def start() -> None:
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
            ready.set()

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(start())
        self._loop.run_forever()

    def _sha256(self, path: str) -> str:
        return hashlib.sha256(self.files[path] + (b"!" if path == self.lie else b"")).hexdigest()

    def _known(self, request: web.Request) -> bool:
        return f"{request.match_info['owner']}/{request.match_info['name']}" == "owner/toy"

    async def _hub(self, request: web.Request) -> web.Response:
        if not self._known(request):
            # The hub says 401, so that nobody learns which private models there are.
            return web.json_response(
                {"error": "Invalid username or password."}, status=401, headers={"X-Error-Code": "RepoNotFound"}
            )
        if request.match_info["revision"] not in ("main", COMMIT):
            return web.json_response({}, status=404, headers={"X-Error-Code": "RevisionNotFound"})
        files = [
            {
                "rfilename": path,
                "size": len(content),
                **({"lfs": {"sha256": self._sha256(path)}} if len(content) > 9999 else {}),
            }
            for path, content in self.files.items()
        ]
        return web.json_response({"sha": COMMIT, "siblings": files})

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        if self.gated and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401, headers={"X-Error-Code": "GatedRepo"})
        if request.match_info["path"].endswith(".safetensors"):
            raise web.HTTPFound(f"/storage/{request.match_info['path']}")
        return await self._send(request, request.match_info["path"])

    async def _storage(self, request: web.Request) -> web.StreamResponse:
        return await self._send(request, request.match_info["path"])

    async def _modelscope(self, request: web.Request) -> web.Response:
        if not self._known(request) or request.query["Revision"] != "master":
            return web.json_response({"Code": 10010205001, "Message": "not found", "Success": False}, status=404)
        files = [
            {"Path": path, "Type": "blob", "Size": len(content), "Sha256": self._sha256(path)}
            for path, content in self.files.items()
        ]
        return web.json_response(
            {"Code": 200, "Success": True, "Data": {"Files": [{"Path": "folder", "Type": "tree"}, *files]}}
        )

    async def _modelscope_file(self, request: web.Request) -> web.StreamResponse:
        if self.gated and request.cookies.get("m_session_id") != TOKEN:
            return web.Response(status=403)
        return await self._send(request, request.query["FilePath"])

    async def _send(self, request: web.Request, path: str) -> web.StreamResponse:
        content, asked = self.files[path], request.headers.get("Range", "")
        self.asked.append((path, asked))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        response = web.StreamResponse(status=206 if asked and self.ranges else 200)
        response.content_length = len(content) - start
        await response.prepare(request)
        cut = len(content) - (len(content) - start) // 2
        if path == self.dead:
            self.broken[path], cut = 1, start
        await response.write(content[start:cut])
        if self.broken.get(path, 0) > 0:
            self.broken[path] -= 1
            assert request.transport is not None
            request.transport.abort()
            return response
        if self.slow == path and not asked:
            self.began.set()
            await asyncio.sleep(60)
        await response.write(content[cut:])
        return response
