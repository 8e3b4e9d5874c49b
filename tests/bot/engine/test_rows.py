"""What a row says goes out in few pieces, all of it, and the first of it at once."""

import itertools
import math

from hypothesis import given, strategies as st

from bot.engine.rows import PACE, Row
from bot.engine.text import TextStream
from bot.engine.wire import Piece, Sampling

END = 0


def saying(limit: int) -> tuple[Row, list[Piece]]:
    pieces: list[Piece] = []

    def spell(tokens: list[int]) -> str:
        return "".join(map(chr, tokens))

    row = Row([1], Sampling(max_tokens=limit), math.inf, pieces.append, lambda stop: TextStream(spell, stop))
    return row, pieces


def take(row: Row, letter: str, now: float) -> None:
    row.take(ord(letter) if letter else END, frozenset([END]), frozenset([END]), now)


def test_the_first_word_goes_out_at_once_and_what_follows_soon_is_gathered() -> None:
    row, pieces = saying(100)
    for number, letter in enumerate("abcdef"):
        take(row, letter, 5 + number * PACE / 4)
    assert [piece.text for piece in pieces] == ["a", "bcde"]
    assert row.spoke
    take(row, "", 5 + 6 * PACE / 4)
    assert [(piece.text, piece.finish) for piece in pieces[2:]] == [("f", None), ("", "stop")]


def test_what_was_gathered_is_not_lost_with_a_row_that_ends_otherwise() -> None:
    row, pieces = saying(100)
    take(row, "a", 5)
    take(row, "b", 5)
    row.end("timeout", "late")
    row.end("error", "too late")
    assert [(piece.text, piece.finish) for piece in pieces] == [("a", None), ("b", None), ("", "timeout")]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.floats(0, 0.05)), max_size=60), st.integers(1, 50), st.booleans())
def test_all_of_it_goes_out_in_order_and_never_faster_than_the_pace(
    said: list[tuple[str, float]], limit: int, stops: bool
) -> None:
    row, pieces = saying(limit)
    times: list[float] = []
    now = 0.0
    for letter, pause in said:
        now += pause
        before = len(pieces)
        if row.finish is None:
            take(row, letter, now)
        if row.finish is None and len(pieces) > before:
            times.append(now)
    if stops and row.finish is None:
        take(row, "", now)
    if row.finish is None:
        row.end("cancelled")
    assert "".join(piece.text for piece in pieces) == "".join(letter for letter, _ in said)[:limit]
    assert [piece.finish for piece in pieces if piece.finish] == [pieces[-1].finish]
    assert all(b - a >= PACE - 1e-9 for a, b in itertools.pairwise(times))
