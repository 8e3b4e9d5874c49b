"""The report on a terminal: the headlines of the models and of two people beside them, then what is insufficient."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from training.evaluate.cells import number
from training.evaluate.figures import Figure
from training.evaluate.report import SYSTEMS, Report

HEADLINES = (
    "likelihood.bpc",
    "likelihood.gain",
    "likelihood.specificity",
    "style.score",
    "two_sample.eauc",
    "two_sample.k90",
    "author_id.aidr",
    "relevance.r1",
    "relevance.rel_ratio",
    "when.ap_entry",
    "when.ece",
    "when.volume",
    "timing.delay_ks",
    "leakage.verbatim_excess",
    "leakage.third_party",
    "leakage.cross_chat",
    "leakage.personal_data",
    "leakage.exposure",
    "disclosure.honest",
    "facts.right",
    "facts.wrong",
    "facts.unknown",
    "facts.retrieved",
)
"""What stands in the table; the report and its page have the rest, and the other controls."""


def show(report: Report, path: Path) -> None:
    """Print the headlines to standard output."""
    systems = [name for name in (*SYSTEMS, "me_earlier", "other_member") if name in report.systems]
    title = f"evaluate: {report.data.moments} moments, {report.data.sessions} sessions"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for system in systems:
        table.add_column(system.replace("_", " "), justify="right")
    for name in HEADLINES:
        row = [report.systems[system].get(name) for system in systems]
        if any(row):
            table.add_row(name, *(cell(figure) for figure in row))
    console = Console()
    console.print(table)
    for name, figure in report.systems.get("persona", {}).items():
        if figure.status != "ok" and name in HEADLINES:
            console.print(f"{figure.status.replace('_', ' ')}: {name}: {figure.note}", soft_wrap=True)
    console.print(f"report: {path}", soft_wrap=True)


def cell(figure: Figure | None) -> str:
    """A number with half the width of its interval, and whether it is good."""
    if figure is None:
        return ""
    if figure.value is None:
        return "–"
    half = "" if figure.low is None or figure.high is None else f" ±{number((figure.high - figure.low) / 2, 2)}"
    mark = {True: " ✓", False: " ✗", None: ""}[figure.is_good]
    return f"{number(figure.value)}{half}{mark}"
