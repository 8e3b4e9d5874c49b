"""What the end of a chat asks for, and how surely a sentence of mine answers it.

    你妈是哪里人来着        origin of 妈: 我妈是湖南人 answers it; 我是湖南人, 我妈叫桂芳 don't
    你家wifi密码多少        no slot we know: answered by what has the same words, and a number beside them

Four things make an answer: it tells what is asked; all that the question says beside that is found in it; it is
about nobody else; and it says more than the question did. By words alone: who says the same in other words is not
understood. Doesn't know who may hear what, nor any store.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.persona.grams import WIDE
from bot.persona.slots import ALIKE, ALSO, KIN, NUMBER, OTHERS, SLOTS, WHAT, WHEN, WHERE

SURE = 0.6
"""What fits at least so well is an answer."""
UNASKED = 0.7
"""The share of a question's own words that an answer must have where no slot tells what is asked."""
LONGEST = 200
"""Characters of a line that are looked at."""
_LEAST = 2
"""And how many characters of them."""
_DOING = re.compile(r"[吃喝看玩听]")
"""What one likes to do stays a part of the question."""

_PLACES = {"home", "origin", "work", "study"}
"""Slots whose words are about places, too: what tells one of them tells nothing else by its place."""
_ALIKE = [(re.compile(words), sign) for sign, words in {**KIN, **ALIKE}.items()]
_SOMEBODY = re.compile("|".join([*KIN, OTHERS]))
_SUBJECT = re.compile(rf"^(?:我们?|家里?|的|那|这|只)*({_SOMEBODY.pattern})")
_CLAUSE = re.compile(r"[\s，。,.!！?？;；、~～…:：]+")
_TURNED = re.compile(r"^(?P<value>.+?)(?:就|才|也)?是我(?:的)?(?P<rest>.+)$")
_PASSING = r"现在|目前|如今|眼下|平时|平常|业余|一般|通常|经常|到底|究竟|具体|其实|真的|来着|好像|应该|大概|特别|比较|超级?|有点|最近?|今年|一直|[的了呀啊啦呢哦哈吖]"
"""What may stand between any two words and changes little."""
_BETWEEN = re.compile(_PASSING)
_BETWEEN_ASKED = re.compile(rf"{_PASSING}|是(?!不是)")
_FILLER = re.compile(
    rf"{_PASSING}|是不是|有没有|可以|能不能|告诉|说说"
    r"|请问|东西|发我下?|发一?下|发给我|报一?下|想问|问下|问一下|问你|想知道|方便|透露|记得|还记得|忘了|听说|话说|对了|一下|说过|之前说|跟我说"
    rf"|我们|你们|自己|本人|咱们?|您|什么|啥|怎么|为什么|为啥|咋|多少|谁|{WHEN}|{WHERE}"
    r"|[的了我你是在有就都也还吗呢吧啊呀哦噢嗯哈嘿哎唉诶喔嘛哇啦咯么这那得着过把给和与跟或但而又再才很最会能要个只条辆款家里哪几多不没对属于叫说于从被让之所其并以及为因可到去做来那人样种名]"
)
"""What a question is made of beside what it is about."""
_LETTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")
_LATIN = re.compile(r"[0-9a-z]+")
_RUN = re.compile(r"[0-9a-z]+|[^0-9a-z]+")
_YES_OR_NO = re.compile(r"(?:吗|嘛|没有?|不|么)$|是不是|有没有|([一-鿿])不\1")
_KINDS_OF_ASKING = {
    "how": re.compile(r"怎么(?!称呼|叫)|怎样|为什么|为啥|咋(?!称呼|叫)|如何(?!称呼)"),
    "when": re.compile(WHEN),
    "number": re.compile(r"多少|几(?!乎)|多[大高长重久远快贵宽深]"),
    "who": re.compile(r"谁"),
    "where": re.compile(WHERE),
    "what": re.compile(rf"{WHAT}|哪|(?:怎么|咋|如何)(?:称呼|叫)|[发给]我|发一?下|报一?下"),
}
"""Questions by what they want, the most telling first."""
_TELLS = {
    "when": re.compile(rf"{NUMBER}|[年月号日周天节]|昨|前|去年|春|夏|秋|冬"),
    "number": re.compile(rf"{NUMBER}"),
    "who": re.compile(rf"{'|'.join(KIN)}|{OTHERS}|[a-z]|朋友|同学|同事|小.|阿."),
    "where": re.compile(r"在|去|到|[省市县区镇村路街]"),
    "what": re.compile(r"."),
}
"""And what must stand in an answer, beside the words of the question."""


@dataclass(slots=True, frozen=True)
class Question:
    """One question: the slots it names, what it wants where it names none, and its own words."""

    slots: frozenset[str]
    wants: str
    own: str
    """What it says beside that, without pronouns and particles."""
    text: str


