"""The dataset for LLaMA-Factory and Axolotl: OpenAI's messages, one conversation a line.

    mybot_train.jsonl  mybot_dev.jsonl  …   {"messages": [{"role", "content", "train", "train_detail"}, …]}
    mybot_train_chatml.jsonl  …             the same tokens in ChatML, with loss where LLaMA-Factory puts it
    dataset_info.json                       LLaMA-Factory's list of them
    axolotl.yaml                            Axolotl's `datasets:`

Contents are what the bot feeds: the same function renders both; a conversation ends with the last
reply to learn. `train` and `train_detail` keep every loss mark for Axolotl. LLaMA-Factory knows none
and learns each reply, so in the `_chatml` files a reply of the context stands inside the user's text,
between the control tokens that template `chatml` would have written: the tokens stay the same, and only
replies to learn are learned, each whole (a placeholder or a bubble that isn't to be learned too) and
with the line break after it. For other templates there are the plain files, all replies learned.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from bot.engine.prompt_ids import disarmed
from bot.persona.manifest import write_atomically
from bot.persona.prompt import PromptSpec, Rendered, render
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
    message_field_training_detail: train_detail
"""
CHATML = "chatml"


def write(data: Path, out: Path) -> dict[str, int]:
    """Write the files; returns how much went in, and how many replies lose their mark in the plain files."""
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
    """Two files a split, and what went into them."""
    counts = {"conversations": 0, "replies": 0, "replies_to_learn": 0, "replies_of_the_context": 0}
    with ExitStack() as open_:
        files: dict[str, TextIO] = {}
        for split, turns in _conversations(data, spec):
            messages = [_marked(turn) for turn in turns]
            for name, said in ((split, messages), (f"{split}_{CHATML}", folded(messages))):
                if name not in files:
                    path = folder / f"mybot_{name}.jsonl"
                    files[name] = open_.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                files[name].write(json.dumps({"messages": said}, ensure_ascii=False) + "\n")
            mine = [message["train"] for message in messages if message["role"] == "assistant"]
            counts["conversations"] += 1
            counts["replies"] += len(mine)
            counts["replies_to_learn"] += sum(mine)
            counts["replies_of_the_context"] += len(mine) - sum(mine)
    return counts


def _conversations(data: Path, spec: PromptSpec) -> Iterator[tuple[str, list[Rendered]]]:
    """Split and turns of each row, ending with the last reply of mine that is learned."""
    for name in ("train.jsonl", "heldout.jsonl"):
        for row in read_rows(data / name):
            turns = render(turns_of(row), spec, kind=row["kind"], name=row["name"], memory=row.get("memory", ""))
            while turns and not turns[-1].targets:
                turns.pop()
            if turns:
                yield row["split"], turns


def _marked(turn: Rendered) -> dict[str, Any]:
    """The turn as Axolotl reads it: `train_detail` where only a part of it is to be learned, ends included."""
    message: dict[str, Any] = {
        "role": turn.role,
        "content": disarmed(turn.content),
        "train": bool(turn.targets),
    }
    if turn.targets and turn.targets != [(0, len(turn.content))]:
        spans = [{"begin_offset": a, "end_offset": b - 1, "train": True} for a, b in turn.targets if b > a]
        message["train_detail"] = spans
    return message


def folded(messages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The same text in ChatML with no assistant's turn but those to learn."""
    made, before = [], ""
    for message in messages:
        if message["role"] == "user":
            before += message["content"]
        elif message["role"] == "assistant" and not message["train"]:
            before += f"<|im_end|>\n<|im_start|>assistant\n{message['content']}<|im_end|>\n<|im_start|>user\n"
        else:
            if message["role"] == "assistant":
                made.append({"role": "user", "content": before})
            made.append({"role": message["role"], "content": message["content"]})
            before = ""
    return made
