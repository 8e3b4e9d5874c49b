"""`mybot dataset`: messages → turns in which my replies are marked; no tokens, no torch.

    data/messages.jsonl ─▶ data/train.jsonl, data/heldout.jsonl, data/prompt.json, data/behaviour.json

One row a session: the session's turns, and before them as many earlier messages of the chat as
a running bot might see there, across silences. Reads the messages twice: once to decide on the
split, once to write; at no time is more than one session with its reach in memory.
"""

import contextlib
import hashlib
import json
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TextIO

from bot.persona import privacy
from bot.persona.manifest import write_atomically
from bot.persona.message import Message, Session, sessions
from bot.persona.prompt import Labels, PromptSpec, Turn, readable, to_turns
from config.errors import InputError
from config.settings import Dataset
from training.behaviour import Pace
from training.contacts import Contacts
from training.report import show
from training.split import Split, Stretch, decide
from training.train_json import notebook_rows

LONGEST = 400
"""Messages after which a session without a pause is cut: its tail is the next one's context."""


@dataclass(slots=True)
class Counts:
    """What happened to the messages; everything dropped has a reason."""

    messages: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    personal_data: Counter[str] = field(default_factory=Counter)


def main(knobs: Dataset) -> None:
    source = knobs.data / "messages.jsonl"
    if not source.is_file():
        raise InputError(f"{source} does not exist", hint="mybot import YOUR_EXPORT --me YOUR_QQ_NUMBER")
    spec = PromptSpec(
        me=knobs.name or _my_name(source),
        silence=knobs.gap * 60,
        history_private=knobs.history_private,
        history_group=knobs.history_group,
        privacy=knobs.privacy,
    )
    split = decide(list(_stretches(source, spec)), embargo=knobs.embargo_days * 86400)
    counts = Counts()
    pace = Pace()
    with _pair(knobs.data) as (train, heldout):
        for row in _rows(source, spec, split, counts, pace, knobs.seed):
            file = train if row["split"] == "train" else heldout
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        if not counts.targets["train"]:
            raise InputError("no reply of yours in the training part", hint="import more records, or check --me")
    write_atomically(knobs.data / "prompt.json", spec.model_dump_json(indent=2) + "\n")
    write_atomically(knobs.data / "behaviour.json", pace.fit().model_dump_json(indent=2) + "\n")
    if knobs.train_json is not None:
        write_atomically(knobs.train_json, "".join(notebook_rows(knobs.data / "train.jsonl")))
    show(
        "dataset",
        {
            "messages": counts.messages,
            "sessions": dict(counts.rows),
            "replies_to_learn": dict(counts.targets),
            "dropped": dict(counts.dropped) or 0,
            "personal_data_replaced": dict(counts.personal_data) or 0,
            "held_out_chats": len(split.chats),
        },
        as_json=knobs.as_json,
    )


