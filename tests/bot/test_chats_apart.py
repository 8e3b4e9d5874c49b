"""T6: what is said in one chat stands in no other chat's prompt, and nothing sent there holds it."""

import asyncio
import random
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.engine.wire import Ask, Piece, Sampling
from bot.persona.message import Segment
from tests.bot.test_runner import House, ScriptedTalker

CHATS = [*(f"qq:group:{7100 + n}" for n in range(4)), *(f"qq:private:{20100 + n}" for n in range(4))]
PEOPLE = ("20100", "20101", "20102", "30001", "30002")
SECRET = "体检报告出来了医生说要复查甲状腺"


def token(chat: str) -> str:
    """Of one chat alone; long enough that a part of it is no accident."""
    return f"云朵{'甲乙丙丁戊己庚辛'[CHATS.index(chat)]}山"


def foreign(text: str, chat: str) -> set[str]:
    """Tokens of other chats in a text."""
    return set(re.findall(r"云朵.山", text)) - {token(chat)}


class Recording(ScriptedTalker):
    """Repeats what it was last told, and remembers for whom each prompt was."""

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        prompt = "\n".join(message["content"] for message in messages)
        self.prompts.append(prompt)
        self.asks.append(ask)
        await asyncio.sleep(0.002)
        words = prompt[-40:].replace("\n", "，")
        yield Piece(f"第{len(self.prompts)}句：{words}", "stop", self.persona.hash)

    def of_chats(self) -> list[tuple[str, str]]:
        return [(ask.chat, prompt) for ask, prompt in zip(self.asks, self.prompts, strict=True) if ask is not None]


async def one_step(house: House, draw: random.Random, said: dict[str, list[str]]) -> None:
    """Something that happens in a chat: talk by all ways there are, recalls, and what commands do."""
    chat, who = draw.choice(CHATS), draw.choice(PEOPLE)
    private = ":private:" in chat
    sender = chat.rsplit(":", 1)[1] if private else who
    what = draw.choices(("say", "call", "quote", "name", "mine", "recall", "clear", "retry"), (3, 8, 2, 2, 1, 1, 1, 1))[
        0
    ]
    text = f"{token(chat)}{draw.randrange(10**6)}"
    if what in ("say", "call"):
        said[chat].append((await house.say(text, chat, sender, at=what == "call")).id)
    elif what == "quote":
        # Of any chat: ids of others must lead nowhere.
        anywhere = [id_ for ids in said.values() for id_ in ids]
        await house.say(text, chat, sender, at=True, reply_to=draw.choice(anywhere) if anywhere else None)
    elif what == "name":
        await house.say(text, chat, sender, at=True, name=f"{token(chat)}的人")
    elif what == "mine" and chat == CHATS[0]:
        # The owner's word silences a chat for a while.
        await house.say("", chat, "", mine=True, segments=[Segment("text", text)])
    elif what == "recall" and said[chat]:
        await house.runner.recall(chat, draw.choice(said[chat]))
    elif what == "clear":
        await house.runner.clear(chat)
    elif what == "retry":
        await house.runner.retry(chat)


@pytest.mark.parametrize("seed", range(4))
async def test_t06_chats_apart_over_random_interleavings(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    named = [chat.removeprefix("qq:") for chat in CHATS]
    house = House(tmp_path, chats=named)
    talker = house.talker = Recording()
    said: dict[str, list[str]] = {chat: [] for chat in CHATS}
    await house.open()
    for part in range(3):
        for _ in range(15):
            await asyncio.gather(*[one_step(house, draw, said) for _ in range(draw.randrange(1, 5))])
            await asyncio.sleep(draw.choice((0, 0.005, 0.03)))
        await (house.quiet() if part == 1 else house.again())
    await house.quiet()
    await house.shut()
    prompts = talker.of_chats()
    assert len(prompts) > 20
    assert len({chat for chat, _ in prompts}) >= 5
    for chat, prompt in prompts:
        assert token(chat) in prompt
        assert not foreign(prompt, chat)
    assert len(house.port.sent) > 20
    for chat, text, _ in house.port.sent:
        assert not foreign(text, chat)


async def test_t06_where_an_engine_mixes_chats_up_the_guard_still_parts_them(tmp_path: Path) -> None:
    house = House(tmp_path, chats=["private:20100", "private:20101"])
    house.talker.answer = lambda prompt: f"听说{SECRET}" if "近况" in prompt else "这样啊"
    await house.open()
    await house.say(SECRET, CHATS[4], "20100")
    await house.quiet()
    await house.say("近况如何", CHATS[5], "20101")
    await house.quiet()
    assert house.port.texts(CHATS[4]) == ["这样啊"]
    assert house.port.texts(CHATS[5]) == []
    assert house.runner.status().held_back >= 1
    await house.say("近况我也说说", CHATS[4], "20100")
    await house.quiet()
    assert house.port.texts(CHATS[4]) == ["这样啊", f"听说{SECRET}"]
    await house.shut()
