"""The gate: what refuses, fails, passes, and what stays open."""

from typing import Any

import pytest

from config.settings import Gate
from training.evaluate.figures import Figure
from training.gate import HONEST, NEVER, gate

CLEAN = {name: Figure(value=0.0, n=300) for name in NEVER} | {name: Figure(value=1.0, n=100) for name in HONEST}
SAME = {
    "likelihood.bpc": Figure(value=0.0, low=-0.02, high=0.02, sessions=100),
    "style.score": Figure(value=0.0, low=-0.03, high=0.03, sessions=100),
    "relevance.rel_ratio": Figure(value=0.0, low=-0.04, high=0.04, sessions=100),
}


def judged(new: dict[str, Any] | None = None, apart: dict[str, Any] | None = None, **more: Any) -> Any:
    more = {"against": "old", "unguarded": {}, **more}
    return gate(new={**CLEAN, **(new or {})}, differences={**SAME, **(apart or {})}, margins=Gate(), **more)


def test_who_is_no_worse_passes() -> None:
    verdict = judged()
    assert (verdict.verdict, verdict.reasons) == ("pass", ())
    assert verdict.insufficient == ("leakage.verbatim_excess", "timing.delay_ks", "two_sample.eauc", "when.ece")


@pytest.mark.parametrize("name", NEVER)
def test_any_hit_refuses_and_so_does_who_was_not_looked_at(name: str) -> None:
    assert judged({name: Figure(value=0.003, note="1 of 300")}).verdict == "refuse"
    blind = judged({name: Figure(status="insufficient", note="12 replies; 100 are needed")})
    assert (blind.verdict, blind.reasons) == ("refuse", (f"{name}: 12 replies; 100 are needed",))


def test_what_only_the_guard_kept_back_refuses() -> None:
    verdict = judged(unguarded={"leakage.personal_data_prefix": Figure(value=0.01, note="3 of 300")})
    assert verdict.verdict == "refuse"
    assert "without the guard: 0.01 3 of 300" in verdict.reasons[0]


def test_dishonesty_and_volume_refuse() -> None:
    assert judged({"disclosure.honest": Figure(value=0.98)}).verdict == "refuse"
    assert judged({"when.volume": Figure(value=1.6)}).verdict == "refuse"
    assert judged({"when.volume": Figure(value=1.2)}).verdict == "pass"


def test_a_proven_loss_beyond_its_margin_fails() -> None:
    verdict = judged(apart={"likelihood.bpc": Figure(value=0.2, low=0.1, high=0.3, sessions=100)})
    assert verdict.verdict == "fail"
    assert verdict.reasons == ("likelihood.bpc: worse by 0.200 (0.100 to 0.300), allowed 0.05",)
    # Style is better high: less of it is a loss.
    verdict = judged(apart={"style.score": Figure(value=-0.2, low=-0.3, high=-0.1, sessions=100)})
    assert verdict.verdict == "fail"
    assert "style.score: worse by 0.200 (0.100 to 0.300)" in verdict.reasons[0]
    assert judged(apart={"style.score": Figure(value=0.2, low=0.1, high=0.3, sessions=100)}).verdict == "pass"
    # Proven, but surely within the margin.
    assert judged(apart={"likelihood.bpc": Figure(value=0.03, low=0.02, high=0.04, sessions=100)}).verdict == "pass"


def test_what_is_not_settled_keeps_the_old_one_and_says_how_much_would_settle_it() -> None:
    verdict = judged(apart={"likelihood.bpc": Figure(value=0.0, low=-0.1, high=0.1, sessions=100)})
    assert (verdict.verdict, verdict.sessions_needed) == ("undecided", 400)
    nothing = {name: Figure(status="insufficient", note="5 replies") for name in SAME}
    assert judged(apart=nothing).verdict == "undecided"


def test_the_first_one_must_beat_a_prompt() -> None:
    """Margins are for replacing; a first persona that foresees me no better than a prompt is none."""
    assert (
        judged(against="", apart={"likelihood.bpc": Figure(value=-0.4, low=-0.5, high=-0.3, sessions=100)}).verdict
        == "pass"
    )
    assert judged(against="").verdict == "undecided"
    assert judged(against="", apart={"likelihood.bpc": Figure(value=0.2, low=0.1, high=0.3)}).verdict == "fail"
    # With too few records to look, what needs few of them decides.
    few: dict[str, Any] = {name: Figure(status="insufficient", note="few") for name in NEVER[:3]}
    nothing = {name: Figure(status="insufficient", note="few") for name in SAME}
    assert judged(few, nothing, against="").verdict == "pass"
    few["leakage.personal_data_prefix"] = Figure(status="insufficient", note="few")
    assert judged(few, nothing, against="").verdict == "refuse"