def read_messages(source: Path) -> Iterator[Message]:
    """The messages of a messages.jsonl, one at a time, each under its person's number."""
    return Contacts.load(source.parent).messages(source)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a train.jsonl or heldout.jsonl."""
    if not path.is_file():
        raise InputError(f"{path} does not exist", hint="run `mybot dataset` first")
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)


def turns_of(row: dict[str, Any]) -> list[Turn]:
    """The turns of a row."""
    return [Turn.from_row(turn) for turn in row["turns"]]


def _my_name(source: Path) -> str:
    names = Counter(message.name for message in read_messages(source) if message.mine and message.name)
    if not names:
        raise InputError(f"nobody in {source} is you", hint="mybot import --me YOUR_QQ_NUMBER (or your name there)")
    return names.most_common(1)[0][0]


def _sessions(source: Path, spec: PromptSpec) -> Iterator[Session]:
    """All sessions, chat by chat; an endless one is cut into stretches of LONGEST messages."""
    for _, chat in groupby(read_messages(source), key=lambda message: message.chat):
        for session in sessions(chat, spec.silence):
            messages = iter(session.messages)
            while part := list(islice(messages, LONGEST)):
                yield Session(part)


def _stretches(source: Path, spec: PromptSpec) -> Iterator[Stretch]:
    for session in _sessions(source, spec):
        mine = sum(_learnable(message) for message in session.messages)
        if mine:
            yield Stretch(session.chat, session.messages[0].kind, session.start, mine)


def _learnable(message: Message) -> bool:
    return message.mine and message.spoken and not message.bare_media


def _rows(
    source: Path, spec: PromptSpec, split: Split, counts: Counts, pace: Pace, seed: int
) -> Iterator[dict[str, Any]]:
    for chat, chat_sessions in groupby(_sessions(source, spec), key=lambda session: session.chat):
        labels: Labels = {}
        before: deque[Message] = deque()
        quotable: deque[Message] = deque(maxlen=2000)
        for session in chat_sessions:
            shown = [message for message in session.messages if readable(message)]
            _count(session, shown, counts)
            if not shown:
                continue
            pace.see(shown)
            quotable.extend(shown)
            part = split.of(chat, session.start)
            row = _row(session, shown, before, quotable, spec, labels, seed)
            mine = sum(bubble.target for turn in row for bubble in turn.bubbles)
            if mine and part is None:
                counts.dropped["embargo"] += len(shown)
            elif mine and part is not None:
                counts.rows[part] += 1
                counts.targets[part] += mine
                _count_personal_data(shown, counts)
                yield {
                    "id": _row_id(shown[0]),
                    "chat": chat,
                    "kind": shown[0].kind,
                    "name": shown[0].chat_name or chat.rsplit(":", 1)[-1],
                    "split": part,
                    "start": session.start,
                    "turns": [turn.to_row() for turn in row],
                }
            else:
                counts.dropped["nothing_of_mine_said"] += len(shown)
            before.extend(shown)
            while len(before) > spec.history(shown[0].kind):
                before.popleft()


def _row(
    session: Session,
    shown: list[Message],
    before: deque[Message],
    quotable: deque[Message],
    spec: PromptSpec,
    labels: Labels,
    seed: int,
) -> list[Turn]:
    """The session's turns with a context whose length is drawn, as a bot's is by its chat's age."""
    draw = random.Random(f"{seed}:{session.messages[0].id}")
    reach = draw.randint(0, len(before))
    context = list(before)[len(before) - reach :]
    return to_turns(
        context + shown, spec, labels, learn_from=len(context), quoted={message.id: message for message in quotable}
    )


def _row_id(first: Message) -> str:
    return hashlib.sha256(f"{first.chat}\n{first.id}".encode()).hexdigest()[:16]


def _count(session: Session, shown: list[Message], counts: Counts) -> None:
    counts.messages += len(session.messages)
    counts.dropped.update(
        "recalled" if "recalled" in m.flags else "system" for m in session.messages if not readable(m)
    )
    counts.dropped.update("empty" for m in shown if not m.text.strip())


def _count_personal_data(shown: list[Message], counts: Counts) -> None:
    for message in shown:
        counts.personal_data.update(kind for _, _, kind in privacy.find(message.text))


@contextlib.contextmanager
def _pair(data: Path) -> Iterator[tuple[TextIO, TextIO]]:
    """train.jsonl and heldout.jsonl, both there afterwards, or on any failure both as before."""
    paths = [data / "train.jsonl", data / "heldout.jsonl"]
    scratch = [path.with_name(f".{path.name}.part") for path in paths]
    try:
        with (
            scratch[0].open("w", encoding="utf-8", newline="\n") as train,
            scratch[1].open("w", encoding="utf-8", newline="\n") as heldout,
        ):
            yield train, heldout
        for part, path in zip(scratch, paths, strict=True):
            part.replace(path)
    finally:
        for part in scratch:
            part.unlink(missing_ok=True)
