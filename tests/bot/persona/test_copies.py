"""copies.bin: a long line of another chat is known again wherever it stands, a short one leaves no trace."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from bot.engine.echo import Echo
from bot.engine.wire import Piece, Sampling
from bot.persona.copies import FILE, Copies, Lately, pack, shingles
from bot.persona.guard import Guard
from bot.persona.manifest import Persona
from bot.persona.message import Message, Segment
from bot.reply import Where, reply
from config.errors import PersonaError

KEY = bytes(range(16))
HERE, THERE, THIRD = "qq:group:1", "qq:private:2", "qq:private:3"
SECRET = "体检报告出来了医生说要复查甲状腺"
WORDS = st.text(st.sampled_from("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏"), max_size=30)
LONG = st.text(
    st.sampled_from("云腾致雨露结为霜金生丽水玉出昆冈剑号巨阙珠称夜光果珍李柰菜重芥姜"), min_size=16, max_size=60
)


def copies(folder: Path, **said: list[str]) -> Copies:
    (folder / FILE).write_bytes(pack(KEY, [(chat.replace("_", ":"), iter(lines)) for chat, lines in said.items()]))
    return Copies.open(folder / FILE)


def of(*chats: tuple[str, list[str]]) -> Copies:
    """Without a file."""
    content = memoryview(pack(KEY, [(chat, iter(lines)) for chat, lines in chats]))
    numbers = content[-8 * (len(content) // 8 - 6) :].cast("Q")
    return Copies(KEY, numbers[: len(chats)].tolist(), numbers[len(chats) :])


@pytest.fixture
def known(tmp_path: Path) -> Copies:
    return copies(tmp_path, qq_group_1=["今天谁打球", "好"], qq_private_2=[SECRET, "嗯"], qq_private_3=["在吗"])


@pytest.mark.parametrize(
    "bubble",
    [
        SECRET,
        f"我跟你说{SECRET}别告诉别人",
        "体检报告出来了，医生说要复查甲状腺！",
        "体检报告 出来了 医生说 要复查 甲状腺",
        "听说医生说要复查甲状腺？体检报告出来了医生说要复查甲状",
        "ＯＫ 体检报告出来了医生说要复查甲状腺",
    ],
)
def test_a_line_of_another_chat_is_known_again(known: Copies, bubble: str) -> None:
    assert known.from_elsewhere(bubble, HERE)
    assert not known.from_elsewhere(bubble, THERE)


def test_short_lines_leave_no_trace_and_no_word_stands_in_the_file(tmp_path: Path) -> None:
    known = copies(
        tmp_path,
        qq_private_2=[SECRET, "哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈", "周末去爬山吗带上小鹿", "see you at eight"],
    )
    assert len(known) == 1
    assert not known.from_elsewhere("周末去爬山吗带上小鹿", HERE)
    content = (tmp_path / FILE).read_bytes()
    assert not any(word.encode() in content for word in ("体检", "qq:private", "private:2", SECRET))


def test_what_three_chats_have_said_is_nobodys_secret(tmp_path: Path) -> None:
    said = "快递柜满了就放门口的鞋架上吧"
    assert copies(tmp_path, a=[said], b=[said]).from_elsewhere(said, HERE)
    assert not copies(tmp_path, a=[said], b=[said], c=[said]).from_elsewhere(said, HERE)


@given(LONG, WORDS, WORDS)
def test_any_sixteen_in_a_row_are_found_wherever_they_stand(secret: str, before: str, after: str) -> None:
    if shingles(secret):
        known = of((THERE, [secret]), (THIRD, [before + after]))
        assert known.from_elsewhere(before + secret + after, HERE)
        assert not known.from_elsewhere(secret, THERE)
    assert not of((THERE, [secret])).from_elsewhere(before + after, HERE)


@given(LONG, st.data())
def test_a_stretch_of_sixteen_out_of_a_longer_line_is_found(secret: str, data: st.DataObject) -> None:
    if len(shingles(secret)) < len(secret) - 11:
        return  # it repeats itself, and is shorter than it looks
    start = data.draw(st.integers(0, len(secret) - 16))
    assert of((THERE, [secret])).from_elsewhere(secret[start : start + 16], HERE)


def test_the_guard_lets_it_pass_where_this_chat_has_it_too(known: Copies) -> None:
    def judged(*context: str) -> str | None:
        messages = [
            Message(str(n), HERE, "group", n, "2", "阿泽", [Segment("text", text)]) for n, text in enumerate(context)
        ]
        return Guard.of(messages, elsewhere=[known.from_elsewhere]).holds(SECRET)

    assert judged("在吗") == "copy"
    assert judged("在吗", f"你看：{SECRET}") is None


async def test_a_sealed_persona_keeps_another_chats_line_to_itself(tmp_path: Path) -> None:
    echo = Echo()
    copies(tmp_path, qq_private_2=[SECRET])
    echo.persona.seal(tmp_path)
    sealed = Persona.load(tmp_path)
    assert FILE in sealed.files

    class Parrot(Echo):
        """Says what it has learned."""

        persona = sealed  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

        async def stream(self, *_: object) -> AsyncGenerator[Piece, None]:
            yield Piece(f"跟你说\n{SECRET}\n别外传", "stop")

    async def heard_in(chat: str) -> tuple[list[str], tuple[str, ...]]:
        message = Message("1", chat, "private", 1, "9", "阿泽", [Segment("text", "最近咋样")])
        steps = [said async for said in reply(Parrot(), [message], Where("private", "阿泽"), Sampling())]
        return [said.bubble for said in steps if said.bubble], steps[-1].reasons

    assert await heard_in("qq:private:9") == (["跟你说", "别外传"], ("copy",))
    assert await heard_in("qq:private:2") == (["跟你说", SECRET, "别外传"], ())


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    copies(tmp_path, a=[SECRET])
    path = tmp_path / FILE
    whole = path.read_bytes()
    for broken in (whole[:-3], b"x" + whole[1:], b"", whole[:20]):
        path.write_bytes(broken)
        with pytest.raises(PersonaError, match="damaged"):
            Copies.open(path)


def test_what_a_prompt_held_lately_is_known_elsewhere_and_in_bounds() -> None:
    lately = Lately(size=100)
    lately.hear(THERE, SECRET)
    assert lately.from_elsewhere(f"对，{SECRET}", HERE)
    assert not lately.from_elsewhere(SECRET, THERE)
    lately.hear(HERE, SECRET)
    assert not lately.from_elsewhere(SECRET, HERE)
    for number in range(100):
        lately.hear(THIRD, f"第{number}个人说今天的云像一条很长很长的鱼")
    assert not lately.from_elsewhere(SECRET, THIRD)
    assert len(lately._said) <= 100
