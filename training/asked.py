"""What a short answer tells by the question before it: 你在哪上班 → 宠物店; 你是湖南人吗 → 对啊.

Knows two lines: the last question of another, and mine. Whose line answers whose is training/propose.py's.
"""

import re
from collections.abc import Iterator
from itertools import product

from training.shapes import ANIMAL, DATE, PET, RELATIVE, SIGN

_WHAT = r"(?:什么|啥|哪个|哪种)"
_WHERE = r"(?:哪儿?|哪里|哪个城市|哪个区|什么地方)"
_END = r"(?:来着|呀|啊|呢|的|了|诶|嘞)*[?？~～]*"
_NOW = r"(?:你|哥们|姐妹|哥|姐)?(?:现在|目前|平时|一般|是|到底|都|家?)*"
_QUESTIONS: list[tuple[str, str, str]] = [
    (rf"{_NOW}在{_WHERE}(?P<r>上班|工作|实习|打工|上学|读书|读研|念书)", r".{2,12}", "我在{v}{r}"),
    (rf"{_NOW}(?:做|干){_WHAT}(?:工作|行业)?|{_NOW}{_WHAT}(?:工作|职业)|{_NOW}干嘛的", r".{2,8}", "我是{v}"),
    (rf"{_NOW}(?:学{_WHAT}(?:专业|的)|{_WHAT}专业)", r"(?!背|写|看|练|做).{2,8}", "我是学{v}的"),
    (
        rf"{_NOW}(?:在)?(?:哪个|什么)(?:学校|大学)|{_NOW}{_WHERE}(?:上学|读书)|{_NOW}(?:高中|大学|初中|研究生)(?:是)?在{_WHERE}(?:上|读|念)",
        r".{2,10}",
        "我在{v}上学",
    ),
    (rf"{_NOW}住(?:在)?{_WHERE}", r".{2,10}", "我住{v}"),
    (rf"{_NOW}(?:{_WHERE}人|哪的人)", r".{2,6}", "我是{v}人"),
    (rf"{_NOW}老家(?:是|在)?{_WHERE}", r".{2,8}", "我老家在{v}"),
    (rf"{_NOW}生日(?:是|在)?(?:几号|哪天|什么时候|啥时候|几月几号|几月)", DATE, "我生日是{v}"),
    (rf"{_NOW}(?:{_WHAT}星座|{_WHAT}座)", rf"{SIGN}座?", "我是{v}座"),
    (rf"{_NOW}属{_WHAT}|{_NOW}{_WHAT}生肖", ANIMAL, "我属{v}"),
    (rf"{_NOW}(?:多大|几岁|多少岁)(?!脚|的?鞋)", r"(?:[1-8]\d|[二三四五六七]?十[一二三四五六七八九]?)岁?", "我{v}岁"),
    (rf"{_NOW}(?:几几年|哪一?年|哪年出生|几零后)", r"(?:19|20)?\d\d年?|[零一二三四五六七八九]{2,4}年?", "我{v}年的"),
    (rf"你们?家?(?:的|那只|那条)?(?P<r>{PET})(?:叫|名字是?){_WHAT}(?:名字)?", r".{1,6}", "我家{r}叫{v}"),
    (rf"{_NOW}(?:对{_WHAT}|有{_WHAT})过敏|{_NOW}有(?:什么|啥)?过敏的(?:东西)?(?:吗|么|没)?", r".{1,6}", "我对{v}过敏"),
    (rf"{_NOW}(?:有)?{_WHAT}?(?:忌口|不吃的)(?:吗|么)?|{_NOW}(?:有没有忌口|不吃{_WHAT})", r".{1,6}", "我不吃{v}"),
    (rf"{_NOW}最?喜欢(?P<r>吃|喝|看|听|玩)?{_WHAT}(?:类型|样)?的?(?:[^你我\s]{{1,3}})?", r".{1,10}", "我喜欢{r}{v}"),
    (rf"{_NOW}(?P<r>{RELATIVE})(?:是)?(?:做|干){_WHAT}(?:工作)?", r".{2,8}", "我{r}是{v}"),
    (rf"{_NOW}(?P<r>{RELATIVE})叫{_WHAT}(?:名字)?", r".{2,4}", "我{r}叫{v}"),
    (rf"{_NOW}(?P<r>{RELATIVE})(?:在|住){_WHERE}(?:上班|工作)?", r".{2,8}", "我{r}在{v}"),
    (rf"{_NOW}(?:血型|{_WHAT}血型)(?:是{_WHAT})?", r"(?:AB|A|B|O|ab|a|b|o)型?", "我是{v}型血"),
    (rf"{_NOW}多高|{_NOW}身高(?:多少)?", r"一米[五六七八九].?|1[4-9]\d|1\.[4-9]\d?", "我身高{v}"),
]
_ASKED = [
    (re.compile(rf"(?:\S{{0,6}}?[\s，,])?(?:{asks}){_END}"), re.compile(answer), says)
    for asks, answer, says in _QUESTIONS
]
_NO_ANSWER = re.compile(
    r"[?？]|吗|呢$|吧$|什么|啥|谁|哪|怎|咋|猜|秘密|不|没|忘|告诉|你|他|她|它|这|那|哈哈|hh|233|笑|随便|都[行可]|看情况|等|干嘛|滚|问|说|想|\[|了一|好像|可能|应该"
)
_DULL = re.compile(
    r"公司|单位|家里?|学校|宿舍|外面|床上|地球|中国|月球|火星|嗯+|啊|哦|额|人类|保密|有|对|是|好|行|在|梦里|心里|打工的?|搬砖|牛马|厨房|网吧"
)
"""What answers nothing."""
_YES = re.compile(r"(?:是|对|嗯+|没错|yes|en)(?:的|呀|啊|哒|滴|对|是|嗯|哦)*[。.!！~～]*")
_DOES = re.compile(
    r"(?P<no>[不没])?(?P<v>养|属|住|姓|会|信|吃|喝|抽|有|熬|爱|喜欢|戴|骑|开)(?:了|啊|的|呀|哦)?(?:[一两]只)?"
)
"""A yes or a no by the question's own verb."""
_POLAR = re.compile(
    r"(?P<said>你[^不没，,\s]{2,16}?)(?:吗|么|嘛|没|不|吧|是吧|对吧|对吗)?[?？]+|(?P<asked>你[^不没，,\s]{2,16}?)(?:吗|么|嘛|没|不|吧|对吧|是吧)"
)
_OCCUPIED = re.compile(r"我?是?[做搞学教开跑卖](?!完|好|的)\S{1,8}的")
_TRADE = re.compile(rf"(?:做|干|学){_WHAT}|{_WHAT}(?:工作|专业)|干嘛的")
"""Asked for it, 做美甲的 says what one is by itself."""
_ANSWER_HEAD = re.compile(r"^(?:就|我?是|我?在|我|住|叫|属|学|做|对|姓|那个)+(?=.{2})|^(?:叫|属|学)(?=.)")
_TAIL = re.compile(r"(?:[啊呀哦哈啦诶嘛了滴哒。.!！~～]|的人?|过敏|这边|那边|附近)+$")


