"""`mybot evaluate`: a persona against its base, its person and tricks, on what it has never seen.

    records ─▶ sample ─models speak and score─▶ data/evaluate/….jsonl ─axes─▶ report.json, report.html

What a model said is kept: a second start goes on where the first was broken off, and `--from` makes the
report again without any model. Refuses a persona that has seen what it would be tested on.
"""

import sys
from pathlib import Path

from bot.persona.manifest import open_persona
from config.settings import Evaluate
from training import base
from training.evaluate import blind, tables
from training.evaluate.ledger import Ledger
from training.evaluate.plans import estimate
from training.evaluate.reckoning import console
from training.evaluate.report import REPORT, Report
from training.evaluate.work import measure, prepare, report_of, write
from training.report import show


def main(knobs: Evaluate) -> None:
    base.quiet()
    if knobs.estimate:
        show("evaluate", estimate(prepare(knobs)), as_json=knobs.as_json)
        return
    folder = knobs.out or open_persona(knobs.persona)[0]
    found = guessed(knobs, folder) if knobs.blind else evaluate(knobs)
    write(found, folder)
    if knobs.as_json:
        sys.stdout.write(found.dumped())
    else:
        tables.show(found, folder / REPORT)


def evaluate(knobs: Evaluate) -> Report:
    """The report of a persona."""
    work = prepare(knobs)
    try:
        return report_of(work, *measure(work))
    except KeyboardInterrupt:
        console.print("what was answered so far is kept: the same command goes on from there")
        raise


def guessed(knobs: Evaluate, folder: Path) -> Report:
    """The report that is there, with what friends have guessed on a page until Ctrl-C."""
    found, work = Report.read(folder / REPORT), prepare(knobs)
    ledger = Ledger(knobs.as_from or work.ledger, work.head, writes=False)
    said = work.asked(ledger).said("persona")
    kept = work.ledger.with_name(f"blind-{work.persona.hash}.jsonl")
    blind.play(blind.Game.of(work.sample.moments, said or [], kept, knobs.seed), knobs.blind_port)
    return found.model_copy(update={"people": blind.figures(kept)})
