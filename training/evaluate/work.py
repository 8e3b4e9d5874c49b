"""One evaluation: what is asked of whom and on what, and from there to a report.

Knows the order of things: records, sample, ledger, models, axes. Each of them stands in its own module.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from bot.persona.manifest import Persona, open_persona, write_atomically
from config.errors import InputError
from config.settings import Dataset, Engine, Evaluate, load
from training.evaluate import asking, audited, copies, disclosure, leakage, models, report
from training.evaluate.asking import BARE
from training.evaluate.audited import AUDIT
from training.evaluate.collect import Records, check, collect, digest, draw_sample
from training.evaluate.cost import SERVED, SILENCED, device_name, served, serving_cost, training_cost
from training.evaluate.figures import Draws, Figure, Outcome
from training.evaluate.inquiries import inquiries
from training.evaluate.ledger import Blank, Ledger
from training.evaluate.off_switch import off_switch, silenced
from training.evaluate.outcomes import measure as measure_all
from training.evaluate.page import PAGE, render
from training.evaluate.reckoning import Reckoning, steps
from training.evaluate.report import REPORT, Data, Plan, Report, Run
from training.evaluate.sample import Moment, Sample
from training.evaluate.speaking import Local
from training.evaluate.weighing import Weigher
from training.evaluate.workload import Load, Unopened, by_unit, loads
from training.sft import sha256, versions
from training.trained import TRAINED, Trained

FULL, QUICK = 500, 200
"""Moments at which the persona is asked."""
DRAWS, QUICK_DRAWS = 1000, 200
BY_FULL = ("two_sample.eauc", "two_sample.k90")
"""Figures that grow with the number of replies: their bound was set at FULL, and says nothing of fewer."""
SIZES = {"quick": True, "full": False}

Outcomes = dict[str, dict[str, Outcome]]
"""System or control → axis → what was found."""


@dataclass
class Work:
    """One evaluation: what is asked of whom, and on what."""

    knobs: Evaluate
    folder: Path
    persona: Persona
    records: Records
    sample: Sample
    apart: list[Moment]
    """Moments of the chats that were held out whole."""
    draws: Draws
    base: str
    """Where the base model lies; empty where it isn't at hand."""
    wall: dict[str, float] = field(default_factory=dict)
    scorer: dict[str, str] = field(default_factory=dict)
    """The base model whose answers and scores were measured: path and fingerprint; empty where none was asked."""

    @cached_property
    def known(self) -> dict[str, str] | None:
        """By what the base model is known; None where none is at hand."""
        return models.known_by(self.base)

    @cached_property
    def reader(self) -> Unopened:
        """What must be known of the models to count what they will read."""
        return models.unopened(self.folder, self.persona, models.engine(self.knobs, self.folder))

    @property
    def models(self) -> list[str]:
        """Those that are asked."""
        return ["persona", BARE] if self.base else ["persona"]

    def sized(self, quick: bool) -> "Work":
        """The same evaluation in the other size."""
        if quick == self.quick:
            return self
        sample, apart, draws = drawn(self.records, self.knobs.seed, quick)
        return replace(
            self, knobs=self.knobs.model_copy(update={"quick": quick}), sample=sample, apart=apart, draws=draws
        )

    def opened(self) -> Ledger:
        """What is known already, of the base model at hand."""
        from_ = self.knobs.as_from
        return Ledger(from_ or self.ledger, self.head, self.known, writes=from_ is None)

    @property
    def quick(self) -> bool:
        return self.knobs.quick

    @property
    def head(self) -> dict[str, Any]:
        """What a ledger of this evaluation belongs to."""
        return {
            "format": 1,
            "persona": self.persona.hash,
            "sample": digest([*self.sample.moments, *self.apart]),
            "seed": self.knobs.seed,
            "quick": self.quick,
        }

    @property
    def ledger(self) -> Path:
        head = self.head
        name = f"{head['persona']}-{head['sample']}-{head['seed']}{'-quick' if self.quick else ''}.jsonl"
        return self.knobs.data / "evaluate" / name

    def asked(self, ledger: Ledger) -> asking.Asked:
        """What is asked of the models."""
        rng, records = self.draws.rng("asked"), self.records
        theirs = [records.theirs[n] for n in sorted(rng.permutation(len(records.theirs))[: asking.BESIDE])]
        sides = [[m for m in records.members if (m.mine.part == "train") is trained] for trained in (True, False)]
        members = [side[n] for side in sides for n in sorted(rng.permutation(len(side))[: asking.MEMBERS])]
        number = leakage.ATTACKS_QUICK if self.quick else leakage.ATTACKS
        attacks = {
            "leakage": leakage.attacks(self.sample, self.draws, number),
            "disclosure": disclosure.attacks(self.sample, self.draws, number),
        }
        asked = inquiries(self.knobs.data, self.sample, self.persona.prompt)
        return asking.Asked(
            self.sample, self.apart[: asking.BESIDE], theirs, members, attacks, asked, self.draws, self.quick, ledger
        )

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.wall[what] = self.wall.get(what, 0.0) + time.monotonic() - begun


