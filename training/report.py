"""What a command says at its end: a small table on a terminal, one JSON object with --json."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

WIDE = 1000
"""Columns where there is no terminal."""


def show(title: str, numbers: Mapping[str, Any], *, as_json: bool = False) -> None:
    """Print the numbers of a finished command to standard output."""
    if as_json:
        sys.stdout.write(json.dumps(numbers, ensure_ascii=False, sort_keys=True, default=str) + "\n")
        return
    console = Console()
    if not console.is_terminal:
        # A pipe or a log has no width: nothing is folded there, and a path stays in one piece.
        console.width = WIDE
    console.print(title, style="italic", highlight=False, soft_wrap=True)
    table = Table(show_header=False, box=None, pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for name, value in numbers.items():
        rows = value.items() if isinstance(value, Mapping) else [("", value)]
        for place, (what, number) in enumerate(rows):
            table.add_row(name.replace("_", " ") if place == 0 else "", str(what), _plain(number))
    console.print(table)


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "yes" if value else "no" if value is False else "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
