"""A rule: one shape of one kind of personal data, and how it is found in a folded text."""

import re
from collections.abc import Callable
from dataclasses import dataclass

NOT_AMOUNT = r"(?![0-9]|\.[0-9]|\s?(?:[块元万亿年月天岁秒米斤克]|分钟|小时|公里|积分|金币|人民币|[kK][mMgGbB]))"
"""What mustn't follow a number that is to be somebody's: more digits, or a unit."""


_NUMBER = 64
"""Characters of the longest number."""


@dataclass(slots=True, frozen=True)
class Rule:
    """One shape of one kind. What the group `it` matches is to be replaced, or without one the whole match."""

    kind: str
    needs: str
    """What a text must have for this rule to be tried; a key of NEEDS."""
    pattern: re.Pattern[str]
    check: Callable[[str], bool] | None = None

    def spans(self, text: str) -> list[tuple[int, int]]:
        group = "it" if "it" in self.pattern.groupindex else 0
        spans: list[tuple[int, int]] = []
        match = self.pattern.search(text)
        while match is not None:
            start, end = match.span(group)
            real = self.check is None or self.check(text[start:end])
            if real:
                spans.append((start, end))
            # A number that wasn't real may hide the beginning of one that is.
            again = not real and end - start <= _NUMBER
            match = self.pattern.search(text, match.start() + 1 if again else match.end())
        return spans


NEEDS = {
    "digits": re.compile(r"[0-9](?:[^0-9]{0,3}[0-9]){4}"),
    "long": re.compile(r"[0-9](?:[^0-9]{0,3}[0-9]){10}"),
    "letters": re.compile(r"[A-Za-z0-9_\-]{12}"),
    "at": re.compile(r"@|艾特|[ (\[]at[ )\]]", re.IGNORECASE),
    "link": re.compile("://"),
    "code": re.compile(r"[密口令]|码|暗号|pass|pwd|pin|token|secret|key|cookie|账号|帐号|用户名", re.IGNORECASE),
    "qq": re.compile(r"[QqＱ]|扣扣|叩叩|企鹅|[加群扣]"),
    "wechat": re.compile(r"[微威薇维]信|v信|[vw]x|wechat|加v|绿泡泡|weixin", re.IGNORECASE),
    "document": re.compile(r"[证照]|学号|工号|护照|社保|passport", re.IGNORECASE),
    "dots": re.compile(r"\.[0-9]{1,3}\."),
    "colons": re.compile(r"::|:[0-9A-Fa-f]{1,4}:"),
    "plate": re.compile(r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼] ?[A-Za-z]"),
}
"""Cheap signs of a kind; most texts have none of them."""


def rule(kind: str, needs: str, pattern: str, is_real: Callable[[str], bool] | None = None, flags: int = 0) -> Rule:
    return Rule(kind, needs, re.compile(pattern, flags), is_real)
