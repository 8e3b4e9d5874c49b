"""What code says: every text in both languages, none of them unused, and which language a line gets."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import get_args

import pytest

from bot import words
from bot.forget import TABLES
from bot.persona.watch import FEATURES
from bot.rules import MODES
from bot.turn_state import Limit, What
from bot.words import Text, chosen, written_in
from config.settings import ROOT

CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


def modules() -> tuple[ModuleType, ...]:
    from plugins.admin import words as answers

    return words, answers


def texts(module: ModuleType) -> Iterator[tuple[str, Text]]:
    """Every text of a module, by the name that it is said by."""
    for name, value in vars(module).items():
        if isinstance(value, Text):
            yield name, value
        elif isinstance(value, dict | tuple) and name.isupper():
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            for key, part in parts:
                assert isinstance(part, Text)
                yield f"{name}[{key}]", part


def test_every_text_says_the_same_in_both_languages() -> None:
    every = [(name, text) for module in modules() for name, text in texts(module)]
    assert len(every) > 200
    for name, text in every:
        zh, en = (
            [(field, spec) for _, field, spec, _ in Formatter().parse(said) if field] for said in (text.zh, text.en)
        )
        assert sorted(zh) == sorted(en), name
        assert bool(text.zh) == bool(text.en), name
        assert not CHINESE.search(re.sub("服务端|客户端", "", text.en)), name  # menus of NapCat's
        # Only what is typed as it stands is the same in both.
        assert text.zh == text.en or CHINESE.search(text.zh), name


def test_no_text_is_unused() -> None:
    used: set[str] = set()
    for path in [*ROOT.glob("bot/**/*.py"), *ROOT.glob("plugins/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "words" in text else ():
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "words":
                used.add(node.attr)
            elif isinstance(node, ast.ImportFrom) and node.module in ("bot.words", "plugins.admin.words"):
                used |= {alias.name for alias in node.names}
    names = {name.partition("[")[0] for module in modules() for name, _ in texts(module)}
    assert names <= used, names - used


def test_whatever_may_have_to_be_said_can_be() -> None:
    from plugins.admin.roles import Role

    _, answers = modules()
    assert set(words.DID) == set(get_args(What))
    assert set(words.CAPS) == set(get_args(Limit))
    assert set(words.FEATURES) == set(FEATURES)
    assert set(answers.ROLES) == set(Role) - {Role.NOBODY}
    assert set(answers.MODES) == set(answers.SWITCHED) == set(MODES)
    assert set(answers.TABLES) == set(TABLES)


@pytest.mark.parametrize(
    ("lines", "language"),
    [
        (["where are you"], "en"),
        (["在吗"], "zh"),
        (["ok", "那 see you"], "zh"),
        (["666", "?", "…", "😂"], None),
        ([], None),
        (["où es-tu"], "en"),
    ],
)
def test_one_chinese_character_makes_it_chinese(lines: list[str], language: str | None) -> None:
    assert written_in(lines) == language
    assert chosen("auto", lines) == (language or "zh")
    assert chosen("auto", lines, "en") == (language or "en")
    assert chosen("zh", lines) == "zh"
    assert chosen("en", lines) == "en"


READ = {
    "bot/bystanders.py": "lines that are an order by themselves",
    "bot/drafts.py": "the owner's short words",
    "bot/whether_ai.py": "questions",
    "bot/reminding.py": "questions",
    "bot/forget.py": "the name of nobody, in a message",
    "bot/summarising.py": "a prompt",
    "bot/writing.py": "a name in a prompt",
    "bot/engine/echo.py": "the marks of a quotation",
    "bot/engine/trial.py": "questions to a new persona",
    "plugins/admin/__init__.py": "words of commands",
    "plugins/admin/commands.py": "names of commands",
    "plugins/admin/memory.py": "words of commands",
    "plugins/admin/model.py": "words of commands",
    "plugins/admin/people.py": "words of commands",
    "plugins/admin/talk.py": "words of commands",
    "plugins/chat/__init__.py": "what NoneBot lists of a plugin",
}
"""Where Chinese may stand in tables: what is read, and what models are given."""
SPOKEN = {
    "bot/doctor.py": "a menu of NapCat's, in an English sentence",
    "bot/driver.py": "the same",
    "bot/whereabouts.py": "the same",
    "bot/engine/echo.py": "a persona's name",
    "bot/summarising.py": "a prompt",
    "plugins/chat/elsewhere.py": "the name of everybody, in a message",
}
"""Where it may stand in functions."""


def chinese(path: Path) -> tuple[bool, bool]:
    """Whether there are Chinese strings in a file's tables, and in its functions; docstrings don't count."""
    text = path.read_text(encoding="utf-8")
    if not CHINESE.search(text):
        return False, False
    tree = ast.parse(text)
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    inside = {id(node) for function in functions for node in ast.walk(function)}
    plain = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [
        id(node) in inside
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CHINESE.search(node.value)
        and id(node) not in plain
    ]  # fmt: skip
    return not all(found), any(found)


def test_what_is_said_stands_among_the_words_alone() -> None:
    sources = [path for part in ("bot", "plugins") for path in ROOT.glob(f"{part}/**/*.py")]
    of = {path.relative_to(ROOT).as_posix(): chinese(path) for path in sources}
    ours = {
        name: found for name, found in of.items() if not name.startswith("bot/persona/") and "/words.py" not in name
    }
    tables = {name for name, (tables, _) in ours.items() if tables}
    functions = {name for name, (_, functions) in ours.items() if functions}
    assert tables <= set(READ), "what a chat reads belongs into words.py; else say here what it is"
    assert functions <= set(SPOKEN)
