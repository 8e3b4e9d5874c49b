"""Who is who: joined and parted friends, read as one without touching messages.jsonl."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from bot.persona.message import Message, Segment
from config.errors import InputError
from training.contacts import Contacts, People


def message(chat: str, sender: str, name: str, time: int, text: str, id_: str = "", **more: Any) -> Message:
    kind = "group" if ":group:" in chat else "private"
    return Message(id_ or f"~{chat}{time}{text}", chat, kind, time, sender, name, [Segment("text", text)], **more)


def write(folder: Path, messages: list[Message]) -> Path:
    path = folder / "messages.jsonl"
    ordered = sorted(messages, key=lambda m: (m.chat, m.time))
    path.write_text("".join(m.to_json() + "\n" for m in ordered), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """小鹿 in a text export without numbers, in a JSON export with one, and in a group; 阿泽 twice."""
    by_name = [message("qq:private:小鹿", "小鹿", "小鹿", 100 + n, f"话{n}") for n in range(6)]
    by_name.append(message("qq:private:小鹿", "10001", "小北", 200, "嗯", mine=True))
    by_number = [message("qq:private:20002", "20002", "小鹿", 100 + n, f"话{n}", f"n{n}") for n in range(3, 9)]
    group = [message("qq:group:7", "20002", "鹿鹿", 50, "早"), message("qq:group:7", "30003", "阿泽", 51, "早")]
    other = [message("qq:private:阿泽", "阿泽", "阿泽", 10, "在吗")]
    return write(tmp_path, by_name + by_number + group + other)


def test_suggestions_say_why(path: Path) -> None:
    people = People.read(path)
    assert people.suggestions(Contacts()) == [
        ("小鹿", "20002", "3 messages stand in both"),
        ("阿泽", "30003", "the same name"),
    ]
    assert people.suggestions(Contacts({"小鹿": "20002"}, {"阿泽"})) == []


def test_two_accounts_of_one_name_suggest_nobody(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        [message("qq:group:7", number, "阿泽", 50, number) for number in ("30003", "30004")]
        + [message("qq:private:阿泽", "阿泽", "阿泽", 10, "在吗")],
    )
    assert People.read(path).suggestions(Contacts()) == []


def test_a_joined_friend_is_one_chat_each_message_once(path: Path) -> None:
    before = path.read_bytes()
    read = list(Contacts({"小鹿": "20002"}).messages(path))
    chat = [m for m in read if m.chat == "qq:private:20002"]
    assert [(m.time, m.text) for m in chat] == [*((100 + n, f"话{n}") for n in range(9)), (200, "嗯")]
    assert {m.sender for m in chat} == {"20002", "10001"}
    # What has an id of its platform stays, so that quotes still find it.
    assert [m.id for m in chat[3:9]] == [f"n{n}" for n in range(3, 9)]
    assert [m.chat for m in read] == sorted(m.chat for m in read)
    assert "qq:private:小鹿" not in {m.chat for m in read}
    assert path.read_bytes() == before
    assert len(list(Contacts().messages(path))) == before.count(b"\n")


def test_joining_parting_and_what_cant_be_joined(path: Path) -> None:
    people, contacts = People.read(path), Contacts()
    contacts.change(["小鹿=20002"], [], people)
    contacts.save(path.parent)
    assert Contacts.load(path.parent).joins == {"小鹿": "20002"}
    contacts.change([], ["小鹿"], people)
    contacts.save(path.parent)
    assert Contacts.load(path.parent) == Contacts({}, {"小鹿"})
    for wrong in ("小鹿", "小鹿=abc", "=20002", "没这个人=20002"):
        with pytest.raises(InputError):
            contacts.change([wrong], [], people)
    with pytest.raises(InputError) as error:
        contacts.change([], ["没这个人"], people)
    assert error.value.hint == "there are: 小鹿, 阿泽"
    (path.parent / "contacts.json").write_text("{broken")
    with pytest.raises(InputError, match="damaged"):
        Contacts.load(path.parent)
    (path.parent / "contacts.json").write_text(json.dumps({"format": 9}))
    with pytest.raises(InputError, match="another mybot"):
        Contacts.load(path.parent)


SAID = st.lists(st.tuples(st.integers(0, 6), st.sampled_from("甲乙丙")), max_size=30)


@settings(max_examples=60, deadline=None)
@given(SAID, st.integers(0, 30), st.integers(0, 30))
def test_two_overlapping_records_of_one_chat_are_the_whole_chat(
    tmp_path_factory: Any, said: Any, cut: int, back: int
) -> None:
    """The first `cut` messages in one export, all from `cut - back` on in another: nothing twice, nothing lost."""
    said = sorted(said, key=lambda one: one[0])
    # Exports overlap in whole seconds.
    start = max(0, cut - back)
    first = [one for one in said if one[0] <= (said[cut][0] if cut < len(said) else 9)]
    second = [one for one in said if start >= len(said) or one[0] >= said[start][0]]
    folder = tmp_path_factory.mktemp("overlap")
    path = write(
        folder,
        [message("qq:private:小鹿", "小鹿", "小鹿", t, w, f"~a{n}") for n, (t, w) in enumerate(first)]
        + [message("qq:private:20002", "20002", "小鹿", t, w, f"b{n}") for n, (t, w) in enumerate(second)],
    )
    read = [(m.time, m.text) for m in Contacts({"小鹿": "20002"}).messages(path)]
    assert sorted(read) == sorted(said)
