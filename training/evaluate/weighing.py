"""What a loaded model makes of texts, put into the ledger: how likely my replies are, and which fits where.

    nats SYSTEM ID         a reply of mine (or of somebody else) after its own prompt
    rank SYSTEM ID TEXTS   the candidates of a question after its prompt, and after none
    fits SYSTEM ID TEXTS   many systems' replies after one prompt
    alone SYSTEM TEXT      a text after no prompt at all

Knows prompts and the ledger; doesn't judge.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.engine.prompt_ids import prompt_ids
from bot.persona import privacy
from bot.persona.message import Message
from bot.persona.prompt import SILENCE, Bubble, PromptSpec, Rendered, Turn, escape, render
from bot.persona.pseudonyms import Hidden
from training.evaluate import scoring
from training.evaluate.ledger import Ledger
from training.evaluate.sample import Moment
from training.evaluate.scoring import Note, Reading
from training.windows import IGNORE, Window, ended, label

DIGITS = 4
"""Decimals of a score that are kept."""
LONGEST = 4
"""Of the context, a reply may take one in so many tokens."""

TOGETHER = 200
"""Texts that are read after one reading of an empty prompt; then they are kept."""

NUL = "\0"

Told = Callable[[list[dict[str, str]]], str]


def nats_key(system: str, moment: Moment) -> str:
    return f"nats {system} {moment.id}"


def rank_key(system: str, moment: Moment, candidates: Sequence[str]) -> str:
    return f"rank {system} {moment.id} {_digest(NUL.join(candidates))}"


def fits_key(system: str, moment: Moment, texts: Sequence[str]) -> str:
    return f"fits {system} {moment.id} {_digest(NUL.join(texts))}"


def alone_key(system: str, text: str) -> str:
    return f"alone {system} {_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


@dataclass(slots=True, frozen=True)
class Wanted:
    """What a model is to make of one moment: of my answer, and of what else might have been said there."""

    moment: Moment
    candidates: tuple[str, ...] = ()
    """Of a question."""
    texts: tuple[str, ...] = ()
    """What several systems said, there and elsewhere."""

    def keys(self, system: str) -> list[str]:
        """Where the ledger has it."""
        found = [nats_key(system, self.moment)]
        found += [rank_key(system, self.moment, self.candidates)] if self.candidates else []
        return found + ([fits_key(system, self.moment, self.texts)] if self.texts else [])


@dataclass(slots=True, frozen=True)
class Part:
    """One value of the ledger, and what must be read for it."""

    key: str
    prompt: list[int]
    replies: list[list[int]]
    told: Callable[[list[list[float]]], Any]
    """The value, by the nats of each token of each reply."""


@dataclass(slots=True)
class Weigher:
    """A loaded model with the ledger it writes to. `told` is what its system turn is made longer by."""

    loaded: Any
    spec: PromptSpec
    ledger: Ledger
    told: Told | None = None
    _known: dict[str, list[int]] = field(default_factory=dict, repr=False)
    """Texts that are the same at every moment, as tokens."""

    def read(self, system: str, wanted: Sequence[Wanted], note: Note) -> None:
        """All that is wanted and not in the ledger yet; what comes after the same prompt, by one reading of it."""
        asked = [one for one in wanted if rank_key(system, one.moment, one.candidates) not in self.ledger]
        self.alone(system, [text for one in asked for text in one.candidates], lambda done, of: None)
        groups = _by_prompt(self.parts(system, wanted))
        readings = [_reading(parts) for parts in groups]
        done, of = 0, sum(one.tokens for one in readings)
        for place, losses in scoring.read(self.loaded, readings):
            rest = iter(losses)
            for part in groups[place]:
                self.ledger.put(part.key, part.told([next(rest) for _ in part.replies]))
            done += readings[place].tokens
            note(done, of)

    def tokens(self, system: str, wanted: Sequence[Wanted]) -> int:
        """What a model is fed by `read`, the candidates without a prompt left out."""
        return sum(_reading(parts).tokens for parts in _by_prompt(self.parts(system, wanted)))

    def parts(self, system: str, wanted: Sequence[Wanted]) -> Iterator[Part]:
        """What is wanted at each moment and not in the ledger yet."""
        for one in wanted:
            missing = set(self.ledger.missing(one.keys(system)))
            if not missing:
                continue
            prompt = self.prompt(one.moment) if one.candidates or one.texts else []
            if (key := nats_key(system, one.moment)) in missing:
                yield self._own(key, one.moment, prompt)
            if (key := rank_key(system, one.moment, one.candidates)) in missing:
                replies = self.replies(one.candidates, one.moment)
                yield Part(key, prompt, replies, lambda losses, one=one: self._gains(system, one.candidates, losses))
            if (key := fits_key(system, one.moment, one.texts)) in missing:
                yield Part(key, prompt, self.replies(one.texts), _likely)

    def _own(self, key: str, moment: Moment, prompt: list[int]) -> Part:
        """My answer at a moment: [nats, tokens], none where it isn't scored. The prompt is that of other replies where the answer stands behind it."""
        window = ended(self.window(moment))
        ids, labels = window.input_ids, window.labels
        begin = next((place for place, label in enumerate(labels) if label != IGNORE), len(ids))
        if prompt and len(prompt) <= begin and ids[: len(prompt)] == prompt:
            begin = len(prompt)
        # All of it may be hidden; and what is longer than all context can't be told by its characters.
        replies = [ids[begin:]] if window.trained and begin else []

        def told(losses: list[list[float]]) -> list[float]:
            nats = [n for row in losses for n, label in zip(row, labels[begin:], strict=True) if label != IGNORE]
            return [round(math.fsum(nats), DIGITS), len(nats)]

        return Part(key, ids[:begin], replies, told)

    def _gains(self, system: str, candidates: Sequence[str], losses: list[list[float]]) -> list[list[float]]:
        """Of each candidate: [log p after the prompt − after none], [log p after the prompt]."""
        here = [-math.fsum(row) for row in losses]
        nothing = [self.ledger.get(alone_key(system, text))[0] for text in candidates]
        return [[round(a + b, DIGITS) for a, b in zip(here, nothing, strict=True)], [round(a, DIGITS) for a in here]]

    def alone(self, system: str, texts: Iterable[str], note: Note) -> None:
        """Texts after an empty prompt: [nats, tokens, nats of the worst token]."""
        keys = {alone_key(system, text): text for text in texts}
        asked = [text for key, text in keys.items() if key not in self.ledger]
        for begin in range(0, len(asked), TOGETHER):
            some = asked[begin : begin + TOGETHER]
            for text, losses in zip(some, scoring.after(self.loaded, self.nothing(), self.replies(some)), strict=True):
                told = [round(math.fsum(losses), DIGITS), len(losses), round(max(losses), DIGITS)]
                self.ledger.put(alone_key(system, text), told)
            note(begin + len(some), len(asked))

    def window(self, moment: Moment) -> Window:
        """A moment with its answer, oldest turns left out until it fits."""
        turns, context = _ending_with_others(moment.turns), self.loaded.context
        window = Window([], [])
        for first in range(len(turns)):
            rendered = self._render([*turns[first:], moment.answer], moment)
            window = label(self.loaded.tokenizer, rendered, {self.loaded.tokenizer.eos_token_id})
            if len(window.input_ids) <= context:
                break
        return Window(window.input_ids[-context:], window.labels[-context:])

    def prompt(self, moment: Moment) -> list[int]:
        """What stands before a reply at a moment, with room for one behind it."""
        turns = _ending_with_others(moment.turns)
        room = self.loaded.context - self.loaded.context // LONGEST
        ids: list[int] = []
        for first in range(len(turns)):
            ids = self._ids(self._render(turns[first:], moment))
            if len(ids) <= room:
                break
        return ids[-room:]

    def _render(self, turns: Sequence[Turn], moment: Moment) -> list[Rendered]:
        rendered = render(turns, self.spec, kind=moment.mine.kind, name=moment.name)
        if self.told is None:
            return rendered
        asked = [turn.to_wire() for turn in rendered if turn.role != "assistant" or turn is not rendered[-1]]
        return [Rendered("system", f"{rendered[0].content}\n{self.told(asked)}"), *rendered[1:]]

    def _ids(self, rendered: Sequence[Rendered]) -> list[int]:
        return prompt_ids(self.loaded.tokenizer, [turn.to_wire() for turn in rendered], True)

    def nothing(self) -> list[int]:
        """The prompt of no chat at all."""
        return self._ids(render([Turn("user", [Bubble("", mark=SILENCE)])], self.spec, kind="private", name=""))

    def replies(self, texts: Iterable[str], moment: Moment | None = None) -> list[list[int]]:
        """Texts as a model would write them, each with the token that ends it; at a moment its people are hidden."""
        texts = list(texts)
        if moment is not None and self.spec.pseudonyms is not None:
            return self._written(texts, moment.messages)
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._written(new, ()), strict=True))
        return [self._known[text] for text in texts]

    def _written(self, texts: Sequence[str], messages: Sequence[Message]) -> list[list[int]]:
        hidden = Hidden(self.spec.pseudonyms, messages)
        said = ["\n".join(escape(privacy.scrub(hidden.text(line))) for line in text.split("\n")) for text in texts]
        if not said:
            return []
        tokenizer, most = self.loaded.tokenizer, self.loaded.context // LONGEST - 1
        return [[*ids[:most], tokenizer.eos_token_id] for ids in tokenizer(said, add_special_tokens=False)["input_ids"]]


def _by_prompt(parts: Iterable[Part]) -> list[list[Part]]:
    found: dict[tuple[int, ...], list[Part]] = {}
    for part in parts:
        found.setdefault(tuple(part.prompt), []).append(part)
    return list(found.values())


def _reading(parts: Sequence[Part]) -> Reading:
    return Reading(parts[0].prompt, [reply for part in parts for reply in part.replies])


def _likely(losses: list[list[float]]) -> list[float]:
    """The log-probability of each reply."""
    return [round(-math.fsum(row), DIGITS) for row in losses]


def chars(moment: Moment) -> int:
    """Characters of an answer as far as they are scored: hidden data isn't, line ends are."""
    text = "\n".join(escape(bubble.text) for bubble in moment.answer.bubbles)
    return len(privacy.PLACEHOLDER.sub("", text))


def _ending_with_others(turns: Sequence[Turn]) -> list[Turn]:
    """A reply follows somebody's turn; after one of mine, a pause."""
    if turns and turns[-1].role == "user":
        return list(turns)
    return [*turns, Turn("user", [Bubble("", mark=SILENCE)])]
