"""Whether a run of characters that looks like personal data can be it: check digits, dates, ranges.

Knows the official shapes; doesn't know texts. Every function takes a folded piece (ASCII digits).
"""

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit

_LAUGHTER = re.compile(r"(\d)\1*|23+")
_PROVINCES = frozenset(["11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62"]) | {
    "63", "64", "65", "71", "81", "82", "83"
}  # fmt: skip
_SECRET_NAMES = re.compile(
    r"(?:.*[_\-])?(?:token|key|secret|password|passwd|pwd|passcode|sig|sign|signature|auth|session|sessionid|sid|ticket|code|invite|skey|pskey|uin)",
    re.IGNORECASE,
)
_NOT_MAIL = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "webp",
        "svg",
        "css",
        "js",
        "json",
        "html",
        "htm",
        "py",
        "ts",
        "md",
        "mp3",
        "mp4",
        "zip",
    ]
)


def digits_of(piece: str) -> str:
    return "".join(filter(str.isdigit, piece))


def is_laughter(piece: str) -> bool:
    """One digit over and over, or 2 followed by 3s (666, 2333)."""
    return _LAUGHTER.fullmatch(digits_of(piece)) is not None


def no_laughter(piece: str) -> bool:
    return not is_laughter(piece)


def is_phone(piece: str) -> bool:
    """A mobile number in the mainland, or one with a country code."""
    digits = digits_of(piece)
    return no_laughter(digits[-11:]) and len(set(digits)) > 1


def is_landline(piece: str) -> bool:
    return no_laughter(digits_of(piece)[-7:])


def is_id_card(piece: str) -> bool:
    """GB 11643: date of birth, and with 18 places ISO 7064 MOD 11-2, with 15 a province."""
    digits = re.sub(r"[^0-9Xx]", "", piece).upper()
    if len(digits) not in (15, 18):
        return False
    born = digits[6:14] if len(digits) == 18 else "19" + digits[6:12]
    if not is_date(int(born[:4]), int(born[4:6]), int(born[6:])):
        return False
    if len(digits) == 15:
        return digits[:2] in _PROVINCES and no_laughter(digits)
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(digits[:17]))
    return "10X98765432"[total % 11] == digits[17]


def is_date(year: int, month: int, day: int) -> bool:
    return 1890 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31


def is_bank_card(piece: str) -> bool:
    """ISO/IEC 7812: 16 to 19 digits with a right Luhn sum; no laughter, no row of round numbers."""
    digits = digits_of(piece)
    if not 16 <= len(digits) <= 19 or len(set(digits)) < 4:
        return False
    groups = re.split(r"[ \-]+", piece.strip())
    if len(groups) > 2 and all(group.endswith("00") or group.startswith(("19", "20")) for group in groups):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_ip4(piece: str) -> bool:
    """An address that may be somebody's: 127.0.0.1, masks and 1.1.1.1 are nobody's."""
    parts = [int(part) for part in piece.split(".")]
    if max(parts) > 255 or max(parts) < 10 or any(part != "0" and part.startswith("0") for part in piece.split(".")):
        return False
    return parts[0] not in (0, 127, 255)


def is_ip6(piece: str) -> bool:
    try:
        ipaddress.IPv6Address(piece)
    except ValueError:
        return False
    return any(map(str.isdigit, piece)) and len(piece) > 6


def is_mail(piece: str) -> bool:
    """No file name (icon@2x.png) and no repository (git@…)."""
    return not piece.startswith("git@") and piece.rsplit(".", 1)[-1].lower() not in _NOT_MAIL


def is_plate(piece: str) -> bool:
    """At least three of the places after the city's letter are digits."""
    return len(digits_of(piece)) >= 3 and len(set(piece[-5:])) > 1


def has_digit(piece: str) -> bool:
    return any(map(str.isdigit, piece))


def is_secret_link(piece: str) -> bool:
    """A password before the host, or a parameter that opens something."""
    try:
        parts = urlsplit(piece)
        names = [name for text in (parts.query, parts.fragment) for name, value in parse_qsl(text) if len(value) >= 4]
        password = parts.password
    except ValueError:
        return False
    return bool(password) or any(_SECRET_NAMES.fullmatch(name) for name in names)
