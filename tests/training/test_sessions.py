"""Sessions: where a chat falls silent, and the silence that counts, learned from its pauses."""

import random

from hypothesis import given, strategies as st

from training.sessions import DEFAULT, LONGEST, Pauses, lengths


@given(st.lists(st.integers(0, 5000), max_size=900), st.floats(1, 4000))
def test_every_message_is_in_one_session_and_only_pauses_or_length_cut(pauses: list[int], gap: float) -> None:
    times = [0]
    for pause in pauses:
        times.append(times[-1] + pause)
    found = lengths(times, gap)
    assert sum(found) == len(times)
    assert all(0 < length <= LONGEST for length in found)
    begun = 0
    for length in found:
        assert all(
            b - a < gap for a, b in zip(times[begun : begun + length], times[begun + 1 : begun + length], strict=False)
        )
        if begun and times[begun] - times[begun - 1] < gap:
            assert found[found.index(length) - 1] == LONGEST or LONGEST in found
        begun += length


def test_no_messages_give_no_session() -> None:
    assert lengths([], 60) == []


def test_the_gap_lies_between_answering_and_absence() -> None:
    draw = random.Random(1)
    pauses = Pauses()
    for _ in range(2000):
        pauses.see(draw.lognormvariate(3.5, 0.8))  # half a minute
    for _ in range(400):
        pauses.see(draw.lognormvariate(10.2, 0.7))  # half a day
    assert 600 <= pauses.gap() <= 3 * 3600


def test_a_slow_chat_has_a_longer_gap_than_a_fast_one() -> None:
    draw = random.Random(2)
    fast, slow = Pauses(), Pauses()
    for pauses, answer in ((fast, 3.0), (slow, 6.5)):
        for _ in range(2000):
            pauses.see(draw.lognormvariate(answer, 0.6))
        for _ in range(400):
            pauses.see(draw.lognormvariate(10.8, 0.5))
    assert fast.gap() < slow.gap()


def test_too_few_pauses_teach_nothing() -> None:
    pauses = Pauses()
    for _ in range(50):
        pauses.see(20)
    assert pauses.gap() == DEFAULT
