"""The store of memories: what is asked is found, in its own chat only, and what was deleted is gone from the file."""

import random
from datetime import date
from pathlib import Path

import pytest

from bot.persona.facts import Fact, Facts
from bot.persona.grams import asked, grams
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec, remember
from bot.recall import Recall
from bot.reminding import Reminding
from config.errors import InputError
from tests.bot.people import DAY, Person, asks, person
from tests.bot.strangers import NEVER_TOLD

SPEC = PromptSpec(me="阿树", memory=240)


def said(number: int, chat: str, text: str, *, sender: str = "2", time: int | None = None) -> Message:
    kind = "group" if ":group:" in chat else "private"
    at = 1000 * number if time is None else time
    return Message(f"{chat}{number}", chat, kind, at, sender, f"人{sender}", [Segment("text", text)], sender == "1")


def store(*messages: Message) -> Recall:
    lines = Recall.open(None)
    lines.add((message, None) for message in messages)
    return lines


def found(lines: Recall, chat: str, question: str) -> list[str]:
    return [line.message.text for line in lines.search(chat, asked([question]), before=1 << 40)]


def share_found(people: list[Person], *, days_later: float) -> float:
    reminding = Reminding(Recall.open(None))
    assert reminding.lines is not None
    hits = []
    for one in people:
        reminding.lines.add((message, None) for message in one.messages)
        for known in one.known:
            messages = asks(one, known.question, days_later=days_later)
            recalled = reminding.of(messages, SPEC, now=messages[-1].time)
            block = remember(recalled, SPEC, {}, kind="private", name="朋友", now=messages[-1].time)
            assert len(block) <= SPEC.memory
            hits.append(known.value in block)
    assert len(hits) >= 100
    return sum(hits) / len(hits)


def test_what_is_asked_about_stands_in_the_block() -> None:
    """Eight facts of each of 20 people, each said once in 1,200 lines, asked in other words."""
    assert share_found([person(number, seed=11) for number in range(20)], days_later=1) >= 0.95


def test_what_a_chat_has_told_is_answered_and_nothing_else() -> None:
    """By the first line of mine that answers, without a model; nobody told what is asked beside."""
    right, wrong, silent = [], [], []
    reminding = Reminding(lines := Recall.open(None))
    for one in [person(number, seed=11) for number in range(10)]:
        lines.add((message, None) for message in one.messages)
        for known in one.known:
            answer = answered(reminding, asks(one, known.question, days_later=1))
            right.append(known.value in answer)
            wrong.append(bool(answer) and known.value not in answer)
        silent += [not answered(reminding, asks(one, question, days_later=1)) for question in NEVER_TOLD]
    assert sum(right) / len(right) >= 0.8
    assert sum(wrong) / len(wrong) <= 0.05
    assert sum(silent) / len(silent) >= 0.9


def answered(reminding: Reminding, messages: list[Message]) -> str:
    recalled = reminding.of(messages, SPEC, now=messages[-1].time)
    return next((one.message.text for one in recalled if one.answers), "")


def test_the_first_day_is_found_as_often_after_a_month_as_on_the_next() -> None:
    short = share_found([person(number, days=1, first_day=True, seed=12) for number in range(20)], days_later=1)
    long = share_found([person(number, days=30, first_day=True, seed=12) for number in range(20)], days_later=1)
    assert long >= short - 0.02
    assert long >= 0.95


def test_grams_meet_whatever_the_width_and_case() -> None:
    assert set(grams("我家ＷＩＦＩ密码")) >= {"wifi", "密", "密码", "家"}
    assert "wifi" in grams("WiFi断了")
    assert grams("[图片]@某人 的了") == []
    assert "猫" in grams("我的猫")


def test_of_another_chat_nothing_is_found() -> None:
    lines = store(said(1, "qq:private:1", "我对花生过敏"), said(2, "qq:private:11", "我对芒果过敏"))
    assert found(lines, "qq:private:1", "对什么过敏") == ["我对花生过敏"]
    assert found(lines, "qq:private:11", "对什么过敏") == ["我对芒果过敏"]
    assert found(lines, "qq:private:2", "对什么过敏") == []


