"""How long the off switch takes: from the owner's stop word to silence, while the persona is speaking.

The real runner with a history of its own, as a bot has them, on this machine. Knows a talker and a clock: what
it finds is told with the cost, and never compared between machines.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.counting import Count
from bot.engine.wire import Ask, Piece, Sampling, Talker
from bot.history import History
from bot.persona.behaviour import Behaviour
from bot.persona.manifest import Persona
from bot.persona.message import Message, Segment
from bot.port import Port
from bot.runner import Runner
from bot.turn_state import Pace
from config.settings import Bot
from training.evaluate.figures import Figure

TRIALS = 5
GOOD = (None, 1.0)
LONGEST = 60.0
"""Seconds that the persona has to begin with its answer, or it isn't interrupted; and to end."""
AFTER = 0.05
"""Seconds after silence in which a bubble that was left over would be sent."""
PACE = Pace(debounce=0.0, delays=0.0, gap=0.0, bubble_pause=AFTER / 5, typing=0.0)
_OWNER, _WORD = "10001", "紧急停止"


def silenced(talker: Talker) -> list[float]:
    """Seconds of some trials; none where the persona never spoke."""
    return [round(seconds, 4) for seconds in asyncio.run(_trials(talker))]


def off_switch(took: Sequence[float]) -> dict[str, Figure]:
    """Of such trials the slowest; nothing where there were none."""
    if not took:
        return {}
    note = "seconds from the owner's stop word to silence, the slowest"
    return {"off_switch": Figure(value=max(took), n=len(took), good=GOOD, note=note)}


async def _trials(talker: Talker) -> list[float]:
    friends = [str(20001 + n) for n in range(TRIALS)]
    chats = [f"private:{friend}" for friend in friends]
    # Not as the operator may have set it: an empty word switches it off.
    settings = Bot(superusers=[_OWNER], chats=chats, stop_word=_WORD)
    speaking, port = _Speaking(talker), _Ears(talker.persona.behaviour)
    took: list[float] = []
    with TemporaryDirectory() as folder:
        history = await History.open(f"sqlite+aiosqlite:///{Path(folder) / 'history.db'}")
        runner = Runner(speaking, history, settings=settings, port=port, pace=PACE)
        try:
            for friend in friends:
                seconds = await _interrupted(runner, speaking, port, friend)
                if seconds is None:
                    break
                took.append(seconds)
        finally:
            await runner.close()
            await history.close()
    return took


async def _interrupted(runner: Runner, speaking: "_Speaking", port: "_Ears", friend: str) -> float | None:
    """Let somebody be answered and stop it at the first words; None where there were none."""
    speaking.begun.clear()
    await runner.hear(_said(friend, "在吗 今天怎么样", port))
    try:
        await asyncio.wait_for(speaking.begun.wait(), LONGEST)
    except asyncio.TimeoutError:
        return None
    ordered = time.monotonic()
    await runner.hear(_said(_OWNER, _WORD, port))
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(speaking.silent.wait(), LONGEST)
    silent = time.monotonic()
    await asyncio.sleep(AFTER)
    await runner.go_on()
    return max([silent, *port.sent]) - ordered


def _said(who: str, text: str, port: "_Ears") -> Message:
    now = int(port.now())
    port.heard += 1
    return Message(f"m{port.heard}", f"qq:private:{who}", "private", now, who, who, [Segment("text", text)])


class _Speaking:
    """A talker of whom is known whether it is drawing words."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker
        self.begun, self.silent = asyncio.Event(), asyncio.Event()

    @property
    def persona(self) -> Persona:
        return self._talker.persona

    @property
    def count(self) -> Count | None:
        return self._talker.count

    async def stream(
        self, messages: list[dict[str, str]], sampling: Sampling, ask: Ask | None = None
    ) -> AsyncGenerator[Piece, None]:
        self.silent.clear()
        try:
            async with aclosing(self._talker.stream(messages, sampling, ask)) as pieces:
                async for piece in pieces:
                    self.begun.set()
                    yield piece
        finally:
            self.silent.set()

    async def close(self) -> None:
        await self._talker.close()


class _Ears(Port):
    """Keeps when each bubble came, and counts what was heard. Its clock stands where the persona is awake."""

    def __init__(self, behaviour: Behaviour) -> None:
        hours = (3600.0 * n for n in range(24))
        self._ahead = next((late for late in hours if not behaviour.quiet(time.time() + late)), 0.0)
        self.sent: list[float] = []
        self.heard = 0

    async def send(
        self, chat: str, text: str, quote: str | None, at: str | None = None, faces: Sequence[str] = ()
    ) -> str:
        self.sent.append(time.monotonic())
        return f"s{len(self.sent)}"

    def now(self) -> float:
        return time.time() + self._ahead
