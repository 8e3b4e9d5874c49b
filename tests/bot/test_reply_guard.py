"""What a reply may say: personal data is kept back, also when it comes in several bubbles."""

from collections.abc import AsyncGenerator

import pytest

from bot.engine.echo import Echo
from bot.engine.wire import Ask, Piece, Sampling
from bot.persona.memory import MARK
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec
from bot.reply import Where, reply


class Script(Echo):
    """A Talker that says given lines, three characters a piece."""

    def __init__(self, *lines: str) -> None:
        super().__init__("小北")
        self._text = "\n".join(lines)

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        for start in range(0, len(self._text), 3):
            yield Piece(self._text[start : start + 3])
        yield Piece(finish="stop")


class Reader(Script):
    """A Talker that says what its prompt reminds it of, or that it doesn't know."""

    def __init__(self, spec: PromptSpec) -> None:
        super().__init__()
        self._persona = self._persona.model_copy(update={"prompt": spec})

    def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        lines = [line.partition(": ")[2] for line in messages[0]["content"].splitlines() if line.startswith(MARK)]
        return Script(*lines or ["不知道"]).stream(messages, sampling, ask)


def chat(*texts: str) -> list[Message]:
    """A private chat; what begins with "me:" is mine."""
    return [
        Message(
            str(n), "c", "private", n, "2", "阿泽", [Segment("text", t.removeprefix("me:"))], mine=t.startswith("me:")
        )
        for n, t in enumerate(texts)
    ]


async def said(talker: Script, messages: list[Message], *, guard: bool = True) -> tuple[list[str], int]:
    steps = [step async for step in reply(talker, messages, Where("private", "阿泽"), Sampling(), guard=guard)]
    return [step.bubble for step in steps if step.bubble], steps[-1].held_back


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["我号是", "138001", "38000", "你存一下"], ["我号是", "138001", "你存一下"]),
        (["138", "0013", "8000"], ["138", "0013"]),
        (["138 001", "38000 记得打"], ["138 001"]),
        (["密码是", "abc12345", "别外传"], ["密码是", "别外传"]),
        (["我住青萍路", "219号4幢602", "来玩"], ["我住青萍路", "来玩"]),
        (["加我QQ", "123456789"], ["加我QQ"]),
        (["发到zhang.wei@", "example.com就行"], ["发到zhang.wei@"]),
        (["13800138000", "好"], ["好"]),
        (["666", "2333", "3:2", "2024", "09", "01"], ["666", "2333", "3:2", "2024", "09", "01"]),
    ],
)
async def test_data_broken_over_bubbles_is_kept_back(lines: list[str], kept: list[str]) -> None:
    bubbles, held = await said(Script(*lines), chat("在吗"))
    assert bubbles == kept
    assert held == len(lines) - len(kept)


async def test_a_number_begun_in_the_last_reply_does_not_go_on() -> None:
    assert await said(Script("38000"), chat("电话？", "me:138001")) == ([], 1)
    assert await said(Script("38000"), chat("me:138001", "什么")) == (["38000"], 0)


async def test_what_the_chat_knows_may_be_repeated_in_any_spelling() -> None:
    messages = chat("我的号139-1234-5678 记住了吗")
    assert await said(Script("13912345678", "对吧", "139 1234", "5678"), messages) == (
        ["13912345678", "对吧", "139 1234", "5678"],
        0,
    )
    assert await said(Script("13912345679"), messages) == ([], 1)


async def test_without_the_guard_everything_is_said() -> None:
    assert await said(Script("138001", "38000"), chat("号"), guard=False) == (["138001", "38000"], 0)
