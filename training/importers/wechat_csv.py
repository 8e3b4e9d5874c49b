"""WeChat chats as CSV: PyWxDump and WeClone, MemoTrace (留痕) old and new, chatlog.

    id,MsgSvrID,type_name,is_sender,talker,room_name,msg,src,CreateTime
    localId,TalkerId,Type,SubType,IsSender,CreateTime,Status,StrContent,StrTime,Remark,NickName,Sender
    消息ID,类型,发送人,时间,内容,备注,昵称,更多信息
    Time,SenderName,Sender,TalkerName,Talker,Content

Columns are found by name; others are ignored. Times are seconds or wall clocks in any mixture.
Who is who is asked of the whole file first (wechat_csv_survey.py): in these files a row of
somebody else's may bear my account, and one of mine the friend's.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import PurePath

from bot.persona.message import Message, Segment
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, decode_head, encoding_of
from training.importers.values import Moment, moment
from training.importers.wechat_content import SYSTEM, Quoted, is_system, segments_of, split_quote, system_text
from training.importers.wechat_csv_rows import Row, columns_of, fields_of, rows
from training.importers.wechat_csv_survey import Chat, survey

_REMEMBERED = 20_000
"""Messages back that an answer may quote."""

_NATIVE = re.compile(r"[0-9]{6,25}")


def sniff(source: Source) -> float:
    """Sure with a header line that has the columns of one of these programs."""
    first = decode_head(source.head).removeprefix("\ufeff").partition("\n")[0]
    return 0.95 if columns_of(fields_of(first) or []) else 0.0


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order."""
    encoding = encoding_of(source.file)
    found = survey(source, encoding, zone)
    if found.owner:
        notes.owners.add(found.owner)
    readers: dict[str, _Reader] = {}
    for row in rows(source, encoding, zone, notes):
        key = row.chat
        reader = readers.get(key)
        if reader is None:
            chat = found.chats[key]
            reader = readers[key] = _Reader(
                source, chat, found.owner, found.key(key, PurePath(source.name).stem), notes
            )
        yield reader.message(row, zone)


class _Reader:
    """Builds the messages of one chat."""

    def __init__(self, source: Source, chat: Chat, owner: str, key: str, notes: Notes) -> None:
        self._source, self._chat, self._owner, self._key, self._notes = source, chat, owner, key, notes
        self._identify: Callable[[int, str, str], str] = fingerprint(key)
        self._said: OrderedDict[tuple[int, str], str] = OrderedDict()

    def message(self, row: Row, zone: Zone) -> Message:
        """One row as a message."""
        when = row.when
        if not when.had_zone:
            self._notes.assumed_zone = True
        system = is_system(row.kind, row.sub) or row.sender == SYSTEM
        sender, name = (row.sender or SYSTEM, row.name or row.sender or SYSTEM) if system else self._who(row)
        content, quoted = split_quote(row.content) if "引用" in row.kind else (row.content, None)
        segments = [Segment("text", system_text(content))] if system else segments_of(row.kind, content, row.sub)
        self._look_at(segments, row)
        text = "".join(segment.plain() for segment in segments)
        message_id = row.id if _is_native(row.id) else self._identify(when.time, sender, text)
        reply_to = self._answered(quoted, row, zone) if quoted else None
        self._remember(message_id, when, text)
        return Message(
            message_id,
            self._key,
            self._chat.kind,
            when.time,
            sender,
            name,
            segments,
            reply_to=reply_to,
            precision=when.precision,
            flags=("system",) if system else (),
            source=f"{self._source.name}:{row.line}",
            chat_name=self._chat.name or PurePath(self._source.name).stem,
        )

    def _who(self, row: Row) -> tuple[str, str]:
        """Id and name of a speaker; the mark for mine counts more than the account beside it."""
        if row.mine is None:
            return row.sender, row.name or row.sender
        if row.mine:
            known = row.name if row.name not in self._chat.names else ""
            return self._owner, known or self._owner
        if row.sender and row.sender != self._owner:
            return row.sender, row.name or row.sender
        if self._chat.kind == "private" and self._chat.peer:
            return self._chat.peer, row.name or self._chat.peer
        self._notes.damage("unknown_sender", self._source, row.line)
        return "?", row.name or "?"

    def _look_at(self, segments: list[Segment], row: Row) -> None:
        if any(segment.type == "unknown" for segment in segments):
            self._notes.damage("unknown_element", self._source, row.line)
        if any(DAMAGED in segment.text for segment in segments):
            self._notes.damage("undecodable_bytes", self._source, row.line, row.content)

    def _answered(self, quoted: Quoted, row: Row, zone: Zone) -> str | None:
        """The id of the quoted message: the same words in the same minute, which is all that some files know."""
        when = moment(quoted.time, zone)
        found = self._said.get((when.time // 60, _folded(quoted.text))) if when else None
        if found is None:
            self._notes.damage("quoted_elsewhere", self._source, row.line)
        return found

    def _remember(self, message_id: str, when: Moment, text: str) -> None:
        self._said[when.time // 60, _folded(text)] = message_id
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)


def _folded(text: str) -> str:
    return " ".join(text.split())[:80]


def _is_native(message_id: str) -> bool:
    """Whether an id is WeChat's own; a spreadsheet keeps only fifteen digits of one."""
    return bool(_NATIVE.fullmatch(message_id)) and not (len(message_id) > 15 and message_id.endswith("0000"))
