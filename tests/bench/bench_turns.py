"""What a message that is not answered costs, on top of NoneBot itself; and ten thousand chats in memory.

One process, the same OneBot frames through NoneBot's own `handle_event`, in turns: with an empty plugin,
and with ours (reading, runner, turn engine and history, written to a SQLite file). CPU time, not the clock's.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import nonebot
from nonebot import on_message
from nonebot.adapters.onebot.v11 import Adapter, Bot as Account, Event

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.events import Heard, Ruled
from bot.persona.watch import Traits
from bot.rules import Rules
from bot.turn_state import Pace, State
from bot.turns import forget_idle, step
from config.settings import Bot, Engine

MESSAGES, ROUNDS, GROUPS = 1000, 3, 20
CHATS = 10_000


def frame(number: int) -> dict[str, Any]:
    text = f"第{number}句闲话，没人叫它"
    return {
        "time": int(time.time()),
        "self_id": 10000,
        "post_type": "message",
        "message_type": "group",
        "sub_type": "normal",
        "message_id": number,
        "group_id": 7000 + number % GROUPS,
        "group_name": "羽毛球",
        "user_id": 20000 + number % 37,
        "message": [{"type": "text", "data": {"text": text}}],
        "raw_message": text,
        "font": 0,
        "sender": {"user_id": 20000 + number % 37, "nickname": "阿泽", "card": "", "role": "member"},
    }


async def spent(account: Account, first: int) -> float:
    """CPU milliseconds a message, from the parsed frame to the end of all matchers."""
    frames = [frame(first + n) for n in range(MESSAGES)]
    begin = time.process_time()
    for one in frames:
        event = Adapter.json_to_event(one)
        assert event is not None
        await account.handle_event(event)
    await asyncio.sleep(0.6)
    return (time.process_time() - begin) / MESSAGES * 1000


async def measure(folder: Path) -> dict[str, float]:
    from nonebot import matcher

    from plugins.chat import bridge

    adapter = nonebot.get_adapter(Adapter)
    account = Account(adapter, "10000")
    ours = {priority: list(found) for priority, found in matcher.matchers.items()}
    empty = on_message(priority=50, block=False)

    @empty.handle()
    async def _(event: Event) -> None:
        pass

    alone = {50: [one for one in ours[50] if one.plugin_name == "chat"]}
    theirs = {50: [empty]}
    settings = Bot(
        superusers=["10001"],
        chats=[f"group:{7000 + n}" for n in range(GROUPS)],
        mode="join",
        freq=0.0001,
        nickname=["小北"],
        backfill=0,
        database=f"sqlite+aiosqlite:///{folder}/history.db",
    )
    await bridge.open(settings, Engine(persona=Path("echo")))
    cost: dict[str, list[float]] = {"empty": [], "chat": [], "ours": []}
    number = 1
    try:
        for turn in range(ROUNDS + 1):
            for name, chosen in (("empty", theirs), ("chat", alone), ("ours", ours)):
                matcher.matchers.clear()
                matcher.matchers.update(chosen)
                took = await spent(account, number)
                number += MESSAGES
                if turn:
                    cost[name].append(took)
        kept = await bridge.runner.history.recent("qq:group:7000", 50)
        assert len(kept) == 50
        answered = bridge.runner.status().answered
    finally:
        await bridge.close()
    assert not answered
    return {name: statistics.median(values) for name, values in cost.items()}


def in_memory() -> tuple[float, float, int]:
    """Kilobytes a chat of ten thousand that all just spoke; chats left an hour later; microseconds a step."""
    state, rules = State(Pace()), Rules("join", freq=1e-6)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for line in range(12):
        for n in range(CHATS):
            chat, now = f"qq:group:{n}", line * 4.0
            if not line:
                step(state, Ruled(chat, rules), now)
            seen = Traits(f"人{line % 5}", now, chars=6)
            step(state, Heard(chat, f"m{line}-{n}", f"人{line % 5}", now, traits=seen), now)
    size = (tracemalloc.get_traced_memory()[0] - before) / CHATS / 1024
    tracemalloc.stop()
    begin = time.process_time()
    for n in range(CHATS):
        seen = Traits("人1", 130.0, chars=6)
        step(state, Heard(f"qq:group:{n}", f"z{n}", "人1", 130.0, traits=seen), 130.0)
    took = (time.process_time() - begin) / CHATS * 1e6
    forget_idle(state, 130.0 + 1800.0)
    return size, took, len(state.chats)


def main() -> None:
    size, step_us, left = in_memory()
    nonebot.init(driver="~none", log_level="WARNING", superusers={"10001"}, command_start={"/"})
    nonebot.get_driver().register_adapter(Adapter)
    nonebot.load_plugin("plugins.chat")
    nonebot.load_plugin("plugins.admin")
    with tempfile.TemporaryDirectory() as folder:
        cost = asyncio.run(measure(Path(folder)))
    found = {
        "nonebot_empty_plugin_ms": round(cost["empty"], 3),
        "nonebot_ours_ms": round(cost["ours"], 3),
        "chat_on_top_ms": round(cost["chat"] - cost["empty"], 3),
        "chat_and_commands_on_top_ms": round(cost["ours"] - cost["empty"], 3),
        "step_unanswered_us": round(step_us, 1),
        "kilobytes_a_chat": round(size, 1),
        "chats_heard": CHATS,
        "chats_kept_after_half_an_hour": left,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
