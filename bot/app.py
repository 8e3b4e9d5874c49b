"""`mybot run`: NoneBot with the adapters and plugins of the [bot] table.

Knows which settings NoneBot needs and what may stand in its log. Doesn't know what a message
means: that is the plugins' part.
"""

import importlib
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import nonebot
from nonebot.exception import WebSocketClosed
from nonebot.log import LoguruHandler, default_format, logger

from bot import owner
from bot.whereabouts import check, host_of
from config.errors import MyBotError
from config.settings import ROOT, Bot

if TYPE_CHECKING:
    from loguru import Record

PLUGINS = ("plugins.chat", "plugins.admin")
_UNREAD = re.compile(r"(?:Error when parsing|Failed to parse) event")


def main(knobs: Bot) -> None:
    """Answer on the platforms until a signal; exits 0 on SIGTERM and Ctrl-C."""
    check(knobs)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log_to_stderr()
    nonebot.init(_env_file=[ROOT / ".env"], **for_nonebot(knobs))
    for name in knobs.adapters:
        nonebot.get_driver().register_adapter(_adapter(name))
    for name in PLUGINS:
        if nonebot.load_plugin(name) is None:
            raise RuntimeError(f"{name} did not load; the log above says why")
    nonebot.run()


def for_nonebot(knobs: Bot) -> dict[str, Any]:
    """What NoneBot, its adapters and our plugins read from its config."""
    values: dict[str, Any] = {
        **_from_environment(knobs.adapters),
        "driver": "bot.driver:Driver" if knobs.port else "bot.driver:Forward",
        "host": str(host_of(knobs)),
        "superusers": owner.for_nonebot(knobs.superusers),
        "nickname": set(knobs.nickname),
        "command_start": set(knobs.command_start),
        "onebot_v11_ws_urls": set(knobs.onebot_v11_ws_urls),
        "mybot": knobs,
    }
    if knobs.port:
        values["port"] = knobs.port
    if knobs.onebot_access_token:
        values["onebot_v11_access_token"] = knobs.onebot_access_token.get_secret_value()
    return values


def _from_environment(adapters: Iterable[str]) -> dict[str, Any]:
    """What other adapters are told by variables, such as TELEGRAM_BOTS: NoneBot takes those from a file only."""
    values: dict[str, Any] = {}
    for prefix in {f"{_package(name)}_" for name in adapters} - {"onebot_"}:
        for name, value in os.environ.items():
            if name.lower().startswith(prefix):
                try:
                    values[name.lower()] = json.loads(value)
                except ValueError:
                    values[name.lower()] = value
    return values


def log_to_stderr() -> None:
    """One log for NoneBot and for us, with nobody's words in it."""
    logger.remove()
    logger.add(sys.stderr, level=0, diagnose=False, backtrace=False, filter=may_be_logged, format=default_format)
    logging.basicConfig(handlers=[LoguruHandler()], level=logging.INFO, force=True)


def may_be_logged(record: "Record") -> bool:
    """Whether a record is for the log: no message text above DEBUG, no secret ever.

    NoneBot writes each event with its text at SUCCESS; the adapter writes a quoted message it can't
    read into a warning, and a traceback for each closed link, of which the driver says more clearly.
    """
    level = record["extra"].get("nonebot_log_level", "INFO")
    least = logger.level(level).no if isinstance(level, str) else level
    text, number = record["message"], record["level"].no
    if number < least or text.startswith("Loaded Config"):
        return False
    if least <= logging.DEBUG:
        return True
    if record["name"] == "nonebot" and record["module"] in ("message", "matcher") and number < logging.WARNING:
        return False
    if unread := _UNREAD.search(text):
        # Adapters write an event that they can't read into the log, words and all.
        record["message"], record["exception"] = text[: unread.end()], None
        return True
    closed = record["exception"] is not None and isinstance(record["exception"].value, WebSocketClosed)
    return not closed and "message reply info" not in text


def _adapter(name: str) -> Any:
    try:
        return importlib.import_module(name).Adapter
    except (ModuleNotFoundError, AttributeError):
        raise MyBotError(
            f"[bot] adapters: {name} is not installed", hint=f"pip install nonebot-adapter-{_package(name)}"
        ) from None


def _package(adapter: str) -> str:
    """What an adapter's package and its variables are called after."""
    return adapter.removeprefix("nonebot.adapters.").split(".")[0]
