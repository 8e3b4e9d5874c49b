"""The html of old QQ backups on Android: `name(uin)-----time`, my own lines `time-----我`.

    <p align='left'><font color="blue"><b>小鹿(20002)</b></font>-----<font color="green">2023-01-01 08:00:00</font></br>
    在吗</br></br></p>

My number isn't in it; my lines are those of 我.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath

from bot.persona.message import Kind, Message
from training.importers.html_rows import html_body, html_rows, plain
from training.importers.qq_marks import speaker_of
from training.importers.qq_txt_lines import wall_time
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, decode_head

ME = "我"

_WHO = r'<font color="blue"><b>([^<]{0,400})(?:</b>|</font>){1,3}'
_WHEN = r'<font color="green">([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{1,2}):([0-9]{2}:[0-9]{2})</font>'
_MESSAGE = re.compile(rf"{_WHO}-----{_WHEN}(?:</?br/?>)?|{_WHEN}-----{_WHO}(?:</?br/?>)?")


def sniff(source: Source) -> float:
    """Sure with a header of its kind."""
    return 0.95 if _MESSAGE.search(decode_head(source.head)) else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order."""
    chat, kind, chat_name = _chat(source)
    identify = fingerprint(chat)
    for row in html_rows(source, "</p>"):
        match = _MESSAGE.search(row.text)
        if row.cut or match is None:
            if row.cut or "-----" in row.text:
                notes.drop("too_long" if row.cut else "broken_row", source, row.line, row.text)
            continue
        mine = match[1] is None
        day, hour, minutes = match.group(5, 6, 7) if mine else match.group(2, 3, 4)
        wall = wall_time(day, hour, minutes, None)
        if wall is None:
            notes.drop("bad_time", source, row.line, row.text)
            continue
        notes.assumed_zone = True
        sender, name, flags = (ME, ME, ()) if mine else speaker_of(plain(match[1]), is_group=True)
        if mine:
            notes.owners.add(ME)
        segments = html_body(_said(row.text[match.end() :]))
        text = "".join(segment.plain() for segment in segments)
        if DAMAGED in text:
            notes.damage("undecodable_bytes", source, row.line, text)
        time = zone.utc(wall)
        yield Message(
            identify(time, sender, text),
            chat,
            kind,
            time,
            sender,
            name,
            segments,
            flags=flags,
            source=f"{source.name}:{row.line}",
            chat_name=chat_name,
        )


def _said(markup: str) -> str:
    """Without the two breaks that end every message."""
    markup = markup.rstrip("\r\n")
    for _ in range(2):
        markup = markup.removesuffix("</br>")
    return markup


def _chat(source: Source) -> tuple[str, Kind, str]:
    """Its key, kind and name: one other account is a friend, several are a group."""
    others: dict[str, str] = {}
    for row in html_rows(source, "</p>"):
        if (match := _MESSAGE.search(row.text)) and match[1] is not None:
            sender, name, flags = speaker_of(plain(match[1]), is_group=True)
            if not flags:
                others[sender] = name
        if len(others) > 1:
            break
    stem = PurePath(source.name).stem
    if len(others) == 1:
        number, name = others.popitem()
        return f"qq:private:{number}", "private", name
    return (f"qq:group:{stem}", "group", stem) if others else (f"qq:private:{stem}", "private", stem)
