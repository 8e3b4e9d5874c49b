"""The first pass over a WeChat CSV: which chats there are, with whom, and which account is mine."""

from collections import Counter
from dataclasses import dataclass, field

from bot.persona.message import Kind
from training.importers.source import Source, Zone
from training.importers.wechat_content import is_system
from training.importers.wechat_csv_rows import Row, rows

ME = "我"
"""What I am called where the export doesn't name my account."""

_GROUP = "@chatroom"


@dataclass(slots=True)
class Chat:
    """One chat of an export."""

    key: str
    name: str = ""
    kind: Kind = "private"
    peer: str = ""
    """The other account of a private chat."""
    theirs: Counter[str] = field(default_factory=Counter)
    mine: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)
    """Names of others."""

    def look_at(self, row: Row) -> None:
        self.name = self.name or row.chat_name
        if is_system(row.kind, row.sub):
            return
        if row.mine:
            self.mine[row.sender] += 1
            return
        self.theirs[row.sender] += 1
        if row.name:
            self.names.add(row.name)

    def settle(self) -> None:
        """Decide what kind of chat it is, once all of it was seen."""
        named = self.key and not self.key.isdigit()
        if self.key.endswith(_GROUP):
            self.kind = "group"
            self.name = self.name or self.key
        elif named:
            self.peer = self.key
        elif len(self.theirs) > (1 if self.mine else 2):
            self.kind = "group"
        elif self.mine and self.theirs:
            self.peer = next(iter(self.theirs))
        if self.kind == "private" and self.peer and not self.name:
            self.name = next(iter(self.names), self.peer) if len(self.names) < 2 else self.peer


@dataclass(slots=True)
class Survey:
    chats: dict[str, Chat]
    owner: str
    """My account; empty where only the names can tell."""

    def key(self, key: str, stem: str) -> str:
        """The key of a chat in messages.jsonl."""
        chat = self.chats[key]
        number = chat.peer or ("" if key.isdigit() else key)
        if not number:
            number = f"{stem}@{key}" if key and len(self.chats) > 1 else stem
        return f"wechat:{chat.kind}:{number}"


def survey(source: Source, encoding: str, zone: Zone) -> Survey:
    """Look through an export once, without building any message."""
    chats: dict[str, Chat] = {}
    marked = False
    by_name: Counter[str] = Counter()
    for row in rows(source, encoding, zone):
        chat = chats.get(row.chat)
        if chat is None:
            chat = chats[row.chat] = Chat(row.chat)
        chat.look_at(row)
        marked = marked or row.mine is not None
        if row.mine is None and row.name == ME:
            by_name[row.sender] += 1
    for chat in chats.values():
        chat.settle()
    if marked:
        return Survey(chats, _account(chats))
    return Survey(chats, by_name.most_common(1)[0][0] if by_name else _other_side(chats))


def _account(chats: dict[str, Chat]) -> str:
    """The account beside my own messages, unless it is the friend's, as in some exports it is."""
    accounts: Counter[str] = Counter()
    for chat in chats.values():
        accounts.update({sender: n for sender, n in chat.mine.items() if sender not in ("", chat.peer)})
    return accounts.most_common(1)[0][0] if accounts else ME


def _other_side(chats: dict[str, Chat]) -> str:
    """Whoever isn't the friend in private chats whose account is known."""
    sides: Counter[str] = Counter()
    for chat in chats.values():
        if chat.kind == "private" and chat.peer in chat.theirs:
            sides.update({sender for sender in chat.theirs if sender != chat.peer})
    return sides.most_common(1)[0][0] if sides else ""
