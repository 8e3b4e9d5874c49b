"""How much of an evaluation is still to be asked of the models: replies to be generated, tokens to be read.

Counted with the persona's tokenizer, before any model is loaded. What nobody has said yet is taken to be as
long as what I said there. Knows prompts and the ledger; doesn't know how fast a model is.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from bot.honesty import fixed_answer
from training.evaluate.asking import BARE, PROMPTED, STEPS, Asked, raw
from training.evaluate.controls import CONTROLS
from training.evaluate.sample import Moment
from training.evaluate.scoring import Reading
from training.evaluate.speaking import key
from training.evaluate.weighing import TOGETHER, Wanted, Weigher, alone_key, fits_key, rank_key

Unit = Literal["replies", "tokens"]
MODELS = 3
"""Systems that speak by a model."""


@dataclass(slots=True, frozen=True)
class Load:
    """What one step still asks of one model."""

    system: str
    unit: Unit
    amount: int


@dataclass(slots=True)
class Unopened:
    """What must be known of a model to count what it will read: no weights."""

    tokenizer: Any
    context: int
    device: str


def loads(asked: Asked, weigher: Weigher, systems: Sequence[str]) -> dict[str, Load]:
    """Step → what is missing of it, in the order in which it is asked; only of these models ("persona", "base")."""
    found: dict[str, Load] = {}
    if "persona" in systems:
        found |= _replies("persona", asked.asked_of_persona, asked)
        found |= _reads("persona", asked, weigher)
    if "base" in systems:
        found |= _replies(BARE, asked.asked_of_base, asked)
        found |= _replies(PROMPTED, asked.sample.moments, asked)
        found |= _reads(BARE, asked, weigher)
        told = weigher.tokens(PROMPTED, [Wanted(moment) for moment in asked.sample.moments])
        alone = round(_alone(asked.texts(), weigher) * _still_to_speak(asked.everybody()))
        found |= {
            STEPS["told"]: Load(PROMPTED, "tokens", told),
            STEPS["alone"]: Load(BARE, "tokens", alone),
        }
    return found


def by_unit(found: Iterable[Load], unit: Unit) -> dict[str, int]:
    """System → replies it generates, or tokens it reads."""
    sums: dict[str, int] = {}
    for load in found:
        if load.unit == unit:
            sums[load.system] = sums.get(load.system, 0) + load.amount
    return sums


def _replies(system: str, moments: Sequence[Moment], asked: Asked) -> dict[str, Load]:
    """What code answers costs nothing."""
    bare = raw(asked)
    missing = [moment for moment in moments if key(system, moment) not in asked.ledger]
    drawn = sum(moment.id in bare or not fixed_answer(moment.messages, moment.answering)[0] for moment in missing)
    return {STEPS[system]: Load(system, "replies", drawn)}


def _reads(system: str, asked: Asked, weigher: Weigher) -> dict[str, Load]:
    wanted = asked.wanted(system)
    new = [one for one in wanted if rank_key(system, one.moment, one.candidates) not in asked.ledger]
    tokens = weigher.tokens(system, wanted) + _alone([text for one in new for text in one.candidates], weigher, system)
    tokens += _unsaid(asked, weigher, wanted) if system == BARE else 0
    return {STEPS[f"{system} reads"]: Load(system, "tokens", tokens)}


def _alone(texts: Iterable[str], weigher: Weigher, system: str = BARE) -> int:
    missing = {text for text in texts if alone_key(system, text) not in weigher.ledger}
    readings = ceil(len(missing) / TOGETHER)
    return readings * len(weigher.nothing()) + _fed(missing, weigher)


def _unsaid(asked: Asked, weigher: Weigher, wanted: Iterable[Wanted]) -> int:
    """What will be read where replies look for their context, of those that nobody has said yet."""
    missing = {one.moment.id for one in wanted if fits_key(BARE, one.moment, one.texts) not in asked.ledger}
    moments, total = asked.sample.moments, 0
    for search in asked.searches:
        there = sum(moments[place].id in missing for place in search.contexts)
        total += there * _fed([moments[search.place].mine.text], weigher)
    return total * (MODELS - _spoken(asked.fitted()))


def _fed(texts: Iterable[str], weigher: Weigher) -> int:
    return Reading((), weigher.replies(texts)).tokens


def _spoken(there: Iterable[str]) -> int:
    """Models that have spoken."""
    return sum(system not in CONTROLS and system != "me" for system in there)


def _still_to_speak(there: Collection[str]) -> float:
    """By how much more there will be to read alone once all models have spoken: beside them, what I said, twice."""
    known = len(there) + 2
    return (known + MODELS - _spoken(there)) / known
