"""Relevance among my own replies: questions are fair, chance is chance, and each trick lands where it belongs."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from training.evaluate import rankers, relevance
from training.evaluate.figures import Draws
from training.evaluate.relevance import SHORT, Question, choice, questions, rank, ratio, searches
from training.evaluate.sample import Sample


@pytest.fixture(scope="module")
def asked(world: Any) -> list[Question]:
    return questions(world.sample, world.draws, quick=True)


def test_ranks_count_those_alike_by_half() -> None:
    assert rank([3, 1, 2]) == 1
    assert rank([1, 3, 2]) == 3
    assert rank([1, 1, 1]) == 2


def test_candidates_are_mine_of_other_sessions_and_like_length(world: Any, asked: list[Question]) -> None:
    assert len(asked) == relevance.QUICK
    sizes = {len(question.candidates) for question in asked}
    assert len(sizes) == 1
    for question in asked:
        own, *others = question.candidates
        assert own == world.sample.moments[question.place].mine
        for other in others:
            assert (other.author, other.part != "train") == ("", True)
            assert other.session != own.session
            assert abs(len(other.text) - len(own.text)) <= 0.3 * len(own.text)
    assert asked == questions(world.sample, world.draws, quick=True)


def test_who_guesses_is_at_chance_and_who_knows_is_not(world: Any, asked: list[Question]) -> None:
    rng = np.random.default_rng(1)
    number = len(asked[0].candidates)
    guessed = choice(world.sample, asked, rng.normal(size=(len(asked), number)).tolist(), world.draws).figures
    low, high = guessed["mrr"].figure.low, guessed["mrr"].figure.high
    assert low is not None
    assert high is not None
    assert low <= float((1 / np.arange(1, number + 1)).mean()) <= high
    knows = [[1.0] + [0.0] * (number - 1) for _ in asked]
    assert choice(world.sample, asked, knows, world.draws).figures["r1"].figure.value == 1
    texts = [[reply.text for reply in question.candidates] for question in asked]
    contexts = [rankers.context(world.sample.moments[question.place]) for question in asked]
    words = choice(world.sample, asked, rankers.tf_idf(contexts, texts, texts[0]).tolist(), world.draws).figures
    shortest = choice(world.sample, asked, rankers.length_only(texts).tolist(), world.draws).figures
    assert (words["r1"].figure.value or 0) > 3 * (shortest["r1"].figure.value or 0)


def test_few_questions_are_no_number(world: Any, asked: list[Question]) -> None:
    few = choice(world.sample, asked[:5], [[1.0, 0.0]] * 5, world.draws).figures["r1"].figure
    assert (few.value, few.note) == (None, "5 questions; 100 are needed")
    lonely = Sample(world.sample.moments, world.sample.moments[0:1] and [world.sample.moments[0].mine], {})
    assert questions(lonely, Draws(), quick=True) == []


def test_the_shuffled_find_their_contexts_no_better_than_chance(world: Any) -> None:
    """The scorer is one that counts shared words: any fixed one will do."""
    sample = world.sample
    made = searches(sample, world.draws, quick=True)
    contexts = [[rankers.context(sample.moments[place]) for place in search.contexts] for search in made]
    known = [reply.text for reply in sample.of("train")]

    def ranks(name: str) -> list[float]:
        said = [world.control(name)[search.place].text for search in made]
        return [rank(row) for row in rankers.tf_idf(said, contexts, known).tolist()]

    mine = ranks("truth")
    found = {
        name: ratio(sample, made, ranks(name), mine, world.draws).figures["rel_ratio"].figure
        for name in ("shuffled", "babble", "replay", "fresh", "truth")
    }
    for name in ("shuffled", "babble", "replay"):
        assert found[name].is_good is False, name
        assert (found[name].value or 0) < 0.5
    assert found["truth"].value == 1
    assert found["fresh"].is_good
    blind = ratio(sample, made, mine, [50.0] * len(made), world.draws).figures["rel_ratio"].figure
    assert "does not find the contexts of my own" in blind.note
    # Among three contexts the own one is found by chance often enough: that is no scorer that finds it.
    small = [replace(search, contexts=search.contexts[:3]) for search in made]
    guessed = [float(1 + n % 3) for n in range(len(small))]
    blind = ratio(sample, small, guessed, guessed, world.draws).figures["rel_ratio"].figure
    assert (blind.value, blind.status) == (None, "insufficient")
    assert "by chance 0.611" in blind.note
    # A control makes the first searches alone, and is held against mine there.
    few = made[: relevance.LEAST]
    assert ratio(sample, few, mine[: len(few)], mine, world.draws).figures["rel_ratio"].figure.value == 1


def test_each_looks_among_99_others_and_each_context_is_looked_at_by_as_many(world: Any) -> None:
    made = searches(world.sample, world.draws, quick=False)
    session = [moment.mine.session for moment in world.sample.moments]
    assert relevance.LEAST < len(made) <= relevance.FULL
    for search in made:
        own, *others = search.contexts
        assert own == search.place
        assert len(set(others)) == relevance.OTHERS
        assert session[own] not in {session[other] for other in others}
    looked = Counter(place for search in made for place in search.contexts)
    assert set(looked) == {search.place for search in made}
    assert max(looked.values()) - min(looked.values()) < 20
    assert searches(world.sample, world.draws, quick=True) == made[: relevance.QUICK]


def test_short_replies_stand_apart(world: Any) -> None:
    rng = np.random.default_rng(2)
    said = ["嗯", "好", "行吧", "哈哈", *(f"{a}{b}" for a in "来去看吃睡" for b in "了吧吗呢啊")]
    short = [
        replace(moment, mine=replace(moment.mine, bubbles=(said[int(rng.integers(len(said)))],)))
        for moment in world.sample.moments
    ]
    mixed = [*short[:120], *world.sample.moments[120:]]
    sample = Sample(mixed, [moment.mine for moment in mixed], {})
    assert searches(Sample(short, [], {}), Draws(), quick=True) == []
    places = {search.place for search in searches(sample, world.draws, quick=False)}
    assert places == set(range(120, len(mixed)))
    asked = questions(sample, world.draws, quick=False, short=True)
    assert relevance.LEAST_SHORT <= len(asked) <= 120
    for question in asked:
        texts = [reply.text for reply in question.candidates]
        assert len(set(texts)) == len(texts) > relevance.LEAST_OTHERS
        assert max(map(len, texts)) < relevance.LEAST_CHARS
    knows = [[1.0] + [0.0] * (len(question.candidates) - 1) for question in asked]
    assert choice(sample, asked, knows, world.draws, SHORT).figures["r1_short"].figure.value == 1
    few = choice(sample, asked[:49], knows[:49], world.draws, "_plain_short").figures["r1_plain_short"].figure
    assert few.note == "49 questions; 50 are needed"
    assert not any(relevance.is_short(q.candidates[0]) for q in questions(sample, world.draws, quick=False))
