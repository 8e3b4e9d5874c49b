"""What is measured of a persona: every reply is said or the score fails, and the gate's verdict outlives a score."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.engine import model
from bot.engine.trial import Unfit, check_verdict
from bot.persona.manifest import SCORES
from config.errors import EngineError
from config.settings import Score
from tests.personas import make_persona
from training import score


@pytest.fixture(scope="module")
def persona(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_persona(tmp_path_factory.mktemp("score") / "v1", seed=1)


def knobs(persona: Path, data: Path, **more: Any) -> Score:
    return Score(persona=persona, data=data, device="cpu", as_json=True, **{"rows": 3, "generations": 5, **more})


def small_memory(monkeypatch: pytest.MonkeyPatch, most: int, after: int = 3) -> list[int]:
    """From now on memory runs out in the `after`-th step of more than `most` replies at once; the batches tried."""
    import torch

    whole, tried = model.load, list[int]()

    def load(*args: Any) -> Any:
        loaded = whole(*args)
        steps = 0

        def refuse(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
            nonlocal steps
            if "input_ids" not in kwargs:
                return  # a measurement of the loss
            rows, width = kwargs["input_ids"].shape
            if width > 1:
                tried.append(rows)
                steps = 0
            steps += 1
            if rows > most and steps == after:
                raise torch.OutOfMemoryError("CUDA out of memory (as this test's card says)")

        loaded.model.register_forward_pre_hook(refuse, with_kwargs=True)
        return loaded

    monkeypatch.setattr(model, "load", load)
    return tried


def replies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said from now on."""
    said, whole = list[str](), score._replies

    def listen(*args: Any) -> Any:
        for text in whole(*args):
            said.append(text)
            yield text

    monkeypatch.setattr(score, "_replies", listen)
    return said


def test_where_memory_runs_out_the_same_is_said_in_smaller_batches(
    persona: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = replies(monkeypatch)
    wanted = score.score(persona, knobs(persona, data))
    together = [*said]
    assert all(together)
    said.clear()
    tried = small_memory(monkeypatch, most=2)
    assert score.score(persona, knobs(persona, data)) == wanted
    assert tried == [5, 2, 3, 1, 2]
    assert said == together


def test_a_reply_that_does_not_fit_alone_is_no_reply_without_leaks(
    persona: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_memory(monkeypatch, most=0)
    with pytest.raises(EngineError, match="single reply does not fit on cpu") as error:
        score.score(persona, knobs(persona, data))
    assert len(error.value.lines().splitlines()) == 2


def test_a_score_by_hand_keeps_the_verdict_on_that_version(persona: Path, data: Path) -> None:
    score.main(knobs(persona, data, generations=0))
    told = json.loads((persona / SCORES).read_bytes())
    assert "passed" not in told
    check_verdict(persona)
    (persona / SCORES).write_text(json.dumps({**told, "passed": False, "reasons": ["its loss is 9"]}))
    score.main(knobs(persona, data, generations=0, rows=1))
    after = json.loads((persona / SCORES).read_bytes())
    assert after["windows"] == 1
    with pytest.raises(Unfit, match="its loss is 9"):
        check_verdict(persona)
    # A verdict on something else that once lay here says nothing of this one.
    (persona / SCORES).write_text(json.dumps({**after, "persona": "another"}))
    score.main(knobs(persona, data, generations=0, rows=1))
    check_verdict(persona)
