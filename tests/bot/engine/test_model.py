"""The model itself, in this process: rows of a batch say what they say alone."""

import time
from pathlib import Path
from typing import Any

import pytest

from bot.engine import model
from bot.engine.model import Loaded, generate, load
from bot.engine.rows import Row
from bot.engine.wire import Piece, Sampling
from bot.persona.manifest import open_persona
from config.settings import Engine


def open_model(path: Path, **knobs: Any) -> Loaded:
    folder, persona = open_persona(path)
    return load(folder, persona, Engine(device="cpu", **knobs))


@pytest.fixture(scope="module")
def loaded(toy: Path) -> Loaded:
    return open_model(toy)


@pytest.fixture(scope="module")
def prompts(loaded: Loaded) -> list[list[int]]:
    texts = ["hi", "the cat sat on the mat, and then it went away", "你好", "周四来吗 周四来吗 周四来吗", "a" * 90]
    return [loaded.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def run(loaded: Loaded, prompts: list[list[int]], samplings: list[Sampling]) -> list[list[Piece]]:
    """The pieces of each row of one batch."""
    deadline = time.monotonic() + 60
    said: list[list[Piece]] = [[] for _ in prompts]
    rows = [
        Row(ids, sampling, deadline, pieces.append, loaded.text_stream)
        for ids, sampling, pieces in zip(prompts, samplings, said, strict=True)
    ]
    assert generate(loaded, rows, lambda _: None)
    assert all(row.finish for row in rows)
    return said


def text(pieces: list[Piece]) -> str:
    assert [bool(piece.finish) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return "".join(piece.text for piece in pieces)


def reference(loaded: Loaded, ids: list[int], max_tokens: int, **rules: Any) -> str:
    """What transformers' own generate() says to a single prompt, greedily."""
    import torch
    from transformers import GenerationConfig

    config = GenerationConfig(
        do_sample=False, max_new_tokens=max_tokens, pad_token_id=0, eos_token_id=sorted(loaded.ends), **rules
    )
    out = loaded.model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), generation_config=config)
    return loaded.tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True).rstrip("\ufffd")


def test_greedy_rows_equal_single_generate(loaded: Loaded, prompts: list[list[int]]) -> None:
    limits = [24, 3, 40, 1, 12]
    said = run(loaded, prompts, [Sampling(temperature=0, max_tokens=n) for n in limits])
    assert [text(pieces) for pieces in said] == [reference(loaded, p, n) for p, n in zip(prompts, limits, strict=True)]
    assert len({text(pieces) for pieces in said}) > 2


def test_the_end_token_ends_a_row(loaded: Loaded) -> None:
    found = 0
    for seed in range(20):
        [pieces] = run(loaded, [[5 + seed, 7]], [Sampling(temperature=1.5, max_tokens=200, seed=seed)])
        found += pieces[-1].finish == "stop"
        assert "<|" not in text(pieces)
        if found:
            return
    pytest.fail("no row ended by itself")


@pytest.mark.parametrize(
    "rules",
    [
        Sampling(temperature=1.0, max_tokens=20),
        Sampling(temperature=0.7, top_p=0.9, max_tokens=20),
        Sampling(temperature=1.3, top_k=20, min_p=0.02, max_tokens=20),
        Sampling(temperature=0.9, repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2, max_tokens=20),
    ],
)
def test_a_seeded_row_is_the_same_alone_and_in_a_batch(
    loaded: Loaded, prompts: list[list[int]], rules: Sampling
) -> None:
    from dataclasses import replace

    samplings = [replace(rules, seed=n) for n in range(len(prompts))]
    together = [text(pieces) for pieces in run(loaded, prompts, samplings)]
    alone = [text(run(loaded, [p], [s])[0]) for p, s in zip(prompts, samplings, strict=True)]
    assert together == alone
    other = [text(p) for p in run(loaded, prompts, [replace(s, seed=99 + n) for n, s in enumerate(samplings)])]
    assert other != together


def test_every_row_keeps_its_own_rules(loaded: Loaded, prompts: list[list[int]]) -> None:
    p = prompts[1]
    greedy, hot, only = (
        Sampling(temperature=0, max_tokens=16),
        Sampling(temperature=5.0, max_tokens=16, seed=1),
        Sampling(temperature=5.0, top_k=1, max_tokens=16, seed=1),
    )
    said = [text(pieces) for pieces in run(loaded, [p] * 3, [greedy, hot, only])]
    assert said[0] == said[2] == reference(loaded, p, 16)
    assert said[1] != said[0]


