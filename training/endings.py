"""What a part of a line says is over: 我不养猫了, 我已经不在腾讯了, 我们分手了; and which facts that ends.

    我不吃素了       ends what has 吃素 in it, in this order        我吃素, 我从小吃素
    我又开始喝酒了   ends what says no to it                        我不喝酒
    我搬走了         ends what is said of a topic                   我住望京

Knows words only. 我不吃火锅了 may be said of this evening: what one does now and then is only over with a word such
as 已经 or 再也. What sort of line it stands in is training/doubts.py's.
"""

import re
from typing import NamedTuple

from training.shapes import END, PET, RELATIVE

_OVER = re.compile("[了啦]")
LONGEST = 24
"""Characters of such a part; a longer one tells a story."""
_W = r"[^\s，,。.!！?？~～…、;；:：“”()（）\[\]@#/\\]"
_PARTNER = r"(?:女朋友|男朋友|对象|老公|老婆|前任|前女友|前男友|女友|男友|他|她)"
_ADVERB = r"(?:现在|目前|早就|早|已经|都|真的?|就|也|终于|最近|刚刚?|又|其实|反正|居然|竟然|(?:去年|前年|今年)(?:[春夏秋冬]天?|\d{1,2}月份?)?|昨天|前天|今天|上个?月|上周|上星期|年初|年底|前阵子|前段时间|前不久|几年前){0,3}"
_FOR_GOOD = re.compile(r"已经|早就?|好久|很久|好几[年月]|再也|现在|以后|后来|彻底|从此")
_STATE = re.compile(
    r"^(?:养|在(?!家)|住|学|是|做|干|搞|教|当|用|信|喜欢|爱|怕|讨厌|单身|社恐|社牛|恐|近视|失眠|过敏|对.+过敏|吃素|姓|读|租|带娃|备考|待业)"
)
"""What goes on by itself, so that it isn't said of one evening."""
_GONE = r"(?:去世|过世|离世|死|没|不在|走|丢|跑丢|跑|飞|飞走|送人|送走|送养|寄养|去[喵汪]星|回[喵汪]星)"
_SOLD = r"(?:卖|卖掉|送人|送|丢|扔|报废|转手|转让|没|当|出掉|退)"
_ANY, _FEWEST = r".*", 2
"""What is said of no topic ends what has the same words: so many characters of them at least."""
_BREEDS = {"狗": "狗柯金", "猫": "猫布"}
"""What else a fact may call it, by a character."""


class Ending(NamedTuple):
    """What is over: of these topics what has these characters, in this order; said with no, or without."""

    topics: str
    words: str = ""
    denied: bool = False


