"""data/dataset.html: what was learned from whom and when, what was left out, and examples to read.

Knows the sessions and rows it is shown; keeps counts and a handful of conversations. The page is one
file without scripts or foreign parts, in Chinese and English. It quotes messages, so it stays at home.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from bot.persona import privacy
from bot.persona.message import Message
from bot.persona.prompt import Bubble, PromptSpec, Turn
from config.settings import Dataset, Train, load
from training import html
from training.contexts import Contexts
from training.importers.source import Zone
from training.recipe import resolve

EXAMPLES = 10
"""Conversations that are shown whole."""
_LENGTHS = ((1, "1"), (2, "2"), (4, "3–4"), (8, "5–8"), (16, "9–16"), (32, "17–32"), (64, "33–64"), (1 << 30, "65+"))
_CHATS = 20

_NAMES = {
    "messages": "消息 messages",
    "sessions": "对话 conversations",
    "minutes_of_silence_between": "静默多少分钟算新对话 minutes of silence between",
    "replies_to_learn": "学习的回复 replies learned",
    "replies_not_learned": "没有学的回复 replies not learned",
    "dropped": "略过的消息 messages left out",
    "personal_data_replaced": "替换的隐私信息 personal data replaced",
    "median_in_training": "训练时的中位数 median in training",
    "median_in_the_bot": "机器人的中位数 median in the running bot",
    "apart": "相差（0 一样，1 全不同） apart (0 alike, 1 disjoint)",
    "when": "我什么时候说话 when I speak",
    "sessions_with_memories": "带着记忆的对话 conversations with memories",
    "of_these_with_a_summary": "其中带摘要的 of these with a summary",
    "held_out_chats": "整个留作测试的聊天 chats held out whole",
}


class Page:
    """Counts for the plots, and a fair draw of conversations."""

    def __init__(self, knobs: Dataset, spec: PromptSpec) -> None:
        self._random, self._zone = random.Random(knobs.seed), Zone(knobs.tz)
        self._rows = 0
        self.mine: Counter[str] = Counter()
        self.months: Counter[str] = Counter()
        self.hours: Counter[int] = Counter()
        self.lengths: Counter[int] = Counter()
        self.contexts = Contexts(spec, resolve(load(Train)).max_length, knobs.seed)
        self.examples: list[tuple[dict[str, Any], Sequence[Turn]]] = []

    def see_session(self, shown: Sequence[Message]) -> None:
        """One session of a chat, oldest first."""
        for message in shown:
            if message.learnable:
                when = self.local(message.time)
                self.mine[message.chat_name or message.chat] += 1
                self.months[f"{when:%Y-%m}"] += 1
                self.hours[when.hour] += 1
                self.lengths[_step(len(message.text))] += 1

    def local(self, time: int) -> datetime:
        """UTC seconds on the owner's clock."""
        return self._zone.local(time)

    def see_row(self, row: dict[str, Any], turns: Sequence[Turn]) -> None:
        """One row as it was written; each has the same chance to be shown (Vitter's algorithm R)."""
        self._rows += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((row, turns))
        elif (place := self._random.randrange(self._rows)) < EXAMPLES:
            self.examples[place] = (row, turns)


def render(page: Page, numbers: Mapping[str, Any], found: privacy.Found, spec: PromptSpec) -> str:
    """The page as HTML."""
    steps = [name for _, name in _LENGTHS]
    months = _months(page.months)
    parts = [
        f"<h1>{escape(spec.me)}：学到了什么 · what is learned</h1>",
        '<p class="note">这一页引用了聊天内容，只留在你的电脑上。 It quotes your chats; keep it to yourself.</p>',
        "<h2>数目 · Numbers</h2>",
        html.table(
            [
                (_NAMES.get(name, name), what.replace("_", " "), n)
                for name, value in numbers.items()
                for what, n in _flat(value)
            ]
        ),
        "<h2>在哪里说的 · Where</h2>",
        html.table([(name, "", n) for name, n in page.mine.most_common(_CHATS)]),
        "<h2>什么时候 · When</h2>",
        '<div class="grid">',
        html.bars([(month, page.months[month]) for month in months], "每月我的消息 · messages of mine a month"),
        html.bars([(str(hour), page.hours[hour]) for hour in range(24)], "几点 · hour of the day"),
        "</div>",
        "<h2>多长 · How long</h2>",
        '<div class="grid">',
        html.bars([(steps[i], page.lengths[i]) for i in range(len(steps))], "一条的字数 · characters of one message"),
        "</div>",
        "<h2>之前看到几条 · Messages seen before a reply</h2>",
        '<div class="grid">',
        *_contexts(page.contexts),
        "</div>",
        "<h2>隐私信息 · Personal data replaced</h2>",
        html.table(
            [
                (privacy.LABELS[kind], "  ".join(found.samples.get(kind, [])), n)
                for kind, n in found.counts.most_common()
            ]
        ),
        f"<h2>随机 {len(page.examples)} 段 · {len(page.examples)} at random</h2>",
        '<p class="note">绿色是要学的。 What is green is learned; the rest is what the persona sees.</p>',
        *(_conversation(row, turns, page) for row, turns in page.examples),
    ]
    return html.page(f"mybot: {spec.me}", parts)


def _contexts(contexts: Contexts) -> list[str]:
    shares = contexts.shares()
    numbers = contexts.numbers()
    return [
        html.bars(
            [(name, round(1000 * trained)) for name, trained, _ in shares],
            "每千条回复 · of a thousand replies",
            beside=[round(1000 * live) for _, _, live in shares],
            keys=("训练时 in training", "机器人在聊时 in the running bot"),
        ),
        html.table([(_NAMES[name], "", number) for name, number in numbers.items()]),
    ]


def _step(number: int) -> int:
    return next(place for place, (most, _) in enumerate(_LENGTHS) if number <= most)


def _months(seen: Counter[str]) -> list[str]:
    """Every month from the first to the last, the silent ones too."""
    if not seen:
        return []
    first, last = ([int(part) for part in month.split("-")] for month in (min(seen), max(seen)))
    span = range(first[0] * 12 + first[1] - 1, last[0] * 12 + last[1])
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in span]


def _flat(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else [("", value)]


def _marked(bubble: Bubble) -> str:
    """A silence or an answer's link without the backslash that keeps them apart from what people write."""
    return f"{bubble.mark} {bubble.text}".strip().removeprefix("\\").replace("~", "⋯", 1)


def _conversation(row: dict[str, Any], turns: Sequence[Turn], page: Page) -> str:
    lines: list[str] = []
    for turn in turns:
        for bubble in turn.bubbles:
            if bubble.mark:
                lines.append(f'<div class="b mark">{escape(_marked(bubble))}</div>')
                continue
            mine = turn.role == "assistant"
            style = "b mine learned" if bubble.target else "b mine" if mine else "b"
            who = f'<span class="who">{escape(bubble.label)}</span> ' if bubble.label else ""
            quote = f'<span class="who">「{escape(bubble.quote)}」</span> ' if bubble.quote else ""
            note = f' <span class="who">{escape(bubble.note)}</span>' if bubble.note else ""
            lines.append(f'<div class="{style}">{who}{quote}<span class="t">{escape(bubble.text)}</span>{note}</div>')
    when = page.local(row["start"])
    title = f"{escape(row['name'])} · {when:%Y-%m-%d %H:%M} · {row['split']}"
    return f"<details><summary>{title}</summary>{''.join(lines)}</details>"
