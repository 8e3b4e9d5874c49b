"""Who may give which command: the owner, the bot's admins, and a group's own admins.

Knows where admins are kept; doesn't know what a command does. Whoever has no role gets no answer at all.
"""

import json
from enum import IntEnum

from bot.history import History
from bot.owner import account
from bot.standing import EVERYWHERE, Standing

ADMINS = "admins"
"""The setting that holds the bot's admins."""


class Role(IntEnum):
    """What somebody may do; each may do what those before may."""

    NOBODY = 0
    GROUP_ADMIN = 1
    """An admin of the group it is said in, as the platform tells: may quieten the bot there."""
    ADMIN = 2
    """An admin of the bot, made one by the owner."""
    OWNER = 3
    """One of the superusers."""


def role_of(history: History, standing: Standing, chat: str, sender: str, *, leads_group: bool) -> Role:
    """What somebody is in a chat. `leads_group`: the platform says that they are an admin of that group."""
    if standing.is_owner(chat, sender):
        return Role.OWNER
    if account(chat, sender) in admins(history):
        return Role.ADMIN
    return Role.GROUP_ADMIN if leads_group and ":group:" in chat else Role.NOBODY


def admins(history: History) -> list[str]:
    return json.loads(history.setting(EVERYWHERE, ADMINS) or "[]")


async def keep_admin(history: History, who: str, on: bool) -> None:
    """Make somebody an admin of the bot, or no longer; kept over restarts."""
    people = {*admins(history), who} if on else {*admins(history)} - {who}
    await history.put(EVERYWHERE, ADMINS, json.dumps(sorted(people)))
