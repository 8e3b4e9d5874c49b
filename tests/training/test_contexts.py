"""Training sees as much of a chat as the running bot does; where it doesn't, the report says so."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.persona.memory import Recalled
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec, system, to_turns
from bot.summaries import Summaries
from config.settings import Dataset, Import
from tests.training.test_memories import make, numbered
from training import dataset, importing
from training.contexts import Contexts
from training.demo import ME, sample_files


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    importing.main(Import(exports=sample_files()[2:5], me=list(ME), data=folder, as_json=True))
    return folder


def seen(records: Path, capsys: Any, **knobs: Any) -> dict[str, Any]:
    capsys.readouterr()
    dataset.main(Dataset(data=records, report=True, as_json=True, **knobs))
    return json.loads(capsys.readouterr().out)["messages_seen_before_a_reply"]


def test_training_and_the_bot_see_alike(records: Path, capsys: Any) -> None:
    alike = seen(records, capsys)
    assert alike["apart"] < 0.25
    assert abs(alike["median_in_training"] - alike["median_in_the_bot"]) < 10
    page = (records / "dataset.html").read_text(encoding="utf-8")
    assert "in the running bot" in page
    # Contexts of any length, as if the bot were new to every chat.
    broken = seen(records, capsys, short_contexts=1.0)
    assert broken["apart"] > max(0.3, 2 * alike["apart"])
    assert broken["median_in_training"] < alike["median_in_training"] / 1.5


SYSTEM = 8 + len(system(PromptSpec(me="阿树"), "private", "阿泽"))


def nothing(_messages: Sequence[Message], _now: float) -> list[Recalled]:
    return []


def chat(replies: int, others: str = "在吗") -> list[Message]:
    return [
        Message(str(n), "qq:private:1", "private", 1000 + n, str(n % 2), "阿树", [Segment("text", others)], n % 2 == 1)
        for n in range(2 * replies)
    ]


def test_the_bots_side_is_its_window_and_its_blocks() -> None:
    spec = PromptSpec(me="阿树", history_private=6)
    contexts = Contexts(spec, 2048, seed=1)
    contexts.see_session([], chat(10), "阿泽", nothing)
    assert contexts.live[:3] == [1, 3, 5]
    assert all(4 <= length <= 6 for length in contexts.live[3:])
    assert len(contexts.live) == 10
    # What is too long goes a quarter of the turns at once, as in the bot.
    tight = Contexts(spec, 128 + 60, seed=1)
    tight.see_session([], chat(10), "阿泽", nothing)
    assert max(tight.live) <= max(contexts.live) - 1


def test_training_s_side_is_the_row_as_it_is_cut() -> None:
    spec = PromptSpec(me="阿树")
    turns = to_turns(chat(4), spec, {}, learn=lambda message: (True, ""))
    whole = Contexts(spec, 2048, seed=1)
    whole.see_row(turns, kind="private", name="阿泽")
    assert whole.trained == [1, 3, 5, 7]
    cut = Contexts(spec, 128 + 4 * 13 + SYSTEM, seed=1)
    cut.see_row(turns, kind="private", name="阿泽")
    assert len(cut.trained) == 4, "each reply is learned once, wherever the row is cut"
    assert max(cut.trained) < 7


def test_memories_take_their_room_on_both_sides() -> None:
    spec = PromptSpec(me="阿树", memory=240)
    length = 128 + SYSTEM + 12 * 13
    block = "\n".join(f"\\※ 昨天 阿泽: {'很' * 10}{n}" for n in range(9))
    turns = to_turns(chat(12), spec, {}, learn=lambda message: (True, ""))
    without, with_them, too_much = (Contexts(spec, length, seed=1) for _ in range(3))
    without.see_row(turns, kind="private", name="阿泽")
    with_them.see_row(turns, kind="private", name="阿泽", memory=block)
    assert sum(with_them.trained) < sum(without.trained)
    assert len(with_them.trained) == len(without.trained) == 12
    # As many lines of them as a window takes, and no more.
    too_much.see_row(turns, kind="private", name="阿泽", memory="\n".join([block] * 20))
    assert too_much.trained == with_them.trained
    reminded = [
        Recalled("line", Message("old", "qq:private:1", "private", 1, "2", "阿泽", [Segment("text", "很" * 60)]))
    ]
    bare, full = (Contexts(spec, length, seed=1) for _ in range(2))
    bare.see_session([], chat(12), "阿泽", nothing)
    full.see_session([], chat(12), "阿泽", lambda messages, now: reminded)
    assert sum(full.live) < sum(bare.live)


def test_the_report_reminds_the_bot_as_it_would_be(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a summary of the chat, both sides of dataset.html see fewer messages in a narrow window."""
    monkeypatch.setenv("MYBOT_TRAIN_MAX_LENGTH", "300")
    make(tmp_path, numbered(), report=True, memory=0, refit=True)
    before = json.loads(capsys.readouterr().out)["messages_seen_before_a_reply"]
    Summaries(tmp_path / "summaries").write("qq:private:2", dt.date(2000, 1, 1), "很久以前的事" * 40)
    make(tmp_path, numbered(), report=True, memory_recalled=1.0, refit=True)
    after = json.loads(capsys.readouterr().out)["messages_seen_before_a_reply"]
    assert after["median_in_the_bot"] < before["median_in_the_bot"]
    assert after["median_in_training"] < before["median_in_training"]
