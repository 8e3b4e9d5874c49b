"""The owner's commands. Anybody else gets silence.

A line that is one of these commands never reaches the chat plugin, whoever wrote it: it is no
conversation and starts no turn. Only NoneBot's SUPERUSERS are answered.
"""

from nonebot import get_driver, require
from nonebot.adapters import Event
from nonebot.adapters.onebot.v11 import Bot as Account, MessageEvent
from nonebot.permission import SUPERUSER
from nonebot.plugin import PluginMetadata
from pydantic import BaseModel

require("nonebot_plugin_alconna")
require("plugins.chat")

from arclet.alconna import Alconna, CommandMeta, Namespace, config  # noqa: E402
from nonebot_plugin_alconna import AlconnaMatches, Arparma, on_alconna  # noqa: E402

from plugins.admin.commands import COMMANDS, Command, run  # noqa: E402
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


def register(command: Command) -> None:
    """Let a command answer its owner, and swallow it from everybody."""
    matcher = on_alconna(
        Alconna(f"re:(?:{command.word}|{command.alias})", CommandMeta(command.about), namespace=QUIET),
        rule=prefixed,
        auto_send_output=False,
        skip_for_unmatch=False,
        use_cmd_start=True,
        priority=1,
        block=True,
    )

    @matcher.handle()
    async def _(account: Account, event: MessageEvent, line: Arparma = AlconnaMatches()) -> None:  # noqa: B008
        if await SUPERUSER(account, event):
            bridge.port.meet(chat_of(event), account.self_id)
            await run(command, bridge, chat_of(event), understood=line.matched)


for _command in COMMANDS:
    register(_command)
