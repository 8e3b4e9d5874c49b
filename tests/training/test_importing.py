"""`mybot import`, as it is typed: what it writes, what it says, and what it leaves behind when it fails."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from config.errors import InputError, MyBotError, SettingsError, UsageError
from config.settings import Import
from training import importing, store as store_module

ROOT = Path(__file__).parents[2]
EXPORTS = ROOT / "tests" / "exports"
RULE = "=" * 64


def text_export(name: str, lines: list[str], group: str = "我的好友") -> bytes:
    head = f"消息记录（此消息记录为文本格式，不支持重新导入）\r\n\r\n{RULE}\r\n消息分组:{group}\r\n{RULE}\r\n消息对象:{name}\r\n{RULE}\r\n\r\n"
    return (head + "".join(f"{line}\r\n说了{n}\r\n\r\n" for n, line in enumerate(lines))).encode()


def run(*exports: Path, data: Path, **more: Any) -> None:
    importing.main(Import(exports=list(exports), data=data, **more))


def rows(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / "messages.jsonl").read_text(encoding="utf-8").split("\n") if line]


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def account(tmp_path: Path) -> list[Path]:
    """Three chats of one owner, 小满: two friends and a group."""
    files = {
        "a.txt": text_export("阿柚", ["2021-01-01 8:00:00 阿柚", "2021-01-01 8:00:05 小满"]),
        "b.txt": text_export("竹竿", ["2021-01-02 8:00:00 竹竿", "2021-01-02 8:00:05 小满"]),
        "g.txt": text_export(
            "爬山", ["2021-01-03 8:00:00 阿柚(30011)", "2021-01-03 8:00:05 小满(30044)", "2021-01-03 9:00:00 满(30044)"]
        ),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in files]


def test_everything_is_sorted_by_chat_then_time_and_marked(account: list[Path], data: Path) -> None:
    run(*reversed(account), data=data, me=["小满"])
    written = rows(data)
    assert [(r["chat"], r["time"]) for r in written] == sorted((r["chat"], r["time"]) for r in written)
    # The name stands for the number that bears it, under the card of another day too.
    assert [r["name"] for r in written if r["mine"]] == ["小满", "满", "小满", "小满"]
    assert sorted(path.name for path in data.iterdir()) == ["me.json", "messages.jsonl"]


def test_importing_twice_changes_no_byte(account: list[Path], data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(*account, EXPORTS / "group.txt", EXPORTS / "exporter-now.json", data=data, me=["小满"])
    before = (data / "messages.jsonl").read_bytes()
    capsys.readouterr()
    run(*account, EXPORTS / "group.txt", EXPORTS / "exporter-now.json", data=data, me=["小满"], as_json=True)
    assert (data / "messages.jsonl").read_bytes() == before
    said = report(capsys)
    assert said["added"] == 0
    assert said["duplicates"] == said["read"] == said["total"]


def test_importing_what_was_imported_gives_the_same_file(account: list[Path], data: Path, tmp_path: Path) -> None:
    run(*account, data=data, me=["小满"])
    again = tmp_path / "again"
    run(data / "messages.jsonl", data=again, yes=True)
    assert (again / "messages.jsonl").read_bytes() == (data / "messages.jsonl").read_bytes()


def test_an_overlapping_export_only_adds(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"2021-01-01 8:{n:02}:00 {'阿柚' if n % 2 else '小满'}" for n in range(20)]
    early, late = tmp_path / "early.txt", tmp_path / "late.txt"
    whole = text_export("阿柚", lines).decode()
    pieces = whole.split("\r\n\r\n")
    early.write_bytes("\r\n\r\n".join(pieces[:14]).encode())
    late.write_bytes("\r\n\r\n".join([*pieces[:2], *pieces[9:]]).encode())
    run(late, data=data, me=["小满"], as_json=True)
    run(early, data=data, as_json=True)
    both = tmp_path / "both"
    (tmp_path / "whole.txt").write_bytes(whole.encode())
    run(tmp_path / "whole.txt", data=both, me=["小满"], as_json=True)
    assert [r["id"] for r in rows(data)] == [r["id"] for r in rows(both)]


def test_the_same_message_from_two_formats_is_kept_in_the_richer_one(tmp_path: Path, data: Path) -> None:
    start = 1_609_459_200  # 2021-01-01 08:00 in +08:00
    said = [("30011", "阿柚", "早"), ("30011", "阿柚", "早"), ("30044", "小满", "[图片]看"), ("30011", "阿柚", "好看")]
    text = f"{RULE}\r\n消息分组:群\r\n{RULE}\r\n消息对象:爬山\r\n{RULE}\r\n\r\n"
    messages = []
    for number, (sender, name, body) in enumerate(said):
        text += f"2021-01-01 8:00:{number // 2:02} {name}({sender})\r\n{body}\r\n\r\n"
        elements = [{"type": "image", "data": {}}] if body.startswith("[") else []
        elements.append({"type": "text", "data": {"text": body.removeprefix("[图片]")}})
        messages.append(
            {
                "id": f"9{number}",
                "timestamp": (start + number // 2) * 1000,
                "sender": {"uin": sender, "name": name},
                "content": {"elements": elements},
            }
        )
    old, new = tmp_path / "old.txt", tmp_path / "new.json"
    old.write_bytes(text.encode() + "2021-01-01 9:00:00 阿柚(30011)\r\n只在文本里\r\n\r\n".encode())
    new.write_text(json.dumps({"metadata": {}, "chatInfo": {"name": "爬山", "type": "group"}, "messages": messages}))
    for number, order in enumerate([(old, new), (new, old)]):
        folder = data / str(number)
        for path in order:
            run(path, data=folder, me=["30044"])
        assert [r["id"] for r in rows(folder)][:-1] == ["90", "91", "92", "93"]
        assert rows(folder)[-1]["segments"] == [{"type": "text", "text": "只在文本里"}]


def test_a_changed_me_is_applied_to_all_of_it(account: list[Path], data: Path) -> None:
    run(*account, data=data, me=["小满"])
    run(data=data, me=["30011", "阿柚"])
    assert {r["name"] for r in rows(data) if r["mine"]} == {"阿柚"}
    assert sum(r["mine"] for r in rows(data)) == 2
    run(account[0], data=data)
    assert {r["name"] for r in rows(data) if r["mine"]} == {"阿柚"}


def test_who_i_am_is_remembered(account: list[Path], data: Path) -> None:
    run(account[0], data=data, me=["小满"])
    run(*account[1:], data=data)
    assert sum(r["mine"] for r in rows(data)) == 4


def test_me_is_suggested_over_several_chats(account: list[Path], data: Path) -> None:
    with pytest.raises(InputError, match="not told who you are; the busiest: ") as caught:
        run(*account, data=data)
    assert "--yes if you are 小满" in caught.value.hint
    assert not data.exists()
    run(*account, data=data, yes=True)
    assert sum(r["mine"] for r in rows(data)) == 4


def test_me_is_suggested_by_what_the_exporter_says(data: Path) -> None:
    run(EXPORTS / "exporter-now.json", data=data, yes=True)
    assert {r["sender"] for r in rows(data) if r["mine"]} == {"30044"}


def test_in_a_private_chat_me_is_who_is_not_the_chat(account: list[Path], data: Path) -> None:
    run(account[0], data=data, yes=True)
    assert [r["mine"] for r in rows(data)] == [False, True]


def test_one_group_alone_suggests_nobody(account: list[Path], data: Path) -> None:
    with pytest.raises(InputError, match=r"not clear who you are; the busiest: 满 \(30044\) 2, 阿柚 \(30011\) 1"):
        run(account[2], data=data, yes=True)


def test_nobody_called_me_is_an_error_that_lists_the_busiest(account: list[Path], data: Path) -> None:
    with pytest.raises(InputError, match="nobody is called 99999 or 张三 in it") as caught:
        run(*account, data=data, me=["99999", "张三"])
    assert "阿柚" in caught.value.hint
    assert not data.exists()


def test_a_name_that_two_accounts_bear_must_be_told_apart(tmp_path: Path, data: Path) -> None:
    export = tmp_path / "g.txt"
    lines = [
        "2021-01-03 8:00:00 小满(30044)",
        "2021-01-03 8:00:05 小满(30055)",
        "2021-01-03 8:00:06 小满<m@example.com>",
    ]
    export.write_bytes(text_export("爬山", lines))
    with pytest.raises(InputError, match="2 accounts are called 小满: 30044, 30055"):
        run(export, data=data, me=["小满"])
    run(export, data=data, me=["小满", "30044"])
    assert [r["sender"] for r in rows(data) if r["mine"]] == ["30044", "m@example.com"]


def test_system_lines_are_never_mine(data: Path) -> None:
    run(EXPORTS / "group.txt", data=data, me=["小满", "10000"])
    assert not any(r["mine"] for r in rows(data) if "system" in r["flags"])


def test_the_report_counts_what_was_lost_and_never_shows_it(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(EXPORTS / "exporter-broken.json", EXPORTS / "account.txt", data=data, me=["30044", "小满"], as_json=True)
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert {code: lost["count"] for code, lost in said["dropped"].items()} == {
        "broken_row": 1,
        "not_a_message": 1,
        "bad_time": 1,
        "truncated": 1,
    }
    assert said["dropped"]["broken_row"]["places"][0].startswith("exporter-broken.json:2#")
    assert said["files"]["account.txt"] == {"format": "qq_txt", "messages": 9}
    assert said["zone"] == "+08:00 for times without a zone"
    assert any("妈妈" in warning for warning in said["warnings"])
    assert any("no message of yours in qq:private:妈妈:" in warning for warning in said["warnings"])
    for words in ("坏的", "作业发你了", "没有时间"):
        assert words not in captured.out + captured.err


def test_the_table_on_a_terminal_is_a_table(
    account: list[Path], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*account, data=data, me=["小满", "没有这人"])
    captured = capsys.readouterr()
    assert "a.txt" in captured.out
    assert "nobody is called 没有这人" in captured.out
    assert "a.txt: 2 messages in" in captured.err


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (text_export("阿柚", []), "no messages in it"),
        (b"PK\x03\x04 not a text", "unknown format"),
    ],
)
def test_a_bad_export_is_an_error_with_a_hint_and_nothing_is_written(
    content: bytes | None, error: str, account: list[Path], data: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.txt"
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(InputError, match=error) as caught:
        run(account[0], bad, data=data, me=["小满"])
    assert caught.value.hint
    assert not data.exists()


def test_no_exports_at_all_and_a_folder_without_any_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no chat in"):
        run(tmp_path, data=data)
    with pytest.raises(UsageError, match="no export"):
        run(data=data, me=["小满"])


def test_a_forced_format_and_a_wrong_zone(account: list[Path], data: Path) -> None:
    with pytest.raises(InputError, match="no messages in it"):
        run(account[0], data=data, format="jsonl")
    with pytest.raises(SettingsError, match="no zone"):
        run(account[0], data=data, tz="Nowhere")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{}", "messages.jsonl:8 is not a message"),
        ("no json", "messages.jsonl:8 is not a message"),
        ('{"id":"x","chat":"a","sender":"","name":"","kind":"group","time":1}', "messages.jsonl:8 is out of order"),
    ],
)
def test_a_damaged_store_is_refused_and_left_alone(line: str, error: str, account: list[Path], data: Path) -> None:
    run(*account, data=data, me=["小满"])
    with (data / "messages.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    before = (data / "messages.jsonl").read_bytes()
    with pytest.raises(InputError, match=error) as caught:
        run(account[0], data=data)
    assert caught.value.hint
    assert (data / "messages.jsonl").read_bytes() == before
    assert sorted(path.name for path in data.iterdir()) == ["me.json", "messages.jsonl"]


def test_a_damaged_memory_of_me_is_an_error(account: list[Path], data: Path) -> None:
    run(*account, data=data, me=["小满"])
    (data / "me.json").write_text("[", encoding="utf-8")
    with pytest.raises(InputError, match=r"me\.json is damaged"):
        run(account[0], data=data)


def test_runs_are_merged_in_stages_and_ties_keep_their_order(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "RUN", 7)
    monkeypatch.setattr(store_module, "FAN_IN", 3)
    lines = [f"2021-01-01 8:00:{n // 9:02} {'阿柚' if n % 2 else '小满'}" for n in range(300)]
    export = tmp_path / "a.txt"
    export.write_bytes(text_export("阿柚", lines))
    run(export, data=data, me=["小满"])
    assert [r["segments"][0]["text"] for r in rows(data)] == [f"说了{n}" for n in range(300)]


def test_a_full_disk_is_an_error_and_leaves_the_store_alone(
    account: list[Path], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(account[0], data=data, me=["小满"])
    before = (data / "messages.jsonl").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MyBotError, match="No space left"):
        run(*account, data=data)
    assert (data / "messages.jsonl").read_bytes() == before
    assert sorted(path.name for path in data.iterdir()) == ["me.json", "messages.jsonl"]


def test_what_a_killed_import_left_goes_after_a_day(account: list[Path], data: Path) -> None:
    old, young = data / ".importing-old", data / ".importing-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "run-1").write_text("x")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    run(account[0], data=data, me=["小满"])
    assert not old.exists()
    assert young.exists()


def command(*args: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / "mybot.py"), "import", *map(str, args)]


def test_the_command_prints_json_alone_and_an_error_in_two_lines(account: list[Path], data: Path) -> None:
    done = subprocess.run(
        command(*account, "--me", "小满", "--data", data, "--json"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["mine"] == 4
    assert "a.txt: 2 messages" in done.stderr
    bad = subprocess.run(command(data / "nothing.txt"), capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert bad.stdout == ""
    assert [line.split(":")[0] for line in bad.stderr.splitlines()] == ["error", " hint"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_leaves_nothing_half_written(account: list[Path], data: Path, tmp_path: Path) -> None:
    run(account[0], data=data, me=["小满"])
    before = (data / "messages.jsonl").read_bytes()
    big = tmp_path / "big.txt"
    seconds = (
        f"2021-{n // 86400 % 12 + 1:02}-01 {n // 3600 % 24}:{n // 60 % 60:02}:{n % 60:02}" for n in range(400_000)
    )
    big.write_bytes(text_export("竹竿", [f"{second} 小满" for second in seconds]))
    process = subprocess.Popen(command(big, "--data", data), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not list(data.glob(".importing-*/run-*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr.decode().splitlines()[-1] == "stopped"
    assert (data / "messages.jsonl").read_bytes() == before
    assert sorted(path.name for path in data.iterdir()) == ["me.json", "messages.jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="terminals")
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_the_suggestion_is_asked_for(answer: str, code: int, account: list[Path], data: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*account, "--data", data), stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, close_fds=True
    )
    os.close(theirs)
    shown = b""
    try:
        deadline = time.monotonic() + 30
        while "Are you 小满?".encode() not in shown:
            assert time.monotonic() < deadline
            if select.select([ours], [], [], 1)[0]:
                shown += os.read(ours, 4096)
        os.write(ours, f"{answer}\n".encode())
        process.communicate(timeout=30)
    finally:
        os.close(ours)
    assert process.returncode == code
    assert data.exists() == (code == 0)
