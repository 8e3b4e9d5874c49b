"""Telegram and Discord beside QQ: the adapters' own events, through the real plugin, to calls of their APIs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nonebot
import pytest
from nonebot.adapters import discord, telegram
from nonebot.adapters.discord.api import MessageGet, Snowflake, User
from nonebot.adapters.discord.config import BotInfo
from nonebot.adapters.telegram.config import BotConfig
from nonebug import App

from bot.persona.message import Message, Segment
from config.settings import Bot, Engine

OWNER, FRIEND, ME, BEI = 20001, 20002, 10000, 10001
GROUP, CHANNEL, DIRECT = -1001234, 7100, 7200

Calls = list[tuple[str, dict[str, Any]]]


class Server:
    """Stands for a platform's API: keeps the calls, and answers them in the platform's own shapes."""

    def __init__(self) -> None:
        self.calls: Calls = []
        self.fails: set[str] = set()

    async def telegram(self, bot: Any, api: str, **data: Any) -> Any:
        self._keep(api, data)
        if api == "send_message":
            chat = {"id": data["chat_id"], "type": "private"}
            return {"message_id": 900 + len(self.calls), "date": int(time.time()), "chat": chat}
        return True

    async def discord(self, bot: Any, api: str, **data: Any) -> Any:
        self._keep(api, data)
        if api == "create_message":
            return discord_message(900 + len(self.calls), int(data["channel_id"]), BEI, "", cls=MessageGet)
        if api == "create_DM":
            return type("Channel", (), {"id": Snowflake(DIRECT)})()
        if api == "get_channel":
            return type("Channel", (), {"name": "闲聊"})()
        if api == "get_channel_message":
            return discord_message(int(data["message_id"]), int(data["channel_id"]), BEI, "以前说的", cls=MessageGet)
        return None

    async def onebot(self, bot: Any, api: str, **data: Any) -> Any:
        self._keep(api, data)
        return {"message_id": 900 + len(self.calls)}

    def named(self, *apis: str) -> list[dict[str, Any]]:
        return [data for api, data in self.calls if api in apis]

    async def until(self, number: int, api: str) -> list[dict[str, Any]]:
        end = time.monotonic() + 10
        while len(self.named(api)) < number:
            assert time.monotonic() < end, self.calls
            await asyncio.sleep(0.01)
        return self.named(api)

    def _keep(self, api: str, data: dict[str, Any]) -> None:
        self.calls.append((api, {key: value for key, value in data.items() if value is not None}))
        if api in self.fails:
            raise telegram.exception.ActionFailed("refused")


@asynccontextmanager
async def opened(
    app: App, folder: Path, monkeypatch: pytest.MonkeyPatch, **knobs: Any
) -> AsyncIterator[tuple[Any, Server, Any]]:
    """The plugin's bridge with an echo for a model, the platforms, and what makes their bots."""
    from plugins.chat import bridge

    server = Server()
    given: dict[str, Any] = {
        "superusers": ["telegram:20001", "discord:20001"],
        "chats": [f"telegram:group:{GROUP}", f"group:{CHANNEL}", f"private:{DIRECT}"],
        "nickname": ["小北"],
        "debounce": 0.05,
        "delays": 0,
        "disclosure": False,
        "backfill": 0,
        "database": f"sqlite+aiosqlite:///{folder}/history.db",
    }
    await bridge.open(Bot(**{**given, **knobs}), Engine(persona=Path("echo")))
    try:
        async with app.test_api() as context:
            for name in ("Telegram", "Discord", "OneBot V11"):
                adapter = nonebot.get_adapter(name)
                monkeypatch.setattr(adapter, "_call_api", getattr(server, name.split()[0].lower()))
            yield bridge, server, context
    finally:
        await bridge.close()