def answers(question: str, answer: str) -> Iterator[str]:
    """What I say with an answer, as a sentence of mine; nothing where it is no answer to that."""
    question, answer = question.strip(), answer.strip()
    if len(question) > 30 or len(answer) > 14:
        return
    if polar := _POLAR.fullmatch(question):
        said = (polar["said"] or polar["asked"]).replace("你", "我")
        does = _DOES.fullmatch(answer.split()[0]) if answer else None
        if _YES.fullmatch(answer):
            yield said
            return
        if does is not None and does["v"] in said:
            yield said.replace(does["v"], (does["no"] or "") + does["v"], 1)
            return
    if _OCCUPIED.fullmatch(answer) and _TRADE.search(question):
        yield f"我是{answer.removeprefix('我').removeprefix('是')}"
        return
    value = _TAIL.sub("", _ANSWER_HEAD.sub("", answer))
    if (
        not value
        or _DULL.fullmatch(value)
        or _NO_ANSWER.search(value)
        or answer.endswith(("?", "？"))
        or re.search("[他她它]", question)
        or len(answer.split()) > 1
    ):
        return
    for (asked, fits, says), part in product(_ASKED, [question, *question.split()]):
        found = asked.fullmatch(part)
        if found is not None and fits.fullmatch(value):
            rest = {"r": ""} | {name: text or "" for name, text in found.groupdict().items()}
            yield says.format(
                v=value.removesuffix("座").removesuffix("岁").removesuffix("型").removesuffix("年"), **rest
            )
            return
