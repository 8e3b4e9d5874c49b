"""`mybot dataset`: messages → turns in which my replies are marked; no tokens, no torch.

    data/messages.jsonl ─▶ data/train.jsonl, data/heldout.jsonl, data/prompt.json, data/behaviour.json,
                           data/trained.json

One row a session: the session's turns, and before them as many earlier messages of the chat as
a running bot might see there, across silences. Reads the messages twice: once to survey them
(survey.py), once to write; at no time is more than one session with its reach in memory. Which
messages are wanted is filter.py's, which replies are learned selection.py's.
"""

import contextlib
import hashlib
import json
import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TextIO

from bot.persona import privacy
from bot.persona.faces import FaceCount
from bot.persona.manifest import write_atomically
from bot.persona.message import NOT_SPOKEN, Message, encoded
from bot.persona.prompt import Labels, PromptSpec, Turn, readable, to_turns
from config.errors import InputError
from config.settings import Dataset
from training import dataset_page, general, pseudonyms
from training.behaviour import Habits
from training.contacts import Contacts
from training.dataset_page import Page
from training.filter import Filter
from training.habits_report import when
from training.importers.source import Zone
from training.memories import Memories
from training.occasions import me
from training.report import show
from training.selection import Selection, Verdict
from training.sessions import DEFAULT
from training.split import Split, decide
from training.survey import Survey
from training.train_json import notebook_rows
from training.trained import TRAINED, Trained
from training.written import Written


@dataclass(slots=True)
class Counts:
    """What happened to the messages; everything dropped has a reason."""

    messages: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    not_learned: Counter[str] = field(default_factory=Counter)
    """Why a reply of mine that could be learned isn't."""
    personal_data: privacy.Found = field(default_factory=privacy.Found)


def main(knobs: Dataset) -> None:
    source = knobs.data / "messages.jsonl"
    if not source.is_file():
        raise InputError(f"{source} does not exist", hint="mybot import YOUR_EXPORT --me YOUR_QQ_NUMBER")
    wanted = Filter(knobs, Written.beside(knobs.history, knobs.data))
    gap = knobs.gap * 60 if knobs.gap is not None else None
    survey = Survey.of(wanted.messages(read_messages(source), Counter()), gap)
    wanted.check()
    spec = PromptSpec(
        me=knobs.name or _my_name(survey, source),
        silence=gap or DEFAULT,
        history_private=knobs.history_private,
        history_group=knobs.history_group,
        memory=knobs.memory,
        utc_offset=_offset(Zone(knobs.tz), survey.newest),
        privacy=knobs.privacy,
    )
    hidden: dict[str, int] = {}
    if knobs.pseudonyms:
        made_up, hidden = pseudonyms.learn(
            knobs.data, lambda: wanted.messages(read_messages(source), Counter()), spec.me
        )
        spec = spec.model_copy(update={"pseudonyms": made_up})
    maker = _Maker(knobs, spec, survey)
    counts = maker.counts
    with maker.memories, _pair(knobs.data) as (train, heldout):
        for row in maker.rows(wanted.messages(read_messages(source), counts.dropped)):
            _write(train if row["split"] == "train" else heldout, row)
        if not counts.targets["train"]:
            raise InputError("no reply of yours in the training part", hint="import more records, or check --me")
        if knobs.general is not None:
            share = knobs.general_share
            rows = round(counts.rows["train"] * share / (1 - share))
            for row in general.rows(knobs.general, rows, counts.dropped):
                _write(train, row)
                counts.rows["general"] += 1
    maker.trained.write(knobs.data / TRAINED)
    write_atomically(knobs.data / "prompt.json", spec.model_dump_json(indent=2) + "\n")
    behaviour = maker.habits.fit().model_copy(update={"face_ids": maker.faces.fit()})
    write_atomically(knobs.data / "behaviour.json", behaviour.model_dump_json(indent=2) + "\n")
    if knobs.train_json is not None:
        write_atomically(knobs.train_json, "".join(notebook_rows(knobs.data / "train.jsonl")))
    numbers = (
        _numbers(counts, survey, maker.split)
        | {"sessions_with_memories": maker.memories.rows, "of_these_with_a_summary": maker.memories.summaries}
        | ({"pseudonyms": hidden} if hidden else {})
        | {"when": when(maker.habits, behaviour)}
    )
    if maker.page is not None:
        page = knobs.data / "dataset.html"
        write_atomically(page, dataset_page.render(maker.page, numbers, counts.personal_data, spec))
        numbers["messages_seen_before_a_reply"] = maker.page.contexts.numbers()
        numbers["report"] = str(page)
    show("dataset", numbers, as_json=knobs.as_json)