def telegram_bot(context: Any) -> Any:
    bot = context.create_bot(
        base=telegram.Bot, adapter=nonebot.get_adapter("Telegram"), self_id=str(ME), config=BotConfig(token=f"{ME}:x")
    )
    bot.username = "beibot"
    return bot


def discord_bot(context: Any) -> Any:
    bot = context.create_bot(
        base=discord.Bot, adapter=nonebot.get_adapter("Discord"), self_id=str(BEI), bot_info=BotInfo(token="x")
    )
    bot.self_info = User(id=Snowflake(BEI), username="beibot", discriminator="0", avatar=None, global_name="小北")
    return bot


def telegram_event(number: int, text: str, user: int = FRIEND, group: bool = True, **fields: Any) -> Any:
    chat = {"id": GROUP, "type": "supergroup", "title": "爬山"} if group else {"id": user, "type": "private"}
    sender = {"id": user, "is_bot": fields.pop("is_bot", False), "first_name": "泽", "last_name": "阿"}
    row = {"message_id": number, "date": int(time.time()), "chat": chat, "from": sender}
    words = {"text": text} if text else {}
    return telegram.Event.parse_event({"update_id": number, "message": {**row, **words, **fields}})


def discord_message(number: int, channel: int, user: int, content: str, *, cls: Any, **fields: Any) -> Any:
    known = {
        "id": number,
        "channel_id": channel,
        "author": {"id": user, "username": "aze", "discriminator": "0", "avatar": None, "global_name": "阿泽"},
        "content": content,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
    }
    known["author"] |= fields.pop("author", {})
    return cls.model_validate({**known, **fields})


def discord_event(number: int, content: str, user: int = FRIEND, group: bool = True, **fields: Any) -> Any:
    from nonebot.adapters.discord.event import DirectMessageCreateEvent, GuildMessageCreateEvent

    if group:
        return discord_message(number, CHANNEL, user, content, cls=GuildMessageCreateEvent, guild_id=7000, **fields)
    return discord_message(number, DIRECT, user, content, cls=DirectMessageCreateEvent, **fields)


async def kept(bridge: Any, chat: str) -> list[Message]:
    return await bridge._history.recent(chat, 50)


