"""The importers of other platforms on damaged, shuffled and foreign bytes: messages and counts, or an error of ours."""

import contextlib
import io
import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from config.errors import MyBotError
from training.importers import formats
from training.importers.lines import LONGEST
from training.importers.source import HEAD, Notes, Source, Zone

LRM = "\u200e"
EXPORTS = Path(__file__).parents[1] / "exports"
FORMATS = (
    "wechat_csv",
    "weflow_json",
    "telegram",
    "discord",
    "whatsapp",
    "train_json_rows",
    "onebot_history",
    "qq_mht",
    "qq_mobile_html",
    "qq_pasted",
    "qq_exporter_txt",
)
SAMPLES = {
    "wechat_csv": ("wechat-pywxdump.csv", "wechat-private-gbk.csv", "wechat-memotrace.csv", "wechat-memotrace-new.csv"),
    "weflow_json": ("weflow.json", "echotrace.json"),
    "telegram": ("telegram-group.json", "telegram-account.json"),
    "discord": ("discord-guild.json", "discord-direct.json"),
    "whatsapp": ("_chat.txt", "whatsapp-us.txt", "whatsapp-android-zh.txt", "whatsapp-de.txt"),
    "train_json_rows": ("train.json",),
    "onebot_history": ("onebot-group.json", "onebot-private.jsonl", "onebot-answers.jsonl"),
    "qq_mht": ("mht-group.mht", "mht-friend.mht"),
    "qq_mobile_html": ("android-friend.html",),
    "qq_exporter_txt": ("exporter-text.txt", "exporter-text-friend.txt"),
    "qq_pasted": ("pasted-window.txt", "pasted-manager.txt", "pasted-mobile.txt", "nt-export.txt"),
}
ONE_LINE = ("echotrace.json", "discord-direct.json", "onebot-answers.jsonl")
NAMES = [(name, sample) for name, samples in SAMPLES.items() for sample in samples]


def read(name: str, raw: bytes) -> tuple[list[Message], Notes]:
    """What comes out; an error of ours counts as nothing."""
    notes = Notes()
    source = Source("x", io.BytesIO(raw), raw[:HEAD], len(raw))
    importer = formats()[name]
    assert 0 <= importer.sniff(source) <= 1
    messages: list[Message] = []
    with contextlib.suppress(MyBotError):
        messages.extend(importer.read(source, notes, Zone("+08:00")))
    for message in messages:
        again = Message.from_row(json.loads(message.to_json().encode("utf-8", "replace")))
        assert again.chat.count(":") >= 2
    assert all("#" in place for places in notes.places.values() for place in places)
    return messages, notes


def test_every_format_is_fuzzed() -> None:
    assert set(SAMPLES) == set(FORMATS)
    assert set(FORMATS) <= formats().keys()


