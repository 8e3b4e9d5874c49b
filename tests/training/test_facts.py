"""`mybot facts`: proposed by rules with sources, confirmed one by one, and never by itself."""

import datetime as dt
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from rich.console import Console

from bot.persona.facts import Fact, Facts
from bot.persona.message import Message, Segment
from config.errors import UsageError
from config.settings import Facts as Knobs
from tests.bot.people import DAY, TALK, person
from tests.training.told import LINES, NOTHING, PLANS, TALKS
from tests.training.told_more import MORE, MORE_NOTHING
from tests.training.told_over import ENDED, GOES_ON
from training import facts
from training.endings import endings
from training.importers.source import Zone
from training.plans import plan_of, until
from training.propose import Proposal, mentions, merged

START = 1_700_000_000
TODAY = dt.date(2023, 1, 1)
LATER = dt.date(2024, 12, 1)


def said(text: str, day: int = 0, *, chat: str = "qq:private:20002", mine: bool = True, place: int = 0) -> Message:
    sender = "1" if mine else "2"
    kind = "group" if ":group:" in chat else "private"
    time = START + day * DAY + place
    return Message(
        f"{chat}{day}-{place}{text}", chat, kind, time, sender, "阿树", [Segment("text", text)], mine, chat_name="小鹿"
    )


def proposed(messages: list[Message], least: int = 1, today: dt.date = TODAY) -> list[Proposal]:
    return merged(mentions(messages, Zone("+08:00")), least, today)


@pytest.mark.parametrize(("text", "kind"), LINES)
def test_what_a_line_tells(text: str, kind: str) -> None:
    assert [one.kind for one in proposed([said(text)])] == [kind]


@pytest.mark.parametrize("text", NOTHING)
def test_what_tells_nothing_is_not_proposed(text: str) -> None:
    assert proposed([said(text)]) == []


def test_of_lines_seen_later_most_are_told_apart() -> None:
    found = [len(proposed([said(text)])) for text in MORE]
    assert sum(map(bool, found)) >= 0.75 * len(MORE) > 140
    wrong = [one for text in MORE_NOTHING for one in proposed([said(text)])]
    assert len(wrong) <= 0.02 * len(MORE_NOTHING), "of each hundred lines that tell nothing"
    assert sum(one.plain for one in wrong) <= 2, "the others ask for a second day"


@pytest.mark.parametrize(("lines", "told"), TALKS)
def test_answers_corrections_and_what_is_taken_back(lines: list[str], told: list[str]) -> None:
    messages = [
        said(line.removeprefix("我: "), place=20 * place, mine=line.startswith("我: "))
        for place, line in enumerate(lines)
    ]
    assert [one.text for one in proposed(messages)] == told


def after(fact: str, later: str) -> tuple[list[Proposal], list[str]]:
    """What is proposed of a fact alone, and what of it is left as true after a later line."""
    first = [said(fact), said(fact, 3)]
    alone = proposed(first, 1, LATER)
    known = {(one.topic, one.value) for one in alone}
    left = proposed([*first, said(later, 100)], 1, LATER)
    return alone, [one.text for one in left if (one.topic, one.value) in known]


def test_what_is_over_is_not_proposed_any_more() -> None:
    ended = [(alone, left) for alone, left in (after(*one) for one in ENDED)]
    assert all(alone for alone, _ in ended), "there is something to end"
    assert sum(not left for _, left in ended) >= 0.9 * len(ENDED) > 70
    lost = [one for one in GOES_ON if not after(*one)[1]]
    assert len(lost) <= 0.02 * len(GOES_ON), lost


def test_what_was_said_again_since_is_so_again() -> None:
    lines = [said("我养了只猫"), said("我不养猫了 送人了", 50), said("我养了只猫", 90)]
    assert [one.text for one in proposed(lines, today=LATER)] == ["我养了只猫"]
    assert proposed(lines[:2], today=LATER) == []
    # In whatever order the chats are read; and what is taken back within moments was never over.
    elsewhere = [said("我不养猫了 送人了", 50, chat="qq:private:30003"), said("我养了只猫")]
    assert proposed(elsewhere, today=LATER) == []
    joke = [said("我养了只猫"), said("我不养猫了 送人了", 50), said("骗你的", 50, place=9)]
    assert [one.text for one in proposed(joke, today=LATER)] == ["我养了只猫"]


