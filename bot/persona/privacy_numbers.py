"""Personal data that is a number or a code of a known shape: cards, phones, papers, plates, addresses of machines."""

from bot.persona import privacy_checks as check
from bot.persona.privacy_rule import NOT_AMOUNT, rule

_D = "[0-9]"
_FREE, _END = f"(?<!{_D})", f"(?!{_D})"
_IS = r"(?:号码?)?(?:\s?(?:就?是|为|[:=]))?\s*"
_NO_MONEY = r"(?!\s?(?:[块元万亿分]|公里|积分|金币))"

_GROUPED_ID_CARD = rule(
    "id_card", "long", rf"{_FREE}[1-9]{_D}{{3}}(?:[ \-]{_D}{{4}}){{3}}[ \-]{_D}[0-9Xx]{_END}", check.is_id_card
)
_ID_CARDS = (
    rule("id_card", "long", rf"身份证{_IS}(?P<it>[1-9](?:[ \-]?{_D}){{16}}[ \-]?[0-9Xx]|[1-9]{_D}{{14}}){_END}"),
    rule("id_card", "long", rf"{_FREE}[1-9](?:[ \-]?{_D}){{16}}[ \-]?[0-9Xx]{_END}", check.is_id_card),
    rule("id_card", "long", rf"{_FREE}[1-9](?: ?{_D}){{14}}{_END}", check.is_id_card),
)

_CARD = r"(?:[4-69][0-9]|3[5-6]|2[2-7])[0-9]{2}"
_FOUR = rf"[ \-]{{1,2}}{_D}{{4}}"
_BANK_CARD = rule("bank_card", "long", rf"{_FREE}{_CARD}{_D}{{12,15}}{_END}", check.is_bank_card)
_GROUPED_BANK_CARDS = (
    rule("bank_card", "long", rf"{_FREE}{_CARD}{_FOUR}{_FOUR}{_FOUR}[ \-]{{1,2}}{_D}{{1,3}}{_END}", check.is_bank_card),
    rule("bank_card", "long", rf"{_FREE}{_CARD}{_FOUR}{_FOUR}{_FOUR}{_END}", check.is_bank_card),
    rule("bank_card", "long", rf"{_FREE}{_CARD}{_D}{{2}}[ \-]{_D}{{10,13}}{_END}", check.is_bank_card),
)
_CUED_BANK_CARD = rule(
    "bank_card",
    "long",
    rf"(?:卡号|银行卡|储蓄卡|信用卡|工行|建行|农行|招行){_IS}(?P<it>[1-9](?:[ \-]{{0,2}}{_D}){{15,18}}){_END}",
    check.no_laughter,
)

_GAP = r"(?: ?[\-.·/_] ?| {1,2}|\u200b)"
_GROUPS = (
    rf"{_D}{{9}}",
    rf"{_D}(?P<a>{_GAP}){_D}{{4}}(?P=a){_D}{{4}}",
    rf"{_D}(?P<b>{_GAP}){_D}{{3}}(?P=b){_D}{{5}}",
    rf"{_D}{{2}}(?P<c>{_GAP}){_D}{{3}}(?P=c){_D}{{4}}",
    rf"{_D}(?P<d>[ \-]){_D}{{2}}(?P=d){_D}{{2}}(?P=d){_D}{{2}}(?P=d){_D}{{2}}",
    rf"{_D}{_GAP}{_D}{{4}}{_GAP}?{_D}{{4}}",
    rf"{_D}{{2}}{_GAP}{_D}{{7}}",
    rf"{_D}{{3}} {_D}{{6}}",
    rf"{_D}{{5}}{_GAP}{_D}{{4}}",
)
"""What follows 1 and the second digit of a mobile number, as people part it."""

