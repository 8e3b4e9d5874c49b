"""Does it write as I write: distances of manner, on a scale from my own past to a different friend.

    S = 1 − clip((d_bot − d_floor) / (d_other − d_floor), 0, 1)

d_bot is how far the bot's replies are from mine at the same moments, d_floor how far my newest
training stretch is, d_other the median other member. All are made of equally many replies, for
a distance grows where there are fewer. A line whose d_other isn't above d_floor beyond noise says
nothing of who writes; it is dropped and named.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from training.evaluate.bins import Counts, Line, categories, spread, weights
from training.evaluate.catchphrases import catchphrases, parroted
from training.evaluate.copies import copied
from training.evaluate.figures import (
    Draws,
    Figure,
    Measured,
    Outcome,
    Picture,
    clusters,
    insufficient,
    measured,
    missing,
)
from training.evaluate.manner import CATEGORIES, NUMBERS, Scale, grams
from training.evaluate.sample import Answers, Reply, Sample

AXIS = "style"
NEEDS = ("prepared",)
LEAST, FULL = 200, 500
GOOD = (0.85, None)
MOST_CATEGORIES, MOST_GRAMS = 50, 2000
_SURE = 2.5
"""Per cent of the draws in which a line may fail to tell me from the others."""


@dataclass(slots=True)
class Scaled:
    """A line with its two ends: (times,) draws and the values themselves."""

    line: Line
    mine: Counts
    """(sessions, bins); so of me earlier, and of all others together."""
    earlier: Counts
    theirs: Counts
    sd: float
    floor: float
    other: float
    floors: Counts
    others: Counts

    @property
    def tells(self) -> bool:
        """Whether it tells me from the others, beyond noise."""
        return bool(np.percentile(self.others - self.floors, _SURE) > 0)

    def nearness(self, distance: Any, floor: Any, other: Any) -> Any:
        """S."""
        return 1 - np.clip((distance - floor) / np.maximum(other - floor, 1e-9), 0, 1)


@dataclass(slots=True)
class Prepared:
    """What doesn't depend on who answers; `why` says why there is nothing."""

    why: str = ""
    n: int = 0
    places: list[int] = field(default_factory=list)
    """The moments that are looked at."""
    drawn: Counts = field(default_factory=lambda: np.zeros((0, 0)))
    """(times, sessions) weights of the moments' sessions."""
    lines: list[Scaled] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    known: list[Reply] = field(default_factory=list)
    """My replies by which a parrot is told."""
    fresh: "tuple[Sample, list[int], Prepared] | None" = None
    """The same of the moments whose true reply is no near-copy, and their places; None where all are such."""


def prepare(sample: Sample, draws: Draws, quick: bool) -> Prepared:
    """The lines, my floor and the others' ceiling; once more without near-copies of the training part."""
    made = _prepare(sample, draws, quick)
    if not made.why and (near := copied(sample)):
        places = [place for place in range(len(sample.moments)) if place not in near]
        fresh = replace(sample, moments=[sample.moments[place] for place in places])
        made.fresh = (fresh, places, _prepare(fresh, draws, quick))
    return made


