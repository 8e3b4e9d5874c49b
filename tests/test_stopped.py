"""SIGTERM in the middle of a command: one word, the shell's code, and what was begun is tidied up."""

import subprocess
import sys

import pytest

from config.settings import ROOT

TASKS = """
async def one(n):
    try:
        await asyncio.sleep(0.01 * n)
        if n == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    finally:
        print("tidied")
async def some():
    await asyncio.gather(*map(one, range(3)))
def work(knobs):
    asyncio.run(some())
"""
PLAIN = """
def work(knobs):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    finally:
        print("tidied")
"""


@pytest.mark.parametrize(("work", "tidied", "said"), [(TASKS, 3, "stopped\n"), (PLAIN, 1, "")], ids=["tasks", "plain"])
def test_an_ended_command_tidies_up_and_does_not_cry(work: str, tidied: int, said: str) -> None:
    code = (
        f"import asyncio, os, signal, sys, time, types\n{work}\n"
        "import mybot\n"
        "sys.modules['long'] = types.SimpleNamespace(main=work)\n"
        "mybot.COMMANDS['doctor'] = ('long', *mybot.COMMANDS['doctor'][1:])\n"
        "sys.exit(mybot.main(['doctor']))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 143, ended.stderr
    assert ended.stdout == "tidied\n" * tidied
    assert ended.stderr == said
