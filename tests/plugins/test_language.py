"""In which language code speaks: to whoever gives a command, to the owner, to a person it meets. A real bridge."""

import re
from pathlib import Path
from typing import Any

from tests.plugins.test_commands import give, hear
from tests.plugins.test_drafts import decide, drafted
from tests.plugins.test_personas import OWNER, B, home, until, up

__all__ = ["home"]
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")

TOUR = (
    "help", "status", "whoami", "on join", "on nonsense", "on", "freq", "freq 0.5", "freq 9", "freq x", "freq 0",
    "mute 5", "status", "mute", "unmute", "clear", "undo", "retry", "stop", "why", "block 5", "block 10001", "block",
    "unblock 5", "unblock 5", "stats", "model list", "model use other", "model use me", "model rollback", "model",
    "model load v9", "persona", "retrain", "allow", "deny", "on", "say x", "allow", "admin", "admin add 30003", "admin",
    "admin remove 30003", "admin x", "forget 5", "forget 5 6", "forget chat", "set", "set night morning",
    "set share 0.2", "set share 5", "set share x", "set consent yes", "teach", "teach x", "takeover 5", "takeover",
    "takeover off", "stop all", "status", "say hi", "resume", "pause", "retry", "resume", "off", "unmute", "on",
    "forget chat yes",
)  # fmt: skip
"""Every command, right and wrong."""


async def test_in_english_no_answer_has_a_chinese_word(home: Path) -> None:
    async with up(home, language="en") as bridge:
        await hear(bridge, 1)
        for words in TOUR:
            for role in ("OWNER", "ADMIN", "GROUP_ADMIN"):
                given = await give(bridge, words, role)
                assert not CHINESE.search(given), words
                assert given or role != "OWNER" or words == "say hi", words
        for words in ("memory", "memory forget x", "remember"):
            assert not CHINESE.search(await give(bridge, words, chat=OWNER))
        assert await give(bridge, "帮助") == await give(bridge, "help")
        assert (
            await give(bridge, "help freq")
            == "/freq [0-3]: how often to join in: 0 only when called, 1 like the real person"
        )
        assert not any(CHINESE.search(text) for text in bridge.port.texts(OWNER))


async def test_by_itself_it_answers_as_the_command_was_named_and_the_owner_as_they_spoke_last(home: Path) -> None:
    async with up(home, language="auto") as bridge:
        assert bridge.runner.standing.language == "zh"
        assert await give(bridge, "状态") != await give(bridge, "Status")
        assert bridge.runner.standing.language == "en"
        assert await give(bridge, "停", "ADMIN") == "好，不说了"
        assert bridge.runner.standing.language == "en", "what others order is no matter of the owner's"
        assert await give(bridge, "on draft", sender="10001") == "OK, on here: the owner sees first what I would say"
        assert (await drafted(bridge, 1, "周四来吗")).startswith("Draft #1 (群)\n友: 周四来吗\n→ ")
    async with up(home, language="auto") as bridge:
        assert bridge.runner.standing.language == "en"
        assert await decide(bridge, 2, "丢") == "丢了 #1"
        assert (await drafted(bridge, 3)).startswith("草稿 #2（")
        assert await decide(bridge, 4, "send 2") == "Sent #2"


async def test_why_a_new_persona_is_refused_is_said_in_both(home: Path) -> None:
    (home / "me" / "v2" / "scores.json").write_text('{"passed": false, "reasons": ["loss 9"]}', encoding="utf-8")
    async with up(home, language="auto") as bridge:
        told = [await give(bridge, words, chat=OWNER) for words in ("model load v2", "模型 切换 v2")]
        assert told[0] == (
            "That didn't work; nothing was changed. "
            "Why: the gate refused v2: loss 9; to take it all the same add --force"
        )
        assert told[1].endswith("原因：v2 评分没有通过：loss 9；一定要换就加上 强制")
        assert "Loss" not in await give(bridge, "retrain")
        assert (await give(bridge, "retrain")).endswith("The gate refused it: loss 9")


async def test_facts_and_what_the_owner_is_told_of_a_bystander(home: Path) -> None:
    told: list[str] = []

    async def tell(_reason: str, text: str) -> bool:
        told.append(text)
        return True

    async with up(home, language="en", me=str(home / "me.toml")) as bridge:
        bridge.runner.errands.alerts.tell = tell
        given: Any = [await give(bridge, f"remember fact {n}", chat=OWNER) for n in range(32)]
        assert set(given) == {"Remembered; anybody may hear it"}
        listed = (await give(bridge, "memory", chat=OWNER)).splitlines()
        assert listed[0] == "· fact 0 (for anybody)"
        assert listed[-1] == "and 2 more"
        assert (await give(bridge, "memory forget fact 31", chat=OWNER)) == "Forgotten: · fact 31 (for anybody)"
        await hear(bridge, 1, "忘了我")
        await hear(bridge, 2, "紧急停止", sender="10001")
        await until(lambda: len(told) == 2)
    assert told[0].startswith(f"20001 asked in {B} to be forgotten")
    assert told[1] == "Emergency stop: silent everywhere until /resume"
