"""The commands about a chat: whether and how much is said there, and what was just said.

Each changes what the runner keeps over restarts, and answers in one line.
"""

import math
from typing import Literal, cast

from bot.rules import MODES, Mode, Night
from bot.standing import EVERYWHERE
from plugins.admin import memory, words
from plugins.admin.line import Line, Wrong
from plugins.admin.roles import Role
from plugins.chat.bridge import Bridge

MINUTE = 60.0
LONGEST = 7 * 24 * 60.0
"""Minutes that a chat can be silenced for; without a number it is for good."""
OFTEN = 3.0
ALL = ("all", "全部", "所有")
_MODES: dict[str, Mode] = {"点名": "called", "插话": "join", "草稿": "draft", "影子": "shadow"}
_NIGHTS: dict[str, Night] = {"later": "later", "晚点": "later", "morning": "morning", "早上": "morning"}
_AUTO = ("auto", "自动")
_GIVE_BACK = ("off", "还")
_YES: dict[str, Literal["yes", "no"]] = {"yes": "yes", "是": "yes", "no": "no", "否": "no"}


async def on(bridge: Bridge, line: Line) -> str:
    """Answers when called; joins in only where that is asked for by its name."""
    word = next(iter(line.only(1)), "called").lower()
    mode = _MODES.get(word, word)
    if mode not in MODES or mode == "off":
        raise Wrong(line.say(words.NO_MODE, word=word))
    standing = bridge.runner.standing
    mine = standing.owned(line.chat) or (line.role == Role.OWNER and line.chat == line.place and line.chat == line.own)
    if mode in ("draft", "shadow") and mine:
        raise Wrong(line.say(words.NOT_WITH_OWNER))
    if standing.denied(line.chat):
        return line.say(words.DENIED)
    await bridge.runner.set_mode(line.chat, cast("Mode", mode))
    return line.say(words.SWITCHED[mode])


