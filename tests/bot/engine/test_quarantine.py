"""Prompts that end the engine: they cost a few crashes, no innocent is refused, and everybody gets one end."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bot.engine import place
from bot.engine.quarantine import CRASHES, HELD, KNOWN, VERDICTS, Quarantine, key_of
from bot.engine.since import Messages
from bot.engine.wire import Ask, Piece, Sampling
from bot.engine.worker import Worker
from tests.bot.engine.test_supervision import SHORT, at_work, until, whole

POISON = "please die"
crashes = itertools.count()
"""Numbers for crashes that nobody else was in flight in."""


def said(*lines: str) -> Messages:
    return [{"role": "user", "content": "\n".join(lines)}]


def crowds(poisons: int) -> Any:
    """Who asks together, round after round, and what they say besides; the first numbers are poisons."""
    asks = st.dictionaries(st.integers(0, poisons + 5), st.booleans(), min_size=1, max_size=6)
    return st.lists(asks, max_size=40)


@given(st.integers(0, 3).flatmap(lambda poisons: st.tuples(st.just(poisons), crowds(poisons))))
def test_poisoned_chats_cost_six_crashes_each_and_no_innocent_is_held(case: tuple[int, list[dict[int, bool]]]) -> None:
    """Everybody asks together; who is a suspect is then asked alone, as the gate has it. Whoever `again` posts a poison
    anew, and who doesn't goes on talking with the old one in the chat's history."""
    poisons, rounds = case
    held, cost = Quarantine(lambda: 0.0), 0
    history: dict[int, list[str]] = {}

    def run(together: list[int]) -> int:
        asked = [one for one in together if held.allowed(said(*history[one]), str(one))]
        poisoned = [one for one in asked if "poison" in str(held.allowed(said(*history[one]), str(one)))]
        for one in asked:
            if poisoned:
                held.crashed(said(*history[one]), str(one), cost, alone=len(asked) == 1)
            else:
                held.outlived(said(*history[one]), str(one))
        return bool(poisoned)

    for number, crowd in enumerate(rounds):
        for one, again in crowd.items():
            posts = "poison" if one < poisons and (again or one not in history) else "line"
            history.setdefault(one, []).append(f"{posts} {number}")
        lone = [one for one in sorted(crowd) if held.suspects(str(one))]
        cost += run([one for one in sorted(crowd) if one not in lone])
        for one in lone:
            cost += run([one])
        assert {*held.cut, *held.refused} <= set(map(str, range(poisons)))
    assert cost <= VERDICTS * (CRASHES + 1) * poisons


def test_what_is_known_is_bounded_and_ends() -> None:
    clock = itertools.count()
    now = [0.0]
    held = Quarantine(lambda: now[0])
    for number in range(KNOWN + 1):
        now[0] = float(next(clock))
        for _ in range(CRASHES):
            held.crashed(said("x"), f"qq:group:{number}", next(crashes), alone=True)
    assert held.allowed(said("x"), "qq:group:0")
    assert held.allowed(said("x"), "qq:group:1") is None
    assert held.allowed(said("x", "y"), "qq:group:1") == said("y")
    assert len(held.cut) == KNOWN
    now[0] = 1 + HELD
    assert held.allowed(said("x"), "qq:group:1")
    assert held.allowed(said("x"), "qq:group:2") is None
    assert "qq:group:1" not in held.cut
    held.clear()
    assert not held.cut


def test_what_stood_in_both_is_left_out_and_what_came_between_is_not() -> None:
    held = Quarantine(lambda: 0.0)
    held.crashed(said("a", "b"), "c", next(crashes), alone=True)
    assert held.allowed(said("a", "b", "d"), "c") == said("a", "b", "d")
    held.crashed(said("a", "b", "d"), "c", next(crashes), alone=False)
    assert held.allowed(said("a", "b", "d"), "c") == said("d")
    held.outlived(said("a", "b", "d"), "c")
    assert held.allowed(said("a", "b", "d"), "c") == said("d"), "what was left out stays so"
    for _ in range(CRASHES):
        held.crashed(said("a", "b", "d"), "c", next(crashes), alone=True)
    assert (held.cut, held.refused) == ([], ["c"])
    assert held.allowed(said("e"), "c") is None


def test_a_suspect_may_be_tried_where_it_has_been_and_nowhere_else() -> None:
    held = Quarantine(lambda: 0.0)
    held.crashed(said("a"), "c", next(crashes), "one", alone=False)
    assert held.places("c") == set()
    held.crashed(said("a"), "c", next(crashes), "two", alone=False)
    assert held.places("c") == {"one", "two"}
    held.outlived(said("a"), "c")
    assert held.places("c") == set()


def test_who_was_there_by_chance_is_free_once_another_is_convicted_of_it() -> None:
    held = Quarantine(lambda: 0.0)
    for crash in range(CRASHES):
        for chat in ("bad", "c", "d"):
            held.crashed(said("x"), chat, crash, alone=False)
    held.crashed(said("x"), "d", "another one", alone=False)
    assert [held.suspects(chat) for chat in ("bad", "c", "d")] == [True] * 3
    held.crashed(said("x"), "bad", CRASHES, alone=True)
    assert [held.suspects(chat) for chat in ("bad", "c", "d")] == [False] * 3
    held.crashed(said("x"), "d", "and one more", alone=False)
    assert held.suspects("d"), "of that nobody was convicted"


def test_without_a_chat_the_whole_prompt_is_known() -> None:
    held = Quarantine(lambda: 0.0)
    for _ in range(CRASHES):
        held.crashed(said("a"), "", next(crashes), alone=True)
    assert held.allowed(said("a"), "") is None
    assert held.allowed(said("a", "b"), "") == said("a", "b")
    assert (held.cut, held.refused) == ([], [""])


async def test_a_suspect_runs_alone_and_who_comes_waits() -> None:
    held = Quarantine(lambda: 0.0)
    for _ in range(CRASHES):
        held.crashed(said("x"), "bad", next(crashes), alone=False)
    inside: list[str] = []
    most: list[list[str]] = []

    async def run(key: str, seconds: float) -> None:
        async with held.admitted(key):
            inside.append(key)
            most.append(sorted(inside))
            await asyncio.sleep(seconds)
            inside.remove(key)

    tasks = [asyncio.create_task(run(*one)) for one in (("a", 0.02), ("b", 0.02), ("bad", 0.02), ("c", 0), ("d", 0))]
    gone = asyncio.create_task(run("bad", 0.0))
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.gather(*tasks)
    assert most[:2] == [["a"], ["a", "b"]]
    assert max(most[-1]) == "d"
    assert [one for one in most if "bad" in one] == [["bad"]]
    held.crashed(said("x"), "bad", next(crashes), alone=True)
    async with held.admitted("a"), held.admitted("bad"):
        assert not held.allowed(said("x"), "bad"), "nobody waits for what is not tried"


def test_a_prompt_is_known_by_all_of_it() -> None:
    one = [{"role": "user", "content": "在吗"}]
    assert key_of(one, "") == key_of([dict(one[0])], "")
    assert len({key_of(one, ""), key_of([*one, *one], ""), key_of([{"role": "assistant", "content": "在吗"}], "")}) == 3
    assert key_of(one, "c") == "c"


async def pieces_of(worker: Worker, prompt: Messages, chat: str) -> list[Piece]:
    sampling = Sampling(temperature=0, max_tokens=SHORT)
    pieces = [piece async for piece in worker.stream(prompt, sampling, Ask(chat))]
    assert [bool(piece.finish) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return pieces


@asynccontextmanager
async def neighbours(worker: Worker, chats: int = 3) -> AsyncIterator[list[list[Piece]]]:
    """Other chats that ask all the time; what they were told is looked at in the end."""
    over, heard = asyncio.Event(), []

    async def talk(chat: str) -> None:
        while not over.is_set():
            heard.append(await pieces_of(worker, said("hi"), chat))

    talking = [asyncio.create_task(talk(f"qq:private:{number}")) for number in range(chats)]
    try:
        yield heard
    finally:
        over.set()
        await asyncio.gather(*talking)


async def test_a_poison_in_a_history_is_left_out_and_one_posted_again_and_again_ends_the_chat(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new message makes another prompt of it, and others talk all the time."""
    monkeypatch.setattr(place, "_PAUSES", (0.1,))
    turns = [{"role": "system", "content": "你是小鹿"}, *said("小北: hi")]

    async def say(words: str) -> Piece:
        turns[-1]["content"] += f"\n小北: {words}"
        pieces = await pieces_of(worker, turns, "qq:group:7")
        if pieces[-1].finish == "length":
            turns.extend([{"role": "assistant", "content": whole(home / "v1")}, *said("小北: 好")])
        return pieces[-1]

    async with at_work(home, max_batch=8) as worker, neighbours(worker) as heard:
        assert (await say("吃了吗")).finish == "length"
        assert (await say("venom")).finish == "error"
        ends = [(await say(f"第{number}句")).finish for number in range(8)]
        assert ends == ["length"] * 8, (
            "the third crash, alone, convicts it, and what was said since is answered at once"
        )
        told = worker.status()
        assert told["crashes"] in (CRASHES, CRASHES + 1)
        assert (told["cut"], told["refused"]) == (["qq:group:7"], [])

        last = [await say(f"venom {number}") for number in range(6)][-1]
        told = worker.status()
        assert told["crashes"] <= VERDICTS * (CRASHES + 1)
        assert (told["cut"], told["refused"], last.finish) == ([], ["qq:group:7"], "error")
        assert "not tried again" in last.why
        before = len(heard)
        await until(lambda: len(heard) > before + 6)
        assert {pieces[-1].finish for pieces in heard[before + 3 :]} == {"length"}


