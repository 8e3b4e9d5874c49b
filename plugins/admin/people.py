"""The commands about people: whom not to answer, who may order what, and whose words are deleted."""

from bot.owner import QQ, account
from plugins.admin.line import Line, Wrong
from plugins.admin.roles import NAMES, admins, keep_admin
from plugins.admin.talk import ALL
from plugins.chat.bridge import Bridge

_TABLES = {
    "messages": "{} 条消息",
    "mentions": "{} 处 @",
    "labels": "{} 个称呼",
    "drafts": "{} 条草稿",
    "preferences": "{} 条教过的话",
    "settings": "{} 项记录",
    "consents": "{} 个同意",
}
_ADD, _REMOVE = ("add", "加"), ("remove", "减")
_CHAT, _SURE = ("chat", "聊天"), ("确认", "yes")


async def block(bridge: Bridge, line: Line) -> str:
    who = await _who(bridge, line)
    if bridge.runner.standing.is_owner(line.chat, who):
        raise Wrong("不能拉黑主人")
    who = account(line.chat, who)
    await bridge.runner.block(who)
    return f"好，不理 {who} 了"


async def unblock(bridge: Bridge, line: Line) -> str:
    listed = bridge.runner.blocked()
    as_listed = [word for word in line.only(1) if word in listed]
    who = as_listed[0] if as_listed else account(line.chat, await _who(bridge, line))
    if who not in listed:
        return f"{who} 不在黑名单里"
    await bridge.runner.unblock(who)
    return f"好，又理 {who} 了"


async def blocklist(bridge: Bridge, line: Line) -> str:
    line.only(0)
    return "、".join(bridge.runner.blocked()) or "黑名单是空的"


async def whoami(_bridge: Bridge, line: Line) -> str:
    line.only(0)
    return f"{NAMES[line.role]}，你的号 {line.sender}，这里是 {line.chat}"


async def admin(bridge: Bridge, line: Line) -> str:
    """Who are the bot's admins; make somebody one, or no longer."""
    if not line.words and not line.ats:
        return "机器人管理员：" + ("、".join(admins(bridge.history)) or "没有")
    verb, rest = (line.words[0], line.after(1)) if line.words else ("", line)
    if verb not in (*_ADD, *_REMOVE):
        raise Wrong
    who = account(line.chat, await _who(bridge, rest))
    await keep_admin(bridge.history, who, verb in _ADD)
    return f"好，{who} 是机器人管理员了" if verb in _ADD else f"好，{who} 不再是机器人管理员"


async def forget(bridge: Bridge, line: Line) -> str:
    """Delete for good: the quoted message, a person, or the whole chat once it was said twice."""
    words = list(line.only(2))
    if words and words[0] in _CHAT:
        if words[1:2] and words[1] not in _SURE:
            raise Wrong
        if not words[1:]:
            return f"要删掉 {line.chat} 的全部记录，删了就没了。确定就发：/forget chat 确认"
        return _gone(await bridge.runner.forget(line.chat))
    if line.quoted and line.ats:
        raise Wrong("引用一句，或者 @ 一个人，只能要一个")
    if line.quoted and not words:
        return _gone(await bridge.runner.forget(line.chat, message=line.quoted))
    everywhere = bool(words) and words[-1] in ALL
    who = await _who(bridge, line, words[:-1] if everywhere else words)
    return _gone(await bridge.runner.forget(line.chat, sender=who, everywhere=everywhere))


async def _who(bridge: Bridge, line: Line, words: list[str] | None = None) -> str:
    """Whom a line is about: an @, a number, or who said what it quotes. Raises Wrong."""
    words = list(line.words) if words is None else words
    if len(line.ats) + len(words) > 1:
        raise Wrong("一次一个人")
    if line.ats or words:
        who = next(iter([*line.ats, *words])).removeprefix("@")
        if not who or who == "all" or (line.chat.startswith(f"{QQ}:") and not who.isdecimal()):
            raise Wrong("要写清是谁：@ 他、写号码，或引用他的话")
        return who
    quoted = await bridge.history.some(line.chat, [line.quoted]) if line.quoted else []
    if not quoted or quoted[0].mine:
        raise Wrong("要写清是谁：@ 他、写号码，或引用他的话")
    return quoted[0].sender


def _gone(counts: dict[str, int]) -> str:
    told = [_TABLES[name].format(count) for name, count in counts.items() if count]
    return "删掉了" + "、".join(told) if told else "没有可删的"