def _numbers(counts: Counts, survey: Survey, split: Split) -> dict[str, Any]:
    gaps = sorted(gap / 60 for gap in survey.gaps.values())
    return {
        "messages": counts.messages,
        "sessions": dict(counts.rows),
        "minutes_of_silence_between": f"{gaps[len(gaps) // 2]:.0f} ({gaps[0]:.0f}–{gaps[-1]:.0f})",
        "replies_to_learn": dict(counts.targets),
        "replies_not_learned": dict(counts.not_learned) or 0,
        "dropped": dict(counts.dropped) or 0,
        "personal_data_replaced": dict(counts.personal_data.counts) or 0,
        "held_out_chats": len(split.chats),
    }


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


def turns_of(row: Mapping[str, Any]) -> list[Turn]:
    """The turns of a row."""
    return [Turn.from_row(turn) for turn in row["turns"]]


def _my_name(survey: Survey, source: Path) -> str:
    if not survey.names:
        raise InputError(f"nobody in {source} is you", hint="mybot import --me YOUR_QQ_NUMBER (or your name there)")
    return survey.names.most_common(1)[0][0]


def _offset(zone: Zone, time: int) -> int:
    """Seconds by which a zone's clock is ahead of UTC at that time."""
    offset = zone.local(time).utcoffset()
    return int(offset.total_seconds()) if offset else 0