@pytest.mark.parametrize("later", ["我现在不是一个了", "我买了", "我已经不在了", "我再也不了", "我都戒了"])
def test_what_names_nothing_ends_nothing(later: str) -> None:
    for fact in ("我养了只猫", "我没有车", "我在腾讯上班", "我不喝酒", "我吃素"):
        assert after(fact, later)[1], (fact, later)


@pytest.mark.parametrize(
    "text", ["我" + "刚" * 22 + "了", "刚早就早就早真" * 3 + "了", "我的的狗的真早就真狗狗早就早就真狗真了"]
)
def test_words_that_may_be_cut_in_many_ways_are_read_at_once(text: str) -> None:
    begun = time.process_time()
    assert endings(text, passing=False) == []
    assert time.process_time() - begun < 0.2


def test_a_pet_that_is_gone_by_its_name_was_one_of_something() -> None:
    lines = [said("我养了一只猫"), said("我家猫叫年糕"), said("我家狗叫豆豆"), said("年糕上周走了", 50)]
    assert [one.text for one in proposed(lines, today=LATER)] == ["我家狗叫豆豆"]


def test_who_says_no_i_must_have_said_it_twice() -> None:
    assert proposed([said("对芒果过敏 不能碰")], 2) == []
    assert [one.text for one in proposed([said("对芒果过敏 不能碰", day) for day in (1, 2)], 2)] == ["我对芒果过敏"]
    assert len(proposed([said("我对芒果过敏 不能碰")], 2)) == 1
    assert len(proposed([said("你属啥", mine=False), said("属狗", place=9)], 2)) == 1, "who is asked speaks of himself"


def test_an_answer_is_one_soon_and_to_another() -> None:
    question = said("你在哪上班", mine=False)
    answer = said("宠物店", place=30)
    assert len(proposed([question, answer])) == 1
    assert proposed([question, said("宠物店", place=4000)]) == []
    assert proposed([question, said("等等", place=10), answer]) == []
    assert proposed([said("你在哪上班"), answer]) == []
    quoting = replace(answer, reply_to="elsewhere")
    assert proposed([question, quoting]) == []
    other = said("你在哪上班", mine=False, chat="qq:group:9")
    assert proposed([other, answer]) == []


@pytest.mark.parametrize(("text", "day", "over"), PLANS)
def test_a_plan_is_over_on_a_day(text: str, day: str, over: str) -> None:
    found = plan_of(text, dt.date.fromisoformat(day))
    assert found is not None
    assert found[2].isoformat() == over


@given(
    st.text("下这个周月星期礼拜末一二三四五六日天号年底明后大国庆十0123456789", max_size=8),
    st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)),
)
@settings(max_examples=150)
def test_a_plan_is_never_over_before_it_was_told(when: str, day: dt.date) -> None:
    over = until(when, day)
    assert over is None or day < over < day + dt.timedelta(days=800)


def test_an_age_is_over_within_a_year_of_when_it_was_last_told() -> None:
    ages = [said("我今年22岁"), said("我22岁了", 60), said("我大三了"), said("我妹妹十八岁"), said("我属兔")]
    found = {one.text: one.until for one in proposed(ages, today=dt.date(2024, 11, 20))}
    assert found == {"我22岁": dt.date(2025, 1, 13), "我属兔": None}
    assert len(proposed(ages)) == 4


def test_a_birthday_told_on_its_day_is_a_date() -> None:
    assert [one.text for one in proposed([said("今天我生日", 20)])] == ["我生日是12月5号"]
    assert [one.text for one in proposed([said("明天是我生日！！", 20)])] == ["我生日是12月6号"]


def test_plans_that_are_over_are_not_proposed() -> None:
    message = said("我下周三去北京出差")
    (one,) = proposed([message], today=dt.date(2023, 11, 20))
    assert (one.kind, one.until) == ("where", dt.date(2023, 11, 23))
    assert proposed([message], today=dt.date(2023, 11, 23)) == []


