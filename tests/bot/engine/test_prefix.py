"""A turn that takes up what the last one has read says what it says without; what is kept stays bounded."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bot.engine.child import _flags
from bot.engine.model import Loaded, generate, load
from bot.engine.prefix import LEAST, SHARE, Prefixes, common
from bot.engine.rows import Row
from bot.engine.wire import Finish, Sampling
from bot.persona.manifest import open_persona
from config.settings import Engine
from tests.bot.engine.test_decode import MORE, make

HYBRID = {"gemma3_text", "qwen3_5_text"}
NEW = 12
GREEDY = Sampling(temperature=0, max_tokens=NEW)
SEEDED = Sampling(temperature=0.9, top_p=0.9, repetition_penalty=1.2, max_tokens=NEW, seed=7)


def say(
    loaded: Loaded, ids: Sequence[int], sampling: Sampling, sweep: Callable[[Row], None] = lambda _: None
) -> tuple[str, Finish | None]:
    text: list[str] = []
    row = Row([*ids], sampling, math.inf, lambda piece: text.append(piece.text), loaded.text_stream)
    assert generate(loaded, [row], lambda _: sweep(row))
    return "".join(text), row.finish


def turns(number: int, lengths: Sequence[int]) -> list[list[int]]:
    """What a chat has said by each of its turns."""
    return [[5 + (7 * place + place * place * (number + 3)) % 250 for place in range(length)] for length in lengths]


def cancel(row: Row) -> None:
    row.cancelled = row.produced == 3


def kept(loaded: Loaded) -> Prefixes:
    assert loaded.prefixes is not None
    return loaded.prefixes


def read(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each forward from now on has to read."""
    widths: list[int] = []
    forward = loaded.model.forward

    def count(*args: Any, **kwargs: Any) -> Any:
        widths.append(kwargs["input_ids"].shape[1])
        return forward(*args, **kwargs)

    monkeypatch.setattr(loaded.model, "forward", count)
    return widths


@pytest.mark.parametrize("architecture", [name for name in MORE if name not in HYBRID])
def test_turns_that_share_a_beginning_say_what_they_say_without(architecture: str, tokenizer: Any) -> None:
    reusing, plain = make(architecture, tokenizer), make(architecture, tokenizer, prefix_reuse=False)
    assert plain.prefixes is None
    lengths = [90, 132, 132, 70]
    one, other = turns(0, lengths), turns(1, lengths)
    # The other chat shares the first 80 tokens and goes its own way then, as with one system prompt.
    other = [mine[:80] + theirs[80:] for mine, theirs in zip(one, other, strict=True)]
    said = 0
    for prompt in (turn for both in zip(one, other, strict=True) for turn in both):
        for sampling in (GREEDY, SEEDED):
            assert say(reusing, prompt, sampling) == say(plain, prompt, sampling)
            said += 1
        assert say(reusing, prompt, GREEDY, cancel) == say(plain, prompt, GREEDY, cancel)
    assert said == 16
    for entry in kept(reusing)._kept:
        assert entry.cache.get_seq_length() == len(entry.ids)


@pytest.mark.parametrize("architecture", sorted(HYBRID))
def test_layers_that_cannot_be_cut_keep_nothing(architecture: str, tokenizer: Any) -> None:
    assert make(architecture, tokenizer).prefixes is None


