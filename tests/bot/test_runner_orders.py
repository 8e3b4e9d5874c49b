"""What is ordered of a running bot, and what a restart must find again."""

import time

from bot.history import OWNER
from bot.persona.behaviour import Behaviour
from bot.persona.message import Segment
from tests.bot.test_runner import FRIEND, GROUP, OTHER_GROUP, PERSONA, House, house, make

__all__ = ["house", "make"]


class Told:
    """A way to the owner that remembers."""

    def __init__(self) -> None:
        self.news: list[str] = []

    async def tell(self, reason: str, text: str) -> None:
        self.news.append(f"{reason}: {text}")


async def answered(house: House, chat: str = GROUP) -> bool:
    before = len(house.port.texts(chat))
    await house.say("在吗", chat, at=True)
    await house.quiet()
    return len(house.port.texts(chat)) > before


async def test_t04_failure_is_silence_and_the_owner_is_told(house):
    told = Told()
    house.runner.errands.alerts = told
    house.talker.answer = lambda _: ""
    await house.say("不能外传的话", at=True)
    await house.quiet()
    await house.until(lambda: told.news)
    assert not house.port.sent
    assert told.news[0].startswith(f"failed {GROUP}: ")
    assert "不能外传" not in told.news[0]


async def test_t27_restart_keeps_what_was_ordered(house):
    runner, later = house.runner, time.time() + 600
    await runner.set_mode(GROUP, "join")
    await runner.set_freq(GROUP, 0.5)
    await runner.set_share(GROUP, 0.1)
    await runner.set_night("", "morning")
    await runner.hush(OTHER_GROUP, later)
    await runner.allow("qq:group:9")
    await runner.deny(FRIEND)
    await runner.block("30001")
    await runner.stop_all()
    await house.again()
    runner = house.runner
    rules = runner.standing.rules(GROUP)
    assert (rules.mode, rules.freq, rules.share, rules.night) == ("join", 0.5, 0.1, "morning")
    assert (runner.is_on("qq:group:9"), runner.is_on(FRIEND)) == (True, False)
    status = runner.status()
    assert (status.halted, status.blocked, status.hushed) == (True, 1, {OTHER_GROUP: later})
    assert runner.blocked() == ["30001"]
    assert not await answered(house)
    await runner.go_on()
    assert await answered(house)
    await house.say("我呢", sender="30001", at=True)
    await house.quiet()
    assert len(house.port.sent) == 1
    await runner.unblock("30001")
    await house.say("现在呢", sender="30001", at=True)
    await house.quiet()
    assert len(house.port.sent) == 2


async def test_t27_what_was_sent_today_counts_after_a_restart(house):
    assert await answered(house)
    await house.again()
    assert house.runner.status().sent_today == 1
    assert len(house.runner.state.chats[GROUP].sends) == 1


async def test_t29_the_owners_own_line_silences_me_there_over_a_restart(house):
    await house.say("我自己来", GROUP, "10000", mine=True)
    assert not await answered(house)
    assert await answered(house, FRIEND)
    await house.again()
    assert not await answered(house)
    await house.runner.hush(GROUP, 0)
    assert await answered(house)


async def test_t29_by_another_account_the_line_is_the_owners_and_no_call_when_quoted(house):
    line = await house.say("我来说", GROUP, "10001")
    assert await house.history.author(GROUP, line.id) == OWNER
    assert not await answered(house)
    await house.runner.takeover(GROUP, 0)
    await house.say("同意", GROUP, "30002", reply_to=line.id)
    await house.quiet()
    assert not house.port.texts()


