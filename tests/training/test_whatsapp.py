"""WhatsApp's text export: dates in any order, clocks of many languages, lines that go on, lines of the system."""

import io
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from config.errors import InputError
from training.importers import whatsapp
from training.importers.source import HEAD, Notes, Source, Zone
from training.importers.whatsapp_content import content_of
from training.importers.whatsapp_lines import header, speaker

LRM, NNBSP = "\u200e", "\u202f"


def read(text: str | bytes, notes: Notes | None = None, name: str = "x.txt") -> list[Message]:
    raw = text.encode() if isinstance(text, str) else text
    source = Source(name, io.BytesIO(raw), raw[:HEAD], len(raw))
    return list(whatsapp.read(source, notes or Notes(), Zone("+08:00")))


def wall(message: Message) -> str:
    return datetime.fromtimestamp(message.time, timezone(timedelta(hours=8))).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("[1/2/23, 8:00:11 AM] A: x", 8 * 3600 + 11),
        (f"{LRM}[1/2/23, 8:00:11{NNBSP}PM] A: x", 20 * 3600 + 11),
        ("1/2/23, 12:05 AM - A: x", 300),
        ("2023/1/2 下午8:05 - A: x", 20 * 3600 + 300),
        ("2023/1/2 中午12:05 - A: x", 12 * 3600 + 300),
        ("2023/1/2 凌晨12:05 - A: x", 300),
        ("2023年1月2日 20:05 - A: x", 20 * 3600 + 300),
        ("02.01.23, 20:05 - A: x", 20 * 3600 + 300),
        ("02-01-2023 20:05 - A: x", 20 * 3600 + 300),
        ("2/1/23 8:05 p. m. - A: x", 20 * 3600 + 300),
        ("02/01/2023 à 20:05 - A: x", 20 * 3600 + 300),
        ("2023. 1. 2. 오후 8:05 - A: x", 20 * 3600 + 300),
        ("[2023/01/02 20:05:06] A: x", 20 * 3600 + 306),
        ("02.01.23 kl. 20.05 - A: x", 20 * 3600 + 300),
    ],
)
def test_clocks(line: str, seconds: int) -> None:
    found = header(line)
    assert found
    assert found.seconds == seconds
    assert speaker(found.rest) == ("A", "x")


@pytest.mark.parametrize(
    "line",
    ["1/2/2024 is a Tuesday", "8:00 - A: x", "2023/1/2 25:00 - A: x", "2023-01-02 08:00:11 小鹿(20002)", "", "- a: b"],
)
def test_what_is_no_header(line: str) -> None:
    assert header(line) is None


def chat(*dates: str, clock: str = "20:05", sign: str = ", ") -> str:
    return "".join(f"{date}{sign}{clock} - A: {number}\n" for number, date in enumerate(dates))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        (chat("1/2/23", "13/2/23"), "2023-02-13"),
        (chat("1/2/23", "2/13/23"), "2023-02-13"),
        (chat("11/1/23", "2/2/23"), "2023-02-02"),
        (chat("1/11/23", "3/2/23"), "2023-03-02"),
        (chat("2023/2/1", "2023/2/12", sign=" "), "2023-02-12"),
        (chat("01.02.23", "01.03.23"), "2023-03-01"),
        (chat("1/30/2023", "02/01/2023"), "2023-02-01"),
    ],
)
def test_day_and_month_over_the_whole_file(text: str, last: str) -> None:
    notes = Notes()
    assert wall(read(text, notes)[-1]).startswith(last)
    assert not notes.warnings


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (chat("1/2/23", "2/2/23"), "2023-02-01"),
        (chat("2/1/23", "2/2/23"), "2023-02-01"),
        (chat("1/2/23"), "2023-02-01"),
        (chat("1/2/23", clock="8:05 PM"), "2023-01-02"),
    ],
)
def test_where_nothing_settles_it_the_nearer_days_are_taken_and_it_is_said(text: str, first: str) -> None:
    notes = Notes()
    assert wall(read(text, notes)[0]).startswith(first)
    assert "either way round" in notes.warnings[0]


TRAPS = [
    "第一行\n第二行\n\n第四行",
    "1/1/20, 8:00 - A: 抄来的旧行\n后面",
    "a: b - c",
    "[1/1/24, 8:00:11 AM] 鹿鹿: 别的样式",
    "\u2028x\u0085y\rz",
    "3/3/2023 不是时间",
]
BODIES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=20).filter(
    lambda text: "<" not in text and "\ufffd" not in text
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5000), BODIES | st.sampled_from(TRAPS)), min_size=2, max_size=15))
def test_every_text_comes_back(said: list[tuple[int, str]]) -> None:
    start, lines, times = datetime(2023, 1, 20, 8, 0, tzinfo=timezone.utc), [], []
    for minutes, body in said:
        start += timedelta(minutes=minutes)
        times.append(start.strftime("%Y-%m-%d %H:%M:00"))
        lines.append(f"{start.month}/{start.day}/{start:%y}, {start:%H:%M} - 小鹿: {body}")
    messages = read("\n".join(lines) + "\n")
    assert [message.text for message in messages] == [body for _, body in said]
    assert [wall(message) for message in messages] == times
    assert {message.precision for message in messages} == {"min"}


