"""`mybot facts`: what my records seem to say about me, shown with its sources; what I confirm goes to me.toml.

Nothing enters unconfirmed. Told at first is a fact only where it was said before: by default its audience is
the people and groups that have heard it. What was declined is not asked again; of it a hash is kept.
"""

import asyncio
import datetime as dt
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
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
from training.propose import Mention, Proposal, mentions, merged
from training.report import show
from training.statements import Statement, key_of, told
from training.written import Written

DECLINED = "me.declined"
KEYS = "y 只对听过的人说（{heard}）/ a 谁都可以知道 / e 改写 / n 不要 / q 结束{advice}: "
"""What the owner may answer: yes to whom has heard it, anyone, edit, no, quit."""
NAMED = 4
"""Chats that heard it which are named."""

Ask = Callable[[str], str]


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
    there = [(fact, told(fact.text)) for fact in facts.fact]
    found = [
        one
        for one in merged(said, knobs.least, today)
        if not any(_says(fact, known, one) for fact, known in there) and _hash(key_of(one.text)) not in declined
    ]
    if knobs.as_list:
        _listed(found, read, console, zone, knobs)
        return
    if found and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"{len(found)} facts want to be confirmed, and there is no terminal", hint="mybot facts --list"
        )
    kept = 0
    for fact, one in _confirmed(found, facts, console, zone, console.input):
        if fact is None or fact.text != one.text:
            # What was put in other words isn't asked again either.
            declined.add(_hash(key_of(one.text)))
            write_atomically(knobs.data / DECLINED, "".join(f"{line}\n" for line in sorted(declined)))
        if fact is not None:
            # Each at once: whoever stops half-way has lost nothing.
            facts = Facts(fact=[*(_ended(known, one) for known in facts.fact), fact])
            facts.write(path)
            kept += 1
    numbers = {"proposed": len(found), "confirmed": kept, "in_me.toml": len(facts.fact)}
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


def _listed(found: list[Proposal], read: Counter[str], console: Console, zone: Zone, knobs: Knobs) -> None:
    if knobs.as_json:
        engine = {"engine": dict(read)} if read else {}
        show("facts", {"facts": [_row(one) for one in found]} | engine, as_json=True)
        return
    for one in found:
        _show(one, console, zone)
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


def _confirmed(
    found: list[Proposal], facts: Facts, console: Console, zone: Zone, ask: Ask
) -> Iterator[tuple[Fact | None, Proposal]]:
    """What the owner says to each; None: declined. Ends where the owner does."""
    for one in found:
        _show(one, console, zone)
        for known in facts.fact:
            if _ended(known, one) != known:
                console.print(f"    ends what me.toml says: {known.text}", markup=False)
        text = one.text
        while True:
            try:
                answer = ask(escape(_keys(one))).strip().lower()
            except EOFError:
                return
            if answer == "e":
                text = ask("怎么写: ").strip() or text
            elif answer in ("y", "a"):
                yield _fact(one, text, anyone=answer == "a"), one
                break
            elif answer == "n":
                yield None, one
                break
            elif answer == "q":
                return


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
