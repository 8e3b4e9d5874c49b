"""What one step of decoding is made of: what the card does of it, what the host, and what both together take.

Each part is timed twice: how long the host takes to ask for it, and how long the card takes to do it,
asked for behind something that keeps the card busy meanwhile, so that the asking doesn't show.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from bot.engine.decode import _reader
from bot.engine.model import Loaded
from bot.engine.rows import Row, Steps
from bot.engine.sampling import Draw
from bot.engine.shapes import Shape
from bot.engine.wire import Sampling

TIMES = 30
BUSY = 200_000_000
"""Cycles of a card that outlast the asking: about a tenth of a second."""


def timed(work: Callable[[], Any], times: int = TIMES) -> tuple[float, float]:
    """Milliseconds a call: on the card, and of the host until it may go on. Without a card both are one."""
    import torch

    work()
    if not torch.cuda.is_available():
        begun = time.perf_counter()
        for _ in range(times):
            work()
        spent = 1e3 * (time.perf_counter() - begun) / times
        return spent, spent
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(times):
        work()
    host = 1e3 * (time.perf_counter() - begun) / times
    torch.cuda.synchronize()
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda._sleep(BUSY)
    begin.record()
    for _ in range(times):
        work()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / times, host


def parts(loaded: Loaded, ids: list[int], sampling: Sampling, new: int) -> dict[str, tuple[float, float]]:
    """Part of a step for one chat → milliseconds on the card, of the host. It needs fixed shapes."""
    import torch

    assert loaded.shapes is not None, "decoding isn't in fixed shapes"
    prompt = torch.tensor([ids], device=loaded.device)
    row = Row(ids, sampling, math.inf, lambda _: None, loaded.text_stream)
    # Nothing ends it while it is timed.
    steps, draw = Steps([row], frozenset(), frozenset(), lambda _: None), Draw([row])
    with torch.inference_mode():
        shape = loaded.shapes.fit(1, len(ids) + new, loaded.budget)
        assert shape is not None

        def fresh(work: Callable[[], Any]) -> tuple[float, float]:
            # A shape has room for so many steps only.
            shape.begin(prompt, torch.ones_like(prompt))
            return timed(work, min(TIMES, new // 3))

        scores = shape.begin(prompt, torch.ones_like(prompt)).clone()
        tokens = draw.next(scores)
        return {
            "the model alone (one replay)": fresh(_forward(shape)),
            "a token in, the model, scores out": fresh(lambda: shape.step(tokens)),
            "drawing": timed(lambda: draw.next(scores)),
            "reading out, with the wait": timed(lambda: _reader(tokens, draw.broken)()),
            "text, stop strings, delivery": timed(lambda: steps.take([300], [0])),
            "the first token: the prompt": timed(lambda: shape.begin(prompt, torch.ones_like(prompt)), 5),
        }


def _forward(shape: Shape) -> Callable[[], Any]:
    return shape._forward if shape._graph is None else shape._graph.replay
