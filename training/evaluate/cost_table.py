"""What the page says of cost: seconds a reply, seconds a token, and what a quick and a full evaluation take.

Knows a report's run.
"""

from collections.abc import Iterator, Mapping
from html import escape

from training import html
from training.evaluate import cells
from training.evaluate.figures import Figure
from training.evaluate.reckoning import told
from training.evaluate.report import Plan, Run

WAIT = "end_to_end_"
"""How figures of the wait begin; their notes tell mine beside."""
TRAINING = "train_"
"""How figures of the training begin."""
_MARKS = {True: " ✓", False: " ✗", None: ""}
_NAMES = {
    "first_token_p50": ("第一个字，中位（秒）", "first token, median, s"),
    "first_token_p95": ("第一个字，95%（秒）", "first token, p95, s"),
    "first_bubble_p50": ("第一条说完，中位（秒）", "first bubble, median, s"),
    "reply_p50": ("单独一条回复，中位（秒）", "a reply alone, median, s"),
    "tokens_a_second": ("单独说话，每秒几个词元", "tokens a second, alone"),
    "off_switch": ("喊停到没声，最慢一次（秒）", "off switch: stop word to silence, the slowest, s"),
    "memory_gib": ("内存或显存（GiB）", "memory, GiB"),
    "end_to_end_p50": ("别人看到的等待，中位（秒）", "the wait as others see it, writing included, median, s"),
    "end_to_end_p95": ("别人看到的等待，95%（秒）", "the wait as others see it, p95, s"),
    "end_to_end_ks": ("别人看到的等待和我的，最大差", "the wait as others see it against mine, KS"),
    "train_tokens": ("训练集里的词元", "tokens of the training set"),
    "train_seconds": ("训练花的时间", "wall time of the training"),
    "train_memory_gib": ("训练时内存最多（GiB）", "memory of the training at most, GiB"),
    "train_card_gib": ("训练时显存最多（GiB）", "card memory of the training at most, GiB"),
    "train_card_reserved_gib": ("训练时占住的显存最多（GiB）", "card memory that the training reserved at most, GiB"),
}
_EACH = {
    "seconds_a_reply": ("批量里每条回复（秒）", "a reply in batches, s"),
    "seconds_a_1000_tokens_read": ("读一千个词元（秒）", "1,000 tokens read, s"),
}
_SYSTEMS = {"persona": ("分身", "persona"), "base": ("底模", "base"), "base_prompt": ("底模加提示", "base + prompt")}


def tables(run: Run) -> Iterator[str]:
    """What was measured in the run, then what either size of an evaluation asks; nothing where nothing was."""
    if not run.cost and not run.plans:
        return
    yield "<h2>花多少 · What it costs</h2>"
    where = f" ({run.device})" if run.device else ""
    note = (
        f"这台机器{where}这一次量的，不同机器不能比。"
        f" · Measured in this run, on this machine{where}; don't compare machines."
    )
    yield f'<p class="note">{escape(note)}</p>'
    trained = {name: figure for name, figure in run.cost.items() if name.startswith(TRAINING)}
    yield html.table(_rows({name: figure for name, figure in run.cost.items() if name not in trained}))
    if trained:
        yield '<p class="note">训练那一次记下的。· As the training run kept it.</p>'
        yield html.table(_rows(trained))
    if run.plans:
        yield _plans(run)


def _rows(cost: Mapping[str, Figure]) -> list[tuple[str, str, str]]:
    return [
        (
            f"{_named(name)}{_of(name, figure)}",
            figure.note if name.startswith(WAIT) else "",
            f"{_shown(name, figure.value)}{_MARKS[figure.is_good]}",
        )
        for name, figure in cost.items()
        if figure.value is not None
    ]


def _of(name: str, figure: Figure) -> str:
    """How many were measured; what a training took is told once, of all its windows."""
    return "" if name.startswith(TRAINING) and name != "train_tokens" else f" (n {figure.n:,})"


def _shown(name: str, value: float) -> str:
    if name == "train_seconds":
        return told(value)
    return cells.number(value)


def _named(name: str) -> str:
    for start, (chinese, english) in _EACH.items():
        if name.startswith(start):
            system = name.removeprefix(f"{start}_")
            whose = _SYSTEMS.get(system, (system, system))
            return f"{whose[0]}：{chinese} · {whose[1]}: {english}"
    return " · ".join(_NAMES.get(name, (name.replace("_", " "),)))


def _plans(run: Run) -> str:
    heads = ("", "要生成的回复 · replies", "要读的词元 · tokens to read", "按这个速度 · at these rates")
    rows = "".join(
        f"<tr><td>{escape(_SIZES[name])}" + "".join(f'<td class="n">{cell}' for cell in _cells(run.plans[name]))
        for name in _SIZES
        if name in run.plans
    )
    head = "".join(map(cells.head, heads))
    asking, rest = run.wall.get("asking"), run.wall.get("measuring")
    spent = (
        ""
        if asking is None or rest is None
        else f"这一次：问 {asking:.0f} 秒，算 {rest:.0f} 秒 · this run: asking {asking:.0f} s, arithmetic {rest:.0f} s"
    )
    return f'<div class="scroll"><table class="wide"><tr>{head}{rows}</table></div><p class="note">{escape(spent)}</p>'


_SIZES = {"quick": "快速版 · a quick one", "full": "完整版 · a full one"}


def _cells(plan: Plan) -> tuple[str, str, str]:
    replies, tokens = sum(plan.replies.values()), sum(plan.tokens_read.values())
    return f"{replies:,}", f"{tokens:,}", "–" if plan.seconds is None else told(plan.seconds)
