"""Our plugins, loaded once: NoneBot takes each only once in a process."""

import warnings

import nonebot
import pytest


@pytest.fixture(scope="session", autouse=True)
def plugins() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No adapters found")
        assert nonebot.load_plugin("plugins.chat")
        assert nonebot.load_plugin("plugins.admin")
