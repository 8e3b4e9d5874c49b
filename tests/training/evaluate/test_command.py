"""`mybot evaluate` that is broken off says that nothing is lost."""

from pathlib import Path
from typing import Any

import pytest

from config.settings import Evaluate
from training.evaluate import command


def test_who_breaks_it_off_is_told_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken_off(work: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "prepare", lambda knobs: None)
    monkeypatch.setattr(command, "measure", broken_off)
    with pytest.raises(KeyboardInterrupt):
        command.evaluate(Evaluate(persona=tmp_path))
    assert "the same command goes on" in capsys.readouterr().err
