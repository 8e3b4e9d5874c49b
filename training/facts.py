"""`mybot facts`: what my records seem to say about me, shown with its sources; what I confirm goes to me.toml.

Nothing enters unconfirmed. Told at first is a fact only where it was said before: by default its audience is
the people and groups that have heard it. What was declined is not asked again; of it a hash is kept.
"""

import asyncio
import datetime as dt
import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from bot.persona.facts import Fact, Facts
from bot.persona.manifest import write_atomically
from bot.persona.message import Message
from bot.writing import open_writer
from config.errors import UsageError
from config.settings import Dataset, Facts as Knobs, load
from training.candidates import asked, stretches
from training.dataset import read_messages
from training.filter import Filter
from training.importers.source import Zone
from training.propose import Mention, Over, Proposal, mentions, merged, over
from training.report import show
from training.statements import Statement, key_of, told
from training.written import Written

DECLINED = "me.declined"
KEYS = "y 只对听过的人说（{heard}）/ a 谁都可以知道 / e 改写 / n 不要 / q 结束{advice}: "
"""What the owner may answer: yes to whom has heard it, anyone, edit, no, quit."""
OVER_KEYS = "从 {day} 起不再是这样？ y 是 / n 还是这样 / q 结束: "
NAMED = 4
"""Chats that heard it which are named."""


def main(knobs: Knobs) -> None:
    console = Console(highlight=False)
    wanted = load(Dataset, data=knobs.data)
    path = knobs.data / "me.toml"
    facts = Facts.load(path) if path.is_file() else Facts()
    declined = _declined(knobs.data)
    counts: Counter[str] = Counter()
    zone = Zone(wanted.tz)
    today = dt.datetime.now(dt.timezone.utc).date()
    with Console(stderr=True).status("reading what you said …"):
        said = list(mentions(_messages(knobs, wanted, counts), zone))
    read: Counter[str] = Counter()
    if knobs.engine or knobs.url:
        more, read = asyncio.run(_read(knobs, stretches(_messages(knobs, wanted, counts), knobs.stretches), zone))
        said += more
    over_by = _over(said, facts, declined, today)
    there = [(fact, told(fact.text)) for fact in facts.fact]
    found = [
        one
        for one in merged(said, knobs.least, today)
        if not any(_says(fact, known, one) for fact, known in there) and _hash(key_of(one.text)) not in declined
    ]
    if knobs.as_list:
        _listed(found, over_by, read, console, zone, knobs)
        return
    if (found or over_by) and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"{len(found) + len(over_by)} facts want to be confirmed, and there is no terminal",
            hint="mybot facts --list",
        )
    asks = _Asks(knobs.data, facts, declined, console, zone)
    # Whoever stops half-way, or closes the terminal, has lost nothing.
    with suppress(EOFError):
        asks.propose(found)
        asks.end(over_by)
    facts = asks.facts
    numbers = {"proposed": len(found), "confirmed": asks.kept, "ended": asks.ended, "in_me.toml": len(facts.fact)}
    show("facts", numbers | ({"engine": dict(read)} if read else {}), as_json=knobs.as_json)


def _messages(knobs: Knobs, wanted: Dataset, counts: Counter[str]) -> Iterator[Message]:
    source = knobs.data / "messages.jsonl"
    if not source.is_file():
        raise UsageError(f"{source} does not exist", hint="mybot import YOUR_EXPORT --me YOUR_QQ_NUMBER")
    return Filter(wanted, Written.beside(wanted.history, knobs.data)).messages(read_messages(source), counts)


async def _read(knobs: Knobs, found: list[list[Message]], zone: Zone) -> tuple[list[Mention], Counter[str]]:
    """What an engine reads out of the chats."""
    talker = await open_writer(knobs.url, knobs.persona)
    try:
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task("reading", total=len(found))
            return await asked(talker, found, zone, lambda: bar.advance(task))
    finally:
        await talker.close()


def _over(said: Sequence[Mention | Over], facts: Facts, declined: set[str], today: dt.date) -> list[tuple[Fact, Over]]:
    """What me.toml says and my records have ended since, each with the line that does."""
    going_on = [fact for fact in facts.fact if fact.kind != "never" and fact.until is None and fact.holds(today)]
    found = [(fact, line) for fact in going_on if (line := over(said, fact.text, fact.date)) is not None]
    return [(fact, line) for fact, line in found if _hash(_over_key(fact, line)) not in declined]


def _over_key(fact: Fact, line: Over) -> str:
    return f"{key_of(fact.text)} until {line.day}"


def _show_over(fact: Fact, line: Over, console: Console, zone: Zone) -> None:
    source = line.source
    where = source.chat_name or source.chat.rpartition(":")[2]
    console.print(f"[bold]{escape(fact.text)}[/bold]  [dim]in me.toml; seems to be over[/dim]")
    console.print(f"    {zone.local(source.time):%Y-%m-%d} {where}: {source.text}", markup=False)


