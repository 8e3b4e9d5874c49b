"""QQ text exports: what is written is read, whatever the bodies, clocks, line ends and encodings are."""

import io
import json
import string
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from config.errors import InputError, SettingsError
from training.importers import importer_for, qq_txt
from training.importers.qq_txt_lines import split_who, wall_time
from training.importers.qq_txt_survey import first_look, survey
from training.importers.source import HEAD, Notes, Source, Zone

RULE = "=" * 64
TITLE = "消息记录（此消息记录为文本格式，不支持重新导入）"
PLUS_8 = Zone("+08:00")

CLOCKS = {
    "unpadded": lambda t: f"{t.hour}:{t:%M:%S}",
    "padded": lambda t: f"{t:%H:%M:%S}",
    "am_pm": lambda t: f"{t.hour % 12 or 12}:{t:%M:%S} {'AM' if t.hour < 12 else 'PM'}",
    "chinese": lambda t: f"{'上午' if t.hour < 12 else '下午'} {t.hour % 12 or 12:02}:{t:%M:%S}",
}


def source_of(raw: bytes, name: str = "x.txt") -> Source:
    return Source(name, io.BytesIO(raw), raw[:HEAD], len(raw))


def read(raw: bytes, notes: Notes | None = None, zone: Zone = PLUS_8) -> list[Message]:
    return list(qq_txt.read(source_of(raw), notes or Notes(), zone))


@dataclass
class Said:
    time: int
    who: str
    body: str


def export(said: list[Said], clock: str = "unpadded", eol: str = "\r\n", name: str = "群") -> str:
    text = f"{TITLE}\n\n{RULE}\n消息分组:我的群聊\n{RULE}\n消息对象:{name}\n{RULE}\n\n".replace("\n", eol)
    for one in said:
        at = datetime.fromtimestamp(one.time + 8 * 3600, timezone.utc)
        text += f"{at:%Y-%m-%d} {CLOCKS[clock](at)} {one.who}{eol}{one.body}{eol}{eol}"
    return text


NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8).filter(
    lambda name: not name.startswith("【") and not name.isdigit()
)
WHO = st.builds(
    lambda name, number: f"{name}({number})", NAMES, st.integers(10001, 10**11).filter(lambda n: n != 1000000)
)
PIECES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12).map(lambda s: s.replace("\ufffd", "")),
    st.sampled_from(
        [
            "\n",
            "\n\n",
            "2001-01-01 8:00:00 甲(10086)",
            "消息对象:乙",
            RULE,
            TITLE,
            "[图片]",
            "【】",
            "\u2028",
            "\x85",
            "\x0b",
        ]
    ),
)
BODIES = st.lists(PIECES, max_size=6).map("".join)
SAID = st.lists(st.tuples(st.integers(0, 90_000), WHO, BODIES), min_size=1, max_size=25)


def in_order(drawn: list[tuple[int, str, str]]) -> Iterator[Said]:
    time = 1_500_000_000
    for gap, who, body in drawn:
        time += gap
        yield Said(time, who, body)


@settings(max_examples=120, deadline=None)
@given(SAID, st.sampled_from(sorted(CLOCKS)), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]))
def test_what_is_written_is_read(drawn: list[tuple[int, str, str]], clock: str, encoding: str) -> None:
    said = list(in_order(drawn))
    notes = Notes()
    messages = read(export(said, clock).encode(encoding), notes)
    assert [(m.time, m.sender, m.text) for m in messages] == [
        (one.time, one.who.rsplit("(", 1)[1][:-1], one.body) for one in said
    ]
    assert [m.name for m in messages] == [one.who.rsplit("(", 1)[0].strip() for one in said]
    assert not notes.dropped


@settings(max_examples=60, deadline=None)
@given(SAID, st.sampled_from(sorted(CLOCKS)))
def test_ids_are_stable_over_line_ends_clocks_and_overlaps(drawn: list[tuple[int, str, str]], clock: str) -> None:
    said = [Said(one.time, one.who, one.body.replace("\n", " ")) for one in in_order(drawn)]
    ids = [m.id for m in read(export(said).encode())]
    assert len(set(ids)) == len(ids)
    assert [m.id for m in read(export(said, clock, "\n").encode("utf-16"))] == ids
    later = [one for one in said if one.time > said[len(said) // 2].time]
    if later:
        assert [m.id for m in read(export(later).encode())] == ids[-len(later) :]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from(
                [b"\r\n", b"\n\n", b"\r\n\r\n", b"\xff\xfe", b"2020-01-01 8:00:00 a(12345)", b"2020-13-41 99:99:99 b"]
            ),
            st.sampled_from([RULE, "消息分组:x", "消息对象:y", TITLE]).map(str.encode),
        ),
        max_size=40,
    ).map(b"".join)
)
def test_any_bytes_give_messages_or_nothing(raw: bytes) -> None:
    source = source_of(raw)
    assert 0 <= qq_txt.sniff(source) <= 1
    for message in qq_txt.read(source, Notes(), PLUS_8):
        Message.from_row(json.loads(message.to_json().encode("utf-8", "replace")))


