"""Pasted text: the day of lines that name none."""

import json
import os
from pathlib import Path

import pytest

from config.settings import Import, parse
from training import importing

TEXT = "小鹿(30011) 8:00:11\n在吗\n\n小满(30044) 8:00:20\n在\n\n小鹿(30011) 0:10:00\n睡了\n"
NOON = 1_700_000_000


def rows(folder: Path, *flags: str) -> list[dict[str, str | int]]:
    (folder / "pasted.txt").write_text(TEXT, encoding="utf-8")
    os.utime(folder / "pasted.txt", (NOON, NOON))
    importing.main(
        parse(Import, [str(folder / "pasted.txt"), "--me", "30044", "--data", str(folder / "data"), "--json", *flags])
    )
    return [json.loads(line) for line in (folder / "data" / "messages.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_day_that_was_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(tmp_path, "--date", "2022-02-03")
    # 2022-02-03 08:00:11 in +08:00; the clock that goes back begins the next day.
    assert [row["time"] for row in found] == [1643846411, 1643846420, 1643904600]
    assert {row["precision"] for row in found} == {"s"}
    assert json.loads(capsys.readouterr().out)["damaged"] == {}


def test_left_out_it_is_the_day_the_file_was_saved_and_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(tmp_path)
    assert [row["time"] for row in found] == [1699920011, 1699920020, 1699978200]
    assert {row["precision"] for row in found} == {"day"}
    assert json.loads(capsys.readouterr().out)["damaged"]["no_date"]["count"] == 3


def test_a_day_there_never_was_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="2022-02-30") as caught:
        rows(tmp_path, "--date", "2022-02-30")
    assert type(caught.value).__module__ == "config.errors"


def test_glued_lines_of_the_system_are_counted_and_not_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.txt").write_text(
        "小鹿 2023/1/1 8:00:11\n在\n\n你已经是群成员了，和大家打个招呼吧！\n小满 2023/1/1 8:00:12\n早\n\n阿泽将群名称修改为“早起”\n"
    )
    knobs = [str(tmp_path / "x.txt"), "--me", "小满", "--data", str(tmp_path / "data"), "--json"]
    importing.main(parse(Import, knobs))
    lines = (tmp_path / "data" / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["segments"] for line in lines] == [[{"type": "text", "text": t}] for t in ("在", "早")]
    assert json.loads(capsys.readouterr().out)["dropped"]["notice"]["count"] == 2
