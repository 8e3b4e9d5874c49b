"""Who the owner is, on each platform. Knows the `superusers` knob; doesn't know what an owner may do."""

from collections.abc import Iterable

from bot import words
from bot.words import Language

QQ = "qq"
"""What chats of QQ begin with."""
_OURS = {"onebot": QQ, "qq": "qqbot"}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}
"""What NoneBot calls two platforms differently: its "qq" are QQ's official bots, of which nobody is one here."""


def home(superuser: str) -> tuple[str, str]:
    """Platform and id of an entry: a bare number is an account of QQ, `telegram:123` one of Telegram."""
    platform, colon, account = superuser.partition(":")
    if not colon:
        return QQ, superuser
    return _OURS.get(platform.lower(), platform.lower()), account


def ours(superusers: Iterable[str]) -> list[str]:
    """Each once and as our settings write it, whatever NoneBot's own add."""
    pairs = sorted({home(one) for one in superusers})
    return [account if platform == QQ else f"{platform}:{account}" for platform, account in pairs]


def is_owner(superusers: Iterable[str], chat: str, sender: str) -> bool:
    """Whether who speaks in this chat is the owner. The same number on another platform is somebody else."""
    platform = chat.partition(":")[0]
    return any(home(one) == (platform, sender) for one in superusers)


def account(chat: str, sender: str) -> str:
    """Who speaks in a chat, as one is known everywhere: a bare number on QQ, `telegram:123` elsewhere."""
    platform = chat.partition(":")[0]
    return sender if platform == QQ else f"{platform}:{sender}"


def private_chats(superusers: Iterable[str]) -> list[str]:
    """The owner's chats with the bot, where a chat is known by its partner's id."""
    return [":".join((platform, "private", account)) for platform, account in map(home, superusers)]


def place_of(language: Language, chat: str) -> str:
    """A chat as its owner is told of it; what is none, as it calls itself."""
    kind, _, peer = chat.partition(":")[2].partition(":")
    known = {"group": words.IN_GROUP, "private": words.IN_PRIVATE}.get(kind)
    return known(language, peer=peer) if known else chat


def for_nonebot(superusers: Iterable[str]) -> set[str]:
    """The same for NoneBot, which takes a bare number for an account of any platform."""
    return {f"{_THEIRS.get(platform, platform)}:{account}" for platform, account in map(home, superusers)}
