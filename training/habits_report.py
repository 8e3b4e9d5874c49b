"""What `mybot dataset` says of when I speak: how well the gate tells it on what it never saw, and how often I would.

Knows numbers only. Where the test part shows too little, None.
"""

from collections.abc import Iterable
from typing import Any

from bot.persona.behaviour import Behaviour
from training.behaviour import LEAST, Habits, can_fit
from training.closed_loop import Replay
from training.gate_fit import TEST, Table, log_odds
from training.recording import Reply, replies
from training.scores import auc, average_precision

POSITIVES = 10
"""Replies in a slice below which nothing is said of it."""
SEEDS = (11, 12, 13)


def when(habits: Habits, behaviour: Behaviour) -> dict[str, Any]:
    """A few numbers on the test part, and what was learned at all."""
    if not behaviour.learned:
        return {"learned": f"no: {behaviour.replies} replies, {LEAST} are needed; the neutral profile stays"}
    if not can_fit():
        return {
            "learned": "lengths and habits only: the rest needs numpy; pip install -c constraints.txt -e '.[train]'"
        }
    numbers: dict[str, Any] = {"learned": _learned(behaviour), **_open(habits, behaviour), **_closed(habits, behaviour)}
    exact = len(habits.delays.seconds)
    numbers["delays_exact_to_the_second"] = f"{exact} of {exact + habits.delays.rough}"
    return numbers


def _learned(behaviour: Behaviour) -> str:
    kinds = [kind for kind, gates in (("group", behaviour.group), ("private", behaviour.private)) if gates.flow.weights]
    return " and ".join(kinds) or "lengths, delays and habits; too few replies for the gate"


def _open(habits: Habits, behaviour: Behaviour) -> dict[str, Any]:
    """AUC and average precision of the gates, message by message."""
    table = Table.of(habits.rows, behaviour.utc_offset)
    numbers: dict[str, Any] = {}
    for kind, gates in (("group", behaviour.group), ("private", behaviour.private)):
        here = (table.part == TEST) & (table.private == (kind == "private"))
        if not gates.flow.weights or not here.any():
            continue
        z = log_odds(gates.flow, table.x)
        z[table.entry] = log_odds(gates.entry, table.x[table.entry])
        for name, rows in (("all", here), ("flow", here & ~table.entry), ("entry", here & table.entry)):
            y = table.mine[rows]
            if min(y.sum(), (~y).sum()) < POSITIVES:
                numbers[f"{kind}_{name}_auc"] = numbers[f"{kind}_{name}_ap"] = None
                continue
            numbers[f"{kind}_{name}_auc"] = round(auc(y, z[rows]), 3)
            numbers[f"{kind}_{name}_ap"] = round(average_precision(y, z[rows]), 3)
    return numbers


def _closed(habits: Habits, behaviour: Behaviour) -> dict[str, Any]:
    """The test days of the groups once more, with the bot in my place."""
    scenes = habits.held_out()
    real = [reply for chat, scene in scenes.items() for reply in replies(chat, scene.lines)]
    if len(real) < POSITIVES or not behaviour.group.flow.weights:
        return {"replies_in_closed_loop": None}
    runs = [Replay(scenes, behaviour, 1.0, seed).run() for seed in SEEDS]
    said = [reply for run in runs for chat, lines in run.items() for reply in replies(chat, lines)]
    return {
        "replies_in_closed_loop": round(len(said) / len(SEEDS), 1),
        "replies_of_mine_there": len(real),
        "median_delay": _median(said),
        "median_delay_of_mine": _median(real),
    }


def _median(spoken: Iterable[Reply]) -> float | None:
    delays = sorted(reply.delay for reply in spoken)
    return round(delays[len(delays) // 2], 1) if delays else None
