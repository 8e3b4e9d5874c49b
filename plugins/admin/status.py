"""What `status` says: who speaks here, how the personas are, and what was answered."""

import math
import time
from typing import Any

from plugins.admin.line import Line
from plugins.admin.roles import Role
from plugins.chat.bridge import Bridge

STATES = {"ready": "在线", "starting": "正在启动", "asleep": "睡着", "paused": "暂停中", "closed": "已关"}
MODES = {"off": "关", "called": "叫了才回", "join": "也插话", "draft": "先给主人看", "shadow": "只在心里说"}
OFTEN = 3
"""Failures in a row from which a start counts as trouble."""


async def status(bridge: Bridge, line: Line) -> str:
    line.only(0)
    chat = line.chat
    # What went wrong may tell of the machine: that is for the owner alone.
    alone = line.role == Role.OWNER and ":private:" in line.place
    now = bridge.runner.status()
    talker = bridge.runner.talker_in(chat).persona
    rules = bridge.runner.standing.rules(chat)
    waits = [f"，安静到{_clock(now.hushed[chat])}"] if chat in now.hushed else []
    return "\n".join(
        [
            f"{talker.name}（{talker.hash or '没有封存'}），已运行{_how_long(time.time() - now.since)}",
            *(_worker(name, told, why=alone) for name, told in bridge.personas.status().items()),
            *(["急停着，哪里都不说话，/resume 才继续"] if now.halted else []),
            f"这里：{MODES[rules.mode]}{''.join(waits)}；开着的聊天 {len(now.on)} 个，安静着的 {len(now.hushed)} 个",
            f"回了 {now.answered} 条，正在想 {now.drafting}，排队 {now.waiting}，被限 {now.capped}，失败 {now.failed}",
            f"今天说了 {now.sent_today} 条，没让它说出口的 {now.held_back} 条，黑名单 {now.blocked} 人",
        ]
    )


async def stats(bridge: Bridge, line: Line) -> str:
    """What was said today."""
    line.only(0)
    today = await bridge.runner.stats(line.chat)
    return (
        f"今天这里说了 {today.here} 条，回了 {today.replies} 次；全部聊天 {today.everywhere} 条，上限 {today.per_day}"
    )


def _worker(name: str, told: dict[str, Any], *, why: bool) -> str:
    """One persona's line: its version, how it is, and what troubles it; `why` tells the trouble too."""
    parts = [STATES[told["state"]]]
    if told["restarts"]:
        parts.append(f"重启过 {told['restarts']} 次")
    if told["failures"] >= OFTEN and told["trouble"]:
        trouble = f"：{told['trouble']}" if why else ""
        parts.append(f"连续 {told['failures']} 次没起来{trouble}")
    return f"模型 {name}/{told['version']}：{'，'.join(parts)}"


def _clock(until: float) -> str:
    return " /unmute" if math.isinf(until) else time.strftime(" %m-%d %H:%M", time.localtime(until))


def _how_long(seconds: float) -> str:
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f" {days} 天 {hours} 小时"
    return f" {hours} 小时 {minutes % 60} 分" if hours else f" {minutes} 分钟"
