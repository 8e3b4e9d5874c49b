"""The records as the evaluation sees them: what was said in the test part, and what stood before.

    messages.jsonl ─sessions as the dataset cut them─▶ replies of mine and of others, by part
                                                      ▶ moments: where I answered somebody in the test part

Refuses what the persona has seen. Goes once through the messages; keeps texts in memory only.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path

from bot.persona.message import PLACEHOLDERS, Message
from bot.persona.prompt import Bubble, Labels, PromptSpec, Turn, label_of, readable, to_turns, without_media
from bot.persona.pseudonyms import Hidden
from config.errors import InputError
from config.settings import Dataset, load
from training.dataset import read_messages, read_rows, row_id
from training.evaluate.figures import Draws
from training.evaluate.sample import ME, Moment, Part, Reply, Sample, short
from training.filter import Filter
from training.importers.source import Zone
from training.trained import Trained, hashed
from training.written import Written

TESTED: tuple[Part, ...] = ("test", "test_chat")
AROUND = 45 * 86400
"""Seconds on each side of the border of training and dev: what was said there is alike but for having been learned."""
QUOTABLE = 2000
"""Messages of a chat back to which a quote is found."""


class Contaminated(InputError):
    """The persona has seen what it would be tested on."""


@dataclass(slots=True)
class Records:
    """Everything there is, before a sample is drawn."""

    moments: list[Moment] = field(default_factory=list)
    """Of the test parts, all of them."""
    mine: list[Reply] = field(default_factory=list)
    others: dict[str, list[Reply]] = field(default_factory=dict)
    members: list[Moment] = field(default_factory=list)
    """Whole sessions of the training part and of dev, each a moment, from the weeks on both sides of their border."""
    seen: Counter[int] = field(default_factory=Counter)
    """Test messages that a persona was trained on, by the place of its list."""
    theirs: list[Moment] = field(default_factory=list)
    """What somebody else said in the test part, as if it were to be said by me."""
    known: int = 0
    """UTC seconds until which a persona that was refit knows everything; 0 where none was."""


def collect(data: Path, spec: PromptSpec, trained: Sequence[Trained]) -> Records:
    """All that was said; test sessions that one of the lists holds are no moments, and counted.

    The first list is that of the persona which is looked at.
    """
    rows = _rows(data)
    knobs = load(Dataset, data=data)
    wanted = Filter(knobs, Written.beside(knobs.history, data)).messages(
        read_messages(data / "messages.jsonl"), Counter()
    )
    records = Records(known=max((one.newest for one in trained if one.refit), default=0))
    border = min((end for part, end in rows.values() if part == "dev"), default=0)
    for _, said in groupby(wanted, key=lambda message: message.chat):
        _Chat(spec, records, trained, border).see([message for message in said if readable(message)], rows)
    records.mine.sort(key=_order)
    for moments in (records.moments, records.theirs, records.members):
        moments.sort(key=lambda moment: _order(moment.mine))
    for replies in records.others.values():
        replies.sort(key=_order)
    return records


def check(records: Records, trained: Trained) -> None:
    """Raise Contaminated where the persona of the first list has seen the test part, and wasn't refit on all there was."""
    if records.seen[0] and not trained.refit:
        raise Contaminated(
            f"the persona was trained on {records.seen[0]} of the messages it would be tested on",
            hint="test it with the dataset it was trained with, or import newer records; a refit persona needs newer ones",
        )


def draw_sample(records: Records, wanted: int, draws: Draws, tz: str, contexts: int = 0) -> tuple[Sample, list[Moment]]:
    """So many moments of the test part, a fair draw, and where it has fewer, of the chats that were held out whole.

    What is left of both gives the further ones, as many as make `contexts` with the moments. The second value is
    a draw of the chats held out whole alone, for what is told of them apart. InputError where there is nothing.
    """
    if not records.moments:
        raise InputError(
            "there is no reply of yours to test with that the persona has not seen",
            hint="import newer records and run `mybot dataset`",
        )
    test, apart = (_shuffled(records.moments, part, draws) for part in TESTED)
    beside = max(0, wanted - len(test))
    chosen, left = [*test[:wanted], *apart[:beside]], [*test[wanted:], *apart[beside:]]
    moments, further = (
        sorted(some, key=lambda moment: _order(moment.mine)) for some in (chosen, left[: max(0, contexts - wanted)])
    )
    sample = Sample(moments, records.mine, dict(sorted(records.others.items())), -Zone(tz).utc(0), further=further)
    return sample, apart[:wanted]


