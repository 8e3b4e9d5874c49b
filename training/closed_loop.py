"""Recorded days once more, with the bot in my place: the real turn engine on the recorded clock.

Others' lines stay as they were, mine are left out, and the engine is fed its own posts: it can excite
or silence itself. No model is asked: a draft of as many bubbles as I use to write is there at once.
Knows traits and times, no words. Deterministic for a seed.
"""

import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from bot.events import Before, Clock, Drafted, Ended, Event, Generate, Heard, Ruled, Send, Sent, Wake
from bot.persona.behaviour import Behaviour
from bot.persona.watch import Traits
from bot.rules import Rules
from bot.turn_state import Pace, State
from bot.turns import step
from training.recording import Recording

WARM = 100
"""Lines of a chat that the watch has heard before the replay begins, mine too."""
AFTER = 3600.0
"""Seconds that the clock runs on after the last line."""


@dataclass(slots=True)
class Scene:
    """One chat's part of a replay."""

    before: list[Traits]
    """What was said before it begins."""
    lines: list[Traits]
    """What was said then; a replay leaves lines of mine out."""

    @classmethod
    def of(cls, lines: Recording, begin: int = 0, end: int | None = None) -> "Scene":
        """A recording from that line on, up to another."""
        first = max(0, begin - WARM)
        kept = [*islice(lines.since(first), (len(lines) if end is None else end) - first)]
        return cls(kept[: begin - first], kept[begin - first :])


@dataclass(slots=True)
class Replay:
    """What is said when the engine lives through some scenes."""

    scenes: Mapping[str, Scene]
    behaviour: Behaviour
    freq: float = 1.0
    seed: int = 7
    said: dict[str, list[Traits]] = field(default_factory=dict)
    """Chat → all lines, others' and the bot's."""
    _state: State = field(init=False)
    _wakes: dict[str, float] = field(default_factory=dict)
    _queue: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._state = State(Pace(utc_offset=self.behaviour.utc_offset), self.seed)

    def run(self) -> dict[str, list[Traits]]:
        """Live through it; what was said, by chat."""
        rules = Rules(mode="join", freq=self.freq, behaviour=self.behaviour)
        for chat, scene in self.scenes.items():
            self.said[chat] = []
            begin = scene.lines[0].time if scene.lines else 0.0
            self._feed(Ruled(chat, rules), begin)
            self._feed(Before(chat, tuple(scene.before)), begin)
        last = -math.inf
        for time, chat, place, line in heapq.merge(*(self._lines(chat) for chat in self.scenes)):
            self._until(time)
            self.said[chat].append(line)
            self._feed(_as_heard(chat, place, line), time)
            last = time
        self._until(last + AFTER)
        return self.said

    def _lines(self, chat: str) -> Iterator[tuple[float, str, int, Traits]]:
        for place, line in enumerate(self.scenes[chat].lines):
            if not line.mine:
                yield line.time, chat, place, line

    def _until(self, time: float) -> None:
        """Let the clock run up to there."""
        while self._queue and self._queue[0][0] < time:
            due, chat = heapq.heappop(self._queue)
            if self._wakes.get(chat) == due:
                del self._wakes[chat]
                self._feed(Clock(chat), due)

    def _feed(self, event: Event, now: float) -> None:
        events = [event]
        while events:
            for action in step(self._state, events.pop(0), now):
                chat = action.chat
                if isinstance(action, Wake):
                    self._wakes[chat] = action.at
                    heapq.heappush(self._queue, (action.at, chat))
                elif isinstance(action, Generate):
                    drafts = (Drafted(chat, action.turn, self._bubble()) for _ in range(self._bubbles(action.turn)))
                    events += [*drafts, Ended(chat, action.turn, "done")]
                elif isinstance(action, Send):
                    private = ":private:" in chat
                    self.said[chat].append(Traits("", now, mine=True, private=private, chars=len(action.text)))
                    events.append(Sent(chat, action.turn))

    def _bubble(self) -> str:
        return "一" * self.behaviour.chars[1]

    def _bubbles(self, turn: int) -> int:
        """How many bubbles a reply has: geometric, as bursts are."""
        more = 1 - 1 / self.behaviour.bubbles
        drawn = Random(f"{self.seed}/{turn}").random()
        return 1 + int(math.log(1 - drawn) / math.log(more)) if more > 0 else 1


def _as_heard(chat: str, place: int, line: Traits) -> Heard:
    return Heard(
        chat,
        str(place),
        line.sender,
        line.time,
        private=line.private,
        addressed=line.addressed or line.names_me,
        traits=line,
    )
