"""The persona folder: sealed last, checked, switched in one move."""

from datetime import datetime, timezone
from pathlib import Path

import pytest

from bot.persona.manifest import Model, Persona, Provenance, make_current, open_persona
from bot.persona.prompt import PromptSpec
from config.errors import PersonaError


def sealed(folder: Path, content: str = "weights") -> Persona:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(content)
    persona = Persona(
        name="me",
        model=Model(base="toy"),
        prompt=PromptSpec(me="阿树"),
        provenance=Provenance(created=datetime.now(timezone.utc)),
    )
    return persona.seal(folder)


def test_a_sealed_folder_opens_and_current_is_followed(tmp_path: Path) -> None:
    first, second = tmp_path / "me" / "1", tmp_path / "me" / "2"
    persona = sealed(first)
    assert sealed(second, "other").hash != persona.hash
    make_current(first)
    assert open_persona(tmp_path / "me") == (first, persona)
    make_current(second)
    assert open_persona(tmp_path / "me")[0] == second
    assert open_persona(first)[0] == first


def test_what_is_missing_or_changed_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    persona = sealed(folder)
    (folder / "scores.json").write_text("{}")
    persona.check(folder, hashes=True)
    (folder / "model.safetensors").write_text("weightz")
    persona.check(folder)
    with pytest.raises(PersonaError, match="changed"):
        persona.check(folder, hashes=True)
    (folder / "model.safetensors").unlink()
    with pytest.raises(PersonaError, match="missing"):
        open_persona(folder)


def test_no_manifest_and_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match=r"no persona\.json"):
        open_persona(tmp_path / "none")
    (tmp_path / "persona.json").write_text('{"format": 2}')
    with pytest.raises(PersonaError):
        open_persona(tmp_path)
    with pytest.raises(PersonaError):
        make_current(tmp_path / "unsealed")
