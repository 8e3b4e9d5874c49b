"""Words that say when, seen from a later day: 明天 said yesterday is 今天, and 待会儿 is over.

Knows days, weeks and months around the day something was said; doesn't know clock times or holidays.
Seen from now, because a prompt has no clock: whoever reads it knows no date that it could be told from.
"""

import re
from datetime import datetime, timedelta, timezone

DAY = 86400
PASSING = 12 * 3600
"""Seconds after which what was only true for a moment is no memory."""

_PASSING = re.compile(
    r"刚才|刚刚|这会儿?|此刻|待会儿?|呆会儿?|等下|等会儿?|一会儿?|马上|立刻|稍后|今早|今晚|今天早上|今天晚上|今夜|下午|中午|上午|傍晚"
)
"""What passes with the moment, and can't be told by days."""
_DAYS = {
    "大前天": -3,
    "前天": -2,
    "昨天": -1,
    "昨晚": -1,
    "今天": 0,
    "今日": 0,
    "明天": 1,
    "明日": 1,
    "明早": 1,
    "明晚": 1,
}
_DAYS |= {"大后天": 3, "后天": 2}
_PART = {"昨晚": "晚上", "明晚": "晚上", "明早": "早上"}
_WEEKDAYS = "一二三四五六日"
_WHEN = re.compile(
    r"(?P<day>大前天|大后天|前天|昨天|昨晚|今天|今日|明天|明日|明早|明晚|后天)"
    # 每周三 and 周一到周五 are no days but habits.
    r"|(?<![每逢到至])(?<!每个)(?P<week>上上|下下|上|下|这|本)?(?:个)?"
    r"(?P<unit>周末|星期[一二三四五六日天]|礼拜[一二三四五六日天]|周[一二三四五六日天])(?![到至都总]|一般|通常|经常)"
    r"|(?P<span>上|下|这|本)(?:个)?(?P<long>星期|礼拜|周|月)(?!末|[一二三四五六日天])"
    r"|(?P<year>前年|去年|今年|明年|后年)"
)
_SHIFT = {"上上": -2, "上": -1, "": 0, "这": 0, "本": 0, "下": 1, "下下": 2}
_YEARS = {"前年": -2, "去年": -1, "今年": 0, "明年": 1, "后年": 2}


def age(said: float, now: float, utc_offset: int) -> str:
    """How long ago that was, in a word: 今天, 昨天, 5天前, 3个月前, 2年前."""
    return _from_here((_day(said, utc_offset) - _day(now, utc_offset)).days)


def settled(text: str, said: float, now: float, utc_offset: int, *, lasting: bool = False) -> str | None:
    """What was said, with its days as they are called today; None where all it told of has passed.

    In what holds for long, a bare 周三 or 周末 is each of them, and 中午 any.
    """
    day, today = _day(said, utc_offset), _day(now, utc_offset)
    if day == today and now - said < PASSING:
        return text
    # 明天下午 has a day to stand on, 下午 alone has none.
    if not lasting and _PASSING.search(text) and not _WHEN.search(text) and now - said >= PASSING:
        return None
    return _WHEN.sub(lambda found: _renamed(found, day, today, lasting), text)


def _renamed(found: "re.Match[str]", day: datetime, today: datetime, lasting: bool) -> str:
    words = found.group()
    if lasting and found["unit"] and not found["week"]:
        return words
    if name := found["day"]:
        return _from_here((day + timedelta(days=_DAYS[name]) - today).days) + _PART.get(name, "")
    if unit := found["unit"]:
        target = _weekday(unit, day, _SHIFT[found["week"] or ""], bool(found["week"]))
        near = (target - today).days
        return f"{_from_here(near)}{'（周末）' if unit == '周末' else ''}" if near < 0 or near < 7 else words
    if name := found["year"]:
        return _calendar(day.year + _YEARS[name] - today.year, "年", ("前年", "去年", "今年", "明年", "后年"))
    return _renamed_span(found["long"], _SHIFT[found["span"]], day, today)


def _renamed_span(unit: str, shift: int, day: datetime, today: datetime) -> str:
    if unit == "月":
        months = (day.year - today.year) * 12 + day.month + shift - today.month
        return _calendar(months, "个月", ("上上个月", "上个月", "这个月", "下个月", "下下个月"))
    weeks = (_monday(day) + timedelta(weeks=shift) - _monday(today)).days // 7
    return _calendar(weeks, "周", ("上上周", "上周", "这周", "下周", "下下周"))


def _calendar(steps: int, unit: str, near: tuple[str, ...]) -> str:
    if -2 <= steps <= 2:
        return near[steps + 2]
    return f"{abs(steps)}{unit}{'前' if steps < 0 else '后'}"


def _weekday(unit: str, day: datetime, shift: int, named_week: bool) -> datetime:
    """The day that 周五, 下周五 or 周末 means, said on that day; a bare one is the next to come."""
    number = 5 if unit == "周末" else _WEEKDAYS.index(unit[-1].replace("天", "日"))
    target = _monday(day) + timedelta(days=number, weeks=shift)
    if not named_week and target < day and unit != "周末":
        target += timedelta(weeks=1)
    return target


def _from_here(days: int) -> str:
    """A number of days from today, in words that stay true for a while the further off it is."""
    near: dict[int, str] = {-2: "前天", -1: "昨天", 0: "今天", 1: "明天", 2: "后天"}
    if days in near:
        return near[days]
    steps: tuple[tuple[int, int, str], ...] = ((31, 1, "天"), (366, 30, "个月"), (1 << 30, 365, "年"))
    size, unit = next((size, unit) for most, size, unit in steps if abs(days) < most)
    return f"{abs(days) // size}{unit}{'前' if days < 0 else '后'}"


def _day(time: float, utc_offset: int) -> datetime:
    """Midnight of a moment's day, where its clock is that far ahead of UTC."""
    return datetime.fromtimestamp((int(time) + utc_offset) // DAY * DAY, timezone.utc)


def _monday(day: datetime) -> datetime:
    return day - timedelta(days=day.weekday())
