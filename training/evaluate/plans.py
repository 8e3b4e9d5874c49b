"""How much an evaluation of this persona asks, how long it takes, and `mybot evaluate --estimate`, which says so before.

The rates come from what was asked already, from an earlier report of the same device, or from a probe: a few
replies and readings of the persona, which the evaluation then needn't ask again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from training.evaluate import asking, models
from training.evaluate.asking import STEPS
from training.evaluate.cost import device_name
from training.evaluate.reckoning import Note, Reckoning, told
from training.evaluate.report import REPORT, Report
from training.evaluate.speaking import key, speak
from training.evaluate.weighing import Wanted, Weigher, nats_key
from training.evaluate.work import Work, plans_of, talking
from training.evaluate.workload import Load, Unopened, by_unit, loads

T = TypeVar("T")

PROBE, WARM = 20, 4
"""Replies that are timed, and before them those in which kernels are chosen."""


def estimate(work: Work) -> dict[str, Any]:
    """What is left to ask, what it takes, and what the other size would; asks a probe where no rate is known."""
    ledger = work.opened()
    try:
        asked, reader = work.asked(ledger), work.reader
        weigher = Weigher(reader, work.persona.prompt, ledger)
        reckoning, source = _rates(work, asked, weigher, reader)
        left = loads(asked, weigher, work.models)
    finally:
        ledger.close()
    sizes = plans_of(work, reckoning, {})
    return {
        "left": {
            "replies": sum(by_unit(left.values(), "replies").values()),
            "tokens to read": sum(by_unit(left.values(), "tokens").values()),
            "time": told(reckoning.seconds(left)),
        },
        **{
            f"all of a {name} one": {
                "replies": sum(one.replies.values()),
                "tokens to read": sum(one.tokens_read.values()),
                "time": told(one.seconds),
            }
            for name, one in sizes.items()
        },
        "rates": {name.replace("_", " "): figure.value for name, figure in reckoning.figures().items()},
        "rates from": source,
        "not in it": "loading the models, and the arithmetic afterwards",
    }


def _rates(work: Work, asked: asking.Asked, weigher: Weigher, reader: Unopened) -> tuple[Reckoning, str]:
    """The rates of this machine, and where they come from."""
    reckoning = Reckoning.of(asked.ledger)
    if _known(reckoning):
        return reckoning, "this evaluation, as far as it went"
    path = (work.knobs.out or work.folder) / REPORT
    if path.is_file():
        run = Report.read(path).run
        if run.device == device_name(reader.device):
            reckoning.take_over(run.cost)
        if _known(reckoning):
            return reckoning, f"the report of {run.started}, on {run.device}"
    if not asked.ledger.writes:
        return reckoning, "nowhere: that evaluation kept none"
    _probe(work, asked, weigher, reckoning)
    return reckoning, f"a probe of {PROBE} replies"


def _known(reckoning: Reckoning) -> bool:
    return reckoning.rate("replies") is not None and reckoning.rate("tokens") is not None


def _probe(work: Work, asked: asking.Asked, weigher: Weigher, reckoning: Reckoning) -> None:
    """Let the persona answer and read a few moments, spread over all: they stay answered."""
    engine, ledger = models.engine(work.knobs, work.folder), asked.ledger
    say = _spread([one for one in asked.sample.moments if key("persona", one) not in ledger], WARM + PROBE)
    own = [Wanted(one) for one in asked.own if nats_key("persona", one) not in ledger]
    read = _spread(own, WARM + PROBE)
    reckoning.coming = {
        STEPS["persona"]: Load("persona", "replies", max(0, len(say) - WARM)),
        STEPS["persona reads"]: Load("persona", "tokens", weigher.tokens("persona", read[WARM:])),
    }
    with (
        models.opened(work.folder, work.persona, engine) as loaded,
        talking(loaded, work.persona, engine) as talker,
    ):
        scorer = Weigher(loaded, work.persona.prompt, ledger)
        for steps, some, others in ((_untold, say[:WARM], read[:WARM]), (reckoning, say[WARM:], read[WARM:])):
            with steps(STEPS["persona"]) as note:
                speak(talker, "persona", some, ledger, seed=work.knobs.seed, at_once=asking.AT_ONCE, note=note)
            with steps(STEPS["persona reads"]) as note:
                scorer.read("persona", others, note)


@contextmanager
def _untold(title: str) -> Iterator[Note]:
    yield lambda done, of: None


def _spread(places: Sequence[T], number: int) -> list[T]:
    """So many of them, from the first to the last."""
    return list(places[:: max(1, len(places) // number)][:number])
