"""What a loaded model makes of texts, put into the ledger: how likely my replies are, and which fits where.

    nats SYSTEM ID      a reply of mine (or of somebody else) after its own prompt
    rank SYSTEM ID      the candidates of a question after its prompt, and after none
    fits SYSTEM ID      many systems' replies after one prompt
    alone SYSTEM TEXT   a text after no prompt at all

Knows prompts and the ledger; doesn't judge.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.engine.prompt_ids import prompt_ids
from bot.persona import privacy
from bot.persona.prompt import SILENCE, Bubble, PromptSpec, Rendered, Turn, escape, render
from bot.persona.pseudonyms import Hidden
from training.evaluate import scoring
from training.evaluate.ledger import Ledger
from training.evaluate.relevance import Question
from training.evaluate.sample import Moment, Sample
from training.evaluate.scoring import Note
from training.windows import Window, ended, label

DIGITS = 4
"""Decimals of a score that are kept."""
LONGEST = 4
"""Of the context, a reply may take one in so many tokens."""

TOGETHER = 200
"""Texts that are read after one reading of an empty prompt; then they are kept."""

Told = Callable[[list[dict[str, str]]], str]


def nats_key(system: str, moment: Moment) -> str:
    return f"nats {system} {moment.id}"


def rank_key(system: str, moment: Moment) -> str:
    return f"rank {system} {moment.id}"


def fits_key(system: str, moment: Moment) -> str:
    return f"fits {system} {moment.id}"


def alone_key(system: str, text: str) -> str:
    return f"alone {system} {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:16]}"


@dataclass(slots=True)
class Weigher:
    """A loaded model with the ledger it writes to. `told` is what its system turn is made longer by."""

    loaded: Any
    spec: PromptSpec
    ledger: Ledger
    told: Told | None = None

    def nats(self, system: str, moments: Sequence[Moment], note: Note) -> None:
        """My answers at some moments, each after its own prompt: [nats, tokens]."""
        asked = [moment for moment in moments if nats_key(system, moment) not in self.ledger]
        windows = {moment.id: self.window(moment) for moment in asked}
        for moment in asked:
            if not windows[moment.id].trained:  # all of it is hidden
                self.ledger.put(nats_key(system, moment), [0.0, 0])
        asked = [moment for moment in asked if windows[moment.id].trained]
        read = [ended(windows[moment.id]) for moment in asked]
        tokens, done = sum(len(window.input_ids) for window in read), 0
        for place, losses in scoring.nats(self.loaded, read):
            self.ledger.put(nats_key(system, asked[place]), [round(math.fsum(losses), DIGITS), len(losses)])
            done += len(read[place].input_ids)
            note(done, tokens)

    def ranks(self, system: str, sample: Sample, questions: Sequence[Question], note: Note) -> None:
        """The candidates of each question: [log p after the prompt − after none], [log p after the prompt]."""
        texts = [reply.text for question in questions for reply in question.candidates]
        self.alone(system, texts, lambda done, of: None)
        keys = [rank_key(system, sample.moments[question.place]) for question in questions]
        asked = [(key, question) for key, question in zip(keys, questions, strict=True) if key not in self.ledger]
        for done, (key, question) in enumerate(asked, 1):
            moment = sample.moments[question.place]
            replies = self.replies([reply.text for reply in question.candidates], moment)
            here = self._after(moment, replies)
            nothing = [self.ledger.get(alone_key(system, reply.text))[0] for reply in question.candidates]
            gains = [round(a + b, DIGITS) for a, b in zip(here, nothing, strict=True)]
            self.ledger.put(key, [gains, [round(value, DIGITS) for value in here]])
            note(done, len(asked))

    def fits(self, system: str, moments: Sequence[Moment], texts: Sequence[str], note: Note) -> None:
        """Each of some texts after each moment's prompt: log p, a moment a row, in the order of the texts."""
        asked = [moment for moment in moments if fits_key(system, moment) not in self.ledger]
        replies = self.replies(texts) if asked else []
        for done, moment in enumerate(asked, 1):
            here = self._after(moment, replies)
            self.ledger.put(fits_key(system, moment), [round(value, DIGITS) for value in here])
            note(done, len(asked))

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

    def _after(self, moment: Moment, replies: Sequence[Sequence[int]]) -> list[float]:
        """The log-probability of each reply at a moment."""
        return [-math.fsum(losses) for losses in scoring.after(self.loaded, self.prompt(moment), replies)]

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
        hidden = Hidden(self.spec.pseudonyms, moment.messages if moment else ())
        said = ["\n".join(escape(privacy.scrub(hidden.text(line))) for line in text.split("\n")) for text in texts]
        if not said:
            return []
        tokenizer, most = self.loaded.tokenizer, self.loaded.context // LONGEST - 1
        return [[*ids[:most], tokenizer.eos_token_id] for ids in tokenizer(said, add_special_tokens=False)["input_ids"]]


def chars(moment: Moment) -> int:
    """Characters of an answer as far as they are scored: hidden data isn't, line ends are."""
    text = "\n".join(escape(bubble.text) for bubble in moment.answer.bubbles)
    return len(privacy.PLACEHOLDER.sub("", text))


def _ending_with_others(turns: Sequence[Turn]) -> list[Turn]:
    """A reply follows somebody's turn; after one of mine, a pause."""
    if turns and turns[-1].role == "user":
        return list(turns)
    return [*turns, Turn("user", [Bubble("", mark=SILENCE)])]
