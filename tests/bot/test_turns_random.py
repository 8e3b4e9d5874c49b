"""The turn engine under random orders of events: every invariant is checked after each step."""

import pickle
from collections import Counter
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from bot.engine.wire import RANKS
from tests.bot.turn_world import FRIEND, GROUP, ORDERS, OTHER, World, check

KINDS = ["talk", "talk", "talk", "call", "call", "bare", "mine", "owner", "bot", "poke", "late", "early", "copy"]
PLATFORM = ["ok", "ok", "ok", "ok", "refused", "recall", "odd"]
DRAFT = ["bubble", "bubble", "bubble", "end", "end", "old"]
PAUSES = [0.0, 0.5, 1.0, 2.0, 2.0, 5.0, 11.0, 31.0]

CHAT = st.sampled_from([GROUP, GROUP, OTHER, FRIEND])
SMALL = st.integers(0, 5)
OPS = st.one_of(
    st.tuples(st.just("hear"), CHAT, st.integers(0, 2), st.sampled_from(KINDS), SMALL),
    st.tuples(st.just("reply"), CHAT, st.integers(0, 2), SMALL),
    st.tuples(st.just("draft"), CHAT, st.sampled_from(DRAFT), SMALL),
    st.tuples(st.just("platform"), CHAT, st.sampled_from(PLATFORM), SMALL),
    st.tuples(st.just("command"), CHAT, st.sampled_from(ORDERS), st.builds(Random, st.integers(0, 40))),
    st.tuples(st.just("pass_time"), st.sampled_from(PAUSES)),
)


def play(world: World, operations: list[tuple[Any, ...]]) -> None:
    for name, *arguments in operations:
        getattr(world, name)(*arguments)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(OPS, min_size=20, max_size=60))
def test_invariants_hold_in_every_order(operations):
    world = World()
    play(world, operations)
    assert pickle.loads(pickle.dumps(world.state)) == world.state
    check(world)


def test_invariants_hold_in_ten_thousand_runs():
    """Long runs where much goes on, in all modes; each of its seed, so that it comes back."""
    seen: Counter[str] = Counter()
    for seed in range(10_000):
        random = Random(seed)
        world = World(seed, random.choice(["called", "join", "join", "draft", "shadow"]))
        try:
            play(world, [busy(random) for _ in range(random.choice([10, 30, 60]))])
            check(world)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        seen.update(world.seen)
    reasons = ("off", "stale", "recalled", "capped", "failed", "owner", "bot", "cooldown", "drafted", "shadow")
    tried = [f"Settle {reason}" for reason in reasons] + ["Propose draft", "Propose shadow", "TellOwner capped"]
    tried += [f"Generate {rank}" for rank in RANKS] + ["Send", "Cancel", "Wake"]
    rare = {what: seen[what] for what in tried if seen[what] < 300}
    assert not rare, rare


def test_a_run_replays_exactly():
    for seed in range(20):
        worlds = []
        for _ in range(2):
            random, world = Random(seed), World(seed)
            play(world, [busy(random) for _ in range(100)])
            worlds.append(world)
        assert worlds[0].state == worlds[1].state


def busy(random: Random) -> tuple[Any, ...]:
    """One thing that happens in chats where much goes on."""
    chat, small, who = random.choice([GROUP, GROUP, OTHER, FRIEND]), random.randrange(6), random.randrange(3)
    place = random.random()
    if place < 0.3:
        return "hear", chat, who, random.choice(KINDS), small
    if place < 0.42:
        return "reply", chat, who, small
    if place < 0.58:
        return "draft", chat, random.choice(DRAFT), small
    if place < 0.76:
        return "platform", chat, random.choice(PLATFORM), small
    if place < 0.82:
        return "command", chat, random.choice(ORDERS), random
    return "pass_time", random.choice(PAUSES)
