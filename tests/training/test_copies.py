"""On the bundled sample: what I really said passes the guard, what others said elsewhere never does."""

from collections import defaultdict
from pathlib import Path

import pytest

from bot.persona.copies import FILE, Copies, shingles
from bot.persona.guard import Guard, Reason
from bot.persona.message import Message
from bot.persona.prompt import without_media
from config.settings import Import
from training import copies, importing
from training.contacts import Contacts
from training.demo import ME, sample_files

Chats = dict[str, list[Message]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copies")
    importing.main(Import(exports=sample_files(), me=list(ME), data=folder, as_json=True))
    assert copies.write(folder, folder, {"train.jsonl": "0" * 64})
    return folder


@pytest.fixture(scope="module")
def chats(data: Path) -> Chats:
    found: Chats = defaultdict(list)
    for message in Contacts.load(data).messages(data / "messages.jsonl"):
        found[message.chat].append(message)
    return found


def test_what_i_really_said_passes(data: Path, chats: Chats) -> None:
    known = Copies.open(data / FILE)
    judged: list[Reason | None] = []
    for messages in chats.values():
        newest = len(messages) - len(messages) // 5
        for place in range(newest, len(messages)):
            if messages[place].learnable and not messages[place - 1].mine:
                guard = Guard.of(messages[place - 40 : place], elsewhere=[known.from_elsewhere])
                burst = iter(messages[place:])
                while (message := next(burst, None)) and message.mine:
                    if bubble := without_media(message.text):
                        judged.append(guard.holds(bubble))
    assert len(judged) > 300
    assert sum(reason is None for reason in judged) >= 0.95 * len(judged)
    assert "copy" not in judged


def test_every_long_line_of_another_chat_is_caught(data: Path, chats: Chats) -> None:
    known = Copies.open(data / FILE)
    lines = {(chat, m.text) for chat, messages in chats.items() for m in messages if not m.mine and shingles(m.text)}
    everywhere: dict[str, set[str]] = defaultdict(set)
    for chat, text in lines:
        for shingle in shingles(text):
            everywhere[shingle].add(chat)
    assert len(lines) > 100
    caught = 0
    for chat, text in lines:
        for other in chats:
            said_there = any(other in everywhere[one] or len(everywhere[one]) > 2 for one in shingles(text))
            if other != chat and not said_there:
                caught += 1
                for bubble in (text, f"我听说{text}！"):
                    assert known.from_elsewhere(bubble, other)
        assert not known.from_elsewhere(text, chat)
    assert caught > 5 * len(lines)


def test_it_stays_small_and_the_same(data: Path, chats: Chats, tmp_path: Path) -> None:
    size = (data / FILE).stat().st_size
    assert size < 4 * sum(map(len, chats.values()))
    assert copies.write(tmp_path, data, {"train.jsonl": "0" * 64})
    assert (tmp_path / FILE).read_bytes() == (data / FILE).read_bytes()
    assert copies.write(tmp_path, data, {"train.jsonl": "1" * 64})
    assert (tmp_path / FILE).read_bytes() != (data / FILE).read_bytes()
    assert not copies.write(tmp_path, tmp_path, {})
