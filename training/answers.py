"""What a loaded persona answers to prompts, by the engine's own batches: for the score and the sampling fit.

Every answer is drawn whole or an EngineError says why not; nothing comes back half said.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from bot.persona.manifest import Generation
from config.errors import EngineError

if TYPE_CHECKING:
    from bot.engine.rows import Row

BATCH = 16


def answers(loaded: Any, generation: Generation, prompts: Iterable[list[int]]) -> Iterator[str]:
    """The text after each prompt (token ids); the seed is the prompt's place, whatever the sampling."""
    from bot.engine.rows import Row
    from bot.engine.wire import Piece, Sampling

    numbered = zip(count(), prompts)
    while batch := list(islice(numbered, BATCH)):
        asked: list[tuple[Row, list[str]]] = []
        for number, prompt in batch:
            pieces: list[str] = []

            def deliver(piece: Piece, pieces: list[str] = pieces) -> None:
                pieces.append(piece.text)

            sampling = replace(Sampling.of(generation), seed=number)
            ids = prompt[-(loaded.context - sampling.max_tokens) :]
            asked.append((Row(ids, sampling, math.inf, deliver, loaded.text_stream), pieces))
        _answer(loaded, asked)
        yield from ("".join(pieces) for _, pieces in asked)


def _answer(loaded: Any, asked: "Sequence[tuple[Row, list[str]]]") -> None:
    """Carry every row to its end, where memory runs out in halves: a seeded row says the same in each company."""
    from bot.engine.model import generate

    if generate(loaded, [row for row, _ in asked], lambda _: None):
        return
    left = [(row, pieces) for row, pieces in asked if row.finish is None]
    if len(asked) == 1 and left:
        # Unsaid, a reply would count as one that holds nothing.
        raise EngineError(
            f"a single reply does not fit on {loaded.device}",
            hint="free the card, or try --load-in-8bit, --load-in-4bit or --device cpu",
        )
    for row, pieces in left:
        row.begin()
        pieces.clear()
    half = len(asked) // 2
    for part in (left[:half], left[half:]):
        if part:
            _answer(loaded, part)