async def test_a_poisoned_prompt_ends_the_engine_twice_and_is_then_refused(
    home: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside it others ask all the time; a new version may try again."""
    monkeypatch.setattr(place, "_PAUSES", (0.1,))
    async with at_work(home, max_batch=8) as worker:

        async def ask(words: str, chat: str = "qq:group:7") -> list[Piece]:
            return await pieces_of(worker, said(words), chat)

        ends = [(await ask(POISON))[-1] for _ in range(5)]
        assert {end.finish for end in ends} == {"error"}
        assert "not tried again" in ends[-1].why
        told = worker.status()
        assert (told["crashes"], told["cut"], told["refused"]) == (2, ["qq:group:7"], [])
        assert caplog.text.count("a prompt of qq:group:7 ends the engine") == 1
        assert POISON not in caplog.text
        crowd = await asyncio.gather(*(ask(f"hi {n}", f"c{n}") for n in range(6)), ask(POISON))
        assert {pieces[-1].finish for pieces in crowd[:-1]} == {"length"}
        assert crowd[-1][-1].finish == "error"
        assert worker.status()["crashes"] == 2

        await worker.swap(home / "v2")
        assert worker.status()["cut"] == []
        assert "".join(piece.text for piece in await ask("hi")) == whole(home / "v2")


async def test_a_prompt_that_found_no_room_is_not_acquitted(home: Path) -> None:
    async with at_work(home, max_batch=1, max_queue=1) as worker:

        async def ask(words: str, tokens: int = 3) -> str | None:
            prompt, sampling = [{"role": "user", "content": words}], Sampling(temperature=0, max_tokens=tokens)
            return [piece.finish async for piece in worker.stream(prompt, sampling, Ask("c"))][-1]

        held, bad = worker._quarantine, [{"role": "user", "content": "bad"}]
        for _ in range(CRASHES - 1):
            held.crashed(bad, "c", next(crashes), alone=True)
        child, crowd = worker.place.child, []
        assert child is not None
        for place in ("running", "waiting"):
            crowd.append(asyncio.create_task(ask(place, 10_000)))
            while not ((health := await child.client.health()) and health[place]):
                pass
        assert await ask("bad") == "busy"
        held.crashed(bad, "c", next(crashes), alone=True)
        assert not held.allowed(bad, "c")
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)

        held.clear()
        held.crashed(bad, "c", next(crashes), alone=True)
        assert await ask("bad") == "length"
        held.crashed(bad, "c", next(crashes), alone=True)
        assert held.allowed(bad, "c")
