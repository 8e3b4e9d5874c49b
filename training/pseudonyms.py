"""`[dataset] pseudonyms`: made-up names for everybody but me, sealed with the persona.

    messages ─▶ who is called what ─▶ which names are ordinary words ─▶ data/pseudonyms.json, prompt.json

Knows the records' names; how they are hidden and turned back is bot/persona/pseudonyms.py, for both halves.
The key is drawn once and kept, so that a person keeps the made-up name over runs and in all chats.
"""

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bot.persona.manifest import write_atomically
from bot.persona.message import Message
from bot.persona.pseudonyms import Pseudonyms, is_name
from config.errors import InputError

FORMAT = 1
FILE = "pseudonyms.json"
_ROUNDS = 500
"""Sets of made-up names that are tried for one without two of a kind."""
_ALONE = 0.3
"""Share of the messages with a name that say nothing else, from which on it is an ordinary word."""
_FEW = 5
"""Messages that prove nothing."""
_WORDS = frozenset(
    [
        "好的",
        "好吧",
        "好啊",
        "可以",
        "不是",
        "是的",
        "没有",
        "没事",
        "在吗",
        "在的",
        "你好",
        "您好",
        "谢谢",
        "多谢",
        "哈哈",
        "哈哈哈",
        "呵呵",
        "嘿嘿",
        "嘻嘻",
        "嗯嗯",
        "晚安",
        "早安",
        "早上好",
        "今天",
        "明天",
        "昨天",
        "晚上",
        "早上",
        "中午",
        "下午",
        "周末",
        "现在",
        "什么",
        "怎么",
        "为什么",
        "我们",
        "你们",
        "他们",
        "大家",
        "自己",
        "老师",
        "同学",
        "老板",
        "妈妈",
        "爸爸",
        "朋友",
        "开心",
        "快乐",
        "生活",
        "世界",
        "时间",
        "不知道",
        "知道",
        "一起",
        "加油",
        "收到",
        "随便",
        "无聊",
        "吃饭",
        "睡觉",
        "回家",
        "上班",
        "下班",
        "ok",
        "OK",
        "hi",
        "hello",
    ]
)


@dataclass(slots=True)
class Known:
    """Who is called what in the records."""

    bearers: dict[str, Counter[str]] = field(default_factory=dict)
    """Name → person → messages."""
    people: set[str] = field(default_factory=set)
    mine: set[str] = field(default_factory=set)
    """My accounts and names."""

    def see(self, message: Message) -> None:
        if message.mine:
            self.mine |= {message.sender, message.name}
        elif message.spoken:
            self._bear(message.name, message.sender)
            if message.kind == "private":
                self._bear(message.chat_name, message.sender)
        for segment in message.segments:
            if segment.type == "at" and segment.id != "all":
                self._bear(segment.name, segment.id or segment.name)

    def _bear(self, name: str, person: str) -> None:
        if person:
            self.people.add(person)
        if name and person:
            self.bearers.setdefault(name, Counter())[person] += 1

    def others(self) -> dict[str, str]:
        """Name → whose it is mostly; mine are nobody else's."""
        found = ((name, who.most_common(1)[0][0]) for name, who in self.bearers.items() if name not in self.mine)
        return {name: person for name, person in found if person not in self.mine}


def learn(folder: Path, messages: Callable[[], Iterable[Message]], me: str) -> tuple[Pseudonyms, dict[str, int]]:
    """The pseudonyms of the messages' people, and counts for the report. Goes through them twice."""
    known = Known(mine={me})
    for message in messages():
        known.see(message)
    known.mine.discard("")
    names = known.others()
    key, start = _load(folder)
    people = sorted(known.people - known.mine)
    chosen, same = _round(key, start, people, set(known.bearers) | known.mine)
    words = _ordinary(messages(), [name for name in names if is_name(name)])
    hidden = [name for name in names if is_name(name) and name not in words]
    starts: dict[str, set[int]] = {}
    for name in [*hidden, *words, *(name for name in known.mine if is_name(name))]:
        starts.setdefault(chosen.digest(name[0]), set()).add(len(name))
    stays = {chosen.digest(name): "word" for name in words} | {chosen.digest(name): "mine" for name in known.mine}
    table = {chosen.digest(name): chosen.of(person) for name, person in names.items()}
    sealed = Pseudonyms.model_validate(
        {
            "key": key,
            "round": chosen.round,
            "names": dict(sorted(table.items())),
            "stays": dict(sorted(stays.items())),
            "starts": {first: sorted(lengths, reverse=True) for first, lengths in sorted(starts.items())},
        }
    )
    _save(folder, sealed)
    counts = {
        "people": len(people),
        "names": len(names),
        "hidden_in_texts": len(hidden),
        "words_left_in_texts": len(words),
        "people_with_anothers": same,
    }
    return sealed, counts


def _round(key: str, start: int, people: list[str], real: set[str]) -> tuple[Pseudonyms, int]:
    """The first set in which nobody has a real name or another's; else the one with the fewest of a kind."""
    inside = {name[place : place + 3] for name in real for place in range(len(name) - 2)}
    best: tuple[int, int] | None = None
    for number in range(start, start + _ROUNDS):
        tried = Pseudonyms(key=key, round=number)
        made_up = [tried.of(person) for person in people]
        if not inside.isdisjoint(made_up):
            continue
        same = len(made_up) - len(set(made_up))
        if best is None or same < best[0]:
            best = same, number
        if not same:
            break
    if best is None:
        raise InputError(
            "every made-up name is somebody's", hint="run without --pseudonyms, or delete data/pseudonyms.json"
        )
    return Pseudonyms(key=key, round=best[1]), best[0]


def _ordinary(messages: Iterable[Message], names: list[str]) -> set[str]:
    """The names that are words: everyday ones, and what is mostly said all by itself."""
    lengths: dict[str, list[int]] = {}
    wanted = set(names)
    for name in sorted(names, key=len, reverse=True):
        lengths.setdefault(name[0], []).append(len(name))
    said: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for message in messages:
        text = message.text
        said.update(set(_found(text, wanted, lengths)))
        if (whole := text.strip(" 。!！~?？")) in wanted:
            alone[whole] += 1
    return {name for name in names if name in _WORDS or (alone[name] >= _FEW and alone[name] > said[name] * _ALONE)}


def _found(text: str, names: set[str], lengths: dict[str, list[int]]) -> Iterator[str]:
    """The names in a text; not those after an @, which speak to somebody."""
    for place, first in enumerate(text):
        if first in lengths and (place == 0 or text[place - 1] != "@"):
            yield from (
                text[place : place + n] for n in dict.fromkeys(lengths[first]) if text[place : place + n] in names
            )


def _load(folder: Path) -> tuple[str, int]:
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise InputError(f"{path} was made by another mybot", hint="update mybot, or delete the file")
        kept = Pseudonyms(key=found["key"], round=found["round"])
    except FileNotFoundError:
        return secrets.token_hex(16), 0
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is damaged", hint="delete it; everybody gets another made-up name") from None
    return kept.key, kept.round


def _save(folder: Path, sealed: Pseudonyms) -> None:
    content = {"format": FORMAT, "key": sealed.key, "round": sealed.round}
    if _load(folder) != (sealed.key, sealed.round):
        write_atomically(folder / FILE, json.dumps(content) + "\n")
        (folder / FILE).chmod(0o600)
