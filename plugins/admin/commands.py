"""What each of the owner's commands does, and what it says back.

Knows the bridge to the running persona. Doesn't know how a command line is recognised, nor who
may give one: that is settled before anything here is called.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.port import Unsent
from config.errors import MyBotError
from plugins.chat.bridge import Bridge

log = logging.getLogger("bot.admin")


@dataclass(slots=True, frozen=True)
class Command:
    """A word, its Chinese alias, one line about it, and what it does in a chat."""

    word: str
    alias: str
    about: str
    act: Callable[[Bridge, str], Awaitable[str]]


async def run(command: Command, bridge: Bridge, chat: str, *, understood: bool) -> None:
    """Do it and say so. What goes wrong stands in the log: a group may be reading."""
    try:
        answer = await command.act(bridge, chat) if understood else f"用法：/{command.word}（{command.about}）"
    except MyBotError as error:
        log.error("/%s: %s (%s)", command.word, error, error.hint)
        answer = "没成，还是原来的样子；原因写在日志里了"
    try:
        await bridge.port.send(chat, answer, None)
    except Unsent as error:
        log.warning("the answer to /%s was not sent: %s", command.word, error)


async def status(bridge: Bridge, chat: str) -> str:
    now = bridge.runner.status()
    here = "开" if bridge.runner.is_on(chat) else "关"
    return (
        f"{now.persona}（{now.hash or '没有封存'}），已运行{_how_long(time.time() - now.since)}\n"
        f"这里：{here}；开着的聊天 {len(now.on)} 个\n"
        f"回了 {now.answered} 条，正在想 {now.drafting}，排队 {now.waiting}，被限 {now.capped}，失败 {now.failed}"
    )


async def reload(bridge: Bridge, _chat: str) -> str:
    persona = await bridge.reload()
    return f"换好了：{persona.name}（{persona.hash}）"


async def rollback(bridge: Bridge, _chat: str) -> str:
    persona = await bridge.rollback()
    return f"退回去了：{persona.name}（{persona.hash}）"


async def on(bridge: Bridge, chat: str) -> str:
    await bridge.runner.switch(chat, True)
    return "好，这里开着了"


async def off(bridge: Bridge, chat: str) -> str:
    await bridge.runner.switch(chat, False)
    return "好，这里我不说话了"


async def clear(bridge: Bridge, chat: str) -> str:
    await bridge.runner.clear(chat)
    return "好，前面的我不看了"


def _how_long(seconds: float) -> str:
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f" {days} 天 {hours} 小时"
    return f" {hours} 小时 {minutes % 60} 分" if hours else f" {minutes} 分钟"


COMMANDS: tuple[Command, ...] = (
    Command("status", "状态", "看看现在怎么样", status),
    Command("reload", "重载", "换上最新的人格", reload),
    Command("rollback", "回滚", "退回上一个人格", rollback),
    Command("on", "开启", "在这个聊天里说话", on),
    Command("off", "关闭", "在这个聊天里闭嘴", off),
    Command("clear", "清空", "前面说过的不再看", clear),
)
