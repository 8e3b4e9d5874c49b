r"""Personal data → typed placeholders, in what is learned from and in what the bot says.

Knows how findings become placeholders, tallies and verdicts; what personal data looks like is in
privacy_rules.py and privacy_address.py, people's names are in pseudonyms.py. A run of one digit, or
2 followed by 3s (666, 2333), is laughter and stays.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bot.persona import privacy_address as address
from bot.persona.privacy_rule import NEEDS
from bot.persona.privacy_rules import RULES, SPOKEN_RULES

LABELS = {
    "phone": "[电话]",
    "landline": "[座机]",
    "id_card": "[身份证]",
    "bank_card": "[银行卡]",
    "document": "[证件]",
    "mail": "[邮箱]",
    "ip": "[IP]",
    "plate": "[车牌]",
    "address": "[地址]",
    "key": "[密钥]",
    "link": "[私密链接]",
    "wxid": "[微信号]",
    "qq": "[QQ号]",
    "secret": "[口令]",
}
"""Kind → placeholder. No loss is put on a placeholder, and none is ever sent."""

PLACEHOLDER = re.compile("|".join(re.escape(label) for label in LABELS.values()))

_SAME = str.maketrans(
    "\u3000\u00a0‐‑‒–—―−﹣•・●﹒⓪①②③④⑤⑥⑦⑧⑨❶❷❸❹❺❻❼❽❾",
    "  " + "-" * 8 + "···." + "0123456789123456789",
)
_FOLD = {
    **{wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)},
    **{start + digit: 48 + digit for start in (0x660, 0x6F0, *range(0x1D7CE, 0x1D800, 10)) for digit in range(10)},
    **_SAME,
}
"""Characters that are read like another one; always one for one, so that places stay."""

_SPOKEN_DIGITS = "零〇○幺一壹二两贰三叁四肆五伍六陆七柒八捌九玖"
_SPOKEN = str.maketrans(_SPOKEN_DIGITS, "00011122233445566778899")
_SPELLED = re.compile(rf"[{_SPOKEN_DIGITS}0-9](?:[ \-,.、]?[{_SPOKEN_DIGITS}0-9]){{10}}")

_DIGIT = "0-9０-９⓪①-⑨❶-❾𝟎-𝟿٠-٩۰-۹十" + _SPOKEN_DIGITS
_WORTH_A_LOOK = re.compile(
    rf"[{_DIGIT}](?:[^\w]{{0,3}}[{_DIGIT}]){{3}}|[路街巷弄道同村区园苑邨寓厦场楼馆府邸镇段东西南北] ?[{_DIGIT}百]|[@＠]|://|[密口]|码|[微威薇维]信"
    r"|[vVwWｖｗ][xXｘ信]|加[vVｖ]|绿泡泡|艾特|[ (（\[]at[ )）\]]|[Pp]ass|pwd|PWD|[A-Za-z0-9_\-]{14}|[:：]{2}|:[0-9A-Fa-f]{1,4}:|钥|暗号|[址证照]"
    r"|[wW]e[iC][xhX]|[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][ ·]?[A-Za-zＡ-Ｚ]"
)
"""Most messages have none of these and are done in one search."""

_LOOKS = 50
"""A text is looked at until nothing new is found; no more often than this, so that time stays linear."""

_REACH = 200
"""Characters of earlier bubbles that may belong to what the next one says."""

SAMPLES = 5
"""Masked samples of a kind that a report shows."""


@dataclass(slots=True)
class Found:
    """A tally of personal data for a report: how much of each kind, and what a little of it looked like."""

    counts: Counter[str] = field(default_factory=Counter)
    """Kind (a key of LABELS) → pieces found."""
    samples: dict[str, list[str]] = field(default_factory=dict)
    """Kind → up to SAMPLES different pieces, masked."""

    def note(self, kind: str, piece: str) -> None:
        """Count a piece of personal data."""
        self.counts[kind] += 1
        samples = self.samples.setdefault(kind, [])
        if len(samples) < SAMPLES and (masked := mask(piece)) not in samples:
            samples.append(masked)

    def add(self, other: "Found") -> None:
        """Take another tally in."""
        self.counts.update(other.counts)
        for kind, samples in other.samples.items():
            mine = self.samples.setdefault(kind, [])
            mine.extend([sample for sample in samples if sample not in mine][: SAMPLES - len(mine)])

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def to_row(self) -> dict[str, dict[str, object]]:
        """Kind → count and samples, most frequent first; fit for JSON."""
        return {kind: {"count": n, "samples": self.samples.get(kind, [])} for kind, n in self.counts.most_common()}


def report(texts: Iterable[str]) -> Found:
    """The personal data in some texts, masked."""
    found = Found()
    for text in texts:
        scrub(text, found)
    return found


def mask(piece: str) -> str:
    """The first and the last character, and stars; a short piece is stars only."""
    if len(piece) < 4:
        return "*" * len(piece)
    return f"{piece[0]}{'*' * (min(len(piece), 26) - 2)}{piece[-1]}"


def fold(text: str) -> str:
    """The text with full-width and other look-alike characters as ASCII, of the same length."""
    return text.translate(_FOLD)


def find(text: str) -> list[tuple[int, int, str]]:
    """Personal data in a text: start, end, kind; in order, not overlapping."""
    if _WORTH_A_LOOK.search(text) is None:
        return []
    left, found = fold(text), []
    for _ in range(_LOOKS):
        # What is left may look like something only now that what stood in its way is gone.
        left, fresh = _look(left)
        if not fresh:
            break
        found += fresh
    return sorted(found)


def _look(text: str) -> tuple[str, list[tuple[int, int, str]]]:
    """What every rule finds in a folded text, and the text without it."""
    found: list[tuple[int, int, str]] = []
    needs = {need: sign.search(text) is not None for need, sign in NEEDS.items()}
    for rule in RULES:
        if needs[rule.needs] and (spans := rule.spans(text)):
            text = _blanked(text, spans)
            found += [(start, end, rule.kind) for start, end in spans]
    if _SPELLED.search(text) is not None:
        for rule in SPOKEN_RULES:
            spans = rule.spans(text.translate(_SPOKEN))
            text = _blanked(text, spans)
            found += [(start, end, rule.kind) for start, end in spans]
    if address.NEEDED.search(text) is not None:
        for shape in address.SHAPES:
            spans = shape(text)
            text = _blanked(text, spans)
            found += [(start, end, "address") for start, end in spans]
    return text, found


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with something in place of each span that borders on its neighbours like a placeholder."""
    parts, done = [], 0
    for start, end in spans:
        parts += text[done:start], f"[{'囗' * (end - start - 2)}]"
        done = end
    return "".join([*parts, text[done:]])


