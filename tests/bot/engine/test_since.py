"""What a prompt says since another: exactly what was said after it, whatever marks and memories stand around."""

from itertools import pairwise

from hypothesis import given, strategies as st

from bot.engine.since import lines_of, since
from bot.persona.memory import MARK, Recalled
from bot.persona.message import Kind, Message, Segment
from bot.persona.prompt import ANSWERS, SILENCE, PromptSpec, to_prompt

SPEC = PromptSpec(me="小鹿", memory=200)
NAMES = {"a": "阿泽", "b": "小北", "m": "小鹿"}
TEXTS = st.sampled_from(["哈哈", "嗯", "周四来吗", "一\n二", "\\~ 不是记号", "※"])
LINE = st.tuples(st.sampled_from(sorted(NAMES)), TEXTS, st.sampled_from([5, 5, 5, 4000]))
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["group", "private"])


def prompt(
    said: list[tuple[str, str, int]], kind: Kind, *, answering: str = "", begin: int = 0
) -> list[dict[str, str]]:
    """What the bot would send after these lines, reminded of the first of them."""
    now, made = 1_700_000_000, []
    for number, (who, text, gap) in enumerate(said):
        now += gap
        message = Message(str(number), "c", kind, now, who, NAMES[who], [Segment("text", text)], who == "m")
        made.append(message)
    recalled = [Recalled("line", made[0])] if made else []
    return to_prompt(
        made[begin:], SPEC, {}, kind=kind, name="饭团", now=now, answering=answering or None, memory=recalled
    )


@given(st.lists(LINE, min_size=1, max_size=12), st.lists(LINE, max_size=6), KINDS)
def test_what_was_said_after_an_earlier_prompt_is_left_and_nothing_else(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]], kind: Kind
) -> None:
    known = lines_of(prompt(before, kind, answering="0"))
    whole = prompt([*before, *after], kind, answering="0")
    left = since(whole, known)
    if all(who == "m" for who, *_ in after):
        assert left == []
        return
    assert lines_of(left) == lines_of(whole)[len(known) :]
    assert len(lines_of(left)) == len(after)
    assert MARK in whole[0]["content"]
    assert left[0] == {"role": "system", "content": whole[0]["content"].split("\n")[0]}
    assert left[1]["role"] == "user"
    assert all(one["role"] != other["role"] for one, other in pairwise(left))
    assert not any(turn["content"].startswith(SILENCE + "过") for turn in left[:2])


def test_it_is_found_where_the_window_has_moved_on_and_a_line_was_taken_back() -> None:
    before = [("a", f"第{number}句", 5) for number in range(8)]
    known = lines_of(prompt(before, "group"))
    moved = prompt([*before[:6], before[7], ("b", "新的", 5)], "group", begin=3)
    assert [turn["content"] for turn in since(moved, known)[1:]] == ["小北: 新的"]
    elsewhere = prompt([("b", "别的", 5)], "group")
    assert lines_of(since(elsewhere, known)) == lines_of(elsewhere)


def test_a_mark_does_not_bring_back_what_was_left_out() -> None:
    before = [("a", "毒", 5)]
    known = lines_of(prompt(before, "group"))
    later = prompt([*before, ("b", "怎么了", 5), ("b", "?", 5)], "group", answering="0")
    assert later[-1]["content"].endswith(f"{ANSWERS}阿泽: 毒")
    assert "毒" not in str(since(later, known))
    right = prompt([*before, ("b", "怎么了", 5), ("b", "?", 5)], "group", answering="1")
    assert since(right, known)[-1]["content"].endswith(f"{ANSWERS}小北: 怎么了")
