"""A QQ side: OneBot v11 over a real WebSocket, in both directions, as NapCat behaves.

Knows the protocol and keeps what it was asked to send. Doesn't know the bot.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

ACCOUNT = 10000
OWNER = 20001
FRIEND = 20002
STRANGER = 20003
GROUP = 70001


@dataclass
class Sent:
    """A message that the bot had us send."""

    chat: str
    text: str
    quote: str | None
    id: int
    time: float = field(default_factory=time.monotonic)


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "data": {"text": words}}


def at(who: int | str) -> dict[str, Any]:
    return {"type": "at", "data": {"qq": str(who)}}


def reply(id_: int) -> dict[str, Any]:
    return {"type": "reply", "data": {"id": str(id_)}}


class Peer:
    """One QQ account. `refuse` is how a wrong token is met: by HTTP 403, or by NapCat's frame.

    `lacks` are calls that this QQ side doesn't know.
    """

    def __init__(
        self,
        token: str = "",
        *,
        refuse: str = "403",
        report_self: bool = False,
        account: int = ACCOUNT,
        lacks: tuple[str, ...] = (),
    ) -> None:
        self.token = token
        self.account = account
        self.lacks = lacks
        self.refuse = refuse
        self.report_self = report_self
        self.sent: list[Sent] = []
        self.calls: list[dict[str, Any]] = []
        self.knocks = 0
        self.headers: list[str] = []
        self._said: dict[int, dict[str, Any]] = {}
        self._ids = count((int(time.time() * 100) + account * 1_000_000) % 2**31)
        self._change = asyncio.Condition()
        self._ws: web.WebSocketResponse | aiohttp.ClientWebSocketResponse | None = None
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._reading: asyncio.Task[None] | None = None

    async def serve(self) -> str:
        """Be the WebSocket server (NapCat's WebSocket 服务端); returns our address."""
        app = web.Application()
        app.router.add_get("/", self._knock)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"ws://127.0.0.1:{self._runner.addresses[0][1]}"

    async def dial(self, port: int, path: str = "/onebot/v11/ws", timeout: float = 20) -> None:
        """Be the WebSocket client (NapCat's WebSocket 客户端), trying until the bot listens."""
        headers = {"X-Self-ID": str(self.account), "X-Client-Role": "Universal"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self._session = self._session or aiohttp.ClientSession()
        for _ in range(int(timeout / 0.1)):
            try:
                ws = await self._session.ws_connect(f"ws://127.0.0.1:{port}{path}", headers=headers)
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.1)
                continue
            self._reading = asyncio.create_task(self._talk(ws))
            return
        raise TimeoutError("the bot does not listen")

    async def close(self) -> None:
        await self.hang_up()
        if self._reading is not None:
            await self._reading
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def hang_up(self) -> None:
        if self._ws is not None:
            await self._ws.close()

    async def connected(self, timeout: float = 20) -> None:
        await self.until(lambda: self._ws is not None, timeout)

    async def until(self, true: Callable[[], bool], timeout: float = 15) -> None:
        """Wait until something about this peer is true."""
        async with self._change:
            await asyncio.wait_for(self._change.wait_for(true), timeout)

    async def answers(self, number: int, timeout: float = 15) -> list[str]:
        """The texts sent so far, once there are so many."""
        try:
            await self.until(lambda: len(self.sent) >= number, timeout)
        except asyncio.TimeoutError:
            raise AssertionError(f"wanted {number} messages, got {[s.text for s in self.sent]}") from None
        return [s.text for s in self.sent]

    async def private(self, user: int, *parts: dict[str, Any] | str, **fields: Any) -> int:
        """Somebody writes to the bot alone; returns the message's id. `unheard`: only QQ knows of it."""
        event = {"message_type": "private", "sub_type": "friend", "user_id": user, "target_id": self.account}
        return await self._message(event, parts, fields)

    async def group(self, user: int, *parts: dict[str, Any] | str, group: int = GROUP, **fields: Any) -> int:
        event = {"message_type": "group", "sub_type": "normal", "user_id": user, "group_id": group}
        return await self._message(event, parts, fields)

    async def event(self, **fields: Any) -> None:
        await self.frame(json.dumps({"time": int(time.time()), "self_id": self.account, **fields}))

    async def frame(self, data: str) -> None:
        assert self._ws is not None, "the bot is not connected"
        await self._ws.send_str(data)

    async def _message(self, event: dict[str, Any], parts: tuple[Any, ...], fields: dict[str, Any]) -> int:
        segments = [text(part) if isinstance(part, str) else part for part in parts]
        id_ = fields.pop("message_id", None) or next(self._ids)
        sender = {"user_id": event["user_id"], "nickname": f"网友{event['user_id']}", "card": fields.pop("card", "")}
        content = {"message": segments, "raw_message": "…", "font": 14, "message_format": "array"}
        whole = {"message_id": id_, "real_id": id_, "sender": sender, **event, **content, **fields}
        unheard = whole.pop("unheard", False)
        self._said[id_] = {"time": int(time.time()), **whole}
        if unheard:
            return id_
        await self.event(**{"post_type": "message", **whole})
        return id_

    async def _knock(self, request: web.Request) -> web.StreamResponse:
        async with self._change:
            self.knocks += 1
            self._change.notify_all()
        self.headers.append(request.headers.get("Authorization", ""))
        right = not self.token or self.headers[-1] == f"Bearer {self.token}"
        if not right and self.refuse == "403":
            return web.Response(status=403)
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        if not right:
            await ws.send_json(
                {"status": "failed", "retcode": 1403, "data": None, "message": "token验证失败", "echo": None}
            )
            await ws.close()
            return ws
        await self._talk(ws)
        return ws

    async def _talk(self, ws: "web.WebSocketResponse | aiohttp.ClientWebSocketResponse[bool]") -> None:
        await ws.send_json(
            {"time": int(time.time()), "self_id": self.account, "post_type": "meta_event"}
            | {"meta_event_type": "lifecycle", "sub_type": "connect"}
        )
        await self._now(ws)
        async for frame in ws:
            if frame.type == WSMsgType.TEXT:
                await self._act(json.loads(frame.data), ws)
        await self._now(None)

    async def _now(self, ws: Any) -> None:
        async with self._change:
            self._ws = ws
            self._change.notify_all()

    async def _act(self, call: dict[str, Any], ws: Any) -> None:
        self.calls.append(call)
        action, params = call["action"], call["params"]
        answer: dict[str, Any] = {"status": "ok", "retcode": 0, "data": None, "echo": call["echo"]}
        if action in self.lacks:
            answer.update(status="failed", retcode=1404, message="不支持的Api")
        elif action in ("send_group_msg", "send_private_msg"):
            answer["data"] = {"message_id": await self._send(action, params)}
        elif action == "get_group_info":
            answer["data"] = {"group_id": params["group_id"], "group_name": "周末爬山"}
        elif action == "get_msg" and params["message_id"] in self._said:
            answer["data"] = {"time": int(time.time()), **self._said[params["message_id"]]}
        elif action in ("get_group_msg_history", "get_friend_msg_history"):
            answer["data"] = {"messages": self._past(params)}
        elif action in ("delete_msg", "set_msg_emoji_like", "set_input_status"):
            pass
        else:
            answer.update(status="failed", retcode=1404, message="不支持的Api")
        if not ws.closed:
            await ws.send_json(answer)
        async with self._change:
            self._change.notify_all()

    def _past(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        group, user = params.get("group_id"), params.get("user_id")
        of_group = (row for row in self._said.values() if group and row.get("group_id") == group)
        of_user = (row for row in self._said.values() if user and "group_id" not in row and row["user_id"] == user)
        return [*of_group, *of_user][-params["count"] :]

    async def _send(self, action: str, params: dict[str, Any]) -> int:
        kind = action.split("_")[1]
        peer = params[f"{'group' if kind == 'group' else 'user'}_id"]
        parts = params["message"]
        words = "".join(p["data"]["text"] for p in parts if p["type"] == "text")
        quote = next((p["data"]["id"] for p in parts if p["type"] == "reply"), None)
        id_ = next(self._ids)
        self.sent.append(Sent(f"{kind}:{peer}", words, quote, id_))
        event = {"message_type": kind, "user_id": self.account, "sender": {"user_id": self.account, "nickname": "我"}}
        event |= {"group_id": peer} if kind == "group" else {"target_id": peer}
        event |= {"message_id": id_, "real_id": id_, "message": parts, "raw_message": "…", "font": 14}
        self._said[id_] = event
        if self.report_self:
            # NapCat's echo may come before the answer to the call.
            await self.event(post_type="message_sent", sub_type="normal", **event)
        return id_