def scrub(text: str, seen: Found | None = None) -> str:
    """The text with each piece of personal data replaced; `seen` tallies the pieces."""
    found = find(text)
    if not found:
        return text
    parts, done = [], 0
    for start, end, kind in found:
        if seen is not None:
            seen.note(kind, text[start:end])
        parts += text[done:start], LABELS[kind]
        done = end
    return "".join([*parts, text[done:]])


def sendable(bubble: str, known: str = "", before: Sequence[str] = ()) -> bool:
    """Whether the bot may say this: no placeholder, no personal data that isn't in `known`.

    `known` is what the chat itself has said: repeating a number that somebody has just written
    there gives nothing away. `before` are the bubbles that came right before this one: what is
    broken over several bubbles is found where it ends.
    """
    if PLACEHOLDER.search(bubble):
        return False
    said = "".join(before)[-_REACH:]
    whole = [("", bubble), *(((said, joint + bubble) for joint in ("", " ")) if said else ())]
    return all(_is_known(piece, known) for head, tail in whole for piece in _ending_in(head, tail))


def _ending_in(head: str, tail: str) -> Iterator[str]:
    """The personal data in head and tail together that reaches into the tail."""
    text = head + tail
    return (text[start:end] for start, end, _ in find(text) if end > len(head))


def _is_known(piece: str, known: str) -> bool:
    """Whether the chat has it, written in whatever way; a part of a longer number is something else."""
    bare = _bare(piece)
    return re.search(rf"(?<![0-9]){re.escape(bare)}(?![0-9])", _bare(known)) is not None


def _bare(text: str) -> str:
    return re.sub(r"[ \-.·_]", "", fold(text))
