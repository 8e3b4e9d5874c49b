"""What may stand in the log of `mybot run`, whatever an adapter writes."""

from collections.abc import Iterator

import pytest
from nonebot.log import logger
from nonebot.utils import escape_tag, logger_wrapper

from bot.app import for_nonebot, may_be_logged
from config.settings import Bot


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), filter=may_be_logged, level=0, format="{message}")
    yield lines
    logger.remove(sink)


def test_an_event_that_an_adapter_cant_read_is_logged_without_its_words(log: list[str]) -> None:
    say = logger_wrapper("Telegram")
    try:
        raise ValueError("一句私话")
    except ValueError as error:
        say("ERROR", f"Error when parsing event {escape_tag(str({'text': '一句私话'}))}", error)
        say("WARNING", f"Failed to parse event {escape_tag(str({'text': '一句私话'}))}", error)
    say("WARNING", "something else")
    assert len(log) == 3
    assert "Telegram" in log[0]
    assert not any("私话" in line for line in log), log


def test_superusers_are_told_to_nonebot_with_their_platform() -> None:
    """A bare number would be an owner on every platform there is."""
    knobs = Bot(superusers=["20001", "telegram:20002", "onebot:20003"])
    assert for_nonebot(knobs)["superusers"] == {"onebot:20001", "telegram:20002", "onebot:20003"}
