"""The behaviour that is learned of invented people whose chances, delays, bursts and nights are known."""

import math
from dataclasses import replace

import numpy as np
import pytest

import training.behaviour as behaviour_module
from bot.persona.behaviour import Behaviour
from bot.persona.message import Segment
from tests.training.talkers import NAME, ZONE, Log, Room, Talker, habits_of, log_of, sessions
from training.behaviour import Habits, night
from training.evaluate import pace
from training.gate_fit import TEST, Rows, Table, fitted, log_odds, logistic
from training.habits_report import when
from training.latency_fit import Delays
from training.occasions import Me, Observer
from training.scores import auc, average_precision


@pytest.fixture(scope="module")
def log() -> Log:
    return log_of(room=Room(days=150))


@pytest.fixture(scope="module")
def habits(log: Log) -> Habits:
    return habits_of(log, dev=0.65, test=0.75)


@pytest.fixture(scope="module")
def learned(habits: Habits) -> Behaviour:
    return habits.in_open_loop()


def test_the_gate_orders_nearly_as_well_as_the_chances_that_made_the_records(
    log: Log, habits: Habits, learned: Behaviour
) -> None:
    table = Table.of(habits.rows, ZONE)
    truth = np.array([log.truth[message.id] for message in log.messages if not message.mine])[: len(table.mine)]
    z = np.where(table.entry, log_odds(learned.group.entry, table.x), log_odds(learned.group.flow, table.x))
    test = table.part == TEST
    told = {}
    for name, rows in (("all", test), ("flow", test & ~table.entry), ("entry", test & table.entry)):
        told[name] = auc(table.mine[rows], truth[rows]), auc(table.mine[rows], z[rows])
    assert told["all"][1] > told["all"][0] - 0.02, told
    # Apart they hold fewer replies; entry is told apart from flow all the same.
    assert told["flow"][1] > told["flow"][0] - 0.04, told
    assert told["entry"][1] > told["entry"][0] - 0.04, told


def test_what_moves_me_is_what_the_gate_weighs(learned: Behaviour) -> None:
    from bot.persona.watch import FEATURES

    flow = dict(zip(FEATURES, learned.group.flow.weights, strict=True))
    assert flow["addressed"] > 0.1 > 0 > flow["to_other"]
    assert flow["answered"] > 0.3
    assert flow["question"] > 0.05
    assert abs(flow["link"]) < 0.05


def test_pace_zone_and_night_are_mine(learned: Behaviour) -> None:
    assert learned.learned
    assert learned.utc_offset == ZONE
    assert learned.asleep is not None
    begin, end = learned.asleep
    assert begin in (0, 1)
    assert end in (8, 9)
    assert learned.bubbles == pytest.approx(1 / (1 - 0.35), abs=0.12)
    median = {name: learned.delay(name, 1.7e9, 0.5) for name in ("flow", "entry", "addressed")}
    assert median["flow"] == pytest.approx(14, rel=0.25)
    assert median["entry"] == pytest.approx(25, rel=0.35)
    assert median["addressed"] == pytest.approx(9, rel=0.35)
    assert learned.pause(0.5, 6) == pytest.approx(6, rel=0.25)
    assert 0.3 < learned.share < 0.95


def test_delays_are_as_near_as_i_am_to_myself(habits: Habits, log: Log, learned: Behaviour) -> None:
    """Drawn for the moments of two other months against what the same person took there."""
    later = log_of(room=Room(days=60), seed=77)
    me_there = Me({"10001"}, (NAME,))
    taken = pace.within([s.occasion for s in Observer(me_there).see(later.messages) if s.occasion and s.occasion.mine])
    earlier = pace.within([s.occasion for s in Observer(me_there).see(log.messages) if s.occasion and s.occasion.mine])
    mine = pace.spread(pace.delays(taken), 1)
    drift = pace.ks(pace.spread(pace.delays(earlier), 2), mine)
    assert pace.ks(pace.predicted(learned, taken).ravel(), mine) <= drift + 0.05


