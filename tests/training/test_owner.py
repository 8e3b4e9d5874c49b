"""Who the owner is: resolved from numbers and names, suggested from who speaks where."""

import pytest

from config.errors import InputError
from training.owner import Tally, resolve, suggest


def tally(**chats: list[tuple[str, str]]) -> Tally:
    """Chats by name, `g_…` for groups; each with its (id, name) speakers."""
    counted = Tally()
    for name, speakers in chats.items():
        kind = "group" if name.startswith("g_") else "private"
        for sender, speaker in speakers:
            counted.count(f"qq:{kind}:{name}", kind, name, sender, speaker, ())
    return counted


def bare(*names: str) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


def test_a_name_stands_for_its_one_account_everywhere() -> None:
    owner = resolve(
        ["小满"], tally(g_a=[("30044", "小满"), ("30011", "阿柚")], g_b=[("30044", "改了名")], a=bare("小满"))
    )
    assert owner.senders == {"30044", "小满"}
    assert owner.unmatched == []


def test_with_a_number_that_speaks_other_accounts_of_the_name_are_somebody_elses() -> None:
    chats = tally(g_a=[("30044", "小满")], g_b=[("30099", "小满"), ("m@example.com", "小满")])
    assert resolve(["30044", "小满"], chats).senders == {"30044", "小满", "m@example.com"}


def test_a_number_that_speaks_nowhere_excludes_nobody() -> None:
    owner = resolve(["77777", "小满"], tally(g_a=[("30044", "小满")]))
    assert owner.is_me("30044")
    assert owner.unmatched == ["77777"]


def test_two_accounts_of_one_name_need_a_number() -> None:
    with pytest.raises(InputError, match="2 accounts are called 小满: 30044, 30099"):
        resolve(["小满"], tally(g_a=[("30044", "小满"), ("30099", "小满")]))


@pytest.mark.parametrize(
    ("chats", "known", "expected"),
    [
        (tally(a=bare("a", "我")), [], ["我"]),
        (tally(a=bare("a")), [], []),
        (tally(a=bare("a", "我", "我的旧名")), [], []),
        (tally(a=[("1001", "a"), ("1002", "我")]), [], ["1002"]),
        (tally(g_a=bare("a", "我")), [], []),
        (tally(a=bare("a", "我"), b=bare("b", "我"), g_c=[("1002", "我"), ("1001", "a")]), [], ["我"]),
        (tally(a=bare("a", "我"), b=bare("b", "她")), [], []),
        (tally(g_a=[("1002", "名一"), ("1", "x")], g_b=[("1002", "名二"), ("2", "y")]), [], ["1002"]),
        (tally(g_a=bare("我", "你"), g_b=bare("我", "你")), [], []),
        (tally(g_a=[("1002", "我"), ("1001", "a")]), ["1002"], ["1002"]),
        (tally(g_a=[("1002", "我"), ("1001", "a")]), ["1003"], []),
        (tally(g_a=[("1002", "我")], b=bare("b", "小我")), ["1002"], ["1002", "小我"]),
    ],
)
def test_suggestions(chats: Tally, known: list[str], expected: list[str]) -> None:
    assert suggest(chats, known) == expected


def test_system_lines_are_not_speakers() -> None:
    counted = Tally()
    counted.count("qq:private:a", "private", "a", "10000", "系统消息", ("system",))
    assert suggest(counted, []) == []
    assert counted.busiest() == ""
