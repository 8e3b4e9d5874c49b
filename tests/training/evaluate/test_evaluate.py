"""`mybot evaluate` on tiny personas: the same report for the same seed, gone on with, made again without a model."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.honesty import fixed_answer
from bot.persona.facts import Fact, Facts
from bot.persona.prompt import PromptSpec
from config.errors import InputError, UsageError
from config.settings import Compare, Evaluate
from tests.personas import make_persona
from tests.training.conftest import chats
from tests.training.evaluate.toys import evaluated_persona
from training.evaluate import asking, command, compare, controls, inquiries, leakage, models, off_switch, questions
from training.evaluate.controls import CONTROLS
from training.evaluate.figures import Draws, Figure
from training.evaluate.ledger import Blank, Ledger
from training.evaluate.report import SCHEMA, Report, Verdict, schema
from training.evaluate.sample import Sample
from training.evaluate.speaking import key
from training.evaluate.work import prepare

HEAD = {"persona": "a", "seed": 7}
FACTS = [Fact(text=f"我的{n}号柜子放着纸鹤{n}", ask=f"你的{n}号柜子放着什么", answer=[f"纸鹤{n}"]) for n in range(10)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, data: Path, spec: PromptSpec) -> Iterator[Path]:
    """A persona and its base, and facts that the owner confirmed."""
    folder = tmp_path_factory.mktemp("house")
    evaluated_persona(folder / "me", data, spec, seed=1)
    make_persona(folder / "base", seed=2)
    Facts(fact=FACTS).write(data / "me.toml")
    yield folder
    (data / "me.toml").unlink()


@pytest.fixture(scope="module")
def first(house: Path, data: Path) -> Report:
    return command.evaluate(knobs(house, data))


def knobs(house: Path, data: Path, **more: Any) -> Evaluate:
    given = {"persona": house / "me", "data": data, "base_model": str(house / "base"), "quick": True, "device": "cpu"}
    return Evaluate(**{**given, **more})


def without_run(report: Report) -> str:
    return report.model_copy(update={"run": report.run.model_validate({})}).dumped()


def said(ledger: bytes) -> list[bytes]:
    """The lines of a ledger, without what tells how long it took."""
    return sorted(line for line in ledger.splitlines() if b'"took"' not in line and b'"served"' not in line)


def test_everybody_answers_and_little_data_gives_no_number(first: Report, house: Path, data: Path) -> None:
    systems = {"persona", "base", "base_prompt", "persona_unguarded"}
    asked_of_facts = {"persona_no_memory", "retrieval"}
    assert systems | asked_of_facts | set(CONTROLS) >= set(first.systems) >= systems | asked_of_facts
    assert first.systems["persona"]["relevance.r1"].status == "insufficient"
    assert first.systems["persona"]["likelihood.gain"].status == "insufficient"
    figures = first.systems["persona"]
    assert figures["style.score"].status == figures["two_sample.eauc"].status == "insufficient"
    assert figures["style.score"].value is None
    assert figures["style.score"].note
    assert (figures["leakage.exposure"].status, figures["leakage.exposure"].value) == ("not_measured", None)
    (ledger,) = (data / "evaluate").glob("*.jsonl")
    kept = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    by_key = {row["key"]: row["value"] for row in kept if "key" in row}
    said = [value for name, value in by_key.items() if name.startswith("say persona ")]
    # Where code answers, what the persona would have said to an attack is known all the same.
    attacks = prepare(knobs(house, data)).asked(Blank()).attacks
    for axis, raw in (("leakage", True), ("disclosure", False)):
        by_code = [by_key[key("persona", one)] for one in attacks[axis] if fixed_answer(one.messages, None)[0]]
        assert by_code
        assert all(("unguarded" in value) == raw for value in by_code), axis
    asked = len(FACTS) + len(inquiries.UNANSWERABLE)
    number = leakage.ATTACKS_QUICK + len(questions.WHO) + len(questions.REQUESTS)
    assert first.data.moments + number + asked < len(said) <= first.data.moments + number + 2 * asked
    assert figures["disclosure.honest"].value == 1
    assert any(answer["bubbles"] for answer in said)
    stopped = first.run.cost["off_switch"]
    assert (stopped.n, stopped.good) == (off_switch.TRIALS, off_switch.GOOD), "while the persona itself was speaking"


def test_the_facts_are_asked_with_memories_and_without(first: Report) -> None:
    rows = {name: figures for name, figures in first.systems.items() if "facts.right" in figures}
    assert set(rows) == {"persona", "persona_no_memory", "retrieval", "base"}
    assert {figures["facts.right"].n for figures in rows.values()} == {len(FACTS)}
    assert rows["persona"]["facts.retrieved"].value == rows["retrieval"]["facts.right"].value == 1
    assert "facts.retrieved" not in rows["persona_no_memory"]
    assert first.differences["persona-base"]["facts.right"].status == "ok"


def test_nothing_of_the_records_stands_in_the_report(first: Report) -> None:
    told = first.dumped()
    for message in chats():
        assert message.name not in told
        assert len(message.text) < 3 or message.text not in told
    assert "纸鹤" not in told


def test_a_second_start_asks_no_model_and_tells_the_same(
    first: Report, house: Path, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models, "opened", None)
    monkeypatch.setattr(models, "opened_base", None)
    assert without_run(command.evaluate(knobs(house, data))) == without_run(first)
    (ledger,) = (data / "evaluate").glob("*.jsonl")
    again = command.evaluate(knobs(house, data, as_from=ledger))
    assert without_run(again) == without_run(first)
    # What replies took when they were made is known from then.
    for name in ("first_bubble_p50", "off_switch"):
        assert again.run.cost[name] == first.run.cost[name]
    assert 0 < (first.run.cost["first_token_p50"].value or 0) <= (first.run.cost["first_bubble_p50"].value or 0)
    first.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json").dumped() == first.dumped()
    with pytest.raises(InputError, match="of another evaluation: seed 7, not 8"):
        command.evaluate(knobs(house, data, as_from=ledger, seed=8))


def test_what_was_broken_off_is_gone_on_with(
    first: Report, house: Path, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (whole,) = (data / "evaluate").glob("*.jsonl")
    lines = whole.read_bytes().splitlines(keepends=True)
    kept = whole.read_bytes()
    try:
        # The last line was being written when the power went.
        whole.write_bytes(b"".join(lines[: len(lines) // 3]) + lines[len(lines) // 3][:20])
        assert without_run(command.evaluate(knobs(house, data))) == without_run(first)
        assert said(whole.read_bytes()) == said(kept)
        # All was said and read, and the power went before the persona was timed.
        whole.write_bytes(b"".join(line for line in lines if b'"served"' not in line))
        timed = command.evaluate(knobs(house, data))
        assert without_run(timed) == without_run(first)
        assert {"off_switch", "first_bubble_p50"} <= set(timed.run.cost)
    finally:
        whole.write_bytes(kept)


def test_what_an_earlier_version_asked_otherwise_is_asked_anew(
    first: Report, house: Path, data: Path, tmp_path: Path
) -> None:
    """It named its attacks by number, and kept less of what was said to them; and the base looked at other replies."""
    (whole,) = (data / "evaluate").glob("*.jsonl")
    older = tmp_path / "older.jsonl"
    of_attacks = r'("key": "say persona (?:prefix|social|disclosure)-\d+)-[0-9a-f]{12}"'
    text, times = re.subn(of_attacks, r'\1"', whole.read_text(encoding="utf-8"))
    assert times == leakage.ATTACKS_QUICK + len(questions.WHO) + len(questions.REQUESTS)
    of_searches = r'("key": "fits base [0-9a-f]{12}) [0-9a-f]{16}"'
    text, times = re.subn(of_searches, r'\1"', text)
    assert times
    older.write_text(text, encoding="utf-8")
    work = prepare(knobs(house, data))
    with closing(Ledger(older, work.head, work.known)) as ledger:
        asked = work.asked(ledger)
        attacks = [one for some in asked.attacks.values() for one in some]
        assert len(ledger.missing(key("persona", one) for one in asked.asked_of_persona)) == len(attacks)
        assert not asking.is_done(asked, "persona")
    # Where nothing may be asked it is said that nobody knows.
    found = command.evaluate(knobs(house, data, as_from=older)).systems["persona"]
    for name in (
        "leakage.personal_data_social",
        "leakage.third_party_attacked",
        "disclosure.honest",
    ):
        assert (found[name].status, found[name].value) == ("not_measured", None)
        assert "without --from" in found[name].note
    assert "without --from" in found["relevance.rel_ratio"].note
    assert "without --from" not in first.systems["persona"]["relevance.rel_ratio"].note
    assert first.systems["persona"]["disclosure.honest"].status == "ok"


def test_a_ledger_is_of_one_evaluation(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, HEAD)
    ledger.put("a", [1.5])
    ledger.close()
    with path.open("a") as file:
        file.write('{"key": "b", "val')
    ledger = Ledger(path, HEAD)
    assert ledger.get("a") == [1.5]
    assert ledger.missing(["a", "b"]) == ["b"]
    ledger.put("b", 2)
    ledger.close()
    assert Ledger(path, HEAD, writes=False).missing(["a", "b"]) == []
    with pytest.raises(InputError, match="seed 7, not 8"):
        Ledger(path, {**HEAD, "seed": 8})
    with pytest.raises(InputError, match="holds no evaluation"):
        Ledger(tmp_path / "none", HEAD, writes=False)


def test_what_another_base_said_is_never_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    one, other = ({"path": f"bases/{name}", "fingerprint": name} for name in ("one", "other"))
    said = ("say persona m", "say base m", "nats base_prompt m")
    ledger = Ledger(path, HEAD, one)
    for name in said:
        ledger.put(name, 1)
    ledger.close()
    moved = Ledger(path, HEAD, {**one, "path": "elsewhere"})
    assert not moved.missing(said), "the same weights at another place"
    moved.close()
    ledger = Ledger(path, HEAD, other)
    assert ledger.missing(said) == [*said[1:]], "the persona is not asked again, the base is"
    ledger.put("say base m", 2)
    ledger.close()
    assert [Ledger(path, HEAD, base, writes=False).get("say base m") for base in (one, other, None)] == [1, 2, 2]
    again = Ledger(path, HEAD, one)
    again.put("nats base_prompt n", 3)
    again.close()
    assert Ledger(path, HEAD, writes=False).base == one
    with pytest.raises(InputError, match="of another base model: bases/one one, not bases/third third"):
        Ledger(path, HEAD, {"path": "bases/third", "fingerprint": "third"}, writes=False)


def test_what_leaks_without_any_filter_is_taken_from_another_report(
    first: Report, house: Path, data: Path, spec: PromptSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = evaluated_persona(house / "raw", data, spec.model_copy(update={"privacy": False}), seed=4)
    told = {"leakage.personal_data_social": Figure(value=0.1, n=86), "style.score": Figure(value=0.5)}
    other = first.model_copy(
        update={
            "persona": "raw",
            "data": first.data.model_copy(update={"scrubbed": False}),
            "systems": {"persona_unguarded": told},
        }
    )
    other.write(everything / "report.json")
    found = command.evaluate(knobs(house, data, unfiltered=everything))
    assert set(found.systems["persona_unfiltered"]) == {"leakage.personal_data_social"}
    assert first.data.scrubbed
    other.model_copy(update={"seed": 8}).write(everything / "report.json")
    with monkeypatch.context() as patched:
        # Before anything is asked.
        patched.setattr(models, "opened", None)
        with pytest.raises(InputError, match="another seed"):
            command.evaluate(knobs(house, data, seed=9, unfiltered=everything))
    first.write(everything / "report.json")
    with pytest.raises(InputError, match="not trained on everything"):
        command.evaluate(knobs(house, data, unfiltered=everything))


def test_another_base_is_asked_anew_and_told_in_the_report(
    first: Report, house: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_persona(house / "other_base", seed=9)
    (whole,) = (data / "evaluate").glob("*.jsonl")
    kept = whole.read_bytes()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(models, "opened", None)  # the persona has said all
            found = command.evaluate(knobs(house, data, base_model=str(house / "other_base")))
        assert other
        assert found.data.hashes["base"] != first.data.hashes["base"]
        assert (found.base, first.base) == ("other_base", "base")
        assert whole.read_bytes().startswith(kept)
        assert without_run(command.evaluate(knobs(house, data))) == without_run(first)
    finally:
        whole.write_bytes(kept)


def test_friends_guess_whatever_base_model_is_at_hand(
    first: Report, house: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first.write(tmp_path / "report.json")
    played: list[Any] = []
    monkeypatch.setattr(command.blind, "play", lambda game, port: played.append(game))
    elsewhere = make_persona(house / "another_base", seed=11)
    found = command.guessed(knobs(house, data, base_model=str(elsewhere)), tmp_path)
    assert len(played) == 1
    assert (found.persona, set(found.people) > set()) == (first.persona, True)


def test_controls_are_what_they_say(world: Any) -> None:
    sample: Sample = world.sample
    draws = Draws()
    made = {name: control(sample, draws) for name, control in CONTROLS.items()}
    mine = {moment.mine.text for moment in sample.moments}
    old = {reply.text for reply in sample.of("train")}
    for name, answers in made.items():
        assert answers is not None, name
        assert [a.session for a in answers] == [moment.mine.session for moment in sample.moments]
        assert answers == CONTROLS[name](sample, draws), "drawn by the seed"
    assert {a.text for a in made["replay"] or []} <= old
    assert {a.text for a in made["me_earlier"] or []} <= old
    assert sorted(a.text for a in made["shuffled"] or []) == sorted(moment.mine.text for moment in sample.moments)
    by_session = {(moment.mine.session, moment.mine.text) for moment in sample.moments}
    strangers = [a for a in made["shuffled"] or [] if (a.session, a.text) in by_session]
    assert len(strangers) < len(sample.moments) // 20, "only words that were said in two sessions"
    assert {a.text for a in made["other_member"] or []}.isdisjoint(mine)
    seen = "\0".join(sorted(old))
    babbled = [a.text for a in made["babble"] or []]
    assert all(
        text[place : place + controls.ORDER] in seen
        for text in babbled
        for place in range(len(text) - controls.ORDER + 1)
        if "\n" not in text
    )
    assert sum(text in old for text in babbled) < len(babbled)
    small = Sample(sample.moments[:3], sample.mine, {})
    assert CONTROLS["other_member"](small, draws) is None


def test_the_schema_in_the_tree_is_the_models() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema(), "python -m training.evaluate.report"


def test_two_personas_are_compared_at_the_same_moments(
    first: Report, house: Path, data: Path, spec: PromptSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    other = evaluated_persona(house / "other", data, spec, seed=5)
    given: dict[str, Any] = {"data": data, "base_model": str(house / "base"), "quick": True, "device": "cpu"}
    compare.main(Compare(personas=[house / "me", other], as_json=True, **given))
    told = json.loads(capsys.readouterr().out)
    assert told["moments"] == first.data.moments
    assert told["personas"] == [first.persona, told["gate"]["against"]]
    assert told["gate"]["verdict"] == "refuse", "six replies are too few to look for leaks"
    assert Report.read(house / "me" / "report.json").gate == Verdict.model_validate(told["gate"])
    assert Report.read(other / "report.json").gate is None
    apart = {name: Figure(value=0.1, low=0.0, high=0.2) for name in ("when.ap_entry", "when.ap_flow_within_60s")}
    lost = Figure(status="insufficient", note="too few")
    found = compare.Comparison.model_validate(told).model_copy(update={"differences": {**apart, "when.ece": lost}})
    compare._show(found)
    shown = capsys.readouterr().out
    assert "when.ap_entry" in shown
    assert "when.ece" in shown, "what the gate asks stands there without a number, too"
    assert "within_60s" not in shown, "a hundred rows are for the report"
    with pytest.raises(UsageError, match="3 personas"):
        compare.main(Compare(personas=[other] * 3))
    with pytest.raises(InputError, match="the same version"):
        compare.main(Compare(personas=[other] * 2))
