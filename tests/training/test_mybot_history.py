"""The bot's own history as records: only with consent, the bot's lines never mine to learn, the taught ones gold."""

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot.history import OWNER, History
from bot.persona.message import Message, Segment
from config.errors import InputError, MyBotError, SettingsError
from config.settings import Dataset, Import
from training import dataset, importing
from training.importers import mybot_history
from training.importers.source import Notes, Zone, opened

GROUP, OTHERS, PRIVATE = "qq:group:7001", "qq:group:7002", "qq:private:20001"
ME = "30003"
V1 = Path(__file__).parents[1] / "bot" / "layouts" / "1-sqlite.sql"


def line(number: int | str, chat: str, sender: str, text: str, time: int, **more: Any) -> Message:
    names = {"20001": "阿泽", "20002": "小鹿"}
    kind = "private" if ":private:" in chat else "group"
    known = {"chat_name": "羽毛球群" if kind == "group" else "阿泽"} | more
    return Message(str(number), chat, kind, time, sender, names.get(sender, "北北"), [Segment("text", text)], **known)


async def fill(url: str) -> None:
    """A group and a private chat in which the bot, its owner and two friends spoke; and what the owner taught."""
    history = await History.open(url)
    bot: dict[str, Any] = {"author": "persona:ab"}
    for chat in (GROUP, OTHERS):
        await history.add(line(1, chat, "20001", "周六打球吗", 1000))
        await history.add(line(2, chat, "", "去呀", 1005, mine=True), answers=["1"], **bot)
        await history.add(line(3, chat, "", "几点", 1006, mine=True), **bot)
        await history.add(line(4, chat, "20002", "三点吧", 1010))
        await history.add(line(5, chat, ME, "我带球", 1020, mine=True), author=OWNER)
        await history.add(line(6, chat, "20002", "说错了", 1030))
        history.recall(chat, "6")
        await history.add(line(7, chat, "20001", "那谁订场", 1040))
        await history.add(line(8, chat, "", "我来订", 1045, mine=True), answers=["7"], **bot)
        await history.add(line(10, chat, "", "代我说的", 1050, mine=True), author=OWNER)
    await history.add(line(11, PRIVATE, "20001", "在吗", 2000))
    await history.add(line(12, PRIVATE, "", "在", 2003, mine=True), answers=["11"], **bot)
    await history.add(line(13, PRIVATE, ME, "刚才在忙", 2010, mine=True), author=OWNER)
    kept = history.keepsakes
    taught = {"at": 1100.0, "rejected": ["去呀", "几点"], "persona": "ab"}
    await kept.keep_preference(GROUP, context=["1"], chosen=["不去"], **taught)
    await kept.keep_preference(GROUP, context=["1"], chosen=["这周不行", "下周", "可以吗"], **taught)
    await kept.keep_preference(GROUP, context=["1", "nowhere"], chosen=["没有上文"], **taught)
    await history.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    asyncio.run(fill(f"sqlite+aiosqlite:///{tmp_path / 'history.db'}"))
    return tmp_path / "history.db"


def read(path: Path, *consent: str) -> tuple[list[Message], Notes]:
    notes = Notes()
    with opened(path) as source:
        source.consent = consent
        return list(mybot_history.read(source, notes, Zone("+08:00"))), notes


def told(messages: list[Message]) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(m.id, m.sender, m.text, m.flags) for m in messages]


def test_a_chat_that_agreed(path):
    messages, notes = read(path, "group:7001")
    assert told(messages) == [
        ("1", "20001", "周六打球吗", ()),
        ("2", ME, "这周不行", ("gold",)),
        ("3", ME, "下周", ("gold",)),
        ("gold-2-3", ME, "可以吗", ("gold",)),
        ("4", "20002", "三点吧", ()),
        ("5", ME, "我带球", ()),
        ("7", "20001", "那谁订场", ()),
        ("8", ME, "我来订", ("bot",)),
        ("10", ME, "代我说的", ("said",)),
    ]
    assert {m.chat for m in messages} == {GROUP}
    assert [m.time for m in messages] == [1000, 1000, 1000, 1000, 1010, 1020, 1040, 1045, 1050]
    assert [m.mine for m in messages] == [False, True, True, True, False, True, False, True, True]
    assert {m.precision for m in messages if m.flags == ("gold",)} == {"day"}
    assert notes.dropped == {"taught_better": 2, "recalled": 1, "no_consent": 12, "gold_without_context": 1}
    assert notes.owners == {ME}