def test_no_token_of_one_chat_in_another_over_10_000_histories() -> None:
    """Every chat has a token of its own in its lines, its facts and its people's names."""
    draw = random.Random(7)
    lines = Recall.open(None)
    for histories in range(0, 10_000, 5):
        chats = [f"qq:{draw.choice(('private', 'group'))}:{histories + place}" for place in range(5)]
        secrets = {chat: f"密{place}语{place}号" for place, chat in enumerate(chats)}
        lines.add(
            (said(number, chat, f"{draw.choice('花生猫车姐')}{secrets[chat]}的事", sender=draw.choice("123")), None)
            for number, chat in enumerate([*chats, *draw.choices(chats, k=10)])
        )
        facts = [Fact(text=f"{secrets[chat]}是我", audience=[chat.removeprefix("qq:")]) for chat in chats]
        reminding = Reminding(lines, Facts(fact=facts))
        for chat in chats:
            messages = [said(10_000, chat, "你是谁 密 语 号")]
            recalled = reminding.of(messages, SPEC, now=messages[-1].time)
            block = remember(recalled, SPEC, {}, kind=messages[0].kind, name="某处", now=messages[-1].time)
            assert not any(secret in block for other, secret in secrets.items() if other != chat)
            assert block.count(secrets[chat]) > 1


def test_a_question_is_told_with_its_answer_or_not_at_all() -> None:
    chat = "qq:private:2"
    lines = store(
        said(1, chat, "你家猫叫什么", time=1000),
        said(2, chat, "年糕", sender="1", time=1010),
        said(3, chat, "猫粮买哪种呢", time=9000),
        *[said(place, chat, "哈哈哈", time=100_000 + place * 9000) for place in range(10, 40)],
    )
    messages = [said(99, chat, "猫叫啥来着", time=10_000_000)]
    recalled = Reminding(lines).of(messages, SPEC, now=messages[-1].time)
    assert [one.message.text for one in recalled] == ["你家猫叫什么", "年糕"]


def test_what_stands_in_the_prompt_or_was_cleared_is_not_told_again() -> None:
    chat = "qq:private:2"
    lines = store(*[said(place, chat, f"第{place}次说花生过敏") for place in range(10)])
    messages = [said(8, chat, "花生过敏吗"), said(9, chat, "花生过敏呢")]
    recalled = Reminding(lines).of(messages, SPEC, now=20_000, after=4000)
    assert sorted(one.message.time for one in recalled) == [5000, 6000, 7000]


def test_what_must_not_be_said_is_not_recalled() -> None:
    lines = store(said(1, "qq:private:2", "前任叫李雷"), *[said(place, "qq:private:2", "哦") for place in range(2, 30)])
    messages = [said(99, "qq:private:2", "你前任叫什么")]
    never = Facts(fact=[Fact(text="李雷", kind="never")])
    assert Reminding(lines).of(messages, SPEC, now=1e6)
    assert Reminding(lines, never).of(messages, SPEC, now=1e6) == []


def test_taking_in_twice_changes_nothing() -> None:
    lines = store(said(1, "qq:private:2", "花生"), said(2, "qq:private:2", "芒果"))
    assert lines.add([(said(1, "qq:private:2", "花生"), None)]) == 0
    assert len(lines) == 2


