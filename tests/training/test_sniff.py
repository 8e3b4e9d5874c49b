"""No format is mistaken for another."""

from pathlib import Path

import pytest

from training.importers import formats, importer_for
from training.importers.source import opened

EXPORTS = Path(__file__).parents[1] / "exports"
GOLDEN = sorted(path.name.removesuffix(".expect.jsonl") for path in EXPORTS.glob("*.expect.jsonl"))
MARGIN = 0.25

FOREIGN = {
    "exporter-text": "qq_exporter_txt",
    "exporter-now": "qq_exporter",
    "group": "qq_txt",
    "wechat": "wechat_csv",
    "weflow": "weflow_json",
    "echotrace": "weflow_json",
    "telegram": "telegram",
    "discord": "discord",
    "whatsapp": "whatsapp",
    "_chat": "whatsapp",
    "onebot": "onebot_history",
    "mht": "qq_mht",
    "android": "qq_mobile_html",
    "pasted": "qq_pasted",
    "nt-export": "qq_pasted",
    "nt_msg": "qq_nt",
    "mybot-history": "mybot_history",
    "train": "train_json_rows",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_file_is_claimed_by_one_format_with_a_margin(name: str) -> None:
    with opened(EXPORTS / name) as source:
        scores = sorted((importer.sniff(source) for importer in formats().values()), reverse=True)
        found, _ = importer_for(source)
    assert scores[0] >= 0.5
    assert scores[0] - scores[1] >= MARGIN
    mine = next((form for begins, form in FOREIGN.items() if name.startswith(begins)), None)
    if mine and not name.startswith("truncated"):
        assert found == mine


@pytest.mark.parametrize("name", GOLDEN)
def test_the_name_of_a_file_says_nothing(name: str, tmp_path: Path) -> None:
    other = tmp_path / "x.bin"
    other.write_bytes((EXPORTS / name).read_bytes())
    with opened(EXPORTS / name) as source, opened(other) as renamed:
        assert importer_for(source)[0] == importer_for(renamed)[0]