@given(st.lists(st.sampled_from([*NOTHING, *(text for text, _ in LINES)]), max_size=6), st.text(max_size=30))
@settings(max_examples=40)
def test_whatever_is_said_each_proposal_is_in_its_sources(lines: list[str], more: str) -> None:
    messages = [said(text, place=place) for place, text in enumerate([*lines, more])]
    for one in proposed(messages):
        assert one.sources
        assert all(message in messages and message.learnable for message in one.sources)


def test_mentions_of_one_thing_are_counted_together_by_days() -> None:
    messages = [
        said("我在宠物店上班", 1),
        said("我在宠物店上班啊", 1, place=5),
        said("我现在在宠物店上班", 3),
        said("我喜欢下雨天", 1),
    ]
    (one,) = proposed(messages, 2)
    assert (one.mentions, len(one.days), one.since) == (3, 2, dt.date(2023, 11, 16))
    assert [message.text for message in one.sources] == [message.text for message in messages[:3]]
    assert proposed([said("我在宠物店上班", day, mine=False) for day in range(9)]) == []
    assert proposed([said("我家住13912345678")]) == []


def test_a_long_laugh_is_read_at_once() -> None:
    begun = time.perf_counter()
    for laugh in ("哈", "啊", "嗯嗯", "对啊", "但是啊", "h", "233"):
        assert proposed([said((laugh * 80)[:80])]) == []
        assert proposed([said(f"{(laugh * 60)[:60]}我对花生过敏")])
    assert time.perf_counter() - begun < 5


def test_having_and_not_having_are_two_values() -> None:
    lines = ["我没有女朋友", "我有女朋友"]
    for first, then in (lines, lines[::-1]):
        (one,) = proposed([said(first, 1), said(then, 90)])
        assert (one.text, one.before) == (then, first)
    assert proposed([said("我有个女朋友")])[0].topic == "感情"


def test_said_again_less_exactly_it_is_over_later() -> None:
    (one,) = proposed([said("我家猫3岁半了"), said("我家猫3岁了", 200)])
    assert one.until == dt.date(2025, 6, 2)


def test_the_newest_value_stays_and_says_what_was_before() -> None:
    messages = [said("我住滨江", day) for day in (1, 2, 3)] + [said("我搬到苏州了", 90)]
    (one,) = proposed(messages)
    assert (one.text, one.before) == ("我搬到苏州", "我住滨江")
    # More or less exactly the same is the same; numbers are whole.
    (one,) = proposed([said("我在城西的宠物店上班", 1), said("我在宠物店上班", 2)])
    assert (one.mentions, len(one.days), one.before) == (2, 2, "")
    (one,) = proposed([said("我今年22岁", 1), said("我今年2岁", 2), said("我生日3月1号", 3), said("我生日3月11号", 4)])[
        1:
    ]
    assert (one.text, one.before) == ("我生日3月11号", "我生日3月1号")


def test_who_may_hear_it_is_suggested_by_where_it_was_said() -> None:
    chats = ["qq:group:9", "qq:group:8", "qq:private:20002"]
    everywhere = [said(text, day, chat=chat) for day, chat in enumerate(chats) for text in ("我会弹吉他", "我单身")]
    by_text = {one.text: one for one in proposed(everywhere)}
    assert by_text["我会弹吉他"].open
    assert not by_text["我单身"].open
    assert not proposed([said("我会弹吉他", chat=chats[0])])[0].open


def test_generated_people_with_known_facts() -> None:
    """Of what was said once or twice among 4,000 lines each is proposed, and nothing that isn't so."""
    draw = random.Random(7)
    known = [draw.choice(LINES)[0] for _ in range(12)]
    talk = [*TALK, *NOTHING]
    lines = [
        said(draw.choice(talk), day, mine=draw.random() < 0.5, place=place) for day in range(40) for place in range(100)
    ]
    lines += [said(text, day, place=1000 + place) for place, text in enumerate(known) for day in (3, 17)]
    found = proposed(sorted(lines, key=lambda message: message.time), 2)
    sources = {message.text for one in found for message in one.sources}
    topics = {one.topic for text in known for one in proposed([said(text)])}
    assert {one.topic for one in found} == topics
    assert sources <= set(known)


