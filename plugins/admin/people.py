"""The commands about people: whom not to answer, who may order what, and whose words are deleted."""

from bot.owner import QQ, account
from plugins.admin import words
from plugins.admin.line import Line, Wrong
from plugins.admin.roles import admins, keep_admin
from plugins.admin.talk import ALL
from plugins.chat.bridge import Bridge

_ADD, _REMOVE = ("add", "加"), ("remove", "减")
_CHAT, _SURE = ("chat", "聊天"), ("确认", "yes")


async def block(bridge: Bridge, line: Line) -> str:
    who = await _who(bridge, line)
    if bridge.runner.standing.is_owner(line.chat, who):
        raise Wrong(line.say(words.NOT_THE_OWNER))
    who = account(line.chat, who)
    await bridge.runner.block(who)
    return line.say(words.BLOCKED, who=who)


async def unblock(bridge: Bridge, line: Line) -> str:
    listed = bridge.runner.blocked()
    as_listed = [word for word in line.only(1) if word in listed]
    who = as_listed[0] if as_listed else account(line.chat, await _who(bridge, line))
    if who not in listed:
        return line.say(words.NOT_BLOCKED, who=who)
    await bridge.runner.unblock(who)
    return line.say(words.UNBLOCKED, who=who)


async def blocklist(bridge: Bridge, line: Line) -> str:
    line.only(0)
    return line.say(words.AND).join(bridge.runner.blocked()) or line.say(words.NOBODY_BLOCKED)


async def whoami(_bridge: Bridge, line: Line) -> str:
    line.only(0)
    return line.say(words.WHOAMI, role=line.say(words.ROLES[line.role]), sender=line.sender, chat=line.chat)


async def admin(bridge: Bridge, line: Line) -> str:
    """Who are the bot's admins; make somebody one, or no longer."""
    if not line.words and not line.ats:
        known = line.say(words.AND).join(admins(bridge.history))
        return line.say(words.ADMINS, admins=known) if known else line.say(words.NO_ADMINS)
    verb, rest = (line.words[0], line.after(1)) if line.words else ("", line)
    if verb not in (*_ADD, *_REMOVE):
        raise Wrong
    who = account(line.chat, await _who(bridge, rest))
    await keep_admin(bridge.history, who, verb in _ADD)
    return line.say(words.ADMIN_MADE if verb in _ADD else words.ADMIN_UNMADE, who=who)


async def forget(bridge: Bridge, line: Line) -> str:
    """Delete for good: the quoted message, a person, or the whole chat once it was said twice."""
    given = list(line.only(2))
    if given and given[0] in _CHAT:
        if given[1:2] and given[1] not in _SURE:
            raise Wrong
        if not given[1:]:
            return line.say(words.SURE, chat=line.chat)
        return _gone(line, await bridge.runner.forget(line.chat))
    if line.quoted and line.ats:
        raise Wrong(line.say(words.ONE_OF_THEM))
    if line.quoted and not given:
        return _gone(line, await bridge.runner.forget(line.chat, message=line.quoted))
    everywhere = bool(given) and given[-1] in ALL
    who = await _who(bridge, line, given[:-1] if everywhere else given)
    return _gone(line, await bridge.runner.forget(line.chat, sender=who, everywhere=everywhere))


async def _who(bridge: Bridge, line: Line, given: list[str] | None = None) -> str:
    """Whom a line is about: an @, a number, or who said what it quotes. Raises Wrong."""
    given = list(line.words) if given is None else given
    if len(line.ats) + len(given) > 1:
        raise Wrong(line.say(words.ONE_PERSON))
    if line.ats or given:
        who = next(iter([*line.ats, *given])).removeprefix("@")
        if not who or who == "all" or (line.chat.startswith(f"{QQ}:") and not who.isdecimal()):
            raise Wrong(line.say(words.NOBODY_NAMED))
        return who
    quoted = await bridge.history.some(line.chat, [line.quoted]) if line.quoted else []
    if not quoted or quoted[0].mine:
        raise Wrong(line.say(words.NOBODY_NAMED))
    return quoted[0].sender


def _gone(line: Line, counts: dict[str, int]) -> str:
    told = [line.say(words.TABLES[name], count=count) for name, count in counts.items() if count]
    return line.say(words.FORGOTTEN, what=line.say(words.AND).join(told)) if told else line.say(words.NOTHING_FORGOTTEN)
