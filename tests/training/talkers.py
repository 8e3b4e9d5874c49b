"""Invented people whose habits are known: who they answer with which chance, how late, in how many bubbles.

Not the model that is fitted: the chances come from a formula of their own over the raw records.
What is heard in a group is drawn too, as conversations that begin by the hour of the day.
"""

import math
import random
from collections import Counter
from dataclasses import dataclass, field

from bot.persona.behaviour import Behaviour
from bot.persona.message import Message, Segment
from training.behaviour import Habits
from training.evaluate.watched import Watched, see
from training.occasions import me

ME, NAME = "10001", "阿南"
BEGIN = 1_700_006_400
"""2023-11-15 08:00 at +08:00."""
ZONE = 8 * 3600
FORGOTTEN = 4 * 3600.0
"""Seconds of my silence that are as long as any more."""


@dataclass(slots=True)
class Talker:
    """How I speak. Chances are log odds; delays and pauses are lognormal (median, sigma)."""

    bias: float = 0.0
    silence: float = -0.5
    """For each unit of log(1 + seconds since I spoke)."""
    mine: float = 0.25
    """For each message of mine among the ten before."""
    addressed: float = 2.6
    named: float = 1.8
    question: float = 0.8
    to_other: float = -1.5
    friends: float = 0.9
    """For half of the people; as much less for the others."""
    asleep: tuple[int, int] | None = (1, 8)
    flow: tuple[float, float] = (14.0, 1.0)
    entry: tuple[float, float] = (25.0, 1.1)
    called: tuple[float, float] = (9.0, 0.8)
    more: float = 0.35
    """The chance of one more bubble."""
    pause: tuple[float, float] = (6.0, 0.8)


@dataclass(slots=True)
class Room:
    """What is said around me."""

    people: int = 8
    days: int = 120
    a_day: float = 6.0
    """Conversations."""
    long: float = 16.0
    """Messages of a conversation, on average."""
    gap: tuple[float, float] = (14.0, 1.1)
    at_me: float = 0.03
    private: bool = False
    floods: tuple[int, ...] = ()
    """Days on which 200 messages come at once."""
    waits: bool = True
    """Whether the others fall silent while I take my time and type; else they talk on by their own clock."""


@dataclass(slots=True)
class Log:
    """What was recorded, and the chance that I spoke next after each foreign message."""

    messages: list[Message] = field(default_factory=list)
    truth: dict[str, float] = field(default_factory=dict)
    """Message id → that chance."""


