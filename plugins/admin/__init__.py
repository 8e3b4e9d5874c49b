"""The commands of the owner, of the bot's admins, and of a group's own. Anybody else gets silence.

A line that is one of these commands never reaches the chat plugin, whoever wrote it: it is no
conversation and starts no turn.
"""

from collections.abc import Sequence

from nonebot import get_driver, require
from nonebot.adapters import Bot as BaseBot, Event as BaseEvent
from nonebot.adapters.onebot.v11 import Event as QQEvent, GroupMessageEvent, MessageEvent
from nonebot.permission import Permission
from nonebot.plugin import PluginMetadata, inherit_supported_adapters
from pydantic import BaseModel

require("nonebot_plugin_alconna")
require("plugins.chat")

from arclet.alconna import Alconna, AllParam, Args, CommandMeta, Namespace, config  # noqa: E402
from nonebot_plugin_alconna import At, Reply, Text, UniMessage, on_alconna  # noqa: E402
from nonebot_plugin_alconna.uniseg import get_message_id  # noqa: E402

from plugins.admin import words  # noqa: E402
from plugins.admin.commands import COMMANDS, Command, run  # noqa: E402
from plugins.admin.line import Line  # noqa: E402
from plugins.admin.roles import role_of  # noqa: E402
from plugins.chat import bridge, elsewhere, onebot  # noqa: E402


class Config(BaseModel):
    """Nothing of its own: SUPERUSERS and COMMAND_START are NoneBot's."""


__plugin_meta__ = PluginMetadata(
    name="mybot-admin",
    description=f"{words.PLUGIN('zh')} / {words.PLUGIN('en')}",
    usage="\n".join(command.usage("zh") for command in COMMANDS),
    type="application",
    config=Config,
    supported_adapters=inherit_supported_adapters("nonebot_plugin_alconna"),
)

# Alconna's built-in options would answer `/status --help` to anybody, and some can't be parsed at all.
QUIET = config.namespaces["mybot"] = Namespace(
    "mybot",
    disable_builtin_options={"help", "shortcut", "completion"},
    builtin_option_name={"help": set(), "shortcut": set(), "completion": set()},
)
FORCE = ("--force", "强制")


async def prefixed(event: BaseEvent) -> bool:
    """Whether a line can be a command at all: most can't, and need no parsing."""
    if event.get_type() != "message":
        return False
    try:
        text = event.get_plaintext()
    except (ValueError, NotImplementedError, AttributeError):  # a message that couldn't be read has no text
        return False
    return text.lstrip().startswith(tuple(get_driver().config.command_start))


def register(commands: Sequence[Command]) -> None:
    """Let the commands answer those who may, and swallow them from everybody.

    One matcher for all of them: each more costs every message of every chat a good part of a millisecond.
    """
    heads = sorted({name[0] for command in commands for name in command.names})
    about = CommandMeta("; ".join(command.about("en") for command in commands))
    # Who may say what after the word is for us to see: a parser's complaint would be an answer.
    grammar = Alconna(f"re:(?i:{'|'.join(heads)})", Args["rest?", AllParam], meta=about, namespace=QUIET)
    matcher = on_alconna(
        grammar,
        # Asked before any rule, so that a line without a prefix costs next to nothing.
        permission=Permission(prefixed),
        auto_send_output=False,
        skip_for_unmatch=False,
        use_cmd_start=True,
        priority=1,
        block=True,
    )

    @matcher.handle()
    async def _(account: BaseBot, event: BaseEvent) -> None:
        line = read(account, event) if bridge.up else None
        if line is not None and line.role and bridge.orders(account, line.place, *sent(account, event)):
            await run(bridge, line)


def read(account: BaseBot, event: BaseEvent) -> Line | None:
    """A command line: its words without prefix, whom it names, what it quotes."""
    chat = onebot.chat_of(event) if isinstance(event, QQEvent) else elsewhere.chat_of(account, event)
    sender = elsewhere.who(event)
    ours = {account.self_id, *bridge.accounts(chat)}
    if not chat or not sender or sender in ours:
        return None
    leads = isinstance(event, GroupMessageEvent) and event.sender.role in ("admin", "owner")
    standing = bridge.runner.standing
    said = UniMessage.of(elsewhere.content(event), account)
    text = " ".join(part.text for part in said if isinstance(part, Text)).strip()
    starts = sorted(get_driver().config.command_start, key=len, reverse=True)
    text = next((text[len(start) :] for start in starts if text.startswith(start)), text)
    return Line(
        place=chat,
        chat=chat,
        own=chat if ":private:" in chat else f"{chat.partition(':')[0]}:private:{sender}",
        sender=sender,
        role=role_of(bridge.history, standing, chat, sender, leads_group=leads),
        words=[word for word in text.split() if word not in FORCE],
        ats=[part.target for part in said if isinstance(part, At) and part.target not in ours],
        quoted=quoted(event, said),
        force=any(word in FORCE for word in text.split()),
        text=text,
    )


def sent(account: BaseBot, event: BaseEvent) -> tuple[str, float]:
    """A message's id, and when it was sent."""
    if isinstance(event, MessageEvent):
        return str(event.message_id), event.time
    return get_message_id(event, account), elsewhere.sent_at(event)


def quoted(event: BaseEvent, said: UniMessage) -> str:
    """The id of what a line quotes; NoneBot may have taken the quote out of the message."""
    if said.has(Reply):
        return str(said[Reply, 0].id)
    known = getattr(event, "reply", None)
    return str(getattr(known, "message_id", "") or "")


register(COMMANDS)
