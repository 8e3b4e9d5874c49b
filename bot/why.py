"""The last decisions of a chat in one line that its owner can read."""

import time

from bot import words
from bot.turn_state import Chat, Why
from bot.words import Language

_CLOCK = "%H:%M:%S"


def told(chat: Chat, language: Language, *, now: float, utc_offset: float, persona: str, prompt: int) -> str:
    """Why the newest message got what it got, and the last reply. `prompt`: characters of its prompt."""
    lines = [_line(chat.why, language, utc_offset)]
    if chat.why_said.time and chat.why_said != chat.why:
        lines.append(words.WHY_BEFORE(language, line=_line(chat.why_said, language, utc_offset)))
    standing = words.WHY_STANDING(language, mode=chat.rules.mode, freq=chat.rules.freq, persona=persona)
    if prompt:
        standing += words.WHY_PROMPT(language, chars=prompt)
    if chat.hushed_until > now:
        standing += words.WHY_QUIET(language, clock=_clock(chat.hushed_until, language, utc_offset))
    return words.WHY_NEXT(language).join([*lines, standing])


def _line(why: Why, language: Language, utc_offset: float) -> str:
    line = words.DID[why.what](language)
    if why.time:
        line = f"{_clock(why.time, language, utc_offset)} {line}"
    if why.p is not None and why.drawn is not None:
        line += words.WHY_DRAWN(language, p=why.p, drawn=why.drawn)
    every = words.WHY_AND(language)
    if why.strongest:
        moved = every.join(f"{words.FEATURES[name](language)}{value:+.1f}" for name, value in why.strongest)
        line += words.WHY_BECAUSE(language, features=moved)
    if why.delay is not None:
        line += words.WHY_DELAY(language, seconds=max(0.0, why.delay))
    if why.caps:
        line += words.WHY_CAPPED(language, caps=every.join(words.CAPS[cap](language) for cap in why.caps))
    return line


def _clock(at: float, language: Language, utc_offset: float) -> str:
    if at - 9e9 > 0:
        return words.FOR_GOOD(language)
    return time.strftime(_CLOCK, time.gmtime(at + utc_offset))
