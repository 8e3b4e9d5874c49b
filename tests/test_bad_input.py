"""What goes wrong most, through the real command: two lines with a hint, exit 1, nothing half-written."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.personas import make_persona
from tests.wire.running import write_settings

EXPORT = "2023-01-01 8:00:11 小鹿(20002)\r\n在吗\r\n\r\n2023-01-01 8:00:20 小北(10001)\r\n在的\r\n\r\n"


def mybot(folder: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    settings = folder / "mybot.toml"
    if not settings.exists():
        write_settings(folder)
    env = {key: value for key, value in os.environ.items() if not key.startswith("MYBOT_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "mybot.py"), *map(str, args)],
        env={**env, "MYBOT_CONFIG": str(settings), "PYTHONUTF8": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_two_lines(done: subprocess.CompletedProcess[str], *words: str) -> None:
    lines = done.stderr.rstrip("\n").split("\n")[-2:]
    assert done.returncode == 1, done.stderr
    assert lines[0].startswith("error: "), done.stderr
    assert lines[1].startswith(" hint: "), done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "群.txt"
    path.write_bytes(EXPORT.encode("utf-8-sig"))
    return path


@pytest.mark.parametrize(
    ("content", "flags", "words"),
    [
        (None, ["--me", "小北"], ["does not exist"]),
        (b"", ["--me", "小北"], ["is empty"]),
        (b"\xef\xbb\xbf" + "消息记录（此消息记录为文本格式，不支持重新导入）\r\n\r\n".encode(), ["--me", "小北"], []),
        (b"\x00\x01\x02" * 400, ["--me", "小北"], ["unknown format"]),
        (EXPORT.encode("utf-8-sig"), ["--me", "没这个人"], ["nobody is called", "小鹿 (20002) 1"]),
        (EXPORT.encode("utf-8-sig"), [], ["--me"]),
    ],
)
def test_an_export_that_cant_be_taken(
    tmp_path: Path, content: bytes | None, flags: list[str], words: list[str]
) -> None:
    path = tmp_path / "群.txt"
    if content is not None:
        path.write_bytes(content)
    write_settings(tmp_path)
    before = files(tmp_path)
    assert_two_lines(mybot(tmp_path, "import", path, "--data", tmp_path / "data", *flags), *words)
    assert files(tmp_path) == before


def test_a_good_import_survives_a_bad_one(tmp_path: Path, export: Path) -> None:
    data = tmp_path / "data"
    assert mybot(tmp_path, "import", export, "--data", data, "--me", "10001").returncode == 0
    before = files(data)
    (tmp_path / "坏.txt").write_bytes(b"")
    assert_two_lines(mybot(tmp_path, "import", export, tmp_path / "坏.txt", "--data", data))
    assert files(data) == before


def test_a_base_model_that_isnt_there(tmp_path: Path, export: Path) -> None:
    data = tmp_path / "data"
    assert mybot(tmp_path, "import", export, "--data", data, "--me", "10001").returncode == 0
    assert mybot(tmp_path, "dataset", "--data", data).returncode == 0
    before = files(tmp_path)
    flags = ["--preset", "tiny-cpu", "--data", data, "--runs", tmp_path / "runs"]
    assert_two_lines(mybot(tmp_path, "train", *flags, "--base-model", tmp_path / "nowhere"), "nowhere")
    assert files(tmp_path) == before


def test_a_damaged_persona_everywhere(tmp_path: Path) -> None:
    persona = make_persona(tmp_path / "v1")
    (persona / "model.safetensors").write_bytes(b"short")
    settings = write_settings(
        tmp_path, engine={"persona": str(persona), "device": "cpu"}, onebot_v11_ws_urls=["ws://127.0.0.1:9"]
    )
    for command in (["chat", persona], ["serve"], ["run"]):
        done = mybot(settings.parent, *command)
        assert_two_lines(done, "model.safetensors is changed", "copy the folder again")


def test_a_used_port(tmp_path: Path) -> None:
    persona = make_persona(tmp_path / "v1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write_settings(tmp_path, engine={"persona": str(persona), "device": "cpu"})
        assert_two_lines(mybot(tmp_path, "serve", "--port", str(port)), str(port))
        write_settings(tmp_path, port=port)
        assert_two_lines(mybot(tmp_path, "run"), str(port))