def test_the_repetition_penalty_is_that_of_transformers(loaded: Loaded, prompts: list[list[int]]) -> None:
    rules = Sampling(temperature=0, repetition_penalty=1.5, max_tokens=24)
    said = [text(pieces) for pieces in run(loaded, prompts, [rules] * len(prompts))]
    assert said == [reference(loaded, p, 24, repetition_penalty=1.5) for p in prompts]
    assert said != [reference(loaded, p, 24) for p in prompts]


def test_presence_and_frequency_keep_from_repeating(loaded: Loaded, prompts: list[list[int]]) -> None:
    import torch

    from bot.engine.sampling import Draw

    rows = [
        Row([0], Sampling(temperature=0, presence_penalty=1.0), 0.0, print, loaded.text_stream),
        Row([0], Sampling(temperature=0, frequency_penalty=0.5), 0.0, print, loaded.text_stream),
        Row([0], Sampling(temperature=0), 0.0, print, loaded.text_stream),
    ]
    draw = Draw(rows)
    assert draw.judged(torch.zeros(3, 3)).tolist() == [[0.0] * 3] * 3
    for token in (2, 2, 1):
        assert draw.next(9 * torch.eye(3)[[token] * 3]).tolist() == [token] * 3
    assert draw.judged(torch.zeros(3, 3)).tolist() == [[0.0, -1.0, -1.0], [0.0, -0.5, -1.0], [0.0, 0.0, 0.0]]


def test_draws_follow_the_narrowed_probabilities(loaded: Loaded) -> None:
    import torch

    from bot.engine.sampling import Draw

    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    rules = Sampling(temperature=1.0, top_p=0.7, seed=3)
    draw = Draw([Row([0], rules, 0.0, print, loaded.text_stream)])
    counts = torch.zeros(4)
    for _ in range(3000):
        counts[draw.next(probabilities.log()[None])] += 1
    assert counts[2] == counts[3] == 0
    assert abs(counts[0] / 3000 - 0.625) < 0.04


def test_a_stop_string_ends_its_row_only(loaded: Loaded, prompts: list[list[int]]) -> None:
    whole = reference(loaded, prompts[1], 30)
    stop = whole[3:5]
    said = run(
        loaded,
        [prompts[1], prompts[1]],
        [Sampling(temperature=0, max_tokens=30, stop=(stop,)), Sampling(temperature=0, max_tokens=30)],
    )
    assert text(said[0]) == whole[: whole.index(stop)]
    assert said[0][-1].finish == "stop"
    assert text(said[1]) == whole


def test_cancel_and_deadline_end_one_row_within_a_step(loaded: Loaded, prompts: list[list[int]]) -> None:
    pieces: list[list[Piece]] = [[], [], []]
    rows = [
        Row(prompts[1], Sampling(temperature=0, max_tokens=20), time.monotonic() + 60, p.append, loaded.text_stream)
        for p in pieces
    ]
    steps = 0

    def sweep(now: float) -> None:
        nonlocal steps
        steps += 1
        if steps == 5:
            rows[0].cancelled = True
            rows[1].deadline = 0.0

    assert generate(loaded, rows, sweep)
    assert [row.finish for row in rows[:2]] == ["cancelled", "timeout"]
    assert [row.produced for row in rows[:2]] == [5, 5]
    assert text(pieces[2]) == reference(loaded, prompts[1], 20)


