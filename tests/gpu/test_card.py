"""What only a card can show: graphs that are replayed, memory that comes back, memory as planned.

make test-gpu        (skipped where there is no card; the measurements are serving.py and training.py beside this)
"""

import gc
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from bot.engine.model import Loaded, generate, load
from bot.engine.rows import Row
from bot.engine.wire import Piece, Sampling
from bot.persona.manifest import open_persona
from config.settings import Engine
from tests.gpu import training
from tests.gpu.real import make_base, tokenizer_of_size
from tests.personas import make_persona

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

SAMPLING = (
    Sampling(temperature=0, max_tokens=24),
    Sampling(temperature=0.9, top_p=0.9, seed=3, max_tokens=17),
    Sampling(temperature=1.2, top_k=20, seed=4, max_tokens=24, repetition_penalty=1.3),
    Sampling(temperature=0.7, min_p=0.05, seed=5, max_tokens=9, presence_penalty=0.5),
    Sampling(temperature=0, max_tokens=24),
)


@pytest.fixture(scope="module")
def persona(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_persona(tmp_path_factory.mktemp("card") / "v1", context=2048, spoil="endless")


def loaded_from(folder: Path, **knobs: Any) -> Loaded:
    version, persona = open_persona(folder)
    return load(version, persona, Engine(persona=folder, dtype="float32", **knobs))


def said(loaded: Loaded, numbers: list[int]) -> list[str]:
    texts: list[list[str]] = [[] for _ in numbers]
    rows = []
    for number, heard in zip(numbers, texts, strict=True):

        def deliver(piece: Piece, heard: list[str] = heard) -> None:
            heard.append(piece.text)

        ids = [10 + (7 * place + number) % 200 for place in range(20 + 31 * number)]
        rows.append(Row(ids, SAMPLING[number], math.inf, deliver, loaded.text_stream))
    assert generate(loaded, rows, lambda _: None)
    return ["".join(heard) for heard in texts]


def test_replayed_graphs_say_what_generate_says(persona: Path) -> None:
    plain = loaded_from(persona, compile="off")
    graphs = loaded_from(persona, compile="on")
    everybody = list(range(len(SAMPLING)))
    assert graphs.shapes is not None
    alone = [said(plain, [number])[0] for number in everybody]
    assert said(plain, everybody) == alone
    assert said(graphs, everybody) == alone
    assert [said(graphs, [number])[0] for number in everybody] == alone
    # A shape that was used before holds nothing of it.
    assert said(graphs, everybody) == alone


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two cards")
@pytest.mark.parametrize("steps", ["off", "on"])
def test_another_card_than_the_first_says_the_same(persona: Path, steps: str) -> None:
    everybody = list(range(len(SAMPLING)))
    wanted = said(loaded_from(persona, compile=steps), everybody)
    assert said(loaded_from(persona, compile=steps, device="cuda:1"), everybody) == wanted


def test_released_weights_leave_the_card(persona: Path) -> None:
    gc.collect()
    before = torch.cuda.memory_allocated()
    loaded = loaded_from(persona)
    said(loaded, [0, 1])
    assert torch.cuda.memory_allocated() > before
    loaded.release()
    # cuBLAS keeps a workspace of 32 MiB for each of the two streams it ran on.
    assert torch.cuda.memory_allocated() <= before + (65 << 20)


@pytest.mark.parametrize("case", ["8b:8b-24g", "8b:8b-12g@10.5", "13b:original-13b-v100"])
def test_memory_is_as_planned(case: str, tmp_path: Path) -> None:
    which, preset, cap = training.case(case)
    folder = make_base(tmp_path / which, which)
    tokenizer_of_size(training.CONFIGS[which]["vocab_size"]).save_pretrained(folder)
    row = training.run(folder, which, preset, cap, "mixed", 6, tmp_path / "run")
    planned = training.planned(folder, preset, cap)["planned GiB"]
    assert planned == pytest.approx(row["in all GiB"], rel=0.15)
