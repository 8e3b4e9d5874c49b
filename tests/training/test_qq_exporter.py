"""qq-chat-exporter's JSON: streamed, in any order and spacing, damaged or not."""

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from config.errors import InputError, MyBotError
from training.importers import importer_for, json_rows, jsonl, qq_exporter
from training.importers.places import Place
from training.importers.source import HEAD, Notes, Source, Zone, opened

EXPORTS = Path(__file__).parents[1] / "exports"

CHAT = {"name": "群", "type": "group", "groupCode": "445566"}


def source_of(raw: bytes) -> Source:
    return Source("x.json", io.BytesIO(raw), raw[:HEAD], len(raw))


def read(raw: bytes, notes: Notes | None = None) -> list[Message]:
    return list(qq_exporter.read(source_of(raw), notes or Notes(), Zone("+08:00")))


def row(number: int, text: str = "好", **more: Any) -> dict[str, Any]:
    content = {"text": text, "elements": [{"type": "text", "data": {"text": text}}]}
    sender = {"uid": f"u_{number % 3}", "uin": str(20001 + number % 3), "name": f"人{number % 3}"}
    return {
        "id": str(7000 + number),
        "timestamp": (1_700_000_000 + number) * 1000,
        "sender": sender,
        "content": content,
        **more,
    }


def export(rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"metadata": {}, "chatInfo": CHAT, **more, "messages": rows}


TEXTS = st.text(max_size=20).map(lambda s: s.encode("utf-8", "ignore").decode().replace("\ufffd", ""))


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, max_size=12), st.sampled_from([None, 2, "\t"]), st.booleans())
def test_every_text_comes_back(texts: list[str], indent: Any, ascii_only: bool) -> None:
    rows = [row(number, text) for number, text in enumerate(texts)]
    raw = json.dumps(export(rows), ensure_ascii=ascii_only, indent=indent).encode()
    notes = Notes()
    messages = read(raw, notes)
    assert [m.text for m in messages] == texts
    assert not notes.dropped


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_damage_costs_only_what_it_hits(data: st.DataObject) -> None:
    rows = [row(number, "词" * (number + 1)) for number in range(12)]
    raw = bytearray(json.dumps(export(rows), ensure_ascii=False).encode())
    start = raw.index(b'"messages"') + 13
    place = data.draw(st.integers(start, len(raw) - 3))
    raw[place] = data.draw(st.integers(0, 255))
    notes = Notes()
    ids = {m.id for m in read(bytes(raw), notes)}
    # The flip may change an id, and a quote that it makes or eats may reach into the next row.
    assert len(ids & {r["id"] for r in rows}) >= 10


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_give_messages_or_an_error_of_ours(noise: bytes, place: int) -> None:
    raw = json.dumps(export([row(0), row(1)])).encode()
    for importer in (qq_exporter, jsonl):
        for content in (noise, raw[:place] + noise + raw[place:], raw[:place]):
            source = source_of(content)
            assert 0 <= importer.sniff(source) <= 1
            with contextlib.suppress(MyBotError):
                for message in importer.read(source, Notes(), Zone("+08:00")):
                    json.loads(message.to_json().encode("utf-8", "replace"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("id", "timestamp", "time", "sender", "content", "recalled", "system", "type", "rawMessage", "messageId")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), max_size=4),
    st.dictionaries(st.sampled_from(["name", "type", "selfUin"]), JSON),
)
def test_values_of_any_type_never_break_the_reader(rows: list[dict[str, Any]], info: dict[str, Any]) -> None:
    raw = json.dumps({"chatInfo": {"name": "x", **info}, "messages": rows}).encode()
    notes = Notes()
    messages = read(raw, notes)
    assert len(messages) + sum(notes.dropped.values()) == len(rows)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["type", "data", "text"]), JSON), max_size=4))
def test_elements_of_any_shape_become_segments(elements: list[dict[str, Any]]) -> None:
    (message,) = read(json.dumps(export([row(0, content={"elements": elements, "text": "备用"})])).encode())
    Message.from_row(json.loads(message.to_json().encode("utf-8", "replace")))