def test_the_clock_may_go_back_an_hour_in_autumn() -> None:
    text = "29/10/23, 02:59 - A: 1\n29/10/23, 02:01 - A: 2\n29/10/23, 03:00 - A: 3\n"
    assert [message.text for message in read(text)] == ["1", "2", "3"]


def test_a_quoted_line_from_the_future_does_not_hide_what_follows() -> None:
    lines = [f"{day}/1/23, 08:00 - A: {day}" for day in range(10, 25)]
    lines.insert(3, "24/12/23, 08:00 - A: 抄来的")
    messages = read("\n".join(lines))
    assert len(messages) == 15
    assert messages[2].text.endswith("抄来的")


@pytest.mark.parametrize(
    ("body", "types", "flags"),
    [
        ("<Media omitted>", ["image"], ()),
        ("<省略影音内容>", ["image"], ()),
        ("<Medien ausgeschlossen>", ["image"], ()),
        (f"{LRM}image omitted", ["image"], ()),
        (f"{LRM}GIF omitted", ["image"], ()),
        (f"{LRM}video omitted", ["video"], ()),
        (f"{LRM}audio omitted", ["voice"], ()),
        (f"{LRM}sticker omitted", ["sticker"], ()),
        (f"报告.pdf • {LRM}3 pages {LRM}document omitted", ["file"], ()),
        (f"{LRM}Contact card omitted", ["card"], ()),
        (f"{LRM}图片已忽略", ["image"], ()),
        (f"{LRM}忽略视频", ["video"], ()),
        (f"{LRM}影片已略過", ["video"], ()),
        (f"{LRM}<attached: 00000012-PHOTO-2023-01-01-08-00-00.jpg>", ["image"], ()),
        (f"{LRM}<附件：清单.docx>", ["file"], ()),
        ("PTT-20230101-WA0001.opus (file attached)", ["voice"], ()),
        ("IMG-20230101-WA0001.jpg (文件附件)\n海边", ["image", "text"], ()),
        (f"{LRM}Missed voice call", ["call"], ()),
        (f"{LRM}语音通话, {LRM}3 分钟", ["call"], ()),
        ("location: https://maps.google.com/?q=1.0,2.0", ["location"], ()),
        (f"{LRM}POLL:\n去哪\n{LRM}OPTION: 海边", ["card"], ()),
        ("This message was deleted", [], ("recalled",)),
        (f"{LRM}您删除了此消息。", [], ("recalled",)),
        (f"{LRM}阿柚 added 小北", ["text"], ("system",)),
        ("image omitted", ["text"], ()),
        ("忽略视频", ["text"], ()),
        ("端到端加密是什么", ["text"], ()),
        ("missed call again", ["text"], ()),
        ("", [], ()),
    ],
)
def test_what_stands_after_the_name(body: str, types: list[str], flags: tuple[str, ...]) -> None:
    content = content_of(body)
    assert ([segment.type for segment in content.segments], content.flags) == (types, flags)


def test_an_edited_message_loses_the_mark() -> None:
    assert content_of(f"好 {LRM}<This message was edited>").segments[0].text == "好"


def test_system_lines_have_no_name() -> None:
    messages = read("2023/1/20 08:00 - 小鹿加入了群组\n2023/1/20 08:00 - 小鹿: 大家好\n")
    assert [(m.sender, m.flags) for m in messages] == [("WhatsApp", ("system",)), ("小鹿", ())]


def test_the_chat_is_named_by_the_file_or_its_first_line() -> None:
    text = f"[2023/1/20 08:00:00] 球队: {LRM}消息已加密\n[2023/1/20 08:00:01] A: 1\n[2023/1/20 08:00:02] B: 2\n"
    assert {(m.chat, m.kind) for m in read(text, name="_chat.txt")} == {("whatsapp:group:球队", "group")}
    plain = chat("13/1/23")
    for name in (
        "WhatsApp Chat with Mia.txt",
        "与Mia的 WhatsApp 聊天.txt",
        "與 Mia 的WhatsApp對話.txt",
        "WhatsApp Chat - Mia.txt",
    ):
        assert read(plain, name=name)[0].chat == "whatsapp:private:Mia"


def test_two_equal_lines_of_one_minute_are_two_messages() -> None:
    first, second = read("2023/1/20 08:00 - A: 1\n2023/1/20 08:00 - A: 1\n")
    assert first.id != second.id
    assert [m.id for m in read("2023/1/20 08:00 - A: 1\n2023/1/20 08:00 - A: 1\n")] == [first.id, second.id]


def test_a_file_without_messages_is_refused() -> None:
    with pytest.raises(InputError, match="no WhatsApp message"):
        read("nothing here\n")


def test_one_spoilt_space_does_not_turn_the_file_into_gbk() -> None:
    """The space before AM and PM is the only character of three bytes in many an export."""
    raw = bytearray("".join(f"1/{day}/23, 8:0{day}{NNBSP}AM - Ann: hi\n" for day in range(1, 9)).encode())
    place = raw.index(NNBSP.encode(), 150)
    raw[place] ^= 2
    assert len(read(bytes(raw))) == 7
