"""Training sees as much of a chat as the running bot does; where it doesn't, the report says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec, to_turns
from config.settings import Dataset, Import
from training import dataset, importing
from training.contexts import Contexts
from training.demo import ME, sample_files


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    importing.main(Import(exports=sample_files(), me=list(ME), data=folder, as_json=True))
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


def chat(replies: int, others: str = "在吗") -> list[Message]:
    return [
        Message(str(n), "qq:private:1", "private", 1000 + n, str(n % 2), "阿树", [Segment("text", others)], n % 2 == 1)
        for n in range(2 * replies)
    ]


def test_the_bots_side_is_its_window_and_its_blocks() -> None:
    spec = PromptSpec(me="阿树", history_private=6)
    contexts = Contexts(spec, 2048, seed=1)
    contexts.see_session([], chat(10), "阿泽")
    assert contexts.live[:3] == [1, 3, 5]
    assert all(4 <= length <= 6 for length in contexts.live[3:])
    assert len(contexts.live) == 10
    # What is too long goes a quarter of the turns at once, as in the bot.
    tight = Contexts(spec, 128 + 60, seed=1)
    tight.see_session([], chat(10), "阿泽")
    assert max(tight.live) <= max(contexts.live) - 1


def test_training_s_side_is_the_row_as_it_is_cut() -> None:
    spec = PromptSpec(me="阿树")
    turns = to_turns(chat(4), spec, {}, learn=lambda message: (True, ""))
    whole = Contexts(spec, 2048, seed=1)
    whole.see_row(turns)
    assert whole.trained == [1, 3, 5, 7]
    cut = Contexts(spec, 128 + 4 * 13, seed=1)
    cut.see_row(turns)
    assert len(cut.trained) == 4, "each reply is learned once, wherever the row is cut"
    assert max(cut.trained) < 7
