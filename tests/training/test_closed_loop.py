"""Recorded days through the real turn engine, fed its own posts: the volume is mine, and it never runs away."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bot.persona.behaviour import Behaviour
from bot.persona.gate import Gate, Gates
from bot.persona.watch import Traits
from tests.training.talkers import BEGIN, Log, Room, habits_of, log_of, watched_of
from training.closed_loop import Replay, Scene
from training.evaluate.decisions import Volume, by_day, resampled, volume
from training.evaluate.watched import Watched
from training.match import matched, shifted
from training.recording import Recording, replies

GROUP = Room(days=60)
QUIET = Room(days=120, a_day=0.35, long=60, gap=(6.0, 1.0))
"""Silent for days, then sixty quick lines."""


@pytest.fixture(scope="module")
def people() -> list[Behaviour]:
    return [habits_of(log_of(room=GROUP, seed=seed)).fit() for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def usual(people: list[Behaviour]) -> Behaviour:
    return people[0]


def constant(p: float) -> Behaviour:
    gate = Gate(bias=float(np.log(p / (1 - p))))
    return Behaviour(learned=True, group=Gates(entry=gate, flow=gate))


def lines(*said: tuple[float, str], **more: bool) -> list[Traits]:
    return [Traits(who, BEGIN + at, mine=who == "me", chars=3, **more) for at, who in said]


def pooled(*lived: tuple[Behaviour, Log]) -> Volume:
    """The closed loop over the logs of several people, day after day."""
    found = [volume(watched_of(behaviour, log), runs=2, seed=5) for behaviour, log in lived]
    mine, bot, heard = (np.concatenate([getattr(one, name) for one in found]) for name in ("mine", "bot", "heard"))
    whole = Volume(mine, bot, heard)
    whole.above = np.concatenate([one.above for one in found])
    whole.over_resampled = resampled(mine, heard, seed=5)
    whole.longest_run = max(one.longest_run for one in found)
    return whole


def test_over_days_never_seen_i_speak_as_often_as_i_do(people: list[Behaviour]) -> None:
    """The mean of some people: of one alone, the records of sixty days know the volume to a third."""
    found = pooled(*((one, log_of(room=GROUP, seed=51 + n)) for n, one in enumerate(people)))
    assert 0.8 <= found.ratio <= 1.25
    assert found.over <= found.over_resampled
    assert found.longest_run <= 1.5


def test_in_a_quiet_group_with_bursts_too() -> None:
    """A replay holds the others' lines to their clock: its measure are people whose talk goes on while I type."""
    room = replace(QUIET, waits=False)
    learned = [habits_of(log_of(room=room, seed=seed)).fit() for seed in range(1, 7)]
    found = pooled(*((one, log_of(room=room, seed=61 + n)) for n, one in enumerate(learned)))
    assert 0.8 <= found.ratio <= 1.25
    assert found.over <= found.over_resampled


def test_a_flood_of_two_hundred_messages_does_not_carry_it_away(people: list[Behaviour]) -> None:
    found = pooled(*((one, log_of(room=replace(GROUP, floods=(30,)), seed=71 + n)) for n, one in enumerate(people)))
    assert 0.8 <= found.ratio <= 1.25
    assert found.over <= found.over_resampled
    busiest = np.argsort(found.heard)[-len(people) :]
    assert found.heard[busiest].min() > 200
    assert found.bot[busiest].sum() <= 2 * found.mine[busiest].sum()


def test_half_the_freq_speaks_up_about_half_as_often_and_none_only_when_called(usual: Behaviour) -> None:
    watched = watched_of(usual, log_of(room=Room(days=40, at_me=0.0), seed=57))
    counts = {}
    for freq in (0.0, 0.5, 1.0):
        runs = [Replay(watched.scenes, usual, freq, seed).run() for seed in (1, 2)]
        counts[freq] = sum(1 for said in runs for chat, told in said.items() for _ in replies(chat, told))
    called = sum(line.names_me or line.addressed for scene in watched.scenes.values() for line in scene.lines)
    # One who called and goes on gets a second answer at times.
    assert called < counts[0.0] <= 2.5 * called
    assert 0.3 <= (counts[0.5] - counts[0.0]) / (counts[1.0] - counts[0.0]) <= 0.75


def test_matching_sets_right_a_gate_that_speaks_far_too_much_or_too_little() -> None:
    habits = habits_of(log_of(room=Room(days=25)))
    learned, scenes = habits.in_open_loop(), habits.newest()
    real = sum(1 for chat, scene in scenes.items() for _ in replies(chat, scene.lines))
    for wrong in (2.0, -2.0):
        right = matched(shifted(learned, {"entry": wrong, "flow": wrong}), scenes)
        runs = [Replay(scenes, right, 1.0, seed).run() for seed in (91, 92)]
        said = sum(1 for run in runs for chat, told in run.items() for _ in replies(chat, told))
        assert 0.65 <= said / 2 / real <= 1.5


def test_the_replay_leaves_my_lines_out_keeps_the_others_and_is_the_same_for_a_seed() -> None:
    real = lines(*((60.0 * n, "me" if n % 5 == 4 else f"p{n % 3}") for n in range(200)))
    scenes = {"qq:group:7": Scene.of(Recording(real), 20)}
    one, two, other = (Replay(scenes, constant(0.3), 1.0, seed).run()["qq:group:7"] for seed in (1, 1, 2))
    assert one == two != other
    assert [line for line in one if not line.mine] == [line for line in real[20:] if not line.mine]
    assert any(line.mine for line in one)
    assert all(a.time <= b.time for a, b in pairwise(one))


def test_nobody_speaks_with_a_gate_that_is_shut_and_the_silent_gate_hears_the_past() -> None:
    real = lines(*((30.0 * n, f"p{n % 3}") for n in range(100)))
    scenes = {"qq:group:7": Scene.of(Recording(real))}
    assert not any(line.mine for line in Replay(scenes, constant(1e-9)).run()["qq:group:7"])
    warm = Scene.of(Recording(real), 60)
    assert len(warm.before) == 60
    assert warm.lines == real[60:]


def test_days_and_resamples_count_what_they_say() -> None:
    told = {"qq:group:7": lines((0, "a"), (5, "me"), (86400 + 5, "a"), (86400 + 9, "me"), (86400 + 700, "b"))}
    day = (BEGIN + 8 * 3600) // 86400
    assert by_day(told, [day, day + 1, day + 2], 8 * 3600).tolist() == [1, 1, 0]
    # One reply to a hundred messages each day: more than two of them happen on about a day in twelve.
    mine, heard = np.full(400, 1.0), np.full(400, 100.0)
    assert 0.08 <= resampled(mine, heard, seed=1) <= 0.13


def test_the_volume_of_a_chat_without_me_is_not_defined() -> None:
    found = volume(Watched(Behaviour()), runs=1)
    assert np.isnan(found.ratio)
    assert np.isnan(found.over)
