"""When and timing: the figures of a person who is learned well, of one who isn't me, and of too little."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.persona.behaviour import Behaviour
from bot.persona.latency import Latency
from tests.training.talkers import Room, Talker, log_of, watched_of
from training.evaluate import chances, decisions, pace, timing, when
from training.evaluate.figures import Draws, Outcome
from training.evaluate.sample import Sample
from training.evaluate.watched import Watched, watched

NOBODY = Sample([], [], {})
DRAWS = Draws(7, 50)


@pytest.fixture(scope="module")
def told(seen: Watched) -> Outcome:
    return when.measure(NOBODY, [], DRAWS, quick=True, watched=seen)


def value(outcome: Outcome, name: str) -> float:
    figure = outcome.figures[name].figure
    assert figure.value is not None, figure.note
    return figure.value


def test_a_learned_gate_beats_every_simple_rule_on_all_and_on_entry(told: Outcome) -> None:
    for name in ("ap", "ap_entry"):
        best = max(value(told, f"{name}_{rule}") for rule in ("on_at", "last3", "fixed", "always", "never"))
        assert value(told, name) > best
    assert value(told, "ece") <= 0.04
    assert value(told, "brier_skill") > 0.1
    entry, flow = value(told, "auc_entry"), value(told, "auc_flow")
    assert max(entry, flow) < value(told, "auc"), "apart each is harder than both together"


def test_intervals_hold_their_value_and_the_seed_gives_them_again(seen: Watched, told: Outcome) -> None:
    figure = told.figures["ap"].figure
    assert figure.low is not None
    assert figure.high is not None
    assert figure.value is not None
    assert figure.low < figure.value < figure.high
    again = when.measure(NOBODY, [], DRAWS, quick=True, watched=seen)
    assert {name: one.figure for name, one in again.figures.items()} == {
        name: one.figure for name, one in told.figures.items()
    }


def test_somebody_elses_gate_and_delays_are_told_apart(seen: Watched, told: Outcome) -> None:
    chatty = Behaviour(
        learned=True,
        latency=Latency(
            quantiles={
                name: (math.log(1.0), math.log(2.0), math.log(5.0))
                for name in ("addressed", "private", "flow", "entry")
            }
        ),
    )
    other = replace(seen, behaviour=chatty)
    mine, theirs = (timing.measure(NOBODY, [], DRAWS, quick=True, watched=one) for one in (seen, other))
    assert mine.figures["delay_ks"].figure.is_good
    assert theirs.figures["delay_ks"].figure.is_good is False
    assert value(theirs, "delay_ks") > 0.5
    assert value(theirs, "crps_skill") < 0 < 0.06 + value(mine, "crps_skill")
    assert value(mine, "pause_ks") < 0.1
    pauses = mine.figures["pause_ks"].figure
    assert pauses.low is not None
    assert pauses.high is not None
    assert pauses.low - 0.005 < value(mine, "pause_ks") < pauses.high < 0.15
    silent = when.measure(NOBODY, [], DRAWS, quick=True, watched=other)
    assert value(silent, "volume") < value(told, "volume")


def test_too_little_is_insufficient_and_gives_no_number() -> None:
    short = watched_of(Behaviour(), log_of(room=Room(days=2)))
    for module in (when, timing):
        outcome = module.measure(NOBODY, [], DRAWS, quick=True, watched=short)
        figures = [one.figure for one in outcome.figures.values()]
        assert {figure.status for figure in figures} == {"insufficient"}
        assert all(figure.value is None and figure.note for figure in figures)
        assert set(outcome.pictures) <= {"day"}, "a curve of a few moments would say what no figure does"
    assert not when.measure(NOBODY, [], DRAWS, quick=True, watched=None).figures


def test_a_share_of_a_few_calls_is_no_number(seen: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "LEAST_COUNTED", 10_000)
    outcome = when.measure(NOBODY, [], DRAWS, quick=True, watched=seen)
    for name in ("missed_calls", "interruptions"):
        figure = outcome.figures[name].figure
        assert (figure.status, figure.value) == ("insufficient", None)
        assert figure.note == f"{figure.n} in a replay; 10000 are needed"
    assert outcome.figures["volume"].figure.value is not None


def test_rules_are_held_against_the_persona_where_it_lives_through_the_days(seen: Watched, told: Outcome) -> None:
    """In private chats everybody is addressed: on-@ would speak about as often as I do."""
    private = watched_of(Behaviour(), log_of(name="8", room=Room(days=30, private=True)))
    both = replace(seen, judged=[*seen.judged, *private.judged])
    with_private = when._rules(decisions.Table.of(both.judged))
    assert any(one.occasion.situation == "private" for one in private.judged)
    for name in ("volume_on_at", "missed_calls_fixed", "interruptions_always"):
        assert with_private[name].figure == told.figures[name].figure
    alone = when._rules(decisions.Table.of(private.judged))["volume_on_at"].figure
    assert (alone.status, alone.n) == ("insufficient", 0)


def test_the_score_of_a_distribution_is_least_where_it_is_the_true_one() -> None:
    draw = np.random.default_rng(1)
    truth = np.exp(draw.normal(2, 1, 400))
    places = (np.arange(pace.STEPS) + 0.5) / pace.STEPS

    def score(shift: float, sd: float) -> float:
        row = np.exp(shift + sd * np.array([_normal(u) for u in places]))
        return float(pace.crps(np.tile(row, (400, 1)), truth).mean())

    assert score(2, 1) < min(score(3, 1), score(2, 0.2), score(2, 4))
    # Of a normal distribution in its own mean it is σ(√2 − 1)/√π at best; on average σ/√π.
    assert score(2, 1) == pytest.approx(1 / math.sqrt(math.pi), rel=0.1)


def _normal(u: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(u)


def test_the_test_part_of_a_data_folder_is_what_is_watched(tmp_path: Path) -> None:
    from training.dataset import row_id

    log = log_of(Talker(), Room(days=8))
    border = log.messages[len(log.messages) // 2]
    (tmp_path / "messages.jsonl").write_text("".join(m.to_json() + "\n" for m in log.messages), encoding="utf-8")
    row = {"id": row_id(border), "split": "test", "start": border.time, "turns": []}
    (tmp_path / "heldout.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    found = watched(tmp_path, Behaviour(), called="阿南")
    assert min(one.occasion.heard.time for one in found.judged) >= border.time
    foreign = sum(not m.mine and m.time >= border.time for m in log.messages)
    assert abs(len(found.judged) - foreign) <= 1
    assert all(one.heard.time < border.time for one in found.earlier)
    (tmp_path / "heldout.jsonl").write_text(json.dumps({**row, "split": "test_chat"}) + "\n", encoding="utf-8")
    apart = watched(tmp_path, Behaviour(), called="阿南")
    assert len(apart.judged) > 1.8 * len(found.judged)
    assert not apart.earlier


def test_what_a_refit_persona_was_fitted_on_is_no_test_of_it(tmp_path: Path) -> None:
    from training.dataset import row_id

    log = log_of(Talker(), Room(days=8))
    places = (len(log.messages) * n // 8 for n in (3, 5, 6))
    dev, test, newest = (log.messages[place] for place in places)
    (tmp_path / "messages.jsonl").write_text("".join(m.to_json() + "\n" for m in log.messages), encoding="utf-8")
    for split in ("test", "test_chat"):
        rows = [
            {"id": row_id(one), "split": part, "start": one.time, "turns": []}
            for part, one in (("dev", dev), (split, test))
        ]
        (tmp_path / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        found = watched(tmp_path, Behaviour(), called="阿南", known=newest.time)
        assert found.judged
        assert not found.dev, "what would be fitted there it knows, too"
        heard = [one.occasion.heard.time for one in found.judged] + [one.first.time for one in found.bursts]
        assert min(heard) > newest.time
        assert all(line.time > newest.time for scene in found.scenes.values() for line in scene.lines)


def test_speaking_soon_is_foreseen_too(told: Outcome) -> None:
    for name in ("60s", "5min"):
        assert value(told, f"auc_within_{name}") > 0.6
    # More of my replies are within five minutes, so it is easier to be right.
    assert value(told, "ap_within_5min") > value(told, "ap_within_60s")


QUESTIONS = ("", "within_60s", "within_5min")
SLICES = ("all", "flow", "entry", "addressed", "to_other")
RULES = ("on_at", "last3", "fixed", "always", "never")


def test_every_question_is_scored_on_every_slice_and_beside_every_rule(told: Outcome) -> None:
    for question in QUESTIONS:
        for name in SLICES:
            for score in ("ap", "auc", "ece", "brier_skill", "balanced_accuracy"):
                assert when.named(score, name, question) in told.figures
            for rule in RULES:
                assert {when.named(score, name, question, rule) for score in ("ap", "auc")} <= set(told.figures)
        assert value(told, when.named("auc", question=question, rule="fixed")) == 0.5
        # What the chances say of another question is first translated on dev.
        assert value(told, when.named("ece", question=question)) < 0.06
        assert value(told, when.named("brier_skill", question=question)) > 0.1


def test_the_threshold_is_that_of_dev(seen: Watched, told: Outcome) -> None:
    from sklearn.metrics import balanced_accuracy_score

    dev, test = decisions.Table.of(seen.dev), decisions.Table.of(seen.judged)
    entry = chances.threshold(dev.mine[dev.entry], dev.p[dev.entry])
    found = balanced_accuracy_score(test.mine[test.entry], test.p[test.entry] >= entry)
    assert value(told, "balanced_accuracy_entry") == pytest.approx(found)
    assert 0.6 < found < value(told, "balanced_accuracy")
    assert entry < chances.threshold(dev.mine[~dev.entry], dev.p[~dev.entry])
    figure = told.figures["balanced_accuracy"].figure
    assert figure.low is not None
    assert figure.high is not None
    assert figure.value is not None
    assert figure.low < figure.value < figure.high


def test_without_dev_nothing_that_is_fitted_on_it_is_told(seen: Watched, told: Outcome) -> None:
    found = when.measure(NOBODY, [], DRAWS, quick=True, watched=replace(seen, dev=[]))
    lacking = {name for name, one in found.figures.items() if "dev has fewer" in one.figure.note}
    fitted = {when.named("balanced_accuracy", name, question) for question in QUESTIONS for name in SLICES}
    fitted |= {when.named(score, name, q) for score in ("ece", "brier_skill") for name in SLICES for q in QUESTIONS[1:]}
    enough = {name for name, one in told.figures.items() if one.figure.status == "ok"}
    assert lacking >= fitted & enough
    assert not lacking - fitted
    assert value(found, "ap_entry_within_60s") == value(told, "ap_entry_within_60s")


def test_simple_rules_fail_where_they_must(told: Outcome) -> None:
    """Speaking only when called misses what I say unasked; speaking always interrupts."""
    assert value(told, "volume_on_at") < 0.8
    assert value(told, "missed_calls_on_at") == 0
    assert value(told, "volume_always") > 2
    assert value(told, "interruptions_always") > value(told, "interruptions_last3") + 0.1
    assert value(told, "volume_fixed") == pytest.approx(1)
    assert value(told, "missed_calls_never") == 1
    assert "interruptions_never" not in told.figures, "it never speaks"


def test_precision_is_of_whole_ties_and_falls_to_the_base_rate() -> None:
    mine, p = np.array([1, 0, 1, 0], dtype=bool), np.array([0.9, 0.5, 0.5, 0.1])
    assert decisions.precision(mine, p, (0.5, 1.0)) == (1.0, pytest.approx(2 / 3))
    assert decisions.precision(mine, np.ones(4), (0.25, 1.0)) == (0.5, 0.5)


def test_pictures_show_a_day_and_what_speaking_costs(told: Outcome) -> None:
    day, entry = told.pictures["day"], told.pictures["precision_entry"]
    assert sum(day.series["me"]) > 0
    assert len(day.labels) == len(day.series["persona"]) == 24
    assert entry.series["persona"][-1] >= entry.series["on_at"][-1] - 0.02
    assert entry.series["persona"][0] > entry.series["persona"][-1]


def test_what_is_foreseen_rightly_is_spread_evenly() -> None:
    rng = np.random.default_rng(3)
    seconds = rng.lognormal(2, 1, 400)
    usual = pace.marginal(rng.lognormal(2, 1, 4000), len(seconds))
    assert pace.pit_ks(usual, seconds) < 0.08
    assert pace.pit_ks(usual * 3, seconds) > 0.3
    assert pace.apart(seconds * 2, seconds) == pytest.approx(math.log(2))
