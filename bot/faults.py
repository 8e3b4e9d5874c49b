"""Why something failed, as a chat may read it.

Errors speak English, as the log does; many come over a child's stderr and are nothing but a line. Knows which
of the lines in words.FAULTS such a reason is, and says it in the chat's language; of any other it says what sort
of thing is wrong, and the English after it. Doesn't know who reads it.
"""

import re
from functools import cache
from string import Formatter

from bot import words
from bot.words import Language, Text


def told(language: Language, why: str | Exception) -> str:
    """A reason in the reader's language; English ones stand as they are."""
    reason = str(why)
    if language == "en":
        return reason
    for text, shape in _shapes():
        if found := shape.fullmatch(reason):
            values = found.groupdict()
            if "why" in values:
                values["why"] = told(language, values["why"])
            return text(language, **values)
    if isinstance(why, Exception):
        kinds = [kind.__name__ for kind in type(why).__mro__]
        return next((words.KINDS[kind](language, why=reason) for kind in kinds if kind in words.KINDS), reason)
    return reason


@cache
def _shapes() -> list[tuple[Text, re.Pattern[str]]]:
    return [(text, _shape(text.en)) for text in words.FAULTS]


def _shape(line: str) -> re.Pattern[str]:
    """What a line looks like when it is filled in."""
    parts = (
        re.escape(plain) + (f"(?P<{field}>.+?)" if field else "") for plain, field, _, _ in Formatter().parse(line)
    )
    return re.compile("".join(parts), re.DOTALL)
