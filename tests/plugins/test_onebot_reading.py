"""OneBot v11 events → our messages: shapes of NapCat, LLBot and go-cqhttp, with words of our own."""

import importlib
import json
import math
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from nonebot.adapters.onebot.v11 import Adapter, Event

ME, OWNER, GROUP = 10000, 20001, 70001


@pytest.fixture(scope="module")
def onebot() -> ModuleType:
    return importlib.import_module("plugins.chat.onebot")


def event(*message: dict[str, Any] | str, kind: str = "group", **fields: Any) -> Event:
    """An event as it comes over the wire; a single string is a message in CQ format."""
    content: Any = message[0] if len(message) == 1 and isinstance(message[0], str) else list(message)
    row: dict[str, Any] = {
        "time": 1_790_000_000,
        "self_id": ME,
        "post_type": "message",
        "message_type": kind,
        "sub_type": "normal" if kind == "group" else "friend",
        "user_id": OWNER,
        "message_id": 41,
        "message_seq": 41,
        "message": content,
        "raw_message": "…",
        "font": 14,
        "sender": {"user_id": OWNER, "nickname": "阿泽", "card": ""},
    }
    if kind == "group":
        row["group_id"] = GROUP
    parsed = Adapter.json_to_event({**row, **fields})
    assert parsed is not None
    return parsed


def seg(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}


def test_a_group_line(onebot: ModuleType) -> None:
    heard = onebot.read(event(seg("text", text="晚上吃啥")))
    message = heard.message
    assert (message.id, message.chat, message.kind, message.time) == ("41", "qq:group:70001", "group", 1_790_000_000)
    assert (message.sender, message.name, message.text, message.mine) == ("20001", "阿泽", "晚上吃啥", False)
    assert not heard.addressed


def test_a_private_line(onebot: ModuleType) -> None:
    heard = onebot.read(event(seg("text", text="在吗"), kind="private"))
    assert heard.message.chat == "qq:private:20001"
    assert heard.message.kind == "private"


def test_the_card_names_a_member_before_the_nickname(onebot: ModuleType) -> None:
    card = {"user_id": OWNER, "nickname": "阿泽", "card": "泽哥"}
    assert onebot.read(event(seg("text", text="1"), sender=card)).message.name == "泽哥"
    nobody = {"user_id": OWNER, "nickname": "　", "card": ""}
    assert onebot.read(event(seg("text", text="1"), sender=nobody)).message.name == "20001"


@pytest.mark.parametrize("qq", [ME, str(ME)])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_at_anywhere_addresses_me(onebot: ModuleType, qq: int | str, place: int) -> None:
    parts = [seg("text", text="你看"), seg("text", text="行不行")]
    parts.insert(place, seg("at", qq=qq))
    heard = onebot.read(event(*parts), onebot.Known("小北"))
    assert heard.addressed
    assert "@小北 " in heard.message.text


def test_an_at_of_others_and_of_all_does_not_address_me(onebot: ModuleType) -> None:
    heard = onebot.read(event(seg("at", qq="20002", name="@小鹿"), seg("at", qq="all"), seg("text", text="来")))
    assert not heard.addressed
    assert heard.message.text == "@小鹿 @全体成员 来"
    known = onebot.read(event(seg("at", qq=20002)), onebot.Known(names={"20002": "鹿鹿"}))
    assert known.message.text == "@鹿鹿 "


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("小北在吗", True),
        ("这个问小北吧", True),
        ("北边", False),
        ("Bei, come", True),
        ("beijing", False),
        ("问bei啊", True),
    ],
)
def test_a_nickname_addresses_me(onebot: ModuleType, text: str, called: bool) -> None:
    assert onebot.read(event(seg("text", text=text)), onebot.Known(nicknames=("小北", "bei"))).addressed is called


