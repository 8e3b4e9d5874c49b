"""data/me.toml: what the owner has confirmed about themselves, and who may hear it.

    [[fact]]
    text = "我在宠物店上班"
    kind = "work"                    # who where work likes people never
    date = 2024-03-05                # since when it is so, or when it was said
    audience = ["20002"]             # anyone (the default), nobody, or numbers: accounts, group:123456
    until = 2027-01-01               # not true any more from this day on
    ask = "你在哪上班"                # for `mybot evaluate`: how one asks for it; without, some kinds have a question
    answer = ["宠物店"]              # of their own (training/evaluate/facts.py); words of which a right answer has one

A fact for certain accounts is told in their private chats and in no group; a group is named as such. Names
are no audience: anybody can take one. `never` is what must not be said at all: a word or a phrase.
Doesn't know prompts or stores.
"""

import datetime as dt
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from bot.persona.grams import grams
from bot.persona.manifest import write_atomically
from bot.persona.message import Message, Segment
from bot.persona.wanted import SURE, Wanted
from config.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

FactKind = Literal["who", "where", "work", "likes", "people", "never"]

CUES: Mapping[str, str] = {
    "who": r"叫什么|名字|你是谁|多大|几岁|年纪|年龄|哪年|生日|星座|属什么|身高|男的女的",
    "where": r"住哪|住在|哪里人|哪儿人|哪的人|老家|家在|家里在|哪个城市|哪个省|在哪(?:儿|里)?(?:住|生活|上学|工作)|地方",
    "work": r"工作|上班|做什么的|干什么的|干嘛的|职业|公司|单位|专业|学校|上学|读书|哪行|行业|打工|同事|老板",
    "likes": r"喜欢|爱吃|爱喝|爱好|兴趣|最爱|讨厌|不吃|忌口|过敏|口味|想吃|想要",
    "people": r"家里人|家人|爸|妈|姐|哥|弟|妹|对象|女朋友|男朋友|老婆|老公|孩子|儿子|女儿|朋友|同学|室友",
    "never": r"$^",
}
"""What is asked about a kind of fact, in words that the fact itself needn't have."""
_KINDS = {kind: re.compile(cues) for kind, cues in CUES.items()}
CUED = 3.0
"""What a question about its kind counts where nothing answers it, beside each pair of characters in common."""
ANSWERS = 20.0
"""What an answer counts: more than any words in common."""
LEAST = 1.0
"""Below that a fact has nothing to do with what is talked about."""

_FOLD = re.compile(r"[\W_]+")
_PAST = 0.0


class Fact(BaseModel):
    """One thing about me."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    text: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    """As I would say it."""
    kind: FactKind = "who"
    date: dt.date | None = None
    """Since when it is so."""
    audience: (
        Literal["anyone", "nobody"] | list[Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]]
    ) = "anyone"
    """Who may hear it."""
    until: dt.date | None = None
    """The first day on which it isn't so any more."""
    ask: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = ""
    """A question that it answers; for the evaluation alone."""
    answer: list[Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]] = []
    """Words of which an answer that is right has one."""

    @model_validator(mode="after")
    def _asked_and_answered(self) -> "Fact":
        if self.ask and not self.answer:
            raise ValueError("ask needs answer: the words of a right one")
        return self

    def heard_in(self, chat: str) -> bool:
        """Whether everybody in that chat may hear it."""
        if self.kind == "never" or self.audience == "nobody":
            return False
        return self.audience == "anyone" or any(f":{chat}".endswith(f":{_place(one)}") for one in self.audience)

    def holds(self, day: dt.date) -> bool:
        """Whether it is so on that day."""
        return (self.date is None or self.date <= day) and (self.until is None or day < self.until)


@dataclass(slots=True, frozen=True)
class Fitting:
    """A fact that has to do with what is talked about; whether it answers it as well."""

    fact: Fact
    score: float
    answers: bool


