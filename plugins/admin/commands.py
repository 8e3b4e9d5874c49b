"""What each of the owner's commands does, and what it says back.

Knows the bridge to the running personas. Doesn't know how a command line is recognised, nor who
may give one: that is settled before anything here is called.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.port import Unsent
from config.errors import MyBotError
from plugins.admin import model, status
from plugins.chat.bridge import Bridge

log = logging.getLogger("bot.admin")


@dataclass(slots=True, frozen=True)
class Command:
    """One or two words, their Chinese aliases, one line about it, and what it does in a chat.

    `takes` is what the word is followed by; `may_force` adds --force.
    """

    word: str
    alias: str
    about: str
    act: "Act"
    takes: str = ""
    may_force: bool = False

    @property
    def usage(self) -> str:
        force = " [--force]" if self.may_force else ""
        return f"/{self.word}{f' {self.takes}' if self.takes else ''}{force}（{self.about}）"


@dataclass(slots=True, frozen=True)
class Line:
    """A command as it was given: where, and with which words."""

    chat: str
    owner: str
    """The private chat of who gave it."""
    name: str = ""
    force: bool = False


Act = Callable[[Bridge, Line], Awaitable[str]]


async def run(command: Command, bridge: Bridge, line: Line) -> None:
    """Do it and say so. Why something went wrong is for the owner alone: a group may be reading."""
    try:
        answer = await command.act(bridge, line)
    except MyBotError as error:
        log.error("/%s: %s (%s)", command.word, error, error.hint)
        answer = "没成，还是原来的样子"
        why = f"{answer}。原因：{getattr(error, 'said', '') or error}"
        if line.chat == line.owner:
            answer = why
        else:
            await say(command, bridge, line.owner, f"/{command.word} {why}")
    await say(command, bridge, line.chat, answer)


async def say(command: Command, bridge: Bridge, chat: str, answer: str) -> None:
    try:
        await bridge.port.send(chat, answer, None)
    except Unsent as error:
        log.warning("the answer to /%s was not sent: %s", command.word, error)


def explain(commands: list[Command]) -> str:
    """How these commands are written."""
    return "用法：" + "\n".join(command.usage for command in commands)


async def on(bridge: Bridge, line: Line) -> str:
    await bridge.runner.set_mode(line.chat, "called")
    return "好，这里开着了"


async def off(bridge: Bridge, line: Line) -> str:
    await bridge.runner.set_mode(line.chat, "off")
    return "好，这里我不说话了"


async def clear(bridge: Bridge, line: Line) -> str:
    await bridge.runner.clear(line.chat)
    return "好，前面的我不看了"


def _here(act: Callable[[Bridge, str], Awaitable[str]]) -> Act:
    return lambda bridge, line: act(bridge, line.chat)


COMMANDS: tuple[Command, ...] = (
    Command("status", "状态", "看看现在怎么样", _here(status.status)),
    Command("reload", "重载", "换上最新的版本", lambda b, x: model.reload(b, x.chat, force=x.force), may_force=True),
    Command("model list", "模型 列表", "有哪些人格和版本", _here(model.show)),
    Command(
        "model load",
        "模型 切换",
        "换成这里人格的另一个版本",
        lambda b, x: model.load(b, x.chat, x.name, force=x.force),
        takes="版本",
        may_force=True,
    ),
    Command("model use", "模型 使用", "这个聊天换一个人格", lambda b, x: model.use(b, x.chat, x.name), takes="人格"),
    Command("model rollback", "模型 回滚", "退回上一个版本", _here(model.rollback)),
    Command("pause", "暂停", "停下模型，把显卡空出来", _here(model.pause)),
    Command("resume", "继续", "把模型开回来", _here(model.resume)),
    Command("on", "开启", "在这个聊天里说话", on),
    Command("off", "关闭", "在这个聊天里闭嘴", off),
    Command("clear", "清空", "前面说过的不再看", clear),
)
