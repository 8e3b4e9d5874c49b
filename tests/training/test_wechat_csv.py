"""WeChat as CSV: columns by name, mixed times, quotes over lines, who is who where the file lies."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from training.importers import wechat_csv
from training.importers.source import HEAD, Notes, Source, Zone
from training.importers.wechat_content import segments_of, split_quote, type_of

DUMP = ["id", "MsgSvrID", "type_name", "is_sender", "talker", "room_name", "msg", "src", "CreateTime"]
TRACE = [
    "localId",
    "TalkerId",
    "Type",
    "SubType",
    "IsSender",
    "CreateTime",
    "Status",
    "StrContent",
    "StrTime",
    "Remark",
    "NickName",
    "Sender",
]


def read(raw: bytes | str, notes: Notes | None = None, name: str = "x.csv") -> list[Message]:
    raw = raw.encode() if isinstance(raw, str) else raw
    source = Source(name, io.BytesIO(raw), raw[:HEAD], len(raw))
    assert wechat_csv.sniff(source) > 0.9
    return list(wechat_csv.read(source, notes or Notes(), Zone("+08:00")))


def table(head: list[str], *rows: list[Any], end: str = "\r\n") -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=end)
    writer.writerows([head, *rows])
    return file.getvalue()


def dump(text: str, number: int = 1, mine: int = 0, time: Any = 1_700_000_000, **more: Any) -> list[Any]:
    row = {"id": number, "MsgSvrID": 10**18 + number * 7 + 1, "type_name": "文本", "is_sender": mine}
    row |= {
        "talker": "wxid_me" if mine else "wxid_lu",
        "room_name": "wxid_lu",
        "msg": text,
        "src": "",
        "CreateTime": time,
    }
    return [(row | more)[column] for column in DUMP]


def trace(text: str, chat: Any, mine: int, sender: str, name: str, kind: int = 1, sub: int = 0) -> list[Any]:
    return [1, chat, kind, sub, mine, 1_700_000_000, "", text, "", name, name, sender]


TRAP = '2024-01-01 00:00:00 小北(10001)\n1,100,文本,0,wxid_x,wxid_lu,假的,,2023-01-01 00:00:00\n\n"引号", 逗号'
TEXTS = st.text(st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(TEXTS | st.just(TRAP), min_size=1, max_size=10),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
)
def test_every_text_comes_back(texts: list[str], end: str, encoding: str) -> None:
    texts = [text for text in texts if "\ufffd" not in text and "\ufeff" not in text and "\u2005" not in text]
    texts = [text for text in texts if not text.startswith(('{"', "<msg", "<?xml"))] or ["好"]
    rows = [dump(text, number) for number, text in enumerate(texts)]
    # Bytes of a few characters may be read as either encoding: some plain Chinese settles it.
    raw = table(DUMP, dump("今天天气不错，我们去公园走走吧", 99), *rows, end=end).encode(encoding)
    notes = Notes()
    assert [message.text for message in read(raw, notes)[1:]] == texts
    assert not notes.dropped


@pytest.mark.parametrize(
    ("written", "time", "precision"),
    [
        (1_700_000_000, 1_700_000_000, "s"),
        (1_700_000_000_123, 1_700_000_000, "s"),
        ("1700000000.0", 1_700_000_000, "s"),
        ("2023-11-15 06:13:20", 1_700_000_000, "s"),
        ("2023/11/15 6:13", 1_700_000_000 - 20, "min"),
        ("2023-11-15T06:13:20.5+08:00", 1_700_000_000, "s"),
        ("2023-11-14T22:13:20Z", 1_700_000_000, "s"),
        ("2023年11月15日 06:13:20", 1_700_000_000, "s"),
    ],
)
def test_times_in_any_spelling(written: Any, time: int, precision: str) -> None:
    (message,) = read(table(DUMP, dump("在", time=written)))
    assert (message.time, message.precision) == (time, precision)


@pytest.mark.parametrize("written", ["", "昨天", "2023-02-30 10:00:00", "2023-01-01 25:00:00", "-5", "9" * 16])
def test_no_time_no_message(written: str) -> None:
    notes = Notes()
    assert read(table(DUMP, dump("在", time=written)), notes) == []
    assert dict(notes.dropped) == {"bad_time": 1}


def test_columns_in_another_order_with_others_between() -> None:
    rows = [dict(zip(DUMP, dump("在", mine=1), strict=True)) | {"extra": "x"}]
    head = ["extra", *reversed(DUMP)]
    (message,) = read(table(head, [rows[0][column] for column in head]))
    assert (message.text, message.sender) == ("在", "wxid_me")


def test_a_quote_that_never_closes_costs_one_row() -> None:
    raw = table(DUMP, dump("一", 1), dump("XX", 2), dump("三\n行", 3), dump("四", 4)).replace("XX", '"XX')
    raw = raw.replace(',"XX,', ',"XX,', 1)
    notes = Notes()
    assert [message.text for message in read(raw, notes)] == ["一", "三\n行", "四"]
    assert dict(notes.dropped) == {"broken_row": 1}
    assert notes.places["broken_row"][0].startswith("x.csv:3#")


def test_a_foreign_row_with_my_account_is_the_friends_and_mine_stays_mine() -> None:
    notes = Notes()
    messages = read(
        table(
            DUMP,
            dump("图片", 1, type_name="图片", talker="wxid_me"),
            dump("在", 2, mine=1),
            dump("在吗", 3),
            dump("在", 4, mine=1),
        ),
        notes,
    )
    assert [message.sender for message in messages] == ["wxid_lu", "wxid_me", "wxid_lu", "wxid_me"]
    assert notes.owners == {"wxid_me"}


def test_in_a_group_such_a_row_is_nobodys() -> None:
    notes = Notes()
    room = "6@chatroom"
    rows = [dump("图片", 1, talker="wxid_me", room_name=room), dump("在", 2, mine=1, room_name=room)]
    messages = read(table(DUMP, *rows), notes)
    assert [message.sender for message in messages] == ["?", "wxid_me"]
    assert dict(notes.damaged) == {"unknown_sender": 1}
    assert messages[0].kind == "group"


def test_my_rows_that_bear_the_friends_account_are_mine() -> None:
    notes = Notes()
    rows = [trace("你好", 5, 1, "wxid_lu", "鹿鹿"), trace("在", 5, 0, "wxid_lu", "鹿鹿")]
    messages = read(table(TRACE, *rows), notes)
    assert [(m.sender, m.name) for m in messages] == [("我", "我"), ("wxid_lu", "鹿鹿")]
    assert notes.owners == {"我"}
    assert {(m.chat, m.chat_name) for m in messages} == {("wechat:private:wxid_lu", "鹿鹿")}


def test_a_spreadsheets_ids_are_not_trusted() -> None:
    first, second = read(table(DUMP, dump("一", 1, MsgSvrID="7190853615821720000"), dump("二", 2, MsgSvrID="7.19E+18")))
    assert first.id.startswith("~")
    assert second.id.startswith("~")
    assert first.id != second.id


def test_two_pages_of_one_export_agree() -> None:
    rows = [dump(f"第{number}句", number, MsgSvrID="") for number in range(6)]
    whole, part = read(table(DUMP, *rows)), read(table(DUMP, *rows[3:]), name="x_2.csv")
    assert {m.chat for m in whole} == {m.chat for m in part} == {"wechat:private:wxid_lu"}
    assert [m.id for m in part] == [m.id for m in whole[3:]]


def test_older_content_is_an_object() -> None:
    head = "id,MsgSvrID,type_name,is_sender,talker,room_name,content,CreateTime"
    raw = table(
        list(head.split(",")),
        [1, 10**18 + 1, "文本", 0, "wxid_lu", "wxid_lu", '{"src": "", "msg": "晚安"}', 1_700_000_000],
    )
    assert read(raw)[0].text == "晚安"


def test_an_answer_is_split_from_what_it_quotes_only_where_it_is_one() -> None:
    quote = "好\n\n[引用](2023-11-15 06:13:20)鹿鹿:在吗\n第二行"
    rows = [dump("在吗\n第二行", 1), dump(quote, 2, mine=1, type_name="引用回复"), dump(quote, 3)]
    asked, answered, typed = read(table(DUMP, *rows))
    assert (answered.text, answered.reply_to) == ("好", asked.id)
    assert (typed.text, typed.reply_to) == (quote, None)


def test_split_quote_takes_the_last_one() -> None:
    assert split_quote("没有引用") == ("没有引用", None)
    body, quoted = split_quote("看[引用](假的)\n[引用](2023-1-1 1:01:01)a: b：c")
    assert body == "看[引用](假的)"
    assert quoted
    assert (quoted.name, quoted.text) == ("a", " b：c")


@pytest.mark.parametrize(
    ("kind", "sub", "found"),
    [
        ("文本", "", "text"),
        ("引用消息", "", "text"),
        ("(分享)小程序", "", "card"),
        ("红包卡片", "", "redpacket"),
        ("合并转发的聊天记录", "", "forward"),
        ("动画表情", "", "sticker"),
        ("语音通话", "", "call"),
        ("49", "57", "text"),
        ("49", "2001", "redpacket"),
        ("10000", "0", "system"),
        ("没听说过", "", "unknown"),
        ("²", "", "unknown"),
    ],
)
def test_kinds(kind: str, sub: str, found: str) -> None:
    assert type_of(kind, sub) == found


def test_names_of_files_and_titles_are_kept() -> None:
    assert segments_of("49", "[文件]地图.pdf", "0")[0].text == "地图.pdf"
    assert segments_of("文件消息", "[文件] 表.xlsx")[0].text == "表.xlsx"
    card = segments_of("49", "<msg><appmsg><title>a&amp;b</title></appmsg></msg>", "5")[0]
    assert (card.type, card.text) == ("card", "a&b")
