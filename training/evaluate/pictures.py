"""The pictures of the page: manner, pace, and when it speaks.

Knows a report's pictures; how a curve or a bar is drawn stands in plots.py.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from training.evaluate import plots, words
from training.evaluate.figures import Picture
from training.evaluate.report import Report

BARS = 20
"""Bars of a small picture at most."""
USUAL = 0.8
"""Share from which on the usual case, that there is none of it, isn't drawn beside the others."""
NEARLY_ALL = 0.99
"""Share of the usual case beyond which a picture has nothing to show."""
RARE = 0.005
"""Share below which the end of a distribution isn't drawn."""
_SLICES = {"all": "全部 · all", "entry": "沉默后开口 · after a silence"}


def manner(report: Report) -> Iterator[str]:
    """How I write beside how it writes, the widest gap first; nothing where that wasn't looked at."""
    # How many bubbles is shown beside how soon.
    elsewhere = ("style.bubbles",) if "timing.delays" in report.pictures else ()
    style = ((name, picture) for name, picture in report.pictures.items() if name.startswith("style."))
    drawn = [(name, picture) for name, picture in style if name not in elsewhere]
    if not drawn:
        return
    yield "<h2>说话的样子 · Manner</h2>"
    yield plots.legend(words.PEOPLE)
    yield '<p class="note">差得最远的在前。· The widest gap first.</p><div class="grid">'
    for name, picture in sorted(drawn, key=lambda item: -_gap(item[1])):
        if _begins_with_none(picture) and min(_firsts(picture).values(), default=1.0) > NEARLY_ALL:
            continue  # nobody does it
        yield _small(picture, words.PICTURES.get(name, name.removeprefix("style.")))
    yield "</div>"


def pace(report: Report) -> Iterator[str]:
    """How soon and in how many bubbles, and at which hours."""
    delays, hours = (report.pictures.get(f"timing.{name}") for name in ("delays", "hours"))
    if delays is None and hours is None:
        return
    yield "<h2>多快回，一次几条 · How soon it answers, and in how many bubbles</h2>"
    if delays is not None:
        yield from _delays(report, delays)
    if hours is not None:
        yield plots.legend({who: {**words.PEOPLE, "other": "别人们 · the others"}[who] for who in _shown(hours)})
        yield plots.bars(hours.labels, _shown(hours), words.PICTURES["timing.hours"], wide=True)


def when(report: Report) -> Iterator[str]:
    """Calibration, precision, and one day lived through."""
    drawn = [*_calibrations(report), *_precisions(report)]
    day = report.pictures.get("when.day")
    if not drawn and day is None:
        return
    yield "<h2>什么时候开口 · When it speaks</h2>"
    yield plots.legend(
        {"me": words.PEOPLE["me"], "persona": words.PEOPLE["persona"], "on_at": "被叫才说 · only when called"}
    )
    yield f'<div class="grid">{"".join(drawn)}</div>'
    if day is not None:
        told = "测试里我在群里话最多的一天，按小时：上面是我，下面是放在我位置上的分身 · my busiest test day in groups, replies by hour: me above, the bot in my place below"
        sides = (day.series.get("me", ()), day.series.get("persona", ()))
        yield plots.facing(day.labels, *sides, ("me", "persona"), told)


def _begins_with_none(picture: Picture) -> bool:
    """Whether the first bar is of those who have none of it; the commonest of some words may be a word."""
    return picture.labels[:1] == ("",) or picture.x[:1] == (0.0,)


def _firsts(picture: Picture) -> dict[str, float]:
    return {who: values[0] for who, values in _shown(picture).items() if values}


def _small(picture: Picture, caption: str) -> str:
    series, labels = _shown(picture), [label or "–" for label in picture.labels] or [f"{x:g}" for x in picture.x]
    none = _firsts(picture) if _begins_with_none(picture) and len(labels) > 2 else {}
    if none and min(none.values()) >= USUAL:
        # Whoever hardly ever does it is told in words: beside that bar the others would be invisible.
        told = ", ".join(f"{words.PEOPLE[who].split(' · ')[0]} {share:.0%}" for who, share in none.items())
        caption += f"（完全没有的不画 · none at all, not drawn: {told}）"
    if none and (min(none.values()) >= USUAL or max(none.values()) == 0):
        labels, series = labels[1:], {who: values[1:] for who, values in series.items()}
    if not picture.labels:
        labels, series = _coarser(labels, series)
    return plots.bars(labels, series, caption)


def _coarser(
    labels: Sequence[str], series: Mapping[str, Sequence[float]]
) -> tuple[Sequence[str], Mapping[str, Sequence[float]]]:
    """No more than BARS bars: neighbours are put together, and a tail that hardly anybody has is cut off."""
    shares = [
        max((values[n] for values in series.values() if n < len(values)), default=0.0) for n in range(len(labels))
    ]
    last = max((n for n, share in enumerate(shares) if share >= RARE), default=0) + 1
    step = -(-last // BARS)
    starts = range(0, last, step)
    return [labels[n] for n in starts], {
        who: [sum(values[n : n + step]) for n in starts] for who, values in series.items()
    }


def _shown(picture: Picture) -> dict[str, Sequence[float]]:
    """The series that have a look of their own, in their order."""
    return {who: picture.series[who] for who in plots.ROLES if who in picture.series}


def _gap(picture: Picture) -> float:
    """Half the sum of differences between me and the persona."""
    me, persona = picture.series.get("me", ()), picture.series.get("persona", ())
    return sum(abs(one - other) for one, other in zip(me, persona, strict=False)) / 2


def _delays(report: Report, picture: Picture) -> Iterator[str]:
    people = {**words.PEOPLE, "typing": "打字那么快 · as fast as typing"}
    series = {**_shown(picture), **{who: picture.series[who] for who in ("typing",) if who in picture.series}}
    yield plots.legend({who: people[who] for who in series})
    yield '<div class="grid">' + plots.curves(
        picture.x,
        series,
        "到这么多秒为止回了多少（对数轴） · share answered within so many seconds, log axis",
        log=True,
        unit="s",
        most=1.0,
    )
    bubbles = report.pictures.get("style.bubbles")
    yield (_small(bubbles, words.PICTURES["style.bubbles"]) if bubbles else "") + "</div>"


def _calibrations(report: Report) -> Iterator[str]:
    for name, said in _SLICES.items():
        picture = report.pictures.get(f"when.calibration_{name}")
        if picture is not None:
            mine = picture.series.get("me", ())
            yield plots.curves(
                picture.x,
                {"me": mine},
                f"{said}：横着是它说的可能，竖着是我真的开口的比例；虚线是说得正准"
                " · across: what it said; up: how often I spoke; dotted: exactly right",
                most=_round_up(max([*picture.x, *mine])),
                diagonal=True,
            )


def _precisions(report: Report) -> Iterator[str]:
    for name, said in _SLICES.items():
        picture = report.pictures.get(f"when.precision_{name}")
        if picture is not None:
            yield plots.curves(
                (0.0, *picture.x),
                {who: (values[0], *values) for who, values in picture.series.items()},
                f"{said}：横着是我的回复里它接住的，竖着是它开口时我也开口的"
                " · across: of my replies, those it gives; up: of its own, those that I gave, too",
                most=1.0,
            )


def _round_up(value: float) -> float:
    """The next tenth: the end of an axis."""
    return max(0.1, math.ceil(value * 10 - 1e-9) / 10)
