"""qq-chat-exporter's text: whatever is said in it comes back, and what only looks like a message stays said."""

import io
from datetime import datetime, timezone

from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from training.importers import importer_for
from training.importers.source import HEAD, Notes, Source, Zone

TITLE = f"[QQChatExporter V5 / x]\n\n{'=' * 47}\n           QQ聊天记录导出文件\n{'=' * 47}\n\n聊天名称: 群\n聊天类型: 群聊\n\n"

NAMES = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="[]:,，、"), min_size=1, max_size=8)
LINES = st.one_of(
    st.text(st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="[]\ufffd"), max_size=12),
    st.sampled_from(
        ["内容: x", "时间: 晚上", "回复: 你", "提及: 谁", "资源: 2 个文件", "  - image: a", "=" * 47, "小鹿:", "[1]"]
    ),
)
BODIES = (
    st.lists(LINES, min_size=1, max_size=5)
    .map(lambda lines: "\n".join(lines).rstrip())
    .filter(lambda body: body[:1] != " ")
)


def read(text: str) -> tuple[list[Message], Notes]:
    raw, notes = text.encode(), Notes()
    source = Source("x.txt", io.BytesIO(raw), raw[:HEAD], len(raw))
    found, importer = importer_for(source)
    assert found == "qq_exporter_txt"
    return list(importer.read(source, notes, Zone("+08:00"))), notes


def stanza(time: int, name: str, body: str) -> str:
    at = datetime.fromtimestamp(time + 8 * 3600, timezone.utc)
    return f"{name}:\n时间: {at:%Y-%m-%d %H:%M:%S}\n内容: {body}\n\n\n"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90_000), NAMES, BODIES), min_size=1, max_size=12), st.booleans())
def test_what_is_written_is_read(drawn: list[tuple[int, str, str]], titled: bool) -> None:
    time, said = 1_600_000_000, []
    for gap, name, body in drawn:
        time += gap
        said.append((time, name, body))
    end = f"{'=' * 47}\n              导出完成\n{'=' * 47}\n"
    messages, notes = read((TITLE if titled else "") + "".join(stanza(*one) for one in said) + end)
    assert [(m.time, m.name, m.text) for m in messages] == said
    assert not notes.dropped
    assert len({m.id for m in messages}) == len(messages)


def test_a_typed_stanza_is_said_and_an_unsorted_file_is_read_whole() -> None:
    now, old = 1_600_000_000, 1_500_000_000
    text = TITLE + stanza(now, "甲", "看他说的:\n\n" + stanza(old, "乙", "旧话").rstrip()) + stanza(now, "乙", "哪有")
    messages, _ = read(text)
    assert [m.name for m in messages] == ["甲", "乙"]
    assert messages[0].text.endswith("内容: 旧话")
    backwards = [stanza(now - n, "甲乙"[n % 2], f"第{n}句") for n in range(40)]
    assert len(read(TITLE + "".join(backwards))[0]) == 40


def test_a_reply_finds_what_it_quotes_by_minute_name_and_beginning() -> None:
    now = 1_600_000_000
    text = stanza(now, "甲 - 乙", "周四来吗") + stanza(now + 1, "甲 - 乙", "周五呢")
    text += stanza(now + 9, "丙", "[回复消息]来\n回复: 09-13 20:26 甲 - 乙 - 周五")
    text += stanza(now + 10, "丙", "[回复消息]来\n回复: 09-13 20:26 丁 - 周五")
    first, second, third, fourth = read(text)[0]
    assert (third.reply_to, fourth.reply_to) == (second.id, None)
    assert (third.text, fourth.text) == ("来", "来")
    assert first.id != second.id
