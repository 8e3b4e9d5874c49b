"""What a chat reminds the persona of: facts that may be heard there, its summary, its own earlier lines.

One function for both halves. Of another chat nothing is ever recalled; facts of the owner are the only
thing that more than one chat may hear. Doesn't know how a prompt writes it (bot/persona/memory.py).
"""

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.persona.facts import Facts, as_message
from bot.persona.grams import EARLIER, asked
from bot.persona.memory import Recalled, asking
from bot.persona.message import Message
from bot.persona.prompt import PromptSpec
from bot.persona.wanted import SURE, Wanted
from bot.recall import STANDS_OUT, Recall
from bot.recall_ranks import Line
from bot.recall_tables import key_of
from bot.recall_vectors import Near, Vector, blend, fact_key
from bot.summaries import Summaries

FACTS = 4
REST = 8
"""Facts that are added where I am asked about myself and none that was found answers."""
LINES = 4
"""At most so many, of which a question counts with its answer as one."""
_QUESTION = re.compile(
    r"[?？]\s*$|吗|呢\s*$|什么|啥|谁|哪|几[点个岁号天]|多少|怎么|怎样|为什么|[么不没]\s*$|是不是|有没有|会不会"
)


@dataclass(slots=True)
class Reminding:
    """Where memories of all chats come from."""

    lines: Recall | None = None
    facts: Facts = field(default_factory=Facts)
    summaries: Summaries | None = None

    def of(
        self,
        messages: Sequence[Message],
        spec: PromptSpec,
        *,
        now: float,
        after: float = -math.inf,
        before: float = math.inf,
        vectors: Mapping[int, Vector] | None = None,
    ) -> list[Recalled]:
        """What the end of a chat reminds of, the most wanted first; `messages` are its last, oldest first.

        Lines are older than these and than `before`, and younger than `after`; a summary is older than `before`.
        `vectors` are those of the messages that say what it is about (bot/persona/memory.py), by their keys, as far
        as they are known.
        """
        about = asking(messages, spec.silence)
        if not about or not spec.memory:
            return []
        chat, said = about[-1], [message.text for message in about]
        weights, lines, earlier, near = asked(said), list[Line](), min(before, messages[0].time), Near()
        if self.lines is not None and weights:
            near = self.lines.near(chat.chat, _meaning(about, vectors or {}))
            lines = self.lines.search(chat.chat, weights, before=earlier, after=after, most=3 * LINES, near=near.lines)
        wanted = Wanted.of(said) if lines or self.facts.fact else Wanted()
        day = dt.datetime.fromtimestamp(now + spec.utc_offset, dt.timezone.utc).date()
        found = [
            Recalled("fact", as_message(one.fact, chat), one.score, answers=one.answers)
            for one in self.facts.fitting(chat.chat, weights, wanted, said, day, self._meant(near))[:FACTS]
        ]
        found += self.summary(chat, before)
        found += [
            Recalled("line", line.message, line.score, line.key, line.seq, _answers(line.message, wanted))
            for line in self._worth(lines, earlier)
        ]
        if wanted.of_me and not any(one.answers for one in found):
            # Words don't tell which fact it is: what room is left is for the others.
            told = {one.message.text for one in found if one.kind == "fact"}
            rest = self.facts.others(chat.chat, day, told)[:REST]
            found += [Recalled("fact", as_message(fact, chat)) for fact in rest]
        return found

    def summary(self, chat: Message, before: float = math.inf) -> list[Recalled]:
        """The newest summary of a message's chat that is older than that; none where it tells what is never said."""
        found = self.summaries.of(chat, before) if self.summaries is not None else None
        return [] if found is None or self.facts.forbidden(found.text) else [Recalled("summary", found)]

    def _meant(self, near: Near) -> dict[str, float]:
        """The facts that are near what is said, in whatever words."""
        far = {fact.text: near.facts.get(fact_key(fact.text), 0.0) for fact in self.facts.told} if near.facts else {}
        return {text: one for text, one in far.items() if one >= STANDS_OUT}

    def _worth(self, ranked: Sequence[Line], before: float) -> Iterator[Line]:
        """Lines that tell something: statements, and questions with their answers."""
        told: set[int] = set()
        for line in ranked:
            if len(told) >= LINES * 2:
                return
            if line.number in told or self.facts.forbidden(line.message.text):
                continue
            pair = [line]
            if self.lines is not None and _QUESTION.search(line.message.text):
                answer = self.lines.answer(line)
                if answer is None or answer.message.time >= before or self.facts.forbidden(answer.message.text):
                    continue
                pair.append(answer)
            told.update(one.number for one in pair)
            yield from pair


def _meaning(about: Sequence[Message], vectors: Mapping[int, Vector]) -> Vector | None:
    """What the lines mean together, the last one most, as with their words; None without that one's."""
    known = [vectors.get(key_of(message.chat, message.id)) for message in reversed(about)]
    if known[0] is None:
        return None
    return blend([(one, EARLIER**place) for place, one in enumerate(known)])


def _answers(message: Message, wanted: Wanted) -> bool:
    """Whether I said what is asked of me; what others say of themselves is no answer."""
    return message.mine and wanted.fit(message.text) >= SURE
