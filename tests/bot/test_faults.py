"""Reasons in a chat: in its language where they are known, else after a sentence that says what sort of thing it is."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from bot import words
from bot.engine.trial import Unfit
from bot.faults import told
from bot.persona.manifest import open_persona
from config.errors import EngineError, InputError, MyBotError, PersonaError, SettingsError, TrainingError
from config.settings import ROOT

CHINESE = re.compile(r"[\u3400-\u9fff]")


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("the engine ended (exit code -9)", "模型进程退出了（退出码 -9）"),
        (EngineError("no engine answers at http://a:1/v1: Timeout"), "http://a:1/v1 没有模型服务在回答：Timeout"),
        ("the engine ended while starting: port 80 is in use", "模型没起来就退出了：端口 80 被占用了"),
        (
            "QQ side at ws://127.0.0.1:3001/: the connection is closed; trying again",
            "连 ws://127.0.0.1:3001/ 的 QQ 端：连接断了，在重连",
        ),
        ("QQ side from 10.0.0.2: a new sort of trouble", "从 10.0.0.2 连来的 QQ 端：a new sort of trouble"),
        (PersonaError("/srv/me is odd"), "人格的文件夹有问题（/srv/me is odd）"),
        (InputError("a.txt: bad"), "有个文件读不了（a.txt: bad）"),
        (SettingsError("no such knob"), "设置不对（no such knob）"),
        (TrainingError("no run"), "出了问题（no run）"),
        (MyBotError("{why} %s"), "出了问题（{why} %s）"),
        (Unfit("the new persona says nothing"), "新的一句话也不说"),
        ("whatever came over stderr", "whatever came over stderr"),
    ],
)
def test_a_reason_is_said_in_chinese_and_stays_as_it_is_in_english(why: str | Exception, said: str) -> None:
    assert told("zh", why) == said
    assert told("en", why) == str(why)


def test_a_real_error_is_known(tmp_path: Path) -> None:
    with pytest.raises(PersonaError) as missing:
        open_persona(tmp_path)
    assert told("zh", missing.value) == f"{tmp_path} 里没有人格：没有 persona.json"


def lines() -> list[re.Pattern[str]]:
    """Every text of the code that could be a reason, what is filled in as a gap."""
    found: set[str] = set()
    for path in [*ROOT.glob("bot/**/*.py"), *ROOT.glob("plugins/**/*.py")]:
        if path.name == "words.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            plain = [part.value if isinstance(part, ast.Constant) else None for part in parts]
            if sum(len(part) for part in plain if isinstance(part, str)) > 5:
                found.add("".join(re.escape(part) if isinstance(part, str) else ".+" for part in plain))
    return [re.compile(line) for line in found]


def test_every_known_reason_is_one_that_the_code_gives() -> None:
    known = lines()
    for text in words.FAULTS:
        fields = [field for _, field, _, _ in Formatter().parse(text.en) if field]
        line = text.en.format(**dict.fromkeys(fields, "x"))
        assert any(shape.fullmatch(line) for shape in known), f"reworded since? {text.en}"
        assert CHINESE.search(told("zh", line))


def test_of_two_shapes_the_nearer_one_is_taken() -> None:
    for text in words.FAULTS:
        fields = [field for _, field, _, _ in Formatter().parse(text.en) if field]
        values = {field: f"<{field}>" for field in fields}
        assert told("zh", text.en.format(**values)) == text.zh.format(**values)
