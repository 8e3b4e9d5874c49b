"""Sampling fitted on dev: what reproduces the person is found again, and found twice the same."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from bot.engine.model import load
from bot.persona.manifest import Generation, Model, Persona, Provenance
from bot.persona.prompt import PromptSpec
from config.settings import Engine
from training import sampling_fit
from training.dataset import read_rows
from training.sampling_fit import Reply, distances, drawn, fit, replies_of
from training.sft import cut_rows
from training.windows import Cutter

DRAWN = Generation(temperature=0.8, top_p=1.0, max_tokens=12)


@pytest.fixture(scope="module")
def loaded(toy: Path) -> Any:
    origin = Provenance(created=datetime(2026, 1, 1, tzinfo=timezone.utc))
    model = Model(base="toy", dtype="float32", context=192)
    return load(
        toy, Persona(name="x", model=model, prompt=PromptSpec(me="阿树"), provenance=origin), Engine(device="cpu")
    )


@pytest.fixture(scope="module")
def replies(loaded: Any, data: Path, spec: PromptSpec) -> list[Reply]:
    cutter = Cutter(loaded.tokenizer, spec, 192)
    return replies_of(loaded, list(cut_rows(cutter, read_rows(data / "train.jsonl"))))


def test_replies_are_mine_and_their_prompts_are_the_engines(loaded: Any, replies: list[Reply]) -> None:
    assert len(replies) == sampling_fit.PROMPTS
    assert all(loaded.tokenizer.decode(reply.prompt).endswith("<|im_start|>assistant\n") for reply in replies)
    said = {loaded.tokenizer.decode(reply.mine) for reply in replies}
    assert "带伞" in "".join(said)
    assert not any("<|" in text or "阿泽" in text for text in said)


@pytest.mark.parametrize("temperature", [0.3, 0.9])
def test_the_temperature_that_made_the_replies_is_found(
    loaded: Any, replies: list[Reply], temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = drawn(loaded, DRAWN.model_copy(update={"temperature": temperature}), replies[::-1])[::-1]
    person = [Reply(reply.prompt, ids) for reply, ids in zip(replies, mine, strict=True) if ids]
    monkeypatch.setattr(sampling_fit, "GRID", (("temperature", (0.3, 0.9, 1.6)),))
    found = fit(loaded, DRAWN, person, knobs=["temperature"])
    assert found.generation.temperature == temperature
    assert found.distances["settings"] == 3
    assert fit(loaded, DRAWN, person, knobs=["temperature"]) == found


def test_out_of_time_leaves_what_was_not_tried(loaded: Any, replies: list[Reply]) -> None:
    said: list[tuple[int, int]] = []
    found = fit(
        loaded, DRAWN, replies, knobs=["min_p", "repetition_penalty"], seconds=0.0,
        note=lambda done, of: said.append((done, of)),
    )  # fmt: skip
    assert found.distances["settings"] == 1
    assert found.generation == DRAWN
    assert said[-1] == (6, 6)


def test_distances_are_none_between_the_same_and_tell_what_differs(loaded: Any, replies: list[Reply]) -> None:
    said = drawn(loaded, DRAWN, replies)
    # A reply of nothing has no likelihood; mine stands in for it.
    same = [Reply(reply.prompt, ids or reply.mine) for reply, ids in zip(replies, said, strict=True)]
    shouting = [Reply(reply.prompt, [reply.mine[0]] * 12) for reply in replies]
    alike, apart = distances(loaded, DRAWN, same), distances(loaded, DRAWN, shouting)
    if all(said):
        assert [alike[name] for name in ("tokens", "bubbles", "distinct", "repeats")] == [0, 0, 0, 0]
    assert apart["repeats"] > 0.1 > alike["repeats"]
    assert apart["distinct"] > 0.1 > alike["distinct"]
    assert distances(loaded, DRAWN, replies)["nats"] != 0


def test_likelihood_is_the_models_own_and_cold_is_less_likely(loaded: Any, replies: list[Reply]) -> None:
    plain, cold, narrow = (
        sampling_fit.unlikelihood(loaded, DRAWN.model_copy(update=change), replies)
        for change in ({"temperature": 1.0}, {"temperature": 0.0}, {"temperature": 1.0, "min_p": 0.5})
    )
    assert plain < narrow
    assert plain < cold
