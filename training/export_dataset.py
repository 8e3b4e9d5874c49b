"""The dataset for LLaMA-Factory and Axolotl: OpenAI's messages, one conversation a line.

    mybot_train.jsonl  mybot_dev.jsonl  mybot_test.jsonl   {"messages": [{"role", "content", "train"}, …]}
    dataset_info.json                                      LLaMA-Factory's list of them
    axolotl.yaml                                           Axolotl's `datasets:`

Contents are what the bot feeds: the same function renders both. `train` keeps the loss marks of whole
turns. Lost on the way: marks of single bubbles inside a turn and of privacy placeholders (a turn with
one bubble to learn is learned whole); and in LLaMA-Factory all marks, since it knows none: there the
replies in a conversation's context are learned again.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from bot.persona.manifest import write_atomically
from bot.persona.prompt import PromptSpec, render
from config.errors import InputError
from training.dataset import read_rows, turns_of

TAGS = {
    "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
    "system_tag": "system",
}  # fmt: skip
AXOLOTL = """\
# The part of an Axolotl config that reads this dataset with the loss marks of whole turns.
chat_template: chatml
datasets:
  - path: mybot_train.jsonl
    ds_type: json
    type: chat_template
    field_messages: messages
    message_property_mappings:
      role: role
      content: content
    message_field_training: train
"""


def write(data: Path, out: Path) -> dict[str, int]:
    """Write the files; returns how much went in, and how many replies lose their mark in LLaMA-Factory."""
    path = data / "prompt.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist", hint="run `mybot dataset` first")
    spec = PromptSpec.model_validate_json(path.read_bytes())
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / ".parts"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        counts = _fill(scratch, data, spec)
        names = sorted(path.stem for path in scratch.iterdir())
        for name in names:
            (scratch / f"{name}.jsonl").replace(out / f"{name}.jsonl")
    finally:
        shutil.rmtree(scratch)
    info = {
        name: {
            "file_name": f"{name}.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": TAGS,
        }
        for name in names
    }
    write_atomically(out / "dataset_info.json", json.dumps(info, indent=2) + "\n")
    write_atomically(out / "axolotl.yaml", AXOLOTL)
    return counts


def _fill(folder: Path, data: Path, spec: PromptSpec) -> dict[str, int]:
    """One file a split, and what went into them."""
    counts = {"conversations": 0, "replies": 0, "replies_to_learn": 0, "replies_of_the_context": 0}
    with ExitStack() as open_:
        files: dict[str, TextIO] = {}
        for split, messages in _conversations(data, spec):
            if split not in files:
                path = folder / f"mybot_{split}.jsonl"
                files[split] = open_.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            files[split].write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
            mine = [message["train"] for message in messages if message["role"] == "assistant"]
            counts["conversations"] += 1
            counts["replies"] += len(mine)
            counts["replies_to_learn"] += sum(mine)
            counts["replies_of_the_context"] += len(mine) - sum(mine)
    return counts


def _conversations(data: Path, spec: PromptSpec) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Split and messages of each row, ending with a reply of mine."""
    for name in ("train.jsonl", "heldout.jsonl"):
        for row in read_rows(data / name):
            turns = render(turns_of(row), spec, kind=row["kind"], name=row["name"], memory=row.get("memory", ""))
            while turns[-1].role == "user":
                turns.pop()
            if len(turns) > 1:
                yield row["split"], [{**turn.to_wire(), "train": bool(turn.targets)} for turn in turns]