def test_a_second_turn_reads_only_what_is_new(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = make("llama", tokenizer)
    loaded.ends = frozenset()
    first, second = turns(0, [200, 230])
    widths = read(loaded, monkeypatch)
    _, finish = say(loaded, first, GREEDY)
    assert finish == "length"
    assert widths == [200, *[1] * (NEW - 1)]
    reply = kept(loaded)._kept[0].ids[200:]
    assert len(reply) == NEW - 1  # the last token was drawn, but never read
    widths.clear()
    say(loaded, first + reply + second[200:], GREEDY)
    assert widths == [30, *[1] * (NEW - 1)]
    assert len(kept(loaded)._kept) == 1
    # Word for word the same prompt again: its last token must still be read.
    widths.clear()
    say(loaded, first + reply + second[200:], GREEDY)
    assert widths[0] == 1
    widths.clear()
    say(loaded, turns(2, [200])[0], GREEDY)
    assert widths[0] == 200
    widths.clear()
    say(loaded, first[: LEAST - 1] + turns(3, [200])[0][LEAST - 1 :], GREEDY)
    assert widths[0] == 200


def test_of_a_row_that_left_only_what_was_read_is_kept(tokenizer: Any) -> None:
    loaded = make("llama", tokenizer)
    loaded.ends = frozenset()
    [prompt] = turns(0, [100])
    assert say(loaded, prompt, GREEDY, cancel)[1] == "cancelled"
    [entry] = kept(loaded)._kept
    assert len(entry.ids) == entry.cache.get_seq_length() == 100 + 3


def test_scores_that_are_no_numbers_leave_nothing_kept(tokenizer: Any) -> None:
    loaded = make("llama", tokenizer)
    [prompt] = turns(0, [100])
    wanted = say(loaded, prompt, GREEDY)
    embedding = loaded.model.get_input_embeddings().weight
    before = embedding.data[4].clone()
    embedding.data[4] = math.nan
    assert say(loaded, [*prompt, 4], GREEDY)[1] == "error"
    embedding.data[4] = before
    assert kept(loaded).tokens == 0
    assert say(loaded, prompt, GREEDY) == wanted
    # Not even where the row had left before they were seen.
    embedding.data[4] = math.nan
    gone = Row([*prompt, 4], GREEDY, math.inf, lambda _: None, loaded.text_stream, cancelled=True)
    assert generate(loaded, [gone], lambda _: None)
    assert gone.finish == "cancelled"
    assert kept(loaded).tokens == 0


def test_memory_goes_to_batches_first(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    loaded = make("llama", tokenizer)
    loaded.ends = frozenset()
    loaded.most = loaded.budget = 1024
    for number in range(4):
        say(loaded, turns(number, [100])[0], GREEDY)
    assert [entry.ids[:100] for entry in kept(loaded)._kept] == [turns(n, [100])[0] for n in (2, 3)]
    say(loaded, turns(5, [300])[0], GREEDY)
    assert kept(loaded).tokens == 2 * (100 + NEW - 1)
    say(loaded, turns(5, [850])[0], GREEDY)
    assert kept(loaded).tokens == 100 + NEW - 1

    def full(*args: Any, **kwargs: Any) -> Any:
        raise torch.OutOfMemoryError

    with monkeypatch.context() as patch:
        patch.setattr(loaded.model, "forward", full)
        rows = [Row(turns(3, [100])[0], GREEDY, math.inf, lambda _: None, loaded.text_stream)]
        assert not generate(loaded, rows, lambda _: None)
    assert kept(loaded).tokens == 0


def test_what_was_read_goes_with_the_weights(toy: Path) -> None:
    import weakref

    folder, persona = open_persona(toy)
    loaded = load(folder, persona, Engine(device="cpu"))
    say(loaded, turns(0, [100])[0], GREEDY)
    keys = weakref.ref(kept(loaded)._kept[0].cache.layers[0].keys)
    weights = weakref.ref(loaded.model.get_input_embeddings().weight)
    loaded.release()
    assert loaded.prefixes is None
    assert keys() is weights() is None


@pytest.mark.parametrize("form", [{"dtype": "bfloat16"}, {"load_in_8bit": True}, {"load_in_4bit": True}])
def test_in_fewer_bits_nothing_is_kept(toy: Path, form: dict[str, Any]) -> None:
    folder, persona = open_persona(toy)
    assert load(folder, persona, Engine(device="cpu", **form)).prefixes is None


def test_positions_that_move_with_the_length_keep_nothing(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rope = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
    monkeypatch.setitem(MORE, "llama", {"rope_parameters": rope})
    assert make("llama", tokenizer).prefixes is None


def test_a_supervised_server_is_told(toy: Path) -> None:
    assert "--prefix-reuse" in _flags(toy, Engine())
    assert "--no-prefix-reuse" in _flags(toy, Engine(prefix_reuse=False))


class Tape:
    """A cache of plain tokens."""

    def __init__(self, said: Sequence[int] = ()) -> None:
        self.layers = [SimpleNamespace(said=list(said))]

    def get_seq_length(self) -> int:
        return len(self.layers[0].said)

    def crop(self, tokens: int) -> None:
        if tokens:
            self.layers[0].said = self.layers[0].said[:tokens]


chats = st.tuples(st.integers(0, 3), st.integers(1, 200), st.integers(0, 40), st.integers(100, 2000))


@given(st.lists(chats, max_size=25))
def test_a_cache_is_always_a_beginning_and_the_store_always_bounded(told: list[tuple[int, int, int, int]]) -> None:
    store = Prefixes(Tape)
    for chat, length, reply, budget in told:
        prompt = [0] * 70 + [chat] * length
        before = [(entry.ids, list(entry.cache.layers[0].said)) for entry in store._kept]
        cache = store.begin(prompt)
        best = max((common(ids, prompt[:-1]) for ids, _ in before), default=0)
        assert cache.layers[0].said == prompt[: best if best >= LEAST else 0]
        # What is kept is never changed.
        assert sorted(ids for ids, _ in before) == sorted(entry.cache.layers[0].said for entry in store._kept)
        said = prompt + [9] * reply
        cache.layers = [SimpleNamespace(said=said)]
        store.make_room(len(said), budget)
        assert store.tokens + len(said) <= budget or not store._kept
        store.keep(said, len(prompt), cache, budget)
        assert store.tokens <= budget // SHARE or all(entry.ids != said for entry in store._kept)
        if len(said) <= budget // SHARE:
            assert store._kept[-1].ids == said


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_common_is_the_longest_shared_beginning(one: list[int], other: list[int]) -> None:
    shared = common(one, other)
    assert one[:shared] == other[:shared]
    assert one[shared : shared + 1] != other[shared : shared + 1] or shared == len(one) == len(other)
