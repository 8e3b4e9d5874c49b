"""Which frames of a OneBot link an adapter can read, and what a refusal says to a person.

Knows OneBot v11's frames: events have a `post_type`, answers an `echo`. Doesn't know sockets.
An adapter closes the whole link over a frame that it can't read, so such a frame must not reach it.
"""

import json
from collections import deque
from typing import Any

TOKEN = "it refused the token; set MYBOT_BOT_ONEBOT_ACCESS_TOKEN in .env to the one NapCat shows"
_REFUSED = frozenset({1401, 1403})
"""`retcode` of the frame by which a OneBot side refuses a token after the handshake."""

_MESSAGE = ("message_type", "sub_type", "message_id", "user_id", "message", "raw_message", "font", "sender")
"""What OneBot v11 says every message has."""


class Sieve:
    """The frames of one link, in order."""

    def __init__(self) -> None:
        self._echoes: deque[str] = deque(maxlen=64)

    def unreadable(self, data: str | bytes) -> str:
        """Why a frame can't go to the adapter; empty: it can."""
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            return "it is not JSON"
        if not isinstance(content, dict):
            return "it is not an object"
        if "post_type" not in content:
            return self._answered(content)
        shaped = isinstance(content["post_type"], str) and all(_number(content.get(key)) for key in ("time", "self_id"))
        if not shaped:
            return "the event has no time or no account"
        return _lacks(content) if content["post_type"] == "message" else ""

    def _answered(self, answer: dict[str, Any]) -> str:
        """A second answer to one call breaks the adapter's future for it."""
        echo = answer.get("echo")
        if isinstance(echo, str) and echo in self._echoes:
            return "this call was answered before"
        if isinstance(echo, str):
            self._echoes.append(echo)
        return ""


def refuses(data: str) -> bool:
    """Whether the first frame of a link is a refusal of our token."""
    content = json.loads(data)
    return "post_type" not in content and content.get("retcode") in _REFUSED


def handshake(status: int) -> str:
    """What an HTTP answer means that came instead of a WebSocket."""
    if status in (401, 403):
        return TOKEN
    return f"it answered {status} instead of a WebSocket; is the address right?"


def _lacks(message: dict[str, Any]) -> str:
    """NoneBot takes a message without these for an event without text, and every rule fails on it."""
    needed = [*_MESSAGE, "group_id"] if message.get("message_type") == "group" else _MESSAGE
    missing = [key for key in needed if key not in message]
    return f"the message has no {', '.join(missing)}" if missing else ""


def _number(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdecimal())
