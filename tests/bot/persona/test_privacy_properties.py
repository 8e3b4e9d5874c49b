"""Whatever the text: nothing raises, nothing is found twice, places are right, time stays linear."""

import itertools
import random
import time

import pytest
from hypothesis import example, given, settings, strategies as st

from bot.persona import privacy
from tests.bot.persona.privacy_corpus import KINDS, harmless, positives

MIXED = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.text("0123456789 -.:@/+xX", max_size=24),
        st.text("零幺一二三四五六七八九０１９ ", max_size=12),
        st.builds(
            lambda kind, seed: next(positives(kind, 1, random.Random(seed)))[0],
            st.sampled_from(sorted(KINDS)),
            st.integers(0, 9999),
        ),
        st.sampled_from(
            [
                "密码",
                "QQ",
                "微信号",
                "路12号",
                "号",
                "加我",
                "sk-",
                "://",
                "@",
                "[电话]",
                "地址：",
                "验证码是",
                "浙A",
                "\n",
            ]
        ),
        st.builds(lambda seed: harmless(random.Random(seed)), st.integers(0, 9999)),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=600, deadline=None)
@given(MIXED)
@example("密码是12345678密码是")
@example("QQ12345678 23456789 QQ 34567890")
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    once = privacy.scrub(text)
    assert privacy.scrub(once) == once
    assert (once == text) == (privacy.find(text) == [])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text("0123456789１路号@.:-/ 一密码QX"), MIXED))
def test_places_are_in_order_and_whole_and_hold_what_was_masked(text: str) -> None:
    spans = privacy.find(text)
    assert all(0 <= start < end <= len(text) for start, end, _ in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    found = privacy.Found()
    clean = privacy.scrub(text, found)
    assert found.total == len(spans)
    kept, done = [], 0
    for start, end, kind in spans:
        kept += [text[done:start], privacy.LABELS[kind]]
        done = end
    assert clean == "".join([*kept, text[done:]])


@given(st.text())
def test_folding_keeps_every_place(text: str) -> None:
    folded = privacy.fold(text)
    assert len(folded) == len(text)
    assert privacy.fold(folded) == folded


@given(st.text())
def test_a_mask_tells_two_characters_at_most(piece: str) -> None:
    masked = privacy.mask(piece)
    assert len(masked) <= 26
    assert set(masked[1:-1]) <= {"*"}


HARD = {
    "digits": "1234567890",
    "ones": "1",
    "nines": "9",
    "phones": "13812345678 ",
    "phones glued by 汉字": "我13812345678",
    "spaced digits": "1 3 ",
    "spaces": " ",
    "at": "@",
    "letters then at": "a",
    "mail starts": "a.b-c@",
    "mail halves": "a@b.",
    "roads": "路",
    "numbered roads": "青路1",
    "addresses": "青萍路12号",
    "numbers of houses": "路1号1栋1",
    "cities": "杭州市",
    "汉字": "我在的",
    "cues": "密码",
    "cues and is": "密码是",
    "cue, many fillers": "密码我你他",
    "qq": "QQ",
    "qq numbers": "加我12345678 ",
    "wechat": "微信是",
    "colons": "a:",
    "hex": "fe80:",
    "dots": "1.1.",
    "links": "http://a?token=",
    "schemes": "a+",
    "keys": "sk-",
    "jwt": "eyJabcdefgh.",
    "blocks": "-----BEGIN PRIVATE KEY-----",
    "spelled": "幺三八",
    "plates": "浙A1",
    "dashes": "-",
    "cards": "6222 ",
    "digits by dashes": "1-",
    "at words": "a at ",
    "links in links": "1a://b",
    "told addresses": "地址：青萍路12号",
    "told, no street": "地址是我家那个镇上的 ",
    "english streets": "12 Green Tree Road",
    "sk without digits": "sk-aaaaaaaaaaaaaaaaaaaa",
    "cards that fail": "6222021111111111112 ",
    "four by four": "6222 0211 ",
    "newlines": "\n",
}


@pytest.mark.parametrize("name", HARD)
def test_long_hostile_texts_take_linear_time(name: str) -> None:
    unit = HARD[name]

    def seconds(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length] + ("@" if name == "letters then at" else "")
        best = float("inf")
        for _ in range(2):
            begun = time.process_time()
            privacy.scrub(text)
            best = min(best, time.process_time() - begun)
        return best

    short, long = seconds(10_000), seconds(100_000)
    # Linear is ten times as long; quadratic would be a hundred times.
    assert long < 35 * short + 0.05, f"{short:.3f} s for 10k characters, {long:.3f} s for 100k"
    assert long < 4
