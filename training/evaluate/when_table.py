"""What the page says of when it speaks: the closed loop beside simple rules, then each question, slice by slice.

Knows a report's figures by their names.
"""

from collections.abc import Iterator, Mapping
from html import escape

from training.evaluate import cells
from training.evaluate.figures import Figure
from training.evaluate.report import Report
from training.evaluate.when import BALANCED, SOON, named

QUESTIONS = {
    "": "下一个开口的是我吗 · am I the next to speak",
    "within_60s": "一分钟之内我开口吗 · do I speak within a minute",
    "within_5min": "五分钟之内我开口吗 · do I speak within five minutes",
}
SLICES = {
    "all": "全部 · all",
    "flow": "聊着的时候 · in the flow",
    "entry": "沉默后开口 · after a silence",
    "addressed": "被叫到 · addressed",
    "to_other": "叫别人的 · others are addressed",
}
SCORES = {
    "ap": "精度 · AP",
    "auc": "AUC",
    "ece": "说得准不准 · ECE",
    "brier_skill": "比总说一个数好 · Brier skill",
    BALANCED: "开口、沉默各对多少 · balanced accuracy",
}
RULES = {
    "on_at": "被叫才说 · only when called",
    "last3": "被叫或刚说过 · called, or spoke in the last three",
    "fixed": "固定概率 · a fixed chance",
    "always": "总说 · always",
    "never": "不说 · never",
}
CLOSED = {
    "volume": "话量，比我 · volume, over mine",
    "missed_calls": "叫了没应 · missed calls",
    "interruptions": "我不会开口时插的嘴 · interruptions",
    "days_above_twice": "说了我两倍以上的日子 · days above twice mine",
    "longest_run": "最长的自言自语，比我 · longest run, over mine",
}
_NOTE = (
    "分身在真实的回合引擎里过了一遍测试的日子；规则只在记录下来的时刻上算。"
    " · The persona has lived through the test days in the real turn engine; rules are reckoned on the recorded moments."
)
_RULES_NOTE = "照简单的规矩开口，AP / AUC · Speaking by a simple rule, AP / AUC"


def tables(report: Report) -> Iterator[str]:
    """All of it; nothing where nobody's decisions were looked at."""
    told = {
        name.removeprefix("when."): figure
        for name, figure in report.systems.get("persona", {}).items()
        if name.startswith("when.")
    }
    if not told:
        return
    rules = [rule for rule in RULES if f"volume_{rule}" in told]
    rows = [
        (said, [told.get(name), *(told.get(named(name, rule=rule)) for rule in rules)])
        for name, said in CLOSED.items()
        if name in told
    ]
    if rows:
        yield f'<p class="note">{escape(_NOTE)}</p>'
        yield cells.table(["分身 · persona", *(RULES[rule] for rule in rules)], rows)
    for question in SOON:
        yield from _question(told, question)


def _question(told: Mapping[str, Figure], question: str) -> Iterator[str]:
    slices = [name for name in SLICES if named("ap", name, question) in told]
    if not slices:
        return
    yield f"<h3>{escape(QUESTIONS[question])}</h3>"
    yield cells.table(
        [*SCORES.values()],
        [(SLICES[name], [told.get(named(score, name, question)) for score in SCORES]) for name in slices],
    )
    rules = [rule for rule in RULES if named("ap", "all", question, rule) in told]
    if rules:
        heads = "".join(cells.head(SLICES[name]) for name in slices)
        body = "".join(
            f"<tr><td>{escape(RULES[rule])}" + "".join(_order(told, name, question, rule) for name in slices)
            for rule in rules
        )
        yield f'<p class="note">{_RULES_NOTE}</p>'
        yield f'<div class="scroll"><table class="wide"><tr>{cells.head("")}{heads}{body}</table></div>'


def _order(told: Mapping[str, Figure], name: str, question: str, rule: str) -> str:
    """How well a rule orders the moments of a slice."""
    both = [told.get(named(score, name, question, rule)) for score in ("ap", "auc")]
    shown = " / ".join("–" if one is None or one.value is None else f"{one.value:.3g}" for one in both)
    note = next((one.note for one in both if one is not None and one.note), "")
    return f'<td class="n" title="{escape(note)}">{shown}'
