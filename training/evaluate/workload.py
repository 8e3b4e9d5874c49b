"""How much of an evaluation is still to be asked of the models: replies to be generated, tokens to be read.

Counted with the persona's tokenizer, before any model is loaded. What nobody has said yet is taken to be as
long as what I said there. Knows prompts and the ledger; doesn't know how fast a model is.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from bot.honesty import fixed_answer
from training.evaluate.asking import BARE, PROMPTED, STEPS, Asked, block_texts, raw
from training.evaluate.controls import CONTROLS
from training.evaluate.sample import Moment
from training.evaluate.speaking import key
from training.evaluate.weighing import TOGETHER, Weigher, alone_key, fits_key, nats_key, rank_key
from training.windows import ended

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
        told = windows(PROMPTED, asked.sample.moments, weigher)
        alone = round(_alone(asked.texts(), weigher) * _still_to_speak(asked.everybody(), beside=2))
        found |= {
            STEPS["told"]: Load(PROMPTED, "tokens", told),
            STEPS["alone"]: Load(BARE, "tokens", alone),
            STEPS["fits"]: Load(BARE, "tokens", _fits(asked, weigher)),
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
    read = windows(system, [*asked.own, *asked.theirs, *asked.members], weigher)
    questions = [q for q in asked.questions if rank_key(system, asked.sample.moments[q.place]) not in asked.ledger]
    texts = [[reply.text for reply in question.candidates] for question in questions]
    chosen = _alone([text for row in texts for text in row], weigher, system)
    for question, row in zip(questions, texts, strict=True):
        moment = asked.sample.moments[question.place]
        chosen += _after(weigher, moment, sum(map(len, weigher.replies(row, moment))))
    return {
        STEPS[f"{system} reads"]: Load(system, "tokens", read),
        STEPS[f"{system} chooses"]: Load(system, "tokens", chosen),
    }


def windows(system: str, moments: Sequence[Moment], weigher: Weigher) -> int:
    """Prompts and answers of some moments; a moment that stands there twice is read twice."""
    missing = [moment for moment in moments if nats_key(system, moment) not in weigher.ledger]
    read = (weigher.window(moment) for moment in missing)
    return sum(len(ended(window).input_ids) for window in read if window.trained)


def _alone(texts: Iterable[str], weigher: Weigher, system: str = BARE) -> int:
    missing = {text for text in texts if alone_key(system, text) not in weigher.ledger}
    readings = ceil(len(missing) / TOGETHER)
    return readings * len(weigher.nothing()) + sum(map(len, weigher.replies(missing)))


def _fits(asked: Asked, weigher: Weigher) -> int:
    """Every reply of a block after every prompt of it."""
    total, more = 0, _still_to_speak(asked.fitted())
    for block in asked.blocks:
        missing = [asked.sample.moments[place] for place in block]
        missing = [moment for moment in missing if fits_key(BARE, moment) not in asked.ledger]
        if missing:
            tokens = round(more * sum(map(len, weigher.replies(block_texts(asked, block)))))
            total += sum(_after(weigher, moment, tokens) for moment in missing)
    return total


def _after(weigher: Weigher, moment: Moment, tokens: int) -> int:
    """The tokens of some replies, and of their prompt."""
    return tokens + len(weigher.prompt(moment))


def _still_to_speak(there: Collection[str], beside: int = 0) -> float:
    """By how much more there will be to read once all models have spoken; `beside`: what else there is, in systems."""
    spoken = sum(system not in CONTROLS and system != "me" for system in there)
    known = len(there) + beside
    return (known + MODELS - spoken) / known
