"""What mybot's pages share: the skeleton, tables, and plots as inline SVG.

A page is one file without scripts or foreign parts: it opens offline, on a phone, light and dark.
Knows HTML, not what is shown.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--soft:#66717f;--line:#d8dee6;--mine:#dff3e4;--bar:#3b82c4;--other:#d9822b;--page:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ef;--soft:#93a0ae;--line:#36404b;--mine:#1f4630;--bar:#5da2e0;--other:#e8a45c;--page:#151a20}}
body{font:15px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;color:var(--ink);
background:var(--page);max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid var(--line)}
p.note,figcaption,.who{color:var(--soft);font-size:.87rem}table{border-collapse:collapse}
td{padding:.15rem .9rem .15rem 0;vertical-align:top}td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(20rem,100%),1fr));gap:0 1.5rem}
figure{margin:1rem 0;overflow-x:auto;min-width:0}svg text{fill:var(--soft);font-size:10px}svg rect{fill:var(--bar)}svg .other{fill:var(--other)}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}.b{white-space:pre-wrap;margin:.15rem 0}.b span.t{padding:.05rem .5rem;border-radius:.5rem}
.mine{text-align:right}.learned span.t{background:var(--mine);font-weight:600}.mark{text-align:center;color:var(--soft)}
.key{display:inline-block;width:.7rem;height:.7rem;border-radius:.15rem;background:var(--bar);margin:0 .3rem 0 .6rem}.key.other{background:var(--other)}
"""


def page(title: str, parts: Iterable[str], *, style: str = "", refresh: int = 0) -> str:
    """A whole page; with `refresh` it loads itself anew after so many seconds."""
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    head = '<!doctype html><html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return (
        f"{head}{again}<title>{escape(title)}</title><style>{STYLE}{style}</style>\n" + "\n".join(parts) + "\n</html>\n"
    )


def table(rows: Sequence[tuple[str, str, Any]]) -> str:
    """Rows of a name, what, and a number; a name that stands above is not repeated."""
    if not rows:
        return "<p>没有 · none</p>"
    lines = []
    before = ""
    for name, what, number in rows:
        shown = "–" if number is None else f"{number:,}" if isinstance(number, int) else escape(str(number))
        first = escape(name) if name != before else ""
        lines.append(f'<tr><td>{first}<td>{escape(what)}<td class="n">{shown}')
        before = name
    return f"<table>{''.join(lines)}</table>"


_COLOURS = ("bar", "other")
_WIDE = 360
"""Width of a plot, in its own units: a phone's."""