class _Maker:
    """Makes the rows of all chats, one session at a time, and counts on the way."""

    def __init__(self, knobs: Dataset, spec: PromptSpec, survey: Survey) -> None:
        self._spec, self._survey, self._seed, self._privacy = spec, survey, knobs.seed, knobs.privacy
        self._short = knobs.short_contexts
        nothing = Split(float("inf"), float("inf"), 0.0, frozenset())
        self.split = nothing if knobs.refit else decide(survey.stretches, embargo=knobs.embargo_days * 86400)
        self.trained = Trained(refit=knobs.refit)
        self._selection = Selection(knobs, survey.repeats, survey.replies, survey.newest)
        self.counts = Counts()
        offset = Zone(knobs.tz).local(survey.newest).utcoffset()
        self.habits = Habits(me(survey.ids, survey.names, spec.me), int(offset.total_seconds()) if offset else 0)
        self.faces = FaceCount()
        self.page = Page(knobs, spec) if knobs.report else None
        self.memories = Memories(knobs, spec)

    def rows(self, messages: Iterator[Message]) -> Iterator[dict[str, Any]]:
        """`messages` must be those of the survey."""
        for chat, said in groupby(messages, key=lambda message: message.chat):
            labels: Labels = {}
            before: deque[Message] = deque()
            remaining = iter(said)
            self.memories.begin()
            quotable: deque[Message] = deque(maxlen=2000)
            for length in self._survey.sessions[chat]:
                session = list(islice(remaining, length))
                shown = [message for message in session if readable(message)]
                self._count(session, shown)
                if not shown:
                    continue
                if self._survey.replies[chat]:
                    # Where I only read along, nothing says when I speak.
                    self.habits.see(shown, self.split.of(chat, shown[0].time))
                self.faces.see(shown)
                quotable.extend(shown)
                if row := self._row(shown, before, quotable, labels):
                    yield row
                self.memories.see(shown)
                before.extend(shown)
                while len(before) > self._spec.history(shown[0].kind):
                    before.popleft()

    def _row(
        self, shown: list[Message], before: deque[Message], quotable: deque[Message], labels: Labels
    ) -> dict[str, Any] | None:
        """The session as a row; None where nothing of mine is to be learned or asked."""
        first = shown[0]
        part = self.split.of(first.chat, first.time)
        verdicts = self._selection.verdicts(shown) if part == "train" else {}
        context = self._context(shown, before)
        # What is held out is asked about whole: nothing is selected there.
        chosen = verdicts if part == "train" else {m.id: Verdict(True) for m in shown}
        name = first.chat_name or first.chat.rsplit(":", 1)[-1]
        # Memories stand first in a prompt: who speaks in them gets a label first.
        memory = self.memories.block(context, shown, chosen, labels, name)
        turns = to_turns(
            context + shown,
            self._spec,
            labels,
            learn=lambda message: chosen.get(message.id, Verdict(False)),
            quoted={message.id: message for message in quotable},
        )
        mine = sum(bubble.target for turn in turns for bubble in turn.bubbles)
        self.counts.not_learned.update(verdict.note for verdict in verdicts.values() if not verdict.learned)
        if part is None or not mine:
            self.counts.dropped["embargo" if mine else "nothing_of_mine_said"] += len(shown)
            return None
        self.counts.rows[part] += 1
        self.counts.targets[part] += mine
        if part == "train":
            # What stands before the session in its row is older, and of no test either.
            for message in shown:
                self.trained.add(message.chat, message.id, message.time)
        if self._privacy:
            for message in shown:
                privacy.scrub(message.text, self.counts.personal_data)
        made_up = self._spec.pseudonyms
        row = {
            "id": row_id(first),
            "chat": first.chat if made_up is None else f"{first.kind}:{made_up.digest(first.chat)}",
            "kind": first.kind,
            "name": name if made_up is None else made_up.place(first.kind, name),
            "split": part,
            "start": first.time,
            "turns": [turn.to_row() for turn in turns],
        }
        if memory:
            row["memory"] = memory
        if self.page is not None:
            self.page.see_row(row, turns)
            if part == "train":
                contexts = self.page.contexts
                contexts.see_row(turns, kind=row["kind"], name=row["name"], memory=memory)
                contexts.see_session(
                    before, shown, name, lambda messages, now: self.memories.recalled(messages, now, first.time)
                )
        return row

    def _context(self, shown: list[Message], before: deque[Message]) -> list[Message]:
        """What a bot would see before a session: all it reaches, or less where it is new to the chat."""
        draw = random.Random(f"{self._seed}:{shown[0].id}")
        reach = draw.randint(0, len(before))
        if draw.random() >= self._short:
            # The bot's prompts grow up to all it reaches, and lose a quarter then.
            reach = draw.randint(len(before) - len(before) // 4, len(before))
        return list(before)[len(before) - reach :]

    def _count(self, session: list[Message], shown: list[Message]) -> None:
        counts = self.counts
        counts.messages += len(session)
        counts.dropped.update("recalled" if "recalled" in m.flags else "system" for m in session if not readable(m))
        counts.dropped.update("empty" for m in shown if not m.text.strip())
        for message in shown:
            if message.mine and not message.spoken:
                counts.not_learned[next(flag for flag in message.flags if flag in NOT_SPOKEN)] += 1
        if self.page is not None:
            self.page.see_session(shown)


def _write(file: TextIO, row: dict[str, Any]) -> None:
    file.write(encoded(row) + "\n")


def row_id(first: Message) -> str:
    return hashlib.sha256(f"{first.chat}\n{first.id}".encode()).hexdigest()[:16]


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