def test_scores_that_are_no_numbers_end_only_their_row(
    loaded: Loaded, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = loaded.model.forward

    def poisoned(*args: Any, **kwargs: Any) -> Any:
        out = forward(*args, **kwargs)
        out.logits[0] = float("nan")
        return out

    alone = text(run(loaded, prompts[1:2], [Sampling(temperature=0, max_tokens=9)])[0])
    monkeypatch.setattr(loaded.model, "forward", poisoned)
    said = run(loaded, prompts[:2], [Sampling(temperature=0.9, max_tokens=9), Sampling(temperature=0, max_tokens=9)])
    assert [piece.finish for piece in said[0]] == ["error"]
    assert text(said[1]) == alone


def test_out_of_memory_halves_the_batch_and_success_lets_it_grow_again(
    loaded: Loaded, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def full(*args: Any, **kwargs: Any) -> Any:
        raise torch.OutOfMemoryError

    pieces: list[Piece] = []
    rows = [
        Row(prompts[1], Sampling(max_tokens=3), time.monotonic() + 60, pieces.append, loaded.text_stream)
        for _ in range(4)
    ]
    with monkeypatch.context() as patch:
        patch.setattr(loaded.model, "forward", full)
        assert not generate(loaded, rows, lambda _: None)
    assert loaded.budget == 4 * (len(prompts[1]) + 3) // 2
    assert not pieces
    small = loaded.budget
    assert generate(loaded, rows[:2], lambda _: None)
    assert small < loaded.budget < loaded.most
    for _ in range(70):
        run(loaded, [[60]], [Sampling(max_tokens=1)])
    assert loaded.budget == loaded.most


def test_memory_that_runs_out_before_the_first_step_halves_the_batch_too(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def full(*args: Any, **kwargs: Any) -> Any:
        raise torch.OutOfMemoryError

    row = Row([60], Sampling(max_tokens=3), time.monotonic() + 60, print, loaded.text_stream)
    monkeypatch.setattr(model, "_padded", full)
    monkeypatch.setattr(loaded, "budget", loaded.budget)
    assert not generate(loaded, [row, row], lambda _: None)


def test_room_that_came_free_after_the_load_is_used(toy: Path, prompts: list[list[int]]) -> None:
    """A new persona is loaded beside the old one, which leaves a while later."""
    loaded = open_model(toy)
    loaded.most = loaded.budget = 640
    free = 640
    loaded.room = lambda: free
    run(loaded, prompts[:1], [Sampling(max_tokens=2)])
    assert (loaded.most, loaded.budget) == (640, 640)
    free = 6400
    for _ in range(64):
        run(loaded, [[60]], [Sampling(max_tokens=1)])
    assert (loaded.most, loaded.budget) == (6400, 6400)
    free = 64
    run(loaded, prompts[:1], [Sampling(max_tokens=2)])
    assert loaded.most == 6400


def test_the_models_own_generation_config_does_not_leak_in(toy: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = tmp_path / "v1"
    shutil.copytree(toy, folder)
    path = folder / "generation_config.json"
    own = json.loads(path.read_text())
    path.write_text(json.dumps({**own, "repetition_penalty": 1.8, "eos_token_id": [2, 77], "do_sample": True}))
    _, persona = open_persona(toy)
    changed = load(folder, persona, Engine(device="cpu"))
    assert changed.ends == {2, 77}
    ids = [60, 61, 62]
    [pieces] = run(changed, [ids], [Sampling(temperature=0, max_tokens=20)])
    assert text(pieces) == reference(changed, ids, 20, repetition_penalty=1.0)


@pytest.mark.parametrize("bits", ["load_in_8bit", "load_in_4bit"])
def test_fewer_bits_take_less_memory_and_still_speak(loaded: Loaded, toy: Path, bits: str) -> None:
    small = open_model(toy, **{bits: True})
    assert small.model.get_memory_footprint() < 0.75 * loaded.model.get_memory_footprint()
    [pieces] = run(small, [[60, 61, 62]], [Sampling(temperature=0, max_tokens=8)])
    assert pieces[-1].finish in ("stop", "length")


@pytest.mark.parametrize("form", [{"dtype": "bfloat16"}, {"load_in_8bit": True}, {"load_in_4bit": True}])
def test_in_fewer_bits_a_batch_repeats_itself_and_its_scores_hardly_differ(
    toy: Path, prompts: list[list[int]], form: dict[str, Any]
) -> None:
    import torch

    small = open_model(toy, **form)
    rules = [Sampling(temperature=0.8, top_p=0.9, max_tokens=10, seed=n) for n in range(len(prompts))]
    first = [text(pieces) for pieces in run(small, prompts, rules)]
    assert [text(pieces) for pieces in run(small, prompts, rules)] == first
    rows = [Row(ids, rules[0], 0.0, print, small.text_stream) for ids in prompts]
    ids, mask = model._padded(rows, "cpu")
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    with torch.inference_mode():
        batch = small.model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[:, -1].float()
        alone = torch.cat([small.model(torch.tensor([p])).logits[:, -1].float() for p in prompts])
    assert float(((batch - alone).norm(dim=-1) / alone.norm(dim=-1)).max()) < 0.02


def test_released_weights_are_gone(toy: Path) -> None:
    import weakref

    once = open_model(toy, compile="on")
    kept = weakref.ref(once.model.get_input_embeddings().weight)
    assert once.release() > 100_000
    assert kept() is None
    assert once.text_stream(()).push(70)


def test_importing_the_engine_loads_no_torch() -> None:
    import subprocess
    import sys

    code = f"import sys, {model.__name__}, bot.engine.server, bot.engine.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
