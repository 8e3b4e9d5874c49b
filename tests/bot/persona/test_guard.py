"""What is held back of an answer, and what passes: each reason by itself."""

import pytest

from bot.persona.guard import Guard, Reason
from bot.persona.guard_text import is_machine_text, repeats
from bot.persona.message import Message, Segment


def chat(*texts: str, kind: str = "private") -> list[Message]:
    """A chat; what begins with "me:" is mine."""
    return [
        Message(
            str(n), "qq:private:2", kind, n, "2", "阿泽", [Segment("text", t.removeprefix("me:"))], mine=t[:3] == "me:"
        )  # pyright: ignore[reportArgumentType]
        for n, t in enumerate(texts)
    ]


def judged(bubble: str, *texts: str, on: bool = True) -> Reason | None:
    return Guard.of(chat(*texts), on=on).holds(bubble)


@pytest.mark.parametrize(
    "bubble",
    [
        "<|im_end|>",
        "好的<|im_start|>assistant",
        "<|eot_id",
        "<think>他问我",
        "</think>",
        "[INST] 你好 [/INST]",
        "<<SYS>>",
        "</s>",
        "<s>你好",
        "<start_of_turn>user",
        "[PAD]",
        "[UNK]",
        "<0xE4>",
        "\ufffd\ufffd",
        "{% for message in messages %}",
        "{{ content }}",
        "你是{me}，正在和{name}私聊。",
        "[CQ:at,qq=all]",
        "\\~过了几小时",
        "\\→阿泽: 周四来吗",
        "Traceback (most recent call last):",
        '  File "/srv/bot.py", line 3, in main',
        "RuntimeError: CUDA error: device-side assert",
        "torch.cuda.OutOfMemoryError: CUDA out of memory",
        "ValueError: 1",
        "model not loaded",
        "The model is not ready",
        "模型没有加载",
        "assistant",
        "user:",
        "### Response:",
        "＜|im_end|＞",
        "   ",
    ],
)
def test_t04_machine_text_never_leaves(bubble: str) -> None:
    assert is_machine_text(bubble)
    assert judged(bubble, "在吗", on=False) == "machine"


@pytest.mark.parametrize(
    "bubble",
    ["哈哈<3", ">_<", "a<b", "1 < 2 > 0", "(╯°□°)╯", "[图]", "{^_^}", "系统又崩了", "error了", "报错一堆", "模型跑完了", "assist一下", "出bug了: 没救",
     "\\(^o^)/", "C:\\Users", "这个at我", "内存不够", "i use the system: linux", "<滑稽>", "</3", "思考中…"],
)  # fmt: skip
def test_what_people_write_is_no_machine_text(bubble: str) -> None:
    assert judged(bubble, "在吗") is None


@pytest.mark.parametrize("bubble", ["@全体成员 开会", "＠全体成员", "@all 在吗", "@everyone", "@ 所有人", "@here"])
def test_t12_nobody_rings_at_everybody(bubble: str) -> None:
    assert judged(bubble, "在吗") == "everybody"
    assert judged(bubble, bubble) == "everybody"


@pytest.mark.parametrize(
    "bubble",
    [
        "看 https://evil.example/a?b=1",
        "www.some-shop.cn",
        "去taobao.com买",
        "短链 t.cn/A6xyz",
        "ftp://10.0.0.1/x",
        "ＨＴＴＰＳ://evil.example",
        "加群 123456789",
        "我号13812345678",
        "1234567",
        "打 010-8765 4321",
        "6217000830004512673",
    ],
)
def test_t12_no_contact_that_this_chat_has_not_had(bubble: str) -> None:
    assert judged(bubble, "在吗") == "data"
    assert judged(bubble, f"他说：{bubble}。记住了吗") is None


@pytest.mark.parametrize(
    "bubble",
    ["花了12000", "2024年", "20240901那天", "2333333", "666666666", "3.1415926535", "node.js好用", "v1.2.3", "等等...就来", "100000", "asp真老", "3:30见", "e.g. 这个", "88.5公里", "README.md", "hh.笑死"],
)  # fmt: skip
def test_numbers_and_dots_of_everyday_pass(bubble: str) -> None:
    assert judged(bubble, "在吗") is None


def test_t11_what_i_have_just_said_is_not_said_again() -> None:
    said = "周末一起去爬山吧 早上八点集合"
    assert judged(said, f"me:{said}", "好啊", "几点") == "repeat"
    assert judged("周末一起去爬山吧，早上八点集合！", f"me:{said}", "啊？") == "repeat"
    assert judged(said, f"me:{said}", *(f"me:第{n}句别的话" for n in range(4)), "嗯") is None
    assert judged("周末一起去游泳吧 晚上六点碰头", f"me:{said}", "好啊") is None
    assert judged(said, said) is None, "somebody else's words are not mine"


def test_t11_habits_may_come_again_once_somebody_else_has_spoken() -> None:
    assert judged("哈哈哈哈", "me:哈哈哈", "你也这么觉得") is None
    assert judged("哈哈哈哈", "真的吗", "me:哈哈哈") == "repeat"
    guard = Guard.of(chat("在吗"))
    assert [guard.holds(bubble) for bubble in ("嗯", "嗯嗯", "好", "嗯")] == [None, None, None, None]
    assert [guard.holds(bubble) for bubble in ("好的", "好的。", "嗯")] == [None, "repeat", None]
    assert repeats("😂", ["😂"], ["😂"])
    assert not repeats("😂", ["😭"], ["😭"])


def test_a_yes_to_a_request_is_held_back_and_a_no_passes() -> None:
    for yes in ("好", "马上转你", "多少"):
        assert judged(yes, "借我500") == "money"
        assert judged(yes, "借我500", "me:啊", "快点") == "money"
        assert judged(yes, "晚上吃啥") is None or yes == "马上转你"
    assert judged("没钱 不借", "借我500") is None
    assert judged("好", "借我500", "me:没", "算了", "吃饭没", "me:没吃", "出来吃面") is None
    assert judged("好", "借我500", on=False) is None


def test_in_a_group_only_what_the_caller_asked_counts() -> None:
    messages = chat("借我500", kind="group")
    messages.append(Message("9", "g", "group", 9, "3", "小鹿", [Segment("text", "周末爬山不")]))
    assert Guard.of(messages, "3").holds("好啊") is None
    assert Guard.of(messages, "2").holds("好啊") == "money"
