"""Other people's names as made-up ones, the same in training and in the bot.

    小鹿(20002): 阿泽来吗        青岚鹿: 墨溪雀来吗

Who somebody is decides what they are called: a keyed hash of the account picks three characters. Sealed
with the persona are the key and, as keyed hashes, the names that stood in the records; no name in clear.
Whoever has the persona can try names out against it, so it is as private as the records; the rows of
the dataset alone tell nothing.

Inside texts the longest known name goes first. Names of one character and ordinary words stay, and so
does everything that I am called.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.persona.message import Message, Segment

_FIRST = "青墨素苍朱碧紫银丹黛绯皓澄晴幽清远寒暖静疏朗淡微轻凌沐栖听望问临踏御拾知忘归渡倚扶揽枕眠汀澹泠湛"
_SECOND = "岚溪枫竹荷梧柏松桐棠莲蘅芷蕙菱萍芦苇藤苔霜露雾霞虹霁雪霰云涧泉潭汐浦渚洲屿岫崖壑峦砚笺弦箫笛埙钟磬"
_THIRD = "鹿雀鹤鸢鹭鸥鹂雁鹊鸦鹰隼狐獾貂猞狸羚鲸鲤鲈鲟鳐蝶蝉蜓萤蛙龟獭豚狍麋獐貘鹦鸠鸾凫鹈鹳鸬鹬鹞鹫鹑鸫鹀鹇"


class Pseudonyms(BaseModel):
    """What hides names; a part of the prompt's specification."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    key: str = Field(pattern="[0-9a-f]{32}")
    """Secret of the records; hex."""
    round: int = Field(default=0, ge=0)
    """Counts up until no made-up name is a real one, and no two people have one."""
    names: dict[str, str] = {}
    """Keyed hash of a name → what stands for it."""
    stays: dict[str, Literal["mine", "word"]] = {}
    """Keyed hash of what stays in texts → why: I am called so (names and accounts), or it is an ordinary word."""
    starts: dict[str, list[int]] = {}
    """Keyed hash of a first character → how long the names are that begin so, longest first."""

    def digest(self, text: str) -> str:
        """The keyed hash of a name."""
        return _digest(self.key, text)

    def of(self, person: str) -> str:
        """What somebody is called, by account or, without one, by name."""
        number = int(_digest(self.key, f"{self.round}\0{person}"), 16)
        number, first = divmod(number, len(_FIRST))
        number, second = divmod(number, len(_SECOND))
        return _FIRST[first] + _SECOND[second] + _THIRD[number % len(_THIRD)]

    def called(self, person: str, name: str) -> str:
        """What stands for somebody's own name: mine stays, others' never do."""
        return name if self.stays.get(self.digest(person)) == "mine" else self.of(person)

    def place(self, kind: str, name: str) -> str:
        """What stands for the name of a chat: a friend's, or a group's with the names in it."""
        if kind == "group":
            return Hidden(self, ()).text(name)
        if is_made_up(name) or self.stays.get(self.digest(name)) == "mine":
            return name
        return self.names.get(self.digest(name)) or self.of(name)


class Hidden:
    """The names of some messages hidden: those that the records know, and those of who speaks here.

    Without pseudonyms nothing is.
    """

    def __init__(self, pseudonyms: Pseudonyms | None, messages: Iterable[Message]) -> None:
        self._all = pseudonyms
        self._here: dict[str, str] = {}
        self._starts: dict[str, set[int]] = {}
        self._real: dict[str, str] = {}
        if pseudonyms is None:
            return
        for message in messages:
            if not message.mine:
                self._meet(pseudonyms, message.sender, message.name)
            for segment in message.segments:
                if segment.type == "at" and segment.name:
                    self._meet(pseudonyms, segment.id or segment.name, segment.name)

    def text(self, text: str) -> str:
        """A text with made-up names."""
        if self._all is None:
            return text
        known, here, starts = self._all, self._here, self._starts

        def look_up(name: str) -> str | None:
            digest = known.digest(name)
            return "" if digest in known.stays else known.names.get(digest) or here.get(name)

        def lengths(first: str) -> Iterable[int]:
            sealed = known.starts.get(known.digest(first), [])
            return sorted({*sealed, *starts[first]}, reverse=True) if first in starts else sealed

        return _replaced(text, look_up, lengths)

    def speaker(self, message: Message) -> str:
        """What the sender of a message is called."""
        return message.name if self._all is None else self._all.called(message.sender, message.name)

    def mentioned(self, at: Segment) -> str:
        """Whom an at means."""
        name = at.name or at.id
        return name if self._all is None or at.id == "all" else self._all.called(at.id or name, name)

    def revealed(self, text: str, labels: Mapping[str, str]) -> str | None:
        """A text of the persona's with the real names; None where one of them isn't known here."""
        if self._all is None:
            return text
        real = dict(self._real)
        for who, label in labels.items():
            if (made_up := self._all.of(who)) in self._real:
                real[label] = self._real[made_up]
        lengths = sorted({len(name) for name in real}, reverse=True)
        told = _replaced(text, real.get, lambda _: lengths)
        return None if any(made_up and made_up in text and made_up not in real for made_up in self._made_up) else told

    @property
    def _made_up(self) -> set[str]:
        return set(self._all.names.values()) if self._all is not None else set()

    def _meet(self, known: Pseudonyms, person: str, name: str) -> None:
        made_up = known.called(person, name)
        if made_up == name or person == "all":
            return
        self._real[made_up] = name
        if is_name(name):
            self._here[name] = made_up
            self._starts.setdefault(name[0], set()).add(len(name))


def _replaced(text: str, known: Callable[[str], str | None], lengths: Callable[[str], Iterable[int]]) -> str:
    """Every known name of a text replaced, the longest first; one that is known as empty stays."""
    parts: list[str] = []
    place = done = 0
    while place < len(text):
        for length in lengths(text[place]):
            end = place + length
            if end > len(text) or _cuts_a_word(text, place, end):
                continue
            made_up = known(text[place:end])
            if made_up is not None:
                parts += [text[done:place], made_up or text[place:end]]
                place = done = end
                break
        else:
            place += 1
    return "".join([*parts, text[done:]])


def is_name(name: str) -> bool:
    """Whether a name may be looked for in texts: one character is more often a word, digits are numbers."""
    return len(name) > 1 and not name.isdigit()


def is_made_up(name: str) -> bool:
    """Whether a name is one of ours."""
    return len(name) == 3 and name[0] in _FIRST and name[1] in _SECOND and name[2] in _THIRD


def fitting(labels: Mapping[str, str], pseudonyms: Pseudonyms | None) -> dict[str, str]:
    """The labels of a chat that were fixed under these pseudonyms: an earlier persona had others, or none."""
    return {
        who: label
        for who, label in labels.items()
        if (not is_made_up(label[:3]) if pseudonyms is None else label.startswith(pseudonyms.called(who, label)))
    }


def _cuts_a_word(text: str, start: int, end: int) -> bool:
    """Tom stands in no tomato."""
    return any(
        0 < place < len(text) and _is_latin(text[place - 1]) and _is_latin(text[place]) for place in (start, end)
    )


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


@lru_cache(maxsize=200_000)
def _digest(key: str, text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), key=bytes.fromhex(key), digest_size=8).hexdigest()