def test_a_quote_is_kept_by_id_and_is_no_text(onebot: ModuleType) -> None:
    message = onebot.read(event(seg("reply", id="1381063063"), seg("text", text="啊啊"))).message
    assert (message.reply_to, message.text) == ("1381063063", "啊啊")


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (seg("image", file="A.png", sub_type=0, url="https://x.invalid"), "[图片]"),
        (seg("image", file="A.gif", subType=1), "[表情]"),
        (seg("mface", emoji_id="1"), "[表情]"),
        (seg("face", id="178", raw={"faceIndex": 178, "faceText": None}), "[表情]"),
        (seg("face", id=63), "[表情]"),
        (seg("record", file="a.amr"), "[语音]"),
        (seg("video", file="a.mp4"), "[视频]"),
        (seg("file", file="表.xlsx"), "[文件]"),
        (seg("forward", id="7", content=[{"message": "别人的话"}]), "[聊天记录]"),
        (seg("json", data='{"app": "com.tencent.miniapp_01", "prompt": "[QQ小程序]"}'), "[卡片]"),
        (seg("json", data='{"app": "com.tencent.multimsg"}'), "[聊天记录]"),
        (seg("json", data="not json"), "[卡片]"),
        (seg("json", data="[]"), "[卡片]"),
        (seg("location", lat="1"), "[位置]"),
        (seg("poke"), "[戳一戳]"),
        (seg("something_new"), "[未知消息]"),
    ],
)
def test_media_become_the_placeholders_of_training(onebot: ModuleType, part: dict[str, Any], shown: str) -> None:
    assert onebot.read(event(part)).message.text == shown


def test_cq_strings_say_the_same(onebot: ModuleType) -> None:
    heard = onebot.read(
        event(f"[CQ:reply,id=9][CQ:at,qq={ME}] 你好&#91;世界&#93;[CQ:face,id=63]", message_format="string")
    )
    assert heard.addressed
    assert heard.message.reply_to == "9"
    assert [s.type for s in heard.message.segments] == ["at", "text", "face"]
    assert heard.message.text == "@10000 你好[世界][表情]"


def test_text_that_looks_like_cq_code_stays_text(onebot: ModuleType) -> None:
    heard = onebot.read(event(seg("text", text=f"[CQ:at,qq={ME}]")))
    assert not heard.addressed
    assert heard.message.text == f"[CQ:at,qq={ME}]"


def test_what_nonebot_cut_off_is_still_read(onebot: ModuleType) -> None:
    cut = event(seg("at", qq=ME), seg("text", text="在吗"))
    del cut.message[0]  # pyright: ignore[reportAttributeAccessIssue]
    assert onebot.read(cut, onebot.Known("小北")).message.text == "@小北 在吗"


@pytest.mark.parametrize("post_type", ["message", "message_sent"])
def test_what_my_account_wrote_is_mine_and_addresses_nobody(onebot: ModuleType, post_type: str) -> None:
    own = {"user_id": ME, "post_type": post_type, "sender": {"user_id": ME, "nickname": "我"}}
    in_group = onebot.read(event(seg("at", qq=ME), seg("text", text="我说的"), **own))
    assert in_group.message.mine
    assert in_group.message.chat == "qq:group:70001"
    assert not in_group.addressed
    alone = onebot.read(event(seg("text", text="我说的"), kind="private", target_id=OWNER, **own))
    assert alone.message.chat == "qq:private:20001"
    assert onebot.read(event(seg("text", text="?"), kind="private", target_id=ME, **own)) is None
    assert onebot.read(event(seg("text", text="?"), kind="private", **own)) is None


def test_nothing_is_made_of_nothing(onebot: ModuleType) -> None:
    assert onebot.read(event()) is None
    assert onebot.read(event(seg("reply", id="3"))) is None
    assert onebot.read(event(seg("text", text=""))) is None


def notice(**fields: Any) -> Any:
    return Adapter.json_to_event({"time": 1_790_000_000, "self_id": ME, "post_type": "notice", **fields})


def test_recalls(onebot: ModuleType) -> None:
    group = notice(notice_type="group_recall", group_id=GROUP, user_id=OWNER, operator_id=OWNER, message_id=-146)
    assert onebot.notice(group) == onebot.Recalled("qq:group:70001", "-146")
    friend = notice(notice_type="friend_recall", user_id=OWNER, message_id=-31)
    assert onebot.notice(friend) == onebot.Recalled("qq:private:20001", "-31")


@pytest.mark.parametrize(
    ("user", "sub_type", "duration", "until"),
    [
        (ME, "ban", 600, 1_790_000_600.0),
        (ME, "lift_ban", 0, 0.0),
        (0, "ban", -1, math.inf),
        (0, "ban", 0, math.inf),
        (0, "lift_ban", 0, 0.0),
    ],
)
def test_bans_of_mine(onebot: ModuleType, user: int, sub_type: str, duration: int, until: float) -> None:
    ban = notice(
        notice_type="group_ban", sub_type=sub_type, group_id=GROUP, user_id=user, operator_id=1, duration=duration
    )
    assert onebot.notice(ban) == onebot.Muted("qq:group:70001", until)


