"""What `status` says: who speaks here, how the personas are, and what was answered."""

import time
from typing import Any

from plugins.chat.bridge import Bridge

STATES = {"ready": "在线", "starting": "正在启动", "asleep": "睡着", "paused": "暂停中", "closed": "已关"}
OFTEN = 3
"""Failures in a row from which a start counts as trouble."""


async def status(bridge: Bridge, chat: str) -> str:
    now = bridge.runner.status()
    talker = bridge.runner.talker_in(chat).persona
    here = "开" if bridge.runner.is_on(chat) else "关"
    return "\n".join(
        [
            f"{talker.name}（{talker.hash or '没有封存'}），已运行{_how_long(time.time() - now.since)}",
            *(_worker(name, told) for name, told in bridge.personas.status().items()),
            f"这里：{here}；开着的聊天 {len(now.on)} 个",
            f"回了 {now.answered} 条，正在想 {now.drafting}，排队 {now.waiting}，被限 {now.capped}，失败 {now.failed}",
        ]
    )


def _worker(name: str, told: dict[str, Any]) -> str:
    """One persona's line: its version, how it is, and what troubles it."""
    parts = [STATES[told["state"]]]
    if told["restarts"]:
        parts.append(f"重启过 {told['restarts']} 次")
    if told["failures"] >= OFTEN and told["trouble"]:
        parts.append(f"连续 {told['failures']} 次没起来：{told['trouble']}")
    return f"模型 {name}/{told['version']}：{'，'.join(parts)}"


def _how_long(seconds: float) -> str:
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f" {days} 天 {hours} 小时"
    return f" {hours} 小时 {minutes % 60} 分" if hours else f" {minutes} 分钟"