def _listed(
    found: list[Proposal],
    over_by: list[tuple[Fact, Over]],
    read: Counter[str],
    console: Console,
    zone: Zone,
    knobs: Knobs,
) -> None:
    if knobs.as_json:
        engine = {"engine": dict(read)} if read else {}
        ended = [{"text": fact.text, "until": line.day.isoformat()} for fact, line in over_by]
        show("facts", {"facts": [_row(one) for one in found], "over": ended} | engine, as_json=True)
        return
    for one in found:
        _show(one, console, zone)
    for fact, line in over_by:
        _show_over(fact, line, console, zone)
    if read:
        console.print("engine: " + "  ".join(f"{name} {n}" for name, n in sorted(read.items())), markup=False)
    more = "" if knobs.least == 1 else "; --least 1 also shows what you said on one day only"
    console.print(f"{len(found)} facts; none is kept before you confirm it: mybot facts{more}", markup=False)


def _show(one: Proposal, console: Console, zone: Zone) -> None:
    reader = ", read by the engine" if one.read else ""
    count = f"{one.kind}, {one.mentions} × on {len(one.days)} days{reader}"
    console.print(f"[bold]{escape(one.text)}[/bold]  [dim]{count}[/dim]")
    for message in one.sources:
        where = one.names[message.chat]
        console.print(f"    {zone.local(message.time):%Y-%m-%d} {where}: {message.text}", markup=False)
    if one.before:
        console.print(f"    before that: {one.before}", markup=False)
    if one.until is not None:
        console.print(f"    over on {one.until}", markup=False)


def _row(one: Proposal) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "text": one.text,
        "mentions": one.mentions,
        "days": len(one.days),
        "chats": one.chats,
        "before": one.before,
        "read_by_the_engine": one.read,
        "until": one.until.isoformat() if one.until is not None else None,
        "audience": "anyone" if one.open else _heard(one),
    }


def _keys(one: Proposal) -> str:
    names = list(one.names.values())
    heard = "、".join(names[:NAMED]) + (f" 等 {len(names)} 处" if len(names) > NAMED else "")
    return KEYS.format(heard=heard, advice="；在好几处说过，建议 a" if one.open else "；建议 y")


class _Asks:
    """Asks the owner, and writes down each answer at once. EOFError where they have had enough."""

    def __init__(self, data: Path, facts: Facts, declined: set[str], console: Console, zone: Zone) -> None:
        self.facts = facts
        self.kept = self.ended = 0
        self._data, self._declined, self._console, self._zone = data, declined, console, zone

    def propose(self, found: Iterable[Proposal]) -> None:
        """What is to become a fact, in whatever words, and who may hear it."""
        for one in found:
            _show(one, self._console, self._zone)
            for known in self.facts.fact:
                if _ended(known, one) != known:
                    self._console.print(f"    ends what me.toml says: {known.text}", markup=False)
            text = one.text
            while (answer := self._answer(_keys(one), "yane")) == "e":
                text = self._console.input("怎么写: ").strip() or text
            if answer == "n" or text != one.text:
                # What was put in other words isn't asked again either.
                self._decline(key_of(one.text))
            if answer != "n":
                fact = _fact(one, text, anyone=answer == "a")
                self._write([*(_ended(known, one) for known in self.facts.fact), fact])
                self.kept += 1

    def end(self, found: Iterable[tuple[Fact, Over]]) -> None:
        """What me.toml says and seems to be over."""
        for fact, line in found:
            _show_over(fact, line, self._console, self._zone)
            if self._answer(OVER_KEYS.format(day=line.day), "yn") == "n":
                self._decline(_over_key(fact, line))
                continue
            over = fact.model_copy(update={"until": line.day})
            self._write([over if known == fact else known for known in self.facts.fact])
            self.ended += 1

    def _answer(self, question: str, keys: str) -> str:
        """One of these keys."""
        while (answer := self._console.input(escape(question)).strip().lower()) not in {*keys}:
            if answer == "q":
                raise EOFError
        return answer

    def _decline(self, key: str) -> None:
        self._declined.add(_hash(key))
        write_atomically(self._data / DECLINED, "".join(f"{line}\n" for line in sorted(self._declined)))

    def _write(self, facts: list[Fact]) -> None:
        self.facts = Facts(fact=facts)
        self.facts.write(self._data / "me.toml")


def _fact(one: Proposal, text: str, *, anyone: bool) -> Fact:
    audience = "anyone" if anyone else _heard(one)
    return Fact(text=text, kind=one.kind, date=one.since, audience=audience, until=one.until)


def _says(fact: Fact, known: Statement | None, one: Proposal) -> bool:
    """Whether a fact of me.toml says the same, `known` being what it tells; what I said again when it was over is new."""
    if fact.until is not None and fact.until.toordinal() <= max(one.days):
        return False
    return key_of(fact.text) == key_of(one.text) or (
        known is not None and (known.topic, known.value) == (one.topic, one.value)
    )


def _ended(fact: Fact, one: Proposal) -> Fact:
    """A fact of me.toml, ended on the day when something else was first said of what it is about."""
    known, day = told(fact.text), one.since
    if known is None or known.topic != one.topic or fact.until is not None or (fact.date or day) > day:
        return fact
    return fact.model_copy(update={"until": day})


def _heard(one: Proposal) -> list[str]:
    """Whom it was said to, as an audience."""
    return [chat.partition(":")[2].removeprefix("private:") for chat in one.chats]


def _declined(data: Path) -> set[str]:
    path = data / DECLINED
    return set(path.read_text(encoding="utf-8").split()) if path.is_file() else set()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:16]
