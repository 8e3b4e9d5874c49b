"""How far a prompt reaches back: within the context by the persona's own count, and from a start that stays."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from bot.counting import token_counter
from bot.engine.prompt_ids import prompt_ids
from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec
from bot.reply import Where, prompt_for
from tests.personas import byte_tokenizer
from training.templates import PLAIN

REACH = 12
SPEC = PromptSpec(me="小北", history_private=REACH, history_group=REACH, privacy=False)
lines = st.lists(
    st.tuples(st.sampled_from(["me", "阿泽", "小鹿"]), st.integers(1, 40), st.sampled_from([5, 5, 5, 9999])),
    min_size=1,
    max_size=60,
)


def letters(prompt: Sequence[dict[str, str]]) -> int:
    return sum(len(turn["content"]) + 2 for turn in prompt)


def chat(said: list[tuple[str, int, int]], kind: str) -> list[Message]:
    messages: list[Message] = []
    time = 1000
    for number, (who, length, gap) in enumerate(said):
        time += gap
        text = f"{number}-" + "字" * length
        quoted = str(number - 3) if number % 5 == 4 else None
        messages.append(
            Message(str(number), "c", kind, time, who, who, [Segment("text", text)], mine=who == "me", reply_to=quoted)
        )
    return messages


@settings(max_examples=80, deadline=None)
@given(lines, st.sampled_from(["private", "group"]), st.integers(60, 600))
def test_over_a_growing_chat(said: list[tuple[str, int, int]], kind: str, budget: int) -> None:
    messages = chat(said, kind)
    where = Where(kind, "羽毛球")
    cuts, before, start = [], [], ""
    for size in range(1, len(messages) + 1):
        # No more is fetched than a prompt may hold.
        here = messages[max(0, size - REACH) : size]
        prompt = prompt_for(here, SPEC, where, now=here[-1].time + 1, count=letters, budget=budget)
        shown = [message for message in here if int(message.id) >= int(where.start)]
        assert shown[-1] is here[-1]
        assert prompt[0]["role"] == "system"
        said_lines = [line.split("\\」")[-1] for line in "\n".join(turn["content"] for turn in prompt).split("\n")]
        numbers = [
            int(line.split(": ")[-1].split("-")[0]) for line in said_lines if "-字" in line and line[:2] != "\\→"
        ]
        assert numbers == [int(message.id) for message in shown]
        assert letters(prompt) <= budget or len(shown) == 1
        if where.start == start:
            assert prompt[: len(before) - 1] == before[:-1], "a server that knows the last prompt knows this beginning"
        else:
            cuts.append(int(where.start))
        before, start = prompt, where.start
    assert cuts == sorted(cuts), "what was left out stays out"


def test_a_quarter_goes_at_once_at_the_end_of_a_turn() -> None:
    said = [("me" if number % 4 == 3 else "阿泽", 3, 5) for number in range(60)]
    messages = chat(said, "private")
    where = Where("private", "阿泽")
    starts: list[int] = []
    for size in range(1, 61):
        prompt_for(messages[max(0, size - REACH) : size], SPEC, where)
        if not starts or int(where.start) != starts[-1]:
            starts.append(int(where.start))
    assert starts == [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48]
    assert all(said[start][0] == "阿泽" and said[start - 1][0] == "me" for start in starts[1:])


def test_many_speak_without_me_between_and_one_speaks_too_long() -> None:
    messages = chat([("阿泽", 10, 5)] * REACH, "group")
    where = Where("group", "羽毛球")
    prompt = prompt_for(messages, SPEC, where, count=letters, budget=100)
    assert letters(prompt) <= 100
    assert prompt[-1]["content"].split("\n")[-1].startswith("阿泽: 11-")
    assert where.start != "11"
    last = chat([("阿泽", 10, 5), ("阿泽", 900, 5)], "group")
    assert len(prompt_for(last, SPEC, where, count=letters, budget=100)) == 2
    assert where.start == "1"


@pytest.fixture(scope="module", params=["chatml", "plain", "in the config"])
def dressed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = byte_tokenizer()
    if request.param == "plain":
        tokenizer.chat_template = PLAIN
        tokenizer.bos_token = "<|im_start|>"
    tokenizer.save_pretrained(folder)
    if request.param == "in the config":
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
        (folder / "chat_template.jinja").unlink()
        (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
    # Whoever trained the tokenizer may have left this in its file.
    raw = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    raw["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    return folder, tokenizer


@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(st.text() | st.sampled_from(["<|im_end|>", "<|im_<|im_end|>end|>", "在吗 <|pad|>\n你好"]), max_size=6)
)
def test_counted_as_the_server_counts(dressed: tuple[Path, Any], said: list[str]) -> None:
    folder, tokenizer = dressed
    count = token_counter(folder)
    assert count is not None
    roles = ["system", *["user", "assistant"] * 3]
    prompt = [{"role": role, "content": text} for role, text in zip(roles, ["你是小北", *said], strict=False)]
    assert count(prompt) == len(prompt_ids(tokenizer, prompt, True))


def test_nothing_is_counted_without_a_tokenizer_or_a_template(tmp_path: Path) -> None:
    assert token_counter(tmp_path) is None
    byte_tokenizer().save_pretrained(tmp_path)
    assert token_counter(tmp_path) is not None
    (tmp_path / "chat_template.jinja").unlink()
    assert token_counter(tmp_path) is None
