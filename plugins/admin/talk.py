"""The commands about a chat: whether and how much is said there, and what was just said.

Each changes what the runner keeps over restarts, and answers in one line.
"""

import math
from typing import Literal, cast

from bot.rules import MODES, Mode, Night
from bot.standing import EVERYWHERE
from plugins.admin import memory
from plugins.admin.line import Line, Wrong
from plugins.admin.roles import Role
from plugins.chat.bridge import Bridge

MINUTE = 60.0
LONGEST = 7 * 24 * 60.0
"""Minutes that a chat can be silenced for; without a number it is for good."""
OFTEN = 3.0
ALL = ("all", "全部", "所有")
_MODES: dict[str, Mode] = {"点名": "called", "插话": "join", "草稿": "draft", "影子": "shadow"}
_SAID: dict[Mode, str] = {
    "off": "这里我不说话了",
    "called": "这里开着了：叫我就回",
    "join": "这里开着了：叫我就回，有时也插句话",
    "draft": "这里开着了：要说的先给主人看",
    "shadow": "这里开着了：只在心里说，不发出来",
}
_NIGHTS: dict[str, Night] = {"later": "later", "晚点": "later", "morning": "morning", "早上": "morning"}
_YES: dict[str, Literal["yes", "no"]] = {"yes": "yes", "是": "yes", "no": "no", "否": "no"}


async def on(bridge: Bridge, line: Line) -> str:
    """Answers when called; joins in only where that is asked for by its name."""
    word = next(iter(line.only(1)), "called").lower()
    mode = _MODES.get(word, word)
    if mode not in MODES or mode == "off":
        raise Wrong(f"没有 {word} 这种")
    standing = bridge.runner.standing
    mine = standing.owned(line.chat) or (line.role == Role.OWNER and line.chat == line.place and line.chat == line.own)
    if mode in ("draft", "shadow") and mine:
        raise Wrong("和主人的私聊用不着这个")
    if standing.denied(line.chat):
        return "这里是禁止的（/deny），主人先 /allow"
    await bridge.runner.set_mode(line.chat, cast("Mode", mode))
    return f"好，{_SAID[cast('Mode', mode)]}"


