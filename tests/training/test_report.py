"""What commands say at their end, where there is no terminal."""

import pytest

from training.report import show


def test_a_pipe_gets_long_names_and_paths_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/somewhere/" + "far/" * 40 + "dataset.html"
    show(f"export: {path}", {"when": {"delays_exact_to_the_second_" + "x" * 60: "12 of 12"}, "report": path})
    said = capsys.readouterr().out
    assert f"export: {path}\n" in said
    assert "x" * 60 in said
    assert said.count(path) == 2
    assert "…" not in said
