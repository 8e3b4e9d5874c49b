"""`mybot compare A B`: two personas at the same moments, which neither has seen, paired; what the gate would say.

A is judged as the one that would take the place of B; alone, against its base with a prompt.
"""

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.persona.manifest import open_persona
from config.errors import InputError, UsageError
from config.settings import Compare, Evaluate, Gate, load
from training import base
from training.evaluate import report
from training.evaluate.figures import Figure, Measured, difference, insufficient
from training.evaluate.report import Comparison, Report
from training.evaluate.tables import HEADLINES, cell
from training.evaluate.work import Work, measure, prepare, report_of, write
from training.gate import MARGINS, gate
from training.trained import Trained


def main(knobs: Compare) -> None:
    base.quiet()
    if len(knobs.personas) not in (1, 2):
        raise UsageError(f"{len(knobs.personas)} personas", hint="mybot compare personas/NEW personas/OLD")
    found = compare(knobs)
    if knobs.as_json:
        sys.stdout.write(found.dumped())
    else:
        _show(found)


def compare(knobs: Compare) -> Comparison:
    """The first persona against the second; each one's report is written beside it."""
    works = _prepared(knobs)
    measured: list[dict[str, Measured]] = []
    reports: list[Report] = []
    for work in works:
        outcomes, run = measure(work)
        reports.append(report_of(work, outcomes, run))
        measured.append(report.named(outcomes.get("persona", {})))
    against = works[1].persona.hash if len(works) == 2 else ""
    apart = _apart(works, measured) if against else reports[0].differences.get("persona-base_prompt", {})
    own, unguarded = (reports[0].systems.get(name, {}) for name in ("persona", "persona_unguarded"))
    verdict = gate(own, unguarded, apart, load(Gate), against=against)
    reports[0] = reports[0].model_copy(update={"gate": verdict})
    for work, one in zip(works, reports, strict=True):
        write(one, work.folder)
    return Comparison(
        seed=knobs.seed,
        quick=knobs.quick,
        personas=tuple(work.persona.hash for work in works),
        moments=reports[0].data.moments,
        sessions=reports[0].data.sessions,
        systems=tuple(one.systems.get("persona", {}) for one in reports),
        differences=apart,
        gate=verdict,
    )


def _prepared(knobs: Compare) -> list[Work]:
    """One evaluation for each, at moments that none of them has seen."""
    opened = [open_persona(path) for path in knobs.personas]
    if len({persona.hash for _, persona in opened}) < len(opened):
        raise InputError("both are the same version", hint="name the older one's folder: personas/NAME/VERSION")
    lists = [Trained.of(*one) for one in opened]
    works = [
        prepare(_knobs(knobs, place), [one for n, one in enumerate(lists) if n != place], strict=not place)
        for place in range(len(lists))
    ]
    if len({work.head["sample"] for work in works}) > 1:
        raise InputError("the two can't be asked at the same moments", hint="give two personas of the same records")
    return works


def _knobs(knobs: Compare, place: int) -> Evaluate:
    shared = {name: getattr(knobs, name) for name in Compare.model_fields if name in Evaluate.model_fields}
    return load(Evaluate, **{**shared, "persona": knobs.personas[place], "as_from": None, "out": None})


def _apart(works: list[Work], measured: list[Mapping[str, Measured] | Any]) -> dict[str, Figure]:
    """The first minus the second in every figure that has an interval in both."""
    new, old = measured
    found: dict[str, Figure] = {}
    for name in sorted(set(new) & set(old)):
        if new[name].draws is None and name not in MARGINS:
            continue
        one = difference(new[name], old[name])
        if name.startswith("relevance.rel_") and _scorer(works[0]) != _scorer(works[1]):
            one = insufficient("their base models differ, and the base is the scorer")
        found[name] = one.figure
    return found


def _scorer(work: Work) -> str:
    """By what its base model is known, wherever it lies."""
    return work.scorer.get("fingerprint") or work.scorer.get("path", "")


def _show(found: Comparison) -> None:
    table = Table(title=f"compare: {found.moments} moments, {found.sessions} sessions", box=None, title_justify="left")
    for column in ("", *found.personas, "difference"):
        table.add_column(column, justify="right" if column else "left")
    for name, apart in found.differences.items():
        # All of them are over a hundred: the report of each persona has the others, and --json.
        if name in MARGINS or (name in HEADLINES and apart.status == "ok"):
            table.add_row(name, *(cell(figures.get(name)) for figures in found.systems), cell(apart))
    console = Console()
    console.print(table)
    console.print(f"gate: {found.gate.verdict}")
    for reason in found.gate.reasons:
        console.print(f"  {reason}", soft_wrap=True)
