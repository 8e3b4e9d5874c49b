"""A world for the turn engine: chats that an outsider watches, checking every invariant after each step."""

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

from bot.events import (
    Action,
    Blocked,
    Cancel,
    Cleared,
    Clock,
    Counted,
    Drafted,
    Ended,
    Event,
    Generate,
    Halted,
    Heard,
    Hushed,
    Muted,
    Propose,
    Recalled,
    Retry,
    Ruled,
    Said,
    Send,
    Sent,
    Settle,
    Stopped,
    TellOwner,
    Wake,
)
from bot.persona.behaviour import Behaviour
from bot.persona.gate import Gate, Gates
from bot.persona.watch import Traits
from bot.rules import MODES, Mode, Rules
from bot.turn_state import Pace, State
from bot.turns import forget_idle, step

GROUP, OTHER, FRIEND = "qq:group:7001", "qq:group:7002", "qq:private:20001"
PACE = Pace(per_minute=4, per_user=3, per_day=40, max_bubbles=3, gap=0.4, takeover=30.0, delays=0.3, rally=False)
EAGER = Gates(entry=Gate(bias=1.0), flow=Gate(bias=0.0), usual=0.1)
AWAKE = Behaviour(group=EAGER, share=0.3)
"""Speaks up most of the time."""
SLEEPER = AWAKE.model_copy(update={"asleep": (8, 9)})
"""Asleep for an hour from the moment a world begins."""
DOZER = AWAKE.model_copy(update={"asleep": (0, 8)})
SHARE = 0.3
LATEST_JOIN = PACE.debounce_max * 4 + 180.0 + PACE.join_expires
"""Seconds after the newest line that I join, within which I must have begun or given up."""