def test_a_median_that_depends_on_the_hour_and_the_tempo_is_followed() -> None:
    delays, draw = Delays(), np.random.default_rng(3)
    for n in range(4000):
        hour, gap = n % 24, float(draw.uniform(0, 6))
        delays.seconds.append(math.exp(2 + (hour >= 20) + 0.3 * (gap - 3) + draw.normal(0, 0.4)))
        delays.situations.append(2)
        delays.times.append(hour * 3600.0 - ZONE)
        delays.tempo.extend((gap, 5.0, 1.0))
    latency = delays.latency(ZONE)
    fast, slow = ((latency.delay("flow", 12, 0.5, (gap, 5.0, 1.0))) for gap in (1.0, 5.0))
    assert slow / fast == pytest.approx(math.exp(1.2), rel=0.15)
    late = latency.delay("flow", 21, 0.5, (3.0, 5.0, 1.0)) / latency.delay("flow", 12, 0.5, (3.0, 5.0, 1.0))
    assert late == pytest.approx(math.e, rel=0.2)


def test_delays_beyond_the_cap_are_drawn_anew_and_not_cut_to_it() -> None:
    delays = Delays()
    for n in range(2000):
        delays.seconds.append(10.0 * 1.002**n)
        delays.situations.append(2)
        delays.times.append(0.0)
        delays.tempo.extend((1.0, 1.0, 1.0))
    latency = delays.latency(0)
    drawn = np.array([latency.delay("flow", 0, (n + 0.5) / 500) for n in range(500)])
    assert (drawn > 179).mean() < 0.02
    assert np.median(drawn) == pytest.approx(math.sqrt(10 * 180), rel=0.1)


