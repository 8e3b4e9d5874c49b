"""`mybot facts`: proposed by rules with sources, confirmed one by one, and never by itself."""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from bot.persona.facts import Fact, Facts
from bot.persona.message import Message, Segment
from config.errors import UsageError
from config.settings import Facts as Knobs
from tests.bot.people import DAY, TALK
from training import facts
from training.propose import proposals

START = 1_700_000_000


def said(text: str, day: int = 0, *, chat: str = "qq:private:20002", mine: bool = True, place: int = 0) -> Message:
    sender = "1" if mine else "2"
    kind = "group" if ":group:" in chat else "private"
    time = START + day * DAY + place
    return Message(
        f"{chat}{day}-{place}{text}", chat, kind, time, sender, "阿树", [Segment("text", text)], mine, chat_name="小鹿"
    )


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("我现在在宠物店上班啊", "work", "我现在在宠物店上班"),
        ("我在宠物店上班", "work", "我在宠物店上班"),
        ("我是做美术的", "work", "我是做美术的"),
        ("我住滨江", "where", "我住滨江"),
        ("我是湖南人", "where", "我是湖南人"),
        ("我老家在湘潭", "where", "我老家在湘潭"),
        ("哈哈 我最爱吃折耳根", "likes", "我最爱吃折耳根"),
        ("我对花生过敏", "likes", "我对花生过敏"),
        ("我妈在医院", "people", "我妈在医院"),
        ("我属兔", "who", "我属兔"),
        ("我今年22岁", "who", "我今年22岁"),
        ("我喜欢你", "", None),
        ("我在宠物店上班吗", "", None),
        ("我要是在宠物店上班就好了", "", None),
        ("我觉得我是湖南人", "", None),
        ("明天我在学校上学", "", None),
        ("我家住13912345678", "", None),
        ("我在路上", "", None),
        ("我是说真的", "", None),
    ],
)
def test_what_a_line_tells(text: str, kind: str, told: str | None) -> None:
    found = proposals([said(text)], 1)
    assert [(one.kind, one.text) for one in found] == ([(kind, told)] if told else [])


def test_mentions_of_one_thing_are_counted_together_by_days() -> None:
    messages = [
        said("我在宠物店上班", 1),
        said("我在宠物店上班啊", 1, place=5),
        said("我现在在宠物店上班", 3),
        said("我属兔", 1),
    ]
    (one,) = proposals(messages, 2)
    assert (one.mentions, len(one.days), one.first) == (3, 2, START + DAY)
    assert [message.text for message in one.sources] == [message.text for message in messages[:3]]
    assert proposals([said("我在宠物店上班", day, mine=False) for day in range(9)], 1) == []


def test_generated_people_with_known_facts() -> None:
    """Of ten facts said twice among 4,000 lines each is proposed, and nothing that isn't one."""
    draw = random.Random(7)
    known = [
        "我在宠物店上班",
        "我住滨江",
        "我是湖南人",
        "我最爱吃折耳根",
        "我对花生过敏",
        "我妈在医院",
        "我属兔",
        "我是学美术的",
    ]
    lines = [
        said(draw.choice(TALK), day, mine=draw.random() < 0.5, place=place) for day in range(40) for place in range(100)
    ]
    lines += [said(text, day, place=1000 + place) for place, text in enumerate(known) for day in (3, 17)]
    found = [one.text for one in proposals(sorted(lines, key=lambda message: message.time), 2)]
    assert sorted(found) == sorted(known)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    messages = [said(text, day) for text in ("我在宠物店上班", "我住滨江", "我属兔") for day in (1, 2)]
    messages += [said("我对花生过敏", day, chat="qq:group:9") for day in (1, 2, 3)]
    messages.sort(key=lambda message: (message.chat, message.time))
    (tmp_path / "messages.jsonl").write_text("".join(m.to_json() + "\n" for m in messages), encoding="utf-8")
    return tmp_path


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A terminal on which somebody types these."""

    def typed(*words: str) -> None:
        waiting = iter(words)

        def ask(_self: Console, _question: str) -> str:
            try:
                return next(waiting)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr(Console, "input", ask)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)

    return typed


def test_only_what_is_confirmed_enters(
    records: Path, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers("a", "?", "y", "n", "q")
    facts.main(Knobs(data=records, as_json=True))
    shown = capsys.readouterr().out
    assert "2023-11" in shown
    assert "小鹿: 我住滨江" in shown
    kept = Facts.load(records / "me.toml").fact
    assert [fact.text for fact in kept] == ["我对花生过敏", "我住滨江"]
    assert kept[0].audience == "anyone"
    assert kept[1].audience == ["20002"]
    assert kept[1].heard_in("qq:private:20002")
    assert not kept[1].heard_in("qq:group:9")
    assert kept[1].date is not None
    # What was declined is not asked again, nor what is known; nothing is left of it in clear.
    answers("q")
    facts.main(Knobs(data=records, as_json=True))
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["proposed"] == 1
    assert "属" not in (records / facts.DECLINED).read_text(encoding="utf-8")


def test_it_may_be_put_in_other_words_and_ends_with_the_input(records: Path, answers: Callable[..., None]) -> None:
    answers("e", "花生不能吃 会肿", "y")
    facts.main(Knobs(data=records, as_json=True))
    (fact,) = Facts.load(records / "me.toml").fact
    assert (fact.text, fact.audience) == ("花生不能吃 会肿", ["group:9"])


def test_without_a_terminal_it_lists_or_says_so(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts.main(Knobs(data=records, as_list=True))
    assert "我对花生过敏" in capsys.readouterr().out
    facts.main(Knobs(data=records, as_list=True, as_json=True))
    assert len(json.loads(capsys.readouterr().out)["facts"]) == 4
    with pytest.raises(UsageError) as raised:
        facts.main(Knobs(data=records))
    assert "--list" in raised.value.hint
    assert not (records / "me.toml").exists()


def test_what_the_owner_wrote_by_hand_stays(records: Path, answers: Callable[..., None]) -> None:
    Facts(fact=[Fact(text="我属兔", kind="who", audience="nobody"), Fact(text="李雷", kind="never")]).write(
        records / "me.toml"
    )
    answers("a", "a", "a", "a")
    facts.main(Knobs(data=records, as_json=True))
    kept = Facts.load(records / "me.toml").fact
    assert [fact.text for fact in kept[:2]] == ["我属兔", "李雷"]
    assert len(kept) == 5
