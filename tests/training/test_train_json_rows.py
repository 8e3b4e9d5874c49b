"""The notebook's train.json, read back: what train_json.py writes comes out as it went in."""

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from training.importers import train_json_rows
from training.importers.source import HEAD, Notes, Source, Zone
from training.train_json import notebook_rows


def read(raw: bytes, notes: Notes | None = None) -> list[Message]:
    source = Source("train.json", io.BytesIO(raw), raw[:HEAD], len(raw))
    return list(train_json_rows.read(source, notes or Notes(), Zone("+08:00")))


def rows(*texts: str) -> bytes:
    return "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts).encode()


def exchanges(messages: list[Message]) -> list[tuple[list[str], list[str]]]:
    """Per row: the Human's bubbles and the Assistant's."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for message in messages:
        sides = found.setdefault(message.source, ([], []))
        sides[message.sender == "Assistant"].append(message.text)
    return list(found.values())


BUBBLES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda text: "###" not in text)
    | st.sampled_from(["C:\\new\\table", "两\n行", "\\", " 前后 ", "¯\\_(ツ)_/¯", '"引号"']),
    min_size=1,
    max_size=3,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(BUBBLES, BUBBLES), min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path_factory: Any, said: list[tuple[list[str], list[str]]]) -> None:
    train: Path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    with train.open("w", encoding="utf-8", newline="\n") as file:
        for theirs, mine in said:
            turns = [
                {"role": "user", "bubbles": [{"text": text, "time": 1} for text in theirs]},
                {"role": "assistant", "bubbles": [{"text": text, "time": 2, "target": True} for text in mine]},
            ]
            file.write(json.dumps({"turns": turns}) + "\n")
    raw = "".join(notebook_rows(train)).encode()
    notes = Notes()
    messages = read(raw, notes)
    assert exchanges(messages) == said
    assert not notes.dropped
    assert notes.owners == {"Assistant"}


def test_the_notebooks_own_backslashes_stay() -> None:
    assert exchanges(read(rows("### Human: C:\\temp\\x ### Assistant: \\n"))) == [(["C:\\temp\\x"], ["\\n"])]


def test_rows_with_more_markers_are_counted_and_left_out() -> None:
    notes = Notes()
    more = "### Human: a ### Assistant: b ### Human: c ### Assistant: d"
    messages = read(rows("### Human: 在 ### Assistant: 嗯", more, "### Human: 只有问", "别的"), notes)
    assert exchanges(messages) == [(["在"], ["嗯"])]
    assert dict(notes.dropped) == {"more_markers": 2, "not_a_message": 1}
    assert notes.places["more_markers"][0].startswith("train.json:2#")


def test_rows_are_hours_apart_and_in_order() -> None:
    messages = read(rows(*(f"### Human: {n} ### Assistant: {n}" for n in range(5))))
    assert [m.time for m in messages] == sorted(m.time for m in messages)
    starts = [m.time for m in messages if m.sender == "Human"]
    assert all(b - a == 3600 for a, b in pairwise(starts))
    assert {m.precision for m in messages} == {"day"}


def test_thousands_of_bubbles_stay_in_their_hour() -> None:
    messages = read(
        rows("### Human: " + "\n".join("啊" * 3000) + " ### Assistant: 好", "### Human: 下 ### Assistant: 一")
    )
    assert messages[-2].time - messages[-3].time > 1700
    assert len({m.id for m in messages}) == len(messages)
