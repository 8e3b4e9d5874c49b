"""Prompts that end the engine: they cost a few crashes, no innocent is refused, and everybody gets one end."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bot.engine.quarantine import CRASHES, HELD, KNOWN, Quarantine, key_of
from bot.engine.wire import Ask, Piece, Sampling
from tests.bot.engine.test_supervision import at_work, whole

POISON = "please die"


def crowds(poisons: int) -> Any:
    """Who asks together, round after round; the first numbers are poisons."""
    return st.lists(st.sets(st.integers(0, poisons + 5), min_size=1, max_size=6), max_size=40)


@given(st.integers(0, 3).flatmap(lambda poisons: st.tuples(st.just(poisons), crowds(poisons))))
def test_a_poison_costs_three_crashes_and_no_innocent_is_refused(case: tuple[int, list[set[int]]]) -> None:
    """Everybody asks together; who is a suspect is then asked alone, as the gate has it."""
    poisons, rounds = case
    held, cost = Quarantine(lambda: 0.0), dict.fromkeys(range(poisons), 0)

    def run(together: list[int]) -> None:
        poisoned = [one for one in together if one < poisons]
        for one in together:
            if poisoned:
                held.crashed(str(one), "", alone=len(together) == 1)
            else:
                held.acquit(str(one))
        for one in poisoned:
            cost[one] += 1

    for crowd in rounds:
        asked = [one for one in sorted(crowd) if not held.refuses(str(one))]
        run([one for one in asked if not held.suspects(str(one))])
        for one in asked:
            if held.suspects(str(one)):
                run([one])
        assert not any(held.refuses(str(one)) for one in range(poisons, poisons + 6))
    assert all(crashes <= CRASHES + 1 for crashes in cost.values())


def test_what_is_known_is_bounded_and_ends() -> None:
    clock = itertools.count()
    now = [0.0]
    held = Quarantine(lambda: now[0])
    for number in range(KNOWN + 1):
        now[0] = float(next(clock))
        for _ in range(CRASHES):
            held.crashed(str(number), f"qq:group:{number}", alone=True)
    assert not held.refuses("0")
    assert held.refuses("1")
    assert len(held.chats) == KNOWN
    now[0] = 1 + HELD
    assert not held.refuses("1")
    assert held.refuses("2")
    assert "qq:group:1" not in held.chats
    held.clear()
    assert not held.chats


async def test_a_suspect_runs_alone_and_who_comes_waits() -> None:
    held = Quarantine(lambda: 0.0)
    for _ in range(CRASHES):
        held.crashed("bad", "", alone=False)
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
    held.crashed("bad", "", alone=True)
    async with held.admitted("a"), held.admitted("bad"):
        assert held.refuses("bad"), "nobody waits for what is not tried"


def test_a_prompt_is_known_by_all_of_it() -> None:
    one = [{"role": "user", "content": "在吗"}]
    assert key_of(one) == key_of([dict(one[0])])
    assert len({key_of(one), key_of([*one, *one]), key_of([{"role": "assistant", "content": "在吗"}])}) == 3


async def test_a_poisoned_prompt_ends_the_engine_twice_and_is_then_refused(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside it others ask all the time; a new version may try again."""
    async with at_work(home, max_batch=8) as worker:

        async def ask(words: str, chat: str = "qq:group:7") -> list[Piece]:
            prompt = [{"role": "user", "content": words}]
            sampling = Sampling(temperature=0, max_tokens=24)
            pieces = [piece async for piece in worker.stream(prompt, sampling, Ask(chat))]
            assert [bool(piece.finish) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
            return pieces

        ends = [(await ask(POISON))[-1] for _ in range(5)]
        assert {end.finish for end in ends} == {"error"}
        assert "not tried again" in ends[-1].why
        told = worker.status()
        assert (told["crashes"], told["refused"]) == (2, ["qq:group:7"])
        assert caplog.text.count("a prompt of qq:group:7 ends the engine") == 1
        assert POISON not in caplog.text
        crowd = await asyncio.gather(*(ask(f"hi {n}", f"c{n}") for n in range(6)), ask(POISON))
        assert {pieces[-1].finish for pieces in crowd[:-1]} == {"length"}
        assert crowd[-1][-1].finish == "error"
        assert worker.status()["crashes"] == 2

        await worker.swap(home / "v2")
        assert worker.status()["refused"] == []
        assert "".join(piece.text for piece in await ask("hi")) == whole(home / "v2")


async def test_a_prompt_that_found_no_room_is_not_acquitted(home: Path) -> None:
    async with at_work(home, max_batch=1, max_queue=1) as worker:

        async def ask(words: str, tokens: int = 3) -> str | None:
            prompt, sampling = [{"role": "user", "content": words}], Sampling(temperature=0, max_tokens=tokens)
            return [piece.finish async for piece in worker.stream(prompt, sampling, Ask("c"))][-1]

        held, key = worker._quarantine, key_of([{"role": "user", "content": "bad"}])
        for _ in range(CRASHES - 1):
            held.crashed(key, "c", alone=True)
        child, crowd = worker.place.child, []
        assert child is not None
        for place in ("running", "waiting"):
            crowd.append(asyncio.create_task(ask(place, 10_000)))
            while not ((health := await child.client.health()) and health[place]):
                pass
        assert await ask("bad") == "busy"
        held.crashed(key, "c", alone=True)
        assert held.refuses(key)
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)

        held.clear()
        held.crashed(key, "c", alone=True)
        assert await ask("bad") == "length"
        held.crashed(key, "c", alone=True)
        assert not held.refuses(key)
