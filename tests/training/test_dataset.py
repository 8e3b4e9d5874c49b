"""Dataset: the split, what is learned, what is replaced, and nothing half-written."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.persona.behaviour import Behaviour
from bot.persona.message import Message, Segment
from config.errors import InputError
from config.settings import Dataset
from tests.training.conftest import chats
from training import dataset
from training.dataset import read_rows
from training.split import Stretch, decide


def test_rows_are_split_by_time_and_none_is_on_both_sides(data: Path) -> None:
    train, heldout = (list(read_rows(data / f"{name}.jsonl")) for name in ("train", "heldout"))
    assert {row["split"] for row in train} == {"train"}
    assert {row["split"] for row in heldout} == {"dev", "test"}
    assert max(row["start"] for row in train) < min(row["start"] for row in heldout)
    assert not {row["id"] for row in train} & {row["id"] for row in heldout}


def test_personal_data_is_gone_and_contexts_reach_back(data: Path) -> None:
    text = (data / "train.jsonl").read_text(encoding="utf-8")
    assert "13912345678" not in text
    assert "[电话]" in text
    lengths = set()
    for row in read_rows(data / "train.jsonl"):
        bubbles = [bubble for turn in row["turns"] for bubble in turn["bubbles"] if not bubble.get("mark")]
        lengths.add(sum(bubble["time"] < row["start"] for bubble in bubbles))
        assert all(bubble["time"] >= row["start"] for bubble in bubbles if bubble.get("target"))
    assert {0, 6} <= lengths <= set(range(7))


def test_the_same_messages_give_the_same_files(data: Path, tmp_path: Path) -> None:
    (tmp_path / "messages.jsonl").write_bytes((data / "messages.jsonl").read_bytes())
    dataset.main(Dataset(data=tmp_path, history_private=6, history_group=6))
    for name in ("train.jsonl", "heldout.jsonl", "prompt.json", "behaviour.json"):
        assert (tmp_path / name).read_bytes() == (data / name).read_bytes()


def test_my_own_faces_are_learned_by_number(data: Path, tmp_path: Path) -> None:
    lines = (data / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        row["segments"].append({"type": "face", "id": "178" if row["mine"] else "14"})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "messages.jsonl").write_text(text, encoding="utf-8")
    dataset.main(Dataset(data=tmp_path, report=False))
    behaviour = Behaviour.model_validate_json((tmp_path / "behaviour.json").read_bytes())
    assert behaviour.face_ids.shares == {"178": 1.0}


def test_a_whole_chat_of_each_kind_is_held_out_where_there_are_three() -> None:
    stretches = [
        Stretch(f"{kind}{n}", kind, day * 86400, 2 + n)
        for kind in ("private", "group")
        for n in range(3)
        for day in range(30)
    ]
    split = decide(stretches, embargo=86400)
    assert split.chats == {"private0", "group0"}
    assert split.of("group0", 0) == "test_chat"
    parts = [split.of("group1", day * 86400) for day in range(30)]
    assert parts[0] == "train"
    assert parts[-1] == "test"
    assert parts.count(None) == 2


def test_errors_leave_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        dataset.main(Dataset(data=tmp_path))
    (tmp_path / "train.jsonl").write_text("old")
    source = tmp_path / "messages.jsonl"
    foreign = Message("1", "c", "private", 1, "2", "x", [Segment("text", "嗨")])
    source.write_text(foreign.to_json() + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="is you"):
        dataset.main(Dataset(data=tmp_path))
    source.write_text('{"id": 1}\n')
    with pytest.raises(InputError, match=":1: not a message"):
        dataset.main(Dataset(data=tmp_path))
    assert (tmp_path / "train.jsonl").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["messages.jsonl", "train.jsonl"]


def test_the_notebooks_rows(data: Path, tmp_path: Path) -> None:
    (tmp_path / "messages.jsonl").write_bytes((data / "messages.jsonl").read_bytes())
    dataset.main(Dataset(data=tmp_path, train_json=tmp_path / "train.json"))
    rows = [json.loads(line) for line in (tmp_path / "train.json").read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 30
    assert all(row["text"].count("### Human: ") == row["text"].count("### Assistant: ") == 1 for row in rows)


def _dataset(folder: Path, messages: list[Message], **knobs: object) -> list[dict[str, Any]]:
    (folder / "messages.jsonl").write_text("".join(m.to_json() + "\n" for m in messages), encoding="utf-8")
    dataset.main(Dataset(data=folder, **knobs))  # pyright: ignore[reportArgumentType]
    return [row for name in ("train", "heldout") for row in read_rows(folder / f"{name}.jsonl")]


def test_an_endless_session_is_cut_and_nothing_in_it_is_lost(tmp_path: Path) -> None:
    messages = [
        Message(
            str(n), "qq:private:2", "private", n * 20, "21"[n % 2], "x", [Segment("text", f"第{n}句话")], n % 2 == 1
        )
        for n in range(1500)
    ]
    rows = _dataset(tmp_path, messages, embargo_days=0)
    targets = [b["text"] for row in rows for turn in row["turns"] for b in turn["bubbles"] if b.get("target")]
    assert sorted(targets) == sorted(f"第{n}句话" for n in range(1, 1500, 2))


def test_a_chosen_chat_and_general_dialogue(tmp_path: Path) -> None:
    file = tmp_path / "general.jsonl"
    dialogue = {"conversations": [{"from": "human", "value": "1+1"}, {"from": "gpt", "value": "2"}]}
    file.write_text((json.dumps(dialogue) + "\n") * 50, encoding="utf-8")
    rows = _dataset(tmp_path, chats(), include=["球队"], general=file, general_share=0.25)
    kinds = Counter(row["kind"] for row in rows if row["split"] == "train")
    assert kinds["private"] == 0
    assert kinds["general"] == round(kinds["group"] / 3)


def test_the_report_page_tells_and_escapes(tmp_path: Path) -> None:
    messages = chats()
    messages[1].segments[0].text = "<b>带伞</b>"
    messages[4].segments[0].text = "<script>alert(1)</script>"
    _dataset(tmp_path, messages, report=True)
    page = (tmp_path / "dataset.html").read_text(encoding="utf-8")
    for part in ("阿树", "球队", "2023-11", "[电话]", "1*********8", 'class="b mine learned"', "<svg"):
        assert part in page
    assert page.count("<details>") == 10
    assert "<script" not in page
    assert "None" not in page
    assert "带着记忆的对话" in page
    assert "<b>" not in page
    assert "http" not in page
    assert "13912345678" not in page
