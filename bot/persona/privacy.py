r"""Personal data → typed placeholders, in what is learned from and in what the bot says.

Knows patterns and checksums; doesn't know people's names. `\b` is no border between a 汉字 and
a digit, so borders are digits' own: `(?<![0-9])…(?![0-9])`. Full-width digits count as digits.
A run of one digit, or 2 followed by 3s (666, 2333), is laughter and stays.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

LABELS = {
    "phone": "[电话]",
    "landline": "[座机]",
    "id_card": "[身份证]",
    "bank_card": "[银行卡]",
    "mail": "[邮箱]",
    "ip": "[IP]",
    "plate": "[车牌]",
    "address": "[地址]",
    "key": "[密钥]",
    "wxid": "[微信号]",
    "qq": "[QQ号]",
    "secret": "[口令]",
}
"""Kind → placeholder. No loss is put on a placeholder, and none is ever sent."""

PLACEHOLDER = re.compile("|".join(re.escape(label) for label in LABELS.values()))

_FOLD = str.maketrans("０１２３４５６７８９＠．－＋　", "0123456789@.-+ ")
_LAUGHTER = re.compile(r"(\d)\1*|23+")
_WORTH_A_LOOK = re.compile(r"[0-9０-９@＠]|sk-|[密口]码|口令|wxid|[路街巷弄村道]|小区")
"""Most messages have none of these and are done in one search."""

_DASH = r"[ \-—·]?"
_CITY = r"[一-龥]{2,7}?"


def _not_laughter(digits: str) -> bool:
    return _LAUGHTER.fullmatch(digits) is None


def _is_phone(text: str) -> bool:
    return _not_laughter(re.sub(r"\D", "", text)[-11:])


def _is_id_card(text: str) -> bool:
    """GB 11643: date of birth and, with 18 places, ISO 7064 MOD 11-2."""
    digits = re.sub(r"[^0-9Xx]", "", text)
    born = digits[6:14] if len(digits) == 18 else "19" + digits[6:12]
    year, month, day = int(born[:4]), int(born[4:6]), int(born[6:])
    if not (1900 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    if len(digits) == 15:
        return True
    total = sum(int(d) * (2 ** (17 - i) % 11) for i, d in enumerate(digits[:17]))
    return "10X98765432"[total % 11] == digits[17].upper()


def _is_bank_card(text: str) -> bool:
    """ISO/IEC 7812: 16 to 19 digits with a right Luhn sum, and no laughter."""
    digits = re.sub(r"\D", "", text)
    if not 16 <= len(digits) <= 19 or not _not_laughter(digits):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_ip(text: str) -> bool:
    return all(int(part) <= 255 for part in text.split("."))


_RULES: tuple[tuple[str, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    ("key", re.compile(r"\b(?:sk|ghp|gho|xox[bp]|AKIA)[-_]?[A-Za-z0-9_\-]{16,}"), None),
    ("mail", re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+\-]*@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}"), None),
    (
        "secret",
        re.compile(
            r"(?:密码|口令|验证码|取件码|passw(?:or)?d)\s*(?:是|为|:|：|=)?\s*([A-Za-z0-9!#$%&*@._\-]{4,32})",
            re.IGNORECASE,
        ),
        None,
    ),
    (
        "qq",
        re.compile(
            r"(?:[Qq]{2}号?|扣扣|企鹅号|加我|加群|群号)\s*(?:[Qq]{2})?\s*(?:是|为|:|：)?\s*([1-9][0-9]{4,10})(?![0-9])"
        ),
        None,
    ),
    (
        "wxid",
        re.compile(r"wxid_[A-Za-z0-9]{6,}|(?:微信号?|[Vv][Xx])\s*(?:是|为|:|：)\s*([A-Za-z][A-Za-z0-9_\-]{5,19})"),
        None,
    ),
    (
        "id_card",
        re.compile(
            r"(?<![0-9])(?:[1-9][0-9]{5} ?(?:19|20)[0-9]{2} ?[0-9]{4} ?[0-9]{3}[0-9Xx]|[1-9][0-9]{14})(?![0-9A-Za-z])"
        ),
        _is_id_card,
    ),
    ("bank_card", re.compile(r"(?<![0-9])(?:[0-9][ \-]?){15,18}[0-9](?![0-9])"), _is_bank_card),
    (
        "phone",
        re.compile(
            rf"(?<![0-9])(?:(?:\+|00)?86{_DASH})?1[3-9][0-9]{_DASH}(?:[0-9]{{4}}{_DASH}[0-9]{{4}}|[0-9]{{3}}{_DASH}[0-9]{{5}}|(?:[0-9]{{2}}{_DASH}){{4}}|(?:[0-9]{_DASH}){{7}}[0-9])(?![0-9])"
        ),
        _is_phone,
    ),
    ("landline", re.compile(r"(?<![0-9])\(?0(?:10|2[0-9]|[3-9][0-9]{2})\)?[ \-][1-9][0-9]{6,7}(?![0-9])"), None),
    ("ip", re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])"), _is_ip),
    (
        "plate",
        re.compile(
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][ ·]?[A-HJ-NP-Z0-9]{5,6}(?![A-Za-z0-9])"
        ),
        None,
    ),
    (
        "address",
        re.compile(
            rf"(?:{_CITY}(?:省|自治区))?(?:{_CITY}[市州])?(?:{_CITY}[区县旗])?(?:{_CITY}(?:街道|镇|乡))?"
            r"[一-龥A-Za-z]{1,12}?(?:路|街|巷|弄|大道|胡同|新村|小区|村|花园|公寓)\s?[0-9一二三四五六七八九十百]{1,5}\s?(?:号|弄|幢|栋|号楼)"
            r"(?:[一-龥]{0,8}?\s?[0-9一二三四五六七八九十A-Za-z]{1,5}\s?(?:幢|栋|号楼|座|单元|号|楼|层|室|门|\-))*(?:\s?[0-9]{1,5}(?:室|号)?)?"
        ),
        None,
    ),
)


def find(text: str) -> list[tuple[int, int, str]]:
    """Personal data in a text: start, end, kind; in order, not overlapping."""
    if _WORTH_A_LOOK.search(text) is None:
        return []
    folded = text.translate(_FOLD)
    found: list[tuple[int, int, str]] = []
    for kind, pattern, is_real in _RULES:
        for match in pattern.finditer(folded):
            start, end = match.span(match.lastindex or 0)
            if is_real is not None and not is_real(match.group()):
                continue
            if all(end <= other or start >= stop for other, stop, _ in found):
                found.append((start, end, kind))
    return sorted(found)


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


def scrub(text: str, seen: Found | None = None) -> str:
    """The text with each piece of personal data replaced; `seen` tallies the pieces."""
    for start, end, kind in reversed(find(text)):
        if seen is not None:
            seen.note(kind, text[start:end])
        text = text[:start] + LABELS[kind] + text[end:]
    return text


def sendable(bubble: str, known: str = "") -> bool:
    """Whether the bot may say this: no placeholder, no personal data that isn't in `known`.

    `known` is what the chat itself has said: repeating a number that somebody has just written
    there gives nothing away.
    """
    if PLACEHOLDER.search(bubble):
        return False
    return all(bubble[start:end] in known for start, end, _ in find(bubble))
