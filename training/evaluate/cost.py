"""What it costs: to be served, measured while it answers, and to be trained, as the run kept it. Never compared between machines.

Knows a talker and a clock. What it measured is kept in the ledger, so that a report made again has it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np

from bot.engine.wire import Sampling
from bot.persona.manifest import Provenance
from bot.persona.prompt import render
from training.evaluate.figures import Figure
from training.evaluate.sample import Moment
from training.evaluate.speaking import Local, seed_of

ALONE = 16
"""Replies that are timed one after the other."""


SERVED, SILENCED = "served", "silenced"
"""Where the ledger has what `served` found, and where that holds the seconds to silence."""


def served(talker: Local, loaded: Any, moments: Sequence[Moment], seed: int) -> dict[str, Any]:
    """What some replies took, each alone, as JSON: seconds to the first token, the first bubble and the end of each.

    Empty where there was no moment to answer.
    """
    chosen = moments[:: max(1, len(moments) // ALONE)][:ALONE]
    before, begun = talker.tokens, time.monotonic()
    times = asyncio.run(_timed(talker, chosen, seed))
    if not times:
        return {}
    seconds, (first, bubble, whole) = time.monotonic() - begun, np.round(np.array(times), 4).T.tolist()
    return {
        "first": first,
        "bubble": bubble,
        "whole": whole,
        "tokens_a_second": (talker.tokens - before) / seconds,
        "memory_gib": memory(loaded),
        "device": device_name(str(loaded.device)),
    }


def serving_cost(found: Mapping[str, Any]) -> dict[str, Figure]:
    """Seconds to the first token and to the end of a reply, each alone; tokens a second; memory."""
    if "whole" not in found:
        return {}
    figures = {
        "first_token_p50": float(np.percentile(found["first"], 50)),
        "first_token_p95": float(np.percentile(found["first"], 95)),
        "first_bubble_p50": float(np.percentile(found["bubble"], 50)),
        "reply_p50": float(np.percentile(found["whole"], 50)),
        "tokens_a_second": found["tokens_a_second"],
        "memory_gib": found["memory_gib"],
    }
    return {name: Figure(value=value, n=len(found["whole"])) for name, value in figures.items()}


async def _timed(talker: Local, moments: Sequence[Moment], seed: int) -> list[tuple[float, float, float]]:
    found = []
    spec = talker.persona.prompt
    for moment in moments:
        sampling = replace(Sampling.of(talker.persona.generation), seed=seed_of(seed, moment))
        turns = render(moment.turns, spec, kind=moment.mine.kind, name=moment.name)
        begun, text = time.monotonic(), ""
        first = bubble = None
        async with aclosing(talker.stream([turn.to_wire() for turn in turns], sampling)) as pieces:
            async for piece in pieces:
                now, text = time.monotonic() - begun, text + piece.text
                first = now if first is None else first
                # A bubble is whole, and may be sent, once its line has ended.
                bubble = now if bubble is None and "\n" in text.lstrip() else bubble
                if piece.finish:
                    break
        whole = time.monotonic() - begun
        found.append((first or 0.0, whole if bubble is None else bubble, whole))
    return found


def training_cost(origin: Provenance) -> dict[str, Figure]:
    """Seconds, tokens and the most memory of the training; nothing of what an older run didn't keep. n is windows."""
    told: dict[str, float] = dict(origin.cost)
    if tokens := origin.counts.get("tokens"):
        told["tokens"] = tokens
    windows = origin.counts.get("windows", 0)
    return {f"train_{name}": Figure(value=value, n=windows) for name, value in sorted(told.items())}


def device_name(device: str) -> str:
    """What a report calls the device that it was measured on."""
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def memory(loaded: Any) -> float:
    """GiB that the model takes: of the card at its most, or of its weights without one."""
    import torch

    if str(loaded.device).startswith("cuda"):
        return torch.cuda.max_memory_allocated() / 2**30
    return loaded.model.get_memory_footprint() / 2**30