def test_only_words_are_kept() -> None:
    picture = Message("9", "c", "private", 5, "2", "x", [Segment("image")])
    recalled = Message("8", "c", "private", 5, "2", "x", [Segment("text", "花生")], flags=("recalled",))
    assert len(store(picture, recalled)) == 0


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ({"chat": "qq:group:1"}, {"乙说花生秘密", "丙说花生秘密"}),
        ({"chat": "qq:group:1", "sender": "2"}, {"乙说花生秘密", "丙说花生秘密", "群里三号说花生秘密"}),
        ({"sender": "2"}, {"丙说花生秘密", "群里三号说花生秘密"}),
        (
            {"chat": "qq:private:2", "message": "qq:private:23"},
            {"丙说花生秘密", "群里二号说花生秘密", "群里三号说花生秘密"},
        ),
    ],
)
def test_what_was_forgotten_is_gone_from_the_file_and_stays_away(
    tmp_path: Path, target: dict[str, str], left: set[str]
) -> None:
    messages = [
        said(1, "qq:group:1", "群里二号说花生秘密", sender="2"),
        said(2, "qq:group:1", "群里三号说花生秘密", sender="3"),
        said(3, "qq:private:2", "乙说花生秘密", sender="2"),
        said(4, "qq:private:3", "丙说花生秘密", sender="3"),
    ]
    path = tmp_path / "memory.db"
    lines = Recall.open(path)
    lines.add((message, None) for message in messages)
    gone = lines.forget(**target, until=4000)
    assert gone == len(messages) - len(left)
    for _ in range(2):
        texts = {text for chat in ("qq:group:1", "qq:private:2", "qq:private:3") for text in found(lines, chat, "花生")}
        assert texts == left
        # Imported once more, it doesn't come back; what is said afterwards does.
        lines.add((message, None) for message in messages)
    later = said(5, "qq:group:1", "后来的花生", sender="2")
    assert lines.add([(later, None)]) == 1
    lines.close()
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for message in messages:
        assert (message.text.encode() in raw) is (message.text in left)
    # Nor does the index tell which words stood there together.
    if "乙说花生秘密" not in left:
        assert "乙说".encode() not in raw


def test_a_file_that_is_something_else_is_told_in_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(InputError) as raised:
        Recall.open(path)
    assert raised.value.hint


def test_an_import_that_breaks_off_leaves_nothing() -> None:
    lines = store(said(1, "qq:private:2", "花生"))

    def broken():
        yield said(2, "qq:private:2", "芒果"), None
        yield said(3, "qq:private:3", "芒果"), None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lines.add(broken())
    assert len(lines) == 1
    assert found(lines, "qq:private:2", "芒果") == []
    assert lines.add([(said(2, "qq:private:3", "芒果"), None)]) == 1
    assert found(lines, "qq:private:3", "芒果") == ["芒果"]


def test_a_chat_without_memories_costs_nothing() -> None:
    lines = store(said(1, "qq:private:2", "花生"))
    asked_for: list[str] = []
    lines._db.set_trace_callback(asked_for.append)
    assert Reminding(lines).of([said(1, "qq:private:9", "花生")], SPEC, now=DAY) == []
    assert asked_for == ["PRAGMA data_version"]


def test_where_nothing_answers_what_is_asked_of_me_the_other_facts_take_the_room_that_is_left() -> None:
    here, elsewhere = "qq:private:2", "qq:private:3"
    milk = Fact(text="我乳糖不耐", kind="likes", date=date(1970, 1, 2))
    secret = Fact(text="我下个月辞职", kind="work", audience=["3"])
    home = Fact(text="我住在江边", kind="where")
    reminding = Reminding(facts=Facts(fact=[home, secret, milk, Fact(text="我爱吃酱鸭", kind="never")]))

    def told(question: str, chat: str = here) -> list[str]:
        return [one.message.text for one in reminding.of([said(900, chat, question)], SPEC, now=1e6)]

    assert told("你能喝牛奶吗") == ["我乳糖不耐", "我住在江边"], "the newest first"
    assert told("您能喝牛奶吗") == told("你能喝牛奶吗")
    assert "我下个月辞职" in told("你能喝牛奶吗", elsewhere)
    assert told("你住哪儿") == ["我住在江边"], "an answer is enough"
    assert told("外面下雨了吗") == [], "nobody asks about me"
    assert told("牛奶过期了") == []
