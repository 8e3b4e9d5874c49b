"""How much is asked and how long it takes is told rightly before it begins, and kept when it is broken off."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.engine.model import load as load_model
from bot.persona.manifest import open_persona
from bot.persona.prompt import PromptSpec
from config.settings import Engine, Evaluate
from tests.personas import make_persona
from tests.training.evaluate.toys import evaluated_persona
from training.evaluate import command, models, outcomes, plans, reckoning, scoring, speaking, work as work_module
from training.evaluate.asking import STEPS
from training.evaluate.figures import Figure, Measured, Outcome
from training.evaluate.ledger import Ledger
from training.evaluate.reckoning import Reckoning, Took, told
from training.evaluate.relevance import Question
from training.evaluate.speaking import key
from training.evaluate.weighing import Wanted, Weigher
from training.evaluate.work import Work, prepare, systems_of
from training.evaluate.workload import Load, loads

HEAD = {"persona": "a"}


class Clock:
    """Time as the test makes it go by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(reckoning.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_time_left_comes_from_the_measured_rate(clock: Clock) -> None:
    coming = {
        "speak": Load("persona", "replies", 100),
        "read": Load("persona", "tokens", 10_000),
        "speak too": Load("base", "replies", 50),
    }
    clocked = Reckoning(coming=dict(coming))
    assert clocked.left() is None
    with clocked("speak") as note:
        clock.now += 10
        note(4, 100)
        assert clocked.left() is None, "four replies say too little"
        clock.now += 40
        note(20, 100)
        assert clocked.rate("replies", "persona") == 2.5
        assert clocked.left() is None, "nothing was read yet"
        clock.now += 150
    assert clocked.rate("replies", "persona") == 2.0
    with clocked("read") as note:
        clock.now += 5
        note(1, 4)
        assert clocked.left() == pytest.approx(7500 * 5 / 2500 + 50 * 2.0), "the base speaks as fast, so far"
        clock.now += 15
    with clocked("speak too") as note:
        clock.now += 50
    assert clocked.left() == 0
    figures = {name: (figure.value, figure.n) for name, figure in clocked.figures().items()}
    assert figures == {
        "seconds_a_reply_persona": (2.0, 100),
        "seconds_a_1000_tokens_read_persona": (2.0, 10_000),
        "seconds_a_reply_base": (1.0, 50),
    }
    later = Reckoning(coming=dict(coming))
    later.take_over(clocked.figures())
    assert later.left() == pytest.approx(200 + 20 + 50)


def test_what_it_took_survives_a_break(tmp_path: Path, clock: Clock) -> None:
    ledger = Ledger(tmp_path / "l.jsonl", HEAD)
    broken = Reckoning.of(ledger)
    broken.coming = {"speak": Load("persona", "replies", 100), "nothing": Load("base", "replies", 0)}

    def speak() -> None:
        with broken("speak") as note:
            clock.now += 30
            note(20, 100)
            clock.now += 7
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        speak()
    with broken("nothing") as note:
        note(1, 1)
    ledger.close()
    again = Reckoning.of(Ledger(tmp_path / "l.jsonl", HEAD, writes=False))
    assert again.known == [Took(Load("persona", "replies", 20), 30)]


def test_what_was_answered_before_a_break_is_no_work_of_this_start(
    work: Work, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step tells its progress of what it has to do, or its rate and the time left are those of nothing."""
    monkeypatch.setattr(speaking, "answer", _said)
    talker: Any = SimpleNamespace(persona=work.persona)
    moments = work.sample.moments
    some = moments[:-2]
    told: list[tuple[int, int]] = []

    def speak(asked: list[Any]) -> None:
        told.clear()
        note = lambda done, of: told.append((done, of))  # noqa: E731
        speaking.speak(talker, "persona", asked, ledger, seed=7, at_once=4, note=note)

    speak(some)
    speak(moments)
    assert told == [(1, 2), (2, 2)]
    weigher = Weigher(work.reader, work.persona.prompt, ledger)
    monkeypatch.setattr(scoring, "after", _foreseen)
    for few in (some, moments):
        told.clear()
        wanted = [Wanted(moment, ("好", "在"), ("好",)) for moment in few]
        expected = weigher.tokens("base", wanted)
        weigher.read("base", wanted, lambda done, of: told.append((done, of)))
        assert told[-1] == (expected, expected)
        assert len(told) == len(few) - (len(some) if few is moments else 0)


def _foreseen(loaded: Any, prompt: Any, replies: Any) -> list[list[float]]:
    return [[1.0] * len(reply) for reply in replies]


async def _said(talker: Any, moment: Any, sampling: Any, *, raw: bool) -> dict[str, Any]:
    return {"bubbles": ["好"]}


def test_durations_are_said_in_words() -> None:
    assert [told(s) for s in (None, 0.2, 80, 100, 2700, 9000)] == [
        "an unknown time",
        "1 s",
        "80 s",
        "2 min",
        "45 min",
        "2.5 h",
    ]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, data: Path, spec: PromptSpec) -> Path:
    folder = tmp_path_factory.mktemp("reckoning")
    shutil.copytree(data, folder / "data", ignore=shutil.ignore_patterns("evaluate"))
    evaluated_persona(folder / "me", data, spec, seed=1)
    make_persona(folder / "base", seed=2)
    return folder


def knobs(house: Path, **more: Any) -> Evaluate:
    given = {"persona": house / "me", "data": house / "data", "base_model": str(house / "base"), "device": "cpu"}
    return Evaluate(**{**given, "as_json": True, **more})


@pytest.fixture
def work(house: Path) -> Work:
    return prepare(knobs(house, quick=True))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "l.jsonl", HEAD)) as opened:
        yield opened


def test_tokens_are_counted_as_they_are_read(work: Work, house: Path, ledger: Ledger) -> None:
    folder, persona = open_persona(house / "me")
    asked = work.asked(ledger)
    own = [moment.mine for moment in work.sample.moments]
    asked.__dict__["questions"] = [Question(n, (own[n], *own[:n], *own[n + 1 :])) for n in range(3)]
    expected = loads(asked, Weigher(work.reader, persona.prompt, asked.ledger), ["persona"])
    loaded = load_model(folder, persona, Engine(persona=folder, device="cpu"))
    weigher = Weigher(loaded, persona.prompt, asked.ledger)
    read = 0

    def count(module: Any, args: Any, given: dict[str, Any]) -> None:
        nonlocal read
        mask = given.get("attention_mask")
        read += int(mask.sum()) if mask is not None and mask.dim() == 2 else given["input_ids"].numel()

    loaded.model.register_forward_pre_hook(count, with_kwargs=True)
    weigher.read("persona", asked.wanted("persona"), lambda done, of: None)
    assert read == expected[STEPS["persona reads"]].amount > 0
    loaded.release()
    rest = loads(asked, weigher, ["persona"])
    assert rest[STEPS["persona reads"]].amount == 0


def test_what_all_will_say_is_counted_before_they_do(work: Work, ledger: Ledger) -> None:
    """As long as what I said there."""
    asked = work.asked(ledger)
    weigher = Weigher(work.reader, work.persona.prompt, ledger)
    unknown = loads(asked, weigher, ["base"])[STEPS["base reads"]].amount
    moments = work.sample.moments
    for number, system in enumerate(("persona", "base", "base_prompt")):
        for place, moment in enumerate(moments):
            # Another text for each: what two say alike is read once.
            ledger.put(key(system, moment), {"bubbles": [f"{number}{place}"]})
    said = loads(asked, weigher, ["base"])[STEPS["base reads"]].amount
    places = [search.place for search in asked.searches]
    mine = sum(len(weigher.replies([moments[place].mine.text])[0]) - 1 for place in places)
    theirs = sum(len(weigher.replies([f"0{place}"])[0]) - 1 for place in places)
    (contexts,) = {len(search.contexts) for search in asked.searches}
    assert mine != theirs
    assert said - unknown == 3 * contexts * (theirs - mine)


def test_a_full_evaluation_asks_the_persona_at_further_moments(
    house: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "FULL", 2)
    full = prepare(knobs(house))
    further = full.sample.further
    assert len(further) == len(full.records.moments) - 2 > 0
    asked = full.asked(ledger)
    for moment in asked.asked_of_persona:
        if moment not in further:
            ledger.put(key("persona", moment), {"bubbles": ["好"]})
    weigher = Weigher(full.reader, full.persona.prompt, ledger)
    assert loads(asked, weigher, ["persona", "base"])[STEPS["persona"]].amount == len(further)
    assert asked.further("persona") is None
    monkeypatch.setattr(speaking, "answer", _said)
    talker: Any = SimpleNamespace(persona=full.persona)
    note = lambda done, of: None  # noqa: E731
    speaking.speak(talker, "persona", asked.asked_of_persona, ledger, seed=7, at_once=4, note=note)
    assert [reply.bubbles for reply in asked.further("persona") or []] == [("好",)] * len(further)
    assert loads(asked, weigher, ["persona"])[STEPS["persona"]].amount == 0
    handed: list[Any] = []
    axes: Any = SimpleNamespace(measure=lambda answers, more, only: handed.append(more["further"]))
    outcomes._unguarded(asked, axes)
    handed += [outcomes._of_one(asked, system)["further"] for system in ("persona", "base")]
    assert [some and len(some) for some in handed] == [len(further), len(further), None], "nobody else is asked there"
    assert prepare(knobs(house, quick=True)).sample.further == []


def test_an_estimate_says_how_long_and_what_it_asked_stays(
    house: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "PROBE", 12)
    monkeypatch.setattr(plans, "WARM", 2)
    monkeypatch.setattr(reckoning, "ENOUGH", {"replies": 1, "tokens": 1})
    command.main(knobs(house, quick=True, estimate=True))
    said = capsys.readouterr()
    assert "sizes of report counted: 2 of 2" in said.err
    first = json.loads(said.out)
    assert first["rates from"].startswith("a probe")
    assert first["left"]["replies"] < first["all of a quick one"]["replies"] < first["all of a full one"]["replies"]
    assert "unknown" not in first["left"]["time"]
    assert not (house / "me" / "report.json").exists()
    with monkeypatch.context() as patched:
        patched.setattr(models, "opened", None)
        command.main(knobs(house, quick=True, estimate=True))
    again = json.loads(capsys.readouterr().out)
    assert again["rates from"] == "this evaluation, as far as it went"
    # The kept seconds are rounded: the time may be the next one.
    assert {**again["left"], "time": ""} == {**first["left"], "time": ""}
    # A file of an earlier version, which tells no rates and is only read.
    (kept,) = (house / "data" / "evaluate").glob("*.jsonl")
    older = house / "older.jsonl"
    older.write_bytes(b"".join(line for line in kept.read_bytes().splitlines(True) if b'"key": "took"' not in line))
    command.main(knobs(house, quick=True, estimate=True, as_from=older))
    unknown = json.loads(capsys.readouterr().out)
    assert (unknown["rates from"][:7], unknown["rates"]) == ("nowhere", {})


def test_what_code_answers_is_no_reply_to_generate(work: Work, ledger: Ledger) -> None:
    asked = work.asked(ledger)
    load = loads(asked, Weigher(work.reader, work.persona.prompt, ledger), ["persona"])[STEPS["persona"]]
    assert len(asked.asked_of_persona) - len(asked.attacks["disclosure"]) == load.amount


def test_a_bound_for_many_replies_is_not_applied_to_few(work: Work) -> None:
    grown = Measured(Figure(value=0.2, n=200, good=(None, 0.03)))
    outcomes = {"replay": {"two_sample": Outcome({"eauc": grown, "auc": grown})}}
    few, many = (systems_of(sized, outcomes)["replay"] for sized in (work, work.sized(False)))
    assert few["two_sample.eauc"].is_good is None
    assert few["two_sample.auc"].is_good is False
    assert many["two_sample.eauc"].is_good is False