@settings(max_examples=60, deadline=None)
@given(SAID, st.data())
def test_a_truncated_file_keeps_what_came_before(drawn: list[tuple[int, str, str]], data: st.DataObject) -> None:
    said = list(in_order(drawn))
    raw = export(said).encode()
    whole = read(raw)
    cut = read(raw[: data.draw(st.integers(len(raw) // 2, len(raw)))])
    assert [m.id for m in cut[:-1]] == [m.id for m in whole[: max(0, len(cut) - 1)]]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_one_broken_byte_costs_one_character(encoding: str) -> None:
    said = [Said(1_600_000_000 + n, f"甲({20000 + n})", "今天下雨了") for n in range(40)]
    raw = bytearray(export(said).encode(encoding))
    place = bytes(raw).rfind("雨".encode(encoding)[-2:])
    raw[place : place + 2] = b"\xff\xff" if encoding != "utf-16" else b"\x00\xdc"
    notes = Notes()
    messages = read(bytes(raw), notes)
    assert [m.time for m in messages] == [one.time for one in said]
    assert [m.text for m in messages[:-1]] == ["今天下雨了"] * 39
    assert "\ufffd" in messages[-1].text
    assert sum(notes.damaged.values()) == 1
    assert notes.places["undecodable_bytes"][0].startswith("x.txt:")


def test_blocks_are_read_across_their_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [Said(1_600_000_000 + n * 60, f"名字{n}({20000 + n})", f"第{n}句\n\n还有" * (n % 4)) for n in range(60)]
    raw = export(said).encode()
    whole = read(raw)
    for size in (1, 7, 64, 333):
        monkeypatch.setattr("training.importers.text.BLOCK", size)
        assert read(raw) == whole


SECTION = f"{RULE}\r\n消息分组:我的好友\r\n{RULE}\r\n消息对象:乙\r\n{RULE}\r\n\r\n"
TROUBLE = st.sampled_from(
    [
        "2001-01-01 8:00:00 甲(10086)\r\n旧话\r\n\r\n",
        "2090-01-01 8:00:00 甲(10086)\r\n以后\r\n\r\n",
        "2021-02-30 8:00:00 甲(10086)\r\n没有这天\r\n\r\n",
        SECTION,
        SECTION.replace("我的好友", "家教"),
        "\r\n",
    ]
)


@settings(max_examples=150, deadline=None)
@given(SAID, st.lists(st.tuples(st.integers(0, 25), TROUBLE), max_size=4), st.integers(40, 900))
def test_a_first_look_changes_nothing(
    drawn: list[tuple[int, str, str]], trouble: list[tuple[int, str]], size: int
) -> None:
    """What is believed after the first block, and taken up again where something speaks against it."""
    pieces = [export([one]).partition(f"消息对象:群\r\n{RULE}\r\n\r\n")[2] for one in in_order(drawn)]
    for place, text in trouble:
        pieces.insert(place, text)
    raw = (export([]) + "".join(pieces)).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.importers.qq_txt_survey._SAMPLE", 1)
        looked, surveyed = Notes(), Notes()
        patch.setattr("training.importers.text.BLOCK", size)
        messages = read(raw, looked)
        patch.setattr("training.importers.qq_txt.first_look", lambda file: replace(first_look(file), sure=False))
        assert read(raw, surveyed) == messages
    assert looked == surveyed


def test_a_long_file_is_looked_at_once_and_a_doubtful_one_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [Said(1_600_000_000 + n * 60, f"名字({20000 + n % 9})", f"第{n}句") for n in range(4000)]
    surveyed: list[int] = []
    monkeypatch.setattr(qq_txt, "survey", lambda *given: surveyed.append(1) or survey(*given))
    assert len(read(export(said).encode())) == 4000
    assert not surveyed
    said[3990].body = "看\n\n"
    raw = (export(said[:3990]) + "2001-01-01 8:00:00 甲(10086)\r\n旧话\r\n\r\n" + export(said[3990:])).encode()
    messages = read(raw)
    assert (len(messages), messages[3989].text.count("甲(10086)")) == (4000, 1)
    assert len({m.id for m in messages}) == 4000
    assert surveyed


def test_an_endless_message_is_cut_and_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.importers.qq_txt.LONGEST_BODY", 5000)
    monkeypatch.setattr("training.importers.qq_txt_lines.LONGEST", 9000)
    said = [Said(1_600_000_000, "甲(20001)", "长" * 400_000 + "\n" * 10), Said(1_600_000_100, "乙(20002)", "短")]
    notes = Notes()
    long, short = read(export(said).encode(), notes)
    assert len(long.text) == 5000
    assert short.text == "短"
    assert short.source == "x.txt:22"
    assert dict(notes.damaged) == {"cut_off": 1}


def test_text_outside_messages_is_counted_by_line_and_hash() -> None:
    notes = Notes()
    (message,) = read("手写的说明\n再一行\n\n2020-01-01 8:00:00 甲(20001)\n在\n\n".encode(), notes)
    assert message.text == "在"
    assert notes.dropped == {"outside_messages": 2}
    assert [place.split("#")[0] for place in notes.places["outside_messages"]] == ["x.txt:1", "x.txt:2"]


def test_a_named_zone_knows_summer_time() -> None:
    raw = export([Said(0, "甲(20001)", "冬"), Said(0, "甲(20001)", "夏")]).replace("1970-01-01 8:00:00", "2021-{}")
    raw = raw.format("01-15 12:00:00", "07-15 12:00:00").encode()
    winter, summer = read(raw, zone=Zone("Europe/Berlin"))
    assert (winter.time % 86400, summer.time % 86400) == (11 * 3600, 10 * 3600)
    with pytest.raises(SettingsError, match="no zone"):
        Zone("Mars/Olympus")


def test_a_wrong_date_is_text() -> None:
    raw = export([Said(1_600_000_000, "甲(20001)", "看")]) + "2021-02-30 8:00:00 乙(20002)\r\n没有这天\r\n\r\n"
    (message,) = read(raw.encode())
    assert message.text == "看\n\n2021-02-30 8:00:00 乙(20002)\n没有这天"


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("小鹿(20002)", ("20002", "小鹿")),
        ("【群主】小鹿(20002)", ("20002", "小鹿")),
        ("a(b)(20002)", ("20002", "a(b)")),
        ("小鹿<x@example.com>", ("x@example.com", "小鹿")),
        ("小鹿<13900001111>", ("13900001111", "小鹿")),
        ("小鹿<+86 139-0000-1111>", ("+86 139-0000-1111", "小鹿")),
        ("(20002)", ("20002", "")),
        ("小鹿(1234)", None),
        ("小鹿(1234567890123)", None),
        ("小鹿<3", None),
        ("小鹿(２０００２)", None),
        ("【群主】小鹿", None),
    ],
)
def test_who(who: str, expected: tuple[str, str] | None) -> None:
    assert split_who(who) == expected


@pytest.mark.parametrize(
    ("hour", "mark", "expected"),
    [
        ("12", "AM", 0),
        ("12", "PM", 12),
        ("1", "pm", 13),
        ("12", "凌晨", 0),
        ("12", "上午", 0),
        ("11", "中午", 11),
        ("12", "中午", 12),
        ("1", "中午", 13),
        ("08", "晚上", 20),
        ("20", "晚上", 20),
        ("24", "", None),
    ],
)
def test_clock_marks(hour: str, mark: str, expected: int | None) -> None:
    time = wall_time("1970-01-01", hour, "00:00", mark)
    assert time == (None if expected is None else expected * 3600)


@pytest.mark.parametrize("text", [string.printable * 50, '{"chatInfo": {}}', "a,b,c\n1,2,3\n", "2020-01-01 聊天\n早\n"])
def test_other_texts_are_not_taken_for_an_export(text: str) -> None:
    assert qq_txt.sniff(source_of(text.encode())) < 0.5


def test_an_unknown_format_lists_the_guesses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown format") as caught:
        importer_for(source_of(b"nothing that is known"))
    assert "like none of discord, " in caught.value.hint
    assert "qq_txt" in caught.value.hint
    with pytest.raises(InputError, match="unknown format") as caught:
        importer_for(source_of(b"[2021/3/6 08:05:09] nobody\n"))
    assert "a little like whatsapp 0." in caught.value.hint
    assert "0.00" not in caught.value.hint
    with pytest.raises(SettingsError, match="no format 'mth'"):
        importer_for(source_of(b"x"), "mth")
    assert importer_for(source_of(b"x"), "jsonl")[0] == "jsonl"