def test_other_notices_are_none_of_ours(onebot: ModuleType) -> None:
    ban = notice(notice_type="group_ban", sub_type="ban", group_id=1, user_id=OWNER, operator_id=1, duration=60)
    assert onebot.notice(ban) is None
    poke = {"notice_type": "notify", "sub_type": "poke", "group_id": 1}
    assert onebot.notice(notice(**poke, target_id=OWNER, user_id=20002)) is None
    assert onebot.notice(notice(**poke, target_id=ME, user_id=ME)) is None
    assert onebot.notice(notice(notice_type="group_msg_emoji_like", group_id=1, likes=[])) is None


values = st.one_of(st.none(), st.text(max_size=8), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2))


@given(
    st.lists(
        st.builds(
            lambda kind, data: {"type": kind, "data": data},
            st.sampled_from(["text", "at", "face", "image", "json", "file", "reply", "forward", "odd"]),
            st.dictionaries(st.sampled_from(["text", "qq", "id", "name", "raw", "data", "sub_type", "file"]), values),
        ),
        max_size=4,
    )
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_segment_breaks_the_reading(onebot: ModuleType, parts: list[dict[str, Any]]) -> None:
    heard = onebot.read(event(*parts))
    if heard is not None:
        assert heard.message.segments
        assert json.loads(heard.message.to_json())["chat"] == "qq:group:70001"


def test_t30_a_poke_at_me_is_a_message_of_who_poked(onebot: ModuleType) -> None:
    fields = {"notice_type": "notify", "sub_type": "poke", "target_id": ME, "user_id": OWNER, "raw_info": [{}, None]}
    group = onebot.notice(notice(**fields, group_id=GROUP))
    assert (group.chat, group.kind, group.sender, group.text) == ("qq:group:70001", "group", "20001", "[戳一戳]")
    assert onebot.notice(notice(**fields, sender_id=OWNER)).chat == "qq:private:20001"


def test_bots_are_flagged(onebot: ModuleType) -> None:
    line = seg("text", text="签到成功")
    assert onebot.read(event(line)).message.flags == ()
    assert onebot.read(event(line, user_id=2854196310)).message.flags == ("bot",)
    assert onebot.read(event(line), onebot.Known(bots=["20001"])).message.flags == ("bot",)
    flagged = {"user_id": OWNER, "nickname": "群管家", "is_robot": True}
    assert onebot.read(event(line, sender=flagged)).message.flags == ("bot",)


def test_another_account_of_ours_is_me(onebot: ModuleType) -> None:
    both = onebot.Known("小北", accounts=["10000", "10001"])
    assert onebot.read(event(seg("at", qq=10001), seg("text", text=" 在吗")), both).addressed
    said = onebot.read(event(seg("at", qq=10000), seg("text", text="我说的"), user_id=10001), both)
    assert said.message.mine
    assert not said.addressed


def row(**fields: Any) -> dict[str, Any]:
    """A message as a history call gives it."""
    known = {"message_id": 7, "time": 1_789_000_000, "user_id": OWNER, "message_type": "group", "group_id": GROUP}
    return {**known, "sender": {"nickname": "阿泽"}, "message": [seg("text", text="早")], **fields}


def test_the_past_is_read_like_the_present(onebot: ModuleType) -> None:
    known, chat = onebot.Known("小北", accounts=["10000"]), "qq:group:70001"
    parts = [seg("reply", id="3"), seg("at", qq=ME), seg("text", text=" 早"), seg("face", id=63)]
    past = onebot.past(row(message=parts), chat, known)
    now = onebot.read(event(*parts, message_id=7, time=1_789_000_000), known).message
    assert past == now
    assert past.reply_to == "3"
    assert onebot.past(row(user_id=ME), chat, known).mine
    assert onebot.past(row(message="[CQ:face,id=63]早"), chat, known).text == "[表情]早"


@pytest.mark.parametrize(
    ("chat", "fields"),
    [
        ("qq:group:70002", {}),
        ("qq:private:20001", {}),
        ("qq:group:70001", {"group_id": None, "message_type": "private"}),
        ("qq:group:70001", {"time": 0}),
        ("qq:group:70001", {"message_id": None}),
        ("qq:group:70001", {"user_id": None, "sender": None}),
        ("qq:group:70001", {"message": None}),
    ],
)
def test_t06_the_past_of_another_chat_is_none_of_this_one(
    onebot: ModuleType, chat: str, fields: dict[str, Any]
) -> None:
    assert onebot.past(row(), "qq:group:70001")
    assert onebot.past(row(**fields), chat) is None
