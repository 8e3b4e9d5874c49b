"""Personal data: found when glued to Chinese, spaced or punctuated; laughter and prices stay."""

import json
from pathlib import Path

import pytest

from bot.persona import privacy
from config.settings import ROOT


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("我电话13912345678你记一下", "我电话[电话]你记一下"),
        ("139-1234-5678", "[电话]"),
        ("+86 139 1234 5678。", "[电话]。"),
        ("１３９１２３４５６７８", "[电话]"),
        ("发到abc.def@example.com吧", "发到[邮箱]吧"),
        ("卡号6222020000000000000。", "卡号[银行卡]。"),
        ("身份证11010519491231002X", "身份证[身份证]"),
        ("加我QQ 123456789", "加我QQ [QQ号]"),
        ("密码是abc12345", "密码是[口令]"),
        ("ip 192.168.1.20", "ip [IP]"),
        ("浙A12345的车", "[车牌]的车"),
        ("杭州市拱墅区青萍路219号4幢602室", "[地址]"),
        ("key sk-abcdefghijklmnop1234", "key [密钥]"),
    ],
)
def test_replaced(text: str, clean: str) -> None:
    assert privacy.scrub(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "666",
        "6666666666666666",
        "23333333333",
        "3:2",
        "2024-09-01",
        "99.9块",
        "12斤",
        "版本1.2.3",
        "第110105号",
        "8888888888888888",
    ],
)
def test_left_alone(text: str) -> None:
    assert privacy.scrub(text) == text


def test_the_guard_lets_only_the_chats_own_data_through() -> None:
    assert not privacy.sendable("打13912345678")
    assert privacy.sendable("打13912345678", known="我的号13912345678")
    assert not privacy.sendable("打[电话]")
    assert privacy.sendable("打电话")


def test_everything_planted_in_the_sample_is_found() -> None:
    folder = ROOT / "training" / "sample"
    planted = json.loads((folder / "planted.json").read_text(encoding="utf-8"))["planted"]
    assert len(planted) >= 30
    text = "".join(path.read_text(encoding="utf-8-sig") for path in Path(folder).glob("*.txt"))
    assert all(item in text for item in planted)
    scrubbed = "\n".join(map(privacy.scrub, text.split("\n")))
    assert [item for item in planted if item in scrubbed] == []


def test_the_report_counts_and_masks() -> None:
    found = privacy.report(["我电话13912345678，备用13912345679", "邮箱a.b@example.com", "666", "再说一遍 13912345678"])
    assert found.counts == {"phone": 3, "mail": 1}
    assert found.total == 4
    assert found.samples["phone"] == ["1*********8", "1*********9"]
    assert found.to_row()["mail"] == {"count": 1, "samples": ["a*************m"]}
    assert privacy.mask("abc") == "***"


def test_two_tallies_make_one() -> None:
    one, other = (privacy.report([f"139{n:08}" for n in range(first, first + 4)]) for first in (1, 5))
    one.add(other)
    assert one.counts == {"phone": 8}
    assert len(one.samples["phone"]) == privacy.SAMPLES