def consenting(path: Path, *said: tuple[str, str, str]) -> None:
    with sqlite3.connect(path) as raw:
        raw.executemany("insert into consents values (?, ?, ?, 1.0)", said)
    raw.close()


@pytest.mark.parametrize(
    ("said", "told_to", "ids"),
    [
        ([(OTHERS, "", "yes")], (), {OTHERS: "123457810"}),
        ([(OTHERS, "", "yes"), (OTHERS, "20001", "no")], (), {OTHERS: "2345810"}),
        ([("", "20001", "no")], ("group:7002", "private:20001"), {OTHERS: "2345810"}),
        ([(OTHERS, "20002", "yes")], (), {OTHERS: "4"}),
        ([(OTHERS, "", "no")], ("group:7002", "group:7001"), {GROUP: "1234567810"}),
        ([(PRIVATE, "20001", "yes")], (), {PRIVATE: "111213"}),
        ([("", "20001", "yes")], (), {GROUP: "17", OTHERS: "17", PRIVATE: "111213"}),
        ([], ("private:20001",), {PRIVATE: "111213"}),
        ([], ("qq:private:20001",), {PRIVATE: "111213"}),
    ],
)
def test_who_agreed_to_what(path, said, told_to, ids):
    consenting(path, *said)
    messages, _ = read(path, *told_to)
    found = {chat: [m.id for m in messages if m.chat == chat and "gold" not in m.flags] for chat in ids}
    if GROUP in ids and told_to:
        ids = {GROUP: "1457810"}
    assert {m.chat for m in messages} == set(ids)
    assert {chat: "".join(some) for chat, some in found.items()} == ids


@pytest.mark.parametrize("told_to", [(), ("group:700",), ("7001",)])
def test_nobody_agreed(path, told_to):
    if told_to == ("7001",):
        assert read(path, *told_to)[0]
        return
    with pytest.raises(InputError, match="agreed") as error:
        read(path, *told_to)
    assert "--consent" in error.value.hint


def rows(data: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (data / "messages.jsonl").read_text(encoding="utf-8").splitlines()]


def export(path: Path, *messages: tuple[int, int, str, str]) -> Path:
    """What OneBot answers for the group: id, time, sender, text."""
    answer = [
        {
            "self_id": int(ME),
            "user_id": int(sender),
            "time": time,
            "message_id": number,
            "message_type": "group",
            "group_id": 7001,
            "sender": {"nickname": "北北" if sender == ME else sender},
            "message": [{"type": "text", "data": {"text": text}}],
        }
        for number, time, sender, text in messages
    ]
    path.write_text(json.dumps({"status": "ok", "data": {"messages": answer}}), encoding="utf-8")
    return path


LATER = [
    (1, 1000, "20001", "周六打球吗"),
    # The platform's clock differs from the bot's.
    (2, 1004, ME, "去呀"),
    (3, 1009, ME, "几点"),
    (5, 1020, ME, "我带球"),
    (8, 1044, ME, "我来订"),
    (10, 1051, ME, "代我说的"),
    (9, 1060, ME, "订好了"),
]


@pytest.mark.parametrize("history_first", [True, False])
def test_a_later_export_of_the_chat_adds_nothing_twice(path, tmp_path, capsys, history_first):
    data, later = tmp_path / "data", export(tmp_path / "later.json", *LATER)
    order = [path, later] if history_first else [later, path]
    for one in [*order, *order]:
        importing.main(Import(exports=[one], data=data, me=[ME], consent=["group:7001"], as_json=True))
    capsys.readouterr()
    found = [(row["id"], tuple(row["flags"])) for row in rows(data)]
    assert sorted(found) == [
        ("1", ()),
        ("10", ("said",)),
        ("2", ("gold",)),
        ("3", ("gold",)),
        ("4", ()),
        ("5", ()),
        ("7", ()),
        ("8", ("bot",)),
        ("9", ()),
        ("gold-2-3", ("gold",)),
    ]
    assert {row["id"]: row["mine"] for row in rows(data)}["8"] is True


