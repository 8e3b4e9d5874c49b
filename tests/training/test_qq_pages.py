"""QQ's mht and html: who is me, what is a heading and what only looks like one."""

from pathlib import Path

from bot.persona.message import Message
from training.importers import importer_for
from training.importers.html_rows import html_body, plain
from training.importers.source import Notes, Zone, opened

EXPORTS = Path(__file__).parents[1] / "exports"


def read(name: str) -> tuple[list[Message], Notes]:
    notes = Notes()
    with opened(EXPORTS / name) as source:
        return list(importer_for(source)[1].read(source, notes, Zone("+08:00"))), notes


def test_green_is_me_even_if_both_have_one_name() -> None:
    messages, notes = read("mht-friend.mht")
    assert [m.sender in notes.owners for m in messages] == [False, True, False, True]
    assert {m.name for m in messages} == {"小满"}
    assert read("mht-group.mht")[1].owners == {"30044"}


def test_what_looks_like_a_heading_inside_a_message_is_said() -> None:
    messages, _ = read("mht-group.mht")
    assert {m.chat for m in messages} == {"qq:group:桌游夜"}
    assert [m.text for m in messages[6:8]] == ["日期: 2019-01-01", "消息对象:不是标题"]
    assert [m.time for m in messages] == sorted(m.time for m in messages)
    assert messages[6].time == 1619884807  # 2021-05-02 00:00:07 in +08:00


def test_markup_becomes_words_and_pictures_in_their_places() -> None:
    segments = html_body('<font x>a&lt;b&get;<br>c</font><IMG src="{1}.dat"><b>d</b>&nbsp;e')
    assert [(s.type, s.text) for s in segments] == [("text", "a<b>\nc"), ("image", ""), ("text", "d e")]
    assert plain("&amp;lt;") == "&lt;"


def test_an_android_backup_is_a_friend_or_a_group_by_its_people() -> None:
    assert {m.chat for m in read("android-friend.html")[0]} == {"qq:private:30011"}
    assert {m.kind for m in read("android-group.html")[0]} == {"group"}
    messages, notes = read("android-friend.html")
    assert [m.text for m in messages if m.sender in notes.owners] == ["快了\n在路上 <3", "-----"]
