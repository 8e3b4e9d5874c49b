"""Bits a character: what they are of a known model, and that the persona's gain and specificity are paired."""

import math

import numpy as np
import pytest

from training.evaluate import likelihood
from training.evaluate.figures import Draws
from training.evaluate.likelihood import Scored, bpc, compare, measure

DRAWS = Draws(times=200)


def scored(rng: np.random.Generator, bits: float, number: int = 150, chars: int = 8) -> list[Scored]:
    """Replies of so many bits a character, in 30 sessions, the noise being that of `rng`."""
    return [
        Scored(f"s{n % 30:02}", (bits + rng.normal(scale=0.5)) * chars * math.log(2), chars, n % 10 == 0)
        for n in range(number)
    ]


def test_bits_a_character() -> None:
    assert bpc([Scored("s", math.log(2) * 8, 4)]) == pytest.approx(2)
    assert bpc([Scored("s", math.log(2), 1), Scored("s", 3 * math.log(2), 3)]) == pytest.approx(1)


def test_gain_and_specificity_are_paired() -> None:
    def system(mine: float, theirs: float) -> "likelihood.Outcome":
        rng = np.random.default_rng(4)  # the same replies are as hard for all
        return measure(scored(rng, mine), scored(rng, theirs), [], DRAWS)

    outcomes = {"persona": system(2.0, 3.5), "base": system(3.0, 3.2), "base_prompt": system(2.6, 3.1)}
    both = compare(outcomes)
    gain, specificity = both["gain"].figure, both["specificity"].figure
    assert gain.value == pytest.approx(0.6)
    assert (gain.low, gain.high) == (pytest.approx(0.6), pytest.approx(0.6)), "the noise is the same on both sides"
    assert gain.is_good
    assert specificity.value == pytest.approx(1.5 - 0.2)
    assert specificity.is_good
    assert (gain.n, gain.sessions) == (150, 30)
    no_base = compare({"persona": outcomes["persona"]})
    assert no_base["gain"].figure.status == no_base["specificity"].figure.status == "insufficient"
    assert "--base-model" in no_base["gain"].figure.note


def test_a_gain_that_isnt_proven_is_not_good() -> None:
    rng = np.random.default_rng(4)
    persona, prompted = (measure(scored(rng, bits, 120), [], [], DRAWS) for bits in (2.0, 2.0))
    gain = compare({"persona": persona, "base_prompt": prompted})["gain"].figure.model_copy(
        update={"good": (0.0, None)}
    )
    assert gain.value is not None
    assert gain.value > 0
    assert gain.low is not None
    assert gain.low < 0
    assert gain.is_good is False
    assert gain.model_copy(update={"above": None}).is_good


def test_copies_are_left_out_and_few_replies_are_no_number() -> None:
    rng = np.random.default_rng(4)
    figures = measure(scored(rng, 2.0), scored(rng, 3.0, 5), [], DRAWS).figures
    assert figures["bpc_without_copies"].figure.n == 135
    assert figures["bpc_others"].figure.status == figures["bpc_new_chats"].figure.status == "insufficient"
    assert figures["bpc_others"].figure.note == "5 replies; 100 are needed"
