"""The history on a real PostgreSQL, started for the test where its programs are installed: `make test-postgres`."""

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import migrations
from bot.database import connect
from bot.history import OPEN, History
from bot.persona.message import Message, Segment
from config.errors import SettingsError
from config.settings import Import
from tests.bot.test_forget import check_a_person_is_forgotten
from tests.bot.test_keepsakes import check_keepsakes
from tests.bot.test_migrations import LAYOUTS, check_all_is_there, layout_at
from tests.training.test_mybot_history import fill
from training import importing
from training.written import Written

CHAT = "qq:group:7001"
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
    Path(found).parent for found in [shutil.which("pg_ctl")] if found
]

pytestmark = pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")


def message(number: int, text: str = "在吗\x00吗") -> Message:
    return Message(str(number), CHAT, "group", 1000 + number, "20001", "阿泽", [Segment("text", text)])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of an empty database on a socket in a folder of its own."""
    # Not pytest's: it closes that to others, and the server refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="mybot-postgres-") as made:
        folder = Path(made)
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
        yield from _serving(folder, user)


def _serving(folder: Path, user: str | None) -> Iterator[str]:
    def call(program: str, *args: str) -> None:
        subprocess.run([PROGRAMS[-1] / program, *args], user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    call("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "mybot", "-E", "UTF8", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    call("pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield f"postgresql+asyncpg://mybot@/postgres?host={folder}"
    finally:
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


@pytest.fixture
def empty(server: str) -> Callable[[str], str]:
    """Makes further databases of the server: a name → its URL."""

    def make(name: str) -> str:
        psql(server, "postgres", "-c", f"create database {name}")
        return server.replace("/postgres?", f"/{name}?")

    return make


def psql(server: str, database: str, *args: str) -> None:
    command = [PROGRAMS[-1] / "psql", "-qX", "-h", server.partition("host=")[2], "-U", "mybot", "-d", database]
    subprocess.run([*command, "-v", "ON_ERROR_STOP=1", *args], check=True, stdout=subprocess.DEVNULL)


async def test_tables_of_version_1_lose_nothing_and_become_todays(
    server: str, empty: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = empty("old")
    psql(server, "old", "-f", str(LAYOUTS / "1-postgresql.sql"))
    with monkeypatch.context() as patch:
        patch.setitem(migrations.STEPS, 1, migrations.STEPS[1] + "; INSERT INTO nowhere VALUES (1)")
        with pytest.raises(SettingsError, match="can't be used"):
            await History.open(old)
    engines = await asyncio.gather(*(connect(old) for _ in range(3)))
    await asyncio.gather(*(engine.dispose() for engine in engines))
    history = await History.open(old)
    await check_all_is_there(history)
    assert await history.add(message(9))
    await history.close()
    assert await layout_at(old) == await layout_at(empty("new"))


async def test_keepsakes(server: str) -> None:
    history = await History.open(server)
    await check_keepsakes(history)
    await history.close()


async def test_a_person_is_forgotten(empty: Callable[[str], str]) -> None:
    history = await History.open(empty("forgetting"))
    await check_a_person_is_forgotten(history)
    assert await history.retention.purge(1003.5) == 4
    await history.forget("qq:group:7002", at=2000.0)
    await history.forget("qq:group:7001", message="3", at=2000.0)
    assert not await history.add(message(3))
    await history.close()


def test_an_import_reads_it_like_a_file(empty: Callable[[str], str], tmp_path: Path) -> None:
    where = empty("importing")
    asyncio.run(fill(where))
    found: list[list[dict[str, Any]]] = []
    for data in ("a", "b"):
        if data == "a":
            importing.main(Import(history=where, data=tmp_path / data, consent=["group:7001"], yes=True))
        else:
            asyncio.run(fill(f"sqlite+aiosqlite:///{tmp_path}/history.db"))
            importing.main(
                Import(exports=[tmp_path / "history.db"], data=tmp_path / data, consent=["group:7001"], yes=True)
            )
        rows = [json.loads(row) for row in (tmp_path / data / "messages.jsonl").read_text("utf-8").splitlines()]
        found.append([{**row, "source": ""} for row in rows])
    assert len(found[0]) == 9
    assert found[0] == found[1]
    assert Written.read(where).by_the_bot(Message("x", CHAT, "group", 1045, "", "", [Segment("text", "我来订")]))


async def test_a_database_that_isnt_there_is_two_lines(server: str) -> None:
    with pytest.raises(SettingsError, match="can't be used"):
        await History.open(server.replace("/postgres?", "/nothing?"))
