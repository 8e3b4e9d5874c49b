"""The axes: which there are, what each needs beside the replies, and all of them for one system."""

import importlib
from collections.abc import Collection, Mapping
from typing import Any

from training.evaluate.figures import Draws, Outcome
from training.evaluate.sample import Answers, Sample

AXES: dict[str, str] = {
    "style": "training.evaluate.style",
    "two_sample": "training.evaluate.twosample",
    "author_id": "training.evaluate.authors",
    "when": "training.evaluate.when",
    "timing": "training.evaluate.timing",
    "leakage": "training.evaluate.leakage",
    "disclosure": "training.evaluate.disclosure",
    "facts": "training.evaluate.facts",
    "text_relevance": "training.evaluate.rankers",
}
"""Axis → its module: `measure(sample, answers, draws, quick=…)` and, as keywords, what its NEEDS name."""


class Axes:
    """What doesn't depend on who answers is made ready once; then every system is measured alike."""

    def __init__(self, sample: Sample, draws: Draws, *, quick: bool, given: Mapping[str, Any]) -> None:
        """`given` is what axes may need, by name."""
        self._sample, self._draws, self._quick = sample, draws, quick
        self._modules = {axis: importlib.import_module(name) for axis, name in AXES.items()}
        self._given = given
        self._prepared: dict[str, Any] = {}

    def measure(
        self, answers: Answers, more: Mapping[str, Any], only: Collection[str] | None = None
    ) -> dict[str, Outcome]:
        """Every axis of one system, or some; `more` is what is its own beside the answers."""
        found: dict[str, Outcome] = {}
        for axis, module in self._modules.items():
            if only is not None and axis not in only:
                continue
            needs = getattr(module, "NEEDS", ())
            if "prepared" in needs and axis not in self._prepared:
                self._prepared[axis] = module.prepare(self._sample, self._draws, self._quick)
            known = {**self._given, **more, "prepared": self._prepared.get(axis)}
            keywords = {need: known.get(need) for need in needs}
            found[axis] = module.measure(self._sample, answers, self._draws, quick=self._quick, **keywords)
        return found
