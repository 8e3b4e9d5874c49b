"""Exports: the dataset as others read it; GGUF by a stand-in for llama.cpp's converter, which isn't here."""

import json
import sys
from pathlib import Path

import pytest

from bot.persona.prompt import PromptSpec
from config.errors import InputError, TrainingError
from config.settings import Export
from tests.personas import make_persona
from training import export
from training.dataset import read_rows, turns_of

CONVERTER = """\
import argparse, pathlib, sys
parser = argparse.ArgumentParser()
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--outfile", type=pathlib.Path)
parser.add_argument("--outtype")
args = parser.parse_args()
assert (args.model / "config.json").is_file()
args.outfile.write_bytes(b"GGUF" + args.outtype.encode())
if args.outtype == "f32":
    sys.exit("ValueError: unknown tokenizer")
"""


def test_the_dataset_is_what_the_bot_feeds_with_its_marks(
    data: Path, spec: PromptSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets import load_dataset

    export.main(Export(data=data, out=tmp_path, as_json=True))
    told = json.loads(capsys.readouterr().out)
    info = json.loads((tmp_path / "dataset_info.json").read_bytes())
    assert sorted(info) == ["mybot_dev", "mybot_test", "mybot_train"]
    rows = list(read_rows(data / "train.jsonl"))
    table = info["mybot_train"]
    loaded = load_dataset("json", data_files=str(tmp_path / table["file_name"]), cache_dir=str(tmp_path / "cache"))
    conversations = [row[table["columns"]["messages"]] for row in loaded["train"]]
    assert len(conversations) == len(rows)
    marked = sum(message["train"] for messages in conversations for message in messages)
    assert marked == sum(any(b.target for b in turn.bubbles) for row in rows for turn in turns_of(row))
    assert told["replies"] == told["replies_to_learn"] + told["replies_of_the_context"]
    assert told["replies_of_the_context"] > 0
    tags = table["tags"]
    for messages in conversations:
        roles = [message[tags["role_tag"]] for message in messages]
        assert roles[0] == tags["system_tag"]
        # LLaMA-Factory drops conversations that don't alternate from the user to the assistant.
        assert roles[1:] == [tags["user_tag"], tags["assistant_tag"]] * (len(roles) // 2)
        assert messages[0]["content"].startswith(f"你是{spec.me}")
        assert not any(message["train"] for message in messages if message["role"] != "assistant")
    assert "13912345678" not in "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.jsonl"))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "axolotl.yaml", "dataset_info.json", "mybot_dev.jsonl", "mybot_test.jsonl", "mybot_train.jsonl",
    ]  # fmt: skip


def test_gguf_through_the_converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    persona = make_persona(tmp_path / "me" / "v1")
    out, tool = tmp_path / "out", tmp_path / "llama.cpp" / "convert_hf_to_gguf.py"
    monkeypatch.setenv("PATH", str(tool.parent))
    with pytest.raises(TrainingError, match="not on the PATH") as caught:
        export.main(Export(what="gguf", persona=persona, out=out))
    assert "git clone" in caught.value.hint
    tool.parent.mkdir()
    tool.write_text(f"#!{sys.executable}\n{CONVERTER}")
    tool.chmod(0o755)
    for given in (None, tool, tool.parent):
        export.main(Export(what="gguf", persona=persona, out=out, converter=given, outtype="q8_0", as_json=True))
        (made,) = out.iterdir()
        assert made.read_bytes() == b"GGUFq8_0"
        made.unlink()
    with pytest.raises(TrainingError, match="unknown tokenizer"):
        export.main(Export(what="gguf", persona=persona, out=out, outtype="f32"))
    assert not list(out.iterdir())
    with pytest.raises(TrainingError, match="is not at"):
        export.main(Export(what="gguf", persona=persona, out=out, converter=tmp_path / "none"))


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"prompt\.json"):
        export.main(Export(data=tmp_path, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