def prepare(knobs: Evaluate, others: Sequence[Trained] = (), *, strict: bool = True) -> Work:
    """Read the records and draw the sample; what `others` were trained on is no test either.

    Raises Contaminated where the persona itself has seen the test part; not `strict`, it is left out.
    """
    folder, persona = open_persona(knobs.persona)
    trained = Trained.of(folder, persona)
    begun = time.monotonic()
    records = collect(knobs.data, persona.prompt, [trained, *others])
    if strict:
        check(records, trained)
    sample, apart, draws = drawn(records, knobs.seed, knobs.quick)
    work = Work(knobs, folder, persona, records, sample, apart, draws, models.locate_base(knobs, folder, persona))
    work.wall["records"] = time.monotonic() - begun
    return work


def drawn(records: Records, seed: int, quick: bool) -> tuple[Sample, list[Moment], Draws]:
    """What is asked about in that size: the sample, the chats that were held out whole, and by which draws."""
    draws = Draws(seed, QUICK_DRAWS if quick else DRAWS)
    contexts = leakage.CONTEXTS_QUICK if quick else leakage.CONTEXTS
    return *draw_sample(records, QUICK if quick else FULL, draws, load(Dataset).tz, contexts), draws


def measure(work: Work) -> tuple[Outcomes, Run]:
    """Ask the models what isn't known yet, then measure every system and control on every axis."""
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    # What can't be taken over is said before hours of asking, not after.
    _elsewhere(work)
    ledger = work.opened()
    work.scorer, asked = ledger.base, work.asked(ledger)
    try:
        with work.timed("asking"):
            run = _ask(work, asked) if ledger.writes else Run(cost=Reckoning.of(ledger).figures())
        alone = _served(ledger, run)
        given = {
            "persona": work.persona,
            "folder": work.folder,
            "data": work.knobs.data,
            "known": work.records.known,
            "compute": alone.get("bubble"),
        }
        with work.timed("measuring"), steps("measuring") as note:
            outcomes = measure_all(asked, given, quick=work.quick, note=note)
    finally:
        ledger.close()
    clocked = [one.run for one in outcomes.get("persona", {}).values()]
    cost = run.cost | serving_cost(alone) | training_cost(work.persona.provenance)
    cost |= off_switch(alone.get(SILENCED, ()))
    for figures in clocked:
        cost |= figures
    return outcomes, run.model_copy(
        update={"started": started, "wall": work.wall, "versions": versions(), "cost": cost}
    )


def _served(ledger: Ledger, run: Run) -> dict[str, Any]:
    """What replies took, each alone, by this start or an earlier one on the same device; empty where nobody knows."""
    found = ledger.get(SERVED) or {}
    return found if run.device in ("", found.get("device")) else {}


def _ask(work: Work, asked: asking.Asked) -> Run:
    """Load each model that something is still to be asked of; what it cost."""
    engine, seed = models.engine(work.knobs, work.folder), work.knobs.seed
    reckoning, weigher = Reckoning.of(asked.ledger), Weigher(work.reader, work.persona.prompt, asked.ledger)
    fresh = not len(asked.ledger)
    coming = loads(asked, weigher, work.models)
    reckoning.coming = dict(coming)
    if not asking.is_done(asked, "persona") or SILENCED not in (asked.ledger.get(SERVED) or {}):
        with (
            models.opened(work.folder, work.persona, engine) as loaded,
            talking(loaded, work.persona, engine) as talker,
        ):
            asking.ask_persona(asked, loaded, work.persona, talker, reckoning, seed)
            found = served(talker, loaded, work.sample.moments, seed)
            asked.ledger.put(SERVED, {**found, SILENCED: silenced(talker)})
    if work.base and not asking.is_done(asked, "base"):
        with (
            models.opened_base(work.base, work.folder, work.persona, engine) as loaded,
            talking(loaded, work.persona, engine) as talker,
        ):
            asking.ask_base(asked, loaded, work.persona, talker, reckoning, seed)
    known = {work.quick: coming} if fresh else {}
    plans = plans_of(work, reckoning, known)
    return Run(cost=reckoning.figures(), plans=plans, device=device_name(work.reader.device))


def plans_of(work: Work, reckoning: Reckoning, known: Mapping[bool, Mapping[str, Load]]) -> dict[str, Plan]:
    """What either size asks; `known`: what was counted already, by whether it is the quick one."""
    found: dict[str, Plan] = {}
    with steps("sizes of report counted") as note:
        for name, quick in SIZES.items():
            found[name] = plan(work, quick, reckoning, known.get(quick))
            note(len(found), len(SIZES))
    return found


