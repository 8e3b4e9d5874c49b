"""Invented chats, and a toy base model made from them, once for all tests here."""

from pathlib import Path
from typing import Any

import pytest

from bot.persona.message import Message, Segment
from bot.persona.prompt import PromptSpec
from config.settings import Dataset
from training import dataset, tiny
from training.windows import Cutter

DAY = 86400
ASKED = ["今天下雨吗", "吃饭了没", "球赛看了吗", "几点睡的", "书还我", "周末爬山去", "猫怎么样"]
SAID = ["带伞", "面条", "没看 困", "两点", "明天", "腿疼", "胖了"]


def chats(days: int = 40) -> list[Message]:
    """A private chat and a group over `days` days; somebody asks, I answer in one or two bubbles."""
    messages: list[Message] = []
    for chat, kind, name in (("qq:private:阿泽", "private", "阿泽"), ("qq:group:球队", "group", "球队")):
        for day in range(days):
            start = 1_700_000_000 + day * DAY
            topic = day % len(ASKED)
            lines = [("2", "阿泽", ASKED[topic]), ("1", "阿树", SAID[topic])]
            lines += [("1", "阿树", f"第{day}天了")] if day % 2 else [("3", "七七", "哈哈 我电话13912345678")]
            for place, (sender, who, text) in enumerate(lines):
                if kind == "private" and sender == "3":
                    sender, who = "2", "阿泽"
                messages.append(
                    Message(
                        f"{chat}{day}-{place}",
                        chat,
                        kind,  # pyright: ignore[reportArgumentType]
                        start + place * 10,
                        sender,
                        who,
                        [Segment("text", text)],
                        sender == "1",
                        chat_name=name,
                    )
                )
    return sorted(messages, key=lambda m: (m.chat, m.time))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder after `mybot dataset`."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "messages.jsonl").write_text("".join(m.to_json() + "\n" for m in chats()), encoding="utf-8")
    dataset.main(Dataset(data=folder, history_private=6, history_group=6, as_json=True))
    return folder


@pytest.fixture(scope="session")
def spec(data: Path) -> PromptSpec:
    return PromptSpec.model_validate_json((data / "prompt.json").read_bytes())


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return tiny.make_tokenizer([m.text for m in chats()], vocab_size=512)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any, data: Path, spec: PromptSpec) -> Path:
    """A toy base model's folder."""
    import torch

    from training.dataset import read_rows
    from training.sft import cut_rows

    torch.manual_seed(7)
    folder = tmp_path_factory.mktemp("toy") / "base"
    model = tiny.make_model(tokenizer, hidden_size=64, intermediate_size=128, num_hidden_layers=2)
    windows = list(cut_rows(Cutter(tokenizer, spec, 192), read_rows(data / "train.jsonl")))
    tiny.embed_by_company(model, windows)
    tiny.pretrain(model, tokenizer, windows, epochs=3)
    tiny.save(folder, tokenizer, model)
    return folder
