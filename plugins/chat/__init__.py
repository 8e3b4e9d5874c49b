"""The persona answers on QQ: messages in, bubbles out.

Adapts a platform to `bot.runner`; works inside any NoneBot, as its startup hook brings up the
engine by itself. Importing it reads no file and no torch.
"""

import nonebot
from nonebot import get_driver, on, on_message, on_notice
from nonebot.adapters.onebot.v11 import Bot as Account, Event, MessageEvent, NoticeEvent
from nonebot.plugin import PluginMetadata

from bot.owner import ours
from config.settings import Bot, Engine, load
from plugins.chat.bridge import Bridge
from plugins.chat.port import OneBotPort

__plugin_meta__ = PluginMetadata(
    name="mybot",
    description="用你的聊天记录训练出来的「你」，在 QQ 上用你的口吻回话",
    usage="私聊直接说；群里 @ 它、引用它或叫它的名字",
    type="application",
    config=Bot,
    supported_adapters={"~onebot.v11"},
)

bridge = Bridge(OneBotPort(nonebot.get_bots))
driver = get_driver()

message = on_message(priority=50, block=False)
own_message = on("message_sent", priority=50, block=False)
notice = on_notice(priority=50, block=False)


@driver.on_startup
async def start() -> None:
    """`mybot run` hands its flags over in NoneBot's config; elsewhere our own settings are read."""
    given = getattr(driver.config, "mybot", None)
    settings = given if isinstance(given, Bot) else load(Bot)
    theirs = {
        "superusers": ours([*settings.superusers, *driver.config.superusers]),
        "nickname": sorted({*settings.nickname, *driver.config.nickname}),
    }
    await bridge.open(settings.model_copy(update=theirs), load(Engine))


@driver.on_shutdown
async def stop() -> None:
    await bridge.close()


@driver.on_bot_connect
async def connected(account: Account) -> None:
    await bridge.connected(account)


@driver.on_bot_disconnect
async def disconnected(account: Account) -> None:
    bridge.disconnected(account)


@message.handle()
async def hear(account: Account, event: MessageEvent) -> None:
    await bridge.hear(account, event)


@own_message.handle()
async def hear_own(account: Account, event: Event) -> None:
    await bridge.hear(account, event)


@notice.handle()
async def note(event: NoticeEvent) -> None:
    await bridge.note(event)