def bars(
    values: Sequence[tuple[str, int]], caption: str, *, beside: Sequence[int] = (), keys: Sequence[str] = ()
) -> str:
    """A bar chart, with `beside` a second bar next to each; every bar says its number when pointed at."""
    if not any(n for _, n in values) and not any(beside):
        return ""
    series = [[n for _, n in values], *([list(beside)] if beside else [])]
    most, height = max(map(max, series)), 120
    width = max(10, min(40, (_WIDE - 20) // len(values)))
    each = (width - 2) / len(series)
    every = -(-(6 + 7 * max(len(name) for name, _ in values)) // width)
    parts: list[str] = []
    for place, (name, _) in enumerate(values):
        x = place * width
        for number, numbers in enumerate(series):
            n = numbers[place]
            tall = round(n / most * height, 1)
            where = f'x="{x + 1 + number * each}" y="{height - tall}" width="{each}" height="{tall}"'
            parts.append(f'<rect {where} class="{_COLOURS[number]}"><title>{escape(name)}: {n:,}</title></rect>')
        if place % every == 0:
            parts.append(f'<text x="{x + 1}" y="{height + 12}">{escape(name)}</text>')
    whole = len(values) * width + 30
    # What is wider than a phone keeps its size and can be moved; the rest fits its place.
    size = f'width="{whole}"' if whole > _WIDE + 20 else 'width="100%"'
    size += f' viewBox="0 0 {max(whole, _WIDE)} {height + 18}"'
    svg = f'<svg {size} role="img">{"".join(parts)}</svg>'
    return f"<figure>{svg}<figcaption>{escape(caption)}{_keys(keys)}</figcaption></figure>"


def _keys(names: Sequence[str]) -> str:
    return "".join(
        f'<span class="key {colour}"></span>{escape(name)}' for colour, name in zip(_COLOURS, names, strict=False)
    )


@dataclass(slots=True, frozen=True)
class Curve:
    """A line of a plot: points (x, y) by rising x."""

    name: str
    points: Sequence[tuple[float, float]]
    dotted: bool = False
    """Show each point: there are few."""


_HIGH, _LEFT, _BELOW = 200, 48, 22


def curves(
    lines: Sequence[Curve], caption: str, *, mark: tuple[float, float, str] | None = None, from_zero: bool = False
) -> str:
    """A line plot of at most two curves over one axis; `mark` is a point with its name."""
    shown = [line for line in lines if line.points]
    if not shown:
        return ""
    xs = [x for line in shown for x, _ in line.points]
    left, right = min(0.0, *xs), max(*xs, 1.0)
    ticks = _ticks([*([0.0] if from_zero else []), *(y for line in shown for _, y in line.points)])
    low, high = ticks[0], ticks[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + (x - left) / (right - left) * (_WIDE - _LEFT - 12)
        return round(across, 1), round((_HIGH - _BELOW) - (y - low) / (high - low) * (_HIGH - _BELOW - 12), 1)

    parts = [_grid(at, ticks, (left, right))]
    for colour, line in zip(_COLOURS, shown, strict=False):
        parts.append(_line(at, line, colour))
    if mark is not None:
        x, y = at(mark[0], mark[1])
        anchor = "end" if x > _WIDE * 0.6 else "start"
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="5" fill="none" stroke="var(--ink)"/>'
            f'<text x="{x}" y="{y - 9}" text-anchor="{anchor}">{escape(mark[2])}</text>'
        )
    keys = _keys([line.name for line in shown] if len(shown) > 1 else [])
    svg = f'<svg viewBox="0 0 {_WIDE} {_HIGH}" width="100%" role="img">{"".join(parts)}</svg>'
    return f"<figure>{svg}<figcaption>{escape(caption)}{keys}</figcaption></figure>"


def _grid(at: Any, ticks: Sequence[float], span: tuple[float, float]) -> str:
    parts = []
    for y in ticks:
        x1, place = at(span[0], y)
        parts.append(f'<line x1="{x1}" x2="{_WIDE - 12}" y1="{place}" y2="{place}" stroke="var(--line)"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{place + 3}" text-anchor="end">{_short(y)}</text>')
    for x, anchor in ((span[0], "start"), (sum(span) / 2, "middle"), (span[1], "end")):
        parts.append(f'<text x="{at(x, ticks[0])[0]}" y="{_HIGH - 6}" text-anchor="{anchor}">{_short(x)}</text>')
    return "".join(parts)


def _line(at: Any, line: Curve, colour: str) -> str:
    places = [at(x, y) for x, y in line.points]
    path = " ".join(f"{x},{y}" for x, y in places)
    parts = [f'<polyline points="{path}" fill="none" stroke="var(--{colour})" stroke-width="1.8"/>']
    if line.dotted or len(places) == 1:
        for (x, y), (step, value) in zip(places, line.points, strict=True):
            title = f"<title>{step:g}: {value:.4g}</title>"
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="var(--{colour})">{title}</circle>')
    return "".join(parts)


def _ticks(values: Sequence[float]) -> list[float]:
    """Three to six round numbers that hold all values between them."""
    low, high = min(values), max(values)
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = (low - 0.5, high + 0.5) if high == 0 else sorted((high * 0.9, high * 1.1))
    rough = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 2.5, 5, 10) if size * times >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _short(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:.4g}"
