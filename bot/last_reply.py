"""Which bubbles of a chat make up my last reply: what can be taken back, said anew, or taught better.

Knows who wrote which line. Doesn't know what is ordered about them (bot/runner.py).
"""

from bot.history import OWNER, History
from bot.persona.message import Message

LOOKED_BACK = 40
"""Messages among which my last reply is looked for."""
ONE_REPLY = 180.0
"""Seconds between two bubbles of one reply, at most."""


async def last_reply(history: History, chat: str, quoted: str = "", *, owners: bool = False) -> list[Message]:
    """The bubbles of my last reply, or of the one with the quoted bubble, the newest first.

    `owners`: what I said in the owner's words counts; what they typed themselves has a sender, and doesn't.
    """
    found: list[Message] = []
    wrote = ""
    recent = await history.recent(chat, LOOKED_BACK)
    if quoted:
        place = next((n for n, message in enumerate(recent) if message.id == quoted and message.mine), -1)
        while 0 <= place < len(recent) - 1 and recent[place + 1].mine:
            if recent[place + 1].time - recent[place].time > ONE_REPLY:
                break
            place += 1
        recent = recent[: place + 1]
    for message in reversed(recent):
        if not found and not message.mine:
            continue
        apart = found and (not message.mine or found[-1].time - message.time > ONE_REPLY)
        if apart or "system" in message.flags:
            break
        author = await history.author(chat, message.id)
        if not (author.startswith("persona:") or (owners and author == OWNER and not message.sender)):
            break
        if found and OWNER in (author, wrote) and author != wrote:
            break
        wrote = author
        found.append(message)
    return found
