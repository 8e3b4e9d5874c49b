"""report.json: what one evaluation found, in numbers; its schema lies beside this file.

No text of the records and no name: counts, numbers, hashes. The same inputs, seed and machine give
the same bytes, but for `run`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from bot.persona.manifest import write_atomically
from config.errors import InputError
from training.evaluate.figures import Figure, Measured, Outcome, Part, Picture, difference, rounded

REPORT = "report.json"
SCHEMA = Path(__file__).with_name("report.schema.json")

SYSTEMS = ("persona", "base_prompt", "base")
"""The models, the persona first."""
UNFILTERED = "persona_unfiltered"
"""A persona that was trained on everything, without its guard: what leaks where nothing is taken out."""


class Data(Part):
    """What it was measured on."""

    hashes: dict[str, str] = {}
    """SHA-256 of the files, and `sample`: of the moments that were drawn."""
    moments: int = 0
    """Places where the persona was asked what it says."""
    sessions: int = 0
    """Sessions they lie in."""
    members: int = 0
    """Other people whose words were compared."""
    borders: dict[str, int] = {}
    """UTC seconds of each part's first session."""
    replies: dict[str, int] = {}
    """My replies by part."""
    scrubbed: bool | None = None
    """Whether personal data was taken out of what the persona was trained on; None: an earlier report."""
    near_copies: Figure = Figure()
    """Share of the test replies that all but stood in the training part."""
    gap_days: float | None = None
    """Days between the middle of what I am compared with earlier and of the test part."""


class Verdict(Part):
    """Whether it may take the place of the one that serves."""

    verdict: Literal["pass", "fail", "refuse", "undecided"]
    against: str = ""
    """Hash of the persona it was compared with; empty: base + prompt."""
    reasons: tuple[str, ...] = ()
    """In one line each: axis, both numbers, interval."""
    checks: dict[str, Figure] = {}
    """Paired losses by axis, positive where the new one is worse."""
    insufficient: tuple[str, ...] = ()
    """Axes of which nothing could be said."""
    sessions_needed: int | None = None
    """Of an undecided one: sessions that would settle it."""


class Plan(Part):
    """What an evaluation of one size asks of the models from its beginning to its end."""

    replies: dict[str, int] = {}
    """System → replies to generate."""
    tokens_read: dict[str, int] = {}
    """System → tokens to read: prompts and the replies that are scored after them."""
    seconds: float | None = None
    """At the rates of this run; the arithmetic afterwards isn't in it."""


class Run(Part):
    """Of this run alone: it differs every time."""

    started: str = ""
    """UTC."""
    wall: dict[str, float] = {}
    """Seconds by what was done."""
    cost: dict[str, Figure] = {}
    """What serving, asking and training cost: first token, tokens a second, seconds a reply, memory, the wait as seen."""
    plans: dict[str, Plan] = {}
    """quick and full: what either takes with this persona and these records."""
    device: str = ""
    """What it was measured on; empty where nothing was asked."""
    versions: dict[str, str] = {}


class Report(Part):
    """Everything an evaluation found."""

    format: Literal[1] = 1
    seed: int
    quick: bool
    persona: str
    """The persona's hash."""
    base: str = ""
    """Name of the base model; empty where it wasn't at hand."""
    data: Data
    systems: dict[str, dict[str, Figure]] = {}
    """System or control → axis.figure."""
    differences: dict[str, dict[str, Figure]] = {}
    """"persona-base_prompt" and the like → axis.figure, the first minus the second, paired."""
    pictures: dict[str, Picture] = {}
    """axis.picture; series by system, and me, floor, other."""
    gate: Verdict | None = None
    people: dict[str, Figure] = {}
    """What people guessed, where they were asked."""
    run: Run = Field(default_factory=Run)

    def dumped(self) -> str:
        """The report as it is written: sorted and rounded."""
        return json.dumps(rounded(self.model_dump(mode="json")), ensure_ascii=False, indent=1) + "\n"

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, self.dumped())

    @classmethod
    def read(cls, path: Path) -> "Report":
        if not path.is_file():
            raise InputError(f"{path} does not exist", hint="run `mybot evaluate` first")
        return cls.model_validate_json(path.read_bytes())


class Comparison(Part):
    """Two personas at the same moments, or one against its base with a prompt."""

    format: Literal[1] = 1
    seed: int
    quick: bool
    personas: tuple[str, ...]
    """Their hashes; the first would take the place of the second."""
    moments: int
    sessions: int
    systems: tuple[dict[str, Figure], ...]
    """The figures of each."""
    differences: dict[str, Figure]
    """The first minus the second (or minus base + prompt), paired."""
    gate: Verdict

    def dumped(self) -> str:
        """As it is printed with --json: one line, sorted and rounded."""
        return json.dumps(rounded(self.model_dump(mode="json")), ensure_ascii=False) + "\n"


def schema() -> str:
    """The schema as it lies in the tree; `python -m training.evaluate.report` writes it."""
    return json.dumps(Report.model_json_schema(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def pictures(outcomes: Mapping[str, Mapping[str, Outcome]]) -> dict[str, Picture]:
    """The pictures of all systems laid over each other; each system's own curve bears its name."""
    found: dict[str, Picture] = {}
    for system, axes in outcomes.items():
        for axis, outcome in axes.items():
            for name, picture in outcome.pictures.items():
                mine = {system if who == "persona" else who: values for who, values in picture.series.items()}
                key = f"{axis}.{name}"
                under = found.get(key)
                if under is None:
                    found[key] = picture.model_copy(update={"series": mine})
                elif (longer := _aligned(under, picture, mine)) is not None:
                    found[key] = longer
    return found


def _aligned(under: Picture, over: Picture, series: Mapping[str, tuple[float, ...]]) -> Picture | None:
    """Two pictures on one axis, the shorter filled up with nothing; None where their places differ."""
    ours, theirs = under.x or under.labels, over.x or over.labels
    if ours[: len(theirs)] != theirs[: len(ours)]:
        return None
    size = max(len(ours), len(theirs))
    whole = {**series, **under.series}
    padded = {who: (*values, *(0.0,) * (size - len(values))) for who, values in whole.items()}
    return (under if len(ours) >= len(theirs) else over).model_copy(update={"series": padded})


def named(axes: Mapping[str, Outcome]) -> dict[str, Measured]:
    """The figures of one system by their names in the report."""
    return {f"{axis}.{name}": one for axis, outcome in axes.items() for name, one in outcome.figures.items()}


def differences(outcomes: Mapping[str, Mapping[str, Outcome]]) -> dict[str, dict[str, Figure]]:
    """The persona against the other models, in every figure that was drawn alike."""
    if "persona" not in outcomes:
        return {}
    mine = named(outcomes["persona"])
    found: dict[str, dict[str, Figure]] = {}
    for system in SYSTEMS[1:]:
        theirs = named(outcomes.get(system, {}))
        both = {
            name: difference(one, theirs[name]).figure
            for name, one in mine.items()
            if name in theirs and one.draws is not None and theirs[name].draws is not None
        }
        if both:
            found[f"persona-{system}"] = both
    return found


def show_schema() -> None:
    SCHEMA.write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    show_schema()