_PHONES = (
    rule(
        "phone",
        "long",
        rf"{_FREE}(?<!0\.)(?:\(?(?:\+|00)?86\)?[ \-]{{0,2}})?1[3-9](?:{'|'.join(_GROUPS)})(?![0-9]|\.[0-9]){_NO_MONEY}",
        check.is_phone,
    ),
    rule(
        "phone",
        "long",
        rf"{_FREE}(?:(?:\+|00)?86[ \-]?)?1(?P<s>[ \-.·_,])[3-9](?:(?P=s){_D}){{9}}{_END}",
        check.is_phone,
    ),
    rule(
        "phone",
        "digits",
        rf"(?<![0-9A-Za-z])\+(?!86)[1-9]{_D}{{0,2}}[ \-]?\(?{_D}{{2,4}}\)?(?:[ \-]?{_D}){{5,8}}{_END}{_NO_MONEY}",
        check.is_phone,
    ),
)

_AREA = rf"0(?:10|2[0-57-9]|[3-9]{_D}{{2}})"
_EXTENSION = rf"(?:转 ?{_D}{{1,6}}|-{_D}{{1,5}})?"
_LANDLINES = (
    rule(
        "landline",
        "digits",
        rf"{_FREE}(?<!{_D}[.\-/:])\(?{_AREA}(?:\)[ \-]?| ?- ?| )[2-8]{_D}{{2,3}}[ \-]?{_D}{{4}}{_EXTENSION}(?!{_D}|[:/.]{_D})",
        check.is_landline,
    ),
    rule("landline", "digits", rf"(?<![0-9.]){_AREA}[2-8]{_D}{{6,7}}(?!{_D}|[.:]{_D})", check.is_landline),
    rule(
        "landline",
        "digits",
        rf"(?:座机|固话|电话){_IS}(?P<it>[2-8]{_D}{{2,3}}[ \-]?{_D}{{4}}){_EXTENSION}{NOT_AMOUNT}",
        check.is_landline,
    ),
)

_DOCUMENTS = (
    rule(
        "document",
        "document",
        r"(?:护照|(?i:passport)|通行证|回乡证|台胞证|军官证|士兵证|驾驶证|驾照|学生证|工作证|证件|社保卡?|居住证|港澳证)(?:编?号码?)?"
        r"(?:\s?(?:就?是|为|[:=]|(?i:no\.?)))?\s*(?P<it>(?=[A-Za-z]{0,3}[0-9])[A-Za-z0-9]{7,18})(?![A-Za-z0-9])",
    ),
    rule(
        "document",
        "document",
        rf"(?:学号|工号){_IS}(?P<it>[A-Za-z]{{0,2}}[0-9]{{6,14}})(?![A-Za-z0-9])",
        check.no_laughter,
    ),
)

_MACHINES = (
    rule(
        "ip",
        "dots",
        rf"(?<![0-9A-Za-z.])(?<!版本)(?<!版本号)(?<!更新到)(?:{_D}{{1,3}}\.){{3}}{_D}{{1,3}}(?![0-9A-Za-z]|\.[0-9])(?!版)",
        check.is_ip4,
    ),
    rule(
        "ip",
        "colons",
        r"(?<![0-9A-Za-z])(?<![0-9A-Za-z]:)(?<!::)[0-9A-Fa-f]{3,4}:[0-9A-Fa-f:]{3,35}(?![0-9A-Za-z:])",
        check.is_ip6,
    ),
)

_PLATES = (
    rule(
        "plate",
        "plate",
        r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼] ?[A-HJ-NP-Za-hj-np-z] ?[ ·.\-]? ?"
        r"(?:[A-HJ-NP-Za-hj-np-z0-9]{5,6}|[A-HJ-NP-Za-hj-np-z0-9]{4}[学警港澳挂])(?![A-Za-z0-9]|\s?[块元万])",
        check.is_plate,
    ),
)

NUMBERS = (
    _CUED_BANK_CARD,
    _GROUPED_ID_CARD,
    *_GROUPED_BANK_CARDS,
    *_ID_CARDS,
    _BANK_CARD,
    *_PHONES,
    *_LANDLINES,
    *_DOCUMENTS,
    *_MACHINES,
    *_PLATES,
)
"""In the order they are tried: what has a check digit before what only has a length."""
