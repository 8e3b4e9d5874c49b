"""Every rule of a request means what it means to `generate()`, alone and beside other rules."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from bot.engine.rows import Row
from bot.engine.sampling import Draw
from bot.engine.text import TextStream
from bot.engine.wire import Sampling

VOCABULARY = 40


def row(sampling: Sampling, ids: list[int]) -> Row:
    return Row(ids, sampling, 0.0, print, lambda stop: TextStream(lambda tokens: "", stop))


def theirs(sampling: Sampling, ids: list[int], scores: Any) -> Any:
    """What transformers' own processors make of one row's scores, in the order of generate()."""
    import torch
    from transformers.generation import logits_process as own

    chain: list[Any] = []
    if sampling.repetition_penalty != 1:
        chain.append(own.RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.temperature:
        chain.append(own.TemperatureLogitsWarper(sampling.temperature))
        if sampling.top_k:
            chain.append(own.TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1:
            chain.append(own.TopPLogitsWarper(sampling.top_p))
        if sampling.min_p:
            chain.append(own.MinPLogitsWarper(sampling.min_p))
    scores = scores[None].clone()
    for processor in chain:
        scores = processor(torch.tensor([ids]), scores)
    return scores[0]


rules = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
    top_k=st.sampled_from([0, 1, 5, 60]),
    min_p=st.sampled_from([0.0, 0.1, 0.6]),
    repetition_penalty=st.sampled_from([1.0, 1.3, 0.8]),
)


@pytest.mark.parametrize("few", [3, 1024])
@given(samplings=st.lists(rules, min_size=1, max_size=4), seed=st.integers(0, 2**20))
@settings(max_examples=60, deadline=None)
def test_the_rules_of_a_row_are_those_of_transformers(few: int, samplings: list[Sampling], seed: int) -> None:
    import torch

    made = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(len(samplings), VOCABULARY, generator=made)
    prompts = [[n, n + 3, 7] for n in range(len(samplings))]
    draw = Draw([row(sampling, ids) for sampling, ids in zip(samplings, prompts, strict=True)])
    draw._noise = torch.zeros_like  # pyright: ignore[reportAttributeAccessIssue] - the rules alone, without the dice
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.engine.sampling._FEW", few)
        ours = draw.judged(scores.clone())
    for n, (sampling, ids) in enumerate(zip(samplings, prompts, strict=True)):
        wanted = theirs(sampling, ids, scores[n])
        assert torch.equal(ours[n].isinf(), wanted.isinf()), sampling
        assert torch.allclose(ours[n], wanted, atol=1e-5), sampling


def test_a_few_likely_tokens_are_looked_at_first_and_all_of_them_where_that_is_not_enough() -> None:
    import torch

    flat = torch.zeros(1, 3000)
    steep = flat.clone()
    steep[0, 17] = 20.0
    draw = Draw([row(Sampling(temperature=1.0, top_p=0.9, seed=0), [1])])
    assert draw.judged(steep).argmax() == 17
    assert draw._few == 1024
    kept = draw.judged(flat.clone())
    assert int((~kept.isinf()).sum()) == pytest.approx(2700, abs=1)
    assert draw._few == 3000
