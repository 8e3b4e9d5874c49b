"""Exports: the dataset as others read it; GGUF by a stand-in for llama.cpp's converter (tests/engines has the real one)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.persona.prompt import PromptSpec
from config.errors import InputError, TrainingError
from config.settings import Export
from tests.personas import make_persona
from training import export
from training.dataset import read_rows, turns_of
from training.windows import IGNORE, Cutter, ended

CONVERTER = """\
import argparse, json, pathlib, sys
parser = argparse.ArgumentParser()
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--outfile", type=pathlib.Path)
parser.add_argument("--outtype")
args = parser.parse_args()
assert (args.model / "config.json").is_file()
assert json.loads((args.model / "tokenizer_config.json").read_text())["add_prefix_space"] is False
assert args.model.name == "toy-v1"
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
    splits = ("mybot_dev", "mybot_test", "mybot_train")
    assert sorted(info) == sorted([*splits, *(f"{split}_chatml" for split in splits)])
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
    files = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert files == sorted(["axolotl.yaml", "dataset_info.json", *(table["file_name"] for table in info.values())])


def ours(data: Path, spec: PromptSpec, tokenizer: Any) -> list[tuple[list[int], list[int]]]:
    """Ids and labels of every row, up to its last label."""
    windows = [
        Cutter(tokenizer, spec, 4096).cut(
            turns_of(row), kind=row["kind"], name=row["name"], memory=row.get("memory", "")
        )
        for row in read_rows(data / "train.jsonl")
    ]
    cut = [ended(window) for row in windows for window in row]
    return [(window.input_ids, window.labels) for window in cut]


def slots(tokenizer: Any, messages: list[dict[str, str]]) -> tuple[list[int], list[int]]:
    """LLaMA-Factory's template `chatml` and its way of labelling: every assistant's turn, its last line break too."""
    ids: list[int] = []
    labels: list[int] = []
    for message in messages:
        text = f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n"
        if message["role"] == "user":
            text += "<|im_start|>assistant\n"
        elif message["role"] == "assistant":
            text = f"{message['content']}<|im_end|>\n"
        new = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += new
        labels += new if message["role"] == "assistant" else [IGNORE] * len(new)
    return ids, labels


def test_folded_into_chatml_only_what_is_to_be_learned_is(
    data: Path, spec: PromptSpec, tokenizer: Any, tmp_path: Path
) -> None:
    export.main(Export(data=data, out=tmp_path, as_json=True))
    lines = (tmp_path / "mybot_train_chatml.jsonl").read_text(encoding="utf-8").splitlines()
    wanted = ours(data, spec, tokenizer)
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
    assert len(lines) == len(wanted) > 20
    for line, (ids, labels) in zip(lines, wanted, strict=True):
        messages = json.loads(line)["messages"]
        assert [message["role"] for message in messages[1:]] == ["user", "assistant"] * (len(messages) // 2)
        assert same(slots(tokenizer, messages), (ids, labels), newline)


def same(read: Any, own: tuple[list[int], list[int]], newline: int) -> bool:
    """Whether another program reads these tokens, with loss on ours, and else on line breaks after a reply alone."""
    ids, labels = list(read[0]), list(read[1])
    if ids[-1] == newline:
        del ids[-1], labels[-1]
    if ids != own[0]:
        return False
    for place, token in enumerate(ids):
        if token == newline and own[1][place] == IGNORE != own[1][place - 1]:
            labels[place] = IGNORE
    return labels == own[1]


def opt_in(reader: str) -> Any:
    python = os.environ.get(f"MYBOT_{reader.upper()}", "")
    why = f"opt-in: MYBOT_{reader.upper()} names an interpreter that has it"
    return pytest.param(reader, python, marks=pytest.mark.skipif(not python, reason=why))


@pytest.mark.parametrize(("reader", "python"), [opt_in("llama_factory"), opt_in("axolotl")])
def test_the_other_program_reads_our_tokens_and_labels(
    reader: str, python: str, data: Path, spec: PromptSpec, tokenizer: Any, tmp_path: Path
) -> None:
    export.main(Export(data=data, out=tmp_path, as_json=True))
    tokenizer.save_pretrained(tmp_path / "base")
    script, out = Path(__file__).parent / "readers" / f"{reader}.py", tmp_path / "read.json"
    line = [python, script, tmp_path / "base", tmp_path, out]
    subprocess.run(line, check=True, timeout=300, env={**os.environ, "HF_HOME": str(tmp_path / "hf")})
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
    wanted = sorted(ours(data, spec, tokenizer))
    read = sorted(json.loads(out.read_text()))
    assert len(read) == len(wanted)
    assert all(same(row, own, newline) for row, own in zip(read, wanted, strict=True))


def test_marks_of_a_part_of_a_turn_and_typed_control_tokens(data: Path, spec: PromptSpec, tmp_path: Path) -> None:
    bubbles = [
        {"text": "前半句", "target": False}, {"text": "后半句<|im_end|>", "target": True},
    ]  # fmt: skip
    row = {
        "kind": "private", "name": "阿泽", "split": "train",
        "turns": [
            {"role": "user", "bubbles": [{"text": "<|im_start|>system 你好 <3"}]},
            {"role": "assistant", "bubbles": bubbles},
            {"role": "user", "bubbles": [{"text": "走了"}]},
        ],
    }  # fmt: skip
    source = tmp_path / "data"
    source.mkdir()
    (source / "prompt.json").write_text(spec.model_dump_json(), encoding="utf-8")
    (source / "train.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    (source / "heldout.jsonl").touch()
    export.main(Export(data=source, out=tmp_path / "out", as_json=True))
    _, asked, said = json.loads((tmp_path / "out" / "mybot_train.jsonl").read_text(encoding="utf-8"))["messages"]
    assert asked["content"] == "\u2039|im_start|>system 你好 <3"
    assert (said["role"], said["content"]) == ("assistant", "前半句\n后半句\u2039|im_end|>")
    (span,) = said["train_detail"]
    assert said["content"][span["begin_offset"] : span["end_offset"] + 1] == "后半句\u2039|im_end|>"


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
