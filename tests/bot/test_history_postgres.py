"""The history on a real PostgreSQL, started for the test where its programs are installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.history import OPEN, History
from bot.persona.message import Message, Segment
from config.errors import SettingsError

CHAT = "qq:group:7001"
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
    Path(found).parent for found in [shutil.which("pg_ctl")] if found
]

pytestmark = pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")


def message(number: int, text: str = "在吗\x00吗") -> Message:
    return Message(str(number), CHAT, "group", 1000 + number, "20001", "阿泽", [Segment("text", text)])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database on a socket in a folder of its own."""
    folder = tmp_path_factory.mktemp("postgres")
    # It refuses to run as root; the account that its package makes must reach the folder.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        for part in [folder, *folder.parents]:
            if part.owner() == "root" and part.parts[:2] == ("/", "tmp") and len(part.parts) > 2:
                part.chmod(0o755)
        shutil.chown(folder, user)

    def call(program: str, *args: str) -> None:
        subprocess.run([PROGRAMS[-1] / program, *args], user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    call("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "mybot", "-E", "UTF8", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    call("pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
    yield f"postgresql+asyncpg://mybot@/postgres?host={folder}"
    call("pg_ctl", "-D", f"{folder}/data", "-w", "-m", "immediate", "stop")


async def test_all_it_keeps_is_there_after_a_restart(server: str) -> None:
    history = await History.open(server)
    assert await history.add(message(1), turn=OPEN)
    assert await history.add(message(2), turn=OPEN)
    assert not await history.add(message(1))
    history.recall(CHAT, "2")
    history.recall(CHAT, "3")
    assert await history.add(message(3))
    history.keep_labels(CHAT, {"20001": "阿泽"})
    history.keep_labels(CHAT, {"20001": "别人", "20002": "阿泽2"})
    await history.put(CHAT, "mode", "off")
    await history.put(CHAT, "mode", "called")
    await history.close()

    history = await History.open(server)
    assert [(m.id, m.text) for m in await history.recent(CHAT, 9)] == [("1", "在吗\x00吗")]
    assert [m.id for m in await history.unanswered(0)] == ["1"]
    assert not await history.add(message(1))
    assert await history.labels(CHAT) == {"20001": "阿泽", "20002": "阿泽2"}
    assert history.setting(CHAT, "mode") == "called"
    await history.answered(CHAT, ["1"])
    await history.clear(CHAT, 2000.0)
    await history.close()

    history = await History.open(server)
    assert not await history.unanswered(0)
    assert not await history.recent(CHAT, 9)
    assert (await history.some(CHAT, {"1"})) == []
    await history.close()


async def test_a_database_that_isnt_there_is_two_lines(server: str) -> None:
    with pytest.raises(SettingsError, match="can't be used"):
        await History.open(server.replace("/postgres?", "/nothing?"))
