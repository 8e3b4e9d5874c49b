"""Everything that needs a model: what each system says, and what it makes of what was said.

One model is loaded at a time, and only for what the ledger doesn't know yet.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from training.evaluate.figures import Figure, Outcome
from training.evaluate.ledger import Ledger
from training.evaluate.models import engine, opened, opened_base
from training.evaluate.profile import Profile
from training.evaluate.sample import Answers, Moment
from training.evaluate.speaking import Local, Prompted, answers, key, speak

if TYPE_CHECKING:
    from training.evaluate.command import Work

Steps = Callable[[str], "AbstractContextManager[Callable[[int, int], None]]"]


def ask(work: "Work", ledger: Ledger, steps: Steps) -> dict[str, Figure]:
    """Let the models say and score what is missing; what that cost."""
    knobs = engine(work.knobs, work.folder)
    if _missing(ledger, ("persona",), work.sample.moments):
        with opened(work.folder, work.persona, knobs) as loaded, steps("the persona answers") as note:
            talker = Local(loaded, work.persona, knobs)
            speak(talker, "persona", work.sample.moments, ledger, seed=work.knobs.seed, at_once=64, note=note)
    if work.base and _missing(ledger, ("base", "base_prompt"), work.sample.moments):
        with opened_base(work.base, work.folder, work.persona, knobs) as loaded:
            talker = Local(loaded, work.persona, knobs)
            profile = Profile(
                work.sample.of("train"),
                work.persona.prompt,
                lambda text: len(loaded.tokenizer(text, add_special_tokens=False)["input_ids"]),
                loaded.context,
            )
            for system, who in (("base", talker), ("base_prompt", Prompted(talker, profile))):
                with steps(f"{system.replace('_', ' + ')} answers") as note:
                    speak(who, system, work.sample.moments, ledger, seed=work.knobs.seed, at_once=64, note=note)
    return {}


def said(work: "Work", system: str, ledger: Ledger) -> Answers | None:
    """What a model answered to the sample's moments; None where it was never asked."""
    return answers(system, work.sample.moments, ledger)


def outcomes(work: "Work", system: str, answered: Answers, ledger: Ledger) -> dict[str, Outcome]:
    """The axes that rest on what models made of texts."""
    return {}


def _missing(ledger: Ledger, systems: Sequence[str], moments: Sequence[Moment]) -> list[Any]:
    return ledger.missing(key(system, moment) for system in systems for moment in moments)