def test_a_file_nested_on_purpose_is_one_broken_row() -> None:
    raw = json.dumps(export([row(0)])).encode()[:-2] + b', {"id": ' + b'{"a":[' * 100_000 + b"]}"
    notes = Notes()
    assert len(read(raw, notes)) == 1
    assert sum(notes.dropped.values()) == 1


def test_blocks_are_read_across_their_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(number, "字" * number) for number in range(40)]
    raw = json.dumps(export(rows, avatars={"u": "QUJD" * 500}), ensure_ascii=False).encode()
    whole = read(raw)
    assert len(whole) == 40
    for size in (1, 13, 500):
        monkeypatch.setattr("training.importers.text.BLOCK", size)
        assert read(raw) == whole


def test_the_window_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.importers.text.BLOCK", 4096)
    widest = 0
    grow = json_rows.Window.grow

    def watched(window: json_rows.Window) -> bool:
        nonlocal widest
        grown = grow(window)
        widest = max(widest, len(window.text))
        return grown

    monkeypatch.setattr(json_rows.Window, "grow", watched)
    raw = json.dumps(export([row(number, "字" * 50) for number in range(8000)])).encode()
    assert len(read(raw)) == 8000
    assert len(raw) > 2_000_000
    assert widest < 700_000


def test_the_chat_may_be_named_after_the_messages() -> None:
    raw = json.dumps({"messages": [row(0)], "metadata": {}, "chatInfo": CHAT}).encode()
    assert importer_for(source_of(raw))[0] == "qq_exporter"
    assert read(raw)[0].chat == "qq:group:445566"


def test_an_export_without_a_chat_is_refused() -> None:
    with pytest.raises(InputError, match="which chat"):
        read(b'{"messages": []}')


def test_a_reply_is_found_by_time_and_sender_only_where_the_id_is_unknown() -> None:
    def reply(**data: Any) -> dict[str, Any]:
        return {"elements": [{"type": "reply", "data": data}, {"type": "text", "data": {"text": "嗯"}}]}

    rows = [
        row(0),
        row(1),
        row(2, content=reply(referencedMessageId="7000", senderUin="20002", timestamp=1_700_000_001)),
        row(3, content=reply(messageId="unknown", senderUin="20002", timestamp="1700000001")),
        row(4, content=reply(messageId="elsewhere", senderUin="29999", timestamp=1)),
        row(5, content=reply(messageId="0")),
    ]
    assert [m.reply_to for m in read(json.dumps(export(rows)).encode())[2:]] == ["7000", "7001", "elsewhere", None]


def test_chunks_are_read_through_their_manifest_from_a_folder_or_a_zip(tmp_path: Path) -> None:
    whole = json.loads((EXPORTS / "exporter-now.json").read_text(encoding="utf-8"))
    rows = whole.pop("messages")
    folder = tmp_path / "export"
    (folder / "chunks").mkdir(parents=True)
    listed = []
    for number, part in enumerate((rows[:5], rows[5:]), 1):
        path = folder / "chunks" / f"c{number:06}.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part), encoding="utf-8")
        listed.append({"index": number, "relativePath": f"chunks/{path.name}", "count": len(part)})
    listed[1]["count"] += 1
    listed.append({"index": 3, "relativePath": "chunks/c000003.jsonl", "count": 9})
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({**whole, "chunked": {"format": "jsonl", "chunks": listed}}), encoding="utf-8")
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    with opened(EXPORTS / "exporter-now.json") as source:
        expected = [m.text for m in qq_exporter.read(source, Notes(), Zone("+08:00"))]
    for place in (Place(manifest), Place(Path(archive), "manifest.json")):
        notes = Notes()
        with place.open() as source:
            assert importer_for(source)[0] == "qq_exporter"
            assert [m.text for m in qq_exporter.read(source, notes, Zone("+08:00"))] == expected
        assert [warning.split("/")[-1][:12] for warning in notes.warnings] == ["c000002.json", "c000003.json"]
        assert not notes.dropped
