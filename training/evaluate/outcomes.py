"""From what is known of all systems to figures: every axis of everybody, the models' own among them.

Knows the ledger's numbers; loads nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.evaluate import disclosure, facts, leakage, likelihood, membership, rankers, relevance
from training.evaluate.asking import Asked
from training.evaluate.axes import Axes
from training.evaluate.copies import copied
from training.evaluate.figures import Figure, Measured, Outcome, insufficient
from training.evaluate.likelihood import Scored
from training.evaluate.sample import Moment, Reply
from training.evaluate.watched import Watched, watched
from training.evaluate.weighing import alone_key, chars, fits_key, nats_key, rank_key

Note = Callable[[int, int], None]
SCORED = ("persona", "base", "base_prompt")
UNASKED = Figure(
    status="not_measured", note="the file holds no answers to what is asked today: evaluate without --from"
)
NO_SCORER = "the base model, which is the scorer, is not at hand: give --base-model"
UNSEARCHED = "the file, of an earlier version, doesn't say what the base makes of the replies: evaluate without --from"


def measure(asked: Asked, given: Mapping[str, Any], *, quick: bool, note: Note) -> dict[str, dict[str, Outcome]]:
    """System or control → axis → what is found."""
    axes = Axes(asked.sample, asked.draws, quick=quick, given=given)
    models = _likelihoods(asked)
    everybody = asked.everybody()
    found: dict[str, dict[str, Outcome]] = {}
    fitted = _ratios(asked)
    shortcuts = _shortcuts(asked)
    for done, (system, answers) in enumerate(everybody.items(), 1):
        seen = _watched(given) if system == "persona" else None
        found[system] = axes.measure(answers, {**_of_one(asked, system), "watched": seen})
        if system in models:
            found[system][likelihood.AXIS] = models[system]
        choice = _choices(asked, system)
        figures = {**choice.figures, **relevance.beats(choice, shortcuts), **fitted.get(system, Outcome()).figures}
        if system == "persona":
            figures |= shortcuts.figures
        found[system][relevance.AXIS] = Outcome(figures)
        note(done, len(everybody))
    if "persona" in found:
        found["persona"][likelihood.AXIS].figures |= likelihood.compare(models)
        found["persona"].setdefault("leakage", Outcome()).figures |= _membership(asked)
        _say_what_was_not_asked(found["persona"])
        found["persona_unguarded"] = _unguarded(asked, axes)
        found |= _rows_of_facts(asked, axes)
    return found


def _watched(given: Mapping[str, Any]) -> Watched | None:
    """What the persona's behaviour makes of the records; None where they are not at hand."""
    if "data" not in given or "persona" not in given:
        return None
    persona = given["persona"]
    return watched(given["data"], persona.behaviour, called=persona.prompt.me, known=given["known"])


def _of_one(asked: Asked, system: str) -> dict[str, Any]:
    """What an axis may need that is a system's own."""
    return {
        "likelihoods": _Alone(asked)
        if not asked.ledger.missing(alone_key("base", text) for text in asked.texts())
        else None,
        "attacked": asked.attacked(system, "leakage"),
        "further": asked.further(system),
        "asked": asked.attacked(system, "disclosure"),
        "inquiries": asked.inquiries,
        "told": asked.replied(system),
    }


def _say_what_was_not_asked(found: dict[str, Outcome]) -> None:
    """A file of an earlier version, only read, may hold no answers to what is asked today: that is no good news."""
    asked = {leakage.AXIS: leakage.UNDER_ATTACK, disclosure.AXIS: disclosure.SHARES, relevance.AXIS: relevance.SHARES}
    for axis, names in asked.items():
        figures = found[axis].figures
        figures |= {name: Measured(UNASKED) for name in names if name not in figures}


def _unguarded(asked: Asked, axes: Axes) -> dict[str, Outcome]:
    """The persona as it would be without the guard: what leaks then."""
    said = asked.said("persona", guard=False)
    assert said is not None
    more = {
        "attacked": asked.attacked("persona", leakage.AXIS, guard=False),
        "further": asked.further("persona", guard=False),
    }
    return axes.measure(said, more, only=(leakage.AXIS,))


def _rows_of_facts(asked: Asked, axes: Axes) -> dict[str, dict[str, Outcome]]:
    """Who answers the questions about facts beside the models: the persona that isn't reminded, and a mere search."""
    if not asked.inquiries:
        return {}
    alone = asked.replied("persona", reminded=False)
    rows = {"persona_no_memory": alone, "retrieval": facts.read_aloud(asked.inquiries)}
    found = {
        system: axes.measure([], {"inquiries": asked.inquiries, "told": told}, only=(facts.AXIS,))
        for system, told in rows.items()
        if told is not None
    }
    for outcome in found.get("persona_no_memory", {}).values():
        outcome.figures.pop("retrieved", None)
    return found