@dataclass
class Eyes:
    """What an outsider sees of one chat, and what must hold there."""

    rules: Rules = field(default_factory=lambda: Rules("called", behaviour=AWAKE))
    muted_until: float = 0.0
    hushed_until: float = 0.0
    halted: bool = False
    barred: frozenset[str] = frozenset()
    met: bool = False
    heard: dict[str, Heard] = field(default_factory=dict)
    """Foreign messages that were no copies."""
    came: dict[str, float] = field(default_factory=dict)
    mine: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    recalled: dict[str, float] = field(default_factory=dict)
    owed: set[str] = field(default_factory=set)
    """Wanted an answer: each must get one, or a reason why not."""
    again: set[str] = field(default_factory=set)
    """A command may have asked for an answer to these anew."""
    answered: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    turns: dict[int, Generate] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    """Turns that may not say any more."""
    drafting: set[int] = field(default_factory=set)
    begun: Counter[int] = field(default_factory=Counter)
    flying: Send | None = None
    lines: int = 0
    """Foreign messages since my last bubble."""
    flags: list[bool] = field(default_factory=list)
    """Whether each message of the chat was mine."""
    sends: list[float] = field(default_factory=list)
    said: int = 0
    """Bubbles to be said by command."""
    wake: float | None = None

    def silent(self, now: float) -> bool:
        return self.halted or self.rules.mode == "off" or max(self.muted_until, self.hushed_until) > now

    def hears(self, event: Heard, now: float) -> None:
        if event.id in self.heard or event.id in self.mine:
            return
        if now - self.recalled.get(event.id, -math.inf) <= PACE.stale:
            return
        late = now - event.time > PACE.stale
        if event.mine:
            self.mine.add(event.id)
            if not late:
                self.flags.append(True)
                self._owner(now)
            return
        self.heard[event.id], self.came[event.id] = event, now
        wants = event.private or event.addressed
        if self.recalled.pop(event.id, None) is not None:
            # A recall that came so long before its message may be forgotten, or not yet.
            return
        if wants:
            self.owed.add(event.id)
        if late:
            self.stale.add(event.id)
            return
        self.flags.append(False)
        if event.owner and not wants:
            self._owner(now)
            return
        called = wants and not self.silent(now) and event.sender not in self.barred and not event.bot
        self.met = self.met or called
        # T16: what was begun and not finished when somebody spoke is decided anew.
        self.lines += 1
        for turn in self.begun:
            asker = turn in self.turns and self.heard[self.turns[turn].ids[-1]].sender == event.sender
            if turn in self.turns and (asker or self.lines > PACE.kept_lines or (called and not event.poke)):
                self.dead.add(turn)

    def _owner(self, now: float) -> None:
        if self.rules.mode != "shadow":
            self.hushed_until = max(self.hushed_until, now + PACE.takeover)
        self.dead.update(self.turns)

    def did(self, action: Action, now: float) -> None:
        if isinstance(action, Generate):
            self._generates(action, now)
        elif isinstance(action, Send):
            self._sends(action, now)
        elif isinstance(action, Propose):
            self._proposes(action, now)
        elif isinstance(action, Cancel):
            assert action.turn in self.drafting
            self.drafting.discard(action.turn)
        elif isinstance(action, Settle):
            self._settles(action)
        elif isinstance(action, Wake):
            assert action.at > now
            self.wake = action.at
        else:
            assert isinstance(action, TellOwner)

    def _settles(self, action: Settle) -> None:
        if action.outcome == "stale" and self.stale.isdisjoint(action.ids):
            # A copy so late that the engine has forgotten the first: stale is all it may say.
            return
        assert not any(self.answered[message] for message in set(action.ids) - self.again), "T1"
        self.settled.update(action.ids)

    def _generates(self, action: Generate, now: float) -> None:
        assert not self.silent(now), "T3, T29"
        assert not self.flying, "T9: a bubble is on its way"
        assert not self.drafting, "T9: two drafts at once"
        join = action.rank == "join"
        for message in action.ids:
            assert message in self.heard, "T2: not a foreign message"
            assert message not in self.stale, "T5"
            assert message not in self.recalled, "T8"
            assert self.heard[message].sender not in self.barred or (join and message != action.ids[0]), "T10"
            assert not self.heard[message].bot or join, "T10"
            assert join or message in self.again or not self.answered[message], "T1"
            assert join or message in self.again or not self.settled[message], "T1: settled, and answered after all"
        if join:
            assert self.rules.joining
            assert self.met or not self.rules.guest, "T32"
            assert action.answering == ()
            assert now - max(self.came[message] for message in action.ids) <= LATEST_JOIN, "T31"
        else:
            assert action.answering == action.ids
            assert len({self.heard[message].sender for message in action.ids}) == 1
        self.dead.update(self.turns)
        assert action.turn not in self.turns
        self.turns[action.turn] = action
        self.drafting.add(action.turn)

    def _proposes(self, action: Propose, now: float) -> None:
        assert not self.silent(now), "T3"
        assert action.kind == self.rules.mode
        assert not any(self.answered[message] for message in set(action.answers) - self.again), "T1"
        assert not self.begun[action.turn]
        assert action.at >= now
        self.drafting.discard(action.turn)
        self.dead.add(action.turn)

    def _sends(self, action: Send, now: float) -> None:
        assert self.flying is None, "T9"
        assert not self.halted, "T3"
        assert self.muted_until <= now, "T3"
        first = not self.begun[action.turn]
        self.begun[action.turn] += 1
        reply = self.turns.get(action.turn)
        if reply is None:
            self.said -= 1
            assert self.said >= 0
        else:
            self._replies(action, reply, first, now)
        self.answered.update(action.answers)
        self.flying, self.lines = action, 0
        self.sends = [at for at in self.sends if at + 60 > now] + [now]
        assert len(self.sends) <= PACE.per_minute, "T25"

    def _replies(self, action: Send, reply: Generate, first: bool, now: float) -> None:
        assert not self.silent(now), "T3, T29"
        assert self.rules.mode not in ("draft", "shadow")
        assert action.turn not in self.dead, "T8, T9, T16"
        assert self.begun[action.turn] <= PACE.max_bubbles
        if reply.rank == "join":
            assert not action.answers
            assert (sum(self.flags[-19:]) + 1) / 20 <= SHARE, "T24"
        else:
            assert bool(action.answers) == first
            assert not first or set(action.answers) == set(reply.ids) - self.recalled.keys()
            assert not any(self.answered[message] for message in set(action.answers) - self.again), "T1"
            self.again.difference_update(action.answers)
        if action.quote is not None:
            assert first, "T18"
            assert action.quote == action.answers[-1]
            ids = list(self.heard)
            others = {event.sender for event in self.heard.values()} - {self.heard[action.quote].sender}
            assert others or len(ids) - ids.index(action.quote) > PACE.quote_after, "T17, T18"


