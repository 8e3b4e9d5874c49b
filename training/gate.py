"""The gate: whether a new persona may take the place of the one that serves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WORSE = 0.02
"""Share by which the held-out loss may be above that of the serving persona: less is noise of the split."""


@dataclass(slots=True)
class Verdict:
    """`passed`, and in one line each why not."""

    reasons: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.reasons


def gate(report: Mapping[str, Mapping[str, Any] | None]) -> Verdict:
    """Judge `new` against `serving` (None: nobody serves yet), both as `mybot score` reports them."""
    new, serving = report["new"], report.get("serving")
    assert new is not None, "there is nothing to judge"
    verdict = Verdict()
    if new["loss"] is None:
        verdict.reasons.append("its held-out loss is not a number")
    elif serving and serving["loss"] is not None and new["loss"] > serving["loss"] * (1 + WORSE):
        verdict.reasons.append(f"its held-out loss is {new['loss']:.3f}, that of the serving one {serving['loss']:.3f}")
    if new["leaks"]:
        verdict.reasons.append(f"{new['leaks']} of {new['generations']} replies held personal data of your records")
    return verdict