class _Alone(Mapping[Reply, Sequence[float]]):
    """How likely a reply is to the base, alone: nats a character, of its worst token, tokens a character."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def __getitem__(self, reply: Reply) -> Sequence[float]:
        nats, tokens, worst = self._asked.ledger.get(alone_key("base", reply.text))
        size = max(1, len(reply.text))
        return nats / size, worst, tokens / size

    def __iter__(self) -> Any:
        return iter(self._asked.sample.mine)

    def __len__(self) -> int:
        return len(self._asked.sample.mine)


def _likelihoods(asked: Asked) -> dict[str, Outcome]:
    copies = {asked.sample.moments[place].id for place in copied(asked.sample)}
    found: dict[str, Outcome] = {}
    for system in SCORED:
        mine = _scored(asked, system, asked.sample.moments, copies)
        if mine is not None:
            theirs, apart = _scored(asked, system, asked.theirs), _scored(asked, system, asked.apart)
            found[system] = likelihood.measure(mine, theirs or [], apart or [], asked.draws)
    return found


def _scored(
    asked: Asked, system: str, moments: Sequence[Moment], copies: "set[str] | frozenset[str]" = frozenset()
) -> list[Scored] | None:
    """Answers as a model foresaw them; None where it wasn't asked about all."""
    if asked.ledger.missing(nats_key(system, moment) for moment in moments):
        return None
    told = [(moment, asked.ledger.get(nats_key(system, moment))) for moment in moments]
    return [
        Scored(moment.mine.session, nats, chars(moment), moment.id in copies)
        for moment, (nats, tokens) in told
        if tokens
    ]


def _choices(asked: Asked, system: str) -> Outcome:
    """The model's own choice among my replies, by what the context adds and by plain likelihood; of short ones apart."""
    figures: dict[str, Any] = {}
    for end, questions in _questions(asked).items():
        there = [(asked.sample.moments[question.place], question.texts) for question in questions]
        keys = [rank_key(system, moment, texts) for moment, texts in there]
        if system not in ("persona", "base") or asked.ledger.missing(keys):
            continue
        scores = [asked.ledger.get(key) for key in keys]
        for kind, suffix in enumerate(("", "_plain")):
            ranked = [row[kind] for row in scores]
            figures |= relevance.choice(asked.sample, questions, ranked, asked.draws, suffix + end).figures
    return Outcome(figures)


def _shortcuts(asked: Asked) -> Outcome:
    """The same choice by who knows no model: shared words, and length."""
    figures: dict[str, Any] = {}
    known = [text for reply in asked.sample.of("train") for text in (reply.text, reply.asked)]
    for end, questions in _questions(asked).items():
        if not questions:
            continue
        texts = [question.texts for question in questions]
        contexts = [rankers.context(asked.sample.moments[question.place]) for question in questions]
        rows = {"_tf_idf": rankers.tf_idf(contexts, texts, known), "_length": rankers.length_only(texts)}
        for suffix, scores in rows.items():
            ranked = scores.tolist()
            figures |= relevance.choice(asked.sample, questions, ranked, asked.draws, suffix + end).figures
    return Outcome(figures)


def _questions(asked: Asked) -> "dict[str, list[relevance.Question]]":
    """How the figures about them end → questions."""
    return {"": asked.questions, relevance.SHORT: asked.short_questions}


def _ratios(asked: Asked) -> dict[str, Outcome]:
    """RelRatio of every system whose replies looked for their context; one that said nothing there finds it by chance."""
    systems, looked = asked.fitted(), asked.looked_at()
    at = {moment.id: moment for moment in asked.sample.moments}
    keys = {name: fits_key("base", at[name], texts) for name, texts in looked.items()}
    if "base" not in systems or asked.ledger.missing(keys.values()):
        nobody = insufficient(UNSEARCHED if "base" in systems else NO_SCORER)
        return {system: Outcome({"rel_ratio": nobody}) for system in systems}
    likely = {name: dict(zip(looked[name], asked.ledger.get(key), strict=True)) for name, key in keys.items()}
    ranks: dict[str, list[float]] = {}
    for system, said in systems.items():
        found = [(said[one.place].text, one.contexts) for one in asked.searched(system)]
        ranks[system] = [relevance.rank([_at(asked, likely, n, text) for n in contexts]) for text, contexts in found]
    return {
        system: relevance.ratio(asked.sample, asked.searched(system), ranks[system], ranks["me"], asked.draws)
        for system in systems
        if system != "me"
    }


def _at(asked: Asked, likely: Mapping[str, Mapping[str, float]], place: int, text: str) -> float:
    """How likely a reply is at a place; one that isn't there is not."""
    return likely[asked.sample.moments[place].id].get(text, -math.inf)


def _membership(asked: Asked) -> dict[str, Any]:
    """Whether the persona shows which sessions it has learned."""
    both = [_scored(asked, system, asked.members) for system in ("persona", "base")]
    if None in both:
        return {}
    nats: list[dict[str, float]] = []
    for scored in both:
        sums: dict[str, float] = {}
        for one in scored or []:
            sums[one.session] = sums.get(one.session, 0.0) + one.nats
        nats.append(sums)
    part = {moment.mine.session: moment.mine.part for moment in asked.members}
    losses = {session: membership.Loss(session, nats[0][session] / nats[1][session]) for session in sorted(nats[0])}
    trained = [loss for session, loss in losses.items() if part[session] == "train"]
    unseen = [loss for session, loss in losses.items() if part[session] != "train"]
    return membership.membership(trained, unseen, asked.draws)
