"""The owner's commands about what is remembered of them: look, add, delete. It stands in data/me.toml.

Knows facts and how they are told; what is recalled when is bot/remembering.py's.
"""

from pydantic import ValidationError

from bot.persona.facts import Fact
from plugins.admin import words
from plugins.admin.line import Line, Wrong
from plugins.chat.bridge import Bridge

_FORGET = ("forget", "忘掉")
SHOWN = 30
"""Facts that one answer lists."""
SHORT = 24
"""Characters of a recalled line that are shown."""


async def memory(bridge: Bridge, line: Line) -> str:
    """The facts, those with some words in them, or the end of those."""
    if any(line.begins([word]) for word in _FORGET):
        which = line.after(1).text
        if not which:
            raise Wrong
        gone = await bridge.remembering.forget_facts(which)
        if not gone:
            return line.say(words.NO_SUCH_FACT, words=which)
        return line.say(words.FACTS_FORGOTTEN, facts=_listed(line, gone))
    known = [fact for fact in bridge.remembering.facts.fact if line.text in fact.text]
    return _listed(line, known) or line.say(words.NO_FACTS)


async def remember(bridge: Bridge, line: Line) -> str:
    """Add a fact. Said in a chat it is for that chat; in the owner's own, for anyone."""
    kind, peer = line.chat.split(":", 2)[1:]
    here = f"group:{peer}" if kind == "group" else peer
    audience = "anyone" if line.chat == line.own else [here]
    try:
        fact = Fact(text=line.text, audience=audience)
    except ValidationError:
        raise Wrong(line.say(words.NO_FACT)) from None
    await bridge.remembering.remember(fact)
    return line.say(words.REMEMBERED) if audience == "anyone" else line.say(words.REMEMBERED_HERE, chat=here)


def short(text: str) -> str:
    """A line on one line, not whole where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= SHORT else f"{flat[:SHORT]}…"


def _listed(line: Line, facts: list[Fact]) -> str:
    lines = [line.say(words.FACT, text=fact.text, heard=_heard(line, fact)) for fact in facts[:SHOWN]]
    more = [line.say(words.MORE, count=len(facts) - SHOWN)] if len(facts) > SHOWN else []
    return "\n".join([*lines, *more])


def _heard(line: Line, fact: Fact) -> str:
    if fact.kind == "never":
        return line.say(words.NEVER)
    if isinstance(fact.audience, str):
        return line.say(words.HEARD_BY[fact.audience])
    return line.say(words.AND).join(fact.audience)
