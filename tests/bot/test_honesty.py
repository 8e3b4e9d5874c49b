"""Asked whether it is an AI the bot says so, whatever its persona would say; and only then."""

import random
import time

import pytest

from bot.bystanders import is_stop, wish
from bot.engine.wire import Sampling
from bot.persona.guard_money import asked
from bot.persona.message import Message, Segment
from bot.reply import Where, reply
from bot.whether_ai import asks_whether_ai
from bot.words import DECLINED, HONEST
from tests.bot.test_reply_guard import Script
from tests.phrases import phrases

ASKED = phrases("whether_ai")
TALK = phrases("about_ai")
MORE_ASKED, MORE_TALK = phrases("whether_ai_more"), phrases("about_ai_more")
"""Other ways to put it, in English and Chinese, and what has nearly the same words."""
MONEY = phrases("money_asked")
DENIAL = ("我是本人啊", "不是机器人", "真人")


def test_there_are_enough_of_them() -> None:
    assert len(set(ASKED)) >= 50
    assert len(set(TALK)) >= 50


@pytest.mark.parametrize("text", ASKED)
def test_asked_whether_it_is_an_ai(text: str) -> None:
    assert asks_whether_ai(text)


@pytest.mark.parametrize("text", TALK)
def test_talk_about_ai_is_talk(text: str) -> None:
    assert not asks_whether_ai(text)


@pytest.mark.parametrize("english", [True, False])
def test_it_is_asked_in_many_other_ways(english: bool) -> None:
    asked, talk = ([line for line in lines if line.isascii() == english] for lines in (MORE_ASKED, MORE_TALK))
    assert len(set(asked) - {*ASKED}) >= 60
    assert len(set(talk) - {*TALK}) >= 60
    assert [line for line in asked if not asks_whether_ai(line)] == []
    assert [line for line in talk if asks_whether_ai(line)] == []


def message(text: str, sender: str = "2", *, kind: str = "private", at: int = 1000) -> Message:
    mine = sender == "me"
    return Message(f"{sender}{at}", "c", kind, at, sender, sender, [Segment("text", text)], mine)  # pyright: ignore[reportArgumentType]


async def answered(messages: list[Message], *lines: str, **knobs: bool) -> list[str]:
    """What a chat gets from a persona that would say these lines."""
    where = Where(messages[-1].kind, "阿泽")
    steps = reply(Script(*lines), messages, where, Sampling(), answering=messages[-1].id, **knobs)
    return [said.bubble async for said in steps if said.bubble]


@pytest.mark.parametrize("text", ASKED)
async def test_code_answers_honestly_whatever_the_persona_would_say(text: str) -> None:
    (said,) = await answered([message(text)], *DENIAL)
    assert said in {line.en if text.isascii() else line.zh for line in HONEST}


async def test_asked_again_it_says_so_again_in_other_words() -> None:
    messages: list[Message] = []
    said = []
    for n in range(4):
        messages.append(message("你是不是AI", at=1000 + 10 * n))
        said += await answered(messages, *DENIAL)
        messages.append(message(said[-1], "me", at=1005 + 10 * n))
    assert said == [line.zh for line in (*HONEST, HONEST[0])]


async def test_a_question_over_several_lines_is_one() -> None:
    lines = [message("喂", at=1000), message("你是真人吗", at=1010), message("说话", at=1020)]
    assert await answered(lines, *DENIAL) == [HONEST[0].zh]
    later = [*lines[:2], message("说话", at=1010 + 3600)]
    assert await answered(later, "咋了") == ["咋了"]


UNITS = (
    *(
        "真",
        "真人",
        "真的",
        "帮我",
        "你是不是",
        "现在",
        "刚刚",
        "刚才",
        "是不是真的",
        "借我",
        "发我一下",
        "收到码",
        "先帮我垫",
        "你本人",
        "说话的",
    ),
    *(
        "机器人",
        "不会",
        "还是",
        "吗",
        "回复",
        "聊天",
        "被",
        "能不能",
        "are you ",
        "really ",
        "just ",
        "right now ",
        "a real ",
        "is this ",
    ),
    *("send me the ", "a real person or ", "typing to me ", "or ai ", "not ", "some ", "behind this account "),
)


