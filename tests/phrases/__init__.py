"""Sentences of our own, one a line: what is asked of a bot, and what only looks like it."""

from pathlib import Path


def phrases(name: str) -> list[str]:
    return Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8").splitlines()
