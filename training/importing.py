"""`mybot import`: chat exports → data/messages.jsonl, adding to what is there.

    exports ─ sniff, read ─▶ sorted runs ─ who is me? ─▶ merge ─▶ data/messages.jsonl, data/me.json

Knows the order of things and what to tell; formats are in importers/, the file in store.py, the
question who the owner is in owner.py. Nothing is written before all of it is known.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.prompt import Confirm

from config.errors import InputError, UsageError
from config.settings import Import
from training import listing
from training.contacts import Contacts, People
from training.importers import Importer, importer_for
from training.importers.places import Elsewhere, Ignored, Place, places
from training.importers.source import Notes, Source, Zone
from training.listing import Spans
from training.owner import Owner, Tally, remember, remembered, resolve, suggest
from training.report import show
from training.store import Merged, Row, Store

_STEP = 2000
"""Messages between two looks at the clock."""

_SILENCE = 5.0
"""Seconds between two lines where there is no terminal."""


Planned = tuple[Place | Elsewhere, str, Importer]
"""An export, and the name of its format with the module that reads it."""


@dataclass(slots=True)
class Read:
    """What was read from the exports."""

    ignored: Ignored = field(default_factory=Ignored)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    tally: Tally = field(default_factory=Tally)
    day: str = ""
    """The day of text that names none, as the user told it."""
    consent: Sequence[str] = ()
    """Chats of the bot's history whose people agreed, as the user told it."""

    @property
    def messages(self) -> int:
        return sum(file["messages"] for file in self.files.values())


def main(knobs: Import) -> None:
    try:
        run(knobs)
    except OSError as error:
        what = error.strerror or type(error).__name__
        hint = "is the disk full, or the file on a drive that was taken out?"
        raise InputError(f"{error.filename or knobs.data}: {what}", hint=hint) from error


def run(knobs: Import) -> None:
    """The whole command."""
    zone = Zone(knobs.tz)
    if knobs.contacts or knobs.join or knobs.part:
        _contacts(knobs)
        return
    read = Read(day=f"{knobs.date:%Y-%m-%d}" if knobs.date else "", consent=knobs.consent)
    plan = _plan(knobs, read.ignored)
    console = Console(stderr=True)
    if knobs.as_list:
        _list(knobs, plan, read, zone, console)
        return
    with Store(knobs.data) as store:
        for planned in plan:
            _read(planned, store, read, zone, console)
        everybody = _with_stored(store, read.tally)
        new = read.tally if plan else everybody
        me, owner = _decide(knobs, everybody, new, read.notes)
        with _meter(console, "writing", None) as tick:
            merged = store.merge(lambda row: _is_mine(row, owner), tick)
        remember(knobs.data, me)
    show("import", _report(knobs, read, merged, me, _silent(owner, new)), as_json=knobs.as_json)


def _list(knobs: Import, plan: list[Planned], read: Read, zone: Zone, console: Console) -> None:
    """What is in the exports; nothing is written."""
    spans = Spans()
    for planned in plan:
        _read(planned, spans, read, zone, console)
    owners = set(knobs.me) or set(suggest(read.tally, read.notes.owners))
    rows = listing.chats(spans, read.tally, owners, zone)
    listing.show_chats(rows, owners, read.tally, as_json=knobs.as_json)


def _contacts(knobs: Import) -> None:
    """Who is who in what was imported; joins and parts are kept for the dataset."""
    path = knobs.data / "messages.jsonl"
    if not path.is_file():
        raise InputError(f"{path} does not exist", hint="mybot import YOUR_EXPORT --me YOUR_QQ_NUMBER")
    people, contacts = People.read(path), Contacts.load(knobs.data)
    if knobs.join or knobs.part:
        contacts.change(knobs.join, knobs.part, people)
        contacts.save(knobs.data)
    listing.show_people(listing.people(people, contacts), as_json=knobs.as_json)


def _plan(knobs: Import, ignored: Ignored) -> list[Planned]:
    """Every export with its format, before anything is read or written."""
    if not (knobs.exports or knobs.history) and not (knobs.me and (knobs.data / "messages.jsonl").is_file()):
        raise UsageError("no export to import", hint="mybot import YOUR_EXPORT.txt --me YOUR_QQ_NUMBER")
    plan: list[Planned] = []
    for path in knobs.exports:
        found = [planned for place in places(path, ignored) if (planned := _recognised(place, knobs.format, ignored))]
        if not found:
            raise InputError(f"no chat in {path}", hint=f"found {ignored}; unpack archives by hand, name single files")
        plan += found
    if knobs.history:
        plan.append((Elsewhere(knobs.history), *importer_for(Source("", BytesIO(), b"", 0), "mybot_history")))
    return plan


def _recognised(place: Place, forced: str, ignored: Ignored) -> Planned | None:
    """A place with its format. What merely lies in a folder may be no chat; what the user named must be one."""
    try:
        with place.open() as source:
            return (place, *importer_for(source, forced))
    except InputError:
        if place.named:
            raise
        ignored.add("not_a_chat", place.name)
        return None


def _read(planned: Planned, store: Store | Spans, read: Read, zone: Zone, console: Console) -> None:
    """One export into the store's runs."""
    place, name, importer = planned
    try:
        with place.open() as source:
            source.day, source.consent = read.day, read.consent
            _read_source(source, name, importer, store, read, zone, console)
    except InputError as error:
        if place.named:
            raise
        # One bad file of a folder is told of; it doesn't stop the others.
        read.notes.warnings.append(str(error))


