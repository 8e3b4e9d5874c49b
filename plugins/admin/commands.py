"""The commands: their words, who may give them, and how one is given and answered.

What each does is in talk.py, people.py, model.py and status.py. Doesn't know how a line reaches us.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.faults import told
from bot.port import Unsent
from bot.words import Language, Text, chosen
from config.errors import MyBotError
from plugins.admin import memory, model, people, status, talk, words
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
    about: Text
    act: Act
    takes: Text = words.NOTHING
    role: Role = Role.OWNER
    aside: bool = False
    """The answer is for who asked alone: given in a group, it comes in private."""

    def usage(self, language: Language) -> str:
        """How it is written, in one line; an English reader is shown no names that they can't type."""
        names = [name for name in map(" ".join, self.names) if language == "zh" or name.isascii()]
        takes = self.takes(language)
        shown = " ".join(f"/{name}" for name in names) + (f" {takes}" if takes else "")
        return words.COMMAND(language, names=shown, about=self.about(language))

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
    line = await _answered_in(bridge, line)
    if command is None:
        known = [c for c in COMMANDS if line.role >= c.role and any(line.begins(name[:1]) for name in c.names)]
        if known:
            usages = "\n".join(c.usage(line.language) for c in known)
            await say(bridge, line.place, line.say(words.USAGES, usages=usages))
        return
    if line.role < command.role:
        return
    line = await aimed(bridge, line.after(command.read(line)))
    try:
        answer = await command.act(bridge, line)
    except Wrong as wrong:
        usage_ = line.say(words.USAGE, usage=command.usage(line.language))
        answer = "\n".join([*([str(wrong)] if str(wrong) else []), usage_])
    except MyBotError as error:
        answer = await _failed(bridge, command, line, error)
    if answer and command.aside and ":private:" not in line.place:
        answer = line.say(words.ASIDE if await say(bridge, line.own, answer) else words.NOT_ASIDE)
    if answer:
        await say(bridge, line.place, answer)


async def _answered_in(bridge: Bridge, line: Line) -> Line:
    """The same line, to be answered in its language: that of the command's name, where the settings leave it open."""
    runner, order = bridge.runner, line.words[0] if line.words else ""
    if line.role == Role.OWNER:
        return replace(line, language=await runner.standing.ordered(order))
    return replace(line, language=chosen(runner.settings.language, [order]))


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
    answer = line.say(words.FAILED)
    why = line.say(words.FAILED_WHY, why=told(line.language, error))
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
    return "\n".join(command.usage(line.language) for command in asked or may)


COMMANDS: tuple[Command, ...] = (
    Command("off", "关闭", words.ABOUT_OFF, talk.off, role=Role.GROUP_ADMIN),
    Command("mute", "闭嘴", words.ABOUT_MUTE, talk.mute, words.MINUTES, Role.GROUP_ADMIN),
    Command("unmute", "说话", words.ABOUT_UNMUTE, talk.unmute, role=Role.GROUP_ADMIN),
    Command("clear", "清空|reset", words.ABOUT_CLEAR, talk.clear, role=Role.GROUP_ADMIN),
    Command("freq", "频率", words.ABOUT_FREQ, talk.freq, words.HOW_OFTEN, Role.GROUP_ADMIN),
    Command("help", "帮助", words.ABOUT_HELP, usage, words.A_COMMAND, Role.ADMIN),
    Command("status", "状态", words.ABOUT_STATUS, status.status, role=Role.ADMIN),
    Command("on", "开启", words.ABOUT_ON, talk.on, words.A_MODE, Role.ADMIN),
    Command("undo", "撤销", words.ABOUT_UNDO, talk.undo, role=Role.ADMIN),
    Command("retry", "重说", words.ABOUT_RETRY, talk.retry, role=Role.ADMIN),
    Command("stop", "停", words.ABOUT_STOP, talk.stop, words.EVERYWHERE, Role.ADMIN),
    Command("why", "为什么", words.ABOUT_WHY, talk.why, role=Role.ADMIN),
    Command("block", "拉黑", words.ABOUT_BLOCK, people.block, words.WHO, Role.ADMIN),
    Command("unblock", "解封", words.ABOUT_UNBLOCK, people.unblock, words.WHO, Role.ADMIN),
    Command("blocklist", "黑名单", words.ABOUT_BLOCKLIST, people.blocklist, role=Role.ADMIN, aside=True),
    Command("stats", "统计", words.ABOUT_STATS, status.stats, role=Role.ADMIN),
    Command("whoami", "我是谁", words.ABOUT_WHOAMI, people.whoami, role=Role.ADMIN),
    Command("reload", "重载", words.ABOUT_RELOAD, model.reload, words.FORCE),
    Command("model list", "模型 列表", words.ABOUT_MODEL_LIST, model.show),
    Command("model load", "模型 切换", words.ABOUT_MODEL_LOAD, model.load, words.A_VERSION),
    Command("model use", "模型 使用", words.ABOUT_MODEL_USE, model.use, words.A_PERSONA),
    Command("model rollback", "模型 回滚", words.ABOUT_ROLLBACK, model.rollback),
    Command("persona", "人设", words.ABOUT_PERSONA, model.persona, words.SOME_PERSONA),
    Command("pause", "暂停", words.ABOUT_PAUSE, model.pause),
    Command("resume", "继续", words.ABOUT_RESUME, model.resume),
    Command("allow", "允许", words.ABOUT_ALLOW, talk.allow, words.A_CHAT),
    Command("deny", "禁止", words.ABOUT_DENY, talk.deny, words.A_CHAT),
    Command("admin", "管理员", words.ABOUT_ADMIN, people.admin, words.ADD_REMOVE),
    Command("forget", "遗忘", words.ABOUT_FORGET, people.forget, words.WHAT_TO_FORGET),
    Command("set", "设置", words.ABOUT_SET, talk.settings, words.WHAT_TO_SET),
    Command("say", "代说", words.ABOUT_SAY, talk.say, words.SOME_WORDS),
    Command("teach", "教", words.ABOUT_TEACH, talk.teach, words.SOME_WORDS),
    Command("remember", "记住", words.ABOUT_REMEMBER, memory.remember, words.SOME_WORDS),
    Command("memory", "记忆", words.ABOUT_MEMORY, memory.memory, words.WHICH_FACTS, aside=True),
    Command("takeover", "接管", words.ABOUT_TAKEOVER, talk.takeover, words.UNTIL),
    Command("retrain", "训练", words.ABOUT_RETRAIN, model.last_training),
)
