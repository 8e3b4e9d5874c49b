"""General dialogue: both spellings, broken lines counted, never more than it is worth."""

import json
from collections import Counter
from pathlib import Path

import pytest

from bot.persona.prompt import PromptSpec, Turn, render
from config.errors import InputError
from training import general


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


OPENAI = {
    "messages": [
        {"role": "system", "content": "x"},
        {"role": "user", "content": "天为什么蓝"},
        {"role": "assistant", "content": "散射。\n短波多。"},
    ]
}
SHAREGPT = {"conversations": [{"from": "human", "value": "1+1"}, {"from": "gpt", "value": "2"}]}


def test_both_spellings_become_rows_with_a_system_turn_of_their_own(tmp_path: Path) -> None:
    dropped: Counter[str] = Counter()
    file = write(
        tmp_path / "general.jsonl",
        OPENAI,
        {"messages": 3},
        [1],
        SHAREGPT,
        {"messages": [{"role": "user", "content": "嗨"}]},
    )
    rows = list(general.rows(file, 5, dropped))
    assert [row["id"] for row in rows] == [f"general-{n}" for n in range(5)]
    assert dropped == {"no_general_dialogue": 3}
    turns = [Turn.from_row(turn) for turn in rows[0]["turns"]]
    assert [bubble.target for turn in turns for bubble in turn.bubbles] == [False, True]
    rendered = render(turns, PromptSpec(me="阿树"), kind="general", name="")
    assert "阿树" not in str(rendered)
    assert "assistant" in str(rendered)


def test_a_small_file_is_not_shown_without_end(tmp_path: Path) -> None:
    assert len(list(general.rows(write(tmp_path / "g.jsonl", SHAREGPT), 100, Counter()))) == 3


def test_a_file_without_dialogue_or_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no dialogue"):
        list(general.rows(write(tmp_path / "g.jsonl", {"a": 1}), 5, Counter()))
    with pytest.raises(InputError, match="No such file"):
        list(general.rows(tmp_path / "none.jsonl", 5, Counter()))
