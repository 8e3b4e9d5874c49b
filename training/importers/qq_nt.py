"""QQ's own database (QQNT, nt_msg.db), already decrypted by its owner; opened for reading only.

Columns have numbers for names: 40001 id, 40003 number in the chat, 40013 whose it is, 40020 the
sender's uid, 40021 the chat, 40027/40030 its account, 40033 the sender's, 40050 seconds, 40090 the
card, 40800 the body (Protocol Buffers), 40850 the quoted number. Names of friends and groups lie in
profile_info.db and group_info.db beside it, where they were decrypted too.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bot.persona.message import Kind, Message
from config.errors import InputError
from training.importers.qq_nt_body import Body, body_of
from training.importers.source import Notes, Source, Zone

TABLES: tuple[tuple[str, Kind], ...] = (("c2c_msg_table", "private"), ("group_msg_table", "group"))
SYSTEM = ("10000", "系统消息")
COLUMNS = ("40001", "40003", "40013", "40020", "40021", "40027", "40030", "40033", "40050", "40090", "40800", "40850")

_MAGIC = b"SQLite format 3\x00"
_PREFIX = 1024
_REMEMBERED = 20_000
_MINE, _FORWARDED = (1, 2), 8
_LATEST = 1 << 36


def sniff(source: Source) -> float:
    """Sure with its tables; also sure of one that is still encrypted, to say so."""
    if source.head.startswith(_MAGIC):
        return 0.98 if any(name.encode() in source.head for name, _ in TABLES) else 0.0
    return 0.9 if _has_prefix(source) else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:  # noqa: ARG001
    """The messages of both tables by time; times are UTC already."""
    if _has_prefix(source):
        hint = "decrypt it first with your own key: mybot never asks for one; its first 1,024 bytes must go, too"
        raise InputError(f"{source.name} is QQ's database as QQ keeps it", hint=hint)
    names = _Names(source, notes)
    try:
        with closing(_opened(source.path)) as database:
            names.accounts |= _pairs(database, "nt_uid_mapping_table", "48902", "1002", notes)
            for table, kind in TABLES:
                reader = _Reader(source, notes, names, kind)
                for number, row in enumerate(_rows(database, table), 1):
                    message = reader.message(row, number)
                    if message is not None:
                        yield message
    except sqlite3.DatabaseError as error:
        # What was read before is kept; the rest can't be reached.
        notes.drop("damaged_database", source, 0, str(error))
        notes.warnings.append(f"{source.name}: {error}; sqlite3 {source.name} .recover may save the rest")


class _Names:
    """Who is behind a uid, and what groups are called, as far as the files beside say."""

    def __init__(self, source: Source, notes: Notes) -> None:
        self.accounts: dict[str, str] = {}
        self.nicks: dict[str, str] = {}
        self.groups: dict[str, str] = {}
        for name, table, wanted in (
            ("profile_info.db", "profile_info_v6", [("1002", "20002"), ("1002", "20009")]),
            ("group_info.db", "group_list", [("60001", "60007")]),
        ):
            place = source.beside(name)
            if place is None:
                continue
            target = self.groups if table == "group_list" else self.nicks
            try:
                with place.open() as side, closing(_opened(side.path)) as database:
                    for key, value in wanted:
                        # A nick is what a person is called; a remark only where there is none.
                        target |= _pairs(database, table, key, value, notes) | target
                    if table == "profile_info_v6":
                        self.accounts |= _pairs(database, table, "1000", "1002", notes)
            except sqlite3.DatabaseError as error:
                notes.warnings.append(f"{name}: {error}; names may be missing")


class _Reader:
    """Builds the messages of one table."""

    def __init__(self, source: Source, notes: Notes, names: _Names, kind: Kind) -> None:
        self._source, self._notes, self._names = source, notes, names
        self._kind: Kind = kind
        self._ids: OrderedDict[tuple[str, int], str] = OrderedDict()

    def message(self, row: dict[str, Any], number: int) -> Message | None:
        """A row as a message; None, and a note, if it is none."""
        time, own = row["40050"], row["40001"]
        if not isinstance(time, int) or not 0 < time < _LATEST:
            self._notes.drop("bad_time", self._source, number, str(time))
            return None
        raw = row["40800"]
        body = body_of(raw if isinstance(raw, bytes) else b"")
        if body is None or own is None:
            self._notes.drop("not_a_message", self._source, number, raw if isinstance(raw, bytes) else b"")
            return None
        if any(segment.type == "unknown" for segment in body.segments):
            self._notes.damage("unknown_element", self._source, number)
        peer = self._peer(row)
        chat = f"qq:{self._kind}:{peer}"
        sender, name = self._who(row, body)
        if row["40013"] in _MINE and not body.notice:
            self._notes.owners.add(sender)
        reply = self._ids.get((chat, row["40850"])) if isinstance(row["40850"], int) and row["40850"] else None
        if isinstance(row["40003"], int):
            self._ids[chat, row["40003"]] = str(own)
            if len(self._ids) > _REMEMBERED:
                self._ids.popitem(last=False)
        flags = [flag for flag, is_so in (("system", body.notice), ("forwarded", row["40013"] == _FORWARDED)) if is_so]
        called = self._names.groups if self._kind == "group" else self._names.nicks
        return Message(
            str(own),
            chat,
            self._kind,
            time,
            sender,
            name,
            body.segments,
            reply_to=reply,
            flags=tuple(flags),
            source=f"{self._source.name}:{number}",
            chat_name=called.get(peer, peer),
        )

    def _peer(self, row: dict[str, Any]) -> str:
        uid = _text(row["40021"])
        if self._kind == "group":
            return _number(row["40027"]) or _number(row["40030"]) or uid
        return self._names.accounts.get(uid) or _number(row["40030"]) or uid

    def _who(self, row: dict[str, Any], body: Body) -> tuple[str, str]:
        if body.notice:
            return SYSTEM
        uid = _text(row["40020"])
        sender = _number(row["40033"]) or self._names.accounts.get(uid) or uid or "0"
        return sender, _text(row["40090"]).strip() or self._names.nicks.get(sender) or sender


def _has_prefix(source: Source) -> bool:
    begins = source.head[:_PREFIX]
    return not begins.startswith(_MAGIC) and (b"QQ_NT DB" in begins or source.head[_PREFIX:].startswith(_MAGIC))


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
    database.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return database


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f'PRAGMA table_info("{table}")')}


def _rows(database: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table by time; a column that this version of QQ hasn't is None."""
    there = _columns(database, table)
    if "40001" not in there or "40050" not in there:
        return
    wanted = ", ".join(f'"{name}"' if name in there else "NULL" for name in COLUMNS)
    for row in database.execute(f'SELECT {wanted} FROM "{table}" ORDER BY "40050", "40001"'):  # noqa: S608
        yield dict(zip(COLUMNS, row, strict=True))


def _pairs(database: sqlite3.Connection, table: str, key: str, value: str, notes: Notes) -> dict[str, str]:
    """One column by another; empty where the table or a column is missing."""
    if not {key, value} <= _columns(database, table):
        notes.warnings.append(f"no {table} in the database; names may be missing")
        return {}
    rows = database.execute(f'SELECT "{key}", "{value}" FROM "{table}"')  # noqa: S608
    return {_text(k): _text(v) for k, v in rows if _text(k) and _text(v) not in ("", "0")}


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int) and value > 0 else ""


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) else ""
