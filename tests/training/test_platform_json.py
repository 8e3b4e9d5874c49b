"""Telegram, Discord and WeFlow: streamed, in any spacing, with their marks, links and owners."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from config.errors import InputError
from training.importers import discord, json_rows, telegram, weflow_json
from training.importers.source import HEAD, Notes, Source, Zone


def source_of(raw: bytes) -> Source:
    return Source("x.json", io.BytesIO(raw), raw[:HEAD], len(raw))


def read(importer: Any, export: Any, notes: Notes | None = None, **how: Any) -> list[Message]:
    raw = export if isinstance(export, bytes) else json.dumps(export, ensure_ascii=False, **how).encode()
    return list(importer.read(source_of(raw), notes or Notes(), Zone("+08:00")))


def tg(number: int, text: Any = "好", **more: Any) -> dict[str, Any]:
    row = {"id": number, "type": "message", "date": "2024-01-01T08:00:00", "date_unixtime": str(1_700_000_000 + number)}
    return {**row, "from": "鹿鹿", "from_id": "user11", "text": text, "text_entities": [], **more}


def tg_chat(rows: list[dict[str, Any]], number: int = 5, kind: str = "private_group", **more: Any) -> dict[str, Any]:
    return {"name": f"群{number}", "type": kind, "id": number, **more, "messages": rows}


def dc(number: int, text: str = "好", **more: Any) -> dict[str, Any]:
    author = {"id": "31", "name": "lu", "nickname": "鹿鹿", "isBot": False}
    row = {"id": str(100 + number), "type": "Default", "timestamp": f"2024-01-01T08:00:{number % 60:02}.5+08:00"}
    return {
        **row,
        "content": text,
        "author": author,
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "mentions": [],
        **more,
    }


def dc_channel(rows: list[dict[str, Any]], kind: str = "GuildTextChat") -> dict[str, Any]:
    channel = {"id": "77", "type": kind, "name": "闲聊"}
    return {
        "guild": {"id": "1", "name": "猫咖"},
        "channel": channel,
        "dateRange": {},
        "exportedAt": "x",
        "messages": rows,
    }


def wf(number: int, text: str = "好", **more: Any) -> dict[str, Any]:
    row = {"localId": 1, "createTime": 1_700_000_000 + number, "type": "文本消息", "content": text, "isSend": 0}
    return {**row, "senderUsername": "wxid_lu", "senderDisplayName": "鹿鹿", **more}


def wf_session(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"weflow": {}, "session": {"wxid": "6@chatroom", "displayName": "群", "type": "群聊"}, "messages": rows}


MAKERS = {
    "telegram": (telegram, tg, tg_chat),
    "discord": (discord, dc, dc_channel),
    "weflow": (weflow_json, wf, wf_session),
}
TRAPS = [
    '"messages": [{"id": 1, "type": "message"}]',
    "### Human: a",
    "\u2028\u0085\x0b",
    "a\rb",
    "[图片]",
    "}]",
    '\\"]}',
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(TRAPS)


@pytest.mark.parametrize("name", list(MAKERS))
@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, max_size=10), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_every_text_comes_back(name: str, texts: list[str], indent: Any, ascii_only: bool) -> None:
    importer, row, export = MAKERS[name]
    texts = [text for text in texts if "\ufffd" not in text and "\u2005" not in text]
    notes = Notes()
    raw = json.dumps(export([row(n, text) for n, text in enumerate(texts, 1)]), indent=indent, ensure_ascii=ascii_only)
    assert [message.text for message in read(importer, raw.encode(), notes)] == texts
    assert not notes.dropped


@pytest.mark.parametrize("name", list(MAKERS))
def test_the_window_stays_small_and_blocks_make_no_difference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    importer, row, export = MAKERS[name]
    raw = json.dumps(export([row(number, "字" * 50) for number in range(4000)])).encode()
    whole = read(importer, raw)
    assert len(whole) == 4000
    widest = 0
    grow = json_rows.Window.grow

    def watched(window: json_rows.Window) -> bool:
        nonlocal widest
        grown = grow(window)
        widest = max(widest, len(window.text))
        return grown

    monkeypatch.setattr(json_rows.Window, "grow", watched)
    for size in (997, 4096):
        monkeypatch.setattr("training.importers.text.BLOCK", size)
        assert read(importer, raw) == whole
    assert widest < 700_000 < len(raw)


def account(*chats: dict[str, Any]) -> dict[str, Any]:
    return {
        "personal_information": {"user_id": 22},
        "contacts": {"list": [{"user_id": 11}]},
        "chats": {"list": list(chats)},
    }


@pytest.mark.parametrize("block", [1, 7, 300, 1 << 18])
def test_an_account_keeps_its_chats_apart(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.importers.text.BLOCK", block)
    empty = tg_chat([], 6)
    named = tg_chat([tg(3, "丙")], 7, name='花{括"号\\')
    notes = Notes()
    export = account(tg_chat([tg(1, "甲"), tg(2, "乙")]), empty, named)
    messages = read(telegram, export, notes, indent=1)
    assert [(m.chat, m.chat_name, m.text) for m in messages] == [
        ("telegram:group:5", "群5", "甲"),
        ("telegram:group:5", "群5", "乙"),
        ("telegram:group:7", '花{括"号\\', "丙"),
    ]
    assert notes.owners == {"user22"}


@pytest.mark.parametrize("block", [64, 1 << 18])
@pytest.mark.parametrize("pad", [0, 9000])
def test_a_broken_end_of_one_chat_never_lands_in_the_next(
    block: int, pad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.importers.text.BLOCK", block)
    export = account(tg_chat([tg(1, "甲"), tg(2, "坏" + "x" * pad)]), tg_chat([tg(3, "丙")], 7))
    raw = json.dumps(export, ensure_ascii=False).replace('"text": "坏', '"text": 坏"').encode()
    notes = Notes()
    assert [(m.chat, m.text) for m in read(telegram, raw, notes)] == [
        ("telegram:group:5", "甲"),
        ("telegram:group:7", "丙"),
    ]
    assert sum(notes.dropped.values()) == 1


def test_a_personal_chat_says_who_the_owner_is() -> None:
    rows = [tg(1), tg(2, **{"from": "我", "from_id": "user22"})]
    notes = Notes()
    messages = read(telegram, tg_chat(rows, 11, "personal_chat"), notes)
    assert notes.owners == {"user22"}
    assert {m.kind for m in messages} == {"private"}
    notes = Notes()
    read(telegram, tg_chat(rows, 11, "private_supergroup"), notes)
    assert not notes.owners


@pytest.mark.parametrize(
    ("row", "types", "flags"),
    [
        ({"photo": "p.jpg", "text": "看"}, ["image", "text"], ()),
        ({"media_type": "video_file", "file": "v.mp4", "text": ""}, ["video"], ()),
        ({"media_type": "voice_message", "text": ""}, ["voice"], ()),
        ({"media_type": "sticker", "sticker_emoji": "😂", "text": ""}, ["sticker"], ()),
        ({"media_type": "audio_file", "file": "a/b.mp3", "text": ""}, ["file"], ()),
        ({"file": "a.png", "mime_type": "image/png", "text": ""}, ["image"], ()),
        ({"media_type": "new_thing", "text": ""}, ["unknown"], ()),
        ({"media_type": ["x"], "text": ""}, ["unknown"], ()),
        ({"poll": {"question": "去?"}, "text": ""}, ["card"], ()),
        ({"forwarded_from": None, "text": ""}, ["forward"], ("forwarded",)),
        ({"forwarded_from": "甲", "text": "话"}, ["text"], ("forwarded",)),
        ({"via_bot": "@b", "text": "话"}, ["text"], ("bot",)),
        (
            {"type": "service", "action": "phone_call", "actor": "鹿鹿", "actor_id": "user11", "text": ""},
            ["call"],
            ("system",),
        ),
        ({"type": "service", "action": "pin_message", "text": ""}, ["text"], ("system",)),
        ({"from": None, "from_id": None}, ["text"], ("system",)),
    ],
)
def test_what_telegram_messages_carry(row: dict[str, Any], types: list[str], flags: tuple[str, ...]) -> None:
    (message,) = read(telegram, tg_chat([{**tg(1), **row}]))
    assert ([segment.type for segment in message.segments], message.flags) == (types, flags)


def test_ats_are_only_made_where_a_space_follows() -> None:
    def text(*parts: Any) -> tuple[str, list[str]]:
        (message,) = read(telegram, tg_chat([tg(1, list(parts))]))
        return message.text, [segment.type for segment in message.segments]

    at = {"type": "mention_name", "text": "@小北", "user_id": 22}
    assert text("嘿 ", at, " 来") == ("嘿 @小北 来", ["text", "at", "text"])
    assert text(at, ",来") == ("@小北,来", ["text"])
    assert text(at, {"type": "bold", "text": " 来"}) == ("@小北 来", ["at", "text"])
    assert text(at) == ("@小北 ", ["at"])
    assert text("a", {"type": "bold", "text": "b"}, 3, None) == ("ab3", ["text"])


def test_a_deleted_account_does_not_pass_for_the_owner() -> None:
    rows = [tg(1, **{"from": None, "from_id": "user9"})]
    notes = Notes()
    (message,) = read(telegram, {**tg_chat(rows, 9, "personal_chat"), "name": None}, notes)
    assert (message.sender, message.name, message.chat_name) == ("user9", "user9", "user9")
    assert not notes.owners


def test_old_numbers_of_peers() -> None:
    ids = [11, (1 << 32) + 5, (2 << 32) + 6, "user9"]
    messages = read(telegram, tg_chat([tg(n, from_id=number) for n, number in enumerate(ids, 1)]))
    assert [message.sender for message in messages] == ["user11", "chat5", "channel6", "user9"]


def test_an_answer_to_another_chat_is_no_link() -> None:
    rows = [tg(1, reply_to_message_id=4), tg(2, reply_to_message_id=4, reply_to_peer_id="channel9")]
    assert [message.reply_to for message in read(telegram, tg_chat(rows))] == ["4", None]


@pytest.mark.parametrize(
    ("row", "types", "flags", "reply_to"),
    [
        ({"type": "Reply", "reference": {"messageId": "100"}}, ["text"], (), "100"),
        ({"type": "ChannelPinnedMessage", "reference": {"messageId": "100"}}, ["text"], ("system",), None),
        ({"author": {"id": "9", "name": "b", "isBot": True}, "type": "20"}, ["text"], ("bot",), None),
        ({"content": "", "forwardedMessage": {"content": "别人"}}, ["text"], ("forwarded",), None),
        ({"content": "", "reference": {"type": "Forward", "messageId": "1"}}, ["forward"], ("forwarded",), None),
        ({"attachments": [{"fileName": "a.PNG"}, {"fileName": "b.zip"}]}, ["text", "image", "file"], (), None),
        ({"content": "", "stickers": [{"name": "哈欠"}]}, ["sticker"], (), None),
        ({"content": "https://example.com", "embeds": [{"title": "t"}]}, ["text"], (), None),
        ({"content": "", "embeds": [{"title": "t"}]}, ["card"], (), None),
        ({"type": "Call"}, ["call"], ("system",), None),
    ],
)
def test_what_discord_messages_carry(
    row: dict[str, Any], types: list[str], flags: tuple[str, ...], reply_to: Any
) -> None:
    (message,) = read(discord, dc_channel([{**dc(1), **row}]))
    assert ([segment.type for segment in message.segments], message.flags, message.reply_to) == (types, flags, reply_to)


def test_discord_mentions_and_channels() -> None:
    mentions = [{"id": "32", "name": "bei", "nickname": "小北"}, {"id": "33", "name": "bei2", "nickname": "小北二"}]
    (message,) = read(discord, dc_channel([dc(1, "@小北二 @bei 来 @小北吗 @路人", mentions=mentions)]))
    assert message.text == "@小北二 @bei 来 @小北吗 @路人"
    assert [(s.id, s.name) for s in message.segments if s.type == "at"] == [("33", "小北二"), ("32", "bei")]
    assert message.chat_name == "猫咖 #闲聊"
    (direct,) = read(discord, dc_channel([dc(1)], "DirectTextChat"))
    assert (direct.kind, direct.chat, direct.chat_name) == ("private", "discord:private:77", "闲聊")
    (several,) = read(discord, dc_channel([dc(1)], "DirectGroupTextChat"))
    assert several.kind == "group"


def test_discord_zones() -> None:
    stamps = [
        "2024-01-01T08:00:00+08:00",
        "2024-01-01T00:00:00+00:00",
        "2023-12-31T19:00:00.1234567-05:00",
        "2024-01-01T08:00:00",
    ]
    notes = Notes()
    messages = read(discord, dc_channel([dc(n, timestamp=stamp) for n, stamp in enumerate(stamps)]), notes)
    assert {message.time for message in messages} == {1_704_067_200}
    assert notes.assumed_zone


def test_weflow_marks() -> None:
    rows = [
        wf(1, isSend=1, senderUsername="wxid_me"),
        wf(2, "撤回了", isSend=None),
        wf(3, "[文件] 表.xlsx", type="文件消息", localType=1),
        wf(4, platformMessageId="0"),
        wf(5, platformMessageId=88, replyToMessageId="77"),
        wf(6, senderUsername="6@chatroom"),
        wf(7, "@小北\u2005来", type="引用消息"),
    ]
    notes = Notes()
    messages = read(weflow_json, wf_session(rows), notes)
    assert notes.owners == {"wxid_me"}
    assert [m.flags for m in messages] == [(), ("system",), (), (), (), ("system",), ()]
    assert messages[2].segments[0].text == "表.xlsx"
    assert messages[3].id.startswith("~")
    assert (messages[4].id, messages[4].reply_to) == ("88", "77")
    assert (messages[6].text, messages[6].segments[0].name) == ("@小北 来", "小北")


def test_a_session_s_picture_may_push_the_messages_out_of_the_head() -> None:
    export = wf_session([wf(1)])
    export["session"]["avatar"] = "data:image/png;base64," + "QUJD" * 40_000
    raw = json.dumps(export).encode()
    assert weflow_json.sniff(source_of(raw)) >= 0.5
    assert len(read(weflow_json, raw)) == 1


@pytest.mark.parametrize("importer", [discord, weflow_json])
def test_an_export_that_names_no_chat_is_refused(importer: Any) -> None:
    with pytest.raises(InputError, match="doesn't say which"):
        read(importer, b'{"messages": []}')