_PETS, _OWNED = r"养:.*|名字:.*|.*:岁|有:.*", r"有:.*|车|手机|养:.*"
_JOB = r"工作|工作在|通勤"
_RULES: list[tuple[str, Ending]] = [
    # Each: what is said, and what it ends; braces name a group of it.
    (rf"(?:我们?家?|我们?家的?|我的|我家那?[只条]|我养的)?{_ADVERB}(?P<v>{PET}){_ADVERB}{_GONE}(?:掉|给\S{{1,4}})?了", Ending(_PETS, "{v}")),
    (rf"(?:把)?(?:我家?)?(?P<v>{PET})(?:给|被我)?(?:送人|送走|送养|送给{_W}{{1,4}})了", Ending(_PETS, "{v}")),
    (rf"我把(?P<v>{PET})(?:给)?{_GONE}(?:给{_W}{{1,4}})?了", Ending(_PETS, "{v}")),
    (rf"(?P<v>(?:(?![我你他她它]){_W}){{2,4}}?){_ADVERB}{_GONE}了", Ending(r"名字:.*", "{v}")),
    (rf"(?:我|我们){_ADVERB}(?:从|自)?(?P<v>{_W}{{2,10}}?)?(?:那边)?{_ADVERB}(?:辞职|离职|跳槽|裸辞|被裁|被裁员|被优化|被辞退|被开除|不干|不做|退休|辞|滚蛋)(?:出来)?了", Ending(_JOB, "{v}")),
    (rf"我{_ADVERB}从(?P<v>{_W}{{2,10}}?)(?:那边)?{_ADVERB}(?:出来|走人|滚)了", Ending(_JOB, "{v}")),
    (rf"(?P<v>{_W}{{2,8}}?)(?:那边|那里|那份|的工作|的活|的班)?我{_ADVERB}(?:辞|不干|不做|不去|离职|辞职)了", Ending(rf"{_JOB}|职业|行当", "{v}")),
    (rf"我{_ADVERB}(?:换|没)(?:了|有)?(?:一?[个份])?工作了?", Ending(_JOB)),
    (rf"我{_ADVERB}(?:把)?工作{_ADVERB}(?:辞|丢|没|换)了", Ending(_JOB)),
    (rf"我{_ADVERB}(?:转行|改行|转岗)(?:[做去当]{_W}{{1,6}})?了", Ending(rf"{_JOB}|行当|职业|教")),
    (rf"我{_ADVERB}(?:跟|和|同|与)?(?:我?{_PARTNER}|前任)?{_ADVERB}(?:分手|分开|分|掰|吹|黄|断)了", Ending(r"感情|(?:女朋友|男朋友|对象):.*", "")),
    (rf"我(?:们|俩){_ADVERB}(?:分手|分开|掰|离婚|离|吹|散)了|我{_ADVERB}被(?:分手|甩|绿)了|我?{_PARTNER}(?:跟|和)我(?:提)?分手?了|{_PARTNER}(?:把我)?(?:甩)了我?", Ending(r"感情|(?:女朋友|男朋友|对象|老公|老婆):.*")),
    (rf"我{_ADVERB}(?:跟|和)?(?:我?{_PARTNER})?{_ADVERB}离婚?了", Ending(r"感情|(?:老公|老婆):.*")),
    (rf"我{_ADVERB}(?:没有?|恢复)(?:{_PARTNER}|单身)了", Ending(r"感情|(?:女朋友|男朋友|对象):.*")),
    (rf"我{_ADVERB}(?:脱单|恋爱|谈恋爱|谈上|有{_PARTNER}|谈{_PARTNER}|结婚|领证|不单身)[了啦]", Ending(r"感情", "单身")),
    (rf"我{_ADVERB}(?:脱单|恋爱|谈恋爱|谈上|有{_PARTNER}|谈{_PARTNER}|结婚|领证)[了啦]", Ending(r"感情", "", denied=True)),
    (rf"我{_ADVERB}从(?P<v>{_W}{{2,8}}?)(?:那边)?{_ADVERB}(?:搬走|搬出来|搬出去|搬家|搬)了", Ending(r"住|租", "{v}")),
    (rf"我们?{_ADVERB}(?:搬家|搬走|搬出来|搬出去|退租)(?:住)?了", Ending(r"住|租|{r}")),
    (rf"我们?{_ADVERB}离开(?:了)?(?P<v>{_W}{{2,8}}?)(?=了|{END}$)了?", Ending(r"住|租|工作|工作在|上学|待过:.*", "{v}")),
    (rf"我{_ADVERB}(?:从(?P<v>{_W}{{2,10}}?))?{_ADVERB}(?:毕业|退学|辍学|肄业)了", Ending(r"上学|年级", "{v}")),
    (rf"我{_ADVERB}(?:不读|不念|不上)(?:研|博|书|大学|大专)?了", Ending(r"上学|年级")),
    (rf"我(?:的|把|那[台辆只部套]|家)?(?P<v>{_W}{{1,6}}?){_ADVERB}(?:给|被我)?{_SOLD}(?:给{_W}{{1,4}})?(?:掉)?了", Ending(_OWNED, "{v}")),
    (rf"(?P<v>{_W}{{1,6}}?)我{_ADVERB}{_SOLD}了", Ending(_OWNED, "{v}")),
    (rf"我{_ADVERB}没有?(?P<v>{_W}{{1,6}}?)了", Ending(_OWNED, "{v}")),
    (rf"我{_ADVERB}换(?:成|到|用|回)?了?(?P<v>安卓|苹果|华为|小米|iPhone|iphone|Mac|mac|Windows|Linux|双拼|五笔|手机)(?:手机|电脑)?(?:了|$)", Ending(r"用:.*|手机", "!{v}")),
    (rf"(?:我|我的|我那[台辆只部套])?(?P<v>{_W}{{1,6}}?)子?{_ADVERB}(?:卖|卖掉|报废|转手|送人|卖给{_W}{{1,4}})了", Ending(_OWNED, "{v}")),
    (rf"我?(?:的)?(?P<v>{_W}{{1,6}}?){_ADVERB}(?:拿到|到手|考到|考下来|考出来|办下来|买)了|我{_ADVERB}(?:买|有|考到|拿到|考下|考出|办)(?:了|到)?(?P<w>{_W}{{1,6}}?)了", Ending(r"有:.*|孩子", "{v}", denied=True)),
    (rf"(?P<v>{_W}{{1,6}}?)(?:我)?{_ADVERB}放弃了|我{_ADVERB}放弃(?:学)?(?P<w>{_W}{{1,6}}?)了", Ending(r"在学:.*|习惯:.*", "{v}")),
    (rf"我?手机{_ADVERB}换(?:成|了)(?P<v>{_W}{{2,6}}?)(?:手机)?了", Ending(r"用:.*|手机", "!{v}")),
    (rf"我{_ADVERB}换车了", Ending(r"车|有:.*", "车")),
    (rf"我{_ADVERB}(?:把)?(?P<v>{_W}{{1,6}}?){_ADVERB}(?:给)?戒(?:掉)?了", Ending(r"口味:.*|习惯:.*|最爱:.*", "{v}")),
    (rf"我{_ADVERB}戒(?:掉|了)?(?P<v>{_W}{{1,6}}?)了?|(?P<w>{_W}{{1,6}}?)我{_ADVERB}戒(?:掉)?了", Ending(r"口味:.*|习惯:.*|最爱:.*", "{v}")),
    (rf"我(?:的)?(?P<v>{_W}{{2,4}}?){_ADVERB}(?:好|治好|痊愈|康复|根治)了", Ending(r"身体:.*|过敏:.*", "{v}")),
    (rf"我?(?P<r>{RELATIVE}){_ADVERB}(?:去世|过世|离世|不在|没|(?:去年|前年|今年|几年前)\S{{0,3}}走)了", Ending(r"{r}:(?!近况).*|有:{r}")),
    (rf"我(?P<r>{RELATIVE}){_ADVERB}不在(?P<v>{_W}{{2,8}}?)(?:上班|工作|当{_W}{{2,4}}|教书)?了", Ending(r"{r}:.*", "{v}")),
    (rf"我(?P<r>{RELATIVE}){_ADVERB}(?:退休|辞职|离职|转行|不干|不做)了", Ending(r"{r}:(?:工作|职业|行当|是)")),
    (rf"我{_ADVERB}(?:跟|和)(?:我?室友|(?P<v>{_W}{{2,4}}?)){_ADVERB}不(?:住一起|一起住|合租|同住)了|我{_ADVERB}换室友了", Ending(r"室友:.*", "{v}")),
    (rf"我(?P<r>{RELATIVE}){_ADVERB}(?:毕业)了", Ending(r"{r}:上学")),
]  # fmt: skip
_SHAPES = [(re.compile(rf"(?:{shape}){END}"), ending) for shape, ending in _RULES]
_TURNED = re.compile(rf"(?P<o>{_W}{{1,6}}?)我(?P<m>{_ADVERB})不(?P<v>[^\s了]{{1,3}})了{END}")
_NOT_TO = re.compile(rf"我{_ADVERB}对(?P<o>{_W}{{1,6}}?){_ADVERB}不(?P<v>过敏|感冒|感兴趣)了{END}")
_NO_MORE = re.compile(
    rf"(?:我(?P<m>{_ADVERB}(?:好久|很久|好几[年月]|再也|以后|后来|彻底|从此|大概|基本)?{_ADVERB})|(?P<n>再也|早就|已经|好久))(?:都)?(?:不再|不|没)(?P<v>[^\s了]{{2,10}}?)了?(?P<over>了){END}"
)
_AGAIN = re.compile(
    rf"我(?:后来)?{_ADVERB}(?:又|开始|又开始|现在|能|学会|会|敢|爱上?|可以|喜欢上?|习惯|(?:每天|天天|经常)都?){{1,3}}(?P<v>[^\s了]{{2,8}}?)了{END}"
)
_BARE = re.compile(r"^我|了|(?<=养)[一两三]?[只条个]|[一两三][只条个台辆]|是|^在|从小|一直|特别|[\W_]")


