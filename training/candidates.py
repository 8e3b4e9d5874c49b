"""An engine reads stretches of my chats and names facts; only what stands there is taken.

Each candidate must cite the number of a line of mine and words that are in it, and say hardly more than that
line and the question before it do; what is asked, doubted, joked or taken back is none. The rest is dropped and
counted. Knows words only: that a line says what the engine makes of it is for the owner to see.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappush, heappushpop
from itertools import groupby
from typing import Any, get_args

from bot.engine.wire import Talker
from bot.persona import privacy
from bot.persona.facts import FactKind
from bot.persona.message import Message
from bot.persona.prompt import readable
from bot.writing import ME, plain, record, written
from training.doubts import clauses, taken_back
from training.importers.source import Zone
from training.propose import LINES, SOON, Mention, mention
from training.statements import Statement, key_of, told

STRETCH, OVERLAP = 60, 6
"""Lines that the engine reads at once, and how many of them it has read before."""
AT_ONCE = 8
"""Requests under way."""
ASKED = (
    "下面是一段聊天记录，一行一句，行首是编号，“我”是我自己。找出我亲口说的、关于我自己的、长期不变的事实："
    "姓名、年龄、生日、住处、老家、工作、学业、家人、宠物、喜好、忌口、过敏、习惯。"
    "提问、假设、玩笑、反话、转述别人的话、只在当天成立的事都不要，别人的事也不要。"
    '每条写一行 JSON：{"fact": "我在宠物店上班", "kind": "work", "line": 12, "quote": "宠物店"}。'
    "fact 用“我”开头；kind 是 who、where、work、likes、people 之一；line 是我说这话的那行的编号；quote 是那行里原样的字。"
    "没有就只写：无"
)
WORDS = 600
"""Tokens of an answer."""
GROUNDED = 0.6
"""Of a fact's characters so many must stand in the lines it is from."""
_KINDS: dict[str, FactKind] = {kind: kind for kind in get_args(FactKind) if kind != "never"}
_OBJECT = re.compile(r"\{[^{}]*\}")
_SMALL = re.compile(r"[\W_]|[我的是在有了和也都很一个只家叫做]")
"""Characters that say little."""
_ASKS = re.compile(r"[?？]|吗|什么|啥|谁|哪|几|多少|怎")


def stretches(messages: Iterable[Message], most: int) -> list[list[Message]]:
    """Stretches of chats in which I say something, the newest `most`, in the order they were said."""
    newest: list[tuple[int, int, list[Message]]] = []
    for number, lines in enumerate(_stretches(messages)):
        # No more than those are ever held.
        put = heappush if len(newest) < most else heappushpop
        put(newest, (lines[-1].time, number, lines))
    return [lines for _, _, lines in sorted(newest)]


def _stretches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    for _, said in groupby(messages, key=lambda message: message.chat):
        lines: list[Message] = []
        fresh = False
        for message in said:
            if not readable(message) or message.bare_media:
                continue
            lines.append(message)
            fresh = fresh or message.learnable
            if len(lines) == STRETCH:
                if fresh:
                    yield lines
                lines, fresh = lines[-OVERLAP:], False
        if fresh:
            yield lines


async def asked(
    talker: Talker, parts: Sequence[Sequence[Message]], zone: Zone, step: Callable[[], None]
) -> tuple[list[Mention], Counter[str]]:
    """What the engine reads out of stretches, and what became of its candidates; `step` is called after each."""
    counts: Counter[str] = Counter()
    mentions: list[Mention] = []
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(lines: Sequence[Message]) -> None:
        async with slots:
            answer = await written(talker, ASKED, record(lines, ME, numbered=True), longest=WORDS)
        counts["stretches" if answer else "failed"] += 1
        for candidate in _candidates(answer):
            reason, found = checked(candidate, lines, zone)
            counts[reason] += 1
            mentions.extend([found] if found is not None else [])
        step()

    await asyncio.gather(*map(one, parts))
    return mentions, counts


def checked(candidate: Any, lines: Sequence[Message], zone: Zone) -> tuple[str, Mention | None]:
    """Why a candidate is dropped; "taken", and what it tells, where it isn't."""
    fact, number, quote = (candidate.get(name) for name in ("fact", "line", "quote"))
    kind = _KINDS.get(str(candidate.get("kind")))
    if not (isinstance(fact, str) and isinstance(quote, str) and kind and type(number) is int):
        return "malformed", None
    fact, quote = fact.strip(), " ".join(quote.split())
    if not (fact.startswith(ME) and 3 <= len(fact) <= 60) or "\n" in fact or privacy.find(fact):
        return "malformed", None
    if not (1 <= number <= len(lines) and quote and quote in plain(lines[number - 1].text)):
        return "not_in_the_record", None
    source, question = lines[number - 1], _before(lines, number - 1)
    if not source.learnable:
        return "not_mine", None
    if not _grounded(fact, source.text + (question.text if question is not None else "")):
        return "says_more", None
    if any(line.mine and taken_back(line.text) for line in _after(lines, number - 1)):
        return "taken_back", None
    parts = list(clauses(source))
    answers = question is not None and _ASKS.search(question.text) is not None
    if _ASKS.search(source.text) or not (parts or answers):
        return "doubtful", None
    by_rule = told(fact)
    passing = not answers and all(part.passing for part in parts)
    statement = by_rule or Statement(kind, f"句:{key_of(fact)}", "是", fact, True, "")
    day = zone.local(source.time).date()
    return "taken", mention(statement._replace(plain=not passing), source, day, read=True)


def _candidates(answer: str) -> Iterator[Any]:
    """The objects in what the engine wrote, whatever stands around them."""
    for text in _OBJECT.findall(answer):
        try:
            yield json.loads(text)
        except ValueError:
            continue


def _before(lines: Sequence[Message], place: int) -> Message | None:
    """The other's line that this one may answer."""
    for line in reversed(lines[max(0, place - LINES) : place]):
        if not line.mine:
            return line if lines[place].time - line.time <= SOON else None
    return None


def _after(lines: Sequence[Message], place: int) -> Iterator[Message]:
    """The lines in which this one may be taken back."""
    return (line for line in lines[place + 1 : place + 1 + LINES] if line.time - lines[place].time <= SOON)


def _grounded(fact: str, said: str) -> bool:
    """Whether what a fact says, its numbers all, stands in what was said."""
    weighty = _SMALL.sub("", fact)
    if any(number not in said for number in re.findall(r"\d+", fact)):
        return False
    return bool(weighty) and sum(character in said for character in weighty) >= GROUNDED * len(weighty)
