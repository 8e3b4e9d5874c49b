"""How much the persona sees before a reply: in training, and in a bot that lives through the same chats.

The bot's side is its own `prompt_for`, with its history window, its memories and its trimming in blocks, at the same
replies of some sessions; training's is the row as it will be cut into windows, with the memories it has. No base model is chosen yet, so tokens
are reckoned from characters, on both sides alike.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.persona.memory import Recalled
from bot.persona.message import Message
from bot.persona.prompt import ANSWERS, SILENCE, PromptSpec, Turn, render
from bot.reply import Where, prompt_for
from training.windows import fitting, stretches

DRAWN = 100
"""Sessions through which the bot is led, a fair draw of all."""
LED = 20
"""Replies of one session at which it is asked what it sees."""
REPLY = 128
"""Tokens that the bot leaves for its reply."""
OVERHEAD = 8
"""Tokens around a turn, for its role and its end."""
_STEPS = ((0, "0"), (2, "1–2"), (4, "3–4"), (8, "5–8"), (16, "9–16"), (32, "17–32"), (64, "33–64"), (1 << 30, "65+"))


Reminded = Callable[[Sequence[Message], float], Sequence[Recalled]]


class Contexts:
    """Messages that stand before a reply, in training and in the bot, reply by reply."""

    def __init__(self, spec: PromptSpec, max_length: int, seed: int) -> None:
        self._spec, self._length, self._random = spec, max_length, random.Random(seed)
        self._seen = 0
        self.trained: list[int] = []
        """Lengths in training."""
        self._sessions: list[list[int]] = []

    def see_row(self, turns: Sequence[Turn], *, kind: str, name: str, memory: str = "") -> None:
        """A training row: each reply of mine that is learned, in its window."""
        head = render([], self._spec, kind=kind, name=name, memory=fitting(memory, self._length, len))[0].content
        costs = [_cost(turn) for turn in turns]
        wanted = [any(bubble.target for bubble in turn.bubbles) for turn in turns]
        said = [sum(not bubble.mark for bubble in turn.bubbles) for turn in turns]
        for begin, end, first in stretches(costs, wanted, self._length - REPLY - len(head) - OVERHEAD):
            self.trained += [sum(said[begin:place]) for place in range(first, end) if wanted[place]]

    def see_session(self, before: Sequence[Message], session: Sequence[Message], name: str, reminded: Reminded) -> None:
        """The same session as it went on in the chat, and what was said there before it, oldest first.

        `reminded` is what the bot would be reminded of there, by these messages at that moment.
        """
        self._seen += 1
        if len(self._sessions) < DRAWN:
            self._sessions.append(self._led(before, session, name, reminded))
        elif (drawn := self._random.randrange(self._seen)) < DRAWN:
            self._sessions[drawn] = self._led(before, session, name, reminded)

    def _led(self, before: Sequence[Message], session: Sequence[Message], name: str, reminded: Reminded) -> list[int]:
        """What the bot sees at my replies in a session; its prompt goes on from one to the next."""
        where = Where(session[0].kind, name)
        lengths: list[int] = []
        for place, message in enumerate(session):
            if message.learnable and not (place and session[place - 1].mine) and len(lengths) < LED:
                lengths.append(self._fed([*before, *session[:place]], message, where, reminded))
        return lengths

    def _fed(self, messages: Sequence[Message], reply: Message, where: Where, reminded: Reminded) -> int:
        if not messages:
            return 0
        budget = self._length - REPLY
        prompt = prompt_for(
            messages,
            self._spec,
            where,
            now=reply.time,
            answering=reply.reply_to,
            memory=reminded(messages, reply.time),
            count=_tokens,
            budget=budget,
        )
        lines = [line for turn in prompt[1:] for line in turn["content"].split("\n")]
        return sum(bool(line) and not line.startswith((SILENCE, ANSWERS)) for line in lines)

    @property
    def live(self) -> list[int]:
        """Lengths in the bot."""
        return [length for session in self._sessions for length in session]

    def shares(self) -> list[tuple[str, float, float]]:
        """Step of the length, share of the replies in training, share in the bot."""
        both = [self.trained, self.live]
        trained, live = map(_counted, both)
        return [
            (name, trained[place] / max(1, len(both[0])), live[place] / max(1, len(both[1])))
            for place, (_, name) in enumerate(_STEPS)
        ]

    def apart(self) -> float:
        """Share of the replies that would have to move to another step for both to be alike."""
        return sum(abs(trained - live) for _, trained, live in self.shares()) / 2

    def numbers(self) -> dict[str, Any]:
        """For the report: medians, and how far apart the two are."""
        medians = [sorted(lengths)[len(lengths) // 2] if lengths else 0 for lengths in (self.trained, self.live)]
        return {"median_in_training": medians[0], "median_in_the_bot": medians[1], "apart": round(self.apart(), 3)}


def _cost(turn: Turn) -> int:
    return OVERHEAD + sum(len(b.label) + len(b.quote) + len(b.text) + 2 for b in turn.bubbles)


def _tokens(prompt: Sequence[Mapping[str, str]]) -> int:
    return sum(len(turn["content"]) + OVERHEAD for turn in prompt)


def _counted(lengths: Sequence[int]) -> Counter[int]:
    return Counter(next(place for place, (most, _) in enumerate(_STEPS) if n <= most) for n in lengths)