@pytest.mark.parametrize(("name", "sample"), NAMES)
def test_a_truncated_file_gives_its_beginning(name: str, sample: str) -> None:
    raw = (EXPORTS / sample).read_bytes()
    whole, _ = read(name, raw)
    sizes = []
    for cut in range(0, len(raw), max(1, len(raw) // 40)):
        messages, _ = read(name, raw[:cut])
        sizes.append(len(messages))
    assert sizes[0] == 0
    assert sizes[-1] >= len(whole) - 3


@pytest.mark.parametrize(("name", "sample"), NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_flipped_bits_cost_little(name: str, sample: str, data: st.DataObject) -> None:
    raw = bytearray((EXPORTS / sample).read_bytes())
    whole, _ = read(name, bytes(raw))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    messages, _ = read(name, bytes(raw))
    # A flip may hit what the whole file hangs on (the header, the array's name); beyond it, a row or two.
    if place > len(raw) // 2 and name != "wechat_csv":
        assert len(messages) >= len(whole) - 4


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30, deadline=None)
@given(noise=st.binary(max_size=300), place=st.integers(0, 600))
def test_binary_in_the_middle(name: str, noise: bytes, place: int) -> None:
    raw = (EXPORTS / SAMPLES[name][0]).read_bytes()
    read(name, noise)
    read(name, raw[:place] + noise + raw[place:])


@pytest.mark.parametrize(("name", "sample"), NAMES)
def test_shuffled_lines(name: str, sample: str) -> None:
    lines = (EXPORTS / sample).read_bytes().split(b"\n")
    for seed in range(8):
        random.Random(seed).shuffle(lines)
        read(name, b"\n".join(lines))


@pytest.mark.parametrize(("name", "sample"), [pair for pair in NAMES if pair[1] not in ONE_LINE])
def test_a_huge_line_costs_itself(name: str, sample: str) -> None:
    raw = (EXPORTS / sample).read_bytes()
    whole, _ = read(name, raw)
    lines = raw.split(b"\n")
    middle = len(lines) // 2
    lines[middle : middle + 1] = [lines[middle], b"x" * (LONGEST + 100)]
    messages, notes = read(name, b"\n".join(lines))
    assert len(messages) >= len(whole) - 3
    assert notes.dropped or notes.damaged
    assert max(len(message.text) for message in messages) <= LONGEST


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = {
    "telegram": (
        "id type date date_unixtime from from_id actor action text media_type photo file poll forwarded_from"
        " reply_to_message_id mime_type place_name via_bot"
    ),
    "discord": "id type timestamp author content attachments stickers embeds mentions reference forwardedMessage",
    "onebot_history": "self_id user_id time message_id message_type sender message raw_message group_id post_type target_id",
    "weflow_json": "localId createTime formattedTime type content isSend senderUsername senderDisplayName platformMessageId",
}
HEADS = {
    "telegram": {"name": "x", "type": "private_group", "id": 5},
    "discord": {"guild": {"id": "1", "name": "g"}, "channel": {"id": "2", "type": "GuildTextChat", "name": "c"}},
    "onebot_history": {"status": "ok", "retcode": 0},
    "weflow_json": {"session": {"wxid": "wxid_a", "displayName": "a"}},
}
LIKELY = st.sampled_from(
    ["message", "Default", "Reply", "文本消息", "1700000000", 1700000000, "2024-01-01T00:00:00+00:00"]
)


@pytest.mark.parametrize("name", list(KEYS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_row_of_any_shape_is_a_message_or_counted(name: str, data: st.DataObject) -> None:
    row = st.dictionaries(st.sampled_from(KEYS[name].split()), LIKELY | JSON)
    rows = data.draw(st.lists(row, max_size=5))
    messages, notes = read(name, json.dumps({**HEADS[name], "messages": rows}).encode())
    assert len(messages) + sum(notes.dropped.values()) == len(rows)


CELL = st.text(st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CELL, max_size=9), max_size=6))
def test_every_row_of_a_csv_is_a_message_or_counted(rows: list[list[str]]) -> None:
    head = "id,MsgSvrID,type_name,is_sender,talker,room_name,msg,src,CreateTime\n"
    body = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
    _, notes = read("wechat_csv", (head + body).encode())
    filled = sum(1 for row in rows if row)
    assert sum(notes.dropped.values()) >= filled


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["", "a", "2024/1/2 08:00 - 小鹿: 在", "2023/9/9 09:09 - 旧: 话", "x: y", "\u2028", " "]))
)
def test_every_line_of_a_text_is_in_a_message_or_counted(lines: list[str]) -> None:
    messages, notes = read("whatsapp", "\n".join(lines).encode())
    told = sum(message.text.count("\n") + 1 for message in messages)
    before = int(messages[0].source.rpartition(":")[2]) - 1 if messages else 0
    whole = "\n".join(lines).rstrip("\n").count("\n") + 1
    assert told == (whole - before if messages else 0)
    assert sum(notes.dropped.values()) == sum(1 for line in lines[:before] if line.strip(" "))


CSV_HEAD = "id,MsgSvrID,type_name,is_sender,talker,room_name,msg,src,CreateTime\n"
MHT = "From: <Save by Tencent MsgMgr>\n<td>消息对象:a</td></tr><tr><td>日期: 2021-05-01</td></tr>\n"
BEGINNINGS = {
    "wechat_csv": (CSV_HEAD, CSV_HEAD + "1,,引用回复,0,a,a,", CSV_HEAD + '1,,文本,0,a,a,"'),
    "whatsapp": ("", "1/20/23, 8:00 - A: ", f"1/20/23, 8:00 - A: {LRM}"),
    "qq_mht": ("", MHT, MHT + "<tr><td><div style=color:#42B475;x><div style=y>a</div>8:00:00</div><div z>"),
    "qq_mobile_html": (
        "",
        '<font color="blue"><b>a(30011)</b></font>-----<font color="green">2016-03-04 8:00:00</font>',
    ),
    "qq_pasted": ("", "小鹿 2023/1/1 8:00:11\n", "— —  2023-1-1  — —\n"),
    "qq_exporter_txt": (
        "",
        "小鹿:\n时间: 2023-01-01 08:00:11\n内容: ",
        "小鹿:\n时间: 2023-01-01 08:00:11\n内容: [回复消息]@\n回复: ",
    ),
    "train_json_rows": ("", '{"text": "### Human: '),
    **{name: ("", json.dumps({**head, "messages": []})[:-2], json.dumps(head)[:-1]) for name, head in HEADS.items()},
}
PIECES = [LRM, " ", '"', ".a", "<title>", "[引用](", "\u2068@", "{", "[", "1/", ": ", "\\", "### Human: "]
PIECES += [
    "<tr>",
    "</tr>",
    "<br>",
    "</br>",
    "&get;",
    "-----",
    "[CQ:",
    "[CQ:a,b=c",
    "<div style=color:#42B475;x>",
    "\x00",
]
PIECES += ["回复: 01-01 08:00 a - ", " - ", "\n  - a", "[转发消息: 1条]\n  ", "提及: a\n", "[图片:", "小鹿:\n"]
PIECES += ['{"id": 1, "type": "message", "a": [', '"messages": [', "]", "\n", '"\n', "1,2,文本,0,a,b,c,,1700000000\n"]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_thing_over_and_over_takes_no_time(name: str, piece: str) -> None:
    """A pattern that backtracks over such a file would take minutes."""
    much = (piece * 40_000)[:40_000]
    began = time.process_time()
    for head in BEGINNINGS[name]:
        for tail in ("", ",,1700000000\n", "\n1/21/23, 8:00 - A: ende\n"):
            read(name, (head + much + tail).encode())
    assert time.process_time() - began < 5
