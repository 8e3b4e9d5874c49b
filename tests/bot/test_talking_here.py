"""`mybot chat` and `mybot web` as processes of their own, on the echo engine."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.console import Conversation, known
from bot.persona.facts import Fact, Facts
from bot.persona.prompt import PromptSpec
from config.errors import InputError
from config.settings import ROOT, Chat
from tests.bot.test_reply_guard import Reader
from tests.wire.running import free_port, running, write_settings


def chat(folder: Path, typed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "mybot.py"), "chat", "echo", "--name", "小鹿"],
        env={**os.environ, "MYBOT_CONFIG": str(write_settings(folder)), "PYTHONUTF8": "1"},
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_chat_in_the_terminal_until_the_input_ends(tmp_path: Path) -> None:
    done = chat(tmp_path, "在吗\n\n/clear\n[red]第二句[/red]\n")
    assert done.returncode == 0, done.stderr
    assert "AI 分身" in done.stdout
    assert done.stdout.count("回声: ") == 2
    assert "[red]第二句[/red]" in done.stdout
    assert chat(tmp_path, "/quit\n没人听\n").stdout.count("回声: ") == 0
    slips = chat(tmp_path, "/help\n/quti\n/清空\n1/2 的\n/退出\n没人听\n")
    assert slips.stdout.count("回声: ") == 1, "only what is no command is said"
    assert slips.stdout.count("/clear 清空") == 3
    assert "都忘了" in slips.stdout


async def test_facts_for_anyone_are_told_here_too_and_what_must_not_be_said_is_not(tmp_path: Path) -> None:
    facts = [
        Fact(text="我在宠物店上班", kind="work"),
        Fact(text="我在花店上班", kind="work", audience=["20002"]),
        Fact(text="我住滨江", kind="where"),
        Fact(text="滨江", kind="never"),
    ]
    knobs = Chat(me=tmp_path / "me.toml")
    reader = Reader(PromptSpec(me="阿树", memory=240))
    assert await said(Conversation(reader, knobs, known(knobs)), "你在哪上班") == ["不知道"]
    Facts(fact=facts).write(knobs.me)
    talk = Conversation(reader, knobs, known(knobs))
    assert await said(talk, "你在哪上班") == ["我在宠物店上班"]
    talk.clear()
    assert await said(talk, "你住哪") == []


def test_a_broken_list_of_facts_is_told_in_two_lines(tmp_path: Path) -> None:
    (tmp_path / "me.toml").write_text("[[fact]\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        known(Chat(me=tmp_path / "me.toml"))


async def said(talk: Conversation, text: str) -> list[str]:
    return [bubble async for bubble in talk.say(text)]


async def test_a_chat_in_the_browser_keeps_two_tabs_apart(tmp_path: Path) -> None:
    pytest.importorskip("gradio")
    settings = write_settings(tmp_path)
    command = f"web echo --server-port {free_port()} --name 小鹿"
    async with running(settings, command, GRADIO_ANALYTICS_ENABLED="False") as page:
        line = await page.said("open http://127.0.0.1", 60)
        url = re.search(r"http://\S+", line)
        assert url is not None
        visit = await asyncio.create_subprocess_exec(sys.executable, "-c", VISIT, url[0])
        assert await visit.wait() == 0
        assert not any("在吗" in line for line in page.log)


VISIT = """
import sys
from gradio_client import Client
one, two = (Client(sys.argv[1], verbose=False) for _ in range(2))
def shown(client, text, before):
    return [(m["role"], m["content"][0]["text"]) for m in client.predict(text, before, api_name="/answer")[1]]
assert shown(one, "在吗", []) == [("user", "在吗"), ("assistant", "在吗")], shown(one, "在吗", [])
assert shown(two, "另一个", []) == [("user", "另一个"), ("assistant", "另一个")]
assert shown(two, "  ", []) == []
assert shown(two, "<b>*y*</b>", [])[0] == ("user", "&lt;b&gt;*y*&lt;/b&gt;"), "the page reads HTML"
"""
