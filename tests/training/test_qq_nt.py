"""QQ's own database: names beside it, what is encrypted or damaged, and any bytes as a body."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from bot.persona.message import Message
from config.errors import InputError
from training.importers import importer_for
from training.importers.places import Place
from training.importers.qq_nt_body import body_of, fields
from training.importers.source import Notes, Zone

GOLDEN = Path(__file__).parents[1] / "exports" / "nt_msg.db"


def read(path: Path) -> tuple[list[Message], Notes]:
    notes = Notes()
    with Place(path).open() as source:
        name, importer = importer_for(source)
        assert name == "qq_nt"
        return list(importer.read(source, notes, Zone("+08:00"))), notes


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """The golden database with the files of names beside it."""
    shutil.copy(GOLDEN, tmp_path / "nt_msg.db")
    with closing(sqlite3.connect(tmp_path / "profile_info.db")) as database, database:
        database.execute('CREATE TABLE profile_info_v6 ("1000" TEXT, "1002" INTEGER, "20002" TEXT, "20009" TEXT)')
        database.execute(
            "INSERT INTO profile_info_v6 VALUES ('u_yuzu', 30011, '阿柚', '柚子姐'), ('u_man', 30044, '', '我')"
        )
    with closing(sqlite3.connect(tmp_path / "group_info.db")) as database, database:
        database.execute('CREATE TABLE group_list ("60001" INTEGER, "60007" TEXT)')
        database.execute("INSERT INTO group_list VALUES (700700, '桌游夜')")
    return tmp_path / "nt_msg.db"


def test_names_come_from_the_files_beside(beside: Path) -> None:
    messages, notes = read(beside)
    private = [m for m in messages if m.kind == "private"]
    assert {m.chat_name for m in private} == {"阿柚"}
    assert [m.name for m in private] == ["阿柚", "我", "阿柚"]
    assert {m.chat_name for m in messages if m.kind == "group"} == {"桌游夜"}
    assert messages[3].name == "柚子"
    assert notes.owners == {"30044"}
    assert not notes.warnings


def test_names_that_cannot_be_read_cost_names_only(beside: Path) -> None:
    (beside.parent / "profile_info.db").write_bytes(b"SQLite header 3\0QQ_NT DB" + bytes(4000))
    messages, notes = read(beside)
    assert len(messages) == len(read(GOLDEN)[0])
    assert "profile_info.db" in notes.warnings[0]


def test_the_database_is_not_touched(beside: Path) -> None:
    before = beside.read_bytes()
    beside.chmod(0o444)
    read(beside)
    assert beside.read_bytes() == before
    assert {path.name for path in beside.parent.iterdir()} == {"nt_msg.db", "profile_info.db", "group_info.db"}


@pytest.mark.parametrize("rest", [b"\x8f" * 4096, GOLDEN.read_bytes()])
def test_what_qq_encrypted_is_told_in_two_lines(rest: bytes, tmp_path: Path) -> None:
    path = tmp_path / "nt_msg.db"
    path.write_bytes((b"SQLite header 3\0" + b"QQ_NT DB").ljust(1024, b"\0") + rest)
    with pytest.raises(InputError, match="as QQ keeps it") as raised:
        read(path)
    assert "1,024" in str(raised.value.hint)


def test_a_damaged_database_gives_its_beginning_or_an_error_of_ours(tmp_path: Path) -> None:
    raw = GOLDEN.read_bytes()
    whole = len(read(GOLDEN)[0])
    path = tmp_path / "nt_msg.db"
    for cut in range(1024, len(raw), 512):
        path.write_bytes(raw[:cut])
        messages, notes = read(path)
        assert len(messages) <= whole
        assert len(messages) == whole or notes.dropped["damaged_database"] == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_body_or_none(raw: bytes) -> None:
    body = body_of(raw)
    assert body is None or isinstance(body.notice, bool)


@given(st.integers(0, 1 << 63), st.binary(max_size=50))
def test_fields_are_read_back(number: int, words: bytes) -> None:
    def varint(n: int) -> bytes:
        return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])

    raw = varint(45002 << 3) + varint(number) + varint(45101 << 3 | 2) + varint(len(words)) + words
    assert list(fields(raw)) == [(45002, number), (45101, words)]
    with pytest.raises(ValueError, match=r".+"):
        list(fields(raw[:-1] if words else raw + b"\xff"))
