"""What is made of replies is the same as if each stood alone in its whole window, however many share one reading."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.persona.prompt import Bubble, PromptSpec, Turn
from bot.persona.pseudonyms import Pseudonyms
from config.settings import Dataset, load
from tests.personas import byte_tokenizer
from training.evaluate.collect import collect, draw_sample
from training.evaluate.figures import Draws
from training.evaluate.ledger import Ledger
from training.evaluate.sample import Moment
from training.evaluate.weighing import Wanted, Weigher, alone_key, fits_key, nats_key, rank_key
from training.windows import IGNORE

SIZE: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0, "initializer_range": 0.2,
}  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen3": {},
    "mistral": {"sliding_window": 48},
    "gemma3_text": {"sliding_window": 48, "layer_types": ["sliding_attention", "full_attention"]},
    "qwen3_5_text": {
        "layer_types": ["linear_attention", "full_attention"], "linear_num_value_heads": 4,
        "linear_num_key_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
    },
}  # fmt: skip
TEXTS = ("带伞", "面条", "明天\n腿疼", "好", "好", "打我电话13912345678")


def make(architecture: str, context: int) -> Any:
    """A random model that is ready to read."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = byte_tokenizer()
    config = AutoConfig.for_model(architecture, vocab_size=len(tokenizer), **SIZE, **MODELS[architecture])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    return SimpleNamespace(
        model=model, tokenizer=tokenizer, context=context, budget=4096, vocabulary=len(tokenizer), device="cpu"
    )


@pytest.fixture(scope="module")
def moments(data: Path, spec: PromptSpec) -> list[Moment]:
    sample, _ = draw_sample(collect(data, spec, []), 4, Draws(), load(Dataset).tz)
    return sample.moments


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "l.jsonl", {})) as opened:
        yield opened


def alone(loaded: Any, ids: Sequence[int], labels: Sequence[int]) -> float:
    """The nats of the labels, by one plain forward over a whole window."""
    import torch

    with torch.inference_mode():
        scores = loaded.model(torch.tensor([list(ids)]), use_cache=False).logits[0].log_softmax(-1)
    return -math.fsum(float(scores[n - 1, label]) for n, label in enumerate(labels) if label != IGNORE)


@pytest.mark.parametrize(("architecture", "context"), [*((name, 512) for name in MODELS), ("llama", 100)])
def test_one_reading_says_what_whole_windows_say(
    architecture: str, context: int, moments: list[Moment], ledger: Ledger
) -> None:
    """With 100 tokens of context the windows reach further back than the prompts of the other replies."""
    loaded = make(architecture, context)
    weigher = Weigher(loaded, PromptSpec(me="阿树"), ledger)
    wanted = [
        Wanted(moments[0]),
        Wanted(moments[1], (moments[1].mine.text, *TEXTS)),
        Wanted(moments[2], (), TEXTS),
        Wanted(moments[3], (moments[3].mine.text, *TEXTS), TEXTS),
    ]
    expected = weigher.tokens("me", wanted)
    told: list[tuple[int, int]] = []
    weigher.read("me", wanted, lambda done, of: told.append((done, of)))
    assert told[-1] == (expected, expected)
    for one in wanted:
        window = weigher.window(one.moment)
        nats, number = ledger.get(nats_key("me", one.moment))
        assert number == window.trained
        assert nats == pytest.approx(alone(loaded, window.input_ids, window.labels), abs=1e-4)
        prompt = weigher.prompt(one.moment)
        assert (window.input_ids[: len(prompt)] == prompt) == (context == 512)
        after = _after(loaded, weigher, prompt)
        if one.candidates:
            gains, plain = ledger.get(rank_key("me", one.moment, one.candidates))
            assert plain == pytest.approx([after(text) for text in one.candidates], abs=1e-4)
            nothing = [ledger.get(alone_key("me", text))[0] for text in one.candidates]
            assert gains == pytest.approx([a + b for a, b in zip(plain, nothing, strict=True)], abs=2e-4)
        if one.texts:
            assert ledger.get(fits_key("me", one.moment, TEXTS)) == pytest.approx(
                [after(text) for text in TEXTS], abs=1e-4
            )


def _after(loaded: Any, weigher: Weigher, prompt: list[int]) -> Callable[[str], float]:
    def likely(text: str) -> float:
        (reply,) = weigher.replies([text])
        return -alone(loaded, [*prompt, *reply], [IGNORE] * len(prompt) + reply)

    return likely


def test_a_prompt_is_read_once_and_no_last_token(moments: list[Moment], ledger: Ledger) -> None:
    loaded = make("llama", 512)
    fed: list[int] = []
    loaded.model.register_forward_pre_hook(
        lambda module, args, given: fed.append(given["input_ids"].numel()), with_kwargs=True
    )
    weigher = Weigher(loaded, PromptSpec(me="阿树"), ledger)
    moment = moments[0]
    replies = weigher.replies(dict.fromkeys([moment.mine.text, *TEXTS]))
    weigher.alone("me", (*TEXTS, moment.mine.text), lambda done, of: None)
    fed.clear()
    weigher.read("me", [Wanted(moment, (moment.mine.text, *TEXTS), TEXTS)], lambda done, of: None)
    assert fed == [len(weigher.prompt(moment)), sum(len(reply) - 1 for reply in replies)]
    fed.clear()
    weigher.read("me", [Wanted(moment, (moment.mine.text, *TEXTS), TEXTS)], lambda done, of: None)
    assert not fed, "what the ledger knows is not asked again"
    weigher.read("me", [Wanted(moment, (), TEXTS[:2])], lambda done, of: None)
    assert fed[0] == len(weigher.prompt(moment)), "other texts are another question"
    fed.clear()
    weigher.read("me", [Wanted(moment, (moment.mine.text, *TEXTS[1:]))], lambda done, of: None)
    assert fed[0] == len(weigher.prompt(moment)), "so are other candidates: an earlier version drew other ones"


def test_hidden_people_are_hidden_in_candidates(moments: list[Moment], ledger: Ledger) -> None:
    spec = PromptSpec(me="阿树", pseudonyms=Pseudonyms(key="0" * 32))
    weigher = Weigher(make("llama", 512), spec, ledger)
    moment = next(one for one in moments if one.mine.kind == "private")
    name = next(message.name for message in moment.messages if not message.mine)
    there, elsewhere = weigher.replies([f"{name}你好"], moment)[0], weigher.replies([f"{name}你好"])[0]
    assert there != elsewhere


def test_a_reply_longer_than_all_context_is_not_scored(moments: list[Moment], ledger: Ledger) -> None:
    """Somebody pastes a whole page: bits of its end over the characters of all of it would be no bits a character."""
    weigher = Weigher(make("llama", 64), PromptSpec(me="阿树"), ledger)
    page = Turn("assistant", [Bubble("一整页的字" * 40, target=True)])
    long = replace(moments[0], id="page", answer=page)
    weigher.read("me", [Wanted(long), Wanted(moments[1])], lambda done, of: None)
    assert ledger.get(nats_key("me", long)) == [0.0, 0]
    assert ledger.get(nats_key("me", moments[1]))[1] > 0
