"""Folders and zips: every chat in them is found, and what is none is named, never lost silently."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from config.errors import InputError
from config.settings import Import
from training import importing
from training.importers import places as places_module

EXPORTS = Path(__file__).parents[1] / "exports"
PICKED = ["friend.txt", "group.txt", "exporter-now.json"]


def run(*exports: Path, data: Path, **more: Any) -> None:
    importing.main(Import(exports=list(exports), data=data, me=["小满"], as_json=True, **more))


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def written(data: Path) -> bytes:
    return (data / "messages.jsonl").read_bytes()


@pytest.fixture
def plain(tmp_path: Path) -> bytes:
    """What the picked files give when they are named one by one."""
    run(*(EXPORTS / name for name in PICKED), data=tmp_path / "plain")
    return written(tmp_path / "plain")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The picked files in a tree, among things that are no chat."""
    folder = tmp_path / "导出"
    (folder / "群" / "images").mkdir(parents=True)
    for name in PICKED:
        (folder / "群" / name).write_bytes((EXPORTS / name).read_bytes())
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "群" / "images" / "a.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "notes.md").write_text("no chat")
    return folder


def packed(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_a_folder_is_its_files(folder: Path, plain: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    run(folder, data=tmp_path / "data")
    assert written(tmp_path / "data") == plain
    report = said(capsys)
    assert sorted(report["files"]) == sorted(PICKED)
    assert report["ignored"]["no_chat"]["places"] == [".DS_Store", "a.jpg"]
    assert report["ignored"]["not_a_chat"]["places"] == ["notes.md"]


def test_a_zip_is_its_files_alone_and_in_a_folder(folder: Path, plain: bytes, tmp_path: Path) -> None:
    deeper = tmp_path / "downloads"
    deeper.mkdir()
    archive = packed(folder, deeper / "all.zip")
    run(archive, data=tmp_path / "one")
    run(deeper, data=tmp_path / "two")
    assert written(tmp_path / "one") == written(tmp_path / "two") == plain


def test_a_mix_of_files_folders_and_zips_adds_nothing_twice(
    folder: Path, plain: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = packed(folder, tmp_path / "all.zip")
    capsys.readouterr()
    run(folder, archive, EXPORTS / "friend.txt", data=tmp_path / "data")
    assert written(tmp_path / "data") == plain
    assert said(capsys)["duplicates"] > 0


def test_a_damaged_file_of_a_folder_does_not_stop_the_others(
    folder: Path, plain: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.json").write_text('{"metadata": {}, "chatInfo": {"name": "x", "type": "group"}, "messages": []}')
    capsys.readouterr()
    run(folder, data=tmp_path / "data")
    assert written(tmp_path / "data") == plain
    assert any("bad.json: no messages in it" in warning for warning in said(capsys)["warnings"])


def test_the_same_file_named_by_itself_is_an_error(tmp_path: Path) -> None:
    bad = tmp_path / "notes.md"
    bad.write_text("no chat")
    with pytest.raises(InputError, match="unknown format"):
        run(bad, data=tmp_path / "data")


def test_a_password_is_said(tmp_path: Path) -> None:
    archive = packed(folder := _with(tmp_path, "a.txt"), tmp_path / "locked.zip")
    raw = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        raw[raw.index(mark) + place] |= 1
    archive.write_bytes(raw)
    assert folder.is_dir()
    with pytest.raises(InputError, match="no chat in") as caught:
        run(archive, data=tmp_path / "data")
    assert "has_a_password: a.txt" in caught.value.hint


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places_module, "SMALL", 1000)
    folder = _with(tmp_path, "a.txt")
    (folder / "bomb.txt").write_bytes(b"0" * 3_000_000)
    archive = packed(folder, tmp_path / "bomb.zip")
    (folder / "bomb.txt").unlink()
    ignored = places_module.Ignored()
    assert [place.name for place in places_module.places(archive, ignored)] == ["bomb.zip/a.txt"]
    assert ignored.files == {"too_large_unpacked": ["bomb.txt"]}


def test_a_zip_in_a_zip_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _with(tmp_path, "group.txt")
    packed(folder, folder / "inner.zip")
    run(packed(folder, tmp_path / "outer.zip"), data=tmp_path / "data")
    assert said(capsys)["ignored"]["zip_in_a_zip"]["places"] == ["inner.zip"]


@pytest.mark.parametrize("place", [40, 100, 300])
def test_a_damaged_zip_is_an_error_of_two_lines(place: int, tmp_path: Path) -> None:
    archive = packed(_with(tmp_path, "friend.txt"), tmp_path / "a.zip")
    raw = bytearray(archive.read_bytes())
    raw[place : place + 60] = b"\xff" * 60
    archive.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        run(archive, data=tmp_path / "data")
    assert caught.value.hint


def test_members_outside_the_archive_are_never_reached(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    place = places_module.Place(_with(tmp_path, "friend.txt") / "friend.txt")
    with place.open() as source:
        assert source.beside("../secret.txt") is None
        assert source.beside("/etc/passwd") is None
        assert source.beside("nothing.txt") is None


def _with(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / name).write_bytes((EXPORTS / "group.txt").read_bytes())
    return folder
