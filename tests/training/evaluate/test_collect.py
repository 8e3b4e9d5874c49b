"""The records as the evaluation sees them: the sessions of the dataset, what stood before, and nothing that was trained on."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.persona.manifest import Persona
from bot.persona.prompt import PromptSpec, render
from config.errors import InputError
from tests.training.conftest import chats
from tests.training.evaluate.toys import evaluated_persona
from training.dataset import read_rows
from training.evaluate.collect import Contaminated, Records, check, collect, draw_sample
from training.evaluate.copies import near_copies
from training.evaluate.figures import Draws
from training.evaluate.ledger import Blank
from training.evaluate.sample import ME, short
from training.evaluate.weighing import Weigher
from training.trained import TRAINED, Trained, hashed, together
from training.windows import IGNORE


@pytest.fixture(scope="module")
def trained(data: Path) -> Trained:
    found = Trained.read(data / TRAINED)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def records(data: Path, spec: PromptSpec, trained: Trained) -> Records:
    return collect(data, spec, [trained])


def test_moments_are_where_i_answered_in_the_held_out_sessions(data: Path, records: Records, spec: PromptSpec) -> None:
    rows = {row["id"]: row for row in read_rows(data / "heldout.jsonl") if row["split"] == "test"}
    assert {moment.mine.session for moment in records.moments} == set(rows)
    assert not records.seen.total()
    said = {m.text for m in chats() if m.mine}
    for moment in records.moments:
        assert set(moment.mine.bubbles) <= said
        assert all(message.time <= moment.mine.time for message in moment.messages)
        assert not moment.messages[-1].mine
        # The prompt is that of the dataset's row: its turns end as the row's do before this reply.
        row = rows[moment.mine.session]
        shown = [bubble["text"] for turn in row["turns"] for bubble in turn["bubbles"]]
        assert moment.turns[-1].bubbles[-1].text in shown
        assert [bubble.text for bubble in moment.answer.bubbles] == [b for b in shown if b in moment.mine.bubbles][
            -len(moment.mine.bubbles) :
        ]
    # Numbers of others are hidden in what a model sees, and there in what is told apart from it.
    seen = "".join(t.content for m in records.moments for t in render(m.turns, spec, kind="group", name="球队"))
    assert "13912345678" not in seen
    assert any("13912345678" in reply.text for replies in records.others.values() for reply in replies)


def test_members_are_whole_sessions_with_all_that_i_said(
    data: Path, records: Records, spec: PromptSpec, tokenizer: Any
) -> None:
    rows = {row["id"]: row for name in ("train", "heldout") for row in read_rows(data / f"{name}.jsonl")}
    parts = {moment.mine.session: moment.mine.part for moment in records.members}
    assert len(parts) == len(records.members)
    assert parts == {name: row["split"] for name, row in rows.items() if row["split"] in ("train", "dev")}
    reader = SimpleNamespace(tokenizer=tokenizer, context=512)
    weigher = Weigher(reader, spec, Blank())
    for moment in records.members:
        window = weigher.window(moment)
        learned = tokenizer.decode([label for label in window.labels if label != IGNORE])
        said = [b["text"] for turn in rows[moment.mine.session]["turns"] for b in turn["bubbles"] if b.get("target")]
        assert learned.replace("<|im_end|>", "").replace("\n", "") == "".join(said) != ""


def test_a_session_is_a_member_by_what_this_persona_learned(data: Path, spec: PromptSpec, trained: Trained) -> None:
    """An older persona never saw the newest of today's training part, and a refit one has seen all of dev."""
    train = sorted(
        (m for m in collect(data, spec, [trained]).members if m.mine.part == "train"), key=lambda m: m.mine.time
    )
    middle = train[len(train) // 2].mine.time
    older, refit = Trained(), Trained(refit=True)
    for message in chats():
        refit.add(message.chat, message.id, message.time)
        if message.time < middle - 3600:
            older.add(message.chat, message.id, message.time)
    learned = collect(data, spec, [older]).members
    assert {m.mine.part for m in learned} == {"train", "dev"}
    assert all(m.mine.time < middle for m in learned if m.mine.part == "train")
    assert {m.mine.part for m in collect(data, spec, [refit]).members} == {"train"}


def test_everybody_is_told_apart_and_nobody_is_named(records: Records) -> None:
    assert set(records.others) == {short("2"), short("3")}
    assert {reply.author for reply in records.mine} == {ME}
    assert {reply.part for reply in records.mine} == {"train", "dev", "test", ""}, "empty: in an embargo"
    first = records.moments[0].mine
    assert (first.delay, first.asked) == (10.0, records.moments[0].messages[-1].text)


def test_a_persona_that_has_seen_the_test_is_refused(data: Path, spec: PromptSpec, trained: Trained) -> None:
    tested = next(m for m in reversed(chats()) if m.mine)
    seen = replace(trained, ids={*trained.ids, hashed(tested.chat, tested.id)})
    with pytest.raises(Contaminated, match="trained on 1 of the messages"):
        check(collect(data, spec, [seen]), seen)
    # What only another persona has seen is no test of either, and no fault of this one.
    both = collect(data, spec, [trained, seen])
    check(both, trained)
    assert tested.id not in {message.id for moment in both.moments for message in moment.messages}
    assert len(both.moments) < len(collect(data, spec, [trained]).moments)


def test_after_a_refit_only_newer_data_counts(data: Path, spec: PromptSpec, records: Records) -> None:
    everything = Trained(refit=True)
    for message in chats():
        everything.add(message.chat, message.id, message.time)
    with pytest.raises(InputError, match="no reply of yours to test with that the persona has not seen"):
        draw_sample(collect(data, spec, [everything]), 5, Draws(), "+08:00")
    border = records.moments[-4].mine
    older = Trained(refit=True)
    for message in chats():
        if message.time <= border.time + 60:
            older.add(message.chat, message.id, message.time)
    left = collect(data, spec, [older])
    check(left, older)
    assert left.moments
    assert all(moment.mine.time > older.newest for moment in left.moments)


def test_who_does_not_say_what_it_was_trained_on_is_refused(tmp_path: Path, data: Path, spec: PromptSpec) -> None:
    folder = evaluated_persona(tmp_path / "v1", data, spec)
    persona = Persona.load(folder)
    assert Trained.of(folder, persona).ids
    (folder / TRAINED).write_text('{"newest": 0, "refit": false, "ids": []}\n')
    with pytest.raises(InputError, match="not the list it was sealed with"):
        Trained.of(folder, persona)
    (folder / TRAINED).unlink()
    with pytest.raises(InputError, match="doesn't say what it was trained on"):
        Trained.of(folder, persona)


def test_what_an_older_adapter_learned_counts_too(tmp_path: Path) -> None:
    for name, message in (("old", "1"), ("new", "2")):
        one = Trained()
        one.add("chat", message, int(message))
        one.write(tmp_path / name)
    both = together([tmp_path / "old", tmp_path / "new"])
    assert both == Trained({hashed("chat", "1"), hashed("chat", "2")}, 2)
    assert together([tmp_path / "old", tmp_path / "unknown"]) is None


def test_the_sample_is_drawn_by_its_seed(records: Records) -> None:
    one, other, third = (draw_sample(records, 5, Draws(seed), "+08:00")[0] for seed in (1, 1, 2))
    assert one.moments == other.moments
    assert one.moments != third.moments
    assert len(one.moments) == 5
    assert one.zone == 8 * 3600


def test_further_moments_are_what_the_sample_left(records: Records) -> None:
    alone, apart = draw_sample(records, 3, Draws(), "+08:00")
    sample, same = draw_sample(records, 3, Draws(), "+08:00", contexts=5)
    assert (sample.moments, same, alone.further) == (alone.moments, apart, [])
    ids = [moment.id for moment in (*sample.moments, *sample.further)]
    assert len(set(ids)) == len(ids) == 5
    assert {moment.mine.part for moment in sample.further} <= {"test", "test_chat"}
    assert all(moment.mine.bubbles for moment in sample.further), "there is a true reply to count in the same way"
    everything, _ = draw_sample(records, 3, Draws(), "+08:00", contexts=1000)
    assert len(everything.moments) + len(everything.further) == len(records.moments), "no more than there are"
    assert draw_sample(records, 3, Draws(), "+08:00", contexts=2)[0].further == []


def test_near_copies_are_found_whatever_their_punctuation(records: Records) -> None:
    mine = records.mine[0]
    known = [replace(mine, bubbles=("明天下午三点老地方见，别迟到了",))]
    asked = ["明天下午三点，老地方见！别迟到了", "明天下午四点去看电影吧你说呢", "别迟到了"]
    assert near_copies([replace(mine, bubbles=(text,)) for text in asked], known) == [True, False, False]
