"""A persona through llama.cpp's own converter, then in a real llama.cpp server: it says what it said before. Opt-in.

MYBOT_CONVERTER is llama.cpp's folder or its convert_hf_to_gguf.py, MYBOT_TOKENIZER the folder of a base model such as
Qwen3 or Llama 2 (config.json and the tokenizer are enough): the converter refuses a vocabulary that it doesn't know,
a toy's too.
"""

import json
import os
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from bot.persona.manifest import Generation, Model, Persona, Provenance
from bot.persona.prompt import PromptSpec
from config.settings import Export
from tests.engines.served import served
from tests.training.bases import tiny_model
from training import base, export

PYTHON, CONVERTER, TOKENIZER = (os.environ.get(f"MYBOT_{name}", "") for name in ("ENGINES", "CONVERTER", "TOKENIZER"))
PROMPTS = ("周四来吗", "你好呀 The cat", "明天还打球吗？我不打", "第3天了\n好")
TOKENS = 24

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(
        not (PYTHON and CONVERTER and TOKENIZER),
        reason="opt-in: MYBOT_ENGINES, MYBOT_CONVERTER and MYBOT_TOKENIZER say where they are",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed persona: a random model of that architecture with the real vocabulary."""
    folder = tmp_path_factory.mktemp("me") / "v1"
    folder.mkdir()
    tokenizer = base.load_tokenizer(TOKENIZER)
    model = tiny_model(base.load_config(TOKENIZER).model_type, tokenizer)
    for weights in model.parameters():
        # Random weights of the usual size hardly tell one history from another.
        if weights.dim() > 1:
            weights.data *= 10
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    Persona(
        name="me",
        model=Model(base="random", dtype="float32", parameters=model.num_parameters(), context=512),
        prompt=PromptSpec(me="小鹿"),
        generation=Generation(max_tokens=TOKENS),
        provenance=Provenance(created=datetime(2026, 1, 1, tzinfo=timezone.utc)),
    ).seal(folder)
    return folder


def test_a_converted_persona_says_the_same(folder: Path, tmp_path: Path) -> None:
    import transformers

    export.main(
        Export(what="gguf", persona=folder, out=tmp_path, converter=Path(CONVERTER), outtype="f32", as_json=True)
    )
    (path,) = tmp_path.iterdir()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with served(PYTHON, path, 512, 1) as url:
        for text in PROMPTS:
            asked = [{"role": "system", "content": "你是小鹿"}, {"role": "user", "content": text}]
            ids = tokenizer.apply_chat_template(
                asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            said = model.generate(**ids, do_sample=False, max_new_tokens=TOKENS)[0, ids["input_ids"].shape[1] :]
            told = answer(url, asked)
            assert told["usage"]["prompt_tokens"] == ids["input_ids"].shape[1]
            # Of a SentencePiece vocabulary transformers leaves out the first word's space.
            assert told["choices"][0]["message"]["content"].lstrip(" ") == tokenizer.decode(
                said, skip_special_tokens=True
            ).lstrip(" ")


def answer(url: str, messages: list[dict[str, str]]) -> dict[str, Any]:
    body = json.dumps({"messages": messages, "temperature": 0, "max_tokens": TOKENS}).encode()
    request = urllib.request.Request(f"{url}/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)
