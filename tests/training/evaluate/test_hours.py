"""The hours at which I speak: the same for me in my place, far for who speaks at night, and the wait as others see it."""

from dataclasses import replace

import numpy as np
import pytest

from bot.persona.behaviour import DAY, Behaviour
from tests.training.evaluate import people
from tests.training.evaluate.conftest import World
from tests.training.talkers import ZONE, Room, log_of, watched_of
from training.evaluate import decisions, hours, pace, timing
from training.evaluate.figures import Draws, Figure
from training.evaluate.sample import Reply, Sample
from training.evaluate.watched import Watched

DRAWS = Draws(7, 60)
NOBODY = Sample([], [], {})


def lived(seen: Watched, hours_later: float) -> hours.Spoken:
    """As if the bot had said all that I said, so much later."""
    found = replace(seen, earlier=seen.earlier * 2)  # at least as many as on the test days
    said = {
        chat: [replace(line, time=line.time + 3600 * hours_later) for line in lines]
        for chat, lines in seen.real().items()
    }
    found._played.update({decisions.replay(DRAWS.seed, run): said for run in range(2)})
    return hours.spoken(found, DRAWS, 2)


def test_in_my_place_i_speak_at_my_hours(seen: Watched) -> None:
    same = lived(seen, 0.0)
    figure = hours.divergence(same, DRAWS).figure
    assert same.n >= hours.LEAST
    assert (figure.value, figure.low, figure.high) == (0, 0, 0)
    assert figure.floor is not None
    assert figure.floor > 0.05, "other weeks, and few replies an hour"


def test_who_speaks_half_a_day_later_is_farther_than_my_own_past(seen: Watched) -> None:
    week, day = (hours.divergence(lived(seen, 12.0), DRAWS, period).figure for period in (hours.WEEK, hours.DAY))
    assert day.low is not None
    assert day.value is not None
    assert day.floor is not None
    assert 2 * day.floor < day.low <= day.value < 1
    # The hours of a week know it too, but of so few replies their own noise is large.
    assert week.value is not None
    assert week.floor is not None
    assert week.value > week.floor
    shown = hours.picture(lived(seen, 12.0))["hours"].series
    assert shown["persona"] == pytest.approx(np.roll(shown["me"], 12))
    assert set(shown) == {"me", "persona", "other", "floor"}


def test_the_replayed_bot_keeps_my_hours(seen: Watched) -> None:
    outcome = timing.measure(NOBODY, [], DRAWS, quick=True, watched=seen)
    figure = outcome.figures["hour_of_week_js"].figure
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    assert figure.floor is not None
    assert figure.low <= figure.high
    assert figure.value < figure.floor + 0.1
    assert outcome.run == {}, "nobody has timed a reply"


def test_few_replies_have_no_hours(seen: Watched) -> None:
    short = watched_of(Behaviour(), log_of(room=Room(days=2)))
    figure = hours.divergence(hours.spoken(short, DRAWS, 2), DRAWS).figure
    assert figure.status == "insufficient"
    assert not hours.picture(hours.spoken(short, DRAWS, 2))
    assert seen.bursts_earlier


def test_the_hour_of_the_week_is_that_of_my_clock() -> None:
    thursday = [-ZONE + 0.0, -ZONE + 3599.0, -ZONE + 3600.0, -ZONE + 7 * DAY - 1]
    assert pace.hour_of_week(thursday, ZONE).tolist() == [0, 0, 1, 167]


def test_a_reply_is_seen_when_it_was_planned_unless_it_takes_longer() -> None:
    rng = np.random.default_rng(1)
    planned = np.array([[0.0, 1.0, 5.0, 60.0]])
    assert pace.seen(planned, [0.5], 1.8, rng).tolist() == [[2.3, 2.3, 5.0, 60.0]]
    # A reply that takes ten seconds is begun ten before it is due, but never before the other has fallen silent.
    assert pace.seen(planned, [10.0], 1.8, rng).tolist() == [[11.8, 11.8, 11.8, 60.0]]
    waited = pace.seen(np.full((1, 4000), 60.0), [5.0, 15.0], 1.8, rng)
    assert set(waited.ravel().tolist()) == {60.0, 65.0}, "one half takes five longer than foreseen"


def test_a_slow_model_is_seen_to_be_slow(seen: Watched) -> None:
    def run(compute: list[float]) -> dict[str, float | None]:
        outcome = timing.measure(NOBODY, [], DRAWS, quick=True, watched=seen, compute=compute)
        assert {name for name in outcome.figures if "end_to_end" in name} == set(), "what a clock says stays in `run`"
        return {name: figure.value for name, figure in outcome.run.items()}

    quick, slow = run([0.01]), run([90.0, 110.0])
    assert slow["end_to_end_p50"] == pytest.approx(100, abs=20)
    assert quick["end_to_end_p50"] is not None
    assert quick["end_to_end_p50"] < 40
    assert quick["end_to_end_ks"] is not None
    assert quick["end_to_end_ks"] < 0.25 < 0.5 < (slow["end_to_end_ks"] or 0)


def test_bursts_have_an_interval_that_knows_one_bubble_from_mine(world: World) -> None:
    def told(answers: list[Reply]) -> Figure:
        outcome = timing.measure(world.sample, answers, DRAWS, quick=True, watched=Watched(Behaviour()))
        return outcome.figures["burst_ks"].figure

    mine = told(world.control("truth"))
    assert (mine.value, mine.low, mine.high) == (0, 0, 0)
    # As many replies as before, but of one evening: nobody knows how another one would be.
    evening = [replace(moment, mine=replace(moment.mine, session="one")) for moment in world.sample.moments]
    outcome = timing.measure(
        replace(world.sample, moments=evening), world.control("truth"), DRAWS, quick=True, watched=Watched(Behaviour())
    )
    assert outcome.figures["burst_ks"].figure.note == "1 sessions; 20 are needed"
    single = told(people.answers(world.sample, ["好"] * len(world.sample.moments)))
    more = sum(len(moment.mine.bubbles) > 1 for moment in world.sample.moments) / len(world.sample.moments)
    assert single.value == pytest.approx(more)
    assert single.low is not None
    assert single.high is not None
    assert 0.2 < single.low < more < single.high
