"""The persona answers on QQ and wherever else NoneBot has an adapter: messages in, bubbles out.

Adapts a platform to `bot.runner`; works inside any NoneBot, as its startup hook brings up the
engine by itself. Importing it reads no file and no torch.
"""

import nonebot
from nonebot import get_driver, on, require
from nonebot.adapters import Bot as BaseBot, Event as BaseEvent
from nonebot.adapters.onebot.v11 import Bot as Account, Event, MessageEvent, NoticeEvent
from nonebot.plugin import PluginMetadata, inherit_supported_adapters

from bot import words
from bot.faults import told
from bot.owner import ours
from bot.words import Language
from config.settings import Bot, Engine, load

require("nonebot_plugin_alconna")

from plugins.chat.bridge import Bridge  # noqa: E402
from plugins.chat.ports import Ports  # noqa: E402

__plugin_meta__ = PluginMetadata(
    name="mybot",
    description="用你的聊天记录训练出来的「你」，在 QQ 上用你的口吻回话",
    usage="私聊直接说；群里 @ 它、引用它或叫它的名字",
    type="application",
    config=Bot,
    supported_adapters=inherit_supported_adapters("nonebot_plugin_alconna"),
)

bridge = Bridge(Ports(nonebot.get_bots))
driver = get_driver()

# One matcher for all: each costs a fifth of a millisecond an event, whether it is wanted or not.
anything = on(priority=50, block=False)


def troubles(language: Language) -> str:
    """What our driver says of connections that don't come about; another driver says nothing."""
    said: dict[str, str] = getattr(driver, "said", {})
    return words.WHY_NEXT(language).join(told(language, f"{place}: {cause}") for place, cause in said.items() if cause)


@driver.on_startup
async def start() -> None:
    """`mybot run` hands its flags over in NoneBot's config; elsewhere our own settings are read."""
    given = getattr(driver.config, "mybot", None)
    settings = given if isinstance(given, Bot) else load(Bot)
    theirs = {
        "superusers": ours([*settings.superusers, *driver.config.superusers]),
        "nickname": sorted({*settings.nickname, *driver.config.nickname}),
    }
    await bridge.open(settings.model_copy(update=theirs), load(Engine), why=troubles)


@driver.on_shutdown
async def stop() -> None:
    await bridge.close()


@driver.on_bot_connect
async def connected(account: BaseBot) -> None:
    await bridge.connected(account)


@driver.on_bot_disconnect
async def disconnected(account: BaseBot) -> None:
    bridge.disconnected(account)


@anything.handle()
async def take(account: BaseBot, event: BaseEvent) -> None:
    """Tell the bridge of an event, by what it is."""
    if isinstance(account, Account) and isinstance(event, Event):
        await _on_qq(account, event)
    elif event.get_type() == "message":
        await bridge.hear_elsewhere(account, event)
    elif event.get_type() == "notice":
        await bridge.note_elsewhere(account, event)


async def _on_qq(account: Account, event: Event) -> None:
    # What we wrote ourselves comes as the bare base event.
    if isinstance(event, MessageEvent) or event.post_type == "message_sent":
        await bridge.hear(account, event)
        return
    bridge.heed(event)
    if isinstance(event, NoticeEvent):
        await bridge.note(account, event)
