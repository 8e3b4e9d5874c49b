"""The pictures of a report, as inline SVG: several people over one axis, bars beside each other, a ruler.

Who is told apart by colour and by line, so that neither is needed alone. Knows numbers and names of
series; doesn't know what they mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
svg.plot{width:100%;height:auto}svg.plot.wide{min-width:40rem}svg.plot text{fill:var(--soft);font-size:10px}
.me{--c:var(--ink)}.persona{--c:var(--bar)}.other{--c:var(--other)}.floor{--c:var(--soft)}.extra{--c:#9a6fb0}
svg.plot polyline{fill:none;stroke:var(--c);stroke-width:2}svg.plot rect.b{fill:var(--c)}svg.plot circle{fill:var(--c)}
svg.plot .persona{stroke-dasharray:7 3}svg.plot .other{stroke-dasharray:2 3}svg.plot .floor{stroke-dasharray:1 4}
svg.plot rect.b.floor{opacity:.55}svg.plot rect.b.other{opacity:.85}
.legend span{display:inline-block;width:1.3rem;border-top:3px solid var(--c);margin:0 .35rem .25rem .8rem}
.legend i{font-style:normal;white-space:nowrap}svg.slim{display:none}
@media(max-width:40rem){svg.plot.slim{display:block}svg.broad{display:none}}
.legend .persona{border-top-style:dashed}.legend .other,.legend .floor{border-top-style:dotted}
"""

WIDE, HIGH, LEFT, BELOW, ABOVE = 360, 190, 40, 24, 10
ROLES = ("me", "persona", "other", "floor")
"""Series that have a look of their own; any other is drawn as `extra`."""


def legend(names: Mapping[str, str]) -> str:
    """Which line is whose: role → what it is called."""
    return (
        '<p class="legend who">'
        + " ".join(f'<i><span class="{_role(who)}"></span>{escape(name)}</i>' for who, name in names.items())
        + "</p>"
    )


@dataclass(slots=True, frozen=True)
class Axis:
    """From where to where, and whether by powers of ten."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high one; outside, the end."""
        low, high, value = (
            (math.log10(max(v, 1e-9)) for v in (self.low, self.high, value))
            if self.log
            else (self.low, self.high, value)
        )
        return min(1.0, max(0.0, (value - low) / (high - low or 1.0)))

    def ticks(self) -> list[float]:
        if self.log:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers]
        return [self.low + (self.high - self.low) * n / 4 for n in range(5)]


def curves(
    places: Sequence[float],
    series: Mapping[str, Sequence[float]],
    caption: str,
    *,
    log: bool = False,
    unit: str = "",
    most: float | None = None,
    diagonal: bool = False,
) -> str:
    """Lines over one axis; empty where there is nothing to draw."""
    points = [place for place in places if not log or place > 0]
    if len(points) < 2 or not series:
        return ""
    across = Axis(min(points), max(points), True) if log else Axis(0.0, most if diagonal and most else max(points))
    highest = max((v for values in series.values() for v in values), default=1.0)
    top = most if most is not None else nice(highest) or 1.0
    up = Axis(0.0, top)
    parts = [_frame(across, up, unit)]
    if diagonal:
        parts.append(_path([(0.0, 0.0), (across.high, across.high)], across, up, "floor"))
    for who, values in series.items():
        line = [(x, y) for x, y in zip(places, values, strict=False) if not log or x > 0]
        parts.append(_path(line, across, up, _role(who)))
    return _figure(parts, WIDE, caption)


