"""An hour of two hundred groups on a clock of its own: nobody who calls is forgotten, and nothing grows."""

import heapq
import itertools
import pickle
from collections import Counter
from random import Random

from bot.events import (
    Action,
    Cancel,
    Clock,
    Drafted,
    Ended,
    Event,
    Generate,
    Heard,
    Propose,
    Ruled,
    Send,
    Sent,
    Settle,
    TellOwner,
    Wake,
)
from bot.persona.behaviour import Behaviour
from bot.persona.watch import Traits
from bot.rules import Mode, Rules
from bot.turn_state import Pace, State
from bot.turns import forget_idle, step

GROUPS, MESSAGES, HOUR = 200, 100_000, 3600.0
MODES: list[Mode] = ["called", "called", "called", "join", "join", "draft", "shadow"]
BOUND = 2_000_000
"""Bytes that the whole state may take when written down; measured half a megabyte."""


class Hour:
    """The engine among chats, a model that pauses and fails, and a platform that is gone now and then."""

    def __init__(self, seed: int, messages: int) -> None:
        self.random = Random(seed)
        self.state = State(Pace(per_day=3000), seed=seed)
        self.now = 0.0
        self.agenda: list[tuple[float, int, Event]] = []
        self.numbers = itertools.count()
        self.wakes: dict[str, float] = {}
        self.cancelled: set[int] = set()
        self.answered: Counter[str] = Counter()
        self.settled: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.called: set[str] = set()
        self.largest = 0
        self.rules = {f"qq:group:{n}": Rules(MODES[n % len(MODES)], behaviour=Behaviour()) for n in range(GROUPS)}
        for chat, rules in self.rules.items():
            self.tell(Ruled(chat, rules))
        self.plan(messages)

    def plan(self, messages: int) -> None:
        """Groups of very different liveliness; each twenty-fifth message calls me."""
        chats, random = list(self.rules), self.random
        weights = [1 / (1 + n % 40) for n in range(GROUPS)]
        for number, chat in enumerate(random.choices(chats, weights, k=messages)):
            at, who = random.uniform(0, HOUR), f"{chat}人{random.randrange(12)}"
            called = random.random() < 0.04
            seen = Traits(who, at, addressed=called, chars=random.randrange(30))
            mine = random.random() < 0.0003
            event = Heard(chat, f"m{number}", who, at, addressed=called, mine=mine, owner=mine, traits=seen)
            if self.online(at):
                self.later(at, event)
                if random.random() < 0.02:
                    self.later(at + random.uniform(0, 90), event)
                if called and not mine:
                    self.called.add(event.id)

    def online(self, at: float) -> bool:
        """Kicked for four minutes at a time; what is said meanwhile never comes."""
        return not (700 < at < 940 or 2200 < at < 2440)

    def model_up(self) -> bool:
        return not (1200 < self.now < 1320 or 3000 < self.now < 3030)

    def later(self, at: float, event: Event) -> None:
        heapq.heappush(self.agenda, (at, next(self.numbers), event))

    def run(self) -> None:
        number = 0
        while self.agenda and self.agenda[0][0] < HOUR + 900:
            at, _, event = heapq.heappop(self.agenda)
            self.now = max(self.now, at)
            if isinstance(event, Clock):
                if self.wakes.get(event.chat) != at:
                    continue
                del self.wakes[event.chat]
            elif isinstance(event, Drafted | Ended) and event.turn in self.cancelled:
                continue
            elif isinstance(event, Heard):
                number += 1
                if number % 256 == 0:
                    forget_idle(self.state, self.now)
                if number % 4096 == 0:
                    self.largest = max(self.largest, len(pickle.dumps(self.state)))
            if event.chat not in self.state.chats:
                self.tell(Ruled(event.chat, self.rules[event.chat]))
            self.tell(event)

    def tell(self, event: Event) -> None:
        for action in step(self.state, event, self.now):
            self.obey(action)

    def obey(self, action: Action) -> None:
        chat, random = action.chat, self.random
        if isinstance(action, Wake):
            self.wakes[chat] = action.at
            self.later(action.at, Clock(chat))
        elif isinstance(action, Cancel):
            self.cancelled.add(action.turn)
        elif isinstance(action, Generate):
            took = self.now + random.uniform(0.5, 6.0)
            if self.model_up():
                for _ in range(random.choice([1, 1, 2, 3])):
                    self.later(took, Drafted(chat, action.turn, "话" * random.randint(1, 30)))
                self.later(took + 0.01, Ended(chat, action.turn, "done"))
            else:
                self.later(took, Ended(chat, action.turn, random.choice(["busy", "error"])))
        elif isinstance(action, Send):
            self.answered.update(action.answers)
            self.later(self.now + 0.2, Sent(chat, action.turn, ok=self.online(self.now)))
        elif isinstance(action, Settle):
            self.settled.update(action.ids)
            self.outcomes[action.outcome] += len(action.ids)
        else:
            assert isinstance(action, Propose | TellOwner)


def test_an_hour_of_two_hundred_groups():
    hour = Hour(7, MESSAGES)
    hour.run()
    ends = {message: hour.answered[message] + hour.settled[message] for message in hour.called}
    assert set(ends.values()) == {1}
    assert all(times == 1 for times in hour.answered.values())
    assert hour.outcomes["capped"]
    assert sum(message in hour.answered for message in hour.called) > 0.2 * len(hour.called)
    assert hour.largest < BOUND
    busy = [chat for chat in hour.state.chats.values() if chat.calls or chat.turn or chat.in_flight]
    assert not busy
    forget_idle(hour.state, hour.now + 5 * HOUR)
    assert not hour.state.chats
    assert not hour.state.users
