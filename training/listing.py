"""`mybot import --list` and `--contacts`: what is in the exports, and who is who, before anything is changed."""

import json
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.persona.message import Message
from training.contacts import Contacts, People
from training.importers.source import Zone
from training.owner import Tally

SHOWN = 40
"""People of one list; the busiest come first."""


@dataclass(slots=True)
class Span:
    """Messages of one chat, and the UTC seconds of its first and last."""

    messages: int
    first: int
    last: int


@dataclass(slots=True)
class Spans:
    """Takes messages as the store does, and keeps only how many there are and when."""

    chats: dict[str, Span] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        span = self.chats.get(message.chat)
        if span is None:
            self.chats[message.chat] = Span(1, message.time, message.time)
            return
        span.messages += 1
        span.first, span.last = min(span.first, message.time), max(span.last, message.time)


def chats(spans: Spans, tally: Tally, owners: set[str], zone: Zone) -> list[dict[str, Any]]:
    """One row a chat, the busiest first."""
    rows: list[dict[str, Any]] = []
    for key, span in sorted(spans.chats.items(), key=lambda item: -item[1].messages):
        known = tally.chats[key]
        speakers = {sender for sender, _ in known.speakers}
        rows.append(
            {
                "chat": key,
                "name": known.name,
                "kind": known.kind,
                "people": len(speakers),
                "messages": span.messages,
                "first": _day(span.first, zone),
                "last": _day(span.last, zone),
                "yours": sum(n for (sender, name), n in known.speakers.items() if {sender, name} & owners),
            }
        )
    return rows


def show_chats(rows: list[dict[str, Any]], owners: set[str], tally: Tally, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"chats": rows, "owner": sorted(owners)}, ensure_ascii=False) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, side in (
        ("chat", "left"),
        ("name", "left"),
        ("people", "right"),
        ("messages", "right"),
        ("yours", "right"),
    ):
        table.add_column(title, justify=side, overflow="fold")  # pyright: ignore[reportArgumentType]
    table.add_column("from – to", no_wrap=True)
    for row in rows:
        mine = f"{row['yours']:,}" if row["yours"] else "-"
        span = f"{row['first']} – {row['last']}"
        table.add_row(
            escape(row["chat"]), escape(row["name"]), f"{row['people']:,}", f"{row['messages']:,}", mine, span
        )
    console = Console(highlight=False)
    console.print(table)
    who = ", ".join(sorted(owners)) if owners else f"not clear; the busiest: {tally.busiest(5)}"
    console.print(f"\nyou: {escape(who)}\nnothing was imported", soft_wrap=True)


def people(found: People, contacts: Contacts) -> dict[str, Any]:
    """Who is who: accounts with their names, names without an account, joins and suggestions."""
    accounts = sorted(found.names.items(), key=lambda item: -item[1].total())
    joined: dict[str, list[str]] = {}
    for name, account in contacts.joins.items():
        joined.setdefault(account, []).append(name)
    return {
        "accounts": [
            {
                "account": account,
                "names": [name for name, _ in names.most_common(4)],
                "messages": names.total(),
                "chats": len(found.chats[account]),
                "joined": joined.get(account, []),
            }
            for account, names in accounts[:SHOWN]
        ],
        "without_account": [
            {"name": name, "messages": n, "chats": len(found.chats[name])}
            for name, n in found.bare.most_common(SHOWN)
            if name not in contacts.joins
        ],
        "suggestions": [
            {"name": name, "account": account, "why": why} for name, account, why in found.suggestions(contacts)
        ],
    }


def show_people(who: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(who, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    table = Table("account", "names", "messages", "chats", "joined", box=None, pad_edge=False, header_style="dim")
    for row in who["accounts"]:
        names, joined = (escape(", ".join(row[part])) for part in ("names", "joined"))
        table.add_row(row["account"], names, f"{row['messages']:,}", str(row["chats"]), joined)
    for row in who["without_account"]:
        table.add_row("[dim]none[/dim]", escape(row["name"]), f"{row['messages']:,}", str(row["chats"]), "")
    console.print(table)
    for row in who["suggestions"]:
        line = f"{row['name']} is {row['account']}? {row['why']}: mybot import --join {row['name']}={row['account']}"
        console.print(escape(line), soft_wrap=True)


def _day(seconds: int, zone: Zone) -> str:
    if zone.fixed is not None:
        return datetime.fromtimestamp(seconds, timezone(timedelta(seconds=zone.fixed))).strftime("%Y-%m-%d")
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d")
