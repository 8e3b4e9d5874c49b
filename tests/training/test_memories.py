"""Memories of training rows: older than all that the row shows, drawn by the seed, never the reply's own."""

import asyncio
import datetime as dt
import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given, strategies as st

from bot.engine.echo import Echo
from bot.persona.facts import Fact, Facts
from bot.persona.memory import SUMMARY
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec, remember as remembered
from bot.recall import Recall
from bot.reminding import Reminding
from bot.summaries import Summaries, day_of
from bot.summarising import summarise_past
from config.settings import Dataset, Remember
from tests.bot.people import DAY, person
from tests.training.conftest import chats
from training import dataset, remember
from training.dataset import read_rows

TOPICS = ["花生", "体检", "爬山", "陶艺", "飞度", "猫粮", "搬家", "火锅", "电影", "考研"]


def make(folder: Path, messages: list[Message], **knobs: Any) -> list[dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    (folder / "messages.jsonl").write_text("".join(m.to_json() + "\n" for m in messages), encoding="utf-8")
    dataset.main(Dataset(data=folder, history_private=6, history_group=6, gap=60, as_json=True, **knobs))
    return [*read_rows(folder / "train.jsonl"), *read_rows(folder / "heldout.jsonl")]


def numbered(days: int = 60) -> list[Message]:
    """Each day somebody asks and I answer; every line has a number of its own and a word that comes back."""
    messages = []
    for place in range(days * 2):
        day, mine = divmod(place, 2)
        text = f"{'答' if mine else '问'}{TOPICS[day % len(TOPICS)]}的第{place}句"
        time = 1_700_000_000 + day * DAY + mine * 20
        messages.append(
            Message(
                f"m{place}",
                "qq:private:2",
                "private",
                time,
                "1" if mine else "2",
                "x",
                [Segment("text", text)],
                bool(mine),
            )
        )
    return messages


def test_no_memory_knows_what_came_later(tmp_path: Path) -> None:
    rows = make(tmp_path, numbered(), memory_recalled=0.7, memory_irrelevant=0.3)
    assert sum("memory" in row for row in rows) > 40
    for row in rows:
        shown = [int(n) for n in re.findall(r"第(\d+)句", json.dumps(row["turns"], ensure_ascii=False))]
        recalled = [int(n) for n in re.findall(r"第(\d+)句", row.get("memory", ""))]
        assert all(number < min(shown) for number in recalled)


def test_shares_are_kept_and_drawn_by_the_seed(tmp_path: Path) -> None:
    rows = make(tmp_path / "a", numbered(200), memory_recalled=0.4, memory_irrelevant=0.2)
    share = sum("memory" in row for row in rows) / len(rows)
    assert 0.48 < share < 0.7
    again = make(tmp_path / "b", numbered(200), memory_recalled=0.4, memory_irrelevant=0.2)
    assert again == rows
    assert make(tmp_path / "c", numbered(200), memory_recalled=0.4, memory_irrelevant=0.2, seed=8) != rows


def test_without_memories_the_rows_are_those_of_before(tmp_path: Path) -> None:
    none = make(tmp_path / "a", numbered(), memory=0)
    assert not any("memory" in row for row in none)
    some = make(tmp_path / "b", numbered())
    assert [{name: value for name, value in row.items() if name != "memory"} for row in some] == none
    prompt = json.loads((tmp_path / "a" / "prompt.json").read_text(encoding="utf-8"))
    assert prompt["memory"] == 0


def test_what_helps_the_reply_is_often_there(tmp_path: Path) -> None:
    """A fact said on the first day is asked for again on the last ones."""
    one = person(3, days=20, lines=8, first_day=True)
    messages = list(one.messages)
    for place, known in enumerate(one.known * 4):
        asked = messages[-1].time + 7200
        for mine, text in ((False, known.question), (True, f"{known.value}啊")):
            who = "1" if mine else "2"
            messages.append(
                Message(
                    f"q{place}{mine}", one.chat, "private", asked + mine * 9, who, "x", [Segment("text", text)], mine
                )
            )
    rows = make(tmp_path, messages, memory_recalled=1.0, memory_irrelevant=0.0, refit=True)
    found = Counter()
    for known in one.known:
        for row in rows:
            said = row["turns"][-1]["bubbles"][-1]["text"]
            if said == f"{known.value}啊":
                found[known.value in row.get("memory", "")] += 1
    assert found[True] >= 0.9 * found.total() > 20


def test_facts_hold_from_their_day_on_and_for_their_audience(tmp_path: Path) -> None:
    facts = [
        Fact(text="猫粮 花生 火锅 陶艺都是我的", date="2023-12-01"),  # pyright: ignore[reportArgumentType]
        Fact(text="花生是秘密", audience=["3"]),
    ]
    Facts(fact=facts).write(tmp_path / "me.toml")
    rows = make(tmp_path, numbered(), memory_recalled=1.0, memory_irrelevant=0.0)
    told = {row["start"] for row in rows if "都是我的" in row.get("memory", "")}
    assert told
    assert min(told) >= 1_701_360_000
    assert not any("花生是秘密" in row.get("memory", "") for row in rows)


def test_the_command_takes_the_records_in_once_and_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, numbered(30))
    knobs = Remember(data=tmp_path, memory=tmp_path / "memory.db", as_json=True)
    remember.main(knobs)
    assert not capsys.readouterr().err, "too quick to be told"
    monkeypatch.setattr(remember, "EVERY", 0.0)
    remember.main(knobs)
    assert capsys.readouterr().err == "remembering … 60 messages, 0 new lines\n"
    store = Recall.open(tmp_path / "memory.db")
    assert len(store) == 60
    assert store.chats == 1
    store.close()