def plan(work: Work, quick: bool, reckoning: Reckoning, known: Mapping[str, Load] | None) -> Plan:
    """All that an evaluation of that size asks, from its beginning; `known`, if it was counted already."""
    if known is None:
        blank = Blank()
        known = loads(work.sized(quick).asked(blank), Weigher(work.reader, work.persona.prompt, blank), work.models)
    replies, tokens = by_unit(known.values(), "replies"), by_unit(known.values(), "tokens")
    return Plan(replies=replies, tokens_read=tokens, seconds=reckoning.seconds(known))


@contextmanager
def talking(loaded: Any, persona: Persona, engine: Engine) -> Iterator[Local]:
    talker = Local(loaded, persona, engine)
    try:
        yield talker
    finally:
        asyncio.run(talker.close())


def report_of(work: Work, outcomes: Outcomes, run: Run) -> Report:
    """What was measured, as it is written."""
    knobs = work.knobs
    return Report(
        seed=knobs.seed,
        quick=knobs.quick,
        persona=work.persona.hash,
        base=_named(work),
        data=_data(work),
        systems=systems_of(work, outcomes),
        differences=report.differences(outcomes),
        pictures=report.pictures(outcomes),
        run=run,
    )


def _named(work: Work) -> str:
    """What the base model is called; empty where none was asked."""
    given = Path(work.knobs.base_model).name
    return (given or work.persona.model.base) if work.scorer else ""


def write(found: Report, folder: Path) -> None:
    """The report, as numbers and as a page."""
    found.write(folder / REPORT)
    write_atomically(folder / PAGE, render(found))


def systems_of(work: Work, outcomes: Outcomes) -> dict[str, dict[str, Figure]]:
    """Everybody's figures; the persona's with what an audit of its training found."""
    found = {
        system: {name: one.figure for name, one in report.named(axes).items()} for system, axes in outcomes.items()
    }
    if work.quick:
        for figures in found.values():
            figures |= {name: figures[name].model_copy(update={"good": None}) for name in BY_FULL if name in figures}
    audit, unfiltered = _elsewhere(work)
    if "persona" in found:
        found["persona"] |= audit
    if work.knobs.unfiltered is not None:
        found[report.UNFILTERED] = unfiltered
    return found


def _elsewhere(work: Work) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """What was measured before: by an audit of the persona's training, and of a persona trained on everything."""
    base = (work.scorer or work.known or {}).get("fingerprint", "")
    told = audited.figures([work.folder / AUDIT, work.knobs.data / "audit" / AUDIT], work.persona, base)
    other = work.knobs.unfiltered
    audit = {f"{leakage.AXIS}.{name}": figure for name, figure in told.items()}
    return audit, {} if other is None else _unfiltered(work, other)


def _unfiltered(work: Work, path: Path) -> dict[str, Figure]:
    """What leaked from a persona that was trained on everything, by the report beside it; of the same moments."""
    other = Report.read(open_persona(path)[0] / REPORT)
    if other.data.scrubbed is not False:
        raise InputError(
            f"{path} was not trained on everything, or its report is old",
            hint="mybot dataset --no-privacy, train, merge, and evaluate that persona first",
        )
    here = (work.head["sample"], work.knobs.seed, work.quick)
    if (other.data.hashes.get("sample"), other.seed, other.quick) != here:
        raise InputError(
            f"the report of {path} is of other moments, another seed or size",
            hint="evaluate it on the same records, with the same --seed and --quick",
        )
    unguarded = other.systems.get("persona_unguarded", {})
    return {name: figure for name, figure in unguarded.items() if name.startswith(leakage.AXIS)}


def _data(work: Work) -> Data:
    knobs, mine = work.knobs, work.sample.mine
    files = ("messages.jsonl", "train.jsonl", "heldout.jsonl")
    hashes = {name: sha256(knobs.data / name) for name in files if (knobs.data / name).is_file()}
    hashes |= {"base": work.scorer["fingerprint"]} if work.scorer.get("fingerprint") else {}
    hashes |= {"sample": str(work.head["sample"]), TRAINED: work.persona.provenance.data.get(TRAINED, "")}
    parts = sorted({reply.part for reply in mine if reply.part})
    middle = {part: _middle([reply.time for reply in mine if reply.part == part]) for part in ("train", "test")}
    earlier = [reply.time for reply in mine if reply.part == "train"][-len(work.sample.moments) :]
    return Data(
        hashes=hashes,
        moments=len(work.sample.moments),
        sessions=len({moment.mine.session for moment in work.sample.moments}),
        members=len(work.sample.others),
        borders={part: min(reply.time for reply in mine if reply.part == part) for part in parts},
        replies={part: sum(reply.part == part for reply in mine) for part in parts},
        scrubbed=work.persona.prompt.privacy,
        near_copies=copies.share(work.sample, work.draws).figure,
        gap_days=(middle["test"] - _middle(earlier)) / 86400 if earlier and middle["test"] else None,
    )


def _middle(times: list[int]) -> int:
    return sorted(times)[len(times) // 2] if times else 0
