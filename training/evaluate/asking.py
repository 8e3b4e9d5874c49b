"""Everything that needs a model: what each system says, and what it makes of what was said.

One model is loaded at a time, and only for what the ledger doesn't know yet. The base comes last: it is
the fixed scorer that looks at what all have said.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bot.persona.manifest import Persona
from training.evaluate import leakage, relevance
from training.evaluate.controls import CONTROLS
from training.evaluate.figures import Draws
from training.evaluate.inquiries import Inquiry
from training.evaluate.ledger import Ledger
from training.evaluate.profile import Profile
from training.evaluate.relevance import Question, Search
from training.evaluate.sample import Answers, Moment, Reply, Sample
from training.evaluate.speaking import Local, Prompted, answers, key, speak
from training.evaluate.weighing import Wanted, Weigher, alone_key, nats_key

Steps = Callable[[str], "AbstractContextManager[Callable[[int, int], None]]"]
AT_ONCE = 64
"""Replies that are asked for together; the engine puts them into its own batches."""
FITTED = ("replay", "babble", "shuffled")
"""Controls whose replies look for their context, too."""
BARE, PROMPTED = "base", "base_prompt"
STEPS = {
    "persona": "the persona answers",
    BARE: "base answers",
    PROMPTED: "base + prompt answers",
    "persona reads": "persona reads replies",
    "base reads": "base reads replies",
    "told": "base + prompt reads my replies",
    "alone": "base reads all replies",
}
"""What each step is called while it goes on."""
BESIDE = 200
"""Replies of others, and of chats held out whole, that are read beside the sample: they carry one figure each."""
MEMBERS = 200
"""Sessions on each side of the border of training and dev of which is asked whether they were learned."""


@dataclass
class Asked:
    """What is asked of the models, all of it from the sample, and what the ledger knows of it."""

    sample: Sample
    apart: list[Moment]
    """Of chats that were held out whole."""
    theirs: list[Moment]
    """What others said, as if it were to be said by me."""
    members: list[Moment]
    """Sessions of the training part and of dev, around their border."""
    attacks: dict[str, list[Moment]]
    """By the axis they are for."""
    inquiries: list[Inquiry]
    """Questions about confirmed facts, and others nobody can answer."""
    draws: Draws
    quick: bool
    ledger: Ledger

    @cached_property
    def questions(self) -> list[Question]:
        return relevance.questions(self.sample, self.draws, quick=self.quick)

    @cached_property
    def short_questions(self) -> list[Question]:
        """The same about replies that are too short to stand among the others."""
        return relevance.questions(self.sample, self.draws, quick=self.quick, short=True)

    @cached_property
    def searches(self) -> list[Search]:
        return relevance.searches(self.sample, self.draws, quick=self.quick)

    def searched(self, system: str) -> list[Search]:
        """Where a system's replies look for their context: a control's at fewer places."""
        return self.searches[: relevance.CONTROLLED] if system in CONTROLS else self.searches

    @property
    def told(self) -> list[Moment]:
        """Where the questions are asked with what the persona is reminded of there."""
        return [one.told for one in self.inquiries]

    @property
    def own(self) -> list[Moment]:
        """Every place where I answered that is asked about, once."""
        return list({moment.id: moment for moment in (*self.sample.moments, *self.apart)}.values())

    @property
    def asked_of_persona(self) -> list[Moment]:
        attacks = [moment for moments in self.attacks.values() for moment in moments]
        asked = [
            *self.sample.moments,
            *self.sample.further,
            *attacks,
            *self.told,
            *(one.alone for one in self.inquiries),
        ]
        # Where nothing is remembered the two are one.
        return list({moment.id: moment for moment in asked}.values())

    @property
    def asked_of_base(self) -> list[Moment]:
        return [*self.sample.moments, *self.told]

    def said(self, system: str, *, guard: bool = True) -> list[Reply] | None:
        """A model's answers to the sample; None where it was never asked."""
        return answers(system, self.sample.moments, self.ledger, guard=guard)

    def further(self, system: str, *, guard: bool = True) -> list[Reply] | None:
        """A model's answers to the further moments; None for whoever isn't asked there."""
        return answers(system, self.sample.further, self.ledger, guard=guard) or None

    def attacked(self, system: str, axis: str, *, guard: bool = True) -> list[Reply] | None:
        return answers(system, self.attacks.get(axis, []), self.ledger, guard=guard) or None

    def replied(self, system: str, *, reminded: bool = True) -> list[Reply] | None:
        """A model's answers to the questions about facts; None for whoever isn't asked them."""
        where = self.told if reminded else [one.alone for one in self.inquiries]
        return answers(system, where, self.ledger) if system in ("persona", "base") else None

    def everybody(self) -> dict[str, Answers]:
        """Whoever answered the moments: models first, then the controls there is enough for."""
        found = {system: self.said(system) for system in ("persona", "base_prompt", "base")}
        found |= {name: control(self.sample, self.draws) for name, control in CONTROLS.items()}
        return {system: said for system, said in found.items() if said is not None}

    def fitted(self) -> dict[str, Answers]:
        """Whose replies look for their context: mine, the models', and the tricks'."""
        there = {name: said for name, said in self.everybody().items() if name not in CONTROLS or name in FITTED}
        return {"me": [moment.mine for moment in self.sample.moments], **there}

    def wanted(self, system: str) -> list[Wanted]:
        """What a model reads: my answers and others', what else I might have said, and, the base, what all might have."""
        questions = (*self.questions, *self.short_questions)
        candidates = {self.sample.moments[q.place].id: q.texts for q in questions}
        texts = self.looked_at() if system == BARE else {}
        moments = {moment.id: moment for moment in (*self.own, *self.theirs, *self.members)}
        return [Wanted(moment, candidates.get(name, ()), texts.get(name, ())) for name, moment in moments.items()]

    def looked_at(self) -> dict[str, tuple[str, ...]]:
        """Id of a moment → all replies that look for their context there, each text once."""
        found: dict[int, set[str]] = {}
        for system, said in self.fitted().items():
            for search in self.searched(system):
                text = said[search.place].text
                for place in search.contexts if text else ():
                    found.setdefault(place, set()).add(text)
        return {self.sample.moments[place].id: tuple(sorted(texts)) for place, texts in found.items()}

    def texts(self) -> list[str]:
        """All that a judge by likelihood looks at."""
        newest = self.sample.of("train")[-len(self.sample.moments) :]
        replies = [*newest, *(moment.mine for moment in self.sample.moments)]
        replies += [reply for said in self.everybody().values() for reply in said]
        return sorted({reply.text for reply in replies})


