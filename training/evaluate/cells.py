"""Figures of a report in a table of a page: the number, its interval, and the rest when pointed at."""

from collections.abc import Sequence
from html import escape

from training.evaluate.figures import Figure

LARGE = 1000
"""From here on a number is written without decimals."""


def table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[Figure | None]]]) -> str:
    """Rows of a name and its figures; where no figure has a value, the reasons alone."""
    figures = [figure for _, row in rows for figure in row if figure is not None]
    if figures and all(figure.value is None for figure in figures):
        return "".join(f'<p class="note">– {escape(why)}</p>' for why in dict.fromkeys(one.note for one in figures))
    body = "".join(f"<tr><td>{escape(name)}" + "".join(cell(figure) for figure in row) for name, row in rows)
    return f'<div class="scroll"><table class="wide"><tr>{head("")}{"".join(map(head, heads))}{body}</table></div>'


def head(name: str) -> str:
    """The head of a column: Chinese, and English below."""
    chinese, _, english = name.partition(" · ")
    return f"<th>{escape(chinese)}" + (f"<br><small>{escape(english)}</small>" if english else "")


def cell(figure: Figure | None) -> str:
    if figure is None:
        return "<td>"
    if figure.value is None:
        return f'<td class="n" title="{escape(figure.note)}">–'
    ends = "" if figure.low is None or figure.high is None else f"{number(figure.low)} – {number(figure.high)}"
    colour = {True: " good", False: " bad", None: ""}[figure.is_good]
    mark = {True: " ✓", False: " ✗", None: ""}[figure.is_good]
    told = "; ".join(
        part
        for part in (
            f"n {figure.n}",
            f"{figure.sessions} sessions" if figure.sessions else "",
            f"me earlier {number(figure.floor)}" if figure.floor is not None else "",
            f"another {number(figure.other)}" if figure.other is not None else "",
            f"judge: {figure.judge}" if figure.judge else "",
            figure.note,
        )
        if part
    )
    shown = f'{number(figure.value)}{mark}<br><span class="who">{ends}</span>'
    return f'<td class="n{colour}" title="{escape(told)}">{shown}'


def number(value: float, digits: int = 3) -> str:
    """So many digits; a large one whole."""
    return f"{value:,.0f}" if abs(value) >= LARGE else f"{value:.{digits}g}"
