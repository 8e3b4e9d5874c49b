"""Filter: chats, days, bots and commands; what is left out is counted, what is flagged stays."""

from collections import Counter
from datetime import date

import pytest

from bot.persona.message import Message, Segment
from config.errors import InputError, SettingsError
from config.settings import Dataset
from training.filter import Filter
from training.written import Written

START = 1_700_000_000  # 2023-11-15 06:13 in +08:00


def said(chat: str, text: str = "嗯", *, sender: str = "2", time: int = START, name: str = "阿泽") -> Message:
    kind = "group" if ":group:" in chat else "private"
    return Message(f"{chat}{time}{text}", chat, kind, time, sender, name, [Segment("text", text)], sender == "1")


def filtered(knobs: Dataset, *messages: Message, written: Written | None = None) -> tuple[list[Message], Counter[str]]:
    dropped: Counter[str] = Counter()
    wanted = Filter(knobs, written or Written())
    kept = list(wanted.messages(messages, dropped))
    wanted.check()
    return kept, dropped


def test_chats_are_named_by_key_number_or_name() -> None:
    chats = [said("qq:group:7"), said("qq:private:8"), said("qq:private:9")]
    for name in ("qq:group:7", "7"):
        kept, dropped = filtered(Dataset(include=[name]), *chats)
        assert [m.chat for m in kept] == ["qq:group:7"]
        assert dropped == {"chat_not_included": 2}
    kept, dropped = filtered(Dataset(exclude=["8", "9"]), *chats)
    assert [m.chat for m in kept] == ["qq:group:7"]
    assert dropped == {"chat_excluded": 2}
    with pytest.raises(InputError, match="no chat is called 77"):
        filtered(Dataset(exclude=["77"]), *chats)


def test_days_are_whole_days_of_the_zone() -> None:
    midnight = 1_700_064_000  # 2023-11-16 00:00 in +08:00
    messages = [
        said("qq:group:7", str(at), time=at) for at in (midnight - 1, midnight, midnight + 86399, midnight + 86400)
    ]
    kept, dropped = filtered(Dataset(since=date(2023, 11, 16), until=date(2023, 11, 16)), *messages)
    assert [m.time for m in kept] == [midnight, midnight + 86399]
    assert dropped == {"other_days": 2}
    kept, _ = filtered(Dataset(since=date(2023, 11, 16), tz="+00:00"), *messages)
    assert [m.time for m in kept] == [midnight + 86399, midnight + 86400]
    with pytest.raises(SettingsError, match="before since"):
        Filter(Dataset(since=date(2024, 1, 1), until=date(2023, 1, 1)), Written())


def test_bots_and_commands_stay_as_context_and_are_nobodys_words() -> None:
    messages = [
        said("qq:group:7", "签到成功", sender="2854196310"),
        said("qq:group:7", "今日运势", sender="66", name="小助手"),
        said("qq:group:7", "/help", sender="1"),
        said("qq:group:7", "/就这样吧", sender="1"),
        said("qq:group:7", "/help", sender="2"),
    ]
    kept, dropped = filtered(Dataset(bots=["小助手"]), *messages)
    assert [m.flags for m in kept] == [("bot",), ("bot",), ("command",), (), ()]
    assert not dropped
    assert [m.learnable for m in kept] == [False, False, False, True, False]
    kept, dropped = filtered(Dataset(), said("qq:private:2854196310", sender="1"))
    assert not kept
    assert dropped == {"chat_with_a_bot": 1}
    with pytest.raises(SettingsError, match="commands"):
        Filter(Dataset(commands="("), Written())


def test_a_private_chat_with_somebody_called_a_bot_is_left_out_by_number() -> None:
    kept, dropped = filtered(Dataset(bots=["66"]), said("qq:private:66", sender="1"), said("qq:group:7"))
    assert [m.chat for m in kept] == ["qq:group:7"]
    assert dropped == {"chat_with_a_bot": 1}


def test_what_the_bot_wrote_under_my_account_is_not_mine() -> None:
    written = Written()
    written.add("好的 明天见", "private", START + 60)
    mine = said("qq:private:8", "好的明天见", sender="1")
    later = said("qq:private:8", "好的明天见", sender="1", time=START + 3600)
    kept, _ = filtered(Dataset(), mine, later, written=written)
    assert [m.flags for m in kept] == [("bot",), ()]
