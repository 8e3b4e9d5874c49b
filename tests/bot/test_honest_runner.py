"""Honesty in a running bot: fixed lines go the way of every reply, and the owner hears of requests for money."""

from pathlib import Path

import pytest

from bot.persona.message import Segment
from bot.words import DECLINED, DISCLOSURE, HONEST
from tests.bot.test_runner import FRIEND, GROUP, House


class Owner:
    """What the owner was told."""

    def __init__(self) -> None:
        self.news: list[tuple[str, str]] = []

    async def tell(self, reason: str, text: str) -> None:
        self.news.append((reason, text))


async def test_a_fixed_line_is_sent_and_kept_like_any_other(tmp_path: Path) -> None:
    house = await House(tmp_path, disclosure=True).open()
    house.talker.answer = lambda _: "我就是本人"
    await house.say("你是不是AI", FRIEND)
    await house.quiet()
    await house.say("小北是机器人吧")
    await house.say("你是机器人吗", at=True)
    await house.quiet()
    assert house.port.texts(FRIEND) == [DISCLOSURE.zh, HONEST[0].zh]
    assert house.port.texts(GROUP) == [HONEST[0].zh]
    assert not house.talker.prompts, "the persona wasn't asked"
    recent = await house.history.recent(FRIEND, 5)
    assert [m.text for m in recent] == ["你是不是AI", DISCLOSURE.zh, HONEST[0].zh]
    assert await house.history.author(FRIEND, recent[-1].id) == f"persona:{house.talker.persona.hash}"
    assert not await house.history.unanswered(0)
    await house.shut()


async def test_in_a_group_only_who_calls_is_answered(tmp_path: Path) -> None:
    house = await House(tmp_path, disclosure=True).open()
    await house.say("你是机器人吗")
    await house.say("借我500")
    await house.quiet()
    assert not house.port.sent
    await house.shut()


async def test_the_owner_hears_who_asks_for_money_without_a_word_of_it(tmp_path: Path) -> None:
    house = await House(tmp_path).open()
    owner = house.runner.errands.alerts = Owner()
    house.talker.answer = lambda prompt: "好 马上转你"
    await house.say("借我500应急", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == [DECLINED[0].zh]
    await house.say("求你了", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == [DECLINED[0].zh, DECLINED[1].zh]
    assert {reason for reason, _ in owner.news} == {f"money {FRIEND}"}
    assert not any("500" in text for _, text in owner.news)
    await house.shut()


@pytest.mark.parametrize(
    ("language", "said", "disclosed"),
    [
        ("zh", "are you coming on Thursday?", DISCLOSURE.en),
        ("en", "周四来吗", DISCLOSURE.zh),
        # What may be said in either: as it is set.
        ("zh", "hello", DISCLOSURE.zh),
        ("en", "ok 👍", DISCLOSURE.en),
        ("auto", "666", DISCLOSURE.zh),
    ],
)
async def test_the_disclosure_is_in_the_language_that_is_spoken_there(
    tmp_path: Path, language: str, said: str, disclosed: str
) -> None:
    house = await House(tmp_path, disclosure=True, language=language).open()
    await house.say(said, FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND)[0] == disclosed
    # Asked honestly, it answers in the language of the question whatever is set.
    await house.say("are you a bot?", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND)[-1] == HONEST[0].en
    await house.shut()


async def test_a_picture_or_an_at_is_in_no_language(tmp_path: Path) -> None:
    house = await House(tmp_path, disclosure=True).open()
    shown = [Segment("at", id="10000", name="小北"), Segment("text", "look what I have found"), Segment("image")]
    await house.say("", FRIEND, segments=shown)
    await house.quiet()
    assert house.port.texts(FRIEND)[0] == DISCLOSURE.en
    await house.shut()


async def test_the_owner_is_told_in_their_language(tmp_path: Path) -> None:
    house = await House(tmp_path, language="en").open()
    owner = house.runner.errands.alerts = Owner()
    await house.say("借我500", FRIEND)
    await house.quiet()
    assert owner.news == [
        (f"money {FRIEND}", "Private chat with 20001: somebody asked for money, a code or a password; declined")
    ]
    assert "I was called: answered, waited 0 s; mode called, freq 1, persona " in house.runner.why(FRIEND)
    await house.shut()
