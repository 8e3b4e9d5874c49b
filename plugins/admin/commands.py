"""The commands: their words, who may give them, and how one is given and answered.

What each does is in talk.py, people.py, model.py and status.py. Doesn't know how a line reaches us.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.port import Unsent
from config.errors import MyBotError
from plugins.admin import memory, model, people, status, talk
from plugins.admin.line import Line, Wrong
from plugins.admin.roles import Role
from plugins.chat.bridge import Bridge

log = logging.getLogger("bot.admin")

_CHAT = re.compile(r"(?:[a-z]+:)?(?:group|private):\S+")

Act = Callable[[Bridge, Line], Awaitable[str]]


@dataclass(slots=True, frozen=True)
class Command:
    """One or two words, their Chinese aliases, one line about it, what it does, and who may.

    `takes` is what the words are followed by.
    """

    word: str
    alias: str
    about: str
    act: Act
    takes: str = ""
    role: Role = Role.OWNER
    aside: bool = False
    """The answer is for who asked alone: given in a group, it comes in private."""

    @property
    def usage(self) -> str:
        aliases = self.alias.replace("|", " /")
        return f"/{self.word} /{aliases}{f' {self.takes}' if self.takes else ''}：{self.about}"

    @property
    def names(self) -> list[list[str]]:
        """Every way to write it, in words."""
        return [self.word.split(), *(alias.split() for alias in self.alias.split("|"))]

    def read(self, line: Line) -> int:
        """How many words of a line are this command's own; 0: it is another one."""
        return next((len(name) for name in self.names if line.begins(name)), 0)


async def run(bridge: Bridge, line: Line) -> None:
    """Do what a line says, and say so. Silence for who may not; why something went wrong is for the owner alone."""
    command = next((command for command in COMMANDS if command.read(line)), None)
    if command is None:
        known = [c for c in COMMANDS if line.role >= c.role and any(line.begins(name[:1]) for name in c.names)]
        if known:
            await say(bridge, line.place, "用法：\n" + "\n".join(c.usage for c in known))
        return
    if line.role < command.role:
        return
    line = await aimed(bridge, line.after(command.read(line)))
    try:
        answer = await command.act(bridge, line)
    except Wrong as wrong:
        answer = "\n".join([*([str(wrong)] if str(wrong) else []), f"用法：{command.usage}"])
    except MyBotError as error:
        answer = await _failed(bridge, command, line, error)
    if answer and command.aside and ":private:" not in line.place:
        answer = "私聊发你了" if await say(bridge, line.own, answer) else "这个只能私聊说，可我没法私聊你"
    if answer:
        await say(bridge, line.place, answer)


async def aimed(bridge: Bridge, line: Line) -> Line:
    """The same line about the chat it names, where its giver may order things elsewhere."""
    if line.quoted and line.ats:
        # Phones put an @ of who is quoted before the line: nobody meant a person by it.
        said = await bridge.history.some(line.place, [line.quoted])
        line = replace(line, ats=[who for who in line.ats if not said or who != said[0].sender])
    named = line.words[0] if line.words and _CHAT.fullmatch(line.words[0]) else ""
    if not named or line.role < Role.ADMIN:
        return line
    chat = named if named.count(":") > 1 else f"{line.place.partition(':')[0]}:{named}"
    return replace(line.after(1), chat=chat, quoted=line.quoted if chat == line.place else "")


async def _failed(bridge: Bridge, command: Command, line: Line, error: MyBotError) -> str:
    log.error("/%s: %s (%s)", command.word, error, error.hint)
    answer = "没成，还是原来的样子"
    why = f"{answer}。原因：{getattr(error, 'said', '') or error}"
    if line.place == line.own or line.role < Role.OWNER:
        return why if line.role == Role.OWNER else answer
    await say(bridge, line.own, f"/{command.word} {why}")
    return answer


async def say(bridge: Bridge, chat: str, answer: str) -> bool:
    """Answer; False where the platform refused it."""
    try:
        await bridge.port.send(chat, answer, None)
    except Unsent as error:
        log.warning("the answer to a command was not sent: %s", error)
        return False
    return True


async def usage(_bridge: Bridge, line: Line) -> str:
    """What somebody may order; of one command, how."""
    may = [command for command in COMMANDS if line.role >= command.role]
    asked = [command for command in may if line.words and any(line.words[0] in name for name in command.names)]
    return "\n".join(command.usage for command in asked or may)