async def test_telegram(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(app, tmp_path, monkeypatch) as (bridge, server, context):
        bot = telegram_bot(context)
        say = bot.handle_event
        await say(telegram_event(1, "没人叫它"))
        await say(telegram_event(2, "在吗", OWNER, group=False))
        sent = await server.until(1, "send_message")
        assert (str(sent[0]["chat_id"]), sent[0]["text"]) == (str(OWNER), "在吗")
        assert server.named("send_chat_action")
        await say(telegram_event(3, "陌生人", 20009, group=False))
        mention = [{"type": "mention", "offset": 2, "length": 7}]
        await say(telegram_event(4, "你看@beibot 行吗", entities=mention))
        sent = await server.until(2, "send_message")
        assert str(sent[1]["chat_id"]) == str(GROUP)
        assert "行吗" in sent[1]["text"]
        mine = {"message_id": 901, "date": 1, "chat": {"id": GROUP, "type": "supergroup"}, "text": "我的"}
        mine["from"] = {"id": ME, "is_bot": True, "first_name": "小北"}
        await say(telegram_event(5, "引用你的", reply_to_message=mine))
        await server.until(3, "send_message")
        await say(telegram_event(6, "问小北吧", is_bot=True))
        await say(telegram_event(6, "同一条"))
        await say(telegram_event(7, "自己的", ME))
        await say(telegram_event(8, "小北呢"))
        await server.until(4, "send_message")
        await asyncio.sleep(0.3)
        assert len(server.named("send_message")) == 4
        lines = await kept(bridge, f"telegram:group:{GROUP}")
        assert [m.id for m in lines if not m.mine] == ["1", "4", "5", "6", "8"]
        assert lines[0].chat_name == "爬山"
        assert lines[0].name == "泽 阿"
        assert next(m for m in lines if m.id == "4").text.startswith("你看@")
        assert next(m for m in lines if m.id == "5").reply_to == "901"
        assert next(m for m in lines if m.id == "6").flags == ("bot",)
        assert not await kept(bridge, "telegram:private:20009")


async def test_discord(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(app, tmp_path, monkeypatch) as (bridge, server, context):
        bot = discord_bot(context)
        say = bot.handle_event
        await say(discord_event(1, "没人叫它"))
        await say(discord_event(2, "在吗", OWNER, group=False))
        sent = await server.until(1, "create_message")
        assert (int(sent[0]["channel_id"]), sent[0]["content"]) == (DIRECT, "在吗")
        assert server.named("trigger_typing_indicator")
        me = {"id": BEI, "username": "beibot", "discriminator": "0", "avatar": None, "global_name": "小北"}
        await say(discord_event(3, f"你看 <@{BEI}> 行吗", mentions=[me]))
        sent = await server.until(2, "create_message")
        assert int(sent[1]["channel_id"]) == CHANNEL
        assert sent[1]["allowed_mentions"].parse == []
        reference = {"message_id": 901, "channel_id": CHANNEL, "guild_id": 7000}
        await say(discord_event(4, "引用你的", message_reference=reference))
        await server.until(3, "create_message")
        await say(discord_event(5, "小北 在吗", author={"bot": True}))
        await say(discord_event(6, "自己的", BEI))
        await say(discord_event(7, "问小北吧"))
        await server.until(4, "create_message")
        await asyncio.sleep(0.3)
        assert len(server.named("create_message")) == 4
        lines = await kept(bridge, f"discord:group:{CHANNEL}")
        assert [m.id for m in lines if not m.mine] == ["1", "3", "4", "5", "7"]
        assert lines[0].chat_name == "闲聊"
        assert len(server.named("get_channel")) == 1
        assert (lines[0].sender, lines[0].name) == (str(FRIEND), "阿泽")
        assert next(m for m in lines if m.id == "3").text.startswith("你看 @")
        assert next(m for m in lines if m.id == "5").flags == ("bot",)


async def test_quotes_mentions_reactions_and_taking_back(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.port import Unsent

    async with opened(app, tmp_path, monkeypatch) as (bridge, server, context):
        chat, port = f"telegram:group:{GROUP}", bridge.port
        with pytest.raises(Unsent):
            await port.send(chat, "没人在", None)
        bot = telegram_bot(context)
        await bot.handle_event(telegram_event(3, "早"))
        sent = await port.send(chat, "[CQ:at,qq=all] 早", "3", str(FRIEND))
        call = server.named("send_message")[0]
        assert call["reply_parameters"].message_id == 3
        assert call["text"].endswith("[CQ:at,qq=all] 早")
        assert [entity.url for entity in call["entities"]] == [f"tg://user?id={FRIEND}"]
        assert await port.react(chat, "3")
        assert not await port.react(chat, "77")
        assert await port.unsend(chat, sent)
        assert not await port.unsend(chat, sent)
        assert server.named("delete_message")[0]["message_id"] == int(sent)
        server.fails.add("send_message")
        with pytest.raises(Unsent) as refused:
            await port.send(chat, "一句私话", None)
        assert "私话" not in str(refused.value)
        assert not port.has_faces(chat)


async def test_discord_calls_nobody_by_a_word(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(app, tmp_path, monkeypatch) as (bridge, server, context):
        bot, chat = discord_bot(context), f"discord:group:{CHANNEL}"
        await bot.handle_event(discord_event(3, "早"))
        sent = await bridge.port.send(chat, "@everyone 早", "3", str(FRIEND))
        call = server.named("create_message")[0]
        assert call["allowed_mentions"].parse == []
        assert [int(one) for one in call["allowed_mentions"].users] == [FRIEND]
        assert int(call["message_reference"].message_id) == 3
        assert f"<@{FRIEND}>" in call["content"]
        assert await bridge.port.react(chat, "3")
        assert await bridge.port.unsend(chat, sent)
        assert int(server.named("delete_message")[0]["message_id"]) == int(sent)


async def test_an_owner_on_discord_is_shown_drafts_and_decides_by_quoting(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs: dict[str, Any] = {"superusers": [f"discord:{OWNER}"], "mode": "draft", "chats": [f"group:{CHANNEL}"]}
    async with opened(app, tmp_path, monkeypatch, **knobs) as (bridge, server, context):
        bot = discord_bot(context)
        for number in (3, 4):
            # The second one takes the first one's place.
            await bot.handle_event(discord_event(number, "小北 来吗"))
            notes = await server.until(number - 2, "create_message")
        assert [int(call["recipient_id"]) for call in server.named("create_DM")] == [OWNER]
        assert {int(note["channel_id"]) for note in notes} == {DIRECT}
        assert notes[1]["content"].startswith("草稿 #2（闲聊）")
        newest = next(id_ for (_, _, id_), number in bridge.runner.drafts._notes.items() if number == 2)
        reference = {"message_id": int(newest), "channel_id": DIRECT}
        await bot.handle_event(discord_event(9, "发", OWNER, group=False, message_reference=reference))
        calls = await server.until(4, "create_message")
        assert {int(call["channel_id"]) for call in calls[2:]} == {DIRECT, CHANNEL}
        assert any(call["content"] == "发了 #2" for call in calls[2:])
        # The owner's own chat is called by its channel there, and is nonetheless theirs: no draft of what they get.
        await bot.handle_event(discord_event(10, "那我呢", OWNER, group=False))
        assert (await server.until(5, "create_message"))[4]["content"] == "那我呢"


async def test_a_private_chat_on_discord_that_is_known_by_its_channel_is_reached(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(app, tmp_path, monkeypatch) as (bridge, server, context):
        discord_bot(context)
        server.fails = {"create_DM"}
        await bridge.port.send("discord:private:7999", "早", None)
        assert [int(call["channel_id"]) for call in server.named("create_message")] == [7999]
        assert server.named("create_DM")


async def test_t08_a_message_deleted_on_discord_is_not_answered(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nonebot.adapters.discord.event import GuildMessageDeleteEvent

    async with opened(app, tmp_path, monkeypatch, debounce=0.3) as (bridge, server, context):
        bot = discord_bot(context)
        await bot.handle_event(discord_event(3, "小北在吗"))
        await bot.handle_event(GuildMessageDeleteEvent(id=3, channel_id=CHANNEL, guild_id=7000))
        await asyncio.sleep(0.6)
        assert not server.named("create_message")
        assert not await kept(bridge, f"discord:group:{CHANNEL}")


async def test_t06_the_same_number_on_another_platform_is_another_chat_and_no_owner(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(app, tmp_path, monkeypatch, superusers=["20001"], chats=[]) as (bridge, server, context):
        await telegram_bot(context).handle_event(telegram_event(1, "我是主人", OWNER, group=False))
        await asyncio.sleep(0.3)
        assert not server.named("send_message")
        assert bridge.runner.is_on(f"qq:private:{OWNER}")
        assert not bridge.runner.is_on(f"telegram:private:{OWNER}", str(OWNER))


async def test_t20_media_of_other_platforms(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same placeholders as in Telegram's and Discord's exports, a picture before its caption on Telegram."""
    photo = [{"file_id": "p", "file_unique_id": "p", "width": 1, "height": 1}]
    sticker = {"file_id": "s", "file_unique_id": "s", "type": "regular", "width": 1, "height": 1}
    sticker |= {"is_animated": False, "is_video": False}
    voice = {"file_id": "v", "file_unique_id": "v", "duration": 1}
    # A place is left out: the adapter itself breaks on one (nonebot-adapter-telegram 0.1.0b20).
    link = [{"type": "text_link", "offset": 0, "length": 2, "url": "https://x.invalid"}]
    picture = {"id": 1, "filename": "a.png", "size": 1, "url": "https://x.invalid", "proxy_url": "https://x.invalid"}
    async with opened(app, tmp_path, monkeypatch) as (bridge, _, context):
        say = telegram_bot(context).handle_event
        await say(telegram_event(1, "", photo=photo, caption="看"))
        await say(telegram_event(2, "", sticker=sticker))
        await say(telegram_event(3, "", voice=voice))
        await say(telegram_event(4, "这里 有", entities=link))
        lines = await kept(bridge, f"telegram:group:{GROUP}")
        assert [m.text for m in lines] == ["[图片]看", "[表情]", "[语音]", "这里 有"]
        bot = discord_bot(context)
        await bot.handle_event(discord_event(1, "看", attachments=[picture]))
        await bot.handle_event(discord_event(2, "", sticker_items=[{"id": 1, "name": "x", "format_type": 1}]))
        await bot.handle_event(discord_event(3, "@everyone 来<@20009>", mention_everyone=True))
        lines = await kept(bridge, f"discord:group:{CHANNEL}")
        assert [m.text for m in lines[:2]] == ["看[图片]", "[表情]"]
        assert "@20009 " in lines[2].text


async def test_a_bubble_on_qq_is_segments(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words, an @, a quote, a face and a sticker by their numbers: never CQ code, never an address."""
    from nonebot.adapters.onebot.v11 import Bot as OneBot

    async with opened(app, tmp_path, monkeypatch) as (bridge, server, context):
        context.create_bot(base=OneBot, adapter=nonebot.get_adapter("OneBot V11"), self_id="10009")
        port, chat = bridge.port, "qq:group:7001"
        faces = ["178", "231182/0a1b/9f8e"]
        sent = await port.send(chat, "[CQ:at,qq=all]好[表情][表情][表情]", "41", str(FRIEND), faces)
        content = server.named("send_group_msg")[0]["message"]
        assert [(part.type, dict(part.data)) for part in content] == [
            ("reply", {"id": "41"}),
            ("at", {"qq": str(FRIEND)}),
            ("text", {"text": " [CQ:at,qq=all]好"}),
            ("face", {"id": "178"}),
            ("mface", {"emoji_package_id": 231182, "emoji_id": "0a1b", "key": "9f8e", "summary": "[表情]"}),
        ]
        await port.send(chat, "[表情]", None, None, ["14"])
        assert [part.type for part in server.named("send_group_msg")[1]["message"]] == ["face"]
        assert port.has_faces(chat)
        assert await port.react(chat, "41")
        assert server.named("set_msg_emoji_like") == [{"message_id": 41, "emoji_id": "76"}]
        assert not await port.react("qq:private:20001", "41")
        assert await port.unsend(chat, sent)
        assert not await port.unsend(chat, "sent-abc")
        assert server.named("delete_msg") == [{"message_id": int(sent)}]


async def test_t27_what_a_restart_left_on_qq_waits_for_qq(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nonebot.adapters.onebot.v11 import Bot as OneBot

    async with opened(app, tmp_path, monkeypatch, chats=["private:20002"]) as (bridge, _, _):
        bridge.runner.hold()
        words = [Segment("text", "关机前问的")]
        chat = "qq:private:20002"
        await bridge.runner.hear(Message("41", chat, "private", int(time.time()), "20002", "泽", words))
    knobs = {"chats": ["private:20002"], "port": 3001}
    async with opened(app, tmp_path, monkeypatch, **knobs) as (bridge, server, context):
        telegram_bot(context)
        await asyncio.sleep(0.3)
        assert not server.named("send_private_msg")
        context.create_bot(base=OneBot, adapter=nonebot.get_adapter("OneBot V11"), self_id="10009")
        assert (await server.until(1, "send_private_msg"))[0]["user_id"] == 20002