def test_a_night_needs_evidence() -> None:
    awake = [0] * 2 + [0] * 5 + [40] * 17
    assert night(awake) == (0, 7)
    assert night(awake[3:] + awake[:3]) == (21, 4)
    assert night([n // 4 for n in awake]) is None, "too few messages"
    assert night([30] * 24) is None
    assert night([0, 0, *[40] * 22]) is None, "two hours are no night"


def test_too_few_records_leave_the_neutral_profile_and_the_report_says_so() -> None:
    short = Log(log_of(room=Room(days=2)).messages[:60])
    habits = habits_of(short)
    learned = habits.in_open_loop()
    assert not learned.learned
    assert learned.group == Behaviour().group
    assert "neutral" in when(habits, learned)["learned"]


def test_a_part_with_too_few_replies_stays_neutral_alone() -> None:
    """Enough for lengths, too few for a gate in private: the group's is learned, the private one isn't."""
    group, private = log_of(room=Room(days=60)), log_of(room=Room(days=1, private=True), name="8")
    learned = habits_of(group, private).in_open_loop()
    assert learned.group.flow.weights
    assert learned.private == Behaviour().private


def test_without_numpy_lengths_and_habits_are_learned_and_the_rest_is_neutral(
    habits: Habits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behaviour_module, "can_fit", lambda: False)
    learned = habits.in_open_loop()
    assert learned.learned
    assert learned.bubbles > 1.2
    assert learned.group == Behaviour().group
    assert learned.latency == Behaviour().latency


def test_records_exact_to_the_minute_leave_the_timing_neutral_and_the_gate_learned() -> None:
    log = log_of(room=Room(days=60))
    for message in log.messages:
        message.time, message.precision = message.time // 60 * 60, "min"
    habits = habits_of(log)
    learned = habits.in_open_loop()
    assert learned.latency == Behaviour().latency
    assert learned.pauses == Behaviour().pauses
    assert learned.group.flow.weights
    assert when(habits, learned)["delays_exact_to_the_second"].startswith("0 of ")


def test_quotes_ats_and_faces_are_counted() -> None:
    log = log_of(room=Room(days=40))
    mine = [message for message in log.messages if message.mine]
    for place, message in enumerate(mine):
        if place % 4 == 0:
            message.reply_to = "x"
        if place % 5 == 0:
            message.segments = [*message.segments, Segment("face", id="14")]
    learned = habits_of(log).in_open_loop()
    assert 0.2 < learned.quotes < 0.5
    assert learned.faces == pytest.approx(0.2, abs=0.01)
    assert learned.ats == 0


def test_what_the_bot_said_in_my_name_is_no_reply_that_is_matched() -> None:
    log = log_of(room=Room(days=10))
    before = habits_of(log)
    for message in log.messages:
        if message.mine:
            message.flags = ("bot",)
    after = habits_of(log)
    chat = log.messages[0].chat
    assert any(line.mine for line in before.groups[chat].lines)
    assert not any(line.mine for line in after.groups[chat].lines)
    assert not after.in_open_loop().learned


def test_no_id_and_no_word_of_the_records_is_in_the_profile(learned: Behaviour) -> None:
    text = learned.model_dump_json()
    assert not any(f"2000{n}" in text.replace(".", "_") for n in range(8))
    assert "话" not in text
    assert NAME not in text
    assert Behaviour.model_validate_json(text) == learned


def test_the_same_records_give_the_same_profile() -> None:
    log = log_of(room=Room(days=8))
    one, two = habits_of(log).fit(), habits_of(log).fit()
    assert one.group.flow.weights
    assert one == two


def test_more_occasions_than_are_kept_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.gate_fit.ROWS", 1000)
    log = log_of(room=Room(days=60))
    rows = habits_of(log).rows
    assert 400 < len(rows) <= 1001
    times = np.array([message.time for message in log.messages if not message.mine])
    assert np.mean(rows.times) == pytest.approx(times.mean(), abs=0.05 * np.ptp(times))


def test_newtons_method_finds_the_weights_and_survives_what_can_be_told_apart_for_sure() -> None:
    draw = np.random.default_rng(1)
    x = np.hstack([np.ones((20_000, 1)), draw.normal(size=(20_000, 2))])
    y = draw.random(20_000) < 1 / (1 + np.exp(-(x @ np.array([-1.0, 2.0, -0.5]))))
    assert logistic(x, y, held=np.zeros(3)) == pytest.approx([-1.0, 2.0, -0.5], abs=0.08)
    sure = fitted(np.array([[0.0], [0.1], [10.0], [10.1]] * 20), np.array([False, False, True, True] * 20))
    assert math.isfinite(sure.weights[0])


def test_the_scores_are_what_they_are_called() -> None:
    draw = np.random.default_rng(2)
    took, p = draw.random(300) < 0.2, draw.random(300).round(1)
    pairs = [(a > b) + (a == b) / 2 for a in p[took] for b in p[~took]]
    assert auc(took, p) == pytest.approx(np.mean(pairs))
    # By hand: right, wrong, right, and two of which one is right.
    took, p = np.array([1, 0, 1, 1, 0], dtype=bool), np.array([0.9, 0.8, 0.7, 0.1, 0.1])
    assert average_precision(took, p) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert math.isnan(auc(took[:0], p[:0]))
    assert math.isnan(average_precision(took[:0], p[:0]))


def test_a_drift_of_the_newest_days_moves_the_gate_alone(habits: Habits) -> None:
    """Twice as many replies on the newest days as before: the recalibrated gate follows them."""
    early, late = log_of(Talker(), Room(days=60)), log_of(replace(Talker(), bias=0.9), Room(days=60), seed=4)
    shift = early.messages[-1].time - late.messages[0].time + 86400
    for message in late.messages:
        message.time, message.id = message.time + shift, message.id + "+"
    both = Log([*early.messages, *late.messages])
    share = len(sessions(early.messages)) / len(sessions(both.messages))
    drifted = Table.of(habits_of(both, dev=share).rows, ZONE)
    assert isinstance(drifted.part, np.ndarray)
    newest = drifted.part == 1
    gates = drifted.gates(private=False, neutral=Behaviour().group)
    z = np.where(drifted.entry, log_odds(gates.entry, drifted.x), log_odds(gates.flow, drifted.x))
    said = 1 / (1 + np.exp(-z[newest]))
    assert said.mean() == pytest.approx(drifted.mine[newest].mean(), rel=0.05)


def test_rows_without_an_occasion_make_an_empty_table() -> None:
    assert Table.of(Rows(), ZONE).gates(private=False, neutral=Behaviour().group) == Behaviour().group
