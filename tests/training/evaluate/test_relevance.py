"""Relevance among my own replies: questions are fair, chance is chance, and each trick lands where it belongs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from training.evaluate import rankers, relevance
from training.evaluate.figures import Draws
from training.evaluate.relevance import LEAST_CHARS, Question, blocks, choice, context_ranks, questions, rank, ratio
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
    places = [place for block in blocks(sample, world.draws, quick=True) for place in block]
    sessions = [sample.moments[place].mine.session for place in places]
    contexts = [rankers.context(sample.moments[place]) for place in places]
    known = [reply.text for reply in sample.of("train")]

    def ranks(name: str) -> list[float]:
        said = world.control(name)
        texts = [said[place].text for place in places]
        return context_ranks(rankers.tf_idf(contexts, [texts] * len(contexts), known), sessions)

    mine = ranks("truth")
    found = {
        name: ratio(sample, places, ranks(name), mine, world.draws).figures["rel_ratio"].figure
        for name in ("shuffled", "babble", "replay", "fresh", "truth")
    }
    for name in ("shuffled", "babble", "replay"):
        assert found[name].is_good is False, name
        assert (found[name].value or 0) < 0.5
    assert found["truth"].value == 1
    assert found["fresh"].is_good
    blind = ratio(sample, places, mine, [50.0] * len(places), world.draws).figures["rel_ratio"].figure
    assert "does not find the contexts of my own" in blind.note


def test_short_replies_stand_apart(world: Any) -> None:
    short = [replace(m, mine=replace(m.mine, bubbles=("嗯",))) for m in world.sample.moments]
    assert blocks(Sample(short, [], {}), Draws(), quick=True) == []
    assert all(
        len(world.sample.moments[p].mine.text) >= LEAST_CHARS
        for b in blocks(world.sample, Draws(), quick=True)
        for p in b
    )
