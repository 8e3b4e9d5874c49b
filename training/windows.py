"""Turns → token windows with labels, for one tokenizer.

A window is a stretch of whole turns of one row, at most `max_length` tokens; loss stands on my
replies with their end-of-turn token and on nothing else. Each reply that is a target has loss in
exactly one window; a long row gives several, each with earlier turns as context. The prompt of
any reply, as the engine feeds it, is an exact prefix of the window's ids.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.engine.prompt_ids import encode_prompt, prompt_ids, prompt_parts
from bot.persona.prompt import Bubble, PromptSpec, Rendered, Turn, render
from config.errors import TrainingError

IGNORE = -100
"""The label of a token without loss."""

CONTEXT_SHARE = 0.25
"""Of a follow-up window, at most this share is context that had its loss before."""


MEMORY_SHARE = 4
"""Memories may take one part in so many of a window."""


@dataclass(slots=True)
class Window:
    """`input_ids` and `labels` of equal length; IGNORE where there is no loss."""

    input_ids: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """Tokens with loss."""
        return sum(label != IGNORE for label in self.labels)


class Cutter:
    """Cuts rows for one tokenizer and one length; counts what it had to leave out."""

    def __init__(self, tokenizer: Any, spec: PromptSpec, max_length: int, *, loss_on: str = "mine") -> None:
        self.tokenizer = tokenizer
        self.spec = spec
        self.max_length = max_length
        self.loss_on = loss_on
        self.left_out: Counter[str] = Counter()
        self._ends = {tokenizer.eos_token_id}

    def cut(self, turns: Sequence[Turn], *, kind: str, name: str, memory: str = "") -> Iterator[Window]:
        """The windows of one row, each with the row's memories: they are older than all of it."""
        memory = self._fitting(memory)
        turns = [self._shortened(turn) for turn in turns]
        costs = [self._cost(turn, kind) for turn in turns]
        budget = self.max_length - self._cost_of_system(kind, name, memory)
        for cut_from, end, first in stretches(costs, [_is_target(turn) for turn in turns], budget):
            begin = cut_from
            window = self._window(turns[begin:end], first - begin, kind, name, memory)
            while len(window.input_ids) > self.max_length and begin < first - 1:
                begin += 1
                window = self._window(turns[begin:end], first - begin, kind, name, memory)
            if len(window.input_ids) > self.max_length:
                raise TrainingError(
                    f"a window has {len(window.input_ids)} tokens, more than max_length {self.max_length}",
                    hint="raise max_length",
                )
            yield window

    def _window(self, turns: Sequence[Turn], learn_from: int, kind: str, name: str, memory: str) -> Window:
        """The window of these turns; replies before index `learn_from` are context."""
        quiet = [_without_targets(turn) if i < learn_from else turn for i, turn in enumerate(turns)]
        rendered = render(quiet, self.spec, kind=kind, name=name, memory=memory)
        return label(self.tokenizer, rendered, self._ends, self.loss_on)

    def _fitting(self, memory: str) -> str:
        """Memories that leave room for the talk: whole lines go."""
        kept = fitting(memory, self.max_length, self._tokens)
        if kept != memory:
            self.left_out["memories"] += memory.count("\n") - kept.count("\n") + (not kept)
        return kept

    def _tokens(self, text: str) -> int:
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _cost_of_system(self, kind: str, name: str, memory: str) -> int:
        # A first turn that is mine gets an opening user turn before it: room for that as well.
        opening = [Turn("assistant", [Bubble("")])]
        wire = [turn.to_wire() for turn in render(opening, self.spec, kind=kind, name=name, memory=memory)]
        return len(prompt_ids(self.tokenizer, wire, False)) + 4

    def _cost(self, turn: Turn, kind: str) -> int:
        before = Turn("user", [Bubble("")])
        wire = [rendered.to_wire() for rendered in render([before, turn], self.spec, kind=kind, name="")[2:]]
        return len(prompt_ids(self.tokenizer, wire, False)) + 1

    def _shortened(self, turn: Turn) -> Turn:
        """A turn that leaves room for others: the oldest bubbles of others go, or the last of mine."""
        room = self.max_length // 3
        bubbles = list(turn.bubbles)
        sizes = [self._tokens(bubble.text) + 12 for bubble in bubbles]
        while len(bubbles) > 1 and sum(sizes) > room:
            drop = 0 if turn.role == "user" else -1
            self.left_out["bubbles of mine" if bubbles[drop].target else "bubbles of context"] += 1
            del bubbles[drop], sizes[drop]
        if sum(sizes) > room:
            cut = max(1, len(bubbles[0].text) * (room - 12) // max(1, sizes[0]))
            self.left_out["tails of endless bubbles"] += 1
            bubbles = [replace(bubbles[0], text=bubbles[0].text[:cut], target=False)]
        return Turn(turn.role, bubbles)


def label(tokenizer: Any, turns: Sequence[Rendered], ends: set[int], loss_on: str = "mine") -> Window:
    """Token ids of rendered turns, with loss on their target spans and the end tokens after them.

    `ends`: ids of tokens that end a turn. Raises TrainingError when the template breaks the prefix
    property, because then the bot would be prompted with something else than was trained on.
    """
    wire = [turn.to_wire() for turn in turns]
    encoded = encode_prompt(tokenizer, wire, False)
    ids, offsets, text = encoded.ids, encoded.offsets, encoded.text
    if loss_on == "all":
        return Window(ids, list(ids))
    labels = [IGNORE] * len(ids)
    for place, turn in enumerate(turns):
        if not turn.targets:
            continue
        prompt = "".join(prompt_parts(tokenizer, wire[:place], True))
        if not text.startswith(prompt):
            raise TrainingError("the chat template changes earlier turns", hint="use a plain chat template")
        for start, end in turn.targets:
            _put(labels, ids, offsets, len(prompt) + start, len(prompt) + end)
        if turn.targets[-1][1] == len(turn.content):
            _put_end(labels, ids, offsets, len(prompt) + len(turn.content), ends)
    return Window(ids, labels)


def check_parity(tokenizer: Any, turns: Sequence[Rendered], window: Window) -> None:
    """Raise TrainingError unless the prompt of every target is an exact prefix of the window's ids."""
    for place, turn in enumerate(turns):
        if turn.targets:
            wire = [before.to_wire() for before in turns[:place]]
            ids = prompt_ids(tokenizer, wire, True)
            if window.input_ids[: len(ids)] != ids:
                raise TrainingError(
                    "the engine would feed other tokens than were trained on", hint="use a plain chat template"
                )


def _put(labels: list[int], ids: list[int], offsets: Sequence[tuple[int, int]], start: int, end: int) -> None:
    for i, (a, b) in enumerate(offsets):
        if a >= start and b <= end and b > a:
            labels[i] = ids[i]


def _put_end(labels: list[int], ids: list[int], offsets: Sequence[tuple[int, int]], start: int, ends: set[int]) -> None:
    for i, (a, _) in enumerate(offsets):
        if a >= start:
            if ids[i] in ends:
                labels[i] = ids[i]
            return


def ended(window: Window) -> Window:
    """The window up to its last label, all of it where there is none: no token with loss can see what follows."""
    end = max((place for place, label in enumerate(window.labels) if label != IGNORE), default=len(window.labels)) + 1
    return Window(window.input_ids[:end], window.labels[:end])


def fitting(memory: str, max_length: int, size: Callable[[str], int]) -> str:
    """Memories that leave room for the talk in a window: whole lines go, the last first."""
    lines = memory.split("\n")
    while lines and size("\n".join(lines)) > max_length // MEMORY_SHARE:
        lines.pop()
    return "\n".join(lines)


def _is_target(turn: Turn) -> bool:
    return any(bubble.target for bubble in turn.bubbles)


def _without_targets(turn: Turn) -> Turn:
    return Turn(turn.role, [replace(bubble, target=False) for bubble in turn.bubbles])


def stretches(costs: Sequence[int], wanted: Sequence[bool], budget: int) -> Iterator[tuple[int, int, int]]:
    """How a row is cut: for each window where it begins and ends, and its first turn that is learned there.

    `costs` are tokens of each turn, `wanted` says which have a target.
    """
    first = next((i for i, is_wanted in enumerate(wanted) if is_wanted), None)
    begin = 0
    while first is not None:
        begin, end = _stretch(costs, begin, first, budget)
        yield begin, end, first
        first = next((i for i in range(end, len(wanted)) if wanted[i]), None)
        if first is not None:
            begin = _context(costs, first, int(budget * CONTEXT_SHARE))


def _stretch(costs: Sequence[int], begin: int, first: int, budget: int) -> tuple[int, int]:
    """From `begin` on, as many whole turns as fit; context before `first` gives way to it."""
    end = first + 1
    total = sum(costs[begin:end])
    while total > budget and begin < first - 1:
        total -= costs[begin]
        begin += 1
    while end < len(costs) and total + costs[end] <= budget:
        total += costs[end]
        end += 1
    return begin, end


def _context(costs: Sequence[int], first: int, budget: int) -> int:
    """Where the context of a follow-up window begins: at least the turn before its first target."""
    begin = max(0, first - 1)
    total = costs[begin]
    while begin > 0 and total + costs[begin - 1] <= budget:
        begin -= 1
        total += costs[begin]
    return begin