async def off(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.runner.set_mode(line.chat, "off")
    return f"好，{_SAID['off']}"


async def mute(bridge: Bridge, line: Line) -> str:
    minutes = line.number(0.1, LONGEST)
    until = math.inf if minutes is None else bridge.port.now() + minutes * MINUTE
    before, why = _hushed(bridge, line.chat)
    if line.role < Role.OWNER:
        until = max(until, before)
    order = bridge.runner.takeover if why == "owner" else bridge.runner.hush
    await order(line.chat, until)
    return "好，先不说话了，/unmute 叫我回来" if minutes is None else f"好，安静 {minutes:g} 分钟"


async def unmute(bridge: Bridge, line: Line) -> str:
    line.only(0)
    if line.role < Role.OWNER and _hushed(bridge, line.chat)[1] == "owner":
        return "主人自己在这里说话，不用我"
    await bridge.runner.hush(line.chat, 0)
    return "好，回来了" if bridge.runner.is_on(line.chat) else "好，不过这里还关着，/on 才开"


def _hushed(bridge: Bridge, chat: str) -> tuple[float, str]:
    """Until when a chat is silenced, and by what; nothing where it isn't."""
    until, why = bridge.runner.standing.hushed(chat)
    return (until, why) if until > bridge.port.now() else (0.0, "")


async def clear(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.runner.clear(line.chat)
    return "好，前面的我不看了"


async def freq(bridge: Bridge, line: Line) -> str:
    """A group's own admin may turn it down only."""
    now = bridge.runner.standing.rules(line.chat).freq
    wanted = line.number(0, OFTEN)
    if wanted is None:
        return f"现在 {now:g}（0 只在被叫时，1 像本人）"
    if line.role < Role.ADMIN and wanted > now:
        return f"只能往下调，现在 {now:g}"
    await bridge.runner.set_freq(line.chat, wanted)
    joins = bridge.runner.standing.rules(line.chat).joining
    return f"好，频率 {wanted:g}" + ("" if joins or not wanted else "（这里现在只在被叫时说话，/on join 才插话）")


async def undo(bridge: Bridge, line: Line) -> str:
    line.only(0)
    taken = await bridge.runner.undo(line.chat)
    return "" if taken and line.place == line.chat else f"撤回了 {taken} 条" if taken else "没有能撤回的"


async def retry(bridge: Bridge, line: Line) -> str:
    line.only(0)
    if bridge.personas.paused:
        return "模型停着，/resume 才能重说"
    begun = await bridge.runner.retry(line.chat)
    return "" if begun and line.place == line.chat else "在重说了" if begun else "没有可以重说的"


async def teach(bridge: Bridge, line: Line) -> str:
    """What the owner would have said instead of the last reply, or of the quoted one."""
    if not line.text:
        raise Wrong
    kept = await bridge.runner.teach(line.chat, line.text, line.quoted)
    nothing = "引用的不是我最近说的话" if line.quoted else "这里最近没有我说的话"
    return "记住了，下次训练就学" if kept else nothing


async def stop(bridge: Bridge, line: Line) -> str:
    word = next(iter(line.only(1)), "")
    if word in ALL and line.role == Role.OWNER:
        await bridge.runner.stop_all()
        return "全部停了，/resume 才继续"
    if word:
        raise Wrong
    await bridge.runner.stop(line.chat)
    return "好，不说了"


async def why(bridge: Bridge, line: Line) -> str:
    line.only(0)
    recalled = bridge.remembering.last(line.chat)
    told = [bridge.runner.why(line.chat), *([f"上次想起了 {len(recalled)} 条"] if recalled else [])]
    if recalled and line.role == Role.OWNER and ":private:" in line.place:
        told[-1] += "：" + "、".join(memory.short(one.message.text) for one in recalled)
    return "；".join(told)


async def allow(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.runner.allow(line.chat)
    mode = bridge.runner.standing.mode(line.chat)
    return f"好，{_SAID[mode]}" if mode != "off" else "好，记下了；/on 才说话"


async def deny(bridge: Bridge, line: Line) -> str:
    line.only(0)
    await bridge.runner.deny(line.chat)
    return "好，那里不记也不回了"


async def say(bridge: Bridge, line: Line) -> str:
    """In the owner's own words; nothing is said twice where the chat itself shows it."""
    if not line.text:
        raise Wrong
    if line.ats:
        raise Wrong("代说的话里不能 @ 人")
    if not bridge.runner.standing.allowed(line.chat):
        return "那个聊天没开，先 /allow"
    begun = await bridge.runner.say(line.chat, line.text, quote=line.quoted or None)
    if not begun:
        return "没说出去：被禁言了，或者急停着"
    return "" if line.place == line.chat else "好，替你说了"


async def takeover(bridge: Bridge, line: Line) -> str:
    words = line.only(1)
    if words and words[0] in ("off", "还"):
        await bridge.runner.takeover(line.chat, 0)
        return "好，我接着说"
    minutes = line.number(0.1, LONGEST)
    until = math.inf if minutes is None else bridge.port.now() + minutes * MINUTE
    await bridge.runner.takeover(line.chat, until)
    return "好，这里归你了，/takeover off 还给我" if minutes is None else f"好，{minutes:g} 分钟里这里归你"


async def settings(bridge: Bridge, line: Line) -> str:
    """Look at what is set in a chat, or set one thing."""
    words = list(line.only(3))
    chat = line.chat
    if len(words) == 3 and words[0] == "night" and words[2] in ALL:
        chat, words = EVERYWHERE, words[:2]
    if not words:
        return await _settings(bridge, line.chat)
    name, value = words if len(words) == 2 else ("", "")
    if name == "night" and value in _NIGHTS:
        await bridge.runner.set_night(chat, _NIGHTS[value])
    elif name == "share":
        await bridge.runner.set_share(chat, _share(value))
    elif name == "consent" and value in _YES:
        await bridge.history.keepsakes.set_consent(chat, "", _YES[value], at=bridge.port.now())
    else:
        raise Wrong
    return await _settings(bridge, line.chat)


def _share(value: str) -> float | None:
    if value in ("auto", "自动"):
        return None
    try:
        share = float(value)
    except ValueError:
        raise Wrong(f"{value} 不是数字") from None
    if not 0 <= share <= 1:
        raise Wrong("要在 0 到 1 之间")
    return share


async def _settings(bridge: Bridge, chat: str) -> str:
    rules = bridge.runner.standing.rules(chat)
    share = rules.behaviour.share if rules.share is None else rules.share
    own = "（像本人）" if rules.share is None else ""
    told = {
        "模式 mode": f"{rules.mode}（/on、/off 改）",
        "频率 freq": f"{rules.freq:g}（/freq 改）",
        "夜里有人叫 night": "晚点回" if rules.night == "later" else "早上回",
        "插话最多占 share": f"{share:.0%}{own}",
        "可以拿来训练 consent": {"yes": "可以", "no": "不可以"}.get(
            await bridge.history.keepsakes.consent(chat, ""), "没说，按不可以"
        ),
    }
    return "\n".join(f"{name}：{value}" for name, value in told.items())
