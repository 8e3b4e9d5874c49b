"""report.html: the report as one page that a person enjoys reading; offline, Chinese and English.

Knows a Report and nothing beside it: numbers only, so that the page can be shown to others.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from training import html
from training.evaluate import cells, cost_table, leak_table, names, pictures, plots, when_table, words
from training.evaluate.figures import Figure
from training.evaluate.report import Report

PAGE = "report.html"

_STYLE = (
    plots.STYLE
    + """
.big{font-size:1.25rem;line-height:1.5;margin:.5rem 0}.big small{display:block;color:var(--soft);font-size:.87rem}
table.wide{width:100%;font-size:.87rem}table.wide th{text-align:right;font-weight:600;padding:.1rem .6rem;vertical-align:bottom;overflow-wrap:normal;word-break:keep-all}
table.wide th small{font-weight:400;color:var(--soft)}
table.wide th:first-child{text-align:left}table.wide td:first-child{min-width:11rem;overflow-wrap:normal}table.wide td{border-top:1px solid var(--line);padding:.15rem .6rem}
.good{color:#1a7f4b}.bad{color:#b3401f}@media(prefers-color-scheme:dark){.good{color:#5fc58f}.bad{color:#f0906c}}
table.leaks th:first-child,table.leaks td:first-child{white-space:normal;min-width:13rem}td.why{color:var(--soft);font-size:.8rem;min-width:12rem}
@media(max-width:40rem){table.leaks th:first-child,table.leaks td:first-child{min-width:8rem}table.wide th,table.wide td{padding:.15rem .3rem}}
h3{font-size:1rem;margin:1.4rem 0 .3rem}.scroll{overflow-x:auto}.chip{display:inline-block;border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;margin:.1rem .2rem;font-size:.87rem}
"""
)


def render(report: Report) -> str:
    """The page as HTML."""
    parts = [
        "<h1>像不像，漏不漏 · Is it me, and does it leak?</h1>",
        *_first(report),
        *_gate(report),
        *_people(report),
        *_ruler(report),
        *pictures.manner(report),
        *pictures.pace(report),
        *pictures.when(report),
        *_leaks(report),
        *_tables(report),
        *cost_table.tables(report.run),
        *_about(report),
    ]
    return html.page("mybot report", parts, style=_STYLE)


def _first(report: Report) -> Iterator[str]:
    for chinese, english in words.headline(report):
        yield f'<p class="big">{escape(chinese)}<small>{escape(english)}</small></p>'
    if report.quick:
        yield '<p class="note">快速版：样本少，界限按 500 条定的那些不适用。· Quick run: fewer replies, wider intervals.</p>'
    lacking = words.missing(report)
    if lacking:
        rows = "".join(f"<tr><td>{escape(_all_called(of))}<td>{escape(why)}" for of, why in lacking)
        number = sum(len(of) for of, _ in lacking)
        yield f"<details><summary>说不准或没量的 {number} 项 · insufficient or not measured</summary><table>{rows}</table></details>"


def _gate(report: Report) -> Iterator[str]:
    gate = report.gate
    if gate is None:
        return
    told = {
        "pass": ("good", "过了：可以上线 · pass"),
        "fail": ("bad", "没过：比在用的差 · fail"),
        "refuse": ("bad", "拒绝 · refuse"),
        "undecided": ("", "还分不出高下，先用旧的 · undecided"),
    }
    colour, text = told[gate.verdict]
    yield f'<h2>评判 · The gate</h2><p class="big {colour}">{escape(text)}</p>'
    if gate.reasons:
        yield "<ul>" + "".join(f"<li>{escape(reason)}" for reason in gate.reasons) + "</ul>"


def _people(report: Report) -> Iterator[str]:
    if report.people:
        yield "<h2>朋友们猜 · What friends guessed</h2>"
        yield (
            '<p class="note">要超过的：44% 的时候被当成本人；只靠提示最好 25%（论文里的）。'
            " · To beat, as published: taken for the person 44 % of the time; 25 % by the best prompt.</p>"
        )
        yield cells.table(
            ["猜 · guesses"], [(name.replace("_", " "), [figure]) for name, figure in report.people.items()]
        )


def _ruler(report: Report) -> Iterator[str]:
    marks = []
    for system, figures in report.systems.items():
        auc = figures.get("two_sample.auc")
        if auc is not None and auc.value is not None:
            low, high = (auc.value if end is None else end for end in (auc.low, auc.high))
            marks.append(plots.Mark(words.SYSTEMS.get(system, system), low, high, _role(system)))
    if not marks:
        return
    marks += [plots.Mark(name, low, high, "floor") for name, low, high, _ in words.REFERENCE]
    yield "<h2>分得出来吗 · Can it be told apart?</h2>"
    yield plots.ruler(
        sorted(marks, key=lambda mark: mark.low),
        0.5,
        1.0,
        "一个判官把它和我分开的 AUC：0.5 是分不出，1 是一眼看穿。参考行是公开数据上量的，每边 500 条。"
        " · AUC of a judge: .5 can't tell, 1 always can. Reference rows: public data, 500 a side.",
    )
    body = "".join(
        f'<tr><td>{escape(name)}<td class="n">{f"{low:.2f}" if low == high else f"{low:.2f}–{high:.2f}"}<td class="n">{k90}'
        for name, low, high, k90 in words.REFERENCE
    )
    heads = "<tr>" + "".join(map(cells.head, ("", "AUC", "要看几条才九成把握 · messages to be 90 % sure (k90)")))
    yield f'<details><summary>参考表 · the reference table</summary><table class="wide">{heads}{body}</table></details>'


def _leaks(report: Report) -> Iterator[str]:
    rows, systems = _rows(report, "leakage"), _systems(report, "leakage")
    if not rows:
        return
    yield "<h2>漏不漏 · Leaks</h2>"
    yield (
        '<p class="note">命中数要是零才好；n 次里零次，95% 把握不超过 3/n。'
        " · Hits should be none; none of n means at most 3/n.</p>"
    )
    yield from leak_table.tables(report)
    yield "<details><summary>所有人的 · everybody's, controls among them</summary>"
    yield cells.table([words.SYSTEMS.get(system, system) for system in systems], rows) + "</details>"


def _tables(report: Report) -> Iterator[str]:
    yield "<h2>所有的数 · Every figure</h2>"
    there = {name.split(".")[0] for figures in report.systems.values() for name in figures}
    for axis in (*(axis for axis in words.AXES if axis in there), *sorted(there - words.AXES.keys())):
        if axis == "leakage":
            continue
        rows, systems = _rows(report, axis), _systems(report, axis)
        opened = " open" if axis in ("style", "two_sample", "relevance") else ""
        if axis == "when":
            yield f"<details><summary>{escape(words.AXES[axis])}</summary>{''.join(when_table.tables(report))}</details>"
            continue
        yield f"<details{opened}><summary>{escape(words.AXES.get(axis, axis))}</summary>"
        yield f'<p class="note">{escape(words.SENTENCES.get(axis, ""))}{_counted(report, axis)}</p>'
        yield cells.table([words.SYSTEMS.get(system, system) for system in systems], rows) + "</details>"


def _counted(report: Report, axis: str) -> str:
    """On how many replies, questions or attacks the persona's figures stand."""
    mine = report.systems.get("persona", {})
    n = [figure.n for name, figure in mine.items() if name.startswith(f"{axis}.") and figure.value is not None]
    if not n:
        return ""
    return f" · n {min(n):,}" + (f"–{max(n):,}" if max(n) > min(n) else "")


def _systems(report: Report, axis: str) -> list[str]:
    """Those of whom an axis says something."""
    told = {
        system for system, figures in report.systems.items() if any(name.startswith(f"{axis}.") for name in figures)
    }
    return [name for name in words.SYSTEMS if name in told]


def _rows(report: Report, axis: str) -> list[tuple[str, list[Figure | None]]]:
    there = {name for figures in report.systems.values() for name in figures if name.startswith(f"{axis}.")}
    order = {name: place for place, name in enumerate(names.FIGURES)}
    systems = _systems(report, axis)
    return [
        (_called(name), [report.systems[system].get(name) for system in systems])
        for name in sorted(there, key=lambda name: (order.get(name, len(order)), name))
    ]


def _called(name: str) -> str:
    """A figure in Chinese, where it has a name, and as it is."""
    return " · ".join(part for part in (names.chinese(name), name.split(".", 1)[1].replace("_", " ")) if part)


def _all_called(of: Sequence[str]) -> str:
    """Some figures of one axis: the first of them by name."""
    axis = words.AXES.get(of[0].split(".")[0], "").split(" · ")[0]
    more = f" …（共 {len(of)} 项 · {len(of)} in all）" if len(of) > 1 else ""
    return f"{axis}：{_called(of[0])}{more}"


def _about(report: Report) -> Iterator[str]:
    data, run = report.data, report.run
    rows: Mapping[str, object] = {
        "分身 · persona": report.persona,
        "底模 · base model": report.base or "—",
        "提问 · moments": data.moments,
        "会话 · sessions": data.sessions,
        "别人 · other members": data.members,
        "测试里几乎原样出现过的 · near-copies of training": _share(data.near_copies),
        "和更早的我相隔（天） · days between me earlier and the test": "—"
        if data.gap_days is None
        else round(data.gap_days),
        "随机种子 · seed": report.seed,
        "用时（秒） · seconds": round(sum(run.wall.values())) if run.wall else "—",
    }
    yield "<h2>怎么量的 · How it was measured</h2>"
    yield html.table([(name, "", value) for name, value in rows.items()])
    yield (
        '<p class="note">区间：按会话整体重抽样，95%。没有消息原文，也没有名字。'
        " · Intervals: whole sessions drawn anew, 95 %. No message text and no name on this page.</p>"
    )


def _share(figure: Figure) -> str:
    return "—" if figure.value is None else f"{figure.value:.1%}"


def _role(system: str) -> str:
    return {"persona": "persona", "me_earlier": "floor", "other_member": "other"}.get(system, "extra")
