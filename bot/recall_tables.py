"""The file of memories: its tables, how it is opened, and how lines and what was forgotten are numbered in it.

Doesn't know how anything is found (bot/recall.py).
"""

import hashlib
import sqlite3
from pathlib import Path

from bot.persona.grams import grams
from bot.persona.message import Message
from config.errors import InputError

LAYOUT = 1
CHAT_BITS = 24
"""A line's number is its chat's number, then so many bits to count the chat's lines."""
WAIT = 60.0
"""Seconds to wait for another process that writes."""
CACHE = 32_000
"""KiB of the file that are kept in memory."""

TABLES = """
    CREATE TABLE chats (chat INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, size INTEGER NOT NULL);
    CREATE TABLE people (person INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
    CREATE TABLE lines (
        line INTEGER PRIMARY KEY, time INTEGER NOT NULL, person INTEGER NOT NULL, seq INTEGER, key INTEGER NOT NULL,
        text TEXT NOT NULL
    );
    CREATE UNIQUE INDEX lines_by_key ON lines (key);
    CREATE INDEX lines_by_seq ON lines (seq) WHERE seq IS NOT NULL;
    CREATE VIRTUAL TABLE words USING fts5(grams, content='', detail='none', columnsize=0, tokenize='ascii');
    INSERT INTO words (words, rank) VALUES ('hashsize', 16000000);
    CREATE TABLE forgotten (mark INTEGER PRIMARY KEY, until INTEGER NOT NULL);
    CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    PRAGMA user_version = 1;
"""
"""Of what was forgotten a hash is left, without telling whose it was."""

COUNT = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
CHOSEN = """
    SELECT line FROM lines WHERE line BETWEEN :first AND :last
    AND (:key IS NULL OR key = :key) AND (:person IS NULL OR person = :person)
"""
SELECT = "SELECT line, time, person, seq, key, text FROM lines"


def opened(path: Path | None) -> sqlite3.Connection:
    """The file, its tables made if they aren't there; None: one that is gone when it is closed."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    # Small files without a name never reach the disk.
    db = sqlite3.connect(path or "", check_same_thread=False, isolation_level=None, timeout=WAIT)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        # What is deleted is written over.
        db.execute("PRAGMA secure_delete=ON")
        db.execute(f"PRAGMA cache_size=-{CACHE}")
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if not found:
            db.executescript(TABLES)
    except sqlite3.Error as error:
        db.close()
        raise InputError(f"{path}: {error}", hint="delete it and run `mybot remember` again") from None
    if found not in (0, LAYOUT):
        db.close()
        raise InputError(f"{path} has another layout ({found})", hint="delete it and run `mybot remember` again")
    return db


def numbers_of(chat: int) -> tuple[int, int]:
    """The numbers that a chat's lines may have: before the first, and the last."""
    return chat << CHAT_BITS, (chat + 1 << CHAT_BITS) - 1


def terms(chat: int, text: str) -> str:
    """A text's grams as they are indexed: each under its chat."""
    return " ".join([f"{chat}x{gram}" for gram in grams(text)])


def key_of(chat: str, message: str) -> int:
    """What a message is kept under, by its chat and id; never 0."""
    digest = hashlib.blake2b(f"{chat}\n{message}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) or 1


def mark_of(chat: str, sender: str, message: str) -> int:
    """Under what something forgotten is known: a chat, a person (in a chat or, chat "", everywhere), a message."""
    return key_of(f"{chat}\n{sender}", message)


def marks_over(message: Message) -> list[int]:
    """All that a message may have been forgotten by; in a private chat by its partner too, whoever speaks."""
    chat = message.chat
    partner = chat.rpartition(":private:")[2] if ":private:" in chat else message.sender
    of_people = [mark_of(where, who, "") for where in ("", chat) for who in {message.sender, partner}]
    return [mark_of(chat, "", ""), mark_of(chat, "", message.id), *of_people]
