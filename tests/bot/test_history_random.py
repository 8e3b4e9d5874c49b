"""The history against a plain dict: whatever is added, recalled, settled, cleared, forgotten and restarted."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from bot import history as module
from bot.history import ANSWERED, OPEN, History
from bot.persona.message import Message, Segment

CHATS = ["qq:group:1", "qq:private:a"]
PEOPLE = ["a", "b", ""]
IDS = st.integers(0, 12).map(str)
TIMES = st.integers(0, 30)

ADD = st.tuples(
    st.just("add"), st.sampled_from(CHATS), IDS, TIMES, st.sampled_from(PEOPLE), st.sampled_from([OPEN, ""])
)
ONE = st.tuples(st.sampled_from(["recall", "answered", "forget"]), st.sampled_from(CHATS), IDS)
OTHER = st.one_of(
    st.tuples(st.just("settle"), st.sampled_from(CHATS), IDS, st.sampled_from(["off", "stale"])),
    st.tuples(st.just("clear"), st.sampled_from(CHATS), TIMES),
    st.tuples(st.just("forget chat"), st.sampled_from(CHATS), TIMES),
    st.tuples(st.just("forget person"), st.sampled_from([*CHATS, ""]), st.sampled_from(["a", "b"]), TIMES),
    st.tuples(st.just("put"), st.sampled_from([*CHATS, ""]), st.sampled_from(["mode", "x"]), st.sampled_from("12")),
    st.tuples(st.just("drop"), st.sampled_from([*CHATS, ""]), st.sampled_from(["mode", "x"])),
    st.tuples(st.just("purge"), TIMES),
    st.tuples(st.just("restart")),
)
STEPS = st.lists(st.one_of(ADD, ADD, ONE, OTHER), max_size=25)


@dataclass
class Row:
    """A kept message."""

    id: str
    time: int
    sender: str
    turn: str
    recalled: bool


@dataclass
class Model:
    """What the history promises, without a database."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {chat: [] for chat in CHATS})
    remembered: int = 1
    seen: dict[tuple[str, str], None] = field(default_factory=dict)
    """Newest ids that a running history knows, deleted since or not."""
    gone: dict[tuple[str, str], None] = field(default_factory=dict)
    """Recalled lately."""
    refused: list[tuple[str, str, str, float]] = field(default_factory=list)
    """Chat, sender, id, until."""
    settings: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, chat: str, id: str, time: int, sender: str, turn: str) -> bool:  # noqa: A002
        known = any(row.id == id for row in self.rows[chat])
        if known or (chat, id) in self.seen or any(self._falls_under(r, chat, id, time, sender) for r in self.refused):
            return False
        self.note(self.seen, (chat, id))
        self.rows[chat].append(Row(id, time, sender, turn, (chat, id) in self.gone))
        return True

    def note(self, known: dict[tuple[str, str], None], key: tuple[str, str]) -> None:
        known[key] = None
        if len(known) > self.remembered:
            del known[next(iter(known))]

    @staticmethod
    def _falls_under(refused: tuple[str, str, str, float], chat: str, id: str, time: int, sender: str) -> bool:  # noqa: A002
        where, who, which, until = refused
        people = {sender, chat.rpartition(":")[2]} if ":private:" in chat else {sender}
        return where in ("", chat) and (not who or who in people) and which in ("", id) and time < until

    def forget(self, where: str, who: str, which: str, until: float) -> int:
        before = sum(map(len, self.rows.values()))
        for chat in [where] if where else CHATS:
            whole = not which and (not who or chat.endswith(f":private:{who}"))
            self.rows[chat] = [
                row for row in self.rows[chat] if not (whole or (row.sender == who if who else row.id == which))
            ]
            if whole:
                self.settings.pop((chat, "cleared"), None)
        self.refused.append((where, who, which, until))
        return before - sum(map(len, self.rows.values()))

    def recent(self, chat: str) -> list[str]:
        mark = float(self.settings.get((chat, "cleared"), "-inf"))
        # In the order of arrival, which is their own time here; what came at once stays in order.
        rows = sorted(self.rows[chat], key=lambda row: row.time)
        return [row.id for row in rows if not row.recalled and row.time > mark]

    def find(self, chat: str, id: str) -> list[Row]:  # noqa: A002
        return [row for row in self.rows[chat] if row.id == id]


async def both(history: History, model: Model, step: tuple) -> None:
    """Do it to the history and to the model."""
    what, *rest = step
    if what == "add":
        chat, number, time, sender, turn = rest
        kind = "private" if ":private:" in chat else "group"
        message = Message(number, chat, kind, time, sender, sender, [Segment("text", "好")], mine=not sender)
        assert await history.add(message, turn=turn) == model.add(chat, number, time, sender, turn)
    elif what == "recall":
        history.recall(*rest)
        model.note(model.gone, (rest[0], rest[1]))
        for row in model.find(*rest):
            row.recalled = True
    elif what in ("answered", "settle"):
        outcome = ANSWERED if what == "answered" else rest[2]
        if what == "answered":
            await history.answered(rest[0], [rest[1]])
        else:
            history.settle(rest[0], [rest[1]], outcome)
        for row in model.find(rest[0], rest[1]):
            row.turn = outcome if row.turn != ANSWERED else ANSWERED
    elif what == "clear":
        await history.clear(rest[0], float(rest[1]))
        model.settings[rest[0], "cleared"] = repr(float(rest[1]))
    elif what == "put":
        await history.put(*rest)
        model.settings[rest[0], rest[1]] = rest[2]
    elif what == "drop":
        await history.drop(*rest)
        model.settings.pop((rest[0], rest[1]), None)
    elif what == "purge":
        for chat in CHATS:
            model.rows[chat] = [row for row in model.rows[chat] if row.time >= rest[0]]
        await history.retention.purge(rest[0])
    else:
        await forget_both(history, model, step)


async def forget_both(history: History, model: Model, step: tuple) -> None:
    what, where, *rest = step
    if what == "forget":
        gone = await history.forget(where, message=rest[0], at=99.0)
        expected = model.forget(where, "", rest[0], math.inf)
    elif what == "forget chat":
        gone = await history.forget(where, at=float(rest[0]))
        expected = model.forget(where, "", "", rest[0] + 1)
    else:
        gone = await history.forget(where, sender=rest[0], at=float(rest[1]))
        expected = model.forget(where, rest[0], "", rest[1] + 1)
    assert gone["messages"] == expected


async def check(history: History, model: Model) -> None:
    for chat in CHATS:
        assert [m.id for m in await history.recent(chat, 99)] == model.recent(chat)
    wanting = {(m.chat, m.id) for m in await history.unanswered(0)}
    open_now = {(c, r.id) for c, rows in model.rows.items() for r in rows if r.turn == OPEN and not r.recalled}
    assert wanting == open_now
    for chat in [*CHATS, ""]:
        for name in ("mode", "x", "cleared"):
            assert history.setting(chat, name) == model.settings.get((chat, name), "")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.integers(1, 6))
async def test_it_does_what_a_dict_would(tmp_path: Path, steps: list[tuple], remembered: int) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / uuid4().hex / 'h.db'}"
    model, history = Model(remembered=remembered), await History.open(url)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "REMEMBERED", remembered)
            for step in [*steps, ("restart",)]:
                if step == ("restart",):
                    await history.close()
                    history = await History.open(url)
                    model.gone.clear()
                    model.seen.clear()
                else:
                    await both(history, model, step)
                if step[0] != "add":
                    await check(history, model)
    finally:
        await history.close()
