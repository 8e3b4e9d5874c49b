"""How long an evaluation takes: at the rates at which it was answered so far, and how much is left.

    loads by step, seconds each step took ─▶ seconds a reply, seconds a token ─▶ seconds left

What each step took is kept in the ledger, so that a broken-off evaluation knows its rates. Knows a clock and
counts; doesn't know models.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from training.evaluate.figures import Figure
from training.evaluate.ledger import Ledger
from training.evaluate.workload import Load, Unit

Note = Callable[[int, int], None]
Left = Callable[[], "float | None"]
KEY = "took"
"""Where the ledger has it."""
NAMES: dict[Unit, str] = {"replies": "seconds_a_reply", "tokens": "seconds_a_1000_tokens_read"}
EACH: dict[Unit, int] = {"replies": 1, "tokens": 1000}
"""Of how many a report tells the seconds."""
ENOUGH: dict[Unit, int] = {"replies": 10, "tokens": 1000}
"""What must have been done before it tells a rate."""

console = Console(stderr=True, highlight=False)


@dataclass(slots=True)
class Took:
    """What was done in a step, and how long it took."""

    load: Load
    seconds: float = 0.0


@dataclass(slots=True)
class Reckoning:
    """The steps of one evaluation, those that are over and those to come."""

    ledger: Ledger | None = None
    known: list[Took] = field(default_factory=list)
    """What was measured before."""
    coming: dict[str, Load] = field(default_factory=dict)
    """Step → what it will do."""

    @classmethod
    def of(cls, ledger: Ledger) -> "Reckoning":
        """With what the ledger knows of earlier starts."""
        return cls(ledger, [Took(Load(*load), seconds) for load, seconds in ledger.get(KEY) or []])

    @contextmanager
    def __call__(self, title: str) -> Iterator[Note]:
        """One step: its progress, the time that is left of all, and in the end what it took."""
        load, begun = self.coming.pop(title, None), time.monotonic()
        with steps(title, self.left) as show:
            if load is None or not load.amount:
                yield show
                return
            here = Took(replace(load, amount=0))
            self.known.append(here)
            self.coming = {title: load, **self.coming}

            def note(done: int, of: int) -> None:
                amount = round(load.amount * done / max(1, of))
                here.load, here.seconds = replace(load, amount=amount), time.monotonic() - begun
                self.coming[title] = replace(load, amount=load.amount - amount)
                show(done, of)

            try:
                yield note
                note(1, 1)
            finally:
                self.coming.pop(title)
                self._keep()

    def _keep(self) -> None:
        if self.ledger is not None and self.ledger.writes:
            self.ledger.put(KEY, [[astuple(one.load), round(one.seconds, 3)] for one in self.known])

    def rate(self, unit: Unit, system: str = "") -> float | None:
        """Seconds a reply or a token of one system took; of all, where it says too little; None where all do."""
        for whose in dict.fromkeys((system, "")):
            there = [one for one in self.known if one.load.unit == unit and whose in ("", one.load.system)]
            amount = sum(one.load.amount for one in there)
            if amount >= ENOUGH[unit]:
                return sum(one.seconds for one in there) / amount
        return None

    def seconds(self, loads: Mapping[str, Load]) -> float | None:
        """How long some steps take; None where their rate isn't known."""
        total = 0.0
        for load in loads.values():
            rate = self.rate(load.unit, load.system)
            if rate is None and load.amount:
                return None
            total += load.amount * (rate or 0.0)
        return total

    def left(self) -> float | None:
        """Seconds until the models have been asked everything; None before that is known."""
        return self.seconds(self.coming)

    def figures(self) -> dict[str, Figure]:
        """Seconds a generated reply and a thousand read tokens, by system; n is how many."""
        sums: dict[tuple[Unit, str], Took] = {}
        for one in self.known:
            before = sums.get((one.load.unit, one.load.system), Took(replace(one.load, amount=0)))
            amount, seconds = before.load.amount + one.load.amount, before.seconds + one.seconds
            sums[one.load.unit, one.load.system] = Took(replace(one.load, amount=amount), seconds)
        return {
            f"{NAMES[unit]}_{system}": Figure(value=EACH[unit] * one.seconds / one.load.amount, n=one.load.amount)
            for (unit, system), one in sums.items()
            if one.load.amount
        }

    def take_over(self, figures: Mapping[str, Figure]) -> None:
        """Rates that an earlier report tells."""
        for name, figure in figures.items():
            for unit, start in NAMES.items():
                if name.startswith(f"{start}_") and figure.value is not None:
                    load = Load(name.removeprefix(f"{start}_"), unit, figure.n)
                    self.known.append(Took(load, figure.value * figure.n / EACH[unit]))


def told(seconds: float | None) -> str:
    """A duration in words."""
    if seconds is None:
        return "an unknown time"
    minutes = seconds / 60
    if minutes < 1.5:
        return f"{max(1, round(seconds))} s"
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


@contextmanager
def steps(what: str, left: Left | None = None) -> Iterator[Note]:
    """Progress, with the time left of all steps where that is known: a bar on a terminal, a line at every fifth elsewhere."""

    def more() -> str:
        seconds = left() if left is not None else None
        return "" if seconds is None else f"{told(seconds)} left in all"

    if console.is_terminal:
        columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=None, left="")
            yield lambda done, of: bar.update(task, completed=done, total=of, left=more())
        return
    fifths, begun = 0, time.monotonic()

    def note(done: int, of: int) -> None:
        nonlocal fifths
        fifth = 5 * done // max(1, of)
        if fifth > fifths:
            fifths = fifth
            rest = more()
            console.print(f"{what}: {done:,} of {of:,} in {time.monotonic() - begun:.0f} s{rest and f', {rest}'}")

    yield note
