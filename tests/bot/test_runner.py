"""The runner with a real SQLite file and a scripted engine: what a chat sees, and what is kept."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timezone
from pathlib import Path

import pytest

from bot.counting import Count
from bot.engine.echo import Echo
from bot.engine.wire import Ask, Piece, Sampling
from bot.history import OWNER, History
from bot.persona.manifest import Model, Persona, Provenance
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec
from bot.port import Port, Unsent
from bot.runner import Runner
from bot.turn_state import Pace
from bot.words import DISCLOSURE
from config.settings import Bot

GROUP, OTHER_GROUP, FRIEND, OWNER_CHAT = (
    "qq:group:7001",
    "qq:group:7002",
    "qq:private:20001",
    "qq:private:10001",
)
PACE = Pace(
    debounce=0.04,
    bubble_pause=0.03,
    typing=0.0,
    bare_wait=0.1,
    retries=(0.05, 0.1),
    per_minute=1000,
    per_user=1000,
    gap=0.0,
    delays=0.0,
    rally=False,
)
PERSONA = Persona(
    name="me",
    model=Model(base="toy"),
    prompt=PromptSpec(me="小北"),
    provenance=Provenance(created=datetime(2026, 1, 1, tzinfo=timezone.utc)),
)
Answer = str | tuple[Piece, ...]


class ScriptedTalker:
    """An engine that says what the test wants, a character at a time, and remembers its prompts."""

    def __init__(self, answer: Callable[[str], Answer] = lambda _: "好呀") -> None:
        self.persona = PERSONA
        self.count: Count | None = None
        self.answer = answer
        self.slow = 0.0
        self.prompts: list[str] = []
        self.samplings: list[Sampling] = []
        self.asks: list[Ask | None] = []
        self.running = 0

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.prompts.append("\n".join(message["content"] for message in messages))
        self.samplings.append(sampling)
        self.asks.append(ask)
        self.running += 1
        try:
            await asyncio.sleep(self.slow)
            answer = self.answer(self.prompts[-1])
            pieces = (*map(Piece, answer), Piece(finish="stop")) if isinstance(answer, str) else answer
            for piece in pieces:
                await asyncio.sleep(0)
                yield Piece(piece.text, piece.finish, self.persona.hash, piece.why)
        finally:
            self.running -= 1

    async def close(self) -> None:
        pass


class RecordingPort(Port):
    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str | None]] = []
        self.typed: list[str] = []
        self.ahead = 0.0
        self.during: Callable[[str], object] = lambda _: None

    async def send(
        self, chat: str, text: str, quote: str | None, at: str | None = None, faces: Sequence[str] = ()
    ) -> str:
        result = self.during(chat)
        if asyncio.iscoroutine(result):
            await result
        self.sent.append((chat, text, quote))
        return f"s{len(self.sent)}"

    def now(self) -> float:
        return time.time() + self.ahead

    async def typing(self, chat: str) -> None:
        self.typed.append(chat)

    def texts(self, chat: str = GROUP) -> list[str]:
        return [text for where, text, _ in self.sent if where == chat]


class House:
    """A runner with all it needs, that may be shut and opened again on the same file."""

    def __init__(self, folder: Path, **knobs: object) -> None:
        self.url = f"sqlite+aiosqlite:///{folder / 'history.db'}"
        knobs = {"disclosure": False, "chats": ["group:7001", "private:20001"], **knobs}
        self.settings = Bot(superusers=["10001"], **knobs)
        self.talker = ScriptedTalker()
        self.port = RecordingPort()
        self.numbers = 0

    async def open(self) -> "House":
        self.history = await History.open(self.url)
        self.runner = Runner(self.talker, self.history, settings=self.settings, port=self.port, pace=PACE)
        await self.runner.resume()
        return self

    async def shut(self) -> None:
        await self.runner.close()
        await self.history.close()

    async def again(self) -> None:
        await self.shut()
        await self.open()

    def message(self, text: str, chat: str = GROUP, sender: str = "20001", **more) -> Message:
        self.numbers += 1
        more.setdefault("id", f"m{self.numbers}")
        more.setdefault("time", int(self.port.now()))
        kind = "private" if ":private:" in chat else "group"
        more.setdefault("segments", [Segment("text", text)])
        return Message(chat=chat, kind=kind, sender=sender, name=more.pop("name", f"人{sender}"), **more)

    async def say(self, text: str, chat: str = GROUP, sender: str = "20001", at: bool = False, **more) -> Message:
        message = self.message(text, chat, sender, **more)
        await self.runner.hear(message, addressed=at, chat_name="羽毛球" if message.kind == "group" else "")
        return message

    async def quiet(self) -> None:
        """Until nothing is under way in any chat."""
        for _ in range(1000):
            await asyncio.sleep(0.01)
            chats = self.runner.state.chats.values()
            if not any(chat.calls or chat.turn or chat.in_flight for chat in chats):
                return
        pytest.fail("still busy")

    async def until(self, done: Callable[[], object]) -> None:
        for _ in range(500):
            if done():
                return
            await asyncio.sleep(0.01)
        pytest.fail("never came")


@pytest.fixture
async def make(tmp_path):
    async with AsyncExitStack() as stack:

        async def build(**knobs: object) -> House:
            house = await House(tmp_path, **knobs).open()
            stack.push_async_callback(house.shut)
            return house

        yield build


@pytest.fixture
async def house(make):
    return await make()


async def test_a_private_message_is_answered(house):
    await house.say("在吗", FRIEND)
    await house.quiet()
    assert house.port.sent == [(FRIEND, "好呀", None)]
    assert house.port.typed == [FRIEND]
    assert "正在和人20001私聊" in house.talker.prompts[0]


async def test_a_group_message_is_answered_when_called_and_what_was_said_before_is_seen(house):
    await house.say("今晚打球吗", sender="30001", name="阿泽")
    await house.say("我去", sender="30002", name="小鹿")
    await house.quiet()
    assert not house.port.sent
    await house.say("你呢", at=True, sender="30001", name="阿泽")
    await house.quiet()
    assert house.port.texts() == ["好呀"]
    assert "羽毛球" in house.talker.prompts[0]
    assert "阿泽: 今晚打球吗\n小鹿: 我去\n阿泽: 你呢" in house.talker.prompts[0]
    await house.say("那走", at=True, sender="30002", name="小鹿")
    await house.quiet()
    assert house.talker.prompts[1].endswith("好呀\n小鹿: 那走")


async def test_what_is_quoted_from_long_ago_is_in_the_prompt(house):
    old = await house.say("钥匙在花盆底下")
    for number in range(70):
        await house.say(f"闲话{number}")
    await house.quiet()
    await house.say("这个还算数吗", at=True, reply_to=old.id)
    await house.quiet()
    assert "钥匙在花盆底下" in house.talker.prompts[0]
    assert "闲话0\n" not in house.talker.prompts[0]


async def test_a_burst_is_one_reply_of_several_bubbles(house):
    house.talker.answer = lambda _: "一\n二\n三"
    for text in "甲乙丙丁戊":
        await house.say(text, FRIEND)
        await asyncio.sleep(0.01)
    await house.quiet()
    assert len(house.talker.prompts) == 1
    assert house.talker.prompts[0].endswith("甲\n乙\n丙\n丁\n戊")
    assert house.port.texts(FRIEND) == ["一", "二", "三"]


async def test_a_copy_is_not_answered_also_after_a_restart(house):
    message = house.message("在吗", FRIEND)
    heard = await asyncio.gather(*[house.runner.hear(message) for _ in range(4)])
    assert sorted(heard) == [False, False, False, True]
    await house.quiet()
    await house.again()
    assert not await house.runner.hear(message)
    message.time += 5
    assert not await house.runner.hear(message)
    await house.quiet()
    assert len(house.port.sent) == 1


async def test_only_allowed_chats_are_kept_and_answered(house):
    assert not await house.runner.hear(house.message("在吗", OTHER_GROUP), addressed=True)
    assert not await house.runner.hear(house.message("在吗", "qq:private:99"))
    assert not await house.runner.hear(house.message("在吗", "qq:group:17001"), addressed=True)
    assert await house.runner.hear(house.message("在吗", OWNER_CHAT, "10001"))
    await house.quiet()
    assert [chat for chat, _, _ in house.port.sent] == [OWNER_CHAT]
    assert not await house.history.recent(OTHER_GROUP, 5)


async def test_switches_hold_over_a_restart(house):
    await house.runner.set_mode(GROUP, "off")
    await house.runner.set_mode(OTHER_GROUP, "called")
    await house.again()
    assert not house.runner.is_on(GROUP)
    assert house.runner.is_on(OTHER_GROUP)
    await house.say("在吗", at=True)
    await house.say("在吗", OTHER_GROUP, at=True)
    await house.quiet()
    assert [chat for chat, _, _ in house.port.sent] == [OTHER_GROUP]
    # Switched off, an allowed chat is still listened to.
    assert len(await house.history.recent(GROUP, 5)) == 1
    status = house.runner.status()
    assert status.off == (GROUP,)
    assert status.on == ("private:20001", OTHER_GROUP, "qq:private:10001")
    assert (status.answered, status.persona, status.hash) == (1, "me", PERSONA.hash)


async def test_what_was_ignored_while_off_is_not_answered_later(house):
    await house.runner.set_mode(GROUP, "off")
    await house.say("在吗", at=True)
    await house.runner.set_mode(GROUP, "called")
    await house.again()
    await house.quiet()
    assert not house.port.sent


async def test_clear_bounds_the_prompt(house):
    await house.say("旧话题", FRIEND)
    await house.quiet()
    await house.runner.clear(FRIEND)
    await house.say("新话题", FRIEND)
    await house.quiet()
    assert "旧话题" not in house.talker.prompts[1]
    assert "新话题" in house.talker.prompts[1]


async def test_a_recalled_message_is_not_answered_and_in_no_prompt(house):
    house.talker.slow = 0.2
    message = await house.say("说漏嘴了", FRIEND)
    await house.until(lambda: house.talker.running)
    await house.runner.recall(FRIEND, message.id)
    await house.quiet()
    assert not house.port.sent
    assert not house.talker.running
    await house.say("没什么", FRIEND)
    await house.quiet()
    assert "说漏嘴了" not in house.talker.prompts[-1]


async def test_a_mute_holds_over_a_restart(house):
    await house.runner.mute(GROUP, math.inf)
    await house.again()
    await house.say("在吗", at=True)
    await house.quiet()
    assert not house.port.sent
    await house.runner.mute(GROUP, 0)
    await house.say("现在呢", at=True)
    await house.quiet()
    assert house.port.texts() == ["好呀"]


async def test_what_is_stale_is_kept_and_not_answered(house):
    old = await house.say("昨天的", FRIEND, time=int(time.time()) - 600)
    await house.quiet()
    assert not house.port.sent
    assert [m.id for m in await house.history.recent(FRIEND, 5)] == [old.id]
    await house.again()
    await house.quiet()
    assert not house.port.sent


async def test_an_engine_that_was_away_answers_once_when_it_is_back(house, caplog):
    failures = [(Piece(finish="error", why="the worker ended"),), (Piece(finish="busy"),)]
    house.talker.answer = lambda _: failures.pop(0) if failures else "回来了"
    await house.say("不能进日志", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == ["回来了"]
    assert len(house.talker.prompts) == 3
    assert "the worker ended" in caplog.text
    assert "不能进日志" not in caplog.text


async def test_an_engine_that_stays_away_is_silence(house, caplog):
    house.talker.answer = lambda _: (Piece(finish="error", why="gone"),)
    await house.say("在吗", FRIEND)
    await house.quiet()
    assert not house.port.sent
    assert house.runner.status().failed == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3


async def test_what_came_before_the_engine_failed_is_said(house):
    house.talker.answer = lambda _: (Piece("第一句\n第二"), Piece(finish="error"))
    await house.say("在吗", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == ["第一句"]
    assert len(house.talker.prompts) == 1


async def test_what_was_not_answered_before_a_restart_is_answered_once_after_it(house):
    house.talker.slow = 30.0
    await house.say("在吗", at=True)
    await house.say("你们聊", sender="30001")
    await house.until(lambda: house.talker.running)
    house.talker.slow = 0.0
    await house.again()
    await house.quiet()
    assert house.port.texts() == ["好呀"]
    await house.again()
    await house.quiet()
    assert house.port.texts() == ["好呀"]


async def test_after_a_long_stop_nothing_old_is_answered(house):
    house.talker.slow = 30.0
    await house.say("在吗", FRIEND)
    await house.until(lambda: house.talker.running)
    house.talker.slow = 0.0
    house.port.ahead = 500.0
    await house.again()
    await house.quiet()
    assert not house.port.sent


async def test_answered_is_on_disk_before_the_bubble_goes_out(house):
    reader = await History.open(house.url)
    seen = []
    house.port.during = lambda chat: _open_calls(reader, seen)
    await house.say("在吗", FRIEND)
    await house.quiet()
    await reader.close()
    assert seen == [[]]


async def _open_calls(reader: History, seen: list) -> None:
    seen.append(await reader.unanswered(0))


async def test_a_crash_while_sending_does_not_answer_twice(house):
    stuck = asyncio.Event()
    house.port.during = lambda chat: stuck.wait()
    await house.say("在吗", FRIEND)
    await house.until(lambda: house.runner.errands.sends)
    for task in list(house.runner.errands.tasks):
        task.cancel()
    house.port.during = lambda chat: None
    await house.again()
    await house.quiet()
    assert not house.port.sent


async def test_my_bubbles_are_kept_as_the_personas_and_the_owners_lines_as_the_owners(house):
    await house.say("在吗", FRIEND)
    await house.quiet()
    await house.say("我自己来", FRIEND, "me", mine=True)
    await house.quiet()
    kept = await house.history.recent(FRIEND, 9)
    assert [(m.text, m.mine) for m in kept] == [("在吗", False), ("好呀", True), ("我自己来", True)]
    authors = [await house.history.author(FRIEND, m.id) for m in kept]
    assert authors == ["other", f"persona:{PERSONA.hash}", OWNER]
    assert len(house.port.sent) == 1


async def test_the_echo_of_a_bubble_may_come_before_its_id(house):
    heard = []

    async def echo(chat: str) -> None:
        message = house.message("好呀", chat, "me", mine=True, id="s1")
        heard.append(asyncio.create_task(house.runner.hear(message)))
        await asyncio.sleep(0.05)

    house.port.during = echo
    await house.say("在吗", FRIEND)
    await house.quiet()
    assert [await task for task in heard] == [False]
    assert [m.text for m in await house.history.recent(FRIEND, 9)] == ["在吗", "好呀"]
    assert await house.history.author(FRIEND, "s1") == f"persona:{PERSONA.hash}"


async def test_a_quote_of_what_i_said_is_a_call(house):
    await house.say("在吗", at=True)
    await house.quiet()
    other = await house.say("无关", sender="30001")
    await house.say("这个是说他的", sender="30002", reply_to=other.id)
    await house.quiet()
    assert len(house.port.sent) == 1
    await house.say("这个是说你的", sender="30002", reply_to="s1")
    await house.quiet()
    assert len(house.port.sent) == 2


async def test_two_callers_are_answered_in_order_and_the_second_quoted(house):
    house.talker.answer = lambda prompt: "给鹿" if prompt.endswith("小鹿: 我呢") else "给泽"
    await house.say("我呢", at=True, sender="30001", name="阿泽")
    second = await house.say("我呢", at=True, sender="30002", name="小鹿")
    await house.quiet()
    assert house.port.sent == [(GROUP, "给泽", None), (GROUP, "给鹿", second.id)]


async def test_a_bare_at_gets_a_short_answer(house):
    await house.say("", at=True, segments=[Segment("at", id="1", name="小北"), Segment("text", " ")])
    await house.quiet()
    await house.say("", at=True, segments=[Segment("at", id="1", name="小北"), Segment("image")])
    await house.quiet()
    assert [sampling.max_tokens for sampling in house.talker.samplings] == [24, 128]


async def test_disclosure_comes_once_in_each_private_chat(make):
    house = await make(disclosure=True)
    await house.say("在吗", FRIEND)
    await house.quiet()
    await house.again()
    await house.say("又是我", FRIEND)
    await house.say("在吗", at=True)
    await house.quiet()
    assert house.port.texts(FRIEND) == [DISCLOSURE.zh, "好呀", "好呀"]
    assert house.port.texts() == ["好呀"]
    assert not any(DISCLOSURE.zh in prompt for prompt in house.talker.prompts)


async def test_no_disclosure_without_a_reply(make):
    house = await make(disclosure=True)
    house.talker.answer = lambda _: (Piece(finish="timeout"),)
    await house.say("在吗", FRIEND)
    await house.quiet()
    assert not house.port.sent


async def test_the_guard_keeps_personal_data_back(house):
    house.talker.answer = lambda _: "打我电话\n13812345678"
    await house.say("怎么找你", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == ["打我电话"]
    assert house.runner.status().held_back == 1


async def test_a_refused_bubble_is_one_line_in_the_log(house, caplog):
    def refuse(chat: str) -> None:
        raise Unsent("muted by the platform")

    house.port.during = refuse
    await house.say("不能进日志", FRIEND)
    await house.quiet()
    assert [record.message for record in caplog.records] == [f"not sent in {FRIEND}: muted by the platform"]
    house.port.during = lambda chat: None
    await house.say("再来", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == ["好呀"]


async def test_a_bug_keeps_its_traceback_and_the_chat_goes_on(house, caplog):
    def bug(chat: str) -> None:
        raise ZeroDivisionError

    house.port.during = bug
    await house.say("不能进日志", FRIEND)
    await house.quiet()
    assert "ZeroDivisionError" in caplog.text
    assert "不能进日志" not in caplog.text
    house.port.during = lambda chat: None
    await house.say("再来", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == ["好呀"]


async def test_a_bug_in_the_engine_is_silence_with_a_traceback(house, caplog):
    house.talker.answer = lambda _: str(1 // 0)
    await house.say("在吗", FRIEND)
    await house.quiet()
    assert not house.port.sent
    assert "ZeroDivisionError" in caplog.text


async def test_going_on_while_i_draft_starts_anew_and_stops_the_engine(house):
    house.talker.slow = 0.15
    await house.say("在吗", FRIEND)
    await house.until(lambda: house.talker.running)
    await house.say("有事", FRIEND)
    await house.until(lambda: not house.talker.running)
    await house.quiet()
    assert [prompt.split("\n", 1)[1] for prompt in house.talker.prompts] == ["在吗", "在吗\n有事"]
    assert len(house.port.sent) == 1


async def test_closing_leaves_nothing_running(house):
    before = asyncio.all_tasks()
    house.talker.slow = 30.0
    for chat in (GROUP, FRIEND, OWNER_CHAT):
        await house.say("在吗", chat, "10001" if chat == OWNER_CHAT else "20001", at=True)
    await house.until(lambda: house.talker.running == 3)
    await house.runner.close()
    assert not house.talker.running
    assert asyncio.all_tasks() <= before
    assert not house.runner.errands.timers
    assert not await house.runner.hear(house.message("太晚了", FRIEND))


async def test_closing_lets_a_bubble_on_its_way_arrive(house):
    house.port.during = lambda chat: asyncio.sleep(0.1)
    await house.say("在吗", FRIEND)
    await house.until(lambda: house.runner.errands.sends)
    await house.again()
    assert [m.text for m in await house.history.recent(FRIEND, 5)] == ["在吗", "好呀"]


async def test_labels_stay_over_a_restart(house):
    await house.say("我是先来的", sender="30001", name="小鹿")
    await house.say("我也叫小鹿", sender="30002", name="小鹿", at=True)
    await house.quiet()
    await house.again()
    await house.runner.clear(GROUP)
    await house.say("还记得我吗", sender="30002", name="换了名字", at=True)
    await house.quiet()
    assert "小鹿2: 我也叫小鹿" in house.talker.prompts[0]
    assert "小鹿2: 还记得我吗" in house.talker.prompts[1]


async def test_the_talker_may_be_replaced(house):
    house.runner.talker = ScriptedTalker(lambda _: "新的我")
    await house.say("在吗", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == ["新的我"]


async def test_the_echo_engine_answers_too(house):
    echo = Echo()
    house.runner.talker = echo
    await house.say("回声在吗", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == ["回声在吗"]
    assert await house.history.author(FRIEND, "s1") == f"persona:{echo.persona.hash}"


async def test_t26_a_reply_to_a_prompt_made_for_another_persona_is_asked_again(house):
    other = PERSONA.model_copy(update={"name": "other", "prompt": PromptSpec(me="阿泽")})

    def answer(_prompt: str) -> Answer:
        house.talker.persona = other
        return "是我"

    house.talker.answer = answer
    await house.say("在吗", FRIEND)
    await house.quiet()
    assert house.port.texts(FRIEND) == ["是我"]
    assert [("你是小北" in prompt, "你是阿泽" in prompt) for prompt in house.talker.prompts] == [
        (True, False),
        (False, True),
    ]
    assert await house.history.author(FRIEND, "s1") == f"persona:{other.hash}"


async def test_the_prompt_is_kept_within_the_context(house):
    house.talker.count = lambda prompt: 300 * len(prompt)
    for number in range(6):
        await house.say(f"第{number}句", FRIEND)
        await house.quiet()
    assert "第0句" not in house.talker.prompts[-1]
    assert "第5句" in house.talker.prompts[-1]


async def test_the_engine_is_told_for_whom_it_speaks(house):
    await house.say("在吗", FRIEND)
    await house.say("在吗", at=True)
    await house.quiet()
    assert {(ask.chat, ask.rank) for ask in house.talker.asks} == {(FRIEND, "private"), (GROUP, "addressed")}


async def test_a_prompt_begins_where_the_last_one_of_its_chat_did(house):
    house.talker.count = lambda prompt: 120 * len(prompt)
    for number in range(12):
        await house.say(f"第{number}句", FRIEND)
        await house.quiet()
    starts = [prompt.split("\n")[1] for prompt in house.talker.prompts]
    assert starts[0] == "第0句"
    assert 1 < len(set(starts)) <= 4, "not a new one at each turn"


async def test_t06_chats_apart_and_everybody_answered_once_under_load(house):
    """Thirty chats at once, each line with its chat's own token, an engine that fails now and then."""
    turns = iter(range(10_000))
    house.talker.slow = 0.01
    house.talker.answer = lambda _: (Piece(finish="busy"),) if next(turns) % 7 == 0 else "嗯"
    chats = [f"qq:group:8{number:03}" for number in range(30)]
    for chat in chats:
        await house.runner.set_mode(chat, "called")

    for _ in range(4):
        await asyncio.gather(*[house.say(f"暗号{chat[-4:]}完", chat, at=True) for chat in chats])
        await house.quiet()
    assert not await house.history.unanswered(0)
    for prompt in house.talker.prompts:
        assert len({token[:4] for token in prompt.split("暗号")[1:]}) == 1
    status = house.runner.status()
    assert (status.answered, status.failed, status.drafting, status.waiting) == (120, 0, 0, 0)


async def test_memory_is_bounded_over_many_chats(make):
    house = await make(chats=[f"group:9{number:04}" for number in range(600)])
    for number in range(600):
        house.port.ahead += 1.0
        await house.say("路过", f"qq:group:9{number:04}")
    assert len(house.runner.state.chats) <= 2 * 256
    assert not house.runner.errands.timers
    assert not house.runner.errands.tasks
