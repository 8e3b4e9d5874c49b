"""Every decision in one line, in both languages."""

import re
from typing import get_args

from bot import words
from bot.persona.watch import FEATURES
from bot.turn_state import Chat, Limit, What, Why
from bot.why import told

CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
NOON = 1_700_000_000.0


def test_every_decision_is_told_in_one_line() -> None:
    lines = set()
    for what in get_args(What):
        strongest = tuple((name, 1.5) for name in FEATURES)
        chat = Chat(why=Why(NOON, what, 0.25, 0.5, strongest, 3.2, get_args(Limit)), hushed_until=NOON + 60)
        chat.why_said = Why(NOON - 60, "answering")
        for language in ("zh", "en"):
            line = told(chat, language, now=NOON, utc_offset=0, persona="echo", prompt=57)
            assert "\n" not in line
            assert words.DID[what](language) in line
            assert bool(CHINESE.search(line)) == (language == "zh")
            lines.add(line)
    assert len(lines) == 2 * len(get_args(What))


def test_a_line_reads_like_this() -> None:
    chat = Chat(why=Why(NOON, "silent", 0.25, 0.5, (("silence", -1.2), ("link", 0.31)), 3.2, ("gap",)))
    given = {"now": NOON, "utc_offset": 8 * 3600.0, "persona": "me (abc)", "prompt": 57}
    assert told(chat, "zh", **given) == (
        "06:13:20 没叫我，没插话，开口概率 25.0%，抽到 50.0%，主要因为 多久没说话-1.2、带链接+0.3，等 3 秒，"
        "碰到上限：两条之间的间隔；模式 off，频率 1，人格 me (abc)，上次提示 57 字"
    )
    chat.hushed_until = 1e300
    assert told(chat, "en", **given) == (
        "06:13:20 not called: kept out, chance 25.0%, drawn 50.0%, mainly because: how long I was silent-1.2, a link+0.3, "
        "waited 3 s, limits reached: the pause between two messages; "
        "mode off, freq 1, persona me (abc), last prompt 57 characters, quiet until it is lifted"
    )
