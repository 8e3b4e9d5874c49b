r"""to_prompt: the only way from messages to model input; and back, from a reply to bubbles.

Training calls it on the past, the bot on the present, so both see one format. Knows roles,
bubbles, speaker labels, quotes and silences; doesn't know any tokenizer or chat template.

How a turn reads: one bubble a line. Inside a bubble a backslash is `\\` and a line break `\n`, so a
line that begins with another escape can't come from anybody's text. Those are our marks:

    \~过了几小时                      a silence before the next line (`\~` alone: nothing before)
    小鹿: \「阿泽: 周四来吗\」来的      a quote, then what was said about it
    \→阿泽: 周四来吗                  what my reply answers, where it is not the line above it

In a group each foreign bubble begins with its speaker's label; labels have no colon and no line
break, so nobody can speak in another's name. Mine have none: mine are the assistant's turns. What the
persona is reminded of (memory.py) stands in the system turn, after who I am and where.
"""

import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.persona import privacy
from bot.persona.memory import MARK, Recalled, memory_block
from bot.persona.message import PLACEHOLDERS, Message
from bot.persona.pseudonyms import Hidden, Pseudonyms

Role = Literal["system", "user", "assistant"]
Labels = MutableMapping[str, str]
"""Sender id → label, for one chat; filled at first sight and kept."""

SILENCE, ANSWERS = "\\~", "\\→"
_QUOTE = "\\「{}\\」"
_SNIPPET = 24
"""Characters of a quoted message that are shown."""

_MEDIA = re.compile("|".join(re.escape(mark) for mark in sorted(set(PLACEHOLDERS.values()))))
_NOT_IN_NAMES = re.compile(r"[\s:：\\「」\[\]【】<>|@\u200b-\u200f\u202a-\u202e\u2060-\u2069\x00-\x1f\x7f]+")


class PromptSpec(BaseModel):
    """Everything to_prompt needs beside the messages; sealed with the persona."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    format: Literal[1] = 1
    me: str
    """What I am called."""
    private: str = "你是{me}，正在和{name}私聊。"
    """System turn of a private chat."""
    group: str = "你是{me}，正在群「{name}」里聊天。"
    """System turn of a group."""
    general: str = "You are a helpful assistant."
    """System turn of dialogue that isn't mine, mixed in against forgetting."""
    silence: float = Field(default=1800, gt=0)
    """Seconds without a word that are marked."""
    history_private: int = Field(default=60, ge=1)
    """Messages a private prompt reaches back over."""
    history_group: int = Field(default=40, ge=1)
    """Messages a group prompt reaches back over."""
    memory: int = Field(default=0, ge=0)
    """Characters that memories may take of a prompt; 0: it was learned without."""
    utc_offset: int = 8 * 3600
    """Seconds by which the clock that memories are dated by is ahead of UTC."""
    privacy: bool = True
    """Whether personal data stands as placeholders."""
    pseudonyms: Pseudonyms | None = None
    """Hides other people's names, where that was asked for."""

    def history(self, kind: str) -> int:
        return self.history_group if kind == "group" else self.history_private


@dataclass(slots=True)
class Bubble:
    """One line of a turn. `text` as it was said, scrubbed, not yet escaped."""

    text: str
    label: str = ""
    time: int = 0
    quote: str = ""
    mark: str = ""
    target: bool = False
    note: str = ""
    """Why the dataset didn't take it as a target, or took it only at times."""

    def to_row(self) -> dict[str, Any]:
        row: dict[str, Any] = {"text": self.text, "time": self.time}
        for key in ("label", "quote", "mark", "target", "note"):
            if value := getattr(self, key):
                row[key] = value
        return row


@dataclass(slots=True)
class Turn:
    """Neighbouring bubbles of one side."""

    role: Role
    bubbles: list[Bubble] = field(default_factory=list)

    def to_row(self) -> dict[str, Any]:
        return {"role": self.role, "bubbles": [bubble.to_row() for bubble in self.bubbles]}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Turn":
        return cls(row["role"], [Bubble(**bubble) for bubble in row["bubbles"]])


