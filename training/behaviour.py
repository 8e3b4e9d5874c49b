"""How the owner behaves in a chat, learned from the records: when, how fast, in how many bubbles.

    sessions ─Observer─▶ occasions, replies ─▶ gate ─recalibrated on dev─▶ matched by closed-loop replay ─┐
                                      └▶ delays, pauses, night, share, habits ────────────────────────────┴▶ Behaviour

Numbers only: no words, and nobody's id. Learned from train, calibrated on dev; test and the chats
held out are only measured on. Where there is too little, the neutral profile stays, part by part.
"""

import importlib.util
import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.persona.behaviour import DAY, HOUR, Behaviour
from bot.persona.message import Message
from bot.persona.watch import Traits
from training import gate_fit
from training.closed_loop import Scene
from training.gate_fit import DEV, TEST, TRAIN, Rows, Table
from training.latency_fit import Delays
from training.match import matched
from training.occasions import Burst, Me, Observer, Occasion
from training.recording import Recording, replies
from training.split import Part

LEAST = 30
"""Replies below which the neutral profile stays."""
NIGHT = 3
"""Hours, at least, that a night has."""
AWAKE = 480
"""Messages of mine, at least, that show a night: twenty for each hour."""
HUSHED = 0.1
"""Of the mean hour: an hour with fewer messages of mine is one of the night."""
ENOUGH, LINES = 1500, 10_000
"""Replies of mine on which the volume is matched, where there are so many; and lines to replay for it, at most."""
_PARTS: dict[Part | None, int] = {"train": TRAIN, "dev": DEV, "test": TEST, "test_chat": TEST}


@dataclass(slots=True)
class Chat:
    """A group's lines that may be replayed, and where its test begins."""

    lines: Recording = field(default_factory=Recording)
    test: int | None = None