class World:
    """Three chats, an engine and a platform that do as a random order says."""

    def __init__(self, seed: int = 1, mode: Mode = "called") -> None:
        self.now = 1000.0
        self.state = State(PACE, seed=seed)
        self.eyes = {chat: Eyes() for chat in (GROUP, OTHER, FRIEND)}
        self.messages: list[Heard] = []
        self.seen: Counter[str] = Counter()
        """What was done in all, so that a test knows what it has tried."""
        self.sent_at = -math.inf
        self.sent = 0
        self.replies: dict[str, list[float]] = {}
        for chat, eyes in self.eyes.items():
            self.tell(Ruled(chat, replace(eyes.rules, mode=mode)))

    def tell(self, event: Event) -> None:
        if event.chat:
            self._told(self.eyes[event.chat], event)
        else:
            for eyes in self.eyes.values():
                self._told(eyes, event)
        for action in step(self.state, event, self.now):
            if isinstance(action, Send):
                assert self.now - self.sent_at >= PACE.gap - 1e-9, "T25: the gap between any two"
                self.sent, self.sent_at = self.sent + 1, self.now
                assert self.sent <= PACE.per_day, "T25"
            if isinstance(action, Generate) and action.rank != "join":
                sender = self.eyes[action.chat].heard[action.ids[0]].sender
                lately = [at for at in self.replies.get(sender, ()) if at + 60 > self.now]
                self.replies[sender] = [*lately, self.now]
                assert len(lately) < PACE.per_user, "T25"
            self.eyes[action.chat].did(action, self.now)
            self.seen[" ".join([type(action).__name__, *_kind(action)])] += 1

    def _told(self, eyes: Eyes, event: Event) -> None:
        now = self.now
        if isinstance(event, Heard):
            eyes.hears(event, now)
        elif isinstance(event, Recalled):
            eyes.recalled[event.id] = now
            eyes.dead.update(turn for turn, reply in eyes.turns.items() if event.id in reply.ids)
        elif isinstance(event, Ruled):
            if eyes.rules.mode != event.rules.mode:
                eyes.dead.update(eyes.begun)
            eyes.rules = event.rules
        elif isinstance(event, Muted):
            eyes.muted_until = event.until
        elif isinstance(event, Hushed):
            eyes.hushed_until = event.until
        elif isinstance(event, Halted):
            eyes.halted = event.on
        elif isinstance(event, Blocked):
            eyes.barred = event.people | event.bots
            eyes.dead.update(t for t, r in eyes.turns.items() if eyes.heard[r.ids[-1]].sender in eyes.barred)
        elif isinstance(event, Sent) and eyes.flying is not None and event.turn == eyes.flying.turn:
            eyes.flying, eyes.lines = None, 0
            eyes.flags.extend([True] if event.ok else [])
            eyes.dead.update([] if event.ok else [event.turn])
        elif isinstance(event, Ended):
            eyes.drafting.discard(event.turn)
        elif isinstance(event, Said) and not eyes.halted and eyes.muted_until <= now:
            eyes.said += len(event.bubbles)
        elif isinstance(event, Retry):
            eyes.again.update(eyes.answered)
        if isinstance(event, Cleared | Stopped) or eyes.silent(now):
            eyes.dead.update(eyes.turns)

    # What may happen.

    def hear(self, chat: str, who: int, kind: str, back: int) -> None:
        """A new message; of kind "copy", an earlier one once more."""
        if kind == "copy":
            if self.messages:
                self.tell(self.messages[max(0, len(self.messages) - 1 - back)])
            return
        sender, called = f"{'友' if chat == FRIEND else '人'}{who}", kind in ("call", "bare", "poke", "bot", "late")
        private, time = chat == FRIEND, self.now - (130.0 if kind == "late" else -30.0 if kind == "early" else 1.0)
        traits = Traits(sender, self.now, mine=kind == "mine", private=private, addressed=called, chars=back * 4)
        event = Heard(
            chat,
            f"m{len(self.messages)}",
            sender,
            time,
            private=private,
            addressed=called,
            bare=kind in ("bare", "poke") and not private,
            mine=kind == "mine",
            owner=kind in ("mine", "owner"),
            bot=kind == "bot",
            poke=kind == "poke",
            traits=traits,
        )
        self.messages.append(event)
        self.tell(event)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, waking where it was asked for."""
        until = self.now + seconds
        while True:
            due = [(eyes.wake, chat) for chat, eyes in self.eyes.items() if eyes.wake is not None]
            if not due or min(due)[0] > until:
                break
            at, chat = min(due)
            self.now = max(self.now, at)
            self.eyes[chat].wake = None
            self.tell(Clock(chat))
        self.now = until

    def draft(self, chat: str, what: str, back: int) -> None:
        turns = self.eyes[chat].turns
        turn = max(turns, default=0) - (back if what == "old" else 0)
        if what == "bubble":
            self.tell(Drafted(chat, turn, "话" * (1 + back * 9)))
        else:
            self.tell(Ended(chat, turn, ("done", "busy", "error", "timeout")[back % 4]))

    def reply(self, chat: str, who: int, back: int) -> None:
        """Somebody calls, and it comes to a draft."""
        self.hear(chat, who, "call", back)
        self.pass_time(10.0 * back)
        self.draft(chat, "bubble", back)
        self.draft(chat, "bubble", back)

    def platform(self, chat: str, what: str, back: int) -> None:
        eyes = self.eyes[chat]
        if what in ("ok", "refused") and eyes.flying is not None:
            self.tell(Sent(chat, eyes.flying.turn, ok=what == "ok"))
        elif what == "recall":
            self.tell(Recalled(chat, f"m{max(0, len(self.messages) - 1 - back)}"))
        elif what == "odd":
            self.tell(Sent(chat, max(1, max(eyes.turns, default=0) - 1)))

    def command(self, chat: str, what: str, random: Random) -> None:
        if what == "rules":
            rules = Rules(
                random.choice(MODES),
                random.choice([0.0, 1.0, 1.0, 2.0]),
                random.choice([AWAKE, AWAKE, AWAKE, DOZER, SLEEPER]),
                random.choice(["later", "morning"]),
                random.random() < 0.5,
                guest=random.random() < 0.2,
            )
            self.tell(Ruled(chat, rules))
        elif what == "tidy":
            kept = {key: eyes.rules for key, eyes in self.eyes.items()}
            forget_idle(self.state, self.now)
            for key in kept.keys() - self.state.chats.keys():
                self.tell(Ruled(key, kept[key]))
                self.eyes[key].flags.clear()
        else:
            self.tell(_ORDERS[what](self, chat, random))

    def settle_down(self) -> None:
        """A good engine and a good platform from now on: whoever waits gets an answer, or a reason."""
        self.tell(Halted(False))
        self.tell(Blocked(frozenset(), frozenset()))
        for chat, eyes in self.eyes.items():
            for event in (Ruled(chat, replace(eyes.rules, mode="called")), Muted(chat, 0), Hushed(chat, 0)):
                self.tell(event)
        for _ in range(500):
            busy = False
            for chat, eyes in self.eyes.items():
                if eyes.flying is not None:
                    busy = True
                    self.tell(Sent(chat, eyes.flying.turn))
                for turn in list(eyes.drafting):
                    busy = True
                    self.tell(Drafted(chat, turn, "好"))
                    self.tell(Ended(chat, turn, "done"))
                    eyes.drafting.discard(turn)
            wakes = [eyes.wake for eyes in self.eyes.values() if eyes.wake is not None]
            if not busy and not wakes:
                return
            self.pass_time(max(0.0, min(wakes, default=self.now) - self.now))


def _kind(action: Action) -> list[str]:
    names = ("rank", "outcome", "kind", "reason")
    return [str(getattr(action, name)) for name in names if hasattr(action, name)]


_ORDERS = {
    "mute": lambda w, chat, r: Muted(chat, w.now + r.choice([0, 20])),
    "hush": lambda w, chat, r: Hushed(chat, w.now + r.choice([0, 40])),
    "clear": lambda w, chat, r: Cleared(chat),
    "stop": lambda w, chat, r: Stopped(chat),
    "clock": lambda w, chat, r: Clock(chat),
    "retry": lambda w, chat, r: Retry(chat),
    "say": lambda w, chat, r: Said(chat, ("说",) * r.randint(1, 2)),
    "block": lambda w, chat, r: Blocked(frozenset(r.sample(["人0", "人1", "友0"], r.randint(0, 2))), frozenset()),
    "halt": lambda w, chat, r: Halted(r.random() < 0.3),
    "count": lambda w, chat, r: Counted(sent=w.sent),
}
ORDERS = [*_ORDERS, "rules", "rules", "rules", "tidy"]


def check(world: World) -> None:
    """At the end nobody who called is forgotten, and nobody got two outcomes (T1, T13, T22)."""
    world.settle_down()
    for eyes in world.eyes.values():
        for message in eyes.owed:
            ends = eyes.answered[message] + eyes.settled[message]
            assert ends >= 1, message
    forget_idle(world.state, world.now + 5 * 3600.0)
    assert not world.state.chats