@dataclass(slots=True)
class Rendered:
    """A turn as the chat template gets it, with the character spans that are mine to learn."""

    role: Role
    content: str
    targets: list[tuple[int, int]] = field(default_factory=list)

    def to_wire(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


def to_prompt(
    messages: Sequence[Message],
    spec: PromptSpec,
    labels: Labels,
    *,
    kind: str,
    name: str,
    now: float | None = None,
    answering: str | None = None,
    quoted: Mapping[str, Message] | None = None,
    memory: Sequence[Recalled] = (),
) -> list[dict[str, str]]:
    """The chat messages for the reply that comes next, oldest first, system turn first.

    `name` is who the private chat is with, or the group's name; `now` lets a silence before the
    reply show; `answering` is the id of the message it answers; `memory` what to be reminded of.
    """
    recent = [m for m in messages if readable(m)][-spec.history(kind) :]
    block = remember(memory, spec, labels, kind=kind, name=name, now=now or (recent[-1].time if recent else 0))
    turns = to_turns(recent, spec, labels, now=now, answering=answering, quoted=quoted)
    return [turn.to_wire() for turn in render(turns, spec, kind=kind, name=name, memory=block)]


def remember(
    recalled: Sequence[Recalled], spec: PromptSpec, labels: Labels, *, kind: str, name: str, now: float
) -> str:
    """The block of what the persona is reminded of, in the chat's own labels, most wanted first; empty: no block."""
    if not recalled or not spec.memory:
        return ""
    hidden = Hidden(spec.pseudonyms, [memory.message for memory in recalled])
    partner = clean_name(name if spec.pseudonyms is None else spec.pseudonyms.place(kind, name))

    def says(message: Message) -> str:
        return escape(_text(message, spec, labels, hidden).replace("\n", " "))

    def who(message: Message) -> str:
        if message.mine:
            return clean_name(spec.me)
        return label_of(labels, message.sender, hidden.speaker(message), spec.me) if kind == "group" else partner

    return memory_block(recalled, now, spec.memory, utc_offset=spec.utc_offset, says=says, who=who)


def readable(message: Message) -> bool:
    """Whether a message stands in prompts at all: recalled and system lines don't."""
    return "system" not in message.flags and "recalled" not in message.flags


def to_turns(
    messages: Sequence[Message],
    spec: PromptSpec,
    labels: Labels,
    *,
    learn: Callable[[Message], tuple[bool, str]] | None = None,
    now: float | None = None,
    answering: str | None = None,
    quoted: Mapping[str, Message] | None = None,
) -> list[Turn]:
    """Messages of one chat, oldest first, as turns with silences, quotes and labels.

    `learn` is asked about each message of mine that could be learned (bare media and what are not
    my own words can't): whether its bubble becomes a target, and a note for it.
    """
    index = dict(quoted or {})
    index.update((m.id, m) for m in messages)
    turns: list[Turn] = []
    hidden = Hidden(spec.pseudonyms, messages)
    previous: Message | None = None
    for message in messages:
        text = _text(message, spec, labels, hidden)
        if not text:
            continue
        if previous is not None:
            _mark_silence(turns, message.time - previous.time, message.time, spec)
        if message.mine:
            _mark_answer(turns, index.get(message.reply_to or ""), previous, message.time, spec, labels, hidden)
            target, note = learn(message) if learn and message.learnable else (False, "")
            _say(turns, "assistant", Bubble(text, time=message.time, target=target, note=note))
        else:
            label = (
                label_of(labels, message.sender, hidden.speaker(message), spec.me) if message.kind == "group" else ""
            )
            source = index.get(message.reply_to or "")
            quote = _snippet(source, spec, labels, hidden) if source is not None and source is not previous else ""
            _say(turns, "user", Bubble(text, label, message.time, quote))
        previous = message
    if now is not None and previous is not None:
        _mark_silence(turns, now - previous.time, int(now), spec)
        _mark_answer(turns, index.get(answering or ""), previous, int(now), spec, labels, hidden)
    return turns


def render(turns: Sequence[Turn], spec: PromptSpec, *, kind: str, name: str, memory: str = "") -> list[Rendered]:
    """Turns as contents for a chat template; the first after the system turn is the user's.

    `memory` is what the persona is to remember here, one line a fact; empty: no such block.
    """
    head = system(spec, kind, name)
    rendered = [Rendered("system", f"{head}\n{memory}" if memory else head)]
    for place, turn in enumerate(turns):
        bubbles = turn.bubbles
        if place == 0 and turn.role == "assistant":
            rendered.append(Rendered("user", SILENCE))
        if place == 0 and bubbles[0].mark == SILENCE:
            # How long it had been silent before the window is not to be seen from inside it.
            bubbles = bubbles[1:] or [Bubble("", mark=SILENCE)]
        rendered.append(_render(turn.role, bubbles))
    return rendered


def system(spec: PromptSpec, kind: str, name: str) -> str:
    """Who I am and where."""
    template = {"group": spec.group, "general": spec.general}.get(kind, spec.private)
    if spec.pseudonyms is not None:
        name = spec.pseudonyms.place(kind, name)
    return template.format(me=spec.me, name=clean_name(name))


def split_reply(text: str) -> list[str]:
    """The bubbles of a generated reply; the inverse of how my own turns are written."""
    lines = (line.strip() for line in text.split("\n"))
    return [unescape(line) for line in lines if line and not line.startswith((SILENCE, ANSWERS, MARK))]


def without_media(bubble: str, *, faces: bool = False) -> str:
    """A bubble without the placeholders of things that can't be sent as text; `faces` can be, as themselves."""
    return _MEDIA.sub(lambda mark: mark[0] if faces and mark[0] == PLACEHOLDERS["face"] else "", bubble).strip()


def escape(text: str) -> str:
    r"""A bubble's text on one line: backslash → `\\`, line break → `\n`."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def unescape(line: str) -> str:
    r"""The inverse of `escape`; an escape that it never writes stays as it is."""
    return re.sub(r"\\([\\n])", lambda match: "\n" if match[1] == "n" else "\\", line)


def clean_name(name: str) -> str:
    """A name that can stand in a prompt: no colon, bracket, backslash, control or line break."""
    return _NOT_IN_NAMES.sub(" ", name).strip()[:20].strip() or "某人"


def label_of(labels: Labels, sender: str, name: str, me: str) -> str:
    """The one label of a sender in this chat: the first name seen, told apart from all others."""
    if sender not in labels:
        base = label = clean_name(name or sender)
        taken = {*labels.values(), clean_name(me)}
        number = 2
        while label in taken:
            label = f"{base}{number}"
            number += 1
        labels[sender] = label
    return labels[sender]


def _text(message: Message, spec: PromptSpec, labels: Labels, hidden: Hidden) -> str:
    """What a message says, with @ by label and personal data as placeholders."""
    parts = [
        f"@{labels.get(s.id) or clean_name(hidden.mentioned(s))} " if s.type == "at" else hidden.text(s.plain())
        for s in message.segments
    ]
    text = "".join(parts).replace("\r\n", "\n").replace("\r", "\n").strip()
    return privacy.scrub(text) if spec.privacy else text


def _snippet(message: Message, spec: PromptSpec, labels: Labels, hidden: Hidden) -> str:
    text = _text(message, spec, labels, hidden).replace("\n", " ")
    text = text if len(text) <= _SNIPPET else text[:_SNIPPET] + "…"
    who = clean_name(spec.me) if message.mine else label_of(labels, message.sender, hidden.speaker(message), spec.me)
    return f"{who}: {text}" if message.kind == "group" or message.mine else text


def _say(turns: list[Turn], role: Role, bubble: Bubble) -> None:
    if not turns or turns[-1].role != role:
        turns.append(Turn(role))
    turns[-1].bubbles.append(bubble)


def _mark_silence(turns: list[Turn], gap: float, time: int, spec: PromptSpec) -> None:
    if gap >= spec.silence:
        _say(turns, "user", Bubble(_how_long(gap), time=time, mark=SILENCE))


def _mark_answer(
    turns: list[Turn],
    source: Message | None,
    previous: Message | None,
    time: int,
    spec: PromptSpec,
    labels: Labels,
    hidden: Hidden,
) -> None:
    if source is not None and source is not previous:
        _say(turns, "user", Bubble(_snippet(source, spec, labels, hidden), time=time, mark=ANSWERS))


def _how_long(seconds: float) -> str:
    hours = seconds / 3600
    if hours < 2:
        return "过了一会儿"
    if hours < 12:
        return "过了几小时"
    if hours < 36:
        return "过了一天"
    return "过了几天" if hours < 24 * 8 else "过了很久"


def _render(role: Role, bubbles: Sequence[Bubble]) -> Rendered:
    content = ""
    targets: list[tuple[int, int]] = []
    for place, bubble in enumerate(bubbles):
        if place:
            content += "\n"
        start = len(content)
        content += _line(bubble)
        if bubble.target:
            joined = place > 0 and bubbles[place - 1].target
            targets.append((start - 1 if joined else start, len(content)))
    return Rendered(role, content, _without_placeholders(content, targets))


def _line(bubble: Bubble) -> str:
    if bubble.mark:
        return bubble.mark + escape(bubble.text)
    label = f"{bubble.label}: " if bubble.label else ""
    quote = _QUOTE.format(escape(bubble.quote)) if bubble.quote else ""
    return label + quote + escape(bubble.text)


def _without_placeholders(content: str, targets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Target spans without privacy placeholders (nobody should learn to say them), joined up."""
    spans: list[tuple[int, int]] = []
    for start, end in targets:
        inside = privacy.PLACEHOLDER.finditer(content, start, end)
        borders = [start, *(border for match in inside for border in match.span()), end]
        spans.extend((a, b) for a, b in zip(borders[::2], borders[1::2], strict=True) if a < b)
    joined: list[tuple[int, int]] = []
    for a, b in spans:
        adjacent = bool(joined) and joined[-1][1] == a
        joined.append((joined.pop()[0] if adjacent else a, b))
    return joined
