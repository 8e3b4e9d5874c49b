"""What `status` says: who speaks here, how the personas are, and what was answered."""

import math
import time
from typing import Any

from bot.faults import told as reason
from plugins.admin import words
from plugins.admin.line import Line
from plugins.admin.roles import Role
from plugins.chat.bridge import Bridge

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
    quiet = line.say(words.QUIET, clock=_clock(now.hushed[chat])) if chat in now.hushed else ""
    hash_ = talker.hash or line.say(words.UNSEALED)
    return "\n".join(
        [
            line.say(words.UP, name=talker.name, hash=hash_, time=_how_long(line, time.time() - now.since)),
            *(_worker(line, name, told, why=alone) for name, told in bridge.personas.status().items()),
            *([line.say(words.HALTED)] if now.halted else []),
            line.say(
                words.HERE,
                mode=line.say(words.MODES[rules.mode]),
                quiet=quiet,
                on=len(now.on),
                hushed=len(now.hushed),
            ),
            line.say(
                words.TURNS,
                answered=now.answered,
                drafting=now.drafting,
                waiting=now.waiting,
                capped=now.capped,
                failed=now.failed,
            ),
            line.say(words.TODAY, sent=now.sent_today, held=now.held_back, blocked=now.blocked),
        ]
    )


async def stats(bridge: Bridge, line: Line) -> str:
    """What was said today."""
    line.only(0)
    today = await bridge.runner.stats(line.chat)
    return line.say(
        words.STATS, here=today.here, replies=today.replies, everywhere=today.everywhere, most=today.per_day
    )


def _worker(line: Line, name: str, told: dict[str, Any], *, why: bool) -> str:
    """One persona's line: its version, how it is, and what troubles it; `why` tells the trouble too."""
    parts = [line.say(words.STATES[told["state"]])]
    if told["restarts"]:
        parts.append(line.say(words.RESTARTED, times=told["restarts"]))
    if told["failures"] >= OFTEN and told["trouble"]:
        text = words.FAILS_WHY if why else words.FAILS
        parts.append(line.say(text, times=told["failures"], why=reason(line.language, told["trouble"])))
    if told["cut"]:
        parts.append(line.say(words.CUT_PROMPTS, chats=len(told["cut"])))
    if told["refused"]:
        parts.append(line.say(words.HELD_PROMPTS, chats=len(told["refused"])))
    state = line.say(words.ALSO).join(parts)
    return line.say(words.MODEL, name=f"{name}/{told['version']}", state=state)


def _clock(until: float) -> str:
    return "/unmute" if math.isinf(until) else time.strftime("%m-%d %H:%M", time.localtime(until))


def _how_long(line: Line, seconds: float) -> str:
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return line.say(words.DAYS, days=days, hours=hours)
    if hours:
        return line.say(words.HOURS, hours=hours, minutes=minutes % 60)
    return line.say(words.ONLY_MINUTES, minutes=minutes)
