"""What a line without a prefix orders by itself: the owner's stop word, and what anybody may ask of the bot.

Knows what is done and what the owner is told of it; which words these are is in bystanders.py. They are
acknowledged by a reaction where the platform has one, never by talk, and are no part of a conversation.
"""

import logging

from bot import words
from bot.bystanders import Wish, is_stop, wish
from bot.errands import Tells
from bot.history import History
from bot.persona.message import Message
from bot.port import Port, Unsent
from bot.standing import Standing
from bot.words import Language

logger = logging.getLogger(__name__)


def asked(message: Message, standing: Standing) -> Wish | None:
    """What a bystander asks of the bot; the owner has commands for that."""
    return None if standing.is_owner(message.chat, message.sender) else wish(message)


async def forgotten(message: Message, history: History, port: Port, alerts: Tells | None, language: Language) -> None:
    """Note that somebody wanted to be forgotten, and tell the owner, who has the records."""
    who = message.sender
    await history.keepsakes.set_consent(message.chat, who, "no", at=port.now())
    if alerts is not None:
        await alerts.tell(f"forget {message.chat} {who}", words.FORGET_ME(language, who=who, chat=message.chat))


def stops(message: Message, standing: Standing, word: str) -> bool:
    """Whether the owner orders silence everywhere."""
    owners = {message.sender} if standing.is_owner(message.chat, message.sender) else set[str]()
    return is_stop(message, word, owners)


async def acknowledge(port: Port, message: Message) -> None:
    try:
        await port.react(message.chat, message.id)
    except Unsent as error:
        logger.warning("not acknowledged in %s: %s", message.chat, error)