def bars(labels: Sequence[str], series: Mapping[str, Sequence[float]], caption: str, *, wide: bool = False) -> str:
    """Bars of several people beside each other; each says its number when pointed at. `wide`: twice as wide a picture."""
    if not labels or not series:
        return ""
    most = nice(max((v for values in series.values() for v in values), default=0.0))
    if most <= 0:
        return ""
    across = 2 * WIDE if wide else WIDE
    up, width = Axis(0.0, most), (across - LEFT - 6) / len(labels)
    each = max(1.0, (width - 2) / len(series))
    parts = [_side(up, across)]
    every = -(-(4 + 10 * max(map(len, labels))) // max(1, int(width)))
    for place, label in enumerate(labels):
        for number, (who, values) in enumerate(series.items()):
            value = values[place] if place < len(values) else 0.0
            y = _y(up, value)
            where = f'x="{LEFT + place * width + number * each:.1f}" y="{y:.1f}"'
            size = f'width="{max(0.8, each - 0.4):.1f}" height="{HIGH - BELOW - y:.1f}"'
            parts.append(
                f'<rect class="b {_role(who)}" {where} {size}><title>{escape(label)}: {value:.3g}</title></rect>'
            )
        if place % every == 0:
            middle = LEFT + (place + 0.5) * width
            parts.append(f'<text x="{middle:.1f}" y="{HIGH - 9}" text-anchor="middle">{escape(label)}</text>')
    return _figure(parts, across, caption)


def facing(
    labels: Sequence[str], up: Sequence[float], down: Sequence[float], roles: tuple[str, str], caption: str
) -> str:
    """Counts of two people over one axis: the first's stand on it, the second's hang from it."""
    most = max([*up, *down], default=0.0)
    if not labels or most <= 0:
        return ""
    across, middle = 2 * WIDE, HIGH / 2
    width, room = (across - LEFT - 6) / len(labels), HIGH / 2 - ABOVE - 8
    parts = []
    for place, label in enumerate(labels):
        x = LEFT + place * width
        for who, value, top in ((roles[0], up[place], True), (roles[1], down[place], False)):
            tall = room * value / most
            y = middle - 8 - tall if top else middle + 8
            where = f'x="{x + width / 4:.1f}" y="{y:.1f}" width="{width / 2:.1f}" height="{tall:.1f}"'
            parts.append(f'<rect class="b {_role(who)}" {where}><title>{escape(label)}: {value:.3g}</title></rect>')
        parts.append(f'<text x="{x + width / 2:.1f}" y="{middle + 4:.1f}" text-anchor="middle">{escape(label)}</text>')
    parts += [f'<text x="{LEFT - 4}" y="{y}" text-anchor="end">{most:.3g}</text>' for y in (ABOVE + 8, HIGH - ABOVE)]
    return _figure(parts, across, caption)


@dataclass(slots=True, frozen=True)
class Mark:
    """Something on a ruler: its name, where it lies, and how far it may."""

    name: str
    low: float
    high: float
    who: str = "extra"


def ruler(marks: Sequence[Mark], low: float, high: float, caption: str) -> str:
    """Things on one line from `low` to `high`, each with its reach; on a narrow page its name stands above it."""
    if not marks:
        return ""
    axis = Axis(low, high)
    drawn = _ruled(marks, axis, "broad", wide=760, left=320, step=21) + _ruled(marks, axis, "slim", wide=400, step=36)
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _ruled(marks: Sequence[Mark], axis: Axis, kind: str, *, wide: int, step: int, left: int = 0) -> str:
    """A ruler with the names left of it, or, without room there, above each mark."""
    tall, start = step * len(marks) + 30, left or 10
    parts = []
    for tick in (axis.low + (axis.high - axis.low) * n / 5 for n in range(6)):
        x = start + axis.share(tick) * (wide - start - 20)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{tall - 20}" stroke="var(--line)"/>')
        parts.append(f'<text x="{x:.1f}" y="{tall - 6}" text-anchor="middle">{tick:.3g}</text>')
    for place, mark in enumerate(marks):
        y = 12 + place * step + (0 if left else 14)
        one, other = (start + axis.share(value) * (wide - start - 20) for value in (mark.low, mark.high))
        where = f'x="{left - 10}" y="{y + 4}" text-anchor="end"' if left else f'x="{start}" y="{y - 9}"'
        parts.append(f"<text {where}>{escape(mark.name)}</text>")
        parts.append(
            f'<rect class="b {_role(mark.who)}" x="{one - 3:.1f}" y="{y - 4}" width="{max(6.0, other - one + 6):.1f}" '
            f'height="8" rx="4"><title>{mark.low:.3g}–{mark.high:.3g}</title></rect>'
        )
    return f'<svg class="plot {kind}" viewBox="0 0 {wide} {tall}" role="img">{"".join(parts)}</svg>'


def nice(value: float) -> float:
    """The next number at which an axis ends well; 0 where there is nothing."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def _role(who: str) -> str:
    return who if who in ROLES else "extra"


def _y(up: Axis, value: float) -> float:
    return ABOVE + (1 - up.share(value)) * (HIGH - BELOW - ABOVE)


def _x(across: Axis, value: float) -> float:
    return LEFT + across.share(value) * (WIDE - LEFT - 10)


def _path(line: Sequence[tuple[float, float]], across: Axis, up: Axis, who: str) -> str:
    places = " ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in line)
    return f'<polyline class="{who}" points="{places}"/>'


def _side(up: Axis, wide: int = WIDE) -> str:
    parts = []
    for tick in up.ticks():
        y = _y(up, tick)
        parts.append(f'<line x1="{LEFT}" x2="{wide - 6}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{tick:.2g}</text>')
    return "".join(parts)


def _frame(across: Axis, up: Axis, unit: str) -> str:
    names = (
        f'<text x="{_x(across, tick):.1f}" y="{HIGH - 9}" text-anchor="middle">{tick:.4g}{unit}</text>'
        for tick in across.ticks()
    )
    return _side(up) + "".join(names)


def _figure(parts: Sequence[str], wide: int, caption: str) -> str:
    kind = "plot wide" if wide > WIDE else "plot"
    svg = f'<svg class="{kind}" viewBox="0 0 {wide} {HIGH}" role="img">{"".join(parts)}</svg>'
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
