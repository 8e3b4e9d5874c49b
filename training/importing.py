"""`mybot import`: export files → data/messages.jsonl, added to what is there, with a report.

Knows whose records they are (given, or suggested and confirmed) and how progress is shown; the
formats are in training/importers, sorting and de-duplication in training/store.py.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bot.persona.manifest import write_atomically
from bot.persona.message import Message
from config.errors import InputError, UsageError
from config.settings import Import
from training.importers import importer_for
from training.importers.source import Notes, Zone, opened
from training.report import show
from training.store import ME, Store, opened_store

_EVERY = 2000
"""Messages between two movements of the progress line."""


def main(knobs: Import) -> None:
    if not knobs.exports:
        raise UsageError("no export named", hint="mybot import MY_EXPORT.txt --me MY_QQ_NUMBER")
    zone, notes = Zone(knobs.tz), Notes()
    files: dict[str, str] = {}
    with opened_store(knobs.data) as store:
        new = known = 0
        for path in knobs.exports:
            added = _read(path, knobs, zone, notes, store, files)
            new, known = new + added[0], known + added[1]
        me = _whose(knobs, notes, store)
        mine = store.write(me)
        write_atomically(knobs.data / ME, json.dumps(sorted(me), ensure_ascii=False) + "\n")
    _report(knobs, notes, files, {"new": new, "already_there": known, "mine": mine, "me": ", ".join(sorted(me))})


def _read(path: Path, knobs: Import, zone: Zone, notes: Notes, store: Store, files: dict[str, str]) -> tuple[int, int]:
    with opened(path) as source:
        name, importer = importer_for(source, knobs.format)
        files[str(path)] = name
        new, known = store.add(_shown(importer.read(source, notes, zone), f"{source.name} ({name})"))
        if not new + known:
            raise InputError(f"{path}: no message in it", hint="is it the right file? export the chat again")
        return new, known


def _shown(messages: Iterator[Message], title: str) -> Iterator[Message]:
    """The same messages, with a progress line on standard error."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    number = 0
    with Progress(*columns, TextColumn("{task.fields[rate]}"), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, rate="")
        for number, message in enumerate(messages, 1):
            if number % _EVERY == 0:
                elapsed = bar.tasks[task].elapsed or 1
                bar.update(task, completed=number, rate=f"{number / elapsed:,.0f}/s")
            yield message
        bar.update(task, completed=number)
    if not console.is_terminal:
        console.print(f"{title}: {number:,} messages", highlight=False)


def _whose(knobs: Import, notes: Notes, store: Store) -> set[str]:
    """The owner's ids and names: given, kept from an earlier import, or suggested and confirmed."""
    if knobs.me:
        return set(knobs.me)
    path = knobs.data / ME
    if path.is_file():
        return set(json.loads(path.read_bytes()))
    suggested = suggest(notes, store)
    people = store.people()
    if suggested is None:
        busiest = ", ".join(f"{name} ({sender})" for (sender, name), _ in people.most_common(10))
        raise InputError("who are you in these records?", hint=f"--me one of: {busiest}")
    if not knobs.yes and not _confirmed(suggested):
        raise InputError(
            f"you seem to be {', '.join(sorted(suggested))}", hint="--yes takes that, --me NUMBER says otherwise"
        )
    return suggested


def suggest(notes: Notes, store: Store) -> set[str] | None:
    """Who the owner seems to be; None when that isn't clear. Never by who speaks first."""
    if notes.owners:
        return set(notes.owners)
    spoken = store.chats_of()
    partners = store.partners()
    others = set(partners.values())
    everywhere = [key for key, chats in spoken.items() if key not in others and partners and set(partners) <= chats]
    if not everywhere:
        return None
    most = max(len(spoken[key]) for key in everywhere)
    best = [key for key in everywhere if len(spoken[key]) == most]
    if len(best) != 1:
        return None
    # The name that speaks in every private chat; in groups the same name goes with an id.
    ids = {sender for (sender, name), _ in store.people().items() if name == best[0]}
    return {best[0], *ids}


def _confirmed(suggested: set[str]) -> bool:
    if not sys.stdin.isatty():
        return False
    Console(stderr=True).print(f"You seem to be {', '.join(sorted(suggested))}. Right? [y/n] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes", "是", "对")


def _report(knobs: Import, notes: Notes, files: dict[str, str], numbers: dict[str, Any]) -> None:
    details: dict[str, Any] = {"messages": numbers, "formats": files}
    if notes.dropped or notes.damaged:
        details["not_taken"] = dict(notes.dropped) or 0
        details["taken_damaged"] = dict(notes.damaged) or 0
        details["where"] = {code: " ".join(places) for code, places in notes.places.items()}
    if notes.assumed_zone:
        details["clock"] = f"wall-clock times read as {knobs.tz}"
    for number, warning in enumerate(notes.warnings):
        details[f"warning_{number + 1}"] = warning
    show(f"import → {knobs.data / 'messages.jsonl'}", details, as_json=knobs.as_json)
