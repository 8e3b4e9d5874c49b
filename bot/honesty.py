"""An honest answer to whoever asks whether an AI writes here, and none in the owner's name about money.

Knows what is asked, and the fixed line that answers in the language of the question, whatever the persona
would say. Doesn't know when a reply is due: a fixed line takes the place of the persona's
reply, and goes the same way.
"""

from collections.abc import Sequence

from bot import words
from bot.persona import guard_money
from bot.persona.guard import Reason
from bot.persona.message import Message
from bot.whether_ai import asks_whether_ai
from bot.words import Text

FRESH = 90
"""Seconds before the answered message in which its sender's lines belong to the same question."""
LINES = 5
"""At most so many of those lines."""


def fixed_answer(
    messages: Sequence[Message], answering: str | None, *, disclosure: bool = True, guard: bool = True
) -> tuple[str, tuple[Reason, ...]]:
    """The line that code says in the persona's place, empty where it is the persona's turn; and what it refuses.

    `messages` are the chat's, oldest first, up to now; `answering` is the id of the one that is answered
    (left out, the newest).
    """
    asked = put_to_me(messages, answering)
    mine = [message.text for message in messages if message.mine]
    if disclosure and any(map(asks_whether_ai, asked)):
        return _varied(words.HONEST, asked, mine), ()
    if guard and guard_money.asked(asked):
        return declined(messages, answering), ("money",)
    return "", ()


def declined(messages: Sequence[Message], answering: str | None) -> str:
    """The line that says no to a request for money, a code or a credential."""
    return _varied(words.DECLINED, put_to_me(messages, answering), [m.text for m in messages if m.mine])


def put_to_me(messages: Sequence[Message], answering: str | None) -> list[str]:
    """What the sender of the answered message has just said, since I spoke; oldest first."""
    place = next((n for n, message in enumerate(messages) if message.id == answering), len(messages) - 1)
    if place < 0 or messages[place].mine:
        return []
    last, said = messages[place], []
    for message in messages[place::-1]:
        if message.mine or len(said) == LINES or last.time - message.time > FRESH:
            break
        if message.sender == last.sender and message.spoken:
            said.append("".join(s.text for s in message.segments if s.type == "text").strip())
    return [text for text in reversed(said) if text]


def _varied(texts: Sequence[Text], asked: Sequence[str], mine: Sequence[str]) -> str:
    """Of several ways to say it the one that I have said longest ago, or never; as those ask, so they are answered."""
    language = words.written_in(asked) or "zh"
    newest_first = list(reversed(mine))
    lines = [text(language) for text in texts]
    return max(lines, key=lambda line: newest_first.index(line) if line in newest_first else len(newest_first))
