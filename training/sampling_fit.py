"""Sampling defaults fitted after the training: how a persona is drawn so that it writes as I do.

    dev prompts ─the engine's own batches─▶ replies by each setting ─┐
    my replies to the same prompts ──────────────────────────────────┴▶ distances, the least of which is sealed

Looks at what can be counted without judging a text: tokens and bubbles of a reply, how much it
repeats itself, how varied the replies are together, and how likely my own replies are when drawn
so. One knob is chosen after the other; all is seeded, so the same persona gives the same numbers.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from bot.engine.prompt_ids import prompt_ids
from bot.persona.manifest import Generation
from training.answers import answers
from training.windows import IGNORE, Window

if TYPE_CHECKING:
    import torch

GRID: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("temperature", (0.5, 0.7, 0.85, 1.0, 1.15)),
    ("min_p", (0.0, 0.05, 0.1)),
    ("repetition_penalty", (1.0, 1.05, 1.1)),
)
"""The knobs in the order they are chosen, and what is tried of each."""
PROMPTS = 32
"""Dev prompts that are answered once by each setting."""
LEAST = 8
"""With fewer replies in dev nothing is fitted."""
SURE = 0.02
"""Share of plain draws that is mixed in, as min_p may give one of my tokens no chance at all."""
COLD = 0.01
"""The temperature that 0 is taken for."""
PLAIN = Generation(temperature=1.0, top_p=1.0)
"""The model's own probabilities."""

Note = Callable[[int, int], None]


@dataclass(slots=True, frozen=True)
class Reply:
    """A prompt of dev and what I answered, in tokens without the one that ends it."""

    prompt: list[int]
    mine: list[int]


@dataclass(slots=True, frozen=True)
class Fitted:
    """The sampling that was chosen, and how near it comes."""

    generation: Generation
    distances: dict[str, float]