async def off(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.runner.set_mode(line.chat, "off")
    return line.say(words.SWITCHED["off"])


async def mute(bridge: Bridge, line: Line) -> str:
    minutes = line.number(0.1, LONGEST)
    until = math.inf if minutes is None else bridge.port.now() + minutes * MINUTE
    before, why = _hushed(bridge, line.chat)
    if line.role < Role.OWNER:
        until = max(until, before)
    order = bridge.runner.takeover if why == "owner" else bridge.runner.hush
    await order(line.chat, until)
    return line.say(words.MUTED) if minutes is None else line.say(words.MUTED_FOR, minutes=minutes)


async def unmute(bridge: Bridge, line: Line) -> str:
    line.only(0)
    if line.role < Role.OWNER and _hushed(bridge, line.chat)[1] == "owner":
        return line.say(words.OWNER_SPEAKS)
    await bridge.runner.hush(line.chat, 0)
    return line.say(words.UNMUTED if bridge.runner.is_on(line.chat) else words.UNMUTED_OFF)


def _hushed(bridge: Bridge, chat: str) -> tuple[float, str]:
    """Until when a chat is silenced, and by what; nothing where it isn't."""
    until, why = bridge.runner.standing.hushed(chat)
    return (until, why) if until > bridge.port.now() else (0.0, "")


async def clear(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.runner.clear(line.chat)
    return line.say(words.CLEARED)


async def freq(bridge: Bridge, line: Line) -> str:
    """A group's own admin may turn it down only."""
    now = bridge.runner.standing.rules(line.chat).freq
    wanted = line.number(0, OFTEN)
    if wanted is None:
        return line.say(words.FREQ, now=now)
    if line.role < Role.ADMIN and wanted > now:
        return line.say(words.FREQ_DOWN, now=now)
    await bridge.runner.set_freq(line.chat, wanted)
    joins = bridge.runner.standing.rules(line.chat).joining
    return line.say(words.FREQ_SET if joins or not wanted else words.FREQ_UNUSED, freq=wanted)


async def undo(bridge: Bridge, line: Line) -> str:
    line.only(0)
    taken = await bridge.runner.undo(line.chat)
    if not taken:
        return line.say(words.NOTHING_UNDONE)
    return "" if line.place == line.chat else line.say(words.UNDONE, count=taken)


async def retry(bridge: Bridge, line: Line) -> str:
    line.only(0)
    if bridge.personas.paused:
        return line.say(words.PAUSED)
    begun = await bridge.runner.retry(line.chat)
    if not begun:
        return line.say(words.NOTHING_RETRIED)
    return "" if line.place == line.chat else line.say(words.RETRYING)


async def teach(bridge: Bridge, line: Line) -> str:
    """What the owner would have said instead of the last reply, or of the quoted one."""
    if not line.text:
        raise Wrong
    kept = await bridge.runner.teach(line.chat, line.text, line.quoted)
    nothing = words.NOT_MINE if line.quoted else words.NOTHING_SAID
    return line.say(words.TAUGHT if kept else nothing)


async def stop(bridge: Bridge, line: Line) -> str:
    word = next(iter(line.only(1)), "")
    if word in ALL and line.role == Role.OWNER:
        await bridge.runner.stop_all()
        return line.say(words.ALL_STOPPED)
    if word:
        raise Wrong
    await bridge.runner.stop(line.chat)
    return line.say(words.STOPPED)


async def why(bridge: Bridge, line: Line) -> str:
    line.only(0)
    recalled = bridge.remembering.last(line.chat)
    told = bridge.runner.why(line.chat, line.language)
    if not recalled:
        return told
    shown = line.role == Role.OWNER and ":private:" in line.place
    lines = line.say(words.AND).join(memory.short(one.message.text) for one in recalled)
    text = words.RECALLED_THESE if shown else words.RECALLED
    return told + line.say(words.NEXT) + line.say(text, count=len(recalled), lines=lines)


async def allow(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.runner.allow(line.chat)
    mode = bridge.runner.standing.mode(line.chat)
    return line.say(words.SWITCHED[mode] if mode != "off" else words.KEPT)


async def deny(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.runner.deny(line.chat)
    return line.say(words.NOT_KEPT)


async def say(bridge: Bridge, line: Line) -> str:
    """In the owner's own words; nothing is said twice where the chat itself shows it."""
    if not line.text:
        raise Wrong
    if line.ats:
        raise Wrong(line.say(words.NO_AT))
    if not bridge.runner.standing.allowed(line.chat):
        return line.say(words.NOT_ALLOWED)
    begun = await bridge.runner.say(line.chat, line.text, quote=line.quoted or None)
    if not begun:
        return line.say(words.NOT_SAID)
    return "" if line.place == line.chat else line.say(words.SAID)


async def takeover(bridge: Bridge, line: Line) -> str:
    given = line.only(1)
    if given and given[0] in _GIVE_BACK:
        await bridge.runner.takeover(line.chat, 0)
        return line.say(words.GIVEN_BACK)
    minutes = line.number(0.1, LONGEST)
    until = math.inf if minutes is None else bridge.port.now() + minutes * MINUTE
    await bridge.runner.takeover(line.chat, until)
    return line.say(words.TAKEN) if minutes is None else line.say(words.TAKEN_FOR, minutes=minutes)


async def settings(bridge: Bridge, line: Line) -> str:
    """Look at what is set in a chat, or set one thing."""
    given = list(line.only(3))
    chat = line.chat
    if len(given) == 3 and given[0] == "night" and given[2] in ALL:
        chat, given = EVERYWHERE, given[:2]
    if not given:
        return await _settings(bridge, line)
    name, value = given if len(given) == 2 else ("", "")
    if name == "night" and value in _NIGHTS:
        await bridge.runner.set_night(chat, _NIGHTS[value])
    elif name == "share":
        await bridge.runner.set_share(chat, _share(line, value))
    elif name == "consent" and value in _YES:
        await bridge.history.keepsakes.set_consent(chat, "", _YES[value], at=bridge.port.now())
    else:
        raise Wrong
    return await _settings(bridge, line)


def _share(line: Line, value: str) -> float | None:
    if value in _AUTO:
        return None
    try:
        share = float(value)
    except ValueError:
        raise Wrong(line.say(words.NO_NUMBER, word=value)) from None
    if not 0 <= share <= 1:
        raise Wrong(line.say(words.OUT_OF_RANGE, least=0, most=1))
    return share


async def _settings(bridge: Bridge, line: Line) -> str:
    rules = bridge.runner.standing.rules(line.chat)
    consent = await bridge.history.keepsakes.consent(line.chat, "")
    return line.say(
        words.SETTINGS,
        mode=rules.mode,
        freq=rules.freq,
        night=line.say(words.NIGHTS[rules.night]),
        share=rules.behaviour.share if rules.share is None else rules.share,
        own=line.say(words.OWN_SHARE) if rules.share is None else "",
        consent=line.say(words.CONSENTS[consent or ""]),
    )
