"""What is asked, and what answers it: on people with known facts, in words that nothing was mended with."""

import datetime as dt

import pytest

from bot.persona.facts import Facts
from bot.persona.grams import asked
from bot.persona.wanted import SURE, Wanted
from tests.bot.strangers import LATER, NEVER_TOLD, TOPICS, UNTOLD, Topic, stranger

DAY = dt.date(2024, 3, 4)
MOST = 4


@pytest.mark.parametrize(
    ("topics", "untold"), [(TOPICS, UNTOLD), (LATER, NEVER_TOLD)], ids=["mended with", "written later"]
)
def test_generated_people_answer_what_is_known_and_nothing_else(
    topics: tuple[Topic, ...], untold: tuple[str, ...]
) -> None:
    """The share of right answers, of wrong ones, of silence where nothing is told, and of facts in the block."""
    right, wrong, found, silent = [], [], [], []
    for number in range(6):
        them = stranger(number, topics)
        facts = Facts(fact=[fact for fact, _, _ in them])
        for _, value, questions in them:
            for question in questions:
                block, answer = told(facts, question)
                right.append(value in answer)
                wrong.append(bool(answer) and value not in answer)
                found.append(any(value in text for text in block))
        silent += [not told(facts, question)[1] for question in untold]
    assert len(right) >= 300
    assert len(silent) >= 300
    assert sum(right) / len(right) >= 0.8
    assert sum(wrong) / len(wrong) <= 0.05
    assert sum(found) / len(found) >= 0.95
    assert sum(silent) / len(silent) >= 0.9


def told(facts: Facts, question: str) -> tuple[list[str], str]:
    """What a question recalls, and the first of it that answers."""
    found = facts.fitting("qq:private:2", asked([question]), Wanted.of([question]), [question], DAY)[:MOST]
    return [one.fact.text for one in found], next((one.fact.text for one in found if one.answers), "")


@pytest.mark.parametrize(
    ("question", "answers", "others"),
    [
        ("你是哪里人", ["我是湖南人", "老家在湘潭的"], ["我妈是湖南人", "我住滨江", "我是好人"]),
        ("你妈在哪上班", ["我妈在医院", "我妈妈在医院上班"], ["我在医院上班", "我妈叫桂芳"]),
        ("你叫啥", ["我叫阿树"], ["我家猫叫年糕", "我妈叫桂芳", "我属兔"]),
        ("你以前住哪", ["我以前住滨江"], ["我住滨江"]),
        ("你多大", ["我今年22岁"], ["我家猫三岁了", "我身高一米八"]),
        ("你哪天生日", ["三月五号是我生日"], ["我妈生日是五月"]),
        ("你有啥不吃的", ["我不吃香菜"], ["我爱吃折耳根"]),
        ("你对花生过敏吗", ["我对花生过敏"], ["我对芒果过敏"]),
        ("你家wifi密码多少", ["我家wifi密码88886666"], ["我家wifi密码记不住", "我家wifi很快"]),
        ("你在宠物店上班几年了", ["我在宠物店上班三年了"], ["我在宠物店上班"]),
        ("你为什么养猫", [], ["我养了只猫"]),
        ("你在干嘛", [], ["我在宠物店上班"]),
    ],
)
def test_an_answer_tells_what_is_asked_of_whom_it_is_asked(
    question: str, answers: list[str], others: list[str]
) -> None:
    wanted = Wanted.of(["在吗", question])
    assert [text for text in answers if wanted.fit(text) < SURE] == []
    assert [text for text in others if wanted.fit(text) >= SURE] == []


def test_the_last_line_that_asks_is_what_is_asked() -> None:
    assert Wanted.of(["你住哪", "哈哈", "说啊"]).fit("我住滨江") >= SURE
    assert Wanted.of(["你住哪", "你叫什么"]).fit("我住滨江") < SURE
    assert Wanted.of(["今天好累", "哈哈哈"]) == Wanted()
    assert Wanted().fit("我住滨江") == 0