class _Chat:
    def __init__(self, talker: Talker, room: Room, name: str, seed: int) -> None:
        self.talker, self.room, self.draw = talker, room, random.Random(seed)
        self.log, self.now = Log(), float(BEGIN)
        self.kind = "private" if room.private else "group"
        self.chat = f"qq:{self.kind}:{name}"
        self.spoke, self.recent = -1e9, [False] * 10
        self.bubbles: list[tuple[float, int]] = []
        """Of what I am about to say: when, and how many characters."""

    def run(self) -> Log:
        room, draw = self.room, self.draw
        for day in range(room.days):
            midnight = BEGIN - 8 * 3600 + day * 86400
            hours = draw.choices(range(24), [1 if 1 <= h < 8 else 3 + 4 * (h >= 18) for h in range(24)], k=99)
            begins = [midnight + 3600 * (hour + draw.random()) for hour in hours[: self._poisson(room.a_day)]]
            begins += [midnight + 3600 * 15] if day in room.floods else []
            for begin in sorted(begins):
                flood = begin == midnight + 3600 * 15
                self.now = max(self.now + 900, begin)
                self._conversation(
                    200 if flood else 1 + int(draw.expovariate(1 / room.long)), (1.5, 0.5) if flood else room.gap
                )
        return self.log

    def _conversation(self, long: int, gap: tuple[float, float]) -> None:
        draw = self.draw
        here = draw.sample(range(self.room.people), k=min(self.room.people, 2 + draw.randrange(4)))
        for _ in range(long):
            heard = self.now + max(1.0, self._lognormal(*gap))
            self._speak_until(heard)
            self.now = heard
            speaker = draw.choice(here)
            marks = {
                "addressed": draw.random() < self.room.at_me and not self.room.private,
                "named": draw.random() < 0.01,
                "question": draw.random() < 0.15,
                "to_other": draw.random() < 0.06 and not self.room.private,
            }
            message = self._say(f"{20000 + speaker}", marks, 1 + int(draw.expovariate(1 / 8)))
            chance = self._chance(speaker, marks)
            self.log.truth[message.id] = chance
            self.recent = [*self.recent[1:], False]
            if not self.bubbles and draw.random() < chance:
                self._answer(marks)
        self._speak_until(math.inf)

    def _chance(self, speaker: int, marks: dict[str, bool]) -> float:
        me = self.talker
        hour = int((self.now + ZONE) % 86400 // 3600)
        if me.asleep and (hour - me.asleep[0]) % 24 < (me.asleep[1] - me.asleep[0]) % 24:
            return 0.0
        z = me.bias + me.silence * math.log1p(min(self.now - self.spoke, FORGOTTEN)) + me.mine * sum(self.recent)
        z += me.addressed * marks["addressed"] + me.named * marks["named"] + me.question * marks["question"]
        z += me.to_other * marks["to_other"] + me.friends * (1 if speaker % 2 else -1) * (not self.room.private)
        return 1 / (1 + math.exp(-z))

    def _answer(self, marks: dict[str, bool]) -> None:
        me, flow = self.talker, self.now - self.spoke <= 600
        called = marks["addressed"] or marks["named"]
        due = self.now + max(1.0, self._lognormal(*(me.called if called else me.flow if flow else me.entry)))
        while True:
            self.bubbles.append((due, 1 + int(self.draw.expovariate(1 / 6))))
            if self.draw.random() >= me.more:
                break
            due += max(1.0, self._lognormal(*me.pause))
        if self.room.waits:
            self._speak_until(math.inf)

    def _speak_until(self, heard: float) -> None:
        """Say what is due before somebody else speaks."""
        while self.bubbles and self.bubbles[0][0] <= heard:
            self.now, chars = self.bubbles.pop(0)
            self._say(ME, {}, chars)
            self.recent, self.spoke = [*self.recent[1:], True], self.now

    def _say(self, sender: str, marks: dict[str, bool], chars: int) -> Message:
        segments = [Segment("at", id=ME, name=NAME)] if marks.get("addressed") else []
        segments += [Segment("at", id="29999", name="别人")] if marks.get("to_other") else []
        text = (NAME if marks.get("named") else "") + "话" * chars + ("？" if marks.get("question") else "")
        self.now = float(int(self.now))
        message = Message(
            id=f"{self.chat}/{len(self.log.messages)}",
            chat=self.chat,
            kind=self.kind,  # type: ignore[arg-type]
            time=int(self.now),
            sender=sender,
            name=NAME if sender == ME else f"友{sender}",
            segments=[*segments, Segment("text", text)],
            mine=sender == ME,
        )
        self.log.messages.append(message)
        return message

    def _lognormal(self, median: float, sigma: float) -> float:
        return median * math.exp(sigma * self.draw.gauss(0, 1))

    def _poisson(self, mean: float) -> int:
        left, n = math.exp(-mean), 0
        product = self.draw.random()
        while product > left:
            product *= self.draw.random()
            n += 1
        return n


def log_of(talker: Talker | None = None, room: Room | None = None, *, name: str = "7", seed: int = 1) -> Log:
    """The records of one chat."""
    return _Chat(talker or Talker(), room or Room(), name, seed).run()


def sessions(messages: list[Message], gap: float = 1800.0) -> list[list[Message]]:
    """The messages of a chat, cut where it fell silent."""
    found: list[list[Message]] = []
    for message in messages:
        if not found or message.time - found[-1][-1].time >= gap:
            found.append([])
        found[-1].append(message)
    return found


def habits_of(*logs: Log, dev: float = 0.9, test: float = 1.0) -> Habits:
    """What is seen of some chats; the split as by time, from these shares on."""
    habits = Habits(me({ME}, Counter({NAME: 1}), NAME), ZONE)
    for log in logs:
        cut = sessions(log.messages)
        for place, session in enumerate(cut):
            share = place / len(cut)
            habits.see(session, "train" if share < dev else "dev" if share < test else "test")
    return habits


def watched_of(behaviour: Behaviour, *logs: Log, begin: float = 0.0, dev: float = math.inf) -> Watched:
    """What the evaluation sees of some chats; from `begin` on they are tested, and from `dev` until there fitted on."""
    found = Watched(behaviour)
    for log in logs:
        see(found, log.messages, me({ME}, Counter({NAME: 1}), NAME), begin=begin, dev=dev)
    return found
