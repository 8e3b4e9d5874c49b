"""Our plugins, loaded once: NoneBot takes each only once in a process."""

import warnings

import nonebot
import pytest


@pytest.fixture(scope="session", autouse=True)
def plugins() -> None:
    from nonebot.adapters import discord, telegram
    from nonebot.adapters.onebot import v11

    for adapter in (v11.Adapter, telegram.Adapter, discord.Adapter):
        nonebot.get_driver().register_adapter(adapter)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No adapters found")
        assert nonebot.load_plugin("plugins.chat")
        assert nonebot.load_plugin("plugins.admin")