def endings(clause: str, *, passing: bool) -> list[Ending]:
    """What a part of a line of mine ends, most often nothing; `passing`: it may be bound to its day."""
    found: list[Ending] = []
    if len(clause) > LONGEST or not _OVER.search(clause):
        return found
    for shape, ending in _SHAPES:
        if (said := shape.fullmatch(clause)) is not None:
            groups = {name: text or "" for name, text in said.groupdict().items()}
            value = groups.get("v") or groups.get("w") or ""
            if value and not _BARE.sub("", value):
                continue  # 我 and the like: nothing is named
            words, topics = ending.words.format(v=value), ending.topics.format(r=groups.get("r", ""))
            found.append(Ending(topics, words, ending.denied))
    if passing and not _FOR_GOOD.search(clause):
        return found
    if turned := _TURNED.fullmatch(clause):
        clause = f"我{turned['m']}不{turned['v']}{turned['o']}了"
        found += [Ending(_ANY, f"{turned['v']}{turned['o']}")]
    elif said := _NOT_TO.fullmatch(clause):
        found.append(Ending(_ANY, f"{said['o']}{said['v']}"))
    elif said := _NO_MORE.fullmatch(clause):
        if _FOR_GOOD.search(clause) or _STATE.match(said["v"]):
            found.append(Ending(_ANY, _BARE.sub("", said["v"])))
    elif said := _AGAIN.fullmatch(clause):
        found.append(Ending(_ANY, said["v"], denied=True))
    return found


def ends(ending: Ending, topic: str, text: str) -> bool:
    """Whether it ends a fact, as it is told."""
    denied = re.match(r"我\S{0,4}?[不没](?!耐)", text) is not None
    if denied != ending.denied or re.fullmatch(ending.topics, topic) is None:
        return False
    if ending.words.startswith("!"):
        return ending.words[1:] not in text
    if ending.topics == _ANY and len(_BARE.sub("", ending.words)) < _FEWEST:
        return False
    return _in_order(ending.words, _BARE.sub("", text))


def _in_order(words: str, text: str) -> bool:
    """Whether these characters stand in a text one after the other, others between them or not."""
    place = -1
    for character in _BARE.sub("", words):
        alike = _BREEDS.get(character, character)
        found = [at for one in alike if (at := text.find(one, place + 1)) >= 0]
        if not found:
            return False
        place = min(found)
    return True
