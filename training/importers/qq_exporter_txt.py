"""qq-chat-exporter's text file: names without ids, and the seconds.

    [管理员] 阿泽:                          a title, where there is one, and the name
    时间: 2023-01-01 08:01:44
    内容: [回复消息]明天交哦
    回复: 01-01 08:00 小鹿 - 什么时候交      the minute, the name and the beginning of what is quoted

Such a stanza counts after a blank line, and unless it is older than the one before: then it was typed.
Its JSON knows more (ids, cards, recalled messages); this is for whoever has nothing else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from bot.persona.message import Kind, Message, Segment
from training.importers.lines import lines
from training.importers.qq_txt_lines import wall_time
from training.importers.qq_txt_survey import Walk
from training.importers.source import Notes, Source, Zone, fingerprint
from training.importers.text import DAMAGED, blocks, decode_head, encoding_of
from training.importers.values import text_with_mentions

_HEAD = re.compile(
    r"\[QQ ?(?:ChatExporter|Data Exporter)[^\n]*\n(?:[^\n]*\n){0,6}?[ \t]*QQ聊天记录导出文件"
    r"|(?:\[[0-9]+\]\r?\n)?[^\n]{1,200}:\r?\n(?:发送者ID: [^\n]*\n)?时间: [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\r?\n"
    r"(?:类型: [^\n]*\n)?内容:"
)
_TIME = re.compile(r"时间: ([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}):([0-9]{2}:[0-9]{2})")
_NAME = re.compile(r"(?:\[[^\[\]]{1,20}\] )?(\S.{0,190}):")
_FIELD = re.compile(r"(聊天名称|聊天类型|群ID|好友ID): (.+)")
_NUMBER = re.compile(r"\[[0-9]+\]")
_ACCOUNT = "发送者ID: "
_SYSTEM = "系统消息"
_END = "导出完成"

_PIECE = re.compile(r"\[(图片|语音|视频|文件|表情|动画表情|JSON消息|位置)(?:: ?([^\[\]\n]{0,300})|([0-9]{0,5}))\]")
_PIECES = {
    "图片": "image",
    "语音": "voice",
    "视频": "video",
    "文件": "file",
    "表情": "face",
    "动画表情": "sticker",
    "JSON消息": "card",
    "位置": "location",
}
_WHOLE = ((re.compile(r"\[转发消息: ?[0-9]+条\](?:\n  .*)*"), "forward"), (re.compile(r"\[QQ红包\].*"), "redpacket"))
_REPLIED = "[回复消息]"
_WORDLESS = "[无文本内容]"
_QUOTED = re.compile(r"回复: ([0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}) (.*)")
_REMEMBERED = 5000
"""Newest minutes in which the message that is replied to is looked for."""
_LONGEST = 20_000
"""Lines of one message."""


@dataclass(slots=True)
class _Stanza:
    line: int
    name: str
    account: str
    wall: int
    head: list[str]
    """As it stands in the file."""
    body: list[str] = field(default_factory=list)


def sniff(source: Source) -> float:
    """Sure with the exporter's title; fairly sure where the file begins with a stanza."""
    match = _HEAD.match(decode_head(source.head).removeprefix("\ufeff").lstrip())
    return 0.0 if match is None else 0.97 if match[0].startswith("[QQ") else 0.9


def read(source: Source, notes: Notes, zone: Zone) -> Iterator[Message]:
    """The messages in the file's order."""
    encoding = encoding_of(source.file)
    walk = Walk(ordered=True)
    total = sum(1 for place, one in enumerate(_stanzas(source, encoding, Notes(), {})) if walk.accepts(one.wall, place))
    ordered = walk.turned_down <= 8 or walk.turned_down * 10 <= total + walk.turned_down
    about: dict[str, str] = {}
    make: _Chat | None = None
    for stanza in _believed(_stanzas(source, encoding, notes, about), Walk(ordered=ordered, liars=walk.liars)):
        make = make or _Chat(source, notes, zone, about)
        yield make.message(stanza)


def _stanzas(source: Source, encoding: str, notes: Notes, about: dict[str, str]) -> Iterator[_Stanza]:
    """Everything that looks like a message; `about` learns what the file's head says."""
    now: _Stanza | None = None
    loose: list[str] = []
    for line in lines(blocks(source.file, encoding)):
        text = line.text.removeprefix("\ufeff")
        if line.cut:
            notes.drop("too_long", source, line.number, text)
            continue
        body = loose if now is None else now.body
        match = _TIME.fullmatch(text)
        following = _begun(body, line.number, match) if match else None
        if following is None:
            if len(body) < _LONGEST:
                body.append(text)
            else:
                notes.drop("too_long", source, line.number, text)
            continue
        if now is None:
            _learn(loose, source, notes, about)
        else:
            yield now
        now = following
    if now is None:
        _learn(loose, source, notes, about)
        return
    end = next((n for n, text in enumerate(now.body) if _END in text and n and set(now.body[n - 1]) == {"="}), None)
    now.body = now.body if end is None else now.body[: end - 1]
    yield now


def _begun(body: list[str], number: int, match: re.Match[str]) -> _Stanza | None:
    """The stanza that this line of time belongs to; its first lines are taken from the message before."""
    wall = wall_time(match[1], match[2], match[3], None)
    own = 2 if body and body[-1].startswith(_ACCOUNT) else 1
    name = _NAME.fullmatch(body[-own]) if len(body) >= own else None
    if wall is None or name is None:
        return None
    account = body[-1].removeprefix(_ACCOUNT).strip() if own == 2 else ""
    if len(body) > own and _NUMBER.fullmatch(body[-own - 1]):
        own += 1
    if len(body) > own and body[-own - 1].strip():
        return None
    head = [*body[-own:], match[0]]
    del body[-own:]
    return _Stanza(number - own, name[1], account, wall, head)


