"""The owner's commands. Anybody else gets silence.

A line that is one of these commands never reaches the chat plugin, whoever wrote it: it is no
conversation and starts no turn. Only NoneBot's SUPERUSERS are answered.
"""

from typing import Any

from nonebot import get_driver, require
from nonebot.adapters import Event
from nonebot.adapters.onebot.v11 import Bot as Account, MessageEvent
from nonebot.permission import SUPERUSER
from nonebot.plugin import PluginMetadata
from pydantic import BaseModel

require("nonebot_plugin_alconna")
require("plugins.chat")

from arclet.alconna import Alconna, Args, CommandMeta, Namespace, Option, Subcommand, config  # noqa: E402
from nonebot_plugin_alconna import AlconnaMatches, Arparma, on_alconna  # noqa: E402

from plugins.admin.commands import COMMANDS, Command, Line, explain, run, say  # noqa: E402
from plugins.chat import bridge  # noqa: E402
from plugins.chat.onebot import chat_of  # noqa: E402


class Config(BaseModel):
    """Nothing of its own: SUPERUSERS and COMMAND_START are NoneBot's."""


__plugin_meta__ = PluginMetadata(
    name="mybot-admin",
    description="主人的命令：看状态、换人格、在哪里说话",
    usage="\n".join(f"/{c.word} {c.alias}：{c.about}" for c in COMMANDS),
    type="application",
    config=Config,
    supported_adapters={"~onebot.v11"},
)

# Alconna's built-in options would answer `/status --help` to anybody, and some can't be parsed at all.
QUIET = config.namespaces["mybot"] = Namespace(
    "mybot",
    disable_builtin_options={"help", "shortcut", "completion"},
    builtin_option_name={"help": set(), "shortcut": set(), "completion": set()},
)


async def prefixed(event: Event) -> bool:
    """Whether a line can be a command at all: most can't, and need no parsing."""
    starts = tuple(get_driver().config.command_start)
    # A message that couldn't be read is an event of type "message" too, and has no text.
    return isinstance(event, MessageEvent) and event.get_plaintext().lstrip().startswith(starts)


def register(head: str, commands: list[Command]) -> None:
    """Let the commands that begin with one word answer their owner, and swallow them from everybody."""
    matcher = on_alconna(
        grammar(head, commands),
        rule=prefixed,
        auto_send_output=False,
        skip_for_unmatch=False,
        use_cmd_start=True,
        priority=1,
        block=True,
    )

    @matcher.handle()
    async def _(account: Account, event: MessageEvent, line: Arparma = AlconnaMatches()) -> None:  # noqa: B008
        if not await SUPERUSER(account, event):
            return
        chat = chat_of(event)
        owner = f"qq:private:{event.get_user_id()}"
        for place in {chat, owner}:
            bridge.port.meet(place, account.self_id)
        command = chosen(commands, line)
        if command is None:
            await say(commands[0], bridge, chat, explain(commands))
        else:
            force = line.find("force") or line.find(f"{command.word}.force")
            await run(command, bridge, Line(chat, owner, str(line.query("name", "")), force))


def grammar(head: str, commands: list[Command]) -> Alconna:
    """What Alconna has to know of these commands; the second word of a command is a subcommand."""
    aliases = {command.alias.split()[0] for command in commands}
    words = "|".join([head, *sorted(aliases)])
    about = CommandMeta("；".join(command.about for command in commands))
    if len(commands) == 1 and " " not in commands[0].word:
        return Alconna(f"re:(?:{words})", *_parts(commands[0]), meta=about, namespace=QUIET)
    below = [
        Subcommand(command.word.split()[1], *_parts(command), alias=[command.alias.split()[1]], dest=command.word)
        for command in commands
    ]
    return Alconna(f"re:(?:{words})", *below, meta=about, namespace=QUIET)


def chosen(commands: list[Command], line: Arparma) -> Command | None:
    """Which of the commands a line is; None where it can't be read."""
    if not line.matched:
        return None
    if len(commands) == 1 and " " not in commands[0].word:
        return commands[0]
    return next((command for command in commands if line.find(command.word)), None)


def _parts(command: Command) -> list[Any]:
    force = [Option("--force", alias=["强制"], dest="force")] if command.may_force else []
    return [*([Args["name", str]] if command.takes else []), *force]


_heads: dict[str, list[Command]] = {}
for _command in COMMANDS:
    _heads.setdefault(_command.word.split()[0], []).append(_command)
for _head, _those in _heads.items():
    register(_head, _those)
