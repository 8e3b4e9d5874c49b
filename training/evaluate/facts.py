"""Does it know what the owner confirmed, does it invent, and does it say so where nobody can know.

Questions come from me.toml and from a list of our own (training/evaluate/inquiries.py); each goes the way of
every message, with the memories that the bot would show. Judged by words alone: right is an answer with the
confirmed words in it that doesn't deny them; wrong one that states something else. Laughter, silence and a
question back are neither. It can't see that an answer adds an invention to what is right.

    persona             with its memories, as it serves         retrieval   says the first answer that it finds
    persona_no_memory   what training alone has left in it      base        the base model with the same memories
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bot.persona.privacy import fold
from training.evaluate.figures import Draws, Measured, Outcome, counted, draw_ratio, insufficient
from training.evaluate.inquiries import FEWEST, Inquiry, Question
from training.evaluate.sample import Answers, Sample

AXIS = "facts"
NEEDS = ("inquiries", "told")
GOOD: dict[str, tuple[float | None, float | None]] = {
    "right": (0.8, None),
    "wrong": (None, 0.05),
    "unknown": (0.9, None),
    "retrieved": (0.95, None),
}
WANTED = 50
"""Questions below which the note says that they are few."""
NOBODY = "不知道"
"""What a mere search says where it has found nothing."""

_UNSURE = re.compile(
    r"(?<!你)(?<!你也)(?:不(?:太|大|是很)?(?:知道|记得|清楚|晓得|确定|了解)|记不(?:得|清|住|起|太清)|想不起|忘了|忘记|没(?:啥|什么)?印象|没记|谁(?:还)?(?:知道|记得)|哪(?:还)?(?:知道|记得))(?!吗|么)"
    r"|\b(?:no idea|don'?t (?:know|remember)|can'?t (?:remember|recall)|not sure|forgot(?:ten)?|dunno|idk)\b",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(r"[?？]\s*$|(?:吗|呢|啥|什么|干嘛|怎么了)\s*$")
_EMPTY = re.compile(r"[\W_]|[哈嘿呵嘻啊呀哦噢嗯额呃唉诶哎嘛吧呗啦了的草6]|hh+|lol", re.IGNORECASE)


def measure(
    sample: Sample,
    answers: Answers,
    draws: Draws,
    *,
    quick: bool,
    inquiries: Sequence[Inquiry] = (),
    told: Answers | None = None,
) -> Outcome:
    """The shares of one system's answers to `inquiries`; what was said at the sample's moments plays no part.

    `told` is None for who isn't asked. Each question is a cluster of its own: intervals are exact ones of shares.
    """
    if told is None:
        return Outcome()
    if not inquiries:
        why = f"fewer than {FEWEST} questions: confirm facts with `mybot facts`, or write ask and answer"
        return Outcome({name: insufficient(why) for name in GOOD})
    known = [(one, reply.text) for one, reply in zip(inquiries, told, strict=True) if one.question.answerable]
    blank = [reply.text for one, reply in zip(inquiries, told, strict=True) if not one.question.answerable]
    return Outcome(
        {
            "right": _share("right", [right(text, one.question) for one, text in known], draws),
            "wrong": _share("wrong", [wrong(text, one.question) for one, text in known], draws),
            "unknown": _share("unknown", [unsure(text) for text in blank], draws),
            "retrieved": _share("retrieved", [one.found for one, _ in known], draws),
        }
    )


def read_aloud(inquiries: Sequence[Inquiry]) -> Answers:
    """The answers of a mere search: the first thing it is reminded of that answers, or that there is nothing."""
    first = [next((it.message.text for it in one.told.memory if it.answers), NOBODY) for one in inquiries]
    return [replace(one.told.mine, bubbles=(text,)) for one, text in zip(inquiries, first, strict=True)]


def right(text: str, question: Question) -> bool:
    """Whether an answer has confirmed words in it, and doesn't deny what wasn't denied when it was confirmed."""
    here, said = _folded(text), _folded(question.said)
    return any(
        _holds(here, words) and (_denies(said, words) or not _denies(here, words))
        for words in map(_folded, question.answers)
    )


def unsure(text: str) -> bool:
    """Whether an answer says that it doesn't know, or not any more."""
    return _UNSURE.search(text) is not None


def wrong(text: str, question: Question) -> bool:
    """Whether an answer states something, and not what was confirmed."""
    states = _EMPTY.sub("", text) and not _ASKS_BACK.search(text)
    return bool(states) and not unsure(text) and not right(text, question)


def _holds(text: str, words: str) -> bool:
    return re.search(_whole(words), text) is not None


def _denies(text: str, words: str) -> bool:
    return re.search(r"(?:不|没)[^，。,.!！?？\n]{0,2}" + _whole(words), text) is not None


def _whole(words: str) -> str:
    """A pattern of words; of a number the whole of it."""
    before, after = (r"(?<!\d)" if words[:1].isdigit() else ""), (r"(?!\d)" if words[-1:].isdigit() else "")
    return before + re.escape(words) + after


def _folded(text: str) -> str:
    return re.sub(r"[^\S\n]+", "", fold(text)).casefold()


def _share(name: str, held: Sequence[bool], draws: Draws) -> Measured:
    hits, n = sum(held), len(held)
    if n < FEWEST:
        return insufficient(f"{n} questions; {FEWEST} are needed", n=n)
    few = f"; {WANTED} questions would tell more" if n < WANTED else ""
    figure = counted(hits, n, good=GOOD[name], note=few)
    return Measured(figure, draw_ratio([float(one) for one in held], np.ones(n).tolist(), draws, AXIS))