def test_nobody_can_make_the_look_at_a_message_take_long() -> None:
    begun = time.process_time()
    for unit in UNITS:
        asks_whether_ai(unit * (6000 // len(unit)))
        asks_whether_ai(unit * (38 // len(unit)))
        asked([unit * (6000 // len(unit))])
    draw = random.Random(0)
    for _ in range(150):
        # Nearly a question, so that every way to read it is tried.
        units = draw.choices(UNITS, k=draw.choice((1, 2, 3)))
        for longest in (39, 78):
            asks_whether_ai(("你" + "".join(units) * longest)[:longest] + draw.choice(("猫", "x")))
    for edge in ("?! ", "?", " ", "，", "\n"):
        asks_whether_ai("a" + edge * 6000 + "a")
        wish(message("a" + edge * 6000 + "a"))
    lines = [f"{number}{''.join(draw.choices(UNITS, k=9))}"[:40] for number in range(150)]
    asks_whether_ai("，".join(lines))
    assert time.process_time() - begun < 5.0


async def test_only_the_knob_turns_it_off_and_only_who_calls_is_answered() -> None:
    asked = [message("你是机器人吗", kind="group")]
    assert await answered(asked, "咋了", disclosure=False) == ["咋了"]
    assert await answered(asked, "咋了", called=False) == ["咋了"]
    assert await answered(asked, "咋了", guard=False) == [HONEST[0].zh]


async def test_what_others_asked_in_a_group_is_not_what_the_caller_asked() -> None:
    messages = [message("你是机器人吗", "3", kind="group"), message("周末去哪", "2", kind="group", at=1005)]
    assert await answered(messages, "爬山") == ["爬山"]


@pytest.mark.parametrize("text", MONEY)
async def test_money_codes_and_credentials_are_declined_whatever_the_persona_would_say(text: str) -> None:
    for yes in ("好", "行 转你", "马上", "没问题", "384920"):
        (said,) = await answered([message(text)], yes, "发你了")
        assert said in {line.en if text.isascii() else line.zh for line in DECLINED}


async def test_who_goes_on_asking_gets_no_yes_either() -> None:
    messages = [message("借我500"), message(DECLINED[0].zh, "me", at=1005), message("求你了", at=1020)]
    assert await answered(messages, "好吧") == [DECLINED[1].zh]
    assert await answered(messages, "不行") == ["不行"]


async def test_with_the_guard_off_the_persona_speaks_for_itself() -> None:
    assert await answered([message("借我500")], "没钱", guard=False) == ["没钱"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("别回我", "ignore"),
        (" 别回我！", "ignore"),
        ("可以回我了", "heed"),
        ("忘了我。", "forget"),
        ("Forget me", "forget"),
        ("Please don’t reply to me.", "ignore"),
        ("you can reply to me again!", "heed"),
        ("don't reply to me about that", None),
        ("will you forget me", None),
        ("你别回我消息了哈哈", None),
        ("忘了我的生日？", None),
        ("别回", None),
    ],
)
def test_what_bystanders_may_ask_for(text: str, meant: str | None) -> None:
    assert wish(message(text)) == meant
    assert wish(message(text, "me")) is None


def test_a_wish_may_be_put_to_somebody() -> None:
    at = Segment("at", id="1", name="小北")
    assert wish(Message("1", "c", "group", 1, "2", "阿泽", [at, Segment("text", " 别回我")])) == "ignore"


def test_the_stop_word_is_the_owners_and_stands_alone() -> None:
    owners = ["10001"]
    assert is_stop(message("紧急停止", "10001"), "紧急停止", owners)
    assert is_stop(message("紧急停止！", "me"), "紧急停止", owners)
    assert not is_stop(message("紧急停止", "20002"), "紧急停止", owners)
    assert not is_stop(message("紧急停止是什么", "10001"), "紧急停止", owners)
    assert not is_stop(message("", "10001"), "", owners)
