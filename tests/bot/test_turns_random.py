"""The turn engine under random orders of events: every invariant is checked after each step."""

import math
import pickle
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from bot.events import (
    Action,
    Cancel,
    Cleared,
    Clock,
    Drafted,
    Ended,
    Event,
    Generate,
    Heard,
    Muted,
    Recalled,
    Ruled,
    Send,
    Sent,
    Settle,
    Wake,
)
from bot.rules import Rules
from bot.turn_state import Pace, State
from bot.turns import forget_idle, step

GROUP, FRIEND = "qq:group:7001", "qq:private:20001"
PACE = Pace(per_minute=4, max_bubbles=3, delays=0.0, rally=False, gap=0.0)


@dataclass
class Watch:
    """What an outsider sees of one chat, and what must hold there."""

    on: bool = True
    muted_until: float = 0.0
    heard: dict[str, float] = field(default_factory=dict)
    """Foreign messages that were no copies, with when they came."""
    senders: dict[str, str] = field(default_factory=dict)
    mine: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    recalled: dict[str, float] = field(default_factory=dict)
    """With when."""
    owed: set[str] = field(default_factory=set)
    """Called or private, fresh, while the chat was on."""
    answered: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    turns: dict[int, tuple[str, ...]] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    """Turns that may not say any more."""
    drafting: set[int] = field(default_factory=set)
    begun: Counter[int] = field(default_factory=Counter)
    flying: int = 0
    lines: int = 0
    """Foreign messages since my last bubble."""
    sends: list[float] = field(default_factory=list)
    wake: float | None = None

    def told(self, event: Event, now: float) -> None:
        if isinstance(event, Heard):
            self._heard(event, now)
        elif isinstance(event, Recalled):
            self.recalled[event.id] = now
            self.dead.update(turn for turn, ids in self.turns.items() if event.id in ids)
        elif isinstance(event, Ruled | Muted | Cleared):
            if isinstance(event, Ruled):
                self.on = event.rules.mode != "off"
            if isinstance(event, Muted):
                self.muted_until = event.until
            if isinstance(event, Cleared) or self.silent(now):
                self.dead.update(self.turns)
        elif isinstance(event, Sent) and event.turn == self.flying:
            self.flying, self.lines = 0, 0
            if not event.ok:
                self.dead.add(event.turn)
        elif isinstance(event, Ended):
            self.drafting.discard(event.turn)

    def _heard(self, event: Heard, now: float) -> None:
        if event.mine:
            self.mine.add(event.id)
        elif event.id not in self.heard and now - self.recalled.get(event.id, -math.inf) > PACE.stale:
            self.heard[event.id] = now
            self.senders[event.id] = event.sender
            if self.recalled.pop(event.id, None) is not None:
                # A recall that came so long before its message may be forgotten, or not yet.
                return
            if now - event.time > PACE.stale:
                self.stale.add(event.id)
                return
            # T16: what was begun and not finished when somebody spoke is decided anew.
            self.lines += 1
            asker = {turn for turn in self.begun if self.senders[self.turns[turn][0]] == event.sender}
            called = (event.private or event.addressed) and not self.silent(now)
            self.dead.update(self.begun if called or self.lines > PACE.kept_lines else asker)
            if (event.private or event.addressed) and not self.silent(now):
                self.owed.add(event.id)

    def silent(self, now: float) -> bool:
        return not self.on or self.muted_until > now

    def did(self, action: Action, now: float) -> None:
        if isinstance(action, Generate):
            self._generates(action, now)
        elif isinstance(action, Send):
            self._sends(action, now)
        elif isinstance(action, Cancel):
            assert action.turn in self.drafting
            self.drafting.discard(action.turn)
        elif isinstance(action, Settle):
            if action.outcome == "stale" and self.stale.isdisjoint(action.ids):
                # A copy so late that the engine has forgotten the first: stale is all it may say.
                return
            self.settled.update(action.ids)
            assert not any(self.answered[message] for message in action.ids)
        elif isinstance(action, Wake):
            assert action.at > now
            self.wake = action.at

    def _generates(self, action: Generate, now: float) -> None:
        assert not self.silent(now), "T3"
        assert not self.flying, "T9: a bubble is on its way"
        assert not self.drafting, "T9: two drafts at once"
        for message in action.ids:
            assert message in self.heard, "T2: not a foreign message"
            assert message not in self.mine, "T2"
            assert message not in self.stale, "T5"
            assert message not in self.recalled, "T8"
            assert not self.answered[message], "T1"
            assert not self.settled[message], "T1: settled, and answered after all"
        assert len({self.senders[message] for message in action.ids}) == 1
        self.dead.update(self.turns)
        assert action.turn not in self.turns
        self.turns[action.turn] = action.ids
        self.drafting.add(action.turn)

    def _sends(self, action: Send, now: float) -> None:
        assert not self.silent(now), "T3"
        assert not self.flying, "T9"
        assert action.turn not in self.dead, "T8, T9, T16"
        first = not self.begun[action.turn]
        self.begun[action.turn] += 1
        assert self.begun[action.turn] <= PACE.max_bubbles
        assert bool(action.answers) == first
        self.answered.update(action.answers)
        assert not action.answers or max(self.answered[message] for message in action.answers) == 1, "T1"
        if first:
            assert set(action.answers) == set(self.turns[action.turn]) - self.recalled.keys()
        if action.quote is not None:
            assert first, "T18"
            assert action.quote == action.answers[-1]
            came = list(self.heard)
            others = {self.senders[message] for message in came} - {self.senders[action.quote]}
            assert others or len(came) - came.index(action.quote) > PACE.quote_after, "T17, T18"
        self.flying, self.lines = action.turn, 0
        self.sends = [at for at in self.sends if at + 60 > now] + [now]
        assert len(self.sends) <= PACE.per_minute, "T25"


