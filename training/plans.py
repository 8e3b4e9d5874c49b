"""Plans with a day: 我下周三去北京出差, 我国庆回老家; and the first day on which one is over.

Knows words and the calendar. A plan is kept as it was said, with the day it was said on: the prompt tells its
days from there (bot/persona/moments.py).
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping

_DAY = r"大后天|后天|明天|(?:下下?个?|这)?(?:周|星期|礼拜)[一二三四五六日天]|(?:下个?月|[一二三四五六七八九十\d]{1,2}月)?[一二三四五六七八九十\d]{1,3}[号日]"
_SPAN = r"下下?个?月|下下?周|下个?(?:星期|礼拜)|这?周末|月底|年底|明年(?:[一二三四五六七八九十\d]{1,2}月)?|[一二三四五六七八九十\d]{1,2}月(?:底|初|份)?|元旦|春节|过年|五一|国庆|中秋|暑假|寒假"
_DOES = r"(?:去|回(?![去来头])|到|飞|搬|考|出差|出发|结婚|订婚|办?婚礼|入职|离职|毕业|答辩|开学|体检|手术|做手术|请假|搬家|报到|旅游|面试|领证|休假|退租)"
_PLAN = re.compile(
    rf"(?:我(?:就|也)?(?P<a>{_DAY}|{_SPAN})|(?P<b>{_DAY}|{_SPAN})我)(?:就|也)?(?:要|得|会|准备|打算)?(?P<does>{_DOES}\S{{0,10}}?)[了啊呀哦哈啦的]*"
)
_WHERE = re.compile(r"去|回|到|飞|搬|旅游|出差")
_WEEKDAYS = "一二三四五六日"
_FEASTS: Mapping[str, tuple[int, int]] = {
    "元旦": (1, 4), "春节": (3, 1), "过年": (3, 1), "五一": (5, 6), "国庆": (10, 8), "中秋": (10, 9), "暑假": (9, 2), "寒假": (3, 2),
}  # fmt: skip
"""The day by which each is over in any year."""
_DIGITS = "零一二三四五六七八九"


def plan_of(clause: str, day: dt.date) -> tuple[str, str, dt.date] | None:
    """The plan of a part of a line said on that day: its words, what it is to do, and when it is over."""
    found = _PLAN.fullmatch(clause)
    if found is None or re.match(r"(?:去|到|回)(?:你|他|她|不|了|得)", found["does"]):
        return None
    over = until(found["a"] or found["b"], day)
    return (found[0].rstrip("了啊呀哦哈啦的"), found["does"], over) if over is not None else None


def is_journey(does: str) -> bool:
    """Whether it is about being somewhere."""
    return _WHERE.match(does) is not None


def until(when: str, day: dt.date) -> dt.date | None:
    """The first day after the time that these words mean on that day; None where they name no day there is."""
    for words, over in _NAMED.items():
        if re.fullmatch(words, when):
            return over(when, day)
    return None


def _after_days(when: str, day: dt.date) -> dt.date:
    return day + dt.timedelta(days=("今天", "明天", "后天", "大后天").index(when) + 1)


def _after_weekday(when: str, day: dt.date) -> dt.date:
    number = _WEEKDAYS.index(when[-1].replace("天", "日"))
    monday = day - dt.timedelta(days=day.weekday())
    target = monday + dt.timedelta(days=number, weeks=when.count("下"))
    if "下" not in when and "这" not in when and target < day:
        target += dt.timedelta(weeks=1)
    return target + dt.timedelta(days=1)


def _after_weeks(when: str, day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday()) + dt.timedelta(weeks=when.count("下") + 1)


def _after_months(when: str, day: dt.date) -> dt.date:
    return _month(day.year, day.month + when.count("下") + 1)


def _after_date(when: str, day: dt.date) -> dt.date | None:
    month, _, rest = when.rpartition("月")
    number = _number(rest.rstrip("号日"))
    if month.startswith("下"):
        month, day = "", _month(day.year, day.month + 1)
    for ahead in range(13):
        first = _month(day.year, _number(month) + 12 * (ahead > 0)) if month else _month(day.year, day.month + ahead)
        try:
            target = first.replace(day=number)
        except ValueError:
            continue
        if target >= day:
            return target + dt.timedelta(days=1)
    return None


def _after_month(when: str, day: dt.date) -> dt.date | None:
    number = _number(when.partition("月")[0].removeprefix("明年"))
    if not 1 <= number <= 12:
        return None
    return _month(day.year + (number < day.month or when.startswith("明年")), number + 1)


def _after_feast(when: str, day: dt.date) -> dt.date:
    month, last = _FEASTS[when]
    over = dt.date(day.year, month, last)
    return over if over > day else over.replace(year=day.year + 1)


_NAMED: Mapping[str, Callable[[str, dt.date], dt.date | None]] = {
    r"大?后天|明天": _after_days,
    r"(?:下下?个?|这)?(?:周|星期|礼拜)[一二三四五六日天]": _after_weekday,
    r"下下?周|下个?(?:星期|礼拜)|这?周末": _after_weeks,
    r"下下?个?月|月底": _after_months,
    r"\S*[号日]": _after_date,
    r"\S+月(?:底|初|份)?": _after_month,
    r"年底|明年": lambda when, day: dt.date(day.year + (2 if when == "明年" else 1), 1, 1),
    "|".join(_FEASTS): _after_feast,
}


def _month(year: int, month: int) -> dt.date:
    """The first of a month; months beyond twelve are of later years."""
    return dt.date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def _number(words: str) -> int:
    """A number below a hundred; 0 where it is none."""
    if words.isascii():
        return int(words) if words.isdigit() else 0
    tens, ten, ones = words.rpartition("十")
    known = [_DIGITS.find(part) if len(part) == 1 else -1 for part in (tens or "一" if ten else "零", ones or "零")]
    return known[0] * 10 + known[1] if min(known) >= 0 else 0
