"""Fixed shapes and a growing cache say what `generate()` says: every kind of layer, ragged batches, others leaving."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from bot.engine.model import Loaded, generate, ready
from bot.engine.rows import Row
from bot.engine.wire import Finish, Sampling
from config.errors import EngineError
from config.settings import Engine

NEW = 12
LENGTHS = (3, 40, 1, 17)
MORE: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "glm4": {},
    "hunyuan_v1_dense": {},
    "ernie4_5": {},
    "internlm3": {},
    "gemma3_text": {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
    "qwen3_5_text": {
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 16,
        "linear_value_head_dim": 16,
    },
}


def make(architecture: str, tokenizer: Any, **knobs: Any) -> Loaded:
    """A random model of two layers, ready on the CPU."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        architecture,
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=1024,
        initializer_range=0.2,
        eos_token_id=2,
        pad_token_id=0,
        bos_token_id=None,
        **MORE[architecture],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    return ready(model, tokenizer, "cpu", 1024, Engine(device="cpu", **knobs))


def prompt(number: int) -> list[int]:
    return [5 + (7 * place + number) % 250 for place in range(LENGTHS[number % len(LENGTHS)])]


def say(loaded: Loaded, samplings: Sequence[Sampling], *, leave: int | None = None) -> list[tuple[str, Finish | None]]:
    """The text and the end of each row of one batch; one of them may leave on the way."""
    texts: list[list[str]] = [[] for _ in samplings]
    rows = [
        Row(prompt(n), sampling, math.inf, lambda piece, text=texts[n]: text.append(piece.text), loaded.text_stream)
        for n, sampling in enumerate(samplings)
    ]

    def sweep(_: float) -> None:
        if leave is not None and rows[leave].produced == 3:
            rows[leave].cancelled = True

    assert generate(loaded, rows, sweep)
    return [("".join(text), row.finish) for text, row in zip(texts, rows, strict=True)]


def alone(loaded: Loaded, number: int) -> str:
    """What transformers' own generate() says to a single prompt, greedily."""
    import torch
    from transformers import GenerationConfig

    ids = torch.tensor([prompt(number)])
    config = GenerationConfig(do_sample=False, max_new_tokens=NEW, pad_token_id=0, eos_token_id=2)
    out = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    return loaded.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).rstrip("\ufffd")


@pytest.mark.parametrize("architecture", MORE)
def test_a_ragged_batch_says_what_each_row_says_alone(architecture: str, tokenizer: Any) -> None:
    plain, fixed = (make(architecture, tokenizer, compile=wanted) for wanted in ("off", "on"))
    assert plain.shapes is None
    assert fixed.shapes is not None
    greedy = [Sampling(temperature=0, max_tokens=NEW)] * 5
    wanted = [alone(plain, number) for number in range(5)]
    assert len(set(wanted)) > 3
    assert [text for text, _ in say(plain, greedy)] == wanted
    # Five rows in a shape of eight: three are idle, and the shape is used again after somebody left.
    left = say(fixed, greedy, leave=1)
    assert left[1][1] == "cancelled"
    assert [text for n, (text, _) in enumerate(left) if n != 1] == wanted[:1] + wanted[2:]
    assert [text for text, _ in say(fixed, greedy)] == wanted
    dice = [Sampling(temperature=0.9, top_p=0.9, repetition_penalty=1.2, max_tokens=NEW, seed=n) for n in range(5)]
    seeded = say(fixed, dice)
    assert seeded == say(plain, dice)
    assert say(fixed, dice[:1]) == seeded[:1]


def test_scores_that_are_no_numbers_leave_nothing_behind(tokenizer: Any) -> None:
    loaded = make("llama", tokenizer, compile="on")
    greedy = [Sampling(temperature=0, max_tokens=NEW)] * 2
    wanted = say(loaded, greedy)
    embedding = loaded.model.get_input_embeddings().weight
    before = embedding.data[prompt(1)[0]].clone()
    embedding.data[prompt(1)[0]] = math.nan
    poisoned = say(loaded, greedy)
    embedding.data[prompt(1)[0]] = before
    assert [finish for _, finish in poisoned] == [wanted[0][1], "error"]
    assert poisoned[0] == wanted[0]
    assert say(loaded, greedy) == wanted


def test_few_shapes_are_kept_and_never_more_than_memory_allows(tokenizer: Any) -> None:
    loaded = make("llama", tokenizer, compile="on")
    assert loaded.shapes is not None
    kept = loaded.shapes._kept
    kept.clear()
    first = loaded.shapes.fit(3, 300, 4096)
    assert list(kept) == [(4, 512)]
    assert loaded.shapes.fit(4, 512, 4096) is first
    loaded.shapes.fit(5, 100, 4096)
    assert list(kept) == [(4, 512), (8, 256)]
    loaded.shapes.fit(1, 200, 4096)
    assert list(kept) == [(8, 256), (1, 256)]
    assert loaded.shapes.fit(32, 300, 4096) is None
    loaded.shapes.make_room(3000, 4096)
    assert list(kept) == [(1, 256)]


def test_shapes_that_disagree_are_not_used(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.engine.shapes import Shape

    step = Shape.step
    monkeypatch.setattr(Shape, "step", lambda shape, tokens: step(shape, tokens).roll(1, dims=-1))
    with pytest.raises(EngineError, match="something else"):
        make("llama", tokenizer, compile="on")
    assert make("llama", tokenizer, compile="auto").shapes is None


@pytest.mark.parametrize("architecture", ["mamba", "xlm"])
def test_a_model_that_keeps_nothing_we_know_of_is_refused_when_loaded(
    architecture: str, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MORE, architecture, {})
    with pytest.raises(EngineError, match="past_key_values") as refused:
        make(architecture, tokenizer)
    assert refused.value.hint


def test_a_prompt_of_one_token_fits_a_shape(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bot.engine.test_decode.LENGTHS", (1,))
    greedy = [Sampling(temperature=0, max_tokens=NEW)]
    plain, fixed = (make("llama", tokenizer, compile=wanted) for wanted in ("off", "on"))
    assert say(fixed, greedy) == say(plain, greedy)
    assert say(fixed, greedy)[0][0] == alone(plain, 0)