def _learn(loose: list[str], source: Source, notes: Notes, about: dict[str, str]) -> None:
    """What stands before the first message: the exporter's head, or nothing we know."""
    titled = any("QQ聊天记录导出文件" in text for text in loose)
    for number, text in enumerate(loose, 1):
        if match := _FIELD.fullmatch(text):
            about[match[1]] = match[2].strip()
        elif text.strip() and not titled:
            notes.drop("outside_messages", source, number, text)


def _believed(stanzas: Iterator[_Stanza], walk: Walk) -> Iterator[_Stanza]:
    """The stanzas that count; one that was typed belongs to the message before it, as do ones without 内容."""
    now: _Stanza | None = None
    for place, stanza in enumerate(stanzas):
        said = next((n for n, text in enumerate(stanza.body[:2]) if text.startswith("内容:")), None)
        counts = said is not None and walk.accepts(stanza.wall, place)
        if now is not None and not counts:
            now.body += stanza.head + stanza.body
            continue
        if now is not None:
            yield now
        stanza.body = stanza.body[said or 0 :]
        now = stanza
    if now is not None:
        yield now


class _Chat:
    """Makes the messages of the file's one chat."""

    def __init__(self, source: Source, notes: Notes, zone: Zone, about: dict[str, str]) -> None:
        self._source, self._notes, self._zone = source, notes, zone
        self._kind: Kind = "private" if about.get("聊天类型", "").startswith(("私", "好友")) else "group"
        self._name = about.get("聊天名称") or PurePath(source.name).stem
        number = about.get("群ID" if self._kind == "group" else "好友ID", "")
        self._chat = f"qq:{self._kind}:{number or self._name}"
        self._identify = fingerprint(self._chat)
        self._known: dict[tuple[str, str], list[tuple[str, str]]] = {}
        notes.assumed_zone = True

    def message(self, stanza: _Stanza) -> Message:
        while stanza.body and not stanza.body[-1].strip():
            stanza.body.pop()
        told = "\n".join(stanza.body)
        if DAMAGED in told or DAMAGED in stanza.name:
            self._notes.damage("undecodable_bytes", self._source, stanza.line, told)
        if stanza.body:
            stanza.body[0] = stanza.body[0].removeprefix("内容:").removeprefix(" ")
        mentions, quoted = _without_tail(stanza.body)
        text = "\n".join(stanza.body)
        time = self._zone.utc(stanza.wall)
        sender = stanza.account or stanza.name
        ours = self._identify(time, sender, text)
        said = text.removeprefix(_REPLIED) if quoted else text
        reply_to = self._quoted(quoted) if quoted else None
        minute = f"{self._zone.local(time):%m-%d %H:%M}"
        self._known.setdefault((minute, stanza.name), []).append((said, ours))
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return Message(
            ours,
            self._chat,
            self._kind,
            time,
            sender,
            stanza.name,
            _segments(said, mentions),
            reply_to=reply_to,
            flags=("system",) if stanza.name == _SYSTEM else (),
            source=f"{self._source.name}:{stanza.line}",
            chat_name=self._name,
        )

    def _quoted(self, quoted: re.Match[str]) -> str | None:
        """The newest message of that minute and name which begins like that."""
        for place in range(len(quoted[2]), 0, -1):
            if not quoted[2].startswith(" - ", place):
                continue
            begins = quoted[2][place + 3 :].removesuffix("...").removesuffix("…")
            for text, message_id in reversed(self._known.get((quoted[1], quoted[2][:place]), [])):
                if text.replace("\n", " ").startswith(begins):
                    return message_id
        return None


def _without_tail(body: list[str]) -> tuple[list[str], re.Match[str] | None]:
    """Takes 资源, 提及 and 回复 off a body where they fit what it says; whom it mentions, and what it quotes."""
    mentions: list[str] = []
    quoted: re.Match[str] | None = None
    while len(body) > 1:
        if (match := _QUOTED.fullmatch(body[-1])) and quoted is None and body[0].startswith(_REPLIED):
            quoted = match
        elif body[-1].startswith("提及: ") and not mentions and (named := _named(body)):
            mentions = named
        elif (files := next((n for n, text in enumerate(reversed(body)) if not text.startswith("  - ")), 0)) and (
            files < len(body) and body[-files - 1] == f"资源: {files} 个文件"
        ):
            del body[-files:]
        else:
            return mentions, quoted
        body.pop()
    return mentions, quoted


def _named(body: list[str]) -> list[str]:
    """Whom the last line of a body mentions, if all of them are named before it."""
    names = [name for name in re.split(r"[,，、] ?", body[-1].removeprefix("提及: ")) if name]
    text = "\n".join(body[:-1])
    return names if all(f"@{name}" in text for name in names) else []


def _segments(text: str, mentions: list[str]) -> list[Segment]:
    if text == _WORDLESS:
        return []
    for pattern, kind in _WHOLE:
        if pattern.fullmatch(text):
            return [Segment(kind)]
    at = re.compile("@(" + "|".join(re.escape(name) for name in sorted(mentions, key=len, reverse=True)) + ")")
    segments: list[Segment] = []
    done = 0
    for match in _PIECE.finditer(text):
        segments += _words(text[done : match.start()], mentions, at)
        kind = _PIECES[match[1]]
        segments.append(Segment(kind, match[2] or "" if kind == "file" else ""))
        done = match.end()
    return segments + _words(text[done:], mentions, at)


def _words(text: str, mentions: list[str], at: re.Pattern[str]) -> list[Segment]:
    if not text:
        return []
    return text_with_mentions(text, at, {}) if mentions else [Segment("text", text)]
