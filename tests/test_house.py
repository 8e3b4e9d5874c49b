"""The house itself: who may import whom, how large things get, and whether the README's tree is true."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from config.settings import ROOT
from config.table import tomllib

OURS = ("mybot.py", "bot", "config", "plugins", "training")
LINES, FUNCTION = 375, 55
"""About 300 and 40 are meant; beyond these it is surely two ideas."""


def sources() -> list[Path]:
    return sorted(
        path for name in OURS for path in ([ROOT / name] if name.endswith(".py") else ROOT.glob(f"{name}/**/*.py"))
    )


def test_the_import_rules_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(
    ("code", "kept_out"),
    [
        ("import mybot; mybot.usage()", "torch transformers nonebot pydantic rich"),
        ("import mybot; mybot.main(['run', '--help'])", "torch transformers nonebot sqlalchemy"),
        (
            "import nonebot; nonebot.init(driver='~none'); assert nonebot.load_plugin('plugins.admin')",
            "torch transformers",
        ),
        ("import training.importing, training.dataset", "torch transformers nonebot"),
        ("import bot.console, bot.web, bot.app, bot.doctor, bot.engine.worker", "torch transformers gradio"),
        ("import bot.persona.prompt, bot.turns", "torch transformers nonebot sqlalchemy aiohttp"),
    ],
)
def test_what_is_heavy_is_imported_late(code: str, kept_out: str) -> None:
    script = (
        f"import contextlib, sys\nwith contextlib.suppress(SystemExit):\n    {code}\n"
        f"loaded = sorted(set({kept_out.split()!r}) & set(sys.modules))\nassert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # The knobs are one flat list, and a user looks for all of them in one place.
    assert text.count("\n") <= (1000 if path.name == "settings.py" else LINES)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readmes_tree_is_true(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    named = set(re.findall(r"^    ([a-z_/]+/) {2,}", text, re.MULTILINE))
    missing = [name for name in named if not (ROOT / name).is_dir()]
    assert named, "no tree in it"
    assert not missing
    packages = {f"{path.parent.relative_to(ROOT).as_posix()}/" for path in sources() if path.parent != ROOT}
    parents = {f"{part}/" for part in OURS if not part.endswith(".py")}
    assert parents <= named
    assert {package for package in packages if package.count("/") == 2 and package.startswith("bot/")} <= named


def test_no_placeholder_is_left_in_a_readme() -> None:
    for readme in ("README.md", "README.zh-CN.md"):
        assert not re.search(r"^[A-Z_]{6,}$", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_range_holds_the_version_that_is_installed_exactly() -> None:
    """Else pip finds no set to install, and only somebody with a fresh clone notices."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line]
    exact = {canonicalize_name(one.name): one for one in map(Requirement, lines)}
    wanted = project["dependencies"] + [one for extra in project["optional-dependencies"].values() for one in extra]
    for requirement in map(Requirement, wanted):
        if requirement.name == "mybot" or not (requirement.marker is None or requirement.marker.evaluate()):
            continue
        pinned = exact[canonicalize_name(requirement.name)].specifier
        assert any(requirement.specifier.contains(one.version) for one in pinned), f"{requirement}: {pinned}"
