"""What no bubble may be: machine text, a call to everybody, a contact nobody here has named, my last words again.

Knows single bubbles and what stood before them; who hears them, and what else is held back, is guard.py's.
"""

import re
from collections.abc import Sequence

from bot.persona.privacy import fold

_MACHINE = re.compile(
    r"<\|[^<>\n]{0,60}\|?>|<\|\w*|\w*\|>|</?(?:s|bos|eos|unk|pad|sep|cls|mask|think|thinking|reasoning|answer|tool_call|tool_response"
    r"|start_of_turn|end_of_turn|start_header_id|end_header_id|eot_id|im_start|im_end|endoftext)>|\[/?INST\]|<<?/?SYS>>?|\[(?:PAD|CLS|SEP|UNK|MASK|BOS|EOS)\]"
    r"|<0x[0-9A-Fa-f]{2}>|^\ufffd+$|\{[{%#]|[%#}]\}|\{(?:me|name)\}|\[CQ:|\\[~→「」]"
    r"|Traceback \(most recent|^\s*File \"[^\"]+\", line \d+|^\s*at [\w.$<>]+\([\w.]+:\d+\)|^(?:\w+\.)*\w*(?:Error|Exception)\b:"
    r"|CUDA (?:error|out of memory)|out of memory|(?:model|engine|persona) (?:is |was )?(?:not |un)(?:loaded|ready|available|started)"
    r"|模型(?:还)?(?:没有?|未|尚未)(?:加载|启动|载入|就绪)|internal server error|^(?:assistant|system|user)\s*[:：]?$|^(?:###? ?)?(?:Instruction|Response|Human|Assistant|System)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_EVERYBODY = re.compile(
    r"@\s*(?:全体成员|全体|所有人|全员|大家伙|everyone|everybody|here|channel|all)(?![a-z0-9])", re.IGNORECASE
)
_TLD = r"(?:com|cn|net|org|io|top|xyz|cc|co|tv|app|link|vip|shop|site|club|info|biz|live|online|fun|icu|ltd|dev|ai|us|uk|jp|ru|de|hk|tw|gg|edu|gov|moe|wang|store|work|pro|ink)"
_LINK = re.compile(
    rf"(?:[a-z][a-z0-9+.\-]{{1,10}}://|www\.)[^\s，。！？、（）「」“”<>]+|(?<![a-z0-9@._\-])(?:[a-z0-9\-]{{1,63}}\.)+{_TLD}(?![a-z0-9.])(?:/[^\s，。！？、（）「」“”<>]*)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![0-9.])[0-9](?:[ \-]?[0-9]){6,}(?![0-9])")
_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_NOISE = re.compile(r"[\W_]+")
_RUNS = re.compile(r"(.{1,4}?)\1{2,}")
SHORT = 6
"""Characters up to which a line is a habit (嗯, 哈哈, 好的): it may come again once somebody else has spoken."""
LATELY = 4
"""How many of my last lines in a chat a longer one must differ from."""
NEAR = 0.9
"""Share of its pairs of characters that a line has in common with another for the two to be nearly the same."""


def is_machine_text(bubble: str) -> bool:
    """Whether a machine speaks: a stack trace, a special token, a template, an error of the engine."""
    return not bubble.strip() or _MACHINE.search(fold(bubble)) is not None


def calls_everybody(bubble: str) -> bool:
    """Whether this would ring at every member of a group."""
    return _EVERYBODY.search(fold(bubble)) is not None


def invented_contact(bubble: str, known: str) -> bool:
    """Whether there is a link or a long number in it that the chat hasn't had: a phone, a QQ number, a card."""
    folded = fold(bubble)
    links = [found[0].rstrip(".,;:!?").lower() for found in _LINK.finditer(folded)]
    numbers = [bare for found in _NUMBER.finditer(folded) if not _is_harmless(bare := re.sub(r"[ \-]", "", found[0]))]
    if not (links or numbers):
        return False
    here = fold(known).lower()
    digits = re.sub(r"(?<=[0-9])[ \-](?=[0-9])", "", here)
    return any(link not in here for link in links) or any(number not in digits for number in numbers)


def repeats(bubble: str, mine: Sequence[str], since: Sequence[str]) -> bool:
    """Whether this is what I have just said.

    `mine` are my lines in this chat, oldest first; `since` the last of them that nobody has answered yet.
    A habit may come again after somebody else's line; a longer one must differ from my last few.
    """
    words = same_words(bubble)
    before = since[-1:] if len(words) <= SHORT else mine[-LATELY:]
    return any(_nearly(words, same_words(line)) for line in before)


def same_words(text: str) -> str:
    """A text without case, width, punctuation, and how often something is said in a row."""
    plain = _NOISE.sub("", fold(text).lower())
    return _RUNS.sub(r"\1\1", plain) if plain else text.strip()


def _nearly(one: str, other: str) -> bool:
    if one == other or len(one) <= SHORT:
        return one == other
    pairs, others = _pairs(one), _pairs(other)
    return len(pairs & others) >= NEAR * max(len(pairs), len(others))


def _pairs(text: str) -> set[str]:
    return {text[place : place + 2] for place in range(len(text) - 1)}


def _is_harmless(number: str) -> bool:
    """A day, or laughter: 2333333, 6666666."""
    return _DATE.fullmatch(number) is not None or re.fullmatch(r"2?(\d)\1+", number) is not None