def _shuffled(moments: Sequence[Moment], part: Part, draws: Draws) -> list[Moment]:
    there = [moment for moment in moments if moment.mine.part == part]
    return [there[place] for place in draws.rng(f"sample {part}").permutation(len(there))]


def digest(moments: Iterable[Moment]) -> str:
    """What names a set of moments in private files."""
    told = json.dumps([[moment.id, moment.mine.bubbles] for moment in moments], ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:12]


def _order(reply: Reply) -> tuple[int, str, str]:
    return reply.time, reply.chat, reply.session


def _rows(data: Path) -> dict[str, tuple[Part, int]]:
    """Id of a row → its part, and when its last bubble was said."""
    found: dict[str, tuple[Part, int]] = {}
    for name in ("train.jsonl", "heldout.jsonl"):
        for row in read_rows(data / name):
            last = max((b["time"] for turn in row["turns"] for b in turn["bubbles"]), default=0)
            found[row["id"]] = row["split"], last
    return found


@dataclass(slots=True)
class _Chat:
    """One chat, from its first message to its last."""

    spec: PromptSpec
    records: Records
    trained: Sequence[Trained]
    border: int
    """UTC seconds where dev begins."""
    labels: Labels = field(default_factory=dict)
    hidden: Hidden = field(init=False)

    def __post_init__(self) -> None:
        self.hidden = Hidden(self.spec.pseudonyms, ())

    def see(self, shown: list[Message], rows: dict[str, tuple[Part, int]]) -> None:
        before: deque[Message] = deque(maxlen=QUOTABLE)
        for part, session in _sessions(shown, rows, self.spec.silence):
            new, last = part in TESTED and self._is_new(session), None
            for begin, burst in _bursts(session):
                reply = _reply(session, begin, burst, part)
                if burst[0].kind == "group" and not burst[0].mine:
                    label_of(self.labels, burst[0].sender, self.hidden.speaker(burst[0]), self.spec.me)
                if reply is not None:
                    answers = begin > 0 and not (burst[0].mine and session[begin - 1].mine)
                    place = self._place(reply, new) if answers else None
                    if place is not None:
                        place.append(self._moment([*before, *session[:begin]], burst, reply))
                    mine = self.records.mine if reply.author == ME else None
                    (self.records.others.setdefault(reply.author, []) if mine is None else mine).append(reply)
                    last = reply if mine is not None else last
            if last is not None and abs(last.time - self.border) < AROUND and self._is_member(session, part):
                self.records.members.append(self._whole(session, last))
            before.extend(session)

    def _place(self, reply: Reply, new: bool) -> list[Moment] | None:
        """Where a moment of this reply belongs; None where it is of no use."""
        if not new:
            return None
        if reply.author == ME:
            return self.records.moments
        return self.records.theirs if reply.part == "test" else None

    def _whole(self, session: Sequence[Message], last: Reply) -> Moment:
        """A session by itself up to my last words, all that I said in it to be scored."""
        turns = to_turns(session, self.spec, self.labels, learn=lambda message: (True, ""))
        end = max(place for place, turn in enumerate(turns) if turn.role == "assistant")
        first = session[0]
        return Moment(
            id=short(f"{first.chat}\n{first.id}\nwhole"),
            turns=tuple(turns[:end]),
            messages=(),
            mine=last,
            name=_place_name(first),
            labels=dict(self.labels),
            answer=turns[end],
        )

    def _is_member(self, session: Sequence[Message], part: Part) -> bool:
        """Whether the persona learned a session of train, or not one of dev: another split's is of neither kind."""
        if part not in ("train", "dev") or not self.trained:
            return False
        learned = [hashed(message.chat, message.id) in self.trained[0].ids for message in session]
        return all(learned) if part == "train" else not any(learned)

    def _is_new(self, session: Sequence[Message]) -> bool:
        """Whether no persona has seen anything of a session, which is counted where one has."""
        ids = {hashed(message.chat, message.id) for message in session}
        seen = [len(ids & trained.ids) for trained in self.trained]
        self.records.seen.update(dict(enumerate(seen)))
        return not any(seen) and session[0].time > self.records.known

    def _moment(self, before: Sequence[Message], burst: Sequence[Message], reply: Reply) -> Moment:
        first = burst[0]
        reach = tuple(before[-self.spec.history(first.kind) :])
        wanted = {message.reply_to for message in (*reach, first)}
        quoted = {message.id: message for message in before if message.id in wanted}
        turns = to_turns(reach, self.spec, self.labels, now=first.time, answering=first.reply_to, quoted=quoted)
        said = to_turns(burst, self.spec, self.labels)
        bubbles = [Bubble(bubble.text, target=True) for turn in said for bubble in turn.bubbles if not bubble.mark]
        return Moment(
            id=short(f"{first.chat}\n{first.id}"),
            turns=tuple(turns),
            messages=reach,
            mine=reply,
            name=_place_name(first),
            labels=dict(self.labels),
            answering=first.reply_to,
            quoted=quoted,
            answer=Turn("assistant", bubbles),
        )


