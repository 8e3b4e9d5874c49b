"""Selection: repeats, copies, moments, unseen pictures, balance and age; the same draw every time."""

import pytest

from bot.persona.message import Message, Segment
from config.settings import Dataset
from training.selection import Selection, bound_to_a_moment, folded, is_short

DAY = 86400


def said(number: int, text: str, *, mine: bool = True, chat: str = "c", time: int = 0, kind: str = "text") -> Message:
    segment = Segment("text", text) if kind == "text" else Segment(kind)
    return Message(f"{chat}{number}", chat, "private", time, "1" if mine else "2", "x", [segment], mine)


def learned(selection: Selection, *sessions: list[Message]) -> list[bool]:
    return [verdict.learned for session in sessions for verdict in selection.verdicts(session).values()]


@pytest.mark.parametrize(("one", "other"), [("哈哈哈哈", "哈哈哈哈哈哈!"), ("嗯。", "嗯"), ("OK", "ok~")])
def test_habits_fold(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert is_short(one)
    assert is_short(other)


def test_a_habit_is_learned_up_to_its_share_and_not_dropped() -> None:
    sessions = [[said(n, "嗯")] for n in range(1000)]
    chosen = learned(Selection(Dataset(repeat_share=0.05), {"嗯": 1000}, {"c": 4000}, 0), *sessions)
    assert 150 < sum(chosen) < 250
    again = learned(Selection(Dataset(repeat_share=0.05), {"嗯": 1000}, {"c": 4000}, 0), *sessions)
    assert chosen == again
    assert all(learned(Selection(Dataset(), {"嗯": 15}, {"c": 15}, 0), *sessions[:15]))


@pytest.mark.parametrize(
    "text", ["我周四没课", "我现在在家", "明天我有事", "等会我到了叫你", "今晚加班", "我们三点上课"]
)
def test_states_of_a_moment_are_seen(text: str) -> None:
    assert bound_to_a_moment(text)


@pytest.mark.parametrize("text", ["我喜欢猫", "明天见", "现在的年轻人", "哈哈", "周杰伦好听", "有点意思"])
def test_what_is_always_true_is_no_moment(text: str) -> None:
    assert not bound_to_a_moment(text)


def test_moments_and_replies_to_pictures_are_learned_at_times_and_noted() -> None:
    moments = [[said(n, f"我周四没课{n}")] for n in range(400)]
    selection = Selection(Dataset(state_weight=0.3), {}, {"c": 400}, 0)
    assert 80 < sum(learned(selection, *moments)) < 160
    assert {v.note for s in moments[:5] for v in Selection(Dataset(), {}, {}, 0).verdicts(s).values()} == {"moment"}
    pictures = [[said(2 * n, "", mine=False, kind="image"), said(2 * n + 1, f"好看{n}")] for n in range(400)]
    assert 80 < sum(learned(selection, *pictures)) < 160
    assert all(learned(Selection(Dataset(state_weight=1), {}, {}, 0), *moments, *pictures))
    assert not any(learned(Selection(Dataset(state_weight=0), {}, {}, 0), *moments, *pictures))
    faces = [[said(2 * n, "", mine=False, kind="face"), said(2 * n + 1, f"好看{n}")] for n in range(50)]
    assert all(learned(Selection(Dataset(state_weight=0), {}, {}, 0), *faces))


def test_a_session_that_was_there_before_is_context_only() -> None:
    session = [said(1, "这周末去爬山你来不来呀我们缺一个人", mine=False), said(2, "腿疼不去了你们玩得开心点")]
    selection = Selection(Dataset(), {}, {"c": 2}, 0)
    assert learned(selection, session) == [True]
    assert [v.note for v in selection.verdicts(session).values()] == ["copy"]
    short = [said(3, "在", mine=False), said(4, "在")]
    assert learned(selection, short, short) == [True, True]


def test_balance_and_age_thin_out_large_and_old_chats() -> None:
    large = [[said(n, f"说了{n}", chat="large")] for n in range(1000)]
    knobs = Dataset(balance=1.0)
    sizes = {"large": 1000, "middle": 100, "small": 10}
    assert 60 < sum(learned(Selection(knobs, {}, sizes, 0), *large)) < 140
    assert all(learned(Selection(Dataset(), {}, sizes, 0), *large))
    old = [[said(n, f"说了{n}", time=0)] for n in range(1000)]
    aged = Selection(Dataset(half_life_days=100), {}, {"c": 1000}, 100 * DAY)
    assert 430 < sum(learned(aged, *old)) < 570
