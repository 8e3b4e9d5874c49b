"""My own faces: learned by number, drawn for the mark that the model writes, never an address."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from bot.engine.echo import Echo
from bot.history import History
from bot.persona.behaviour import Behaviour
from bot.persona.faces import LEAST, MARK, FaceCount, Faces, is_id, segments_of
from bot.persona.message import Message, Segment
from bot.persona.onebot import segment
from bot.persona.prompt import without_media
from bot.port import Port
from bot.runner import Runner
from config.settings import Bot

GROUP, TELEGRAM = "qq:group:7001", "telegram:group:-7001"
STICKER = "231182/0a1b2c/9f8e"


def line(*segments: Segment, mine: bool = True, flags: tuple[str, ...] = ()) -> Message:
    return Message("1", GROUP, "group", 1, "1", "我", list(segments), mine, flags=flags)


def test_only_my_own_faces_count_and_only_by_their_ids() -> None:
    count = FaceCount()
    count.see([line(Segment("face", "", "178"), Segment("text", "笑死")) for _ in range(6)])
    count.see([line(Segment("sticker", id=STICKER)), line(Segment("face", "微笑", "14"), Segment("image"))])
    count.see([line(Segment("face", "", "5"), mine=False), line(Segment("face", "", "6"), flags=("bot",))])
    count.see([line(Segment("face", "斜眼笑")), line(Segment("sticker", id="https://x.invalid/a.png"))])
    assert count.fit().shares == {"178": 0.75, "14": 0.125, STICKER: 0.125}


def test_too_few_are_no_habit() -> None:
    count = FaceCount()
    count.see([line(Segment("face", "", "178"))] * (LEAST - 1))
    assert count.fit() == Faces()
    assert Faces().draw(2, Random(1)) == []


def test_they_are_drawn_as_often_as_i_use_them() -> None:
    faces = Faces(shares={"178": 0.75, STICKER: 0.25})
    drawn = faces.draw(4000, Random(1))
    assert set(drawn) == {"178", STICKER}
    assert abs(drawn.count("178") / 4000 - 0.75) < 0.03
    assert faces.draw(3, Random(2)) == faces.draw(3, Random(2))


@pytest.mark.parametrize(
    "id_", ["https://x.invalid/a.png", "file:///a", "178,url=http", "1/2/3/4", "[CQ:face,id=1]", "", "1\n", "-1", "//"]
)
def test_t12_nothing_but_a_number_is_a_face(id_: str) -> None:
    assert not is_id(id_)
    with pytest.raises(ValidationError):
        Faces(shares={id_: 1.0})


@given(
    st.lists(st.sampled_from([MARK, "好", "[表", "情]", "\n", "[图片]"]), max_size=8).map("".join), st.integers(0, 4)
)
def test_a_bubble_keeps_its_words_and_its_faces(text: str, number: int) -> None:
    faces = [str(178 + place) for place in range(number)]
    parts = segments_of(text, faces)
    assert "".join(part.text for part in parts) == text.replace(MARK, "")
    used = [part.id for part in parts if part.type == "face"]
    assert used == faces[: text.count(MARK)]


def test_a_mark_may_stay_and_other_media_never() -> None:
    assert without_media("好[表情][图片]呀[语音]", faces=True) == "好[表情]呀"
    assert without_media("好[表情][图片]呀[语音]") == "好呀"
    assert without_media("[表情]", faces=True) == "[表情]"


def test_stickers_of_the_shop_have_their_ids_in_both_halves() -> None:
    shop = {"emoji_package_id": 231182, "emoji_id": "0a1b2c", "key": "9f8e", "summary": "[笑]"}
    for kind in ("mface", "marketface", "image"):
        read = segment(kind, {**shop, "url": "https://x.invalid"}, {})
        assert (read.type, read.id) == ("sticker", STICKER) if read else False
    own = segment("image", {"sub_type": 1, "file": "a.gif", "url": "https://x.invalid"}, {})
    assert own == Segment("sticker")


class Faced(Echo):
    """Says what it hears, and has two faces."""

    def __init__(self) -> None:
        super().__init__()
        behaviour = Behaviour(face_ids=Faces(shares={"178": 1.0}))
        self._persona = self._persona.model_copy(update={"behaviour": behaviour})


class Facing(Port):
    def __init__(self) -> None:
        self.sent: list[tuple[str, str, tuple[str, ...]]] = []

    async def send(
        self, chat: str, text: str, quote: str | None, at: str | None = None, faces: Sequence[str] = ()
    ) -> str:
        self.sent.append((chat, text, tuple(faces)))
        return f"s{len(self.sent)}"

    def now(self) -> float:
        return time.time()

    def has_faces(self, chat: str) -> bool:
        return chat.startswith("qq:")


async def test_a_face_that_the_model_writes_is_sent_as_one_of_mine(tmp_path: Path) -> None:
    port, history = Facing(), await History.open(f"sqlite+aiosqlite:///{tmp_path}/h.db")
    knobs: dict[str, Any] = {"chats": ["group:7001", "group:-7001"], "debounce": 0.02, "delays": 0, "superusers": ["9"]}
    runner = Runner(Faced(), history, settings=Bot(**knobs), port=port)
    for chat in (GROUP, TELEGRAM):
        heard = [Segment("text", "好呀"), Segment("face", "", "99"), Segment("image")]
        await runner.hear(
            Message("1", chat, "group", int(time.time()), "20001", "阿泽", heard), addressed=True, chat_name="群"
        )
    end = time.monotonic() + 5
    while len(port.sent) < 2:
        assert time.monotonic() < end, port.sent
        await asyncio.sleep(0.02)
    await runner.close()
    assert sorted(port.sent) == [(GROUP, "阿泽: 好呀[表情]", ("178",)), (TELEGRAM, "阿泽: 好呀", ())]
    last = (await history.recent(GROUP, 1))[0]
    assert [(s.type, s.text, s.id) for s in last.segments] == [("text", "阿泽: 好呀", ""), ("face", "", "178")]
    await history.close()
