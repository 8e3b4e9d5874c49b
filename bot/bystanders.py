"""Lines that are an order by themselves, without a prefix: the owner's stop word, and what anybody may ask.

Knows the exact words alone; whoever acts on them decides what becomes of it. A line that merely
contains them is talk.
"""

import string
from collections.abc import Collection
from typing import Literal

from bot.persona.message import Message

Wish = Literal["ignore", "heed", "forget"]
"""Don't answer me; answer me again; delete what I said."""

_WISHES: dict[str, Wish] = {
    "别回我": "ignore",
    "不要回我": "ignore",
    "别再回我": "ignore",
    "可以回我": "heed",
    "可以回我了": "heed",
    "回我吧": "heed",
    "忘了我": "forget",
    "忘掉我": "forget",
    "请忘了我": "forget",
    "stop replying to me": "ignore",
    "please stop replying to me": "ignore",
    "don't reply to me": "ignore",
    "please don't reply to me": "ignore",
    "you may reply to me": "heed",
    "you can reply to me": "heed",
    "you can reply to me again": "heed",
    "forget me": "forget",
    "please forget me": "forget",
}
_EDGES = string.whitespace + "\xa0\u3000，。,.!！~～"


def wish(message: Message) -> Wish | None:
    """What a bystander asks of the bot with this line."""
    return None if message.mine else _WISHES.get(line_of(message).lower().replace("’", "'"))


def is_stop(message: Message, word: str, owners: Collection[str]) -> bool:
    """Whether the owner says the stop word: by an account of `owners`, or (`mine`) by the bot's own.

    A bubble that the bot itself sent must not get here: it has never said the word.
    """
    line = line_of(message)
    return (
        bool(word) and line.casefold() == word.strip(_EDGES).casefold() and (message.mine or message.sender in owners)
    )


def line_of(message: Message) -> str:
    """A message's words without whom it is put to, and without what stands around them."""
    return "".join(s.text for s in message.segments if s.type == "text").strip(_EDGES)