def replies_of(loaded: Any, windows: Sequence[Window]) -> list[Reply]:
    """The first so many of my whole replies in dev windows, spread over them."""
    user = [{"role": "user", "content": "x"}]
    opening = prompt_ids(loaded.tokenizer, user, True)[len(prompt_ids(loaded.tokenizer, user, False)) :]
    found = list(chain.from_iterable(_replies_in(window, opening, loaded.ends) for window in windows))
    step = max(1, len(found) // PROMPTS)
    return found[::step][:PROMPTS]


def _replies_in(window: Window, opening: list[int], ends: frozenset[int]) -> Iterator[Reply]:
    """Replies that are learned from their first token to the one that ends them."""
    ids, labels, begin = window.input_ids, window.labels, 0
    while begin < len(ids):
        if labels[begin] == IGNORE:
            begin += 1
            continue
        end = next((n for n in range(begin, len(ids)) if labels[n] == IGNORE), len(ids))
        whole = ids[begin - len(opening) : begin] == opening and ids[end - 1] in ends
        if whole and end - 1 > begin:
            yield Reply(ids[:begin], ids[begin : end - 1])
        begin = end


def fit(
    loaded: Any,
    generation: Generation,
    replies: Sequence[Reply],
    *,
    knobs: Sequence[str],
    seconds: float = math.inf,
    note: Note = lambda done, of: None,
) -> Fitted:
    """Choose the named knobs; the others stay as `generation` has them.

    What is not tried when the time is up stays as it is: the distances say how many settings were.
    """
    grid = [(name, values) for name, values in GRID if name in knobs]
    deadline, done = time.monotonic() + seconds, 0
    of = sum(len(values) for _, values in grid)
    known: dict[Generation, dict[str, float]] = {}
    best = generation
    for name, values in grid:
        tried: list[Generation] = []
        for value in values:
            setting = best.model_copy(update={name: value})
            if setting not in known and (time.monotonic() < deadline or not known):
                known[setting] = distances(loaded, setting, replies)
            tried += [setting] if setting in known else []
            done += 1
            note(done, of)
        best = min(tried, key=lambda setting: _sum(known[setting]), default=best)
    return Fitted(best, {"distance": _sum(known[best]), **known[best], "settings": len(known), "replies": len(replies)})


def _sum(parts: dict[str, float]) -> float:
    return round(sum(parts.values()), 5)


def distances(loaded: Any, generation: Generation, replies: Sequence[Reply]) -> dict[str, float]:
    """How far replies drawn so are from mine, by measure; each is 0 where they are alike.

    tokens, bubbles: distance between the distributions, in shares of my mean. distinct, repeats: difference
    of the shares of different pairs of tokens among all, and of repeated tokens inside a reply. nats: by
    how much, a token, my own replies are less likely than undrawn-from scores make them; can be below 0.
    """
    said = drawn(loaded, generation, replies)
    mine = [reply.mine for reply in replies]
    lines = _line_counter(loaded.tokenizer)
    nats = unlikelihood(loaded, generation, replies) - unlikelihood(loaded, PLAIN, replies)
    parts = {
        "tokens": _apart([len(ids) for ids in said], [len(ids) for ids in mine]),
        "bubbles": _apart([lines(ids) for ids in said], [lines(ids) for ids in mine]),
        "distinct": abs(_distinct(said) - _distinct(mine)),
        "repeats": abs(_repeats(said) - _repeats(mine)),
        "nats": nats,
    }
    return {name: round(value, 5) for name, value in parts.items()}


def drawn(loaded: Any, generation: Generation, replies: Sequence[Reply]) -> list[list[int]]:
    """What the persona answers to the prompts, each row with the same seed in every setting."""
    texts = answers(loaded, generation, (reply.prompt for reply in replies))
    return [loaded.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def unlikelihood(loaded: Any, generation: Generation, replies: Sequence[Reply]) -> float:
    """Nats a token of my replies when they are drawn so; top_p and top_k are not looked at."""
    import torch

    total = tokens = 0.0
    for reply in replies:
        ids = torch.tensor([*reply.prompt, *reply.mine], device=loaded.device)
        with torch.inference_mode():
            # The scores before each of my tokens: one more than there are tokens, the last being of no use.
            scores = loaded.model(ids[None], use_cache=False, logits_to_keep=len(reply.mine) + 1).logits[0, :-1]
        total -= float(_log_shares(scores.float(), ids, generation).sum())
        tokens += len(reply.mine)
    return total / max(1.0, tokens)


def _log_shares(scores: "torch.Tensor", ids: "torch.Tensor", generation: Generation) -> "torch.Tensor":
    """Log probability of each of the last tokens of `ids`, one a row of scores, when drawn by these rules."""
    import torch

    own = ids[-len(scores) :]
    plain = scores.log_softmax(-1)[range(len(own)), own]
    seen = torch.zeros_like(scores, dtype=torch.bool)
    for row in range(len(own)):
        seen[row, ids[: len(ids) - len(own) + row]] = True
    penalty = generation.repetition_penalty
    weaker = torch.where(scores < 0, scores * penalty, scores / penalty)
    scores = torch.where(seen, weaker, scores) / max(generation.temperature, COLD)
    floor = scores.amax(-1, keepdim=True) + math.log(generation.min_p or 1e-30)
    shares = scores.masked_fill(scores < floor, -torch.inf).log_softmax(-1)[range(len(own)), own]
    return torch.logaddexp(shares + math.log(1 - SURE), plain + math.log(SURE))


def _line_counter(tokenizer: Any) -> Callable[[list[int]], int]:
    return lambda ids: len([line for line in tokenizer.decode(ids).splitlines() if line.strip()])


def _apart(these: Sequence[int], those: Sequence[int]) -> float:
    """The mean distance of two equally long lists when both are sorted, in shares of the second's mean."""
    pairs = zip(sorted(these), sorted(those), strict=True)
    return sum(abs(a - b) for a, b in pairs) / max(1, sum(those))


def _distinct(replies: Sequence[Sequence[int]]) -> float:
    """Different pairs of neighbouring tokens, as a share of all."""
    pairs = [pair for ids in replies for pair in pairwise(ids)]
    return len(set(pairs)) / max(1, len(pairs))


def _repeats(replies: Sequence[Sequence[int]]) -> float:
    """Share of tokens that stood in the same reply before."""
    again = sum(len(ids) - len(set(ids)) for ids in replies)
    return again / max(1, sum(map(len, replies)))