def test_without_records_there_is_an_empty_memory(tmp_path: Path) -> None:
    remember.main(Remember(data=tmp_path, memory=tmp_path / "new" / "memory.db", as_json=True))
    assert (tmp_path / "new" / "memory.db").is_file()


def summed_up(folder: Path, messages: list[Message], days: int) -> None:
    """Summaries of the past by the echo: each says the last line it was written from."""
    store = Recall.open(None)
    store.add((message, None) for message in messages)
    summaries = Summaries(folder / "summaries")
    asyncio.run(summarise_past(store, summaries, Echo(), days=days, least=1, today=dt.date(2030, 1, 1)))
    store.close()


def lines_of(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"第(\d+)句", text)]


@given(st.lists(st.integers(0, 3 * DAY), min_size=24, max_size=24), st.integers(1, 9))
@hypothesis.settings(max_examples=12, deadline=None)
def test_no_summary_knows_what_its_session_says_or_later(gaps: list[int], days: int) -> None:
    messages, time = numbered(12), 1_700_000_000
    for message, gap in zip(messages, gaps, strict=True):
        message.time = time = time + gap
    with tempfile.TemporaryDirectory() as name:
        summed_up(Path(name), messages, days)
        rows = make(Path(name), messages, memory_recalled=1.0, refit=True)
    times = [message.time for message in messages]
    for row in rows:
        told = [line for line in row.get("memory", "").split("\n") if SUMMARY in line]
        starts = next(place for place, time in enumerate(times) if time == row["start"])
        assert all(number < starts for line in told for number in lines_of(line))


def test_a_row_has_the_newest_summary_older_than_its_session(tmp_path: Path) -> None:
    messages = numbered()
    summed_up(tmp_path, messages, 7)
    rows = make(tmp_path, messages, memory_recalled=0.6, memory_irrelevant=0.4, refit=True)
    ends = Summaries(tmp_path / "summaries").past("qq:private:2")
    with_one = 0
    for row in rows:
        session = day_of(row["start"])
        known = [end for end in ends if end < session]
        told = [line for line in row.get("memory", "").split("\n") if SUMMARY in line]
        assert len(told) == bool(known), "also beside lines that don't fit"
        with_one += len(told)
        if known:
            last = max(place for place, message in enumerate(messages) if day_of(message.time) <= known[-1])
            assert lines_of(told[0]) == [last]
    assert with_one > 40


def test_the_bot_shows_the_same_summary_in_the_same_words(tmp_path: Path) -> None:
    """What a row has is what the bot would have had that day: the same block from the summary current then."""
    messages = numbered()
    summed_up(tmp_path, messages, 7)
    rows = make(tmp_path, messages, memory_recalled=1.0, memory_irrelevant=0.0, refit=True, short_contexts=0.0)
    spec = PromptSpec.model_validate_json((tmp_path / "prompt.json").read_text(encoding="utf-8"))
    seen = 0
    for row in rows[20:]:
        start = next(place for place, message in enumerate(messages) if message.time == row["start"])
        past = Summaries(tmp_path / "summaries")
        end = max(end for end in past.past("qq:private:2") if end < day_of(row["start"]))
        then = Summaries(tmp_path / f"then{start}")
        then.write("qq:private:2", *(past.read("qq:private:2", end) or (end, "")))
        lines = Recall.open(None)
        lines.add((message, None) for message in messages[:start])
        shown = lines_of(json.dumps(row["turns"], ensure_ascii=False))
        window = messages[min(shown) : start + 1]
        now = messages[start + 1].time
        recalled = Reminding(lines, summaries=then).of(window, spec, now=now)
        block = remembered(recalled, spec, {}, kind="private", name="2", now=now)
        assert row["memory"] == block
        seen += f"\\※ {SUMMARY}" in block
        lines.close()
    assert seen == len(rows) - 20


def test_a_summary_names_nobody_where_names_are_hidden(tmp_path: Path) -> None:
    messages = chats()
    for chat in {message.chat for message in messages}:
        Summaries(tmp_path / "summaries").write(chat, dt.date(2000, 1, 1), "阿泽和七七要搬家 电话13912345678")
    rows = make(tmp_path, messages, memory_recalled=1.0, pseudonyms=True)
    told = [row["memory"] for row in rows if SUMMARY in row.get("memory", "")]
    assert len(told) > 20
    assert all("要搬家" in memory and not re.search("阿泽|七七|139", memory) for memory in told)
