"""Figures of a report in a table of a page: the number, its interval, and the rest when pointed at."""

from collections.abc import Sequence
from html import escape

from training.evaluate.figures import Figure


def table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[Figure | None]]]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in heads)
    body = "".join(f"<tr><td>{escape(name)}" + "".join(cell(figure) for figure in figures) for name, figures in rows)
    return f'<div class="scroll"><table class="wide"><tr><th>{head}{body}</table></div>'


def cell(figure: Figure | None) -> str:
    if figure is None:
        return "<td>"
    if figure.value is None:
        return f'<td class="n" title="{escape(figure.note)}">–'
    between = "" if figure.low is None or figure.high is None else f" [{figure.low:.3g}, {figure.high:.3g}]"
    colour = {True: " good", False: " bad", None: ""}[figure.is_good]
    mark = {True: " ✓", False: " ✗", None: ""}[figure.is_good]
    told = "; ".join(
        part
        for part in (
            f"n {figure.n}",
            f"{figure.sessions} sessions" if figure.sessions else "",
            f"me earlier {figure.floor:.3g}" if figure.floor is not None else "",
            f"another {figure.other:.3g}" if figure.other is not None else "",
            f"judge: {figure.judge}" if figure.judge else "",
            figure.note,
        )
        if part
    )
    return (
        f'<td class="n{colour}" title="{escape(told)}">{figure.value:.3g}{mark}<br><span class="who">{between}</span>'
    )