def _prepare(sample: Sample, draws: Draws, quick: bool) -> Prepared:
    moments = [place for place, moment in enumerate(sample.moments) if moment.mine.bubbles]
    train = sample.of("train")
    others = {name: replies for name in sorted(sample.others) if len(replies := sample.others[name]) >= LEAST}
    sizes = [len(moments), len(train), *map(len, others.values())]
    n = min(LEAST if quick else FULL, *sizes)
    why = missing(len(moments), len({sample.moments[place].mine.session for place in moments}), LEAST)
    why = why or missing(len(train), len({reply.session for reply in train}), LEAST, "replies of mine to learn from")
    why = why or ("" if others else f"nobody else said {LEAST} replies")
    if why:
        return Prepared(why, len(moments))
    rng = draws.rng(AXIS)
    places = sorted(rng.choice(moments, n, replace=False).tolist())
    mine = clusters([sample.moments[place].mine for place in places], lambda reply: reply.session)
    earlier = clusters(train[-n:], lambda reply: reply.session)
    theirs = [clusters(replies[-n:], lambda reply: reply.session) for replies in others.values()]
    older = train[: -n // 2] or train
    said = [reply for replies in others.values() for reply in replies if reply.part == "train"]
    phrases = catchphrases(older, sorted(said, key=lambda reply: (reply.time, reply.author)))
    made = Prepared("", n, places, phrases=phrases, known=[*train, *sample.of("dev")])
    made.drawn = weights(draws.chosen(len(mine), AXIS), len(mine))
    for line in _lines([*train[-n:], *(reply for replies in others.values() for reply in replies[-n:])], phrases):
        if (scaled := _scaled(line, mine, earlier, theirs, made.drawn, draws)) is not None:
            made.lines.append(scaled)
    return made


def measure(sample: Sample, answers: Answers, draws: Draws, *, quick: bool, prepared: Prepared) -> Outcome:
    """StyleScore, with and without near-copies, and each line's distance between its floor and its ceiling."""
    outcome = _measure(sample, answers, prepared)
    outcome.figures["score_without_near_copies"] = outcome.figures["score"]
    if prepared.fresh is not None:
        fresh, places, known = prepared.fresh
        without = _measure(fresh, [answers[place] for place in places], known)
        outcome.figures["score_without_near_copies"] = without.figures["score"]
    return outcome


def _measure(sample: Sample, answers: Answers, prepared: Prepared) -> Outcome:
    if prepared.why:
        return Outcome({"score": insufficient(prepared.why, n=prepared.n)})
    mine = clusters([(sample.moments[place].mine, place) for place in prepared.places], lambda pair: pair[0].session)
    grouped = [[answers[place] for _, place in pairs if answers[place].bubbles] for pairs in mine]
    replies = [reply for group in grouped for reply in group]
    about: dict[str, Any] = {"n": len(replies), "sessions": len(grouped)}
    if why := missing(len(replies), len(grouped), LEAST // 2, "spoken replies"):
        return Outcome({"score": insufficient(why, **about)})
    outcome, scores, drawn, dropped = Outcome(), [], [], []
    for scaled in prepared.lines:
        line = scaled.line
        counts = line.counts(grouped)
        if (picture := _picture(scaled, counts)) is not None:
            outcome.pictures[line.name.removesuffix("_w1")] = picture
        distance = float(line.apart(_total(counts), _total(scaled.mine), scaled.sd)[0])
        distances = line.apart(prepared.drawn @ counts, prepared.drawn @ scaled.mine, scaled.sd)
        ends: dict[str, Any] = {"floor": scaled.floor, "other": scaled.other}
        if not scaled.tells:
            dropped.append(line.name)
            outcome.figures[line.name] = insufficient("within noise: it does not tell me from others", **about, **ends)
            continue
        scores.append(scaled.nearness(distance, scaled.floor, scaled.other))
        drawn.append(scaled.nearness(distances, scaled.floors, scaled.others))
        outcome.figures[line.name] = measured(distance, distances, **about, **ends)
    outcome.figures["score"] = _score(scores, drawn, dropped, about)
    outcome.figures["parroted"] = _parrot(replies, prepared, about)
    return outcome


def _score(scores: Sequence[float], drawn: Sequence[Counts], dropped: Sequence[str], about: dict[str, Any]) -> Measured:
    if not scores:
        return insufficient("no line tells me from the others", **about)
    note = f"dropped, within noise: {', '.join(dropped)}" if dropped else ""
    value = float(np.mean(scores))
    found = measured(value, np.mean(np.stack(drawn), axis=0), floor=1.0, other=0.0, good=GOOD, note=note, **about)
    figure = found.figure
    # A drawn distance is a little larger than the one it is drawn from, and S ends at 1: near its ends the draws miss it.
    ends = {"low": min(value, figure.low or 0.0), "high": max(value, figure.high or 0.0)}
    return Measured(figure.model_copy(update=ends), found.draws)


def _parrot(replies: Sequence[Reply], prepared: Prepared, about: dict[str, Any]) -> Measured:
    if not prepared.phrases:
        return insufficient("no catchphrase was found", **about)
    found = parroted(replies, prepared.known, prepared.phrases)
    note = f"of {len(prepared.phrases)} catchphrases, those said over twice as often as I do"
    return Measured(Figure(value=len(found), good=(None, 0), note=note, **about))


def _lines(known: Sequence[Reply], phrases: Sequence[str]) -> list[Line]:
    lines = []
    for name, scale in NUMBERS.items():
        values = _capped(scale)
        lines += [Line(f"{name}_w1", "w1", scale.top + 1, values), Line(f"{name}_ks", "ks", scale.top + 1, values)]
    lines += [categories(name, of, known, MOST_CATEGORIES) for name, of in CATEGORIES.items()]
    lines.append(categories("grams", lambda reply: grams(reply.bubbles), known, MOST_GRAMS))
    if phrases:
        lines.append(Line("catchphrases", "js", len(phrases) + 1, lambda reply: _held(reply, phrases)))
    return lines


def _capped(scale: Scale) -> Callable[[Reply], Iterable[int]]:
    return lambda reply: (min(value, scale.top) for value in scale.values(reply))


def _held(reply: Reply, phrases: Sequence[str]) -> list[int]:
    text = reply.text
    return [place for place, phrase in enumerate(phrases) if phrase in text] or [len(phrases)]


def _scaled(
    line: Line,
    mine: Sequence[Sequence[Reply]],
    earlier: Sequence[Sequence[Reply]],
    theirs: Sequence[Sequence[Sequence[Reply]]],
    drawn: Counts,
    draws: Draws,
) -> Scaled | None:
    """The line with its ends; None where I never vary in it."""
    counts = line.counts(mine)
    sd = spread(counts) if line.distance != "js" else 1.0
    if not sd:
        return None

    def far(others: Counts, axis: str) -> tuple[float, Counts]:
        own = weights(draws.chosen(len(others), axis), len(others))
        value = float(line.apart(_total(others), _total(counts), sd)[0])
        return value, line.apart(own @ others, drawn @ counts, sd)

    before, others = line.counts(earlier), [line.counts(replies) for replies in theirs]
    floor, floors = far(before, "style earlier")
    ends = [far(one, f"style other {number}") for number, one in enumerate(others)]
    return Scaled(
        line=line,
        mine=counts,
        earlier=before,
        theirs=np.concatenate(others),
        sd=sd,
        floor=floor,
        other=float(np.median([value for value, _ in ends])),
        floors=floors,
        others=np.median(np.stack([some for _, some in ends]), axis=0),
    )


def _total(counts: Counts) -> Counts:
    return counts.sum(axis=0, keepdims=True)


def _picture(scaled: Scaled, bot: Counts) -> Picture | None:
    """Overlaid shares of me, bot, my past and the others; None for a line that is no picture, or tells texts."""
    line = scaled.line
    if line.distance == "ks" or line.name in ("grams", "catchphrases", "final_character"):
        return None
    counted = {"me": scaled.mine, "persona": bot, "floor": scaled.earlier, "other": scaled.theirs}
    shares = {who: counts.sum(axis=0) / max(1.0, counts.sum()) for who, counts in counted.items()}
    last = max(int(np.flatnonzero(share).max(initial=0)) for share in shares.values()) + 1
    series = {who: tuple(map(float, share[:last])) for who, share in shares.items()}
    labels = (*line.labels, "…")[:last] if line.labels else ()
    return Picture(x=() if labels else tuple(map(float, range(last))), labels=labels, series=series)
