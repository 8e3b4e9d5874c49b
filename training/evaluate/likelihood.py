"""How well a model foresees what I said, in bits a character, so that tokenizers compare.

    BPC = −Σ log2 p(token | context) / characters of my reply, the end of the reply included
    gain = BPC(base + prompt) − BPC(persona)
    specificity = (BPC on others − BPC on mine), persona minus base

Knows nats and characters; the model is asked elsewhere. What others said is scored as if I were to say it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluate.figures import Draws, Measured, Outcome, difference, insufficient, measured, missing

AXIS = "likelihood"
LEAST = 100
GOOD_GAIN, GOOD_SPECIFICITY = (0.3, None), (0.0, None)


@dataclass(slots=True, frozen=True)
class Scored:
    """One reply under a model."""

    session: str
    nats: float
    chars: int
    copy: bool = False
    """Whether it all but stood in the training part."""


def bpc(replies: Sequence[Scored]) -> float:
    """Bits a character of some replies."""
    chars = sum(reply.chars for reply in replies)
    return math.fsum(reply.nats for reply in replies) / math.log(2) / chars if chars else math.nan


def measure(mine: Sequence[Scored], theirs: Sequence[Scored], apart: Sequence[Scored], draws: Draws) -> Outcome:
    """Bits a character on mine, on others', on chats never trained on, and without near-copies.

    All are drawn by the same sessions, so
    that they can be taken from each other.
    """
    sessions = sorted({reply.session for reply in (*mine, *theirs)})
    outcome = Outcome()
    kinds = {"bpc": mine, "bpc_others": theirs, "bpc_without_copies": [reply for reply in mine if not reply.copy]}
    for name, replies in kinds.items():
        outcome.figures[name] = _figure(replies, sessions, draws)
    outcome.figures["bpc_new_chats"] = _figure(apart, sorted({reply.session for reply in apart}), draws)
    if mine and theirs:
        outcome.figures["apart"] = difference(outcome.figures["bpc_others"], outcome.figures["bpc"])
    return outcome


def compare(outcomes: Mapping[str, Outcome]) -> dict[str, Measured]:
    """Gain and specificity of the persona, from the outcomes of all models."""
    nothing = Outcome()
    persona, base, prompted = (outcomes.get(name, nothing).figures for name in ("persona", "base", "base_prompt"))
    no_base = insufficient("the base model is not at hand: give --base-model")
    gain, specificity = no_base, no_base
    if "bpc" in persona and "bpc" in prompted:
        gain = difference(prompted["bpc"], persona["bpc"], good=GOOD_GAIN, above=0.0)
    if "apart" in persona and "apart" in base:
        specificity = difference(persona["apart"], base["apart"], good=GOOD_SPECIFICITY, above=0.0)
    return {"gain": gain, "specificity": specificity}


def _figure(replies: Sequence[Scored], sessions: Sequence[str], draws: Draws) -> Measured:
    there = {reply.session for reply in replies}
    about = {"n": len(replies), "sessions": len(there)}
    if why := missing(len(replies), len(there), LEAST):
        return insufficient(why, **about)
    place = {session: number for number, session in enumerate(sessions)}
    bits, chars = np.zeros(len(sessions)), np.zeros(len(sessions))
    for reply in replies:
        bits[place[reply.session]] += reply.nats / math.log(2)
        chars[place[reply.session]] += reply.chars
    chosen = draws.chosen(len(sessions), AXIS)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = bits[chosen].sum(axis=1) / chars[chosen].sum(axis=1)
    return measured(bpc(replies), drawn, **about)