class World:
    """Two chats, their watches, and an engine and a platform that do as the random order says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.state = State(PACE, seed=1)
        self.watches = {GROUP: Watch(), FRIEND: Watch()}
        self.said: list[Heard] = []
        for chat in self.watches:
            self.tell(Ruled(chat, Rules("called")))

    def tell(self, event: Event) -> None:
        self.watches[event.chat].told(event, self.now)
        for action in step(self.state, event, self.now):
            assert action.chat == event.chat
            self.watches[action.chat].did(action, self.now)

    def hear(self, chat: str, who: int, flags: int, back: int) -> None:
        """A new message; with the last flag, an earlier one once more."""
        if flags == 7 and self.said:
            self.tell(self.said[max(0, len(self.said) - 1 - back)])
            return
        late = 130.0 if flags == 6 else -30.0 if flags == 5 else 1.0
        event = Heard(
            chat,
            f"m{len(self.said)}",
            "小鹿" if chat == FRIEND else f"人{who}",
            self.now - late,
            private=chat == FRIEND,
            addressed=flags % 2 == 1,
            bare=flags == 3 and chat == GROUP,
            mine=flags == 4,
        )
        self.said.append(event)
        self.tell(event)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, waking where it was asked for."""
        until = self.now + seconds
        while due := [(w.wake, chat) for chat, w in self.watches.items() if w.wake is not None and w.wake <= until]:
            at, chat = min(due)
            self.now = max(self.now, at)
            self.watches[chat].wake = None
            self.tell(Clock(chat))
        self.now = until

    def draft(self, chat: str, what: int, back: int) -> None:
        turn = max(self.watches[chat].turns, default=0) - (back if what == 3 else 0)
        if what < 2:
            self.tell(Drafted(chat, turn, "话" * (1 + back * 9)))
        else:
            self.tell(Ended(chat, turn, ("done", "busy", "error", "timeout")[back % 4]))

    def called(self, chat: str, who: int, back: int) -> None:
        """Somebody calls, and it comes to a draft."""
        self.hear(chat, who, 1, back)
        self.pass_time(2.0)
        self.draft(chat, 0, back)

    def platform(self, chat: str, what: int, back: int) -> None:
        watch = self.watches[chat]
        if what < 3 and watch.flying:
            self.tell(Sent(chat, watch.flying, ok=what != 2))
        elif what == 3:
            self.tell(Recalled(chat, f"m{max(0, len(self.said) - 1 - back)}"))
        elif what == 4:
            self.tell(Sent(chat, max(1, watch.flying - 1)))

    def command(self, chat: str, what: int) -> None:
        events = [
            Ruled(chat, Rules("off")),
            Ruled(chat, Rules("called")),
            Muted(chat, self.now + 20),
            Muted(chat, 0),
            Cleared(chat),
            Clock(chat),
        ]
        self.tell(events[what])
        if what == 5:
            modes = {key: known.rules for key, known in self.state.chats.items()}
            forget_idle(self.state, self.now)
            for key in modes.keys() - self.state.chats.keys():
                self.tell(Ruled(key, modes[key]))

    def settle_down(self) -> None:
        """A good engine and a good platform from now on: whoever waits gets an answer."""
        for chat, watch in self.watches.items():
            self.tell(Ruled(chat, Rules("called")))
            self.tell(Muted(chat, 0))
            for _ in range(400):
                if watch.flying:
                    self.tell(Sent(chat, watch.flying))
                for turn in list(watch.drafting):
                    self.tell(Drafted(chat, turn, "好"))
                    self.tell(Ended(chat, turn, "done"))
                    watch.drafting.discard(turn)
                self.pass_time(2.0)


