"""What the axes of behaviour look at: each message of others in the test part, and what the persona makes of it.

Needs no model. `p` is what the persona's gate says at that moment of the records, my own real lines
being part of what it has heard (open loop); the scenes are for the closed one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import inf
from pathlib import Path

from bot.persona.behaviour import Behaviour
from bot.persona.message import Message
from bot.persona.prompt import readable
from bot.persona.watch import Traits
from config.settings import Dataset, load
from training.closed_loop import Replay, Scene
from training.dataset import read_messages, read_rows, row_id
from training.filter import Filter
from training.occasions import Burst, Me, Observer, Occasion, me
from training.recording import Recording
from training.written import Written

SILENCE = 1800.0
"""Seconds that part two sessions, where intervals are drawn from whole ones."""


@dataclass(slots=True)
class Judged:
    """A message of somebody else in the test part."""

    session: int
    occasion: Occasion
    p: float
    """How likely the persona is to be the next to speak."""
    next: float = inf
    """Seconds until I spoke, whoever spoke before."""


@dataclass(slots=True)
class Watched:
    """Everything the axes of behaviour need. Times are UTC seconds."""

    behaviour: Behaviour
    judged: list[Judged] = field(default_factory=list)
    dev: list[Judged] = field(default_factory=list)
    """The same of the dev part, on which thresholds are fitted."""
    scenes: dict[str, Scene] = field(default_factory=dict)
    """The groups' test stretches."""
    earlier: list[Occasion] = field(default_factory=list)
    """Occasions before the test part that I took, oldest first."""
    bursts: list[Burst] = field(default_factory=list)
    """My replies in the test part."""
    bursts_earlier: list[Burst] = field(default_factory=list)
    _played: dict[int, dict[str, list[Traits]]] = field(default_factory=dict, init=False, repr=False)

    def real(self) -> dict[str, list[Traits]]:
        """What was really said in the groups' test stretches."""
        return {chat: scene.lines for chat, scene in self.scenes.items()}

    def played(self, seed: int) -> dict[str, list[Traits]]:
        """The same with the bot in my place; each seed is lived through once."""
        if seed not in self._played:
            self._played[seed] = Replay(self.scenes, self.behaviour, 1.0, seed).run()
        return self._played[seed]


def watched(data: Path, behaviour: Behaviour, *, called: str, known: float = -inf) -> Watched:
    """Walk the records of a data folder; `called` is the persona's name.

    What was said until `known` the behaviour was fitted on, whatever part it lies in: it is no test, and no dev.
    """
    begins: dict[str, float] = {}
    apart: set[str] = set()
    for row in read_rows(data / "heldout.jsonl"):
        begins[row["split"]] = min(row["start"], begins.get(row["split"], inf))
        if row["split"] == "test_chat":
            apart.add(row["id"])
    begin, dev = begins.get("test", inf), begins.get("dev", inf)
    mine = _me(_messages(data), called)
    found = Watched(behaviour)
    for _, said in groupby(_messages(data), key=lambda message: message.chat):
        chat = [message for message in said if readable(message)]
        if not any(message.mine for message in chat):
            continue
        held_out = any(row_id(message) in apart for message in chat)
        borders = (-inf, -inf) if held_out else (begin, dev)
        see(found, chat, mine, begin=max(borders[0], known + 1), dev=max(borders[1], known + 1))
    found.earlier.sort(key=lambda one: one.heard.time)
    found.bursts_earlier.sort(key=lambda one: one.first.time)
    return found


def see(found: Watched, chat: Sequence[Message], known: Me, *, begin: float, dev: float = inf) -> None:
    """Take in one chat, whose test part begins then; from `dev` until there it is the dev part."""
    if not chat:
        return
    observer, lines, tested, fitted = Observer(known, found.behaviour), Recording(), len(found.judged), len(found.dev)
    first: int | None = None
    for seen in observer.see(chat):
        if first is None and seen.traits.time >= begin:
            first = len(lines)
        if seen.replayable:
            lines.append(seen.traits)
        if seen.occasion is not None:
            _occasion(found, seen.occasion, begin, dev)
        if seen.burst is not None:
            (found.bursts if seen.burst.first.time >= begin else found.bursts_earlier).append(seen.burst)
    mine = [line.time for line in lines if line.mine]
    for judged in (found.judged[tested:], found.dev[fitted:]):
        _look_ahead(judged, mine)
    if first is None:
        return
    if chat[0].kind == "group":
        found.scenes[chat[0].chat] = Scene.of(lines, first)


def _occasion(found: Watched, one: Occasion, begin: float, dev: float) -> None:
    time = one.heard.time
    if time < begin and one.mine:
        found.earlier.append(one)
    if time < min(begin, dev):
        return
    assert one.chance is not None
    judged = found.judged if time >= begin else found.dev
    before = judged[-1] if judged else None
    session = before.session if before is not None else 0
    if before is None or before.occasion.chat != one.chat or time - before.occasion.heard.time > SILENCE:
        session += 1
    judged.append(Judged(session, one, one.chance.p))


def _look_ahead(judged: Iterable[Judged], mine: Sequence[float]) -> None:
    """When I spoke next after each."""
    place = 0
    for one in judged:
        while place < len(mine) and mine[place] < one.occasion.heard.time:
            place += 1
        if place < len(mine):
            one.next = mine[place] - one.occasion.heard.time


def _messages(data: Path) -> Iterator[Message]:
    knobs = load(Dataset, data=data)
    wanted = Filter(knobs, Written.beside(knobs.history, data))
    return wanted.messages(read_messages(data / "messages.jsonl"), Counter())


def _me(messages: Iterable[Message], called: str) -> Me:
    ids: set[str] = set()
    names: Counter[str] = Counter()
    for message in messages:
        if message.mine:
            ids.add(message.sender)
            names[message.name] += bool(message.name)
    return me(ids, names, called)