class Facts(BaseModel):
    """All of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fact: list[Fact] = Field(default=[])

    @classmethod
    def load(cls, path: Path) -> "Facts":
        """The facts of a file. InputError where it isn't there, or not what it should be."""
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise InputError(f"{path} does not exist", hint="run `mybot facts`, or leave [bot] me empty") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: {error}", hint="mend that line of the file") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in first["loc"])
            raise InputError(
                f"{path}: {place}: {first['msg'].lower()}",
                hint="a fact has text, kind (who where work likes people never), date, audience, until, ask, answer",
            ) from None

    def write(self, path: Path) -> None:
        """Write them all as a file that people can edit."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, HEAD + "".join(_toml(fact) for fact in self.fact))

    def fitting(
        self,
        chat: str,
        weights: Mapping[str, float],
        wanted: Wanted,
        lines: Sequence[str],
        day: dt.date,
        meant: Mapping[str, float] | None = None,
    ) -> list[Fitting]:
        """What has to do with what is talked about, may be heard there and holds on that day; the best first.

        `lines` are the talk, `weights` its grams and what they count, `wanted` what it asks, `meant` the texts that
        mean what is said, in whatever words, and what that counts. Answers come first;
        a fact that is only of the kind that is asked about is there where none answers.
        """
        words, kinds = " ".join(lines), wanted.kinds
        heard = self._heard(chat, day)
        sure = {fact.text: fit for fact in heard if (fit := wanted.fit(fact.text)) >= SURE}
        found: list[Fitting] = []
        for fact in heard:
            score = sum(
                weight * (1.0 if len(gram) > 1 else 0.6) for gram in grams(fact.text) if (weight := weights.get(gram))
            )
            if not sure and (fact.kind in kinds or _KINDS[fact.kind].search(words)):
                score += CUED
            score += (meant or {}).get(fact.text, 0.0)
            if fact.text in sure or score >= LEAST:
                found.append(Fitting(fact, score + ANSWERS * sure.get(fact.text, 0.0), fact.text in sure))
        return sorted(found, key=lambda one: -one.score)

    @property
    def told(self) -> list[Fact]:
        """Those that somebody may hear."""
        return [fact for fact in self.fact if fact.kind != "never" and fact.audience != "nobody"]

    def others(self, chat: str, day: dt.date, but: Collection[str]) -> list[Fact]:
        """What else may be heard there and holds on that day, beside these texts; the newest first."""
        found = [fact for fact in self._heard(chat, day) if fact.text not in but]
        return sorted(found, key=lambda fact: fact.date or dt.date.min, reverse=True)

    def _heard(self, chat: str, day: dt.date) -> list[Fact]:
        return [fact for fact in self.fact if fact.heard_in(chat) and fact.holds(day)]

    def forbidden(self, text: str) -> bool:
        """Whether a text has something in it that must never be said, however it is spaced or punctuated."""
        folded = _folded(text)
        return any(phrase in folded for fact in self.fact if fact.kind == "never" and (phrase := _folded(fact.text)))


HEAD = """\
# Facts about me that the persona may use. `mybot facts` proposes some; all of it may be edited.
# kind: who where work likes people never; audience: "anyone", "nobody", or a list such as ["20002", "group:123456"].
# ask and answer: a question and words of which a right answer has one; `mybot evaluate` asks it.
"""


def as_message(fact: Fact, chat: Message) -> Message:
    """A fact as the prompt takes it: something I say in that chat."""
    said = dt.datetime.combine(fact.date, dt.time(12), dt.timezone.utc).timestamp() if fact.date else _PAST
    return Message("", chat.chat, chat.kind, int(said), "", "", [Segment("text", fact.text)], mine=True)


def _place(one: str) -> str:
    return one if ":" in one else f"private:{one}"


def _folded(text: str) -> str:
    return _FOLD.sub("", text).casefold()


def _toml(fact: Fact) -> str:
    lines = ["\n[[fact]]\n", f"text = {_quoted(fact.text)}\n", f'kind = "{fact.kind}"\n']
    if fact.date is not None:
        lines.append(f"date = {fact.date.isoformat()}\n")
    if isinstance(fact.audience, list):
        lines.append(f"audience = [{', '.join(map(_quoted, fact.audience))}]\n")
    elif fact.audience != "anyone":
        lines.append(f'audience = "{fact.audience}"\n')
    if fact.until is not None:
        lines.append(f"until = {fact.until.isoformat()}\n")
    if fact.ask:
        lines.append(f"ask = {_quoted(fact.ask)}\n")
    if fact.answer:
        lines.append(f"answer = [{', '.join(map(_quoted, fact.answer))}]\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c for c in text.replace("\\", "\\\\"))
    return '"' + escaped.replace('"', '\\"') + '"'
