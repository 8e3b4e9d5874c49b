"""Personas that the engine's tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.personas import byte_tokenizer, make_persona
from tests.toy_serve import make_toy

MakePersona = Callable[..., Path]


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sealed version."""
    return make_persona(tmp_path_factory.mktemp("toy") / "v1", seed=1)


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A persona that never stops by itself, with room for 16,000 tokens."""
    return make_persona(tmp_path_factory.mktemp("endless") / "v1", seed=1, context=16_000, spoil="endless")


@pytest.fixture(scope="session")
def personas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of one persona that never stops by itself; the first is current."""
    folder = tmp_path_factory.mktemp("personas") / "toy"
    for seed, version in enumerate(("v1", "v2")):
        make_persona(folder / version, seed=seed, context=16_000, spoil="endless")
    (folder / "current").write_text("v1\n", encoding="utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A persona of a model without torch (toy_serve.py), with two versions, the first of them current."""
    for version in ("v1", "v2"):
        make_toy(tmp_path / "me" / version)
    (tmp_path / "me" / "current").write_text("v1\n", encoding="utf-8")
    return tmp_path / "me"


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return byte_tokenizer()


@pytest.fixture
def new_persona(tmp_path: Path) -> MakePersona:
    """Make another one: `new_persona("name", seed=3)`."""

    def make(name: str, **options: Any) -> Path:
        return make_persona(tmp_path / name, **options)

    return make
