"""The leak tables of the page: attack by filter, and what the weights know, whatever stands before them.

Three filters, each on top of the one before: none; personal data taken out before training; the guard on what
is said. Knows a report's figures.
"""

from collections.abc import Iterator, Sequence
from html import escape

from training.evaluate import cells
from training.evaluate.figures import Figure
from training.evaluate.report import UNFILTERED, Report

FILTERS = (
    (UNFILTERED, "不清洗、不守门 · no filter"),
    ("persona_unguarded", "训练前清洗 · personal data out before training"),
    ("persona", "再加守门 · and the guard"),
)
ROWS = (
    ("personal_data", "平常聊天：真的个人信息 · ordinary talk: true personal data"),
    ("personal_data_prefix", "起个头等它接 · attack: begun, to be gone on with"),
    ("personal_data_social", "套话 · attack: talked into it"),
    ("third_party", "只有别人说过的话 · what one other person alone said"),
    ("third_party_attacked", "被套话时说出别人的话 · the same, under attack"),
    ("cross_chat", "别的私聊里的话 · what belongs to another private chat"),
    ("cross_chat_attacked", "被套话时说出别的私聊里的话 · the same, under attack"),
    ("verbatim_excess", "原样重复，超出我自己的 · verbatim, beyond how I repeat myself"),
)
WEIGHTS = (
    ("exposure", "编的秘密，训练里出现一次 · a made-up secret, seen once"),
    ("exposure_highest", "其中最清楚的一个 · the best known of those"),
    ("exposure_control", "对照：把训练数据全背下来的模型 · control: a model that knows it all by heart, same secrets"),
    ("extracted", "问得出来的 · those that asking brings out"),
    ("membership_auc", "猜得出哪段聊天训练过（0.5 猜不出） · which sessions it has learned (.5: can't tell)"),
    ("membership_tpr", "百分之一误报时认出的 · named at 1 % false alarms"),
)
COUNTED = ("personal_data", "personal_data_prefix", "personal_data_social", "third_party_attacked", "extracted")
"""Figures that are hits of so many."""
UNITS = {"exposure": "bit", "exposure_highest": "bit", "exposure_control": "bit"}
_BESIDE_MINE = ("third_party", "cross_chat", "cross_chat_attacked")
_SHARES = ("extracted", "membership_tpr")
_STATES = {"insufficient": "说不准 · can't say", "not_measured": "没量 · not measured"}
_NO_FILTER = (
    "要另外一个不清洗就训练的分身（mybot dataset --no-privacy），评过以后用 --unfiltered 给出。"
    " · Takes a persona trained with --no-privacy and evaluated before: --unfiltered."
)


def tables(report: Report) -> Iterator[str]:
    """Both tables; nothing where leaks were not looked for."""
    columns = [{**report.systems.get(system, {})} for system, _ in _filters(report)]
    rows = [(name, said) for name, said in ROWS if any(f"leakage.{name}" in column for column in columns)]
    if rows:
        heads = "".join(cells.head(said) for _, said in _filters(report))
        body = "".join(
            f"<tr><td>{escape(said)}" + "".join(_cell(column.get(f"leakage.{name}"), name) for column in columns)
            for name, said in rows
        )
        yield f'<div class="scroll"><table class="wide leaks"><tr><th>{heads}{body}</table></div>'
        if not columns[0]:
            yield f'<p class="note">{escape(_NO_FILTER)}</p>'
    mine = report.systems.get("persona", {})
    known = [(name, said, mine[f"leakage.{name}"]) for name, said in WEIGHTS if f"leakage.{name}" in mine]
    if known:
        yield "<h3>权重记住了什么 · What the weights know</h3>"
        yield _of_weights(known)
        yield _by_times(mine)


def _filters(report: Report) -> Sequence[tuple[str, str]]:
    """The columns; a persona that was trained on everything has no second one."""
    if report.data.scrubbed is not False:
        return FILTERS
    (_, none), _, (persona, _) = FILTERS
    return (("persona_unguarded", none), (persona, "不清洗，只守门 · the guard alone"))


def _of_weights(rows: Sequence[tuple[str, str, Figure]]) -> str:
    body = "".join(
        f'<tr><td>{escape(said)}{_cell(figure, name)}<td class="n">{escape(_bound(figure, name))}<td class="why">{escape(figure.note)}'
        for name, said, figure in rows
    )
    heads = "".join(map(cells.head, ("", "量到 · measured", "好 · good", "")))
    return f'<div class="scroll"><table class="wide leaks"><tr>{heads}{body}</table></div>'


def _by_times(mine: dict[str, Figure]) -> str:
    """Exposure and extraction by how often a secret was planted, a line each."""
    lines = ""
    for row, said, form in _BY_TIMES:
        found = [(name, mine.get(f"leakage.{row}{suffix}")) for name, suffix in _TIMES]
        shown = [f"{name}: {one.value:{form}}" for name, one in found if one is not None and one.value is not None]
        lines += f'<p class="note">{said} — {" · ".join(shown)}</p>' if shown else ""
    return lines


_BY_TIMES = (
    ("exposure", "出现几次：多出几比特 · times planted: bits beyond the base", ".2f"),
    ("exposure_control", "同样，对照 · the same, the control", ".2f"),
    ("extracted", "同样，问得出来的 · the same, brought out by asking", ".0%"),
)
_TIMES = (("0", "_r0"), ("1", ""), ("2", "_r2"), ("4", "_r4"), ("8", "_r8"), ("16", "_r16"))


def _bound(figure: Figure, name: str) -> str:
    """Where it is good, in words."""
    least, most = figure.good or (None, None)
    parts = [
        f"{sign} {bound:.0%}" if name in _SHARES else f"{sign} {bound:g}"
        for sign, bound in (("≥", least), ("≤", most))
        if bound is not None
    ]
    return f"{' '.join(parts)} {UNITS.get(name, '')}".strip()


def _cell(figure: Figure | None, name: str) -> str:
    """A number with its interval and whether it is good; or, in words, why there is none."""
    if figure is None:
        return f'<td class="n who">{_STATES["not_measured"]}'
    if figure.value is None:
        return f'<td class="n who" title="{escape(figure.note)}">{_STATES[figure.status]}'
    colour = {True: " good", False: " bad", None: ""}[figure.is_good]
    mark = {True: " ✓", False: " ✗", None: ""}[figure.is_good]
    told = [_ends(figure, name)]
    # Their value is what is beyond mine: how often it happened at all stands beside it.
    told += [figure.note.partition(";")[0]] if name in _BESIDE_MINE and figure.note else []
    shown = f'<span class="who">{"<br>".join(map(escape, told))}</span>'
    return f'<td class="n{colour}" title="{escape(figure.note)}">{_value(figure, name)}{mark}<br>{shown}'


def _value(figure: Figure, name: str) -> str:
    assert figure.value is not None, "asked of figures with a value"
    if name in COUNTED:
        return f"{round(figure.value * figure.n)} / {figure.n}"
    if name in UNITS or name == "membership_auc":
        return f"{figure.value:.2f} {UNITS.get(name, '')}".strip()
    return f"{figure.value:.1%}"


def _ends(figure: Figure, name: str) -> str:
    n = "" if name in COUNTED else f", n {figure.n}"
    if figure.low is None or figure.high is None:
        return n.removeprefix(", ")
    if name in UNITS or name == "membership_auc":
        return f"{figure.low:.2f} – {figure.high:.2f}{n}"
    if not figure.value and figure.low >= 0:
        return f"≤ {figure.high:.1%}{n}"
    return f"{figure.low:.1%} – {figure.high:.1%}{n}"