@dataclass(slots=True, frozen=True)
class Wanted:
    """What the last line asks that asks anything."""

    questions: tuple[Question, ...] = ()

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Wanted":
        """What lines of a chat ask, oldest first."""
        for line in reversed(list(lines)):
            if found := tuple(_questions(_folded(line))):
                return cls(found)
        return cls()

    @property
    def kinds(self) -> set[str]:
        """The kinds of facts that mostly tell it."""
        return {SLOTS[slot].kind for question in self.questions for slot in question.slots}

    @property
    def of_me(self) -> bool:
        """Whether I am asked about myself: a slot, or 你 or 您."""
        return any(question.slots or {"你", "您"} & {*question.text} for question in self.questions)

    def fit(self, text: str) -> float:
        """How surely something that I said answers it: from 0, not at all, to 1; an answer from SURE on."""
        return max((_fit(question, text) for question in self.questions), default=0.0)


def _questions(text: str) -> Iterator[Question]:
    clauses = [_BETWEEN_ASKED.sub("", clause) for clause in _clauses(text)]
    for number, clause in enumerate(clauses, 1):
        wants = next((kind for kind, words in _KINDS_OF_ASKING.items() if words.search(clause)), "")
        wants = wants or ("yes" if _YES_OR_NO.search(clause) else "")
        named = {name: found for name, slot in SLOTS.items() if (found := list(slot.asked.finditer(clause)))}
        if len(named) > 1:
            named.pop("place", None)
        if "hobby" in named:
            named.pop("likes", None)
        left = list(clause)
        for found in (one for some in named.values() for one in some):
            for place in range(*found.span()):
                left[place] = clause[place] if _DOING.match(clause[place]) else " "
        own = _own("".join(left))
        # 星座? asks; 要专业的 and 有名字的伞 only have the word.
        if wants or (named and not own and number == len(clauses)):
            yield Question(frozenset(named), wants, own, clause)


def _fit(question: Question, text: str) -> float:
    folded = _folded(text)
    if not question.slots:
        return _fit_by_words(question, folded)
    clauses = _clauses(_BETWEEN.sub("", _TURNED.sub(r"我\g<rest>是\g<value>", folded)))
    told = any(_tells(question, slot, clause) for clause in clauses for slot in question.slots)
    return _share(question.own, folded) if told else 0.0


def _tells(question: Question, slot: str, clause: str) -> bool:
    """Whether a clause tells what the slot asks, of whom the question asks it."""
    for name in (slot, *ALSO.get(slot, ())):
        if name == "place" and any(SLOTS[one].told.search(clause) for one in _PLACES - {slot}):
            continue
        match = SLOTS[name].told.search(clause)
        if match and _about_the_same(question, clause, match.start(), SLOTS[name].value_first):
            return True
    return False


def _fit_by_words(question: Question, folded: str) -> float:
    """Where no slot is named, the words must be the same, and there must be something to tell beside them."""
    share, own = _share(question.own, folded), question.own.replace(" ", "")
    new = "".join(character for character in _own(folded) if character not in question.text and character != " ")
    if share < UNASKED or len(own) * share < _LEAST or question.wants == "how":
        return 0.0
    if _SOMEBODY.findall(folded) != _SOMEBODY.findall(question.text):
        return 0.0
    tells = question.wants == "yes" or (question.wants in _TELLS and _TELLS[question.wants].search(new))
    return share if tells else 0.0


def _about_the_same(question: Question, clause: str, start: int, value_first: bool) -> bool:
    """Whether what a sentence is about, said before what it tells, is what the question is about."""
    if value_first:
        return set(_SUBJECT.findall(clause)) == set(_SOMEBODY.findall(question.own))
    return _share(_own(clause[:start]), question.text) >= SURE


def _share(own: str, text: str) -> float:
    """The share of words that a text has, by characters: of two and more together whole, of one alone half."""
    found = total = 0.0
    words = set(_LATIN.findall(text))
    for run in (run for some in own.split() for run in _RUN.findall(some)):
        total += len(run)
        if run[0] in _LETTERS:
            # Half a word or number is another one.
            found += len(run) * (run in words)
            continue
        held = [False] * len(run)
        for place in range(len(run) - 1):
            if run[place : place + 2] in text:
                held[place] = held[place + 1] = True
        for character, whole in zip(run, held, strict=True):
            found += 1.0 if whole else (1.0 if len(run) == 1 else 0.5) * (character in text)
    return found / total if total else 1.0


def _own(text: str) -> str:
    return " ".join(_FILLER.sub(" ", text).split())


def _clauses(text: str) -> Sequence[str]:
    return [clause for clause in _CLAUSE.split(text) if clause]


def _folded(text: str) -> str:
    """A text in one width and case, with one sign for words of one meaning."""
    folded = text[:LONGEST].translate(WIDE).lower()
    for words, sign in _ALIKE:
        folded = words.sub(sign, folded)
    return folded