COMMANDS: tuple[Command, ...] = (
    Command("off", "关闭", "这里不说话了", talk.off, role=Role.GROUP_ADMIN),
    Command("mute", "闭嘴", "安静一会儿，不写分钟就一直到 unmute", talk.mute, "[分钟]", Role.GROUP_ADMIN),
    Command("unmute", "说话", "不用再安静了", talk.unmute, role=Role.GROUP_ADMIN),
    Command("clear", "清空|reset", "前面说过的不再看（不删）", talk.clear, role=Role.GROUP_ADMIN),
    Command("freq", "频率", "插话多少：0 只在被叫时，1 像本人", talk.freq, "[0-3]", Role.GROUP_ADMIN),
    Command("help", "帮助", "有哪些命令", usage, "[命令]", Role.ADMIN),
    Command("status", "状态", "看看现在怎么样", status.status, role=Role.ADMIN),
    Command(
        "on",
        "开启",
        "在这里说话：被叫才回、也插话、先给主人看、只在心里说",
        talk.on,
        "[called|join|draft|shadow]",
        Role.ADMIN,
    ),
    Command("undo", "撤销", "撤回刚才的回复", talk.undo, role=Role.ADMIN),
    Command("retry", "重说", "撤回刚才的回复，重说一遍", talk.retry, role=Role.ADMIN),
    Command("stop", "停", "正在说的别说了；all 是全部聊天急停（主人）", talk.stop, "[all]", Role.ADMIN),
    Command("why", "为什么", "刚才为什么说、为什么没说", talk.why, role=Role.ADMIN),
    Command("block", "拉黑", "不理这个人（@ 他、写号码，或引用他的话）", people.block, "@谁", Role.ADMIN),
    Command("unblock", "解封", "又理他了", people.unblock, "@谁", Role.ADMIN),
    Command("blocklist", "黑名单", "不理哪些人", people.blocklist, role=Role.ADMIN, aside=True),
    Command("stats", "统计", "今天说了多少", status.stats, role=Role.ADMIN),
    Command("whoami", "我是谁", "你能做什么", people.whoami, role=Role.ADMIN),
    Command("reload", "重载", "换上最新的版本", model.reload, "[--force]"),
    Command("model list", "模型 列表", "有哪些人格和版本", model.show),
    Command("model load", "模型 切换", "换成这里人格的另一个版本", model.load, "版本 [--force]"),
    Command("model use", "模型 使用", "这个聊天换一个人格", model.use, "人格"),
    Command("model rollback", "模型 回滚", "退回上一个版本", model.rollback),
    Command("persona", "人设", "这里是谁在说话；写名字就换成他", model.persona, "[人格]"),
    Command("pause", "暂停", "停下模型，把显卡空出来", model.pause),
    Command("resume", "继续", "把模型开回来，急停也解除", model.resume),
    Command("allow", "允许", "记下并可以回这个聊天", talk.allow, "[group:号码]"),
    Command("deny", "禁止", "不记也不回这个聊天", talk.deny, "[group:号码]"),
    Command("admin", "管理员", "机器人管理员：看、加、减", people.admin, "[add|remove @谁]"),
    Command(
        "forget",
        "遗忘",
        "真的删掉：引用的那句、某个人在这里（all 所有聊天）说的、整个聊天",
        people.forget,
        "[引用] [@谁 [all]] [chat 确认]",
    ),
    Command(
        "set", "设置", "这里的设置：看、改", talk.settings, "[night later|morning] [share 0-1|auto] [consent yes|no]"
    ),
    Command("say", "代说", "替我说这句", talk.say, "[group:号码] 话"),
    Command("teach", "教", "刚才那句（或引用的那句）我会这么说：记下来训练用", talk.teach, "[group:号码] 话"),
    Command("remember", "记住", "记住一件关于我的事，这里的人都可以听到", memory.remember, "[group:号码] 话"),
    Command(
        "memory", "记忆", "记住了我的哪些事；forget 是忘掉有这几个字的", memory.memory, "[字] [forget 字]", aside=True
    ),
    Command("takeover", "接管", "这里我自己说，机器人先别说；off 是还给它", talk.takeover, "[分钟|off]"),
    Command("retrain", "训练", "最近一次训练怎么样", model.last_training),
)