class Habits:
    """Counts over the sessions it is shown; packed, so that memory stays small."""

    def __init__(self, me: Me, utc_offset: int) -> None:
        self._observer, self._offset = Observer(me), utc_offset
        self.rows, self.delays = Rows(), Delays()
        self.groups: dict[str, Chat] = {}
        self._every, self._count = 1, 0
        self._chars, self._bursts = array("l"), array("l")
        self._hours: Counter[int] = Counter()
        self._shares: Counter[int] = Counter()
        self._habits: Counter[str] = Counter()
        self._recent: list[bool] = []

    def see(self, session: Sequence[Message], part: Part | None) -> None:
        """One session, oldest first, those of a chat in order; None: of no part."""
        place = _PARTS.get(part)
        group = self._group(session[0], place)
        learned = place in (TRAIN, DEV)
        for seen in self._observer.see(session):
            if group is not None and seen.replayable:
                group.lines.append(seen.traits)
            if seen.occasion is not None and place is not None:
                self._occasion(seen.occasion, place)
            if seen.burst is not None and learned:
                self._burst(seen.burst)
            if learned:
                self._line(seen.message, seen.traits)

    def _group(self, first: Message, part: int | None) -> Chat | None:
        if first.kind != "group":
            return None
        if first.chat not in self.groups:
            self._recent = []
        chat = self.groups.setdefault(first.chat, Chat())
        if part == TEST and chat.test is None:
            chat.test = len(chat.lines)
        return chat

    def _occasion(self, occasion: Occasion, place: int) -> None:
        self._count += 1
        if self._count % self._every == 0:
            self.rows.add(occasion, place)
        if len(self.rows) > gate_fit.ROWS:
            self.rows.halve()
            self._every *= 2
        if occasion.mine and place != TEST:
            self.delays.see(occasion)

    def _burst(self, burst: Burst) -> None:
        self._bursts.append(burst.bubbles)
        self.delays.pause(burst)
        if not burst.first.private:
            self._habits["replies"] += 1
            self._habits["quotes"] += burst.quotes
            self._habits["ats"] += burst.ats

    def _line(self, message: Message, seen: Traits) -> None:
        if not seen.private:
            self._recent = [*self._recent[-19:], seen.mine]
        if not (seen.mine and message.spoken):
            return
        self._chars.append(len(message.text))
        self._habits["faces"] += any(segment.type in ("face", "sticker") for segment in message.segments)
        self._hours[int((message.time + self._offset) % DAY // HOUR)] += 1
        if not seen.private:
            self._shares[sum(self._recent)] += 1

    def fit(self) -> Behaviour:
        """The profile; the neutral one where there is too little to read."""
        learned = self.in_open_loop()
        return matched(learned, self.newest()) if learned.group.flow.weights else learned

    def in_open_loop(self) -> Behaviour:
        """The same before it is matched: right message by message, and not yet over a day."""
        bursts = len(self._bursts)
        if bursts < LEAST:
            return Behaviour(utc_offset=self._offset)
        quarter, half, most = (_quantile(self._chars, q) for q in (0.25, 0.5, 0.75))
        in_groups = max(1, self._habits["replies"])
        plain = Behaviour(
            learned=True,
            replies=bursts,
            chars=(quarter, half, most),
            bubbles=round(sum(self._bursts) / bursts, 3),
            utc_offset=self._offset,
            asleep=night([self._hours[hour] for hour in range(24)]),
            share=self._share(),
            quotes=round(self._habits["quotes"] / in_groups, 4),
            ats=round(self._habits["ats"] / in_groups, 4),
            faces=round(self._habits["faces"] / len(self._chars), 4),
        )
        if not can_fit():
            return plain
        table = Table.of(self.rows, self._offset)
        return plain.model_copy(
            update={
                "hours": table.hours,
                "weekdays": table.weekdays,
                "private": table.gates(private=True, neutral=plain.private),
                "group": table.gates(private=False, neutral=plain.group),
                "latency": self.delays.latency(self._offset),
                "pauses": self.delays.pauses(),
            }
        )

    def newest(self) -> dict[str, Scene]:
        """The newest stretches of the groups before test: as much as shows enough of my replies, up to LINES."""
        ends = {chat: len(group.lines) if group.test is None else group.test for chat, group in self.groups.items()}
        scenes: dict[str, Scene] = {}
        most = LINES / max(1, sum(ends.values()))
        for share in (0.1, 0.2, 0.4, 0.8):
            for chat, end in ends.items():
                if end:
                    begin = end - math.ceil(end * min(share, most))
                    scenes[chat] = Scene.of(self.groups[chat].lines, begin, end)
            mine = sum(1 for chat, scene in scenes.items() for _ in replies(chat, scene.lines))
            if mine >= ENOUGH or share >= most:
                break
        return scenes

    def held_out(self) -> dict[str, Scene]:
        """The groups' test stretches."""
        return {
            chat: Scene.of(group.lines, group.test) for chat, group in self.groups.items() if group.test is not None
        }

    def _share(self) -> float:
        """My share of the last 20 when I spoke, 95th percentile."""
        if (total := self._shares.total()) < LEAST:
            return Behaviour().share
        seen = 0
        for mine in range(21):
            seen += self._shares[mine]
            if seen >= 0.95 * total:
                return mine / 20
        return 1.0


def can_fit() -> bool:
    """Whether numpy is there: it comes with the train extra, and `mybot dataset` does without."""
    return importlib.util.find_spec("numpy") is not None


def night(hours: Sequence[int]) -> tuple[int, int] | None:
    """My longest run of quiet hours as first hour and end, from messages by hour; None without clear evidence."""
    if sum(hours) < AWAKE:
        return None
    quiet = [n <= HUSHED * sum(hours) / 24 for n in hours]
    if all(quiet):
        return None
    best = (0, 0)
    for begin in range(24):
        length = next(n for n in range(25) if not quiet[(begin + n) % 24])
        best = max(best, (length, begin))
    length, begin = best
    return (begin, (begin + length) % 24) if length >= NIGHT else None


def _quantile(values: Sequence[int], q: float) -> int:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
