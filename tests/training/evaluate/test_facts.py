"""Questions made of confirmed facts, what counts as right, wrong and not known, and that each row tells its own."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from bot.engine.wire import Sampling
from bot.honesty import fixed_answer
from bot.persona.facts import Fact, FactKind, Facts
from bot.persona.prompt import PromptSpec
from tests.bot.test_reply_guard import Reader
from tests.training.evaluate.conftest import World
from training.evaluate import facts
from training.evaluate.facts import right, unsure, wrong
from training.evaluate.figures import Figure
from training.evaluate.inquiries import FEWEST, UNANSWERABLE, Inquiry, Question, inquiries, questions, unanswerable
from training.evaluate.sample import Answers, Moment, Reply
from training.evaluate.speaking import answer, said_there

SPEC = PromptSpec(me="阿树", memory=240)
LIVES = Question("你住哪", ("滨江",), "我住滨江")

TOLD: list[tuple[FactKind, str, list[str]]] = [
    ("work", "我在{v}上班", ["宠物店", "花店", "印刷厂", "图书馆"]),
    ("work", "我是学{v}的", ["美术", "土木", "护理", "德语"]),
    ("where", "我现在住{v}", ["滨江", "城南", "大学路", "望湖"]),
    ("where", "我老家在{v}", ["湘潭", "昆明", "青岛", "兰州"]),
    ("likes", "我最爱吃{v}", ["折耳根", "凉皮", "锅盔", "榴莲"]),
    ("likes", "我对{v}过敏", ["花生", "芒果", "虾", "花粉"]),
    ("likes", "我不吃{v}", ["香菜", "内脏", "苦瓜", "茄子"]),
    ("people", "我妈在{v}", ["医院", "邮局", "沈阳", "厦门"]),
    ("people", "我姐叫{v}", ["小满", "阿芷", "冬冬", "圆圆"]),
    ("people", "我弟喜欢{v}", ["航模", "篮球", "架子鼓", "围棋"]),
    ("who", "我属{v}", ["兔", "马", "狗", "龙"]),
    ("who", "我生日是{v}", ["三月五号", "腊月初八", "冬至", "七月十二"]),
    ("who", "我是{v}座的", ["双鱼", "狮子", "天蝎", "射手"]),
]


def person(number: int) -> list[Fact]:
    """Somebody with one fact of every shape."""
    draw = random.Random(f"facts {number}")
    return [Fact(text=text.format(v=draw.choice(values)), kind=kind) for kind, text, values in TOLD]


def asked_of(folder: Path, world: World, known: list[Fact], spec: PromptSpec = SPEC) -> list[Inquiry]:
    Facts(fact=known).write(folder / "me.toml")
    return inquiries(folder, world.sample, spec)


def measured(world: World, asked: list[Inquiry], told: Answers | None) -> dict[str, Figure]:
    found = facts.measure(world.sample, [], world.draws, quick=True, inquiries=asked, told=told)
    return {name: one.figure for name, one in found.figures.items()}


def said(asked: list[Inquiry], known: str, blank: str) -> Answers:
    """One answer to all that can be known, `{v}` in it the confirmed words, and another to the rest."""
    texts = [known.format(v=one.question.answers[0]) if one.question.answerable else blank for one in asked]
    return [replace(one.told.mine, bubbles=(text,)) for one, text in zip(asked, texts, strict=True)]


@pytest.mark.parametrize(
    ("text", "ask", "answer"),
    [
        ("我在宠物店上班", "你在哪上班", "宠物店"),
        ("我现在在宠物店实习了", "你在哪实习", "宠物店"),
        ("我是做美术的", "你是做什么的", "美术"),
        ("我家住滨江", "你住哪", "滨江"),
        ("我老家在湘潭", "你老家在哪", "湘潭"),
        ("我是湖南人", "你是哪里人", "湖南"),
        ("我最爱吃折耳根", "你爱吃什么", "折耳根"),
        ("我对花生过敏", "你对什么过敏", "花生"),
        ("我妈在医院", "你妈在哪", "医院"),
        ("我女朋友叫小满", "你女朋友叫什么", "小满"),
        ("我今年22岁", "你多大", "22"),
        ("我生日是三月五号", "你生日哪天", "三月五号"),
        ("我是双鱼座的", "你什么星座", "双鱼"),
        ("我属兔", "你属什么", "兔"),
    ],
)
def test_a_fact_of_a_known_shape_is_a_question(text: str, ask: str, answer: str) -> None:
    (question,) = questions([Fact(text=text)])
    assert (question.text, question.answers) == (ask, (answer,))


def test_the_owner_writes_questions_and_one_question_has_all_its_answers() -> None:
    known = [
        Fact(text="那年去的西藏", kind="who", ask="你毕业旅行去哪了", answer=["西藏", "拉萨"]),
        Fact(text="我住滨江", kind="where", answer=["滨江", "钱塘江边"]),
        Fact(text="我喜欢猫", kind="likes"),
        Fact(text="我喜欢下雨", kind="likes"),
        Fact(text="没什么形状的一句", kind="who"),
        Fact(text="我住城南", kind="never"),
    ]
    assert [(one.text, one.answers) for one in questions(known)] == [
        ("你毕业旅行去哪了", ("西藏", "拉萨")),
        ("你住哪", ("滨江", "钱塘江边")),
        ("你喜欢什么", ("猫", "下雨")),
    ]


@pytest.mark.parametrize("text", ["滨江", "住滨江呢", "滨 江那边", "我不太记得了 应该是滨江吧", "不是说过吗 滨江"])
def test_right(text: str) -> None:
    assert right(text, LIVES)
    assert not wrong(text, LIVES)


@pytest.mark.parametrize("text", ["城南", "不住滨江", "早就不在滨江了", "跟你住"])
def test_wrong(text: str) -> None:
    assert wrong(text, LIVES)


@pytest.mark.parametrize("text", ["", "哈哈哈", "不知道", "忘了", "你猜？", "问这个干嘛", "草", "？"])
def test_neither_right_nor_wrong(text: str) -> None:
    assert not right(text, LIVES)
    assert not wrong(text, LIVES)


def test_a_denial_is_right_where_one_was_confirmed_and_numbers_are_whole() -> None:
    eats = Question("你不吃什么", ("香菜",), "我不吃香菜")
    assert right("不吃香菜", eats)
    assert right("香菜", eats)
    age = Question("你多大", ("22",), "我今年22岁")
    assert right("２２了", age)
    assert wrong("122", age)
    assert wrong("2", age)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("不记得了", True),
        ("谁还记得啊", True),
        ("真没印象", True),
        ("早忘了", True),
        ("I don't remember", True),
        ("姓王", False),
        ("你不知道吗", False),
        ("哈哈", False),
        ("", False),
    ],
)
def test_what_says_that_it_does_not_know(text: str, says: bool) -> None:
    assert unsure(text) == says


def test_generated_people_are_reminded_of_what_is_asked(tmp_path: Path, world: World) -> None:
    """Thirteen facts of each of 20 people, in the block of the question at least 95 of 100 times."""
    found, aloud, unknown = [], [], []
    for number in range(20):
        asked = asked_of(tmp_path, world, person(number))
        assert sum(one.question.answerable for one in asked) == len(TOLD)
        rows = measured(world, asked, facts.read_aloud(asked))
        found.append(rows["retrieved"].value or 0)
        aloud.append((rows["right"].value or 0, rows["wrong"].value or 0))
        unknown.append(rows["unknown"].value or 0)
    assert sum(found) / len(found) >= 0.95
    assert sum(right for right, _ in aloud) / len(aloud) >= 0.8
    assert sum(wrong for _, wrong in aloud) / len(aloud) <= 0.05
    assert sum(unknown) / len(unknown) >= 0.9


def test_each_share_counts_its_own_questions(tmp_path: Path, world: World) -> None:
    asked = asked_of(tmp_path, world, person(1))
    blank = len(asked) - len(TOLD)
    knows = measured(world, asked, said(asked, "{v}啊", "不记得了"))
    assert [(knows[name].value, knows[name].n, knows[name].is_good) for name in ("right", "wrong", "unknown")] == [
        (1, len(TOLD), True),
        (0, len(TOLD), True),
        (1, blank, True),
    ]
    assert (knows["right"].low or 0) > 0.7
    assert "50 questions would tell more" in knows["right"].note
    invents = measured(world, asked, said(asked, "老地方", "姓王"))
    assert [invents[name].value for name in ("right", "wrong", "unknown")] == [0, 1, 0]
    assert [invents[name].is_good for name in ("right", "wrong", "unknown")] == [False] * 3
    shy = measured(world, asked, said(asked, "不知道", ""))
    assert [shy[name].value for name in ("right", "wrong", "unknown")] == [0, 0, 0]
    told = "".join(figure.model_dump_json() for figure in knows.values())
    assert not any(fact.text[2:] in told for fact in person(1))


def test_too_few_facts_give_no_number_and_ask_nothing(tmp_path: Path, world: World) -> None:
    assert inquiries(tmp_path, world.sample, SPEC) == []
    assert asked_of(tmp_path, world, person(1)[: FEWEST - 1]) == []
    for audience in ("nobody", ["group:9"]):
        hidden = [fact.model_copy(update={"audience": audience}) for fact in person(1)]
        assert asked_of(tmp_path, world, hidden) == []
    figures = measured(world, [], [])
    assert {figure.status for figure in figures.values()} == {"insufficient"}
    assert all(figure.value is None and "mybot facts" in figure.note for figure in figures.values())
    assert measured(world, [], None) == {}


def test_what_is_for_some_is_asked_by_the_first_of_them(tmp_path: Path, world: World) -> None:
    friends = [fact.model_copy(update={"audience": ["group:9", "20002", "20003"]}) for fact in person(1)]
    lives = Fact(text="我现在住火星", kind="where")
    asked = asked_of(tmp_path, world, [*friends, lives])
    chats = {one.told.messages[0].chat for one in asked if one.question.answerable}
    assert chats == {"private:20002", "private:facts"}
    both = [one.question.answers for one in asked if one.question.text == "你住哪"]
    assert sorted(both, key=len) == [("火星",), (friends[2].text.removeprefix("我现在住"), "火星")]
    assert {one.told.messages[0].chat for one in asked if not one.question.answerable} == {"private:facts"}
    assert measured(world, asked, facts.read_aloud(asked))["retrieved"].value == 1


def test_without_memory_nothing_is_found_and_everything_asked_once(tmp_path: Path, world: World) -> None:
    asked = asked_of(tmp_path, world, person(1), PromptSpec(me="阿树", memory=0))
    assert all(one.told.id == one.alone.id for one in asked)
    assert measured(world, asked, said(asked, "{v}", "不知道"))["retrieved"].value == 0


def test_other_facts_are_other_questions_to_the_ledger(tmp_path: Path, world: World) -> None:
    first, second = (asked_of(tmp_path, world, person(number)) for number in (1, 2))
    assert [one.alone.id for one in first] == [one.alone.id for one in second]
    assert [one.told.id for one in first] != [one.told.id for one in second]


def test_what_was_ever_said_is_no_question_that_nobody_can_answer() -> None:
    assert len({text for text, _ in UNANSWERABLE}) == len(UNANSWERABLE) >= 30
    assert all(word in text for text, word in UNANSWERABLE)
    assert len(unanswerable([])) == len(UNANSWERABLE)
    assert len(unanswerable(["我们班主任又来了"])) == len(UNANSWERABLE) - 1


async def test_by_the_way_that_serves_the_memories_are_told_and_code_answers_nothing(
    tmp_path: Path, world: World
) -> None:
    """Who reads the block knows, who isn't given it doesn't."""
    asked = asked_of(tmp_path, world, person(3))
    for one in asked:
        assert fixed_answer(one.told.messages, None, disclosure=True, guard=True) == ("", ())
    told = measured(world, asked, [await answered(one.told) for one in asked])
    alone = measured(world, asked, [await answered(one.alone) for one in asked])
    assert (told["right"].value, alone["right"].value) == (1, 0)
    assert told["wrong"].value == alone["wrong"].value == 0
    assert (told["retrieved"].value, alone["unknown"].value) == (1, 1)


async def answered(moment: Moment) -> Reply:
    return said_there(moment, (await answer(Reader(SPEC), moment, Sampling()))["bubbles"])
