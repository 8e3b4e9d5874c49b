"""`mybot import --list` and `--contacts`: they show, and change nothing but contacts.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.errors import InputError
from config.settings import ROOT, Import
from training import importing

SAMPLE = sorted((ROOT / "training" / "sample").glob("*.txt"))


def run(capsys: pytest.CaptureFixture[str], **knobs: Any) -> dict[str, Any]:
    importing.main(Import(as_json=True, **knobs))
    return json.loads(capsys.readouterr().out)


def test_the_chats_of_exports_are_listed_and_nothing_is_written(tmp_path: Path, capsys: Any) -> None:
    found = run(capsys, exports=SAMPLE, as_list=True, data=tmp_path / "data")
    assert found["owner"] == ["小北"]
    assert [row["messages"] for row in found["chats"]] == sorted((r["messages"] for r in found["chats"]), reverse=True)
    assert sum(row["messages"] for row in found["chats"]) == 5372
    assert sum(row["yours"] for row in found["chats"]) == 2544
    riding = next(row for row in found["chats"] if row["name"] == "运河骑行小队")
    assert riding == {
        "chat": "qq:group:运河骑行小队", "name": "运河骑行小队", "kind": "group", "people": 6, "messages": 755,
        "first": "2024-09-01", "last": "2025-08-31", "yours": 299,
    }  # fmt: skip
    assert not list(tmp_path.iterdir())
    importing.main(Import(exports=SAMPLE[:1], as_list=True, data=tmp_path / "data"))
    assert "nothing was imported" in capsys.readouterr().out


def test_a_day_is_that_of_the_zone(tmp_path: Path, capsys: Any) -> None:
    export = tmp_path / "群.txt"
    export.write_bytes(
        "2023-01-01 0:10:00 小鹿(20002)\r\n在吗\r\n\r\n2023-01-01 0:10:09 小北(10001)\r\n在\r\n".encode()
    )
    days = [
        run(capsys, exports=[export], as_list=True, tz=tz, data=tmp_path)["chats"][0]["first"]
        for tz in ("+08:00", "+00:00")
    ]
    assert days == ["2023-01-01", "2023-01-01"]


def test_who_is_who_and_a_join_reaches_the_dataset(tmp_path: Path, capsys: Any) -> None:
    run(capsys, exports=SAMPLE, me=["小北", "900000010001"], data=tmp_path)
    stored = (tmp_path / "messages.jsonl").read_bytes()
    who = run(capsys, contacts=True, data=tmp_path)
    assert {"name": "老顾", "account": "900000010067", "why": "the same name"} in who["suggestions"]
    who = run(capsys, join=["老顾=900000010067"], data=tmp_path)
    assert next(row for row in who["accounts"] if row["account"] == "900000010067")["joined"] == ["老顾"]
    assert "老顾" not in {row["name"] for row in who["without_account"]}
    assert (tmp_path / "messages.jsonl").read_bytes() == stored
    from training.dataset import read_messages

    chats = {message.chat for message in read_messages(tmp_path / "messages.jsonl")}
    assert "qq:private:900000010067" in chats
    assert "qq:private:老顾" not in chats
    run(capsys, part=["老顾"], data=tmp_path)
    assert "qq:private:老顾" in {message.chat for message in read_messages(tmp_path / "messages.jsonl")}
    importing.main(Import(contacts=True, data=tmp_path))
    assert "mybot import --join 大鹏=900000010101" in capsys.readouterr().out
    with pytest.raises(InputError, match="does not exist"):
        importing.main(Import(contacts=True, data=tmp_path / "none"))
