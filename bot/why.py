"""The last decisions of a chat in one line that its owner can read (Chinese, as all that users in a chat read)."""

import time

from bot.persona.watch import FEATURES
from bot.turn_state import Chat, What, Why

DID: dict[What, str] = {
    "": "还没什么可决定的",
    "answering": "叫了我，回",
    "joining": "没叫我，但想插一句",
    "silent": "没叫我，没插话",
    "off": "这里没开，不回",
    "muted": "被禁言了，不回",
    "hushed": "让我先别说话，不回",
    "owner": "本人在说话，不回",
    "halted": "全局急停了，不回",
    "blocked": "他在黑名单里，不回",
    "bot": "对面是机器人，不回",
    "cooldown": "刚被戳过，不理",
    "stale": "消息太旧了，不回",
    "night": "在睡觉，不插话",
    "share": "最近我说得够多了，不插话",
    "shy": "前两次没人接话，先不插话",
    "guest": "刚进群还没人叫过我，不插话",
    "capped": "到上限了，没回",
    "failed": "模型没写出来，没回",
    "recalled": "消息撤回了，不回",
    "expired": "想说的时候已经过了，不插话",
}
CAPS = {"minute": "这个聊天一分钟的条数", "gap": "两条之间的间隔", "user": "这个人一分钟的次数", "day": "一天的条数"}
_CLOCK = "%H:%M:%S"


def told(chat: Chat, *, now: float, utc_offset: float, persona: str, prompt: int) -> str:
    """Why the newest message got what it got, and the last reply. `prompt`: characters of its prompt."""
    lines = [_line(chat.why, utc_offset)]
    if chat.why_said.time and chat.why_said != chat.why:
        lines.append(f"上一次开口：{_line(chat.why_said, utc_offset)}")
    rest = [f"模式 {chat.rules.mode}", f"频率 {chat.rules.freq:g}", f"人格 {persona}"]
    if prompt:
        rest.append(f"上次提示 {prompt} 字")
    if chat.hushed_until > now:
        rest.append(f"安静到 {_clock(chat.hushed_until, utc_offset)}")
    return "；".join([*lines, "，".join(rest)])


def _line(why: Why, utc_offset: float) -> str:
    parts = [f"{_clock(why.time, utc_offset)} {DID[why.what]}" if why.time else DID[why.what]]
    if why.p is not None and why.drawn is not None:
        parts.append(f"开口概率 {why.p:.1%}，抽到 {why.drawn:.1%}")
    if why.strongest:
        parts.append(
            "主要因为 " + "、".join(f"{FEATURES.get(name, name)}{value:+.1f}" for name, value in why.strongest)
        )
    if why.delay is not None:
        parts.append(f"等 {max(0.0, why.delay):.0f} 秒")
    if why.caps:
        parts.append("碰到上限：" + "、".join(CAPS[cap] for cap in why.caps))
    return "，".join(parts)


def _clock(at: float, utc_offset: float) -> str:
    if at - 9e9 > 0:
        return "解除为止"
    return time.strftime(_CLOCK, time.gmtime(at + utc_offset))
