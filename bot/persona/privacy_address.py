"""Street addresses inside Chinese text: a street or estate with a house number, and what belongs to it.

Looks for the number first, then to the left for names and to the right for flat and floor. 404寝室,
三号楼 and the number 2 bus are no addresses: a name, and a house after it, are asked for.
"""

import re

_NO = r"[0-9一二三四五六七八九十百零]{1,5}"
_STREET = r"(?:(?<![0-9一二三四五六七八九十几这那条段走半思套网线铁马赶问出迷弯岔\s])路|大街|(?<![逛上扫压])街|[巷弄]|大道|胡同)"
_ESTATE = r"(?:新村|小区|花园|家园|花苑|名苑|雅苑|[苑邨]|公寓|公馆|大厦|广场|写字楼|[^手本农]村|小镇|华府|名邸)"
_HOUSE = (
    rf"(?:{_STREET}(?:[东西南北中]段?)?\s?{_NO}(?:[\-之]{_NO})?\s?(?:号(?!线|机|位|选|种|出|台|球|桌|车|口|门|早|晚|下午|上午|去|来|见)|弄|幢|栋)"
    rf"|{_ESTATE}[东西南北]?[区苑园]?\s?{_NO}(?:-{_NO}-{_NO}|-[0-9]{{3,4}}|\s?(?:号楼|弄|幢|栋|座|单元|组|队)|(?<=新村[0-9])号|(?<=新村[0-9][0-9])号)(?!线|机|位|选|早|晚|下午|上午))"
)
_CORE = re.compile(_HOUSE)
_REST = re.compile(
    rf"(?:[,，]?\s?[一-龥]{{0,8}}?\s?(?:{_NO}|[A-Za-z])(?:[\-]{_NO})?\s?(?:幢|栋|号楼|座|单元|号|楼|层|室|门|房|户|弄)(?!去|来|早|晚|下午|上午|见|线))*"
    r"(?:\s?[A-Za-z]?[0-9]{2,4}(?:-[0-9]{1,4})?(?:室|号|房)?(?![0-9]|\s?[块元年月点:.天次个人]))?"
)
_CITIES = (
    "北京|上海|天津|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西"
    "|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门|南京|苏州|无锡|常州|杭州|宁波|温州|合肥|福州|厦门|南昌|济南|青岛|郑州"
    "|武汉|长沙|广州|深圳|佛山|东莞|珠海|海口|成都|贵阳|昆明|西安|兰州|西宁|银川|乌鲁木齐|拉萨|沈阳|大连|长春|哈尔滨|石家庄|太原|呼和浩特|南宁"
)
_CITY = re.compile(rf"(?:{_CITIES})(?=[一-龥]{{0,6}}[省市区县州]|[一-龥]{{1,6}}$)")
_UNIT = re.compile(r"[一-龥]{2,3}(?:自治[区州县]|[省市区县旗镇乡]|街道)")
_BEFORE = re.compile(r"[在到是址寄送住往给从去搬我你他她们的了就叫跟家说系让找:]|和(?!平)|地址")
_LEFT = re.compile(r"[一-龥A-Za-z]{1,30}$")
_LONGEST_NAME = 8
"""Characters of a street's name, where nothing before it says that it begins."""

_ENGLISH = re.compile(
    r"(?<![0-9A-Za-z])(?:No\. ?)?[0-9]{1,5},? (?:[A-Z][a-z]{1,15} ){1,3}(?:Road|Rd|Street|St|Avenue|Ave|Lane|Drive|Boulevard|Blvd)(?![a-z])"
)
_SAID = re.compile(
    r"(?:收货|收件|家庭|公司|快递|详细|住)?(?:地址|住址)\s?(?:就?是|为|:)\s?([一-龥][^\s,，。;；!！?？\[\]]{5,40})"
)
_LOOKS = re.compile(r"[0-9一二三四五六七八九十](?:号|栋|幢|楼|室|弄|单元|组)|[路街村镇区县]")
NEEDED = re.compile(
    r"[路街巷弄道同村区园苑邨寓厦场楼馆府邸城镇里段东西南北][东西南北中段区苑园]? ?[0-9一二三四五六七八九十百]|[地住]址|[0-9],? [A-Z]"
)
"""A sign that there may be one."""


def streets(text: str) -> list[tuple[int, int]]:
    """Where a street or an estate stands with its number, in a folded text."""
    found: list[tuple[int, int]] = []
    done = 0
    for match in _CORE.finditer(text):
        if match.start() < done or (start := _begin(text, match.start(), done)) < 0:
            continue
        rest = _REST.match(text, match.end())
        done = rest.end() if rest else match.end()
        found.append((start, done))
    return found


def told(text: str) -> list[tuple[int, int]]:
    """What is called an address."""
    return [match.span(1) for match in _SAID.finditer(text) if _LOOKS.search(match[1])]


def english(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _ENGLISH.finditer(text)]


SHAPES = (streets, told, english)
"""In the order they are tried."""


def _begin(text: str, anchor: int, floor: int) -> int:
    """Where the address with this street word begins; -1 when the street has no name."""
    left = _LEFT.search(text, max(floor, anchor - 30), anchor)
    if left is None:
        return -1
    run = left[0]
    begin = left.start()
    if place := _CITY.search(run) or _UNIT.search(run):
        return begin + _after_cue(run, place)
    cut = 0
    for cue in _BEFORE.finditer(run):
        if len(run) - cue.end() >= 1:
            cut = cue.end()
    return begin + max(cut, len(run) - _LONGEST_NAME)


def _after_cue(run: str, place: re.Match[str]) -> int:
    """Where the first province, city or district begins, without the word that led to it."""
    begin, end = place.span()
    cues = [cue.end() for cue in _BEFORE.finditer(run, begin, end - 1)]
    return cues[-1] if cues and place.re is _UNIT else begin