def test_what_generated_people_said_once_is_proposed_and_none_of_their_talk() -> None:
    told = found = 0
    for number in range(8):
        one = person(number, days=10)
        proposals = proposed(one.messages)
        sources = {message.id for proposal in proposals for message in proposal.sources}
        known = {known.message.id for known in one.known}
        assert sources <= known
        told, found = told + len(known), found + len(sources)
    assert found >= 0.95 * told > 50


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


def test_it_may_be_put_in_other_words_and_ends_with_the_input(
    records: Path, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers("e", "花生不能吃 会肿", "y")
    facts.main(Knobs(data=records, as_json=True))
    (fact,) = Facts.load(records / "me.toml").fact
    assert (fact.text, fact.audience) == ("花生不能吃 会肿", ["group:9"])
    answers("q")
    facts.main(Knobs(data=records, as_json=True))
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["proposed"] == 3


def test_what_me_toml_says_in_other_words_is_known_and_what_is_new_ends_the_old(
    records: Path, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    old = [
        Fact(text="我就在宠物店打工的", kind="work"),
        Fact(text="我住城南", kind="where", date=dt.date(2020, 1, 1)),
        Fact(text="我住海边", kind="where", date=dt.date(2029, 1, 1)),
    ]
    Facts(fact=old).write(records / "me.toml")
    answers("n", "y", "q")
    facts.main(Knobs(data=records, as_json=True))
    shown = capsys.readouterr().out
    assert json.loads(shown.splitlines()[-1])["proposed"] == 3
    assert "ends what me.toml says: 我住城南" in shown
    job, home, later, new = Facts.load(records / "me.toml").fact
    assert (job.until, new.text, new.date) == (None, "我住滨江", home.until)
    assert home.until is not None
    assert later.until is None, "it is newer than what was said"


def test_what_me_toml_says_is_ended_by_a_later_line_if_the_owner_says_so(
    tmp_path: Path, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [said("我在腾讯上班"), said("我已经不在腾讯了", 100), said("我不养猫了", 120)]
    (tmp_path / "messages.jsonl").write_text("".join(line.to_json() + "\n" for line in lines))
    began, left = dt.date(2023, 11, 15), dt.date(2024, 2, 23)
    told = [
        Fact(text="我在腾讯上班", kind="work", date=began),
        Fact(text="我养了只猫", kind="people", date=dt.date(2029, 1, 1)),
        Fact(text="我在腾讯", kind="never"),
    ]
    Facts(fact=told).write(tmp_path / "me.toml")
    facts.main(Knobs(data=tmp_path, as_list=True))
    assert "我已经不在腾讯了" in capsys.readouterr().out
    answers("?", "n")
    facts.main(Knobs(data=tmp_path, as_json=True))
    assert Facts.load(tmp_path / "me.toml").fact == told
    answers("y")
    facts.main(Knobs(data=tmp_path, as_json=True))
    assert Facts.load(tmp_path / "me.toml").fact == told, "it was declined, and isn't asked again"
    (tmp_path / facts.DECLINED).unlink()
    answers("y")
    capsys.readouterr()
    facts.main(Knobs(data=tmp_path, as_json=True))
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ended"] == 1
    job, *others = Facts.load(tmp_path / "me.toml").fact
    assert (job.until, others) == (left, told[1:]), "what is newer than the line stays"


def test_who_moves_back_lives_there_since_then(
    tmp_path: Path, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [("我住滨江", 1), ("我住城南", 100), ("我住滨江", 200)]
    (tmp_path / "messages.jsonl").write_text("".join(said(text, day).to_json() + "\n" for text, day in lines))
    home, moved, back = (dt.date(2023, 11, 15) + dt.timedelta(days=day) for _, day in lines)
    old = Fact(text="我住滨江", kind="where", date=home, until=moved)
    for before in ([], [old], [old, Fact(text="我住城南", kind="where", date=moved)]):
        Facts(fact=before).write(tmp_path / "me.toml")
        answers("y")
        facts.main(Knobs(data=tmp_path, as_json=True))
        *kept, new = Facts.load(tmp_path / "me.toml").fact
        assert (new.text, new.date, new.until) == ("我住滨江", back, None)
        assert [fact.until for fact in kept] == [moved, back][: len(before)]
        answers("y")
        capsys.readouterr()
        facts.main(Knobs(data=tmp_path, as_json=True))
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["proposed"] == 0


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
