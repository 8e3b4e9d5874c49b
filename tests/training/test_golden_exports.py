"""Every golden file of tests/exports, read exactly: `<name>` beside `<name>.expect.jsonl`."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.persona.message import Message
from training.importers import formats, importer_for
from training.importers.source import Notes, Zone, opened

EXPORTS = Path(__file__).parents[1] / "exports"
GOLDEN = sorted(path.name.removesuffix(".expect.jsonl") for path in EXPORTS.glob("*.expect.jsonl"))

LOST = {
    "exporter-broken.json": {"broken_row": 1, "not_a_message": 1, "bad_time": 1, "truncated": 1},
    "messages.jsonl": {"broken_row": 1},
    "wechat-pywxdump.csv": {"short_row": 1, "bad_time": 1, "broken_row": 1},
    "weflow.json": {"broken_row": 1, "bad_time": 1},
    "telegram-group.json": {"bad_time": 1},
    "telegram-account.json": {"broken_row": 1},
    "discord-guild.json": {"bad_time": 1, "broken_row": 1},
    "mht-page.html": {"bad_time": 2, "broken_row": 1},
    "android-friend.html": {"bad_time": 1},
    "onebot-group.json": {"bad_time": 1, "not_a_message": 1},
    "onebot-private.jsonl": {"truncated": 1},
    "nt_msg.db": {"bad_time": 1, "not_a_message": 1},
    "mybot-history.db": {"no_consent": 11, "taught_better": 2, "gold_without_context": 1},
    "pasted-window.txt": {"notice": 3},
    "pasted-manager.txt": {"notice": 1},
    "train.json": {"more_markers": 1, "not_a_message": 1, "broken_row": 1},
}
DAMAGED = {
    "truncated.txt": {"undecodable_bytes": 1},
    "exporter-now.json": {"unknown_element": 1},
    "exporter-pretty.json": {"unknown_element": 1},
    "wechat-pywxdump.csv": {"quoted_elsewhere": 1, "unknown_element": 1},
    "weflow.json": {"unknown_element": 1},
    "telegram-group.json": {"unknown_element": 1},
    "onebot-group.json": {"unknown_element": 1},
    "nt_msg.db": {"unknown_element": 1},
}
DAY = "2023-03-04"
"""Of text that names none: else it would be the day on which this was checked out."""


def read(name: str) -> tuple[str, list[Message], Notes]:
    notes = Notes()
    with opened(EXPORTS / name) as source:
        source.day = DAY
        found, importer = importer_for(source)
        return found, list(importer.read(source, notes, Zone("+08:00"))), notes


def seen(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "chat": message.chat,
        "time": message.time,
        "sender": message.sender,
        "name": message.name,
        "text": message.text,
        "flags": list(message.flags),
        "reply_to": message.reply_to,
    }


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_file_is_read_exactly(name: str) -> None:
    lines = (EXPORTS / f"{name}.expect.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    expected = [json.loads(line) for line in lines]
    _, messages, notes = read(name)
    assert [seen(message) for message in messages] == expected
    assert dict(notes.dropped) == LOST.get(name, {})
    assert dict(notes.damaged) == DAMAGED.get(name, {})


def test_every_format_has_a_golden_file() -> None:
    assert {read(name)[0] for name in GOLDEN} == set(formats())


def test_each_place_names_a_line_and_no_text() -> None:
    _, _, notes = read("exporter-broken.json")
    assert [place.split("#")[0] for place in notes.places["broken_row"]] == ["exporter-broken.json:2"]
    assert "坏的" not in str(notes.places)


def test_the_source_names_the_line_of_the_header() -> None:
    lines = (EXPORTS / "group.txt").read_bytes().split(b"\n")
    for message in read("group.txt")[1]:
        file, number = message.source.rsplit(":", 1)
        assert file == "group.txt"
        assert lines[int(number) - 1][:2] == b"20"
        assert message.sender.encode() in lines[int(number) - 1]


def test_an_account_has_two_chats_for_two_people_of_one_name_and_says_so() -> None:
    _, messages, notes = read("account.txt")
    assert {m.chat for m in messages if m.chat_name == "妈妈"} == {"qq:private:妈妈", "qq:private:妈妈@家教"}
    assert "妈妈" in notes.warnings[0]
    assert {m.kind for m in messages if m.chat_name == "柚子不加糖"} == {"group"}


def test_media_keep_what_they_are_called() -> None:
    file, packet = (m.segments[0] for m in read("group.txt")[1] if m.text in ("[文件]", "[红包]"))
    assert (file.type, file.text) == ("file", "报名表(终).docx")
    assert (packet.type, packet.text) == ("redpacket", "恭喜发财")


def test_the_exporter_says_whose_export_it_is() -> None:
    assert read("exporter-now.json")[2].owners == {"30044"}
    assert read("messages.jsonl")[2].owners == {"30044"}
    assert read("exporter-v4-friend.json")[2].owners == set()


def test_at_segments_keep_the_account() -> None:
    message = read("exporter-now.json")[1][1]
    at, said, face = message.segments
    assert (at.id, at.name, said.text, face.text) == ("30011", "阿柚", "去", "微笑")