def _place_name(message: Message) -> str:
    """The partner or the group as the prompt names it."""
    return message.chat_name or message.chat.rsplit(":", 1)[-1]


def _sessions(
    shown: Sequence[Message], rows: dict[str, tuple[Part, int]], silence: float
) -> Iterator[tuple[Part, list[Message]]]:
    """The sessions of a chat as the dataset cut them; what lies in no row is cut at silences and has no part."""
    session: list[Message] = []
    part: Part = ""
    until = -1
    for message in shown:
        row = rows.get(row_id(message))
        over = message.time > until if part else bool(session) and message.time - session[-1].time >= silence
        if row is not None or over:
            if session:
                yield part, session
            session = []
            part, until = row if row is not None else ("", -1)
        session.append(message)
    if session:
        yield part, session


def _bursts(session: Sequence[Message]) -> Iterator[tuple[int, list[Message]]]:
    """Neighbouring messages of one sender, and where in the session they begin."""
    begin = 0
    for _, group in groupby(session, key=lambda message: ME if message.mine else message.sender):
        burst = list(group)
        yield begin, burst
        begin += len(burst)


def _reply(session: Sequence[Message], begin: int, burst: Sequence[Message], part: Part) -> Reply | None:
    """What was said in a burst in somebody's own words; None where nothing was."""
    spoken = [message for message in burst if message.spoken]
    said = [(message, without_media(message.text)) for message in spoken]
    said = [(message, text) for message, text in said if text]
    if not said:
        return None
    first = said[0][0]
    exact = all(message.precision == "s" for message in burst)
    before = session[begin - 1] if begin else None
    segments = [segment for message in spoken for segment in message.segments]
    return Reply(
        bubbles=tuple(text for _, text in said),
        session=row_id(session[0]),
        chat=short(first.chat),
        kind=first.kind,
        time=burst[0].time,
        part=part,
        author=ME if first.mine else short(first.sender),
        delay=float(burst[0].time - before.time) if before is not None and exact and before.precision == "s" else None,
        gaps=tuple(float(b.time - a.time) for (a, _), (b, _) in pairwise(said)) if exact else (),
        media=tuple(segment.type for segment in segments if segment.type in PLACEHOLDERS),
        ats=sum(segment.type == "at" for segment in segments),
        quotes=any(message.reply_to for message in spoken),
        asked=_asked(session, begin),
    )


def _asked(session: Sequence[Message], begin: int) -> str:
    """What the one who spoke before a burst said in one go."""
    texts: list[str] = []
    for message in reversed(session[:begin]):
        if message.sender != session[begin - 1].sender or message.mine != session[begin - 1].mine:
            break
        texts.append(message.text)
    return "\n".join(reversed(texts))
