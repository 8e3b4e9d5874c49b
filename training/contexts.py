"""How much the persona sees before a reply: in training, and in a bot that lives through the same chats.

The bot's side is `to_prompt` itself, with its history window and its trimming in blocks, at the same
replies; training's is the row as it will be cut into windows. No base model is chosen yet, so tokens
are reckoned from characters, on both sides alike.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bot.persona.message import Message
from bot.persona.prompt import ANSWERS, SILENCE, Labels, PromptSpec, Turn, to_prompt
from training.windows import stretches

DRAWN = 500
"""Replies at which the bot is asked what it would see, a fair draw of all."""
REPLY = 128
"""Tokens that the bot leaves for its reply."""
OVERHEAD = 8
"""Tokens around a turn, as the bot reckons them."""
_STEPS = ((0, "0"), (2, "1–2"), (4, "3–4"), (8, "5–8"), (16, "9–16"), (32, "17–32"), (64, "33–64"), (1 << 30, "65+"))


class Contexts:
    """Messages that stand before a reply, in training and in the bot, reply by reply."""

    def __init__(self, spec: PromptSpec, max_length: int, seed: int) -> None:
        self._spec, self._length, self._random = spec, max_length, random.Random(seed)
        self._seen = 0
        self.trained: list[int] = []
        self.live: list[int] = []

    def see_row(self, turns: Sequence[Turn]) -> None:
        """A training row: each reply of mine that is learned, in its window."""
        costs = [_cost(turn) for turn in turns]
        wanted = [any(bubble.target for bubble in turn.bubbles) for turn in turns]
        said = [sum(not bubble.mark for bubble in turn.bubbles) for turn in turns]
        for begin, end, first in stretches(costs, wanted, self._length - REPLY):
            self.trained += [sum(said[begin:place]) for place in range(first, end) if wanted[place]]

    def see_session(self, before: Sequence[Message], session: Sequence[Message], name: str) -> None:
        """The same session as it went on in the chat, and what was said there before it, oldest first."""
        for place, message in enumerate(session):
            if not message.learnable or (place and session[place - 1].mine):
                continue
            self._seen += 1
            if len(self.live) < DRAWN:
                self.live.append(self._fed([*before, *session[:place]], message, name))
            elif (drawn := self._random.randrange(self._seen)) < DRAWN:
                self.live[drawn] = self._fed([*before, *session[:place]], message, name)

    def _fed(self, messages: Sequence[Message], reply: Message, name: str) -> int:
        labels: Labels = {}
        prompt = to_prompt(
            messages, self._spec, labels, kind=reply.kind, name=name, now=reply.time, answering=reply.reply_to,
            count=len, budget=self._length - REPLY,
        )  # fmt: skip
        lines = [line for turn in prompt[1:] for line in turn["content"].split("\n")]
        return sum(bool(line) and not line.startswith((SILENCE, ANSWERS)) for line in lines)

    def shares(self) -> list[tuple[str, float, float]]:
        """Step of the length, share of the replies in training, share in the bot."""
        trained, live = (_counted(lengths) for lengths in (self.trained, self.live))
        return [
            (name, trained[place] / max(1, len(self.trained)), live[place] / max(1, len(self.live)))
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


def _counted(lengths: Sequence[int]) -> Counter[int]:
    return Counter(next(place for place, (most, _) in enumerate(_STEPS) if n <= most) for n in lengths)
