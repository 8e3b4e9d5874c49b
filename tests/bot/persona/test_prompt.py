"""The prompt: exact inverses, labels that can't be forged, silences, quotes, targets."""

from hypothesis import given, strategies as st

from bot.persona.message import Message, Segment
from bot.persona.prompt import (
    ANSWERS,
    SILENCE,
    Bubble,
    PromptSpec,
    Turn,
    clean_name,
    escape,
    label_of,
    render,
    split_reply,
    to_prompt,
    to_turns,
    unescape,
)

SPEC = PromptSpec(me="阿树", silence=1800, history_private=6, history_group=6)


def message(
    number: int, text: str, *, time: int = 0, sender: str = "2", name: str = "阿泽", mine: bool = False, **more
):
    segments = more.pop("segments", [Segment("text", text)])
    return Message(str(number), "c", more.pop("kind", "group"), time, sender, name, segments, mine, **more)


@given(st.text())
def test_unescape_undoes_escape(text: str) -> None:
    line = escape(text)
    assert "\n" not in line
    assert unescape(line) == text


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool), min_size=1))
def test_a_turn_of_mine_splits_into_its_bubbles(texts: list[str]) -> None:
    content = render(
        [Turn("user"), Turn("assistant", [Bubble(text) for text in texts])][1:], SPEC, kind="group", name=""
    )
    assert split_reply(content[-1].content) == texts


@given(st.text(), st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_nobody_speaks_in_anothers_name(name: str, text: str) -> None:
    messages = [message(1, text, sender="9", name=name), message(2, "我在", sender="3", name="七七")]
    content = to_prompt(messages, SPEC, {}, kind="group", name="群")[-1]["content"]
    lines = content.split("\n")
    assert len(lines) == 2
    assert lines[1] == "七七: 我在"
    label = lines[0].split(": ", 1)[0]
    assert label not in ("七七", "阿树", "")
    assert "\\" not in label
    assert not lines[0].startswith((SILENCE, ANSWERS))


@given(st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_no_text_in_private_looks_like_a_mark(text: str) -> None:
    content = to_prompt([message(1, text, kind="private")], SPEC, {}, kind="private", name="x")[-1]["content"]
    assert not any(line.startswith(mark) for line in content.split("\n") for mark in (SILENCE, ANSWERS, "\\#"))


def test_two_people_of_one_name_get_two_labels() -> None:
    labels: dict[str, str] = {}
    assert label_of(labels, "1", "小明", "阿树") == "小明"
    assert label_of(labels, "2", "小明", "阿树") == "小明2"
    assert label_of(labels, "1", "改名了", "阿树") == "小明"
    assert label_of(labels, "3", "阿树", "阿树") == "阿树2"
    assert clean_name("  \n:") == "某人"


def test_silence_quote_and_answer_are_marked() -> None:
    messages = [
        message(1, "周四来吗", time=0),
        message(2, "我不去", time=10, sender="3", name="七七"),
        message(3, "来", time=5000, mine=True, sender="1", reply_to="1"),
        message(4, "好", time=5010, reply_to="2"),
    ]
    turns = render(to_turns(messages, SPEC, {}), SPEC, kind="group", name="群")
    assert [turn.content for turn in turns] == [
        "你是阿树，正在群「群」里聊天。",
        "阿泽: 周四来吗\n七七: 我不去\n\\~过了一会儿\n\\→阿泽: 周四来吗",
        "来",
        "阿泽: \\「七七: 我不去\\」好",
    ]


def test_now_and_answering_give_the_marks_that_training_had() -> None:
    messages = [message(1, "周四来吗", time=0), message(2, "我不去", time=10, sender="3", name="七七")]
    prompt = to_prompt(messages, SPEC, {}, kind="group", name="群", now=5000, answering="1")
    assert prompt[-1]["content"].endswith("\\~过了一会儿\n\\→阿泽: 周四来吗")


def test_targets_are_mine_without_placeholders_and_context() -> None:
    messages = [
        message(1, "旧", mine=True),
        message(2, "问", time=1),
        message(3, "打13912345678吧", time=2, mine=True),
        message(4, "", time=3, mine=True, segments=[Segment("image")]),
        message(5, "好", time=4, mine=True),
    ]
    turns = render(
        to_turns(messages, SPEC, {}, learn=lambda message: (message is not messages[0], "")),
        SPEC,
        kind="group",
        name="群",
    )
    assert [[turn.content[a:b] for a, b in turn.targets] for turn in turns if turn.role == "assistant"] == [
        [],
        ["打", "吧", "好"],
    ]
    assert turns[1].content == "\\~"


def test_recalled_and_system_lines_are_not_there_and_history_is_bounded() -> None:
    messages = [message(n, f"第{n}", time=n) for n in range(20)]
    messages[19] = message(19, "撤回了", time=19, flags=("recalled",))
    prompt = to_prompt(messages, SPEC, {}, kind="group", name="群")
    assert prompt[-1]["content"].count("\n") == SPEC.history_group - 1
    assert "撤回了" not in str(prompt)
