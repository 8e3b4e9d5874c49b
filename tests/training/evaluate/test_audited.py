"""An audit speaks for the personas that were trained as its own was, and for no other."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from bot.persona.manifest import Model, Persona, Provenance
from bot.persona.prompt import PromptSpec
from config.errors import InputError
from training.evaluate import audited
from training.evaluate.audited import Audited
from training.evaluate.figures import Figure
from training.trained import TRAINED

RECIPE: dict[str, Any] = {"base_model": "Qwen/Qwen3-8B", "r": 16, "seed": 42, "name": "audit", "learning_rate": 2e-4}
FOUND = {
    "exposure": Figure(value=1.5, low=0.5, high=2.5, n=20, good=(None, 2.0)),
    "exposure_r16": Figure(value=9, n=20),
}


def trained(dataset: str = "abc", lessons: str = "all", **recipe: Any) -> Persona:
    origin = Provenance(
        created=datetime(2026, 1, 1, tzinfo=timezone.utc),
        data={"train.jsonl": dataset, TRAINED: lessons},
        recipe={**RECIPE, "name": "me", **recipe},
    )
    return Persona(name="me", model=Model(base="toy"), prompt=PromptSpec(me="小北"), provenance=origin)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    found = Audited(persona="other", seed=7, dataset="abc", trained="all", recipe=RECIPE, figures=FOUND)
    found.write(tmp_path / "audit.json")
    return tmp_path / "audit.json"


def test_it_speaks_for_who_was_trained_alike(kept: Path) -> None:
    told = audited.figures([kept.with_name("none"), kept], trained(seed=1, logging_steps=3))
    assert told == FOUND
    assert told["exposure"].is_good


def test_the_base_model_is_known_by_its_weights(kept: Path) -> None:
    moved, other = trained(base_model="bases/elsewhere"), trained()
    assert "trained otherwise: base_model" in audited.figures([kept], moved, "f1")["exposure"].note, "not known there"
    Audited.read(kept).model_copy(update={"base": "f1"}).write(kept)
    assert audited.figures([kept], moved, "f1") == FOUND, "the same weights at another place"
    for told in (audited.figures([kept], other, "f2"), audited.figures([kept], of_adapter("f2"), "f1")):
        assert "another base model" in told["exposure"].note
    assert audited.figures([kept], of_adapter("f1"), "f2") == FOUND, "an adapter knows its own"
    # Where no base is at hand its name must do.
    assert audited.figures([kept], other) == FOUND
    assert "base_model" in audited.figures([kept], moved)["exposure"].note


def of_adapter(fingerprint: str) -> Persona:
    persona = trained()
    return persona.model_copy(update={"model": persona.model.model_copy(update={"fingerprint": fingerprint})})


@pytest.mark.parametrize(
    ("persona", "why"),
    [
        (trained("new"), "of another dataset"),
        (trained(r=64), "trained otherwise: r 16, not 64"),
        (trained(lessons="older ones, too"), "other conversations"),
    ],
)
def test_it_does_not_speak_for_others(kept: Path, persona: Persona, why: str) -> None:
    told = audited.figures([kept], persona)
    assert set(told) == set(audited.JUDGED)
    assert {(figure.status, figure.value) for figure in told.values()} == {("not_measured", None)}
    assert all(why in figure.note for figure in told.values())


def test_without_an_audit_that_is_said(tmp_path: Path) -> None:
    told = audited.figures([tmp_path / "audit.json"], trained())
    assert {figure.status for figure in told.values()} == {"not_measured"}
    assert "mybot audit" in told["exposure"].note
    (tmp_path / "audit.json").write_text('{"persona": "x", "seed": 7}')
    with pytest.raises(InputError, match="no audit of this version"):
        audited.figures([tmp_path / "audit.json"], trained())


def test_an_audit_without_a_control_is_none(kept: Path) -> None:
    kept.write_text(kept.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(InputError, match="no audit of this version") as refused:
        audited.figures([kept], trained())
    assert "delete it" in refused.value.hint
