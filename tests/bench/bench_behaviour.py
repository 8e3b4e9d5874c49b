"""What the behaviour model costs and how near it comes, on invented people whose habits are known.

    python tests/bench/bench_behaviour.py [--messages 200000] [--people 4]

Prints the CPU seconds of watching and fitting that many messages of a group, the CPU of one decision, and,
over people never fitted together, the gate's AUC beside that of the chances which made the records, and the
closed loop's volume: in a lively group, in a quiet one with bursts, and with a flood of 200 messages a month.

A replay leaves the others' lines as they were recorded. That is what would have happened where they talk on by
their own clock; where they fall silent while I type, the gaps that the bot may speak in are those I left. Both
are shown.
"""

import argparse
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bot.persona.behaviour import Behaviour  # noqa: E402
from bot.persona.watch import Traits, Watch  # noqa: E402
from tests.training.talkers import Log, Room, habits_of, log_of, watched_of  # noqa: E402
from training.closed_loop import Replay  # noqa: E402
from training.evaluate import pace  # noqa: E402
from training.evaluate.decisions import Volume, resampled, volume  # noqa: E402
from training.gate_fit import TEST, Table, log_odds  # noqa: E402
from training.scores import auc  # noqa: E402

GROUP = Room(days=120)
ROOMS = {
    "lively group": (GROUP, Room(days=60)),
    "quiet group with bursts": (
        (quiet := Room(days=400, a_day=0.35, long=60, gap=(6.0, 1.0))),
        replace(quiet, days=250),
    ),
    "flood of 200 messages": (GROUP, Room(days=30, floods=(15,))),
}


def cost(messages: int) -> None:
    log = log_of(room=Room(days=messages // 100 or 1))
    log = Log(log.messages[:messages], log.truth)
    begun = time.process_time()
    habits = habits_of(log, dev=0.8, test=0.9)
    watched = time.process_time() - begun
    begun = time.process_time()
    habits.in_open_loop()
    fitted = time.process_time() - begun
    begun = time.process_time()
    learned = habits.fit()
    matched = time.process_time() - begun - fitted
    print(f"{len(log.messages)} messages: watching {watched:.1f} s, fitting {fitted:.1f} s, matching {matched:.1f} s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB, the records included")
    print(f"profile {len(learned.model_dump_json()) / 1024:.1f} KiB")
    decision(learned)
    scenes = habits.held_out()
    lines = sum(len(scene.lines) for scene in scenes.values())
    begun = time.process_time()
    Replay(scenes, learned).run()
    print(f"replay {1e6 * (time.process_time() - begun) / lines:.0f} µs a line")
    gate(habits, learned, log, "newest tenth")


def decision(learned: Behaviour, times: int = 20_000) -> None:
    watch = Watch()
    heard = [Traits(f"p{n % 9}" if n % 5 else "", 1.7e9 + 20 * n, mine=n % 5 == 0, chars=n % 30) for n in range(times)]
    begun = time.process_time()
    for one in heard:
        watch.hear(one)
    hearing = time.process_time() - begun
    begun = time.process_time()
    for _ in heard:
        learned.chance(watch, heard[-1])
    print(f"hear {1e6 * hearing / times:.1f} µs, chance {1e6 * (time.process_time() - begun) / times:.1f} µs a message")


def gate(habits: object, learned: Behaviour, log: Log, name: str) -> None:
    table = Table.of(habits.rows, learned.utc_offset)  # type: ignore[attr-defined]
    truth = np.array([log.truth[message.id] for message in log.messages if not message.mine])[: len(table.mine)]
    z = np.where(table.entry, log_odds(learned.group.entry, table.x), log_odds(learned.group.flow, table.x))
    test = table.part == TEST
    for part, rows in (("all", test), ("flow", test & ~table.entry), ("entry", test & table.entry)):
        mine = table.mine[rows]
        print(
            f"{name}, {part}: AUC {auc(mine, z[rows]):.3f}, the true chances {auc(mine, truth[rows]):.3f}, n {mine.sum()}"
        )


def closed_loop(people: int, *, waits: bool) -> None:
    print(f"closed loop, {people} people; the others {'fall silent while I type' if waits else 'talk on while I type'}")
    for name, rooms in ROOMS.items():
        learned_in, lived_in = (replace(room, waits=waits) for room in rooms)
        found: list[Volume] = []
        apart: list[float] = []
        for seed in range(people):
            learned = habits_of(log_of(room=learned_in, seed=seed)).fit()
            seen = watched_of(learned, log_of(room=lived_in, seed=1000 + seed))
            found.append(volume(seen, runs=3, seed=seed))
            took = pace.within([one.occasion for one in seen.judged if one.occasion.mine])
            mine = pace.spread(pace.delays(took), seed)
            apart.append(pace.ks(pace.predicted(learned, took).ravel(), mine))
        mine, bot, heard = (np.concatenate([getattr(one, part) for one in found]) for part in ("mine", "bot", "heard"))
        over = np.average([one.over for one in found], weights=[len(one.mine) for one in found])
        each = " ".join(f"{one.ratio:.2f}" for one in found)
        print(f"{name}: volume {bot.sum() / mine.sum():.2f} ({each}), days above twice {over:.3f}", end="")
        print(f" (resampled {resampled(mine, heard, 1):.3f}), delay KS {np.mean(apart):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--people", type=int, default=4)
    knobs = parser.parse_args()
    cost(knobs.messages)
    for waits in (False, True):
        closed_loop(knobs.people, waits=waits)


if __name__ == "__main__":
    main()
