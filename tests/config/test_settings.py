"""Settings: where a knob comes from, and what a wrong one says."""

import subprocess
import sys
from pathlib import Path

import pytest

from config import generate, settings
from config.errors import SettingsError, UsageError
from config.settings import ROOT, Bot, Dataset, Engine, Import, Web, load, parse


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def write(text: str) -> None:
        path = tmp_path / "mybot.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("MYBOT_CONFIG", str(path))

    return write


def test_flag_before_variable_before_toml_before_default(toml, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(Engine).port == 8321
    toml("[engine]\nport = 1\n")
    assert load(Engine).port == 1
    monkeypatch.setenv("MYBOT_ENGINE_PORT", "2")
    assert load(Engine).port == 2
    assert parse(Engine, ["--port", "3"]).port == 3


def test_paths_of_the_file_are_relative_to_the_checkout_and_flags_to_here(toml, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    toml('[dataset]\ndata = "mine"\n')
    assert load(Dataset).data == ROOT / "mine"
    assert parse(Dataset, ["--data", "here"]).data == Path("here")
    toml("")
    assert load(Dataset).data == ROOT / "data"


def test_a_misspelt_knob_names_the_right_one(toml) -> None:
    toml("[engine]\nprot = 1\n")
    with pytest.raises(SettingsError) as caught:
        load(Engine)
    assert "port" in caught.value.hint
    toml("[engin]\n")
    with pytest.raises(SettingsError, match="engin"):
        load(Engine)


def test_a_misspelt_flag_is_wrong_usage(toml) -> None:
    with pytest.raises(UsageError) as caught:
        parse(Web, ["--server-prot", "1"])
    assert "did you mean --server-port" in caught.value.hint


def test_a_knob_of_one_letter_takes_one_dash_or_two(toml) -> None:
    from config.settings import Train

    assert [parse(Train, args).r for args in (["-r", "4"], ["--r", "4"], ["--r=4"])] == [4, 4, 4]


def test_several_me_and_files(toml) -> None:
    knobs = parse(Import, ["a.txt", "b.txt", "--me", "10001", "--me", "昵称", "--json"])
    assert (knobs.exports, knobs.me, knobs.as_json) == ([Path("a.txt"), Path("b.txt")], ["10001", "昵称"], True)


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYBOT_BOT_ONEBOT_ACCESS_TOKEN", "very-secret")
    knobs = load(Bot)
    assert knobs.onebot_access_token is not None
    assert knobs.onebot_access_token.get_secret_value() == "very-secret"
    assert "very-secret" not in repr(knobs)


def test_missing_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYBOT_CONFIG", "/does/not/exist.toml")
    with pytest.raises(SettingsError, match="does not exist"):
        load(Engine)


def test_the_shipped_files_are_what_the_tables_say() -> None:
    assert (ROOT / "config" / "mybot.toml").read_text(encoding="utf-8") == generate.toml()
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == generate.env_example()
    assert all(field.description for cls in settings.TABLES for field in settings.knobs(cls).values())


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; sys.argv=['mybot','--help']; import mybot; mybot.main(); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "mybot import" in done.stdout
    assert "pydantic" not in done.stdout
    assert "torch" not in done.stdout


@pytest.mark.parametrize("command", ["chat", "serve"])
def test_an_error_is_two_lines_and_exit_code_one(command: str, tmp_path: Path) -> None:
    argument = [str(tmp_path / "none")] if command == "chat" else ["--persona", str(tmp_path / "none"), "--port", "0"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "mybot.py"), command, *argument], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    lines = done.stderr.strip().splitlines()
    assert [lines[-2][:7], lines[-1][:6]] == ["error: ", " hint:"]