def ask_persona(asked: Asked, loaded: Any, persona: Persona, talker: Local, steps: Steps, seed: int) -> None:
    """All that is asked of the persona."""
    with steps(STEPS["persona"]) as note:
        bare = raw(asked)
        speak(talker, "persona", asked.asked_of_persona, asked.ledger, seed=seed, at_once=AT_ONCE, note=note, raw=bare)
    with steps(STEPS["persona reads"]) as note:
        Weigher(loaded, persona.prompt, asked.ledger).read("persona", asked.wanted("persona"), note)


def ask_base(asked: Asked, loaded: Any, persona: Persona, talker: Local, steps: Steps, seed: int) -> None:
    """All that is asked of the base model, bare and with a profile, the persona having spoken."""
    count = lambda text: len(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])  # noqa: E731
    profile = Profile(asked.sample.of("train"), persona.prompt, count, loaded.context)
    for system, who in ((BARE, talker), (PROMPTED, Prompted(talker, profile))):
        with steps(STEPS[system]) as note:
            where = asked.asked_of_base if system == BARE else asked.sample.moments
            speak(who, system, where, asked.ledger, seed=seed, at_once=AT_ONCE, note=note)
    weigher = Weigher(loaded, persona.prompt, asked.ledger)
    with steps(STEPS["base reads"]) as note:
        weigher.read(BARE, asked.wanted(BARE), note)
    with steps(STEPS["told"]) as note:
        prompted = Weigher(loaded, persona.prompt, asked.ledger, profile)
        prompted.read(PROMPTED, [Wanted(moment) for moment in asked.sample.moments], note)
    with steps(STEPS["alone"]) as note:
        weigher.alone(BARE, asked.texts(), note)


def raw(asked: Asked) -> frozenset[str]:
    """Attacks to which is also known what the persona would have said where code answers in its place."""
    return frozenset(attack.id for attack in asked.attacks.get(leakage.AXIS, []))


def is_done(asked: Asked, system: str) -> bool:
    """Whether a model need not be loaded."""
    ledger = asked.ledger
    keys = [key(system, moment) for moment in (asked.asked_of_persona if system == "persona" else asked.asked_of_base)]
    keys += [key("base_prompt", moment) for moment in asked.sample.moments if system == "base"]
    if ledger.missing(keys):
        return False
    keys = [key for one in asked.wanted(system) for key in one.keys(system)]
    if system == BARE:
        keys += [nats_key(PROMPTED, moment) for moment in asked.sample.moments]
        keys += [alone_key(BARE, text) for text in asked.texts()]
    return not ledger.missing(keys)