CHAT = st.sampled_from([GROUP, GROUP, FRIEND])
SMALL = st.integers(0, 5)
OPS = st.one_of(
    st.tuples(st.just("hear"), CHAT, st.integers(0, 2), st.integers(0, 7), SMALL),
    st.tuples(st.just("hear"), CHAT, st.integers(0, 2), st.integers(0, 3), SMALL),
    st.tuples(st.just("called"), CHAT, st.integers(0, 2), SMALL),
    st.tuples(st.just("draft"), CHAT, st.integers(0, 3), SMALL),
    st.tuples(st.just("draft"), CHAT, st.just(0), SMALL),
    st.tuples(st.just("platform"), CHAT, st.integers(0, 4), SMALL),
    st.tuples(st.just("platform"), CHAT, st.just(0), SMALL),
    st.tuples(st.just("command"), CHAT, st.integers(0, 5)),
    st.tuples(st.just("pass_time"), st.sampled_from([0.0, 0.5, 1.8, 2.0, 5.0, 11.0])),
    st.tuples(st.just("pass_time"), st.sampled_from([0.3, 1.0, 2.0, 31.0, 130.0])),
)


def check(operations: list[tuple[Any, ...]]) -> None:
    world = World()
    for name, *arguments in operations:
        getattr(world, name)(*arguments)
    assert pickle.loads(pickle.dumps(world.state)) == world.state
    world.settle_down()
    for watch in world.watches.values():
        # T13, T22: nobody who called is forgotten, nobody gets two outcomes.
        for message in watch.owed:
            assert watch.answered[message] + watch.settled[message] == 1, message
    forget_idle(world.state, world.now)
    assert not world.state.chats


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(OPS, min_size=20, max_size=60))
def test_invariants_hold_in_every_order(operations):
    check(operations)


def test_invariants_hold_in_long_busy_runs():
    random = Random(11)
    for _ in range(1000):
        check([busy(random) for _ in range(100)])


def busy(random: Random) -> tuple[Any, ...]:
    """One thing that happens in chats where much goes on."""
    chat, small, who = random.choice([GROUP, GROUP, FRIEND]), random.randrange(6), random.randrange(3)
    things: list[tuple[float, tuple[Any, ...]]] = [
        (6, ("hear", chat, who, random.choice([0, 0, 1, 1, 2, 3, 4, 5, 6, 7]), small)),
        (3, ("called", chat, who, small)),
        (6, ("draft", chat, random.choice([0, 0, 0, 2, 2, 3]), small)),
        (6, ("platform", chat, random.choice([0, 0, 0, 0, 1, 2, 3, 4]), small)),
        (0.7, ("command", chat, random.randrange(6))),
        (6, ("pass_time", random.choice([0.0, 0.5, 1.0, 2.0, 2.0, 5.0, 11.0, 31.0]))),
        (0.2, ("pass_time", 130.0)),
    ]
    return random.choices([thing for _, thing in things], [weight for weight, _ in things])[0]
