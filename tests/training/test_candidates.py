"""An engine proposes facts: only what cites a line of mine that is there, and says no more than it, is shown."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings, strategies as st

from bot.persona.message import Message
from bot.writing import plain
from config.settings import Facts as Knobs
from tests.training.test_facts import said
from training import facts
from training.candidates import STRETCH, checked, stretches
from training.importers.source import Zone

ZONE = Zone("+08:00")
TALK = [
    said("你那边工作忙吗 在哪家店来着", place=0, mine=False),
    said("中山路那家宠物店 天天给狗洗澡", place=20),
    said("我要是在宠物店上班 天天撸猫", place=1000, mine=False),
    said("要是养了三只狗就好了", place=2000),
    said("芒果一碰嘴就肿 打小就这样过敏", place=3000),
    said("我家新猫叫汤圆", place=4000),
    said("骗你的", place=4020),
    said("你猜我家住哪", place=5000),
    said("手机13912345678 有事打我", place=6000),
]


def candidate(fact: str, line: int, quote: str, kind: str = "work") -> dict[str, Any]:
    return {"fact": fact, "kind": kind, "line": line, "quote": quote}


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (candidate("我在宠物店给狗洗澡", 2, "宠物店"), "taken"),
        (candidate("我对芒果过敏", 5, "芒果一碰嘴就肿", "likes"), "taken"),
        (candidate("我在宠物店给狗洗澡", 1, "宠物店"), "not_in_the_record"),
        (candidate("我在宠物店给狗洗澡", 2, "猫咖"), "not_in_the_record"),
        (candidate("我在宠物店给狗洗澡", 99, "宠物店"), "not_in_the_record"),
        (candidate("我在宠物店给狗洗澡", 0, "宠物店"), "not_in_the_record"),
        (candidate("我在宠物店给狗洗澡", 2, ""), "not_in_the_record"),
        (candidate("我在宠物店上班", 3, "宠物店"), "not_mine"),
        (candidate("我毕业于清华大学计算机系", 2, "宠物店"), "says_more"),
        (candidate("我在宠物店给12只狗洗澡", 2, "宠物店"), "says_more"),
        (candidate("我养了三只狗", 4, "养了三只狗", "people"), "doubtful"),
        (candidate("我家猫叫汤圆", 6, "汤圆", "people"), "taken_back"),
        (candidate("我家住哪", 8, "我家住哪", "where"), "doubtful"),
        (candidate("我手机13912345678", 9, "手机", "who"), "malformed"),
        (candidate("我在宠物店给狗洗澡", 2, "宠物店", "never"), "malformed"),
        (candidate("他在宠物店给狗洗澡", 2, "宠物店"), "malformed"),
        ({"fact": 3, "kind": [], "line": "2", "quote": None}, "malformed"),
        ({"fact": "我在宠物店", "kind": "work", "line": True, "quote": "宠"}, "malformed"),
    ],
)
def test_what_becomes_of_a_candidate(one: dict[str, Any], reason: str) -> None:
    told, mention = checked(one, TALK, ZONE)
    assert told == reason
    assert (mention is not None) == (reason == "taken")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "fact": st.one_of(st.text(max_size=20), st.sampled_from(["我在宠物店给狗洗澡", "我养了三只狗"]), st.none()),
            "kind": st.sampled_from(["work", "people", "never", "", None, 3, []]),
            "line": st.one_of(st.integers(-3, 12), st.booleans(), st.none()),
            "quote": st.one_of(st.sampled_from(["宠物店", "狗", "我", " "]), st.text(max_size=5)),
        },
    )
)
@settings(max_examples=60)
def test_nothing_is_taken_without_words_of_mine_that_are_there(one: dict[str, Any]) -> None:
    _, mention = checked(one, TALK, ZONE)
    if mention is not None:
        assert mention.source is TALK[one["line"] - 1]
        assert mention.source.mine
        assert " ".join(one["quote"].split()) in plain(mention.source.text)


def test_stretches_are_the_newest_in_which_i_speak() -> None:
    mine = [said(f"第{n}句", place=n, chat="qq:private:3") for n in range(3 * STRETCH)]
    others = [said(f"第{n}句", place=n, mine=False, chat="qq:private:4") for n in range(100)]
    found = stretches([*mine, *others], 2)
    assert len(found) == 2
    assert all(len(lines) <= STRETCH and lines[0].chat == "qq:private:3" for lines in found)
    assert found[-1][-1] is mine[-1]
    assert found[0][-1].time >= found[1][0].time, "they overlap: an answer keeps its question"
    every = stretches([*mine, *others], 99)
    assert every[-2:] == found
    assert {message.id for lines in every for message in lines} == {message.id for message in mine}
    assert stretches([*mine[:7], said("在吗", mine=False)], 9) == [[*mine[:7]]]


@asynccontextmanager
async def server(answers: list[str], asked: list[str]) -> AsyncIterator[str]:
    """An OpenAI-compatible server that says these one after the other."""

    async def models(_request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "reader", "owned_by": "somebody"}]})

    async def completions(request: web.Request) -> web.Response:
        asked.append(json.dumps(await request.json(), ensure_ascii=False))
        event = {"choices": [{"delta": {"content": answers.pop(0)}, "finish_reason": "stop"}]}
        return web.Response(text=f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n", content_type="text/event-stream")

    app = web.Application()
    app.add_routes([web.get("/v1/models", models), web.post("/v1/chat/completions", completions)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def listed(folder: Path, answers: list[str], asked: list[str], messages: list[Message]) -> None:
    (folder / "messages.jsonl").write_text("".join(m.to_json() + "\n" for m in messages), encoding="utf-8")

    async def run() -> None:
        async with server(answers, asked) as url:
            knobs = Knobs(data=folder, as_list=True, as_json=True, url=url, persona=folder / "none")
            await asyncio.to_thread(facts.main, knobs)

    asyncio.run(run())


def test_the_command_asks_a_server_without_any_persona(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [candidate("我在宠物店给狗洗澡", 2, "宠物店"), candidate("我是清华的", 2, "清华")]
    answer = "好的：\n```json\n" + "\n".join(json.dumps(one, ensure_ascii=False) for one in lines) + '\n{"broken\n```'
    asked: list[str] = []
    listed(tmp_path, [answer], asked, TALK)
    shown = json.loads(capsys.readouterr().out)
    (one,) = [fact for fact in shown["facts"] if fact["read_by_the_engine"]]
    assert (one["text"], one["mentions"], one["audience"]) == ("我在宠物店给狗洗澡", 1, ["20002"])
    assert shown["engine"] == {"stretches": 1, "taken": 1, "not_in_the_record": 1}
    assert "2 我: 中山路那家宠物店" in asked[0]
    assert "13912345678" not in asked[0]
    assert not (tmp_path / "me.toml").exists()


def test_what_rules_and_engine_read_alike_is_one_fact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messages = [said("我在宠物店上班"), said("我对花生过敏", place=9)]
    answer = json.dumps(candidate("我在宠物店上班", 1, "宠物店"), ensure_ascii=False)
    listed(tmp_path, [answer], [], messages)
    shown = json.loads(capsys.readouterr().out)["facts"]
    assert [(one["text"], one["mentions"], one["read_by_the_engine"]) for one in shown] == [
        ("我在宠物店上班", 1, False),
        ("我对花生过敏", 1, False),
    ]


def test_a_server_that_fails_costs_its_stretch_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(tmp_path, [""], [], [said("我对花生过敏")])
    shown = json.loads(capsys.readouterr().out)
    assert shown["engine"] == {"failed": 1}
    assert [one["text"] for one in shown["facts"]] == ["我对花生过敏"]
