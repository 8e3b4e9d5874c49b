"""The owner's commands about what is remembered of them: look, add, delete. It stands in data/me.toml.

Knows facts and how they are told; what is recalled when is bot/remembering.py's.
"""

from pydantic import ValidationError

from bot.persona.facts import Fact
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
        words = line.after(1).text
        if not words:
            raise Wrong
        gone = await bridge.remembering.forget_facts(words)
        return "忘掉了：" + _listed(gone) if gone else f"没有记着“{words}”"
    known = [fact for fact in bridge.remembering.facts.fact if line.text in fact.text]
    return _listed(known) or "还没有记住什么：/remember 话"


async def remember(bridge: Bridge, line: Line) -> str:
    """Add a fact. Said in a chat it is for that chat; in the owner's own, for anyone."""
    kind, peer = line.chat.split(":", 2)[1:]
    here = f"group:{peer}" if kind == "group" else peer
    audience = "anyone" if line.chat == line.own else [here]
    try:
        fact = Fact(text=line.text, audience=audience)
    except ValidationError:
        raise Wrong("要有话，最多 200 字") from None
    await bridge.remembering.remember(fact)
    return "记住了，谁都可以听到" if audience == "anyone" else f"记住了，只在 {here} 里说"


def short(text: str) -> str:
    """A line on one line, not whole where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= SHORT else f"{flat[:SHORT]}…"


def _listed(facts: list[Fact]) -> str:
    lines = [f"· {fact.text}（{_heard(fact)}）" for fact in facts[:SHOWN]]
    more = [f"还有 {len(facts) - SHOWN} 条"] if len(facts) > SHOWN else []
    return "\n".join([*lines, *more])


def _heard(fact: Fact) -> str:
    if fact.kind == "never":
        return "绝不说"
    named = {"anyone": "谁都可以听", "nobody": "谁也不说"}
    return named[fact.audience] if isinstance(fact.audience, str) else "、".join(fact.audience)
