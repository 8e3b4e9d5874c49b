"""How much personal data is found, and how much else is taken for it: a table, kind by kind.

Run with `-s` to see it.
"""

import random

import pytest
from hypothesis import given, settings, strategies as st
from rich.console import Console
from rich.table import Table

from bot.persona import privacy
from tests.bot.persona.privacy_corpus import HARMLESS, KINDS, harmless, positives

PER_KIND = 1200
LINES = 12_000


def _covered(text: str, start: int, end: int) -> bool:
    """Whether no letter, digit or 汉字 of the piece survives."""
    spans = privacy.find(text)
    return all(any(a <= i < b for a, b, _ in spans) for i in range(start, end) if text[i].isalnum())


def _neighbours_lost(text: str, start: int, end: int) -> bool:
    """Whether something beside the piece went with it."""
    lost = (i for a, b, _ in privacy.find(text) for i in range(a, b))
    return any(not start <= i < end and text[i].isalnum() for i in lost)


def test_recall_and_precision_of_every_kind() -> None:
    rng = random.Random(20240901)
    table = Table("kind", "texts", "recall", "right kind", "neighbours lost")
    poor: list[str] = []
    for kind in KINDS:
        texts = list(positives(kind, PER_KIND, rng))
        recall = sum(_covered(*text) for text in texts) / PER_KIND
        right = sum(any(k == kind.split()[0] for _, _, k in privacy.find(text)) for text, _, _ in texts) / PER_KIND
        lost = sum(_neighbours_lost(*text) for text in texts) / PER_KIND
        table.add_row(kind, str(PER_KIND), f"{recall:.4f}", f"{right:.4f}", f"{lost:.4f}")
        if recall < 0.99 or right < 0.98 or lost > 0.05:
            poor.append(f"{kind}: recall {recall:.4f}, kind {right:.4f}, lost {lost:.4f}")
    Console(width=100).print(table)
    assert poor == []


@pytest.mark.parametrize("line", HARMLESS)
def test_no_false_alarm_in_what_people_write(line: str) -> None:
    assert privacy.scrub(line) == line


def test_false_alarms_over_many_lines() -> None:
    rng = random.Random(7)
    alarms = [line for line in (harmless(rng) for _ in range(LINES)) if privacy.find(line)]
    assert len(alarms) / LINES <= 0.005, alarms[:20]


@settings(max_examples=300)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["", "啊", " ", "，", "哈哈", "\n", "1", "3:2"]))
def test_laughter_of_any_length_stays(sixes: int, threes: int, between: str) -> None:
    text = "6" * sixes + between + ("2" + "3" * threes if between not in ("", "1") else "")
    assert privacy.scrub(text) == text


@given(
    st.one_of(
        st.dates().map(str),
        st.times().map(str),
        st.datetimes().map(lambda moment: f"{moment:%Y年%m月%d日 %H:%M}"),
        st.datetimes().map(lambda moment: f"{moment.year}/{moment.month}/{moment.day}"),
        st.tuples(st.integers(0, 150), st.sampled_from(":-比"), st.integers(0, 150)).map(
            lambda s: "".join(map(str, s))
        ),
        st.tuples(st.integers(0, 10**11), st.sampled_from("块元万")).map(lambda s: f"{s[0]}{s[1]}"),
        st.decimals(0, 100_000, places=2).map(lambda price: f"¥{price}"),
    ),
    st.sampled_from(["", "昨天", "一共 ", "就"]),
    st.sampled_from(["", "吧", " 行吗", "。"]),
)
def test_dates_times_scores_and_prices_stay(number: str, before: str, after: str) -> None:
    assert privacy.scrub(before + number + after) == before + number + after
