"""Which messages I could have answered, whether I did and after how long; and replies read off packed lines."""

import random
from collections import Counter

import pytest

from bot.persona.message import Message, Segment
from bot.persona.watch import FLOW, HORIZON, Traits
from training.occasions import Burst, Me, Observer, Occasion, me
from training.recording import BURST, Recording, replies

KNOWN = Me({"10001"}, ("阿南",))


def chat(*lines: tuple[float, str], kind: str = "group", **more: object) -> list[Message]:
    """Messages at these seconds by these senders; "me" is I."""
    return [
        Message(
            str(place),
            f"qq:{kind}:7",
            kind,  # type: ignore[arg-type]
            int(1_700_000_000 + at),
            "10001" if who == "me" else who,
            who,
            [Segment("text", "话")],
            mine=who == "me",
            **more,  # type: ignore[arg-type]
        )
        for place, (at, who) in enumerate(lines)
    ]


def seen(messages: list[Message]) -> tuple[list[Occasion], list[Burst]]:
    steps = list(Observer(KNOWN).see(messages))
    return [s.occasion for s in steps if s.occasion], [s.burst for s in steps if s.burst]


def test_i_am_the_next_speaker_or_not_and_the_last_message_tells_nothing() -> None:
    occasions, bursts = seen(chat((0, "a"), (5, "b"), (20, "me"), (23, "me"), (60, "a"), (70, "b")))
    assert [(one.mine, one.delay) for one in occasions] == [(False, None), (True, 15.0), (False, None)]
    assert [(burst.bubbles, burst.gaps) for burst in bursts] == [(2, [3.0])]


def test_what_i_say_after_a_long_silence_opens_a_conversation() -> None:
    occasions, _ = seen(chat((0, "a"), (HORIZON + 1, "me"), (HORIZON + 5, "a"), (HORIZON + 9, "b")))
    assert [one.mine for one in occasions] == [False, False]


def test_entry_begins_ten_minutes_after_my_last_line() -> None:
    occasions, _ = seen(chat((0, "a"), (9, "me"), (10, "a"), (9 + FLOW + 1, "a"), (9 + FLOW + 2, "a")))
    assert [one.entry for one in occasions] == [True, False, True]


def test_a_line_that_a_bot_of_mine_wrote_says_nothing_about_me() -> None:
    messages = chat((0, "a"), (5, "me"), (9, "a"), (20, "b"))
    messages[1].flags = ("bot",)
    occasions, bursts = seen(messages)
    assert [one.mine for one in occasions] == [False]
    assert not bursts


def test_what_a_bot_says_is_no_occasion() -> None:
    messages = chat((0, "robot"), (5, "me"), (9, "a"), (20, "b"))
    messages[0].flags = ("bot",)
    assert [one.heard.sender for one in seen(messages)[0]] == ["a"]


def test_minutes_are_spread_and_give_no_delays_and_days_are_passed_over() -> None:
    messages = chat((40, "a"), (40, "b"), (40, "me"), (160, "a"), (220, "b"), precision="min")
    steps = list(Observer(KNOWN).see(messages))
    times = [step.traits.time - messages[0].time for step in steps]
    assert times == [10.0, 30.0, 50.0, 150.0, 210.0]
    taken = [step.occasion for step in steps if step.occasion and step.occasion.mine]
    assert [one.delay for one in taken] == [None]
    assert not list(Observer(KNOWN).see(chat((0, "a"), (0, "me"), precision="day")))


def test_a_quote_of_my_line_is_to_me() -> None:
    messages = chat((0, "me"), (5, "a"), (9, "b"))
    messages[1].reply_to = "0"
    occasions, _ = seen(messages)
    assert occasions[0].heard.quotes_me
    assert occasions[0].situation == "addressed"


def test_sessions_of_one_chat_go_on_where_the_last_one_ended() -> None:
    messages = chat((0, "a"), (10, "me"), (2000, "b"), (2010, "me"), (2020, "a"))
    observer = Observer(KNOWN)
    steps = [step for part in (messages[:2], messages[2:]) for step in observer.see(part)]
    assert [step.occasion.mine for step in steps if step.occasion] == [True, True]
    # Another chat begins anew: nothing of this one is handed out there.
    assert [s.occasion for s in observer.see(chat((0, "a"), kind="private"))] == [None]


def test_my_names_are_the_ones_i_often_had() -> None:
    known = me({"10001"}, Counter({"阿南": 500, "打错": 2, "南": 100}), "南哥")
    assert known.names == ("南哥", "阿南")
    assert {"10001", "阿南", "南"} == set(known.ids)


def test_a_recording_gives_back_what_it_was_given() -> None:
    draw = random.Random(5)
    lines = [
        Traits(
            f"p{draw.randrange(9)}",
            1e9 + n,
            chars=draw.randrange(99),
            **{name: draw.random() < 0.5 for name in ("mine", "private", "addressed", "names_me", "quotes_me")},
            **{name: draw.random() < 0.5 for name in ("to_other", "question", "link", "media")},
        )
        for n in range(200)
    ]
    assert list(Recording(lines)) == lines
    assert list(Recording(lines).since(150)) == lines[150:]


def test_replies_are_read_off_lines_as_the_observer_reads_them() -> None:
    lines = [
        (0, "a"),
        (5, "me"),
        (8, "me"),
        (9 + BURST, "me"),
        (300, "b"),
        (310, "me"),
        (4000, "a"),
        (4000 + HORIZON + 1, "me"),
    ]
    found = list(replies("c", [Traits(who, at, mine=who == "me") for at, who in lines]))
    assert [(one.delay, one.bubbles, one.situation) for one in found] == [(5, 2, "entry"), (10, 1, "flow")]
    assert found[0].gaps == [3]
    assert [one.delay for one in seen(chat(*lines))[0] if one.mine] == [pytest.approx(5), pytest.approx(10)]
