"""me.toml: read with errors in two lines, told to whom it is for, and never said where it must not be."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from bot.persona.facts import Fact, Facts
from bot.persona.grams import asked
from bot.persona.wanted import Wanted
from config.errors import InputError

DAY = dt.date(2024, 3, 4)


def fitting(facts: Facts, words: str, chat: str = "qq:private:20002", day: dt.date = DAY) -> list[str]:
    return [one.fact.text for one in facts.fitting(chat, asked([words]), Wanted.of([words]), [words], day)]


def test_a_fact_answers_what_is_asked_about_its_kind() -> None:
    facts = Facts(
        fact=[
            Fact(text="我在宠物店上班", kind="work"),
            Fact(text="家在南城", kind="where"),
            Fact(text="爱吃折耳根", kind="likes"),
            Fact(text="我叫阿树 属兔", kind="who"),
            Fact(text="我妹在读高三", kind="people"),
        ]
    )
    assert fitting(facts, "你是干嘛的") == ["我在宠物店上班"]
    assert fitting(facts, "你住哪啊") == ["家在南城"]
    assert fitting(facts, "你有啥爱吃的没") == ["爱吃折耳根"]
    assert fitting(facts, "你多大") == ["我叫阿树 属兔"]
    assert fitting(facts, "你妹妹高考怎么样")[0] == "我妹在读高三"
    assert fitting(facts, "折耳根好恶心") == ["爱吃折耳根"]
    assert fitting(facts, "哈哈哈哈") == []


@pytest.mark.parametrize(
    ("audience", "heard"),
    [
        ("anyone", {"qq:private:20002", "qq:private:30003", "qq:group:20002", "qq:group:9"}),
        ("nobody", set()),
        (["20002"], {"qq:private:20002"}),
        (["group:9"], {"qq:group:9"}),
        (["qq:private:30003"], {"qq:private:30003"}),
    ],
)
def test_who_may_hear_it(audience: str | list[str], heard: set[str]) -> None:
    fact = Fact(text="我妹在读高三", kind="people", audience=audience)  # pyright: ignore[reportArgumentType]
    chats = {"qq:private:20002", "qq:private:30003", "qq:group:20002", "qq:group:9", "qq:private:120002"}
    assert {chat for chat in chats if fact.heard_in(chat)} - {"qq:private:120002"} == heard
    assert fact.heard_in("qq:private:120002") is (audience == "anyone")


def test_what_must_never_be_said() -> None:
    facts = Facts(fact=[Fact(text="前任 李雷", kind="never")])
    assert facts.forbidden("我的前任，李雷…")
    assert facts.forbidden("前 任 李\n雷")
    assert not facts.forbidden("李雷")
    assert fitting(facts, "前任李雷") == []


def test_a_fact_has_its_time() -> None:
    facts = Facts(fact=[Fact(text="我在宠物店上班", kind="work", date=DAY, until=dt.date(2024, 6, 1))])
    days = [dt.date(2024, 3, 3), DAY, dt.date(2024, 5, 31), dt.date(2024, 6, 1)]
    assert [bool(fitting(facts, "工作呢", day=day)) for day in days] == [False, True, True, False]


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip() and text.strip().isprintable()))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("me") / "me.toml"
    facts = Facts(
        fact=[
            Fact(text=text, kind="likes", date=DAY, audience=["20002", "group:9"]),
            Fact(text=text, kind="never", audience="nobody", until=DAY),
            Fact(text="我住滨江", kind="where", ask=text, answer=["滨江", text]),
        ]
    )
    facts.write(path)
    assert Facts.load(path) == facts


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("fact = 3", "fact: input should be a valid list"),
        ('[[fact]]\ntext = "x"\n[[fact]]\nkind = "who"', "fact.2.text: field required"),
        ('[[fact]]\ntext = "x"\nkind = "hobby"', "fact.1.kind"),
        ('[[fact]]\ntext = "x"\ntypo = 1', "fact.1.typo"),
        ('[[fact]]\ntext = "x"\nask = "y"', "fact.1: value error, ask needs answer"),
        ("[[fact]\n", "line 1"),
    ],
)
def test_a_broken_file_is_told_in_two_lines(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "me.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        Facts.load(path)
    assert says in str(raised.value)
    assert raised.value.lines().count("\n") == 1
