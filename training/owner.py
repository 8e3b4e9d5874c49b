"""Who "me" is: which of the people in some chats is the owner.

Knows who spoke how often where; doesn't read texts, and never guesses by who speaks first.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bot.persona.manifest import write_atomically
from config.errors import InputError

_NUMBER = re.compile("[1-9][0-9]{4,11}")


@dataclass(slots=True)
class Chat:
    """The speakers of one chat: (id, name) → messages."""

    kind: str
    name: str
    speakers: Counter[tuple[str, str]] = field(default_factory=Counter)

    def candidates(self) -> set[tuple[str, str]]:
        """Who might be the owner: in a private chat nobody with the chat's own name."""
        if self.kind == "group":
            return set(self.speakers)
        return {(sender, name) for sender, name in self.speakers if self.name not in (sender, name)}


@dataclass(slots=True)
class Tally:
    """The speakers of all chats; system lines aren't counted."""

    chats: dict[str, Chat] = field(default_factory=dict)

    def count(self, chat: str, kind: str, chat_name: str, sender: str, name: str, flags: Iterable[str]) -> None:
        known = self.chats.get(chat)
        if known is None:
            known = self.chats[chat] = Chat(kind, chat_name)
        if "system" not in flags:
            known.speakers[sender, name] += 1

    def add(self, other: "Tally") -> None:
        """The speakers of another tally too."""
        for key, chat in other.chats.items():
            known = self.chats.setdefault(key, Chat(chat.kind, chat.name))
            known.speakers.update(chat.speakers)

    def people(self) -> Counter[tuple[str, str]]:
        """Everybody over all chats."""
        return sum((chat.speakers for chat in self.chats.values()), Counter())

    def busiest(self, n: int = 10) -> str:
        """The busiest speakers on one line."""
        totals: Counter[str] = Counter()
        names: dict[str, str] = {}
        for (sender, name), messages in self.people().items():
            totals[sender] += messages
            names[sender] = name
        told = ((s, names[s], messages) for s, messages in totals.most_common(n))
        return ", ".join(f"{n} {m}" if s == n else f"{n} ({s}) {m}" for s, n, m in told)


@dataclass(slots=True)
class Owner:
    """The ids the owner has, and the names where there are no ids."""

    senders: frozenset[str]
    unmatched: list[str]
    """Of what the user said, what nobody is called."""

    def is_me(self, sender: str) -> bool:
        return sender in self.senders


def resolve(me: Iterable[str], tally: Tally) -> Owner:
    """The owner's ids, from numbers and names.

    Where chats have ids, a name stands for the account that bears it, under whatever name it
    speaks elsewhere; but where a number was given that speaks, other accounts of the name are
    somebody else's.
    """
    entries = list(dict.fromkeys(me))
    people = tally.people()
    speakers = {sender for sender, _ in people}
    numbers = {entry for entry in entries if _NUMBER.fullmatch(entry) and entry in speakers}
    senders: set[str] = set(entries)
    matched: set[str] = set()
    for entry in entries:
        bearers = {sender for sender, name in people if name == entry}
        if bearers or entry in speakers:
            matched.add(entry)
        accounts = {sender for sender in bearers if _NUMBER.fullmatch(sender)}
        if len(accounts) > 1 and not accounts & numbers:
            told = ", ".join(sorted(accounts))
            raise InputError(
                f"{len(accounts)} accounts are called {entry}: {told}", hint=f"say which is yours: --me {min(accounts)}"
            )
        senders |= bearers if not numbers else bearers - accounts
    return Owner(frozenset(senders), [entry for entry in entries if entry not in matched])


def suggest(tally: Tally, known: Iterable[str]) -> list[str]:
    """Who is probably the owner: whom the exports name, and who alone can be it in the chats left.

    Empty when it isn't clear.
    """
    owners = {owner for owner in known if any(owner == sender for sender, _ in tally.people())}
    left = [chat for chat in tally.chats.values() if chat.speakers and not any(s in owners for s, _ in chat.speakers)]
    if not left:
        return sorted(owners)
    if len(left) == 1:
        candidates = left[0].candidates() if left[0].kind == "private" else set()
        found = next(iter(candidates))[0] if len({sender for sender, _ in candidates}) == 1 else ""
    else:
        found = _common(left, by_name=True) or _common(left, by_name=False)
    return sorted(owners | {found} - {""})


def _common(chats: list[Chat], *, by_name: bool) -> str:
    """The name (or id) in most of these chats, if it is in more than half and nobody else is in as many."""
    present: Counter[str] = Counter()
    for chat in chats:
        present.update({name if by_name else sender for sender, name in chat.candidates()} - {""})
    ranked = present.most_common(2)
    if not ranked or ranked[0][1] * 2 <= len(chats) or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return ""
    return ranked[0][0]


def remembered(folder: Path) -> list[str]:
    """What me.json of a data folder says about the owner."""
    path = folder / "me.json"
    try:
        me = json.loads(path.read_text(encoding="utf-8"))["me"]
        return [str(entry) for entry in me]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is damaged", hint="delete it and say --me again") from None


def remember(folder: Path, me: Iterable[str]) -> None:
    """Keep who the owner is for the next import."""
    write_atomically(folder / "me.json", json.dumps({"me": list(me)}, ensure_ascii=False) + "\n")
