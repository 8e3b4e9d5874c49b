"""The stop word ends what the persona is saying at once, and how long that takes is measured, not supposed."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from bot.engine.wire import Piece
from bot.runner import Runner
from tests.bot.test_runner import PERSONA
from training.evaluate import off_switch


class Endless:
    """Never comes to an end by itself; `slow`: doesn't notice at once that nobody listens."""

    persona, count = PERSONA, None

    def __init__(self, slow: float = 0.0) -> None:
        self.slow, self.asked = slow, 0

    async def stream(self, messages: Any, sampling: Any, ask: Any = None) -> AsyncGenerator[Piece, None]:
        self.asked += 1
        try:
            while True:
                yield Piece("好呀\n")
                await asyncio.sleep(0.002)
        finally:
            await asyncio.sleep(self.slow)

    async def close(self) -> None:
        pass


def test_who_is_stopped_is_silent_within_a_second() -> None:
    talker = Endless()
    figure = off_switch.off_switch(off_switch.silenced(talker))["off_switch"]
    assert talker.asked == figure.n == off_switch.TRIALS
    assert figure.value is not None
    assert 0 < figure.value < 1
    assert figure.is_good


def test_who_goes_on_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off_switch, "TRIALS", 1)
    figure = off_switch.off_switch(off_switch.silenced(Endless(slow=1.1)))["off_switch"]
    assert figure.value is not None
    assert figure.value > 1
    assert figure.is_good is False


def test_bubbles_that_still_come_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off_switch, "TRIALS", 1)
    monkeypatch.setattr(off_switch, "AFTER", 0.3)
    first = off_switch.off_switch(off_switch.silenced(Endless()))["off_switch"].value

    async def later(runner: Runner) -> None:
        asyncio.get_running_loop().call_later(0.2, lambda: runner.port.sent.append(off_switch.time.monotonic()))  # type: ignore[attr-defined]
        await stop_all(runner)

    stop_all = Runner.stop_all
    monkeypatch.setattr(Runner, "stop_all", later)
    second = off_switch.off_switch(off_switch.silenced(Endless()))["off_switch"].value
    assert first is not None
    assert second is not None
    assert second >= 0.2 > first


def test_who_never_speaks_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off_switch, "LONGEST", 0.05)

    class Mute(Endless):
        async def stream(self, messages: Any, sampling: Any, ask: Any = None) -> AsyncGenerator[Piece, None]:
            self.asked += 1
            await asyncio.sleep(10)
            yield Piece("好")

    mute = Mute()
    assert off_switch.off_switch(off_switch.silenced(mute)) == {}
    assert mute.asked == 1, "nobody waits for it again"
