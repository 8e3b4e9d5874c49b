"""runs/<name>/train.html: how a training run goes, and what the persona says by now.

Knows a Course, what was seen of a run so far (track.py writes it); doesn't know the trainer. One file,
Chinese and English. It quotes held-out messages, so it stays at home.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from training import html

PAGE = "train.html"
REFRESH = 20
"""Seconds between two looks while it runs."""
_SHOWN = ("base_model", "preset", "loss_on", "max_length", "learning_rate", "r", "lora_alpha", "target_modules")

_STYLE = """
.state{font-size:1.05rem}.state b{font-size:1.25rem}progress{width:100%;height:.7rem;accent-color:var(--bar)}
table.said{width:100%;table-layout:fixed}table.said td{border-top:1px solid var(--line);padding:.35rem .6rem .35rem 0}
table.said td:first-child{width:6.5rem;color:var(--soft);font-size:.87rem}
.bubble{display:inline-block;background:var(--mine);border-radius:.6rem;padding:.05rem .6rem;margin:.1rem .2rem .1rem 0;white-space:pre-wrap}
.bubble.theirs{background:none;border:1px solid var(--line)}
"""


@dataclass(slots=True)
class Course:
    """What was seen of a run. All of it can be written as JSON."""

    name: str
    me: str
    recipe: dict[str, Any]
    data: dict[str, int]
    spent: float = 0.0
    """Seconds, without those between a stop and the going on."""
    peaks: dict[str, float] = field(default_factory=dict)
    """GiB that were held at most (see spent.py)."""
    written: float = 0.0
    """Seconds since 1970."""
    state: str = "running"
    """running, finished, stopped or failed."""
    why: str = ""
    step: int = 0
    steps: int = 0
    epoch: float = 0.0
    seconds_left: float | None = None
    points: list[dict[str, float]] = field(default_factory=list)
    """step, and of loss, eval_loss, learning_rate, tokens_per_second, memory (GiB) what was measured."""
    resumed: list[int] = field(default_factory=list)
    halved: list[dict[str, int]] = field(default_factory=list)
    """step, micro_batch (tokens): the card was too small."""
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    """asked and answered, in bubbles."""
    said: list[dict[str, Any]] = field(default_factory=list)
    """step, seconds, replies: bubbles for each that was asked."""

    def cut(self, step: int) -> None:
        """Forget what came after a step: the run goes on from there."""
        self.points = [point for point in self.points if point["step"] <= step]
        self.said = [said for said in self.said if said["step"] <= step]

    def curve(self, name: str) -> list[tuple[float, float]]:
        """A measured quantity over the steps."""
        return [(point["step"], point[name]) for point in self.points if name in point]

    def best(self) -> tuple[float, float] | None:
        """Step and held-out loss where it was lowest; the first of equals, as the adapter that is kept."""
        return min(self.curve("eval_loss"), key=lambda point: point[1], default=None)


def render(course: Course) -> str:
    """The page as HTML."""
    running = course.state == "running"
    parts = [
        f"<h1>{escape(course.me)}：训练 · training <code>{escape(course.name)}</code></h1>",
        *_state(course),
        '<div class="grid">',
        *_plots(course),
        "</div>",
        *_samples(course),
        "<h2>配方与数据 · Recipe and data</h2>",
        html.table([(name, "", course.recipe[name]) for name in _SHOWN if course.recipe.get(name) not in (None, "")]),
        "<h3>数据 · data</h3>",
        html.table([(_DATA.get(name, name), "", number) for name, number in course.data.items()]),
        _whole_recipe(course.recipe),
    ]
    return html.page(f"mybot train: {course.name}", parts, style=_STYLE, refresh=REFRESH if running else 0)


_DATA = {
    "windows": "训练窗口 windows",
    "tokens": "词元 tokens",
    "tokens_with_loss": "要学的词元 tokens with loss",
    "heldout_windows": "留出的窗口 held-out windows",
}

_STATES = {
    "running": "进行中 · running",
    "finished": "完成 · finished",
    "stopped": "已停止，同一条命令会接着来 · stopped; the same command goes on",
    "failed": "失败 · failed",
}


def _state(course: Course) -> list[str]:
    share = f"{course.step:,} / {course.steps:,}" if course.steps else "…"
    spent = _span(course.spent)
    left = f" · 还要约 about {_span(course.seconds_left)} left" if course.seconds_left is not None else ""
    lines = [
        f'<p class="state"><b>{_STATES[course.state]}</b> {escape(course.why)}<br>',
        f"步 step {share} · 轮 epoch {course.epoch:.2f} · 已过 after {spent}{left}</p>",
        f'<progress max="{max(1, course.steps)}" value="{course.step}"></progress>',
    ]
    if best := course.best():
        lines.append(f"<p>最好的留出损失 best held-out loss <b>{best[1]:.4f}</b> @ step {best[0]:,.0f}</p>")
    lines += [f"<p>从第 {step} 步接着来 · gone on from step {step}</p>" for step in course.resumed]
    lines += [
        f"<p>显存不够，每次改为 {halved['micro_batch']:,} 个 token · out of memory at step {halved['step']}: "
        f"{halved['micro_batch']:,} tokens at once from then on</p>"
        for halved in course.halved
    ]
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(course.written))
    note = f"写于 written {when}。"
    if course.state == "running":
        note += (
            f"每 {REFRESH} 秒自己更新。 Reloads itself every {REFRESH} s; a time long past means that it runs no more."
        )
    lines.append(
        f'<p class="note">{note} 这一页引用了聊天内容，只留在你的电脑上。 It quotes your chats; keep it to yourself.</p>'
    )
    return lines


def _plots(course: Course) -> list[str]:
    best = course.best()
    return [
        html.curves(
            [
                html.Curve("训练 training", course.curve("loss")),
                html.Curve("留出 held-out", course.curve("eval_loss"), dotted=True),
            ],
            "损失（每词元奈特）· loss, nats a token",
            mark=(*best, f"{best[1]:.3f}") if best else None,
        ),
        html.curves([html.Curve("", course.curve("learning_rate"))], "学习率 · learning rate"),
        html.curves([html.Curve("", course.curve("tokens_per_second"))], "每秒词元 · tokens a second", from_zero=True),
        html.curves([html.Curve("", course.curve("memory"))], "内存 · memory, GiB", from_zero=True),
    ]


def _samples(course: Course) -> list[str]:
    if not course.said:
        return []
    parts = [
        "<h2>它会怎么说 · What it says</h2>",
        '<p class="note">同样的问题，同样的随机种子；没有过滤。 The same prompts and seeds each time; unguarded.</p>',
    ]
    for place, asked in enumerate(course.asked):
        rows = [_said("问 asked", asked["asked"], "bubble theirs")]
        rows += [_said(f"step {said['step']:,}", said["replies"][place], "bubble") for said in course.said]
        if asked["answered"]:
            rows.append(_said("真的 in truth", asked["answered"], "bubble theirs"))
        parts.append(f'<table class="said">{"".join(rows)}</table><br>')
    return parts


def _said(what: str, bubbles: Sequence[str], style: str) -> str:
    shown = " ".join(f'<span class="{style}">{escape(bubble)}</span>' for bubble in bubbles)
    silent = '<span class="who">（没说话 nothing）</span>'
    return f"<tr><td>{what}<td>{shown or silent}"


def _whole_recipe(recipe: Mapping[str, Any]) -> str:
    rows = html.table([(name, "", value if value != "" else "–") for name, value in recipe.items()])
    return f"<details><summary>全部配方 · the whole recipe</summary>{rows}</details>"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
