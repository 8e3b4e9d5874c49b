"""Money, codes and credentials: requests are seen, and talk about prices and lunch is talk."""

import pytest

from bot.persona.guard_money import agrees, asks, gives_away
from tests.phrases import phrases

ASKED = phrases("money_asked")
TALK = phrases("money_talk")
GIVEN = phrases("money_given")
YES = phrases("yes")
NO = phrases("no_yes")


def test_there_are_enough_of_them() -> None:
    assert len(set(ASKED)) >= 100
    assert len(set(TALK)) >= 100


@pytest.mark.parametrize("text", ASKED)
def test_a_request_is_seen(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize("text", TALK)
def test_talk_of_prices_and_lunch_is_talk(text: str) -> None:
    assert not asks(text)
    assert not gives_away(text)


@pytest.mark.parametrize("text", GIVEN)
def test_what_is_given_away_is_seen(text: str) -> None:
    assert gives_away(text)


@pytest.mark.parametrize("text", YES)
def test_a_yes_is_seen(text: str) -> None:
    assert agrees(text)


@pytest.mark.parametrize("text", NO)
def test_anything_else_is_no_yes(text: str) -> None:
    assert not agrees(text)
