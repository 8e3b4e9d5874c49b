"""How likely a text is to a model: the same whether it stands alone, in a batch, or in a row with others."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bot.engine.model import load as load_model
from bot.persona.manifest import open_persona
from config.settings import Engine
from tests.personas import make_persona
from training.evaluate import scoring
from training.evaluate.scoring import Reading


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = make_persona(tmp_path_factory.mktemp("scoring") / "v1", seed=3)
    return load_model(folder, open_persona(folder)[1], Engine(persona=folder, device="cpu"))


def by_hand(loaded: Any, prompt: list[int], reply: list[int]) -> float:
    """log p(reply | prompt), one plain forward."""
    import torch

    with torch.inference_mode():
        scores = loaded.model(torch.tensor([[*prompt, *reply]])).logits[0].log_softmax(-1)
    return math.fsum(float(scores[len(prompt) + n - 1, token]) for n, token in enumerate(reply))


def after(loaded: Any, prompt: list[int], replies: list[list[int]]) -> list[float]:
    return [-math.fsum(losses) for losses in scoring.after(loaded, prompt, replies)]


@pytest.fixture(scope="module")
def texts() -> tuple[list[int], list[list[int]]]:
    rng = np.random.default_rng(1)
    return rng.integers(3, 250, 40).tolist(), [rng.integers(3, 250, n).tolist() for n in (1, 7, 3, 12, 1, 5)]


def test_replies_in_one_row_see_their_prompt_and_themselves(
    loaded: Any, texts: tuple[list[int], list[list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt, replies = texts
    wanted = [by_hand(loaded, prompt, reply) for reply in replies]
    assert after(loaded, prompt, replies) == pytest.approx(wanted, abs=1e-4)
    # In several rows, and one by one where a model doesn't read by attention alone.
    monkeypatch.setattr(scoring, "room", lambda loaded, prompt: 12)
    assert after(loaded, prompt, replies) == pytest.approx(wanted, abs=1e-4)
    monkeypatch.setattr(scoring, "_attends", lambda model, tokens: False)
    assert after(loaded, prompt, replies) == pytest.approx(wanted, abs=1e-4)
    assert scoring.after(loaded, prompt, []) == []


@pytest.mark.parametrize("layers", [None, ["sliding_attention", "full_attention"]])
@pytest.mark.parametrize("window", [16, 52])
def test_what_is_out_of_a_sliding_window_is_not_seen(
    texts: tuple[list[int], list[list[int]]], layers: list[str] | None, window: int
) -> None:
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, MistralConfig, MistralForCausalLM

    prompt, replies = texts
    size: dict[str, Any] = {
        "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": window,
    }  # fmt: skip
    torch.manual_seed(0)
    model: Any = (
        MistralForCausalLM(MistralConfig(**size))
        if layers is None
        else Gemma3ForCausalLM(Gemma3TextConfig(layer_types=layers, **size))
    )
    for parameter in model.parameters():
        # What is seen must make a difference.
        parameter.data *= 8 if parameter.dim() > 1 else 1
    loaded = SimpleNamespace(model=model.eval(), budget=4096, vocabulary=256, device="cpu")
    wanted = [by_hand(loaded, prompt, reply) for reply in replies]
    assert after(loaded, prompt, replies) == pytest.approx(wanted, abs=1e-2)


def test_prompts_with_one_reply_in_batches_are_those_alone(
    loaded: Any, texts: tuple[list[int], list[list[int]]]
) -> None:
    prompt, replies = texts
    readings = [Reading(prompt[n:], [reply]) for n, reply in enumerate(replies)]
    readings += [Reading(prompt, replies), Reading(prompt, [])]
    found = dict(scoring.read(loaded, readings))
    for n, reply in enumerate(replies):
        assert -math.fsum(found[n][0]) == pytest.approx(by_hand(loaded, prompt[n:], reply), abs=1e-4)
    together = [-math.fsum(losses) for losses in found[len(replies)]]
    assert together == pytest.approx([by_hand(loaded, prompt, reply) for reply in replies], abs=1e-4)
    assert [len(losses) for losses in found[len(replies)]] == list(map(len, replies))
    assert (found[len(replies) + 1], readings[-1].tokens) == ([], 0)


def test_replies_of_one_token_need_no_row(loaded: Any, texts: tuple[list[int], list[list[int]]]) -> None:
    prompt, _ = texts
    replies = [[7], [9], [7]]
    assert after(loaded, prompt, replies) == pytest.approx([by_hand(loaded, prompt, reply) for reply in replies])
    assert Reading(prompt, replies).tokens == len(prompt)
