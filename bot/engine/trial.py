"""Whether a new persona may take over: what the gate said of it, and what it says itself.

Knows a running child and the version's folder; doesn't know how personas are exchanged.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from bot.engine.child import Child
from bot.engine.wire import Sampling
from bot.persona.behaviour import Behaviour
from bot.persona.manifest import SCORES
from bot.persona.prompt import render
from config.errors import EngineError
from config.settings import Engine

QUESTIONS = ("在吗", "周末去哪儿了", "哈哈哈笑死")
ASKER = "测试"
FAR = 20
"""Times my usual reply's length at which something that goes on is no reply of mine."""


class Unfit(EngineError):
    """A persona that doesn't take over, and why."""

    def __init__(self, message: str, *, hint: str = "the old one serves on") -> None:
        super().__init__(message, hint=hint)


@dataclass(slots=True, frozen=True)
class Verdict:
    """What the gate of `mybot retrain` wrote beside a version; None: it never judged it."""

    passed: bool | None = None
    reasons: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> "Verdict":
        try:
            scores = json.loads((folder / SCORES).read_bytes())
        except (FileNotFoundError, ValueError):
            return cls()
        return cls(scores.get("passed"), scores.get("reasons") or [])


def check_verdict(folder: Path) -> None:
    """Raise Unfit where the gate refused this version."""
    verdict = Verdict.of(folder)
    if verdict.passed is False:
        reasons = "; ".join(verdict.reasons)
        raise Unfit(f"the gate refused {folder.name}: {reasons}; to take it all the same add --force")


async def smoke_test(child: Child, knobs: Engine) -> None:
    """Raise Unfit unless the persona says something, with finite scores, no control tokens, and as long as I do."""
    longest = min(child.persona.generation.max_tokens, knobs.max_new_tokens)
    said = [await _ask(child, question, longest) for question in QUESTIONS]
    if not any(text.strip() for text in said):
        raise Unfit("the new persona says nothing", hint="the old one serves on; train it again")
    if any(token in text for token in _special_tokens(child.folder) for text in said):
        raise Unfit("the new persona says control tokens", hint="the old one serves on; see its chat template")
    usual = usual_length(child.persona.behaviour)
    if usual and all(len(text) > FAR * usual for text in said):
        chars = min(map(len, said))
        raise Unfit(f"the new persona goes on and on: {chars} characters, where {usual:.0f} are usual")


def usual_length(behaviour: Behaviour) -> float:
    """Characters of a long reply of mine, all its bubbles together; 0 where that was never learned."""
    return max(8, behaviour.chars[2]) * behaviour.bubbles if behaviour.learned else 0.0


async def _ask(child: Child, question: str, longest: int) -> str:
    prompt = [turn.to_wire() for turn in render([], child.persona.prompt, kind="private", name=ASKER)]
    prompt.append({"role": "user", "content": question})
    said = ""
    async for piece in child.client.stream(prompt, Sampling(temperature=0.0, max_tokens=longest)):
        said += piece.text
        if piece.finish not in (None, "stop", "length"):
            raise Unfit(f"the new persona can't answer: {piece.why or piece.finish}")
    return said


def _special_tokens(folder: Path) -> list[str]:
    try:
        added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")).get("added_tokens", [])
    except FileNotFoundError:
        return []
    return [token["content"] for token in added if token["special"]]
