"""Every window once an epoch, within memory, in an order that neither a break nor a smaller card changes."""

import random

from hypothesis import given, strategies as st

from training.batching import UPDATES_AN_EPOCH, Updates, bucket, cost, micro_batches, tokens_an_update

LENGTHS = st.lists(st.integers(1, 600), min_size=1, max_size=120)
TOKENS = st.integers(1, 3000)


@given(LENGTHS, TOKENS, st.integers(0, 9), st.integers(0, 3))
def test_an_epoch_has_every_window_once(lengths: list[int], tokens: int, seed: int, epoch: int) -> None:
    plan = Updates(lengths, tokens, seed)
    first = list(plan)
    plan.epoch = epoch
    assert sorted(i for update in plan for i in update) == list(range(len(lengths)))
    assert len(list(plan)) == len(plan) == len(first)
    again = Updates(lengths, tokens, seed)
    again.epoch = epoch
    assert list(again) == list(plan)
    assert max(lengths[i] for i in plan.updates()[0]) >= max(lengths) * 15 / 16


@given(LENGTHS, TOKENS, st.integers(2, 4))
def test_processes_share_the_updates_of_one(lengths: list[int], tokens: int, shares: int) -> None:
    alone, shared = Updates(lengths, tokens, 3), list(Updates(lengths, tokens, 3, shares))
    assert len(shared) == len(Updates(lengths, tokens, 3, shares)) == shares * len(alone)
    for place, update in enumerate(alone):
        parts = shared[place * shares : (place + 1) * shares]
        assert all(parts)
        assert sorted(i for part in parts for i in part if i >= 0) == sorted(update)


@given(LENGTHS, TOKENS)
def test_an_update_has_its_tokens(lengths: list[int], tokens: int) -> None:
    for update in Updates(lengths, tokens, 0).updates():
        # Left-overs of less than half an update may come on top, and a single window may be too long.
        sizes = [bucket(lengths[i]) for i in update]
        assert sum(sizes) <= max(tokens, *sizes, 0) + tokens / 2


def test_padding_is_a_few_percent_and_the_order_changes_every_epoch() -> None:
    draw = random.Random(5)
    lengths = [min(2048, max(12, int(draw.lognormvariate(5, 0.9)))) for _ in range(3000)]
    plan = Updates(lengths, tokens_an_update(lengths, 8, 2048), 1)
    orders = []
    for plan.epoch in range(2):
        orders.append(list(plan))
        padded = sum(cost([lengths[i] for i in update], packed=False) for update in plan)
        assert padded < 1.05 * sum(lengths)
    assert orders[0] != orders[1]
    assert {frozenset(update) for update in orders[0]} != {frozenset(update) for update in orders[1]}


@given(LENGTHS, st.integers(1, 2000), st.booleans(), st.integers(1, 6))
def test_micro_batches_fit_and_lose_nothing(lengths: list[int], limit: int, packed: bool, at_least: int) -> None:
    cuts = micro_batches(lengths, limit, packed=packed, at_least=at_least)
    assert sorted(i for cut in cuts for i in cut if i >= 0) == list(range(len(lengths)))
    assert len(cuts) >= at_least
    for cut in cuts:
        assert len(cut) == 1 or cost([lengths[i] for i in cut], packed=packed) <= limit
    assert all(cut[0] >= 0 for cut in cuts) or len(lengths) < at_least


@given(LENGTHS, st.integers(1, 64))
def test_a_step_is_never_less_than_the_recipe_says_nor_more_than_it_has_memory_for(
    lengths: list[int], rows: int
) -> None:
    longest = max(lengths)
    tokens = tokens_an_update(lengths, rows, longest)
    assert tokens <= rows * longest
    assert tokens >= rows * sum(lengths) / len(lengths) or tokens == rows * longest
    many = tokens_an_update(lengths * 400, rows, longest)
    assert many == rows * longest or sum(lengths) * 400 / many >= UPDATES_AN_EPOCH / 1.01 or many - tokens < 2