def _read_source(
    source: Source, name: str, importer: Importer, store: Store | Spans, read: Read, zone: Zone, console: Console
) -> None:
    messages = 0
    with _meter(console, source.name, source.size) as tick:
        for message in importer.read(source, read.notes, zone):
            store.add(message)
            read.tally.count(message.chat, message.kind, message.chat_name, message.sender, message.name, message.flags)
            messages += 1
            if messages % _STEP == 0:
                tick(messages, source.file.tell())
        tick(messages, source.size)
    if not messages:
        raise InputError(f"{source.name}: no messages in it", hint=f"read as {name}; --format NAME forces another")
    known = read.files.setdefault(source.name, {"format": name, "messages": 0})
    known["messages"] += messages


def _with_stored(store: Store, new: Tally) -> Tally:
    """The speakers of what is there already and of the exports."""
    everybody = Tally()
    for row in store.rows():
        name = row.get("chat_name", "")
        everybody.count(row["chat"], row["kind"], name, row["sender"], row["name"], row.get("flags", ()))
    everybody.add(new)
    return everybody


def _decide(knobs: Import, everybody: Tally, new: Tally, notes: Notes) -> tuple[list[str], Owner]:
    """Who the owner is: as said, as before, or as suggested and confirmed."""
    if knobs.me:
        owner = resolve(knobs.me, everybody)
        if not _speaks(owner, new):
            raise InputError(f"nobody is called {' or '.join(knobs.me)} in it", hint=f"the busiest: {new.busiest()}")
        notes.warnings += [f"nobody is called {entry}" for entry in owner.unmatched]
        return knobs.me, owner
    before = remembered(knobs.data)
    owner = resolve(before, everybody)
    if before and _speaks(owner, new):
        return before, owner
    suggested = suggest(new, notes.owners)
    if not suggested:
        hint = "say who you are: --me NUMBER_OR_NAME; if both sides have one name, only an mht export tells them apart"
        raise InputError(f"not clear who you are; the busiest: {new.busiest()}", hint=hint)
    _confirm(suggested, new, yes=knobs.yes)
    me = list(dict.fromkeys([*before, *suggested]))
    return me, resolve(me, everybody)


def _confirm(suggested: list[str], tally: Tally, *, yes: bool) -> None:
    """Ask on a terminal whether the suggestion is right; elsewhere it must have been accepted with --yes."""
    if yes:
        return
    name = " and ".join(suggested)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        hint = f"add --yes if you are {name}, else say who: --me NUMBER_OR_NAME"
        raise InputError(f"not told who you are; the busiest: {tally.busiest()}", hint=hint)
    try:
        right = Confirm.ask(f"Are you {escape(name)}?", console=Console(stderr=True))
    except EOFError:
        right = False
    if not right:
        raise InputError(f"you are not {name}; the busiest: {tally.busiest()}", hint="say who: --me NUMBER_OR_NAME")


def _speaks(owner: Owner, tally: Tally) -> bool:
    return any(owner.is_me(sender) for sender, _ in tally.people())


def _is_mine(row: Row, owner: Owner) -> bool:
    return owner.is_me(row["sender"]) and "system" not in row.get("flags", ())


def _silent(owner: Owner, tally: Tally) -> list[str]:
    """Chats of the exports in which the owner says nothing: perhaps under another name."""
    return [
        f"no message of yours in {chat}: another name of yours? add it with --me"
        for chat, known in tally.chats.items()
        if known.speakers and not any(owner.is_me(sender) for sender, _ in known.speakers)
    ]


@contextmanager
def _meter(console: Console, what: str, size: int | None) -> Iterator[Callable[..., None]]:
    """Shows how many messages are done and how fast: a bar on a terminal, plain lines elsewhere."""
    begun = spoken = time.monotonic()
    done = 0
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[messages]:,} messages, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(escape(what), total=size, messages=0, rate=0.0)

        def tick(messages: int, position: int | None = None) -> None:
            nonlocal spoken, done
            done, now = messages, time.monotonic()
            rate = messages / max(now - begun, 1e-3)
            if console.is_terminal:
                bar.update(task, completed=position, messages=messages, rate=rate)
            elif now - spoken >= _SILENCE:
                spoken = now
                console.print(f"{what}: {messages:,} messages, {rate:,.0f}/s", highlight=False, markup=False)

        yield tick
    seconds = time.monotonic() - begun
    console.print(f"{what}: {done:,} messages in {seconds:.1f} s", highlight=False, markup=False)


def _report(knobs: Import, read: Read, merged: Merged, me: list[str], silent: list[str]) -> dict[str, Any]:
    """What was read, kept and dropped, and why; lines by number, never by their text."""
    notes = read.notes
    warnings = notes.warnings + silent
    numbers: dict[str, Any] = {
        "files": read.files,
        "read": read.messages,
        "added": merged.added,
        "duplicates": merged.duplicates,
        "total": merged.total,
        "mine": merged.mine,
        "me": me,
        "chats": len(read.tally.chats),
        "dropped": {code: {"count": n, "places": notes.places[code]} for code, n in notes.dropped.items()},
        "damaged": {code: {"count": n, "places": notes.places[code]} for code, n in notes.damaged.items()},
        "ignored": {
            reason: {"count": len(names), "places": names[:20]} for reason, names in read.ignored.files.items()
        },
        "zone": f"{knobs.tz} for times without a zone" if notes.assumed_zone else "as in the exports",
        "warnings": warnings,
    }
    if knobs.as_json:
        return numbers
    for what in ("dropped", "damaged", "ignored"):
        numbers[what] = {
            code: f"{n['count']:,}: {', '.join(n['places'][:5])}" for code, n in numbers[what].items()
        } or 0
    numbers["files"] = {name: f"{file['messages']:,} ({file['format']})" for name, file in read.files.items()} or 0
    numbers["me"] = ", ".join(me)
    numbers["warnings"] = {str(place): text for place, text in enumerate(warnings[:10], 1)} or 0
    return numbers
