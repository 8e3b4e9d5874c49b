"""The gate's bias, set so that in closed loop I speak up as often as I really did, and enter as often.

In open loop a gate is right message by message and still wrong over a day: my own words are what
most moves the next decision, so a little too much leads to more, and too little to silence.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from bot.persona.behaviour import Behaviour
from bot.persona.gate import Gates
from training.closed_loop import Replay, Scene
from training.recording import Reply, replies

ROUNDS = 6
"""Corrections, at most."""
SEEDS = (1, 2)
"""Replays of each round; one alone may by chance have talked twice as much as another."""
CLOSE = 0.08
"""Log of the ratio of replies at which it is near enough."""
PACE = 0.65
"""Part of a correction that is made at once: what it excites comes on top."""
LEAST = 20
"""Replies of mine there, at least."""
STEADY = 3.0
"""Replies on both sides by which a small count is drawn towards no correction."""
FARTHEST = 4.0
"""Log odds by which a bias is moved, at most."""


def matched(behaviour: Behaviour, scenes: Mapping[str, Scene]) -> Behaviour:
    """The same behaviour with its group gates matched on these scenes; as it was where they show too little.

    Each round draws by the same seeds, so that only the biases differ and a correction holds.
    """
    real = _counts(reply for chat, scene in scenes.items() for reply in replies(chat, scene.lines))
    if real.total() < LEAST:
        return behaviour
    shifts, best, nearest = {"entry": 0.0, "flow": 0.0}, behaviour, math.inf
    for _ in range(ROUNDS):
        tried = shifted(behaviour, shifts)
        said = _counts(reply for seed in SEEDS for reply in _replayed(tried, scenes, seed=seed))
        off = {name: math.log((real[name] + STEADY) / (said[name] / len(SEEDS) + STEADY)) for name in shifts}
        total = abs(math.log((real.total() + STEADY) / (said.total() / len(SEEDS) + STEADY)))
        if total < nearest:
            best, nearest = tried, total
        if max(map(abs, off.values())) < CLOSE:
            break
        for name, more in off.items():
            shifts[name] = min(max(shifts[name] + PACE * min(max(more, -1.5), 1.5), -FARTHEST), FARTHEST)
    return best.model_copy(update={"feedback": _feedback(best, scenes)})


def shifted(behaviour: Behaviour, by: Mapping[str, float]) -> Behaviour:
    """With other biases in groups."""
    gates = behaviour.group
    entry, flow = (
        gate.model_copy(update={"bias": round(gate.bias + by[name], 5)})
        for name, gate in (("entry", gates.entry), ("flow", gates.flow))
    )
    return behaviour.model_copy(update={"group": Gates(entry=entry, flow=flow, usual=gates.usual)})


def _feedback(behaviour: Behaviour, scenes: Mapping[str, Scene]) -> float:
    """The power of `freq` at which half of it speaks up half as often; what is called is answered anyway."""
    whole, half, called = (sum(1 for _ in _replayed(behaviour, scenes, freq=freq, seed=1)) for freq in (1.0, 0.5, 0.0))
    fell = math.log((max(0, half - called) + STEADY) / (max(0, whole - called) + STEADY)) / math.log(0.5)
    return round(min(max(1 / fell, 0.3), 1.5), 3) if fell > 0 else 1.0


def _replayed(behaviour: Behaviour, scenes: Mapping[str, Scene], *, freq: float = 1.0, seed: int) -> Iterable[Reply]:
    said = Replay(scenes, behaviour, freq, seed).run()
    return (reply for chat, lines in said.items() for reply in replies(chat, lines))


def _counts(spoken: Iterable[Reply]) -> Counter[str]:
    return Counter("entry" if reply.situation == "entry" else "flow" for reply in spoken)