def test_what_is_learned(path, tmp_path, capsys):
    """The bot's lines are context and never a target; gold is one, though the bot's database knows its words."""
    data = tmp_path / "data"
    asyncio.run(_sent_as_edited(path))
    importing.main(Import(exports=[path], data=data, me=[ME], consent=["group:7001"], as_json=True))
    shutil.copy(path, data / "history.db")
    capsys.readouterr()
    dataset.main(Dataset(data=data, embargo_days=0, privacy=False, as_json=True))
    turns = [
        turn
        for row in (data / "train.jsonl").read_text(encoding="utf-8").splitlines()
        for turn in json.loads(row)["turns"]
    ]
    learned = {bubble["text"] for turn in turns for bubble in turn["bubbles"] if bubble.get("target")}
    assert "可以吗" in learned
    assert "改过的话" in learned
    assert {"我带球", "代我说的"} <= learned
    everything = json.dumps(turns, ensure_ascii=False)
    assert "我来订" in everything
    assert "我来订" not in learned
    assert "去呀" not in everything


async def _sent_as_edited(path: Path) -> None:
    history = await History.open(f"sqlite+aiosqlite:///{path}")
    await history.add(line(21, GROUP, "20002", "带水吗", 1050))
    await history.add(line(22, GROUP, "", "改过的话", 1055, mine=True), author="persona:ab", answers=["21"])
    taught = {"at": 1100.0, "rejected": ["不带"], "persona": "ab"}
    await history.keepsakes.keep_preference(GROUP, context=["7", "21"], chosen=["改过的话"], **taught)
    await history.close()


def test_a_database_of_the_first_version(tmp_path):
    with sqlite3.connect(tmp_path / "history.db") as raw:
        raw.executescript(V1.read_text(encoding="utf-8"))
    raw.close()
    before = (tmp_path / "history.db").read_bytes()
    messages, _ = read(tmp_path / "history.db", "group:7001")
    assert [(m.id, m.flags) for m in messages] == [
        ("101", ()),
        ("102", ()),
        ("103", ()),
        ("104", ("bot",)),
        ("105", ()),
    ]
    assert (tmp_path / "history.db").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["history.db"]


def test_of_a_newer_version_is_refused(path):
    with sqlite3.connect(path) as raw:
        raw.execute("update schema_version set version = 99")
    raw.close()
    with pytest.raises(MyBotError, match="newer"):
        read(path, "group:7001")


def test_beside_a_running_bot_its_log_is_read_too(path):
    async def work() -> list[Message]:
        history = await History.open(f"sqlite+aiosqlite:///{path}")
        await history.add(line(99, GROUP, "20001", "刚说的", 3000))
        await history.flush()
        messages, _ = await asyncio.to_thread(read, path, "group:7001")
        await history.close()
        return messages

    assert asyncio.run(work())[-1].text == "刚说的"


def test_a_damaged_one_is_two_lines(path):
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(InputError, match="can't be read") as error:
        read(path, "group:7001")
    assert error.value.hint


def test_a_server_that_isnt_there_is_two_lines_without_a_password(tmp_path, capsys):
    url = "postgresql+asyncpg://mybot:secret@/mybot?host=/nowhere"
    with pytest.raises(SettingsError, match="can't be used") as error:
        importing.main(Import(history=url, data=tmp_path / "data", me=[ME]))
    assert "secret" not in str(error.value) + error.value.hint + "".join(capsys.readouterr())


def test_a_url_of_a_file_and_the_file(path, tmp_path, capsys):
    url = f"sqlite+aiosqlite:///{path}"
    importing.main(Import(history=url, data=tmp_path / "a", me=[ME], consent=["group:7001"]))
    importing.main(Import(exports=[path], data=tmp_path / "b", me=[ME], consent=["group:7001"]))
    assert [{**row, "source": ""} for row in rows(tmp_path / "a")] == [
        {**row, "source": ""} for row in rows(tmp_path / "b")
    ]
    with pytest.raises(InputError, match="does not exist"):
        importing.main(Import(history=f"{url}x", data=tmp_path / "c", me=[ME]))
    assert {file.name for file in tmp_path.iterdir()} == {"a", "b", "history.db"}