async def test_t23_a_night_call_is_answered_after_a_restart_in_the_morning_and_not_at_noon(house):
    hour = int(time.time() // 3600 + 8) % 24
    end = -(time.time() % 3600)
    asleep = Behaviour(asleep=((hour - 2) % 24, hour))
    house.talker.persona = PERSONA.model_copy(update={"behaviour": asleep})
    house.port.ahead = end - 1800.0
    await house.runner.set_night("", "morning")
    await house.say("醒了没", at=True)
    assert house.runner.state.chats[GROUP].why.what == "answering"
    await house.again()
    assert not house.port.sent
    house.port.ahead = end + 600.0
    await house.again()
    await house.quiet()
    assert house.port.texts() == ["好呀"]
    house.port.ahead = end - 1800.0
    await house.say("还没醒", at=True)
    house.port.ahead = end + 5 * 3600.0
    await house.again()
    await house.quiet()
    assert house.port.texts() == ["好呀"]


async def test_t28_clear_is_a_mark_and_deletes_nothing(house):
    old = await house.say("旧话题", FRIEND)
    await house.quiet()
    await house.runner.clear(FRIEND)
    assert not await house.history.recent(FRIEND, 9)
    assert await house.history.author(FRIEND, old.id) == "other"


async def test_t30_a_poke_is_a_call_with_a_cooldown(house):
    for number in range(2):
        await house.say("", at=True, sender=f"3000{number}", segments=[Segment("poke")])
        await house.quiet()
    assert house.port.texts() == ["好呀"]
    assert house.runner.errands.counts["cooldown"] == 1


async def test_say_says_it_as_it_is_and_undo_takes_my_last_reply_back(house):
    taken = []

    async def unsend(chat: str, message: str) -> bool:
        taken.append(message)
        return True

    house.port.unsend = unsend
    house.talker.answer = lambda _: "一\n二"
    await house.say("在吗", at=True)
    await house.quiet()
    assert await house.runner.undo(GROUP) == 2
    assert taken == ["s2", "s1"]
    assert [m.text for m in await house.history.recent(GROUP, 9)] == ["在吗"]
    assert await house.runner.say(GROUP, "主人说的\n第二句")
    await house.quiet()
    assert house.port.texts()[2:] == ["主人说的", "第二句"]
    assert await house.history.author(GROUP, "s3") == OWNER


async def test_undo_takes_back_what_was_said_for_the_owner_and_nothing_they_typed(house):
    gone = True

    async def unsend(chat: str, message: str) -> bool:
        taken.append(message)
        return gone

    taken = []
    house.port.unsend = unsend
    await house.say("在吗", at=True)
    await house.quiet()
    await house.runner.say(GROUP, "主人说的\n第二句")
    await house.quiet()
    assert await house.runner.undo(GROUP) == 2
    assert taken == ["s3", "s2"], "and not the persona's reply before"
    assert [m.text for m in await house.history.recent(GROUP, 9)] == ["在吗", "好呀"]
    # Too old for the platform, the owner's words stand there, and in the prompt.
    await house.runner.say(GROUP, "很早说的")
    await house.quiet()
    gone = False
    assert await house.runner.undo(GROUP) == 0
    assert (await house.history.recent(GROUP, 9))[-1].text == "很早说的"
    await house.say("我自己打的", GROUP, "10000", mine=True)
    taken.clear()
    assert await house.runner.undo(GROUP) == 0
    assert not taken


async def test_retry_says_it_anew(house):
    await house.say("在吗", at=True)
    await house.quiet()
    house.talker.answer = lambda _: "换个说法"
    assert await house.runner.retry(GROUP)
    await house.quiet()
    assert house.port.texts() == ["好呀", "换个说法"]
    assert [m.text for m in await house.history.recent(GROUP, 9)] == ["在吗", "换个说法"]


async def test_why_and_stats_are_readable(house):
    assert "还没什么可决定的" in house.runner.why(GROUP)
    await house.runner.set_mode(GROUP, "join")
    await house.say("在吗", at=True)
    await house.quiet()
    await house.say("你们聊", sender="30002")
    line = house.runner.why(GROUP)
    assert "\n" not in line
    for words in ("开口概率", "上一次开口", "叫了我，回", "模式 join", PERSONA.hash):
        assert words in line
    stats = await house.runner.stats(GROUP)
    assert (stats.here, stats.replies, stats.everywhere) == (1, 1, 1)
