"""What may be asked about somebody, and how one tells it: a table of slots, nothing else.

A slot is a single thing (a name, an age, where one lives), not a kind of things. `asked` is how a question
names it, `told` how a sentence fills it. Written for what is said in chats; whatever no slot knows is found
by its words alone (bot/persona/wanted.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

WHAT = r"(?:[些点]?(?:什么|啥|哪些|哪种|哪个|哪样|哪款|哪门|哪类)(?:样|东西|牌子?|品牌|型号|款式|类型|种类)?)"
WHERE = r"(?:(?:哪|什么|啥)(?:一?个)?(?:里|儿|边|块|地方|位置|城市|国家|省|市|县|镇|区|小区)|哪)"
WHEN = r"(?:什么时候|啥时候|(?:星期|礼拜|周)几|几点钟?|(?:什么|啥)日子|哪一?天|哪年|哪个?月|几月|几号|何时|多会儿)"
NUMBER = r"[\d零一二两三四五六七八九十百千半]"

KIN: Mapping[str, str] = {
    "爸": r"爸爸?|父亲|老爸|老爹|爹",
    "妈": r"妈妈?|母亲|老妈|娘(?!家)",
    "姐": r"姐姐?|老姐",
    "哥": r"哥哥?|老哥",
    "弟": r"弟弟?|老弟",
    "妹": r"妹妹?|老妹",
    "爷": r"爷爷",
    "奶": r"奶奶",
    "姥": r"外婆|姥姥",
    "翁": r"外公|姥爷",
    "偶": r"老婆|老公|媳妇|妻子|丈夫|爱人|女朋友|男朋友|女友|男友|另一半",
    "崽": r"儿子",
    "闺": r"女儿|闺女",
    "舍": r"室友|舍友",
}
"""A relative's one sign and all its names; the sign is a single character, as a text has them."""
OTHERS = r"太爷|太奶|曾祖|爷|奶|姑|姨|舅|叔|伯|婶|嫂|邻居|同桌|老师|班主任|老板|房东|前任|前男友|前女友|猫(?!毛)|狗"
"""Who else a sentence may be about."""

ALIKE: Mapping[str, str] = {
    "猫": r"猫咪|猫猫|喵星人",
    "狗": r"狗狗|狗子|汪星人",
    "吃": r"食物|吃的?东西",
    "喝": r"饮料|饮品",
    "厌": r"讨厌|不爱(?=[吃喝看玩听])|不(?:太|怎么)?喜欢|受不了|最烦|嫌弃",
    "爱": r"喜欢|钟爱|热爱|中意|偏爱",
    "车": r"座驾|车子",
    "做什么工作": r"(?:做|干)(?:什么|啥|嘛)(?:工作|行业|事情?)?的",
}
"""Words of one meaning, and the sign that stands for them."""


@dataclass(slots=True, frozen=True)
class Slot:
    """One thing that may be asked. `kind` is the kind of fact (bot/persona/facts.py) that mostly tells it."""

    kind: str
    asked: re.Pattern[str]
    told: re.Pattern[str]
    value_first: bool = False
    """Whether what is told may stand before the words that tell it: 花生过敏, 双鱼座."""


def _slot(kind: str, asked: str, told: str, *, value_first: bool = False) -> Slot:
    return Slot(kind, re.compile(asked), re.compile(told), value_first)


_IN = rf"(?:在|去|到){WHERE}"
_JOB = r"(?:上班|工作|打工|实习|任职|就职|干活|高就|谋生|混饭)"
_SCHOOL = r"(?:上学|读书|念书|读研|读博|读|念)"

SLOTS: Mapping[str, Slot] = {
    "name": _slot(
        "who",
        rf"(?:叫|姓|起名|取名|称呼)(?:做|了|你|个)?{WHAT}(?:名字?)?|(?:怎么|咋|如何)(?:称呼|叫)|(?:名字|大名|姓名|全名|真名|小名|外号|网名)(?:是|叫|取|起)?(?:的是)?{WHAT}?|贵姓",
        r"(?:名字|大名|姓名|全名|真名|小名|外号|网名)(?:是|叫)|叫(?:做|它|她|他)?|(?:取名|起名)(?:叫)?|姓",
    ),
    "age": _slot(
        "who",
        r"多大(?=$|年|岁)(?:年纪|岁数)?|几岁|多少岁|年龄|年纪|岁数|贵庚|哪年(?:出?生|$)人?|几几年|几年出?生",
        rf"{NUMBER}{{1,3}}岁|{NUMBER}{{2,4}}年(?:的|出?生)|{NUMBER}{{2}}后|本命年|年龄|岁数",
    ),
    "birthday": _slot(
        "who",
        rf"生日|{WHEN}(?:出生|生的|过生)|生辰|几月几[号日](?:出?生)?的?",
        r"生日|[月号日](?:出?生)的?",
        value_first=True,
    ),
    "sign": _slot("who", rf"星座|{WHAT}座(?!位)", r".{1,3}座(?!位)|星座", value_first=True),
    "animal": _slot("who", rf"属(?:相|{WHAT})(?:的)?|生肖", r"属(?!于)|生肖|属相"),
    "height": _slot("who", r"多高|身高|高多少", rf"身高|{NUMBER}+\s*(?:cm|厘米|公分|高)|一米|1米"),
    "weight": _slot("who", r"多重|体重|多少(?:公)?斤|几斤", rf"体重|{NUMBER}+\s*(?:公?斤|kg)"),
    "blood": _slot("who", r"血型|什么型|哪种血", r"血型|(?:ab|a|b|o)型", value_first=True),
    "home": _slot(
        "where",
        rf"住(?:在|的)?(?:是)?{WHERE}|住处|住址|地址|{WHERE}(?:住|落脚|租房|租的房)|(?:家|人|房子|窝|公寓)(?:住|安)?(?:在|位于){WHERE}|在{WHERE}(?:生活|待着|定居|安家)|(?:搬|定居)(?:到|去|在)?了?{WHERE}(?:去?了)?|{WHERE}的房子",
        r"住(?!院)(?:在|到)?|搬(?:到|去|进|来)|家在|定居(?:在)?|落户|在(?=.*(?:租|买)了?房)",
    ),
    "origin": _slot(
        "where",
        rf"{WHERE}的?人(?![都在会有去])|(?:老家|家乡|故乡|籍贯|祖籍|娘家)(?:是|在)?{WHERE}?的?|(?:从|打){WHERE}(?:来|过来|出来)的?|(?:来自|出生在?|生在|长在|长大在){WHERE}|{WHERE}(?:长大|出生|土生土长)的?",
        r"(?:老家|家乡|故乡|籍贯|祖籍)(?:是|在)?|来自|(?:出生|生|长)在|在.+长大|.{1,6}(?<![个好别大客])人$",
        value_first=True,
    ),
    "work": _slot(
        "work",
        rf"(?:在|去)?{WHERE}(?:家)?{_JOB}|(?:在)?{WHAT}(?:公司|单位|厂|店){_JOB}?|(?:工作|职业|职务|公司|单位|行业|本行|职位)(?:是|在|叫|做|干)*(?:的)?(?:{WHAT}|{WHERE}|嘛|呢|怎么样|如何)|(?:做|干|从事|搞|混)?{WHAT}(?:工作|职业|行业|岗位|行当|活儿)|从事{WHAT}|[哪什]么?一?行|靠{WHAT}(?:吃饭|谋生|养|赚钱|过日子|为生)|上{WHAT}班",
        rf"在.+{_JOB}|在.+(?:做|当|教|干).*|{_JOB}(?:在|是)|(?:做|搞|干|卖|教|开|写).+的|写(?:前端|后端|代码|程序|小说|文案|稿子)|当.+|是.*(?:师|员|工|医生|护士|警察|厨子|司机|老板|会计|程序员|公务员|演员|作家)|开了?[家间个].+|工作(?:是|在)|职业(?:是)?",
        value_first=True,
    ),
    "study": _slot(
        "work",
        rf"(?:(?:上|读|念)(?:是)?)?{WHAT}(?:大学|学校|高中|初中|学院)|(?:大学|本科|高中)?(?:学|读|念|修|攻读)(?:着)?{WHAT}(?:专业|系|课)?|{WHAT}(?:专业|系)|专业(?:{WHAT})?|(?:在)?{WHERE}(?:家)?{_SCHOOL}|(?:学校|大学|母校)(?:在|叫){WHAT}?{WHERE}?",
        rf"在.+{_SCHOOL}|(?:是|在)?(?:学|读|念|修).+|专业(?:是)?|.+(?:大学|学院|专业)(?:的|毕业)?|毕业于",
        value_first=True,
    ),
    "hobby": _slot(
        "likes",
        rf"{WHAT}?(?:爱好|兴趣|嗜好|消遣)(?:{WHAT})?|(?<![不厌])爱(?:做|干|玩|搞){WHAT}(?:事情?)?|(?:闲着?|空了?|没事|下班)(?:时候|下来)?(?:都|会|爱)?(?:做|干|玩){WHAT}",
        r"(?<![不厌])爱(?![吃喝])好?(?:是)?|兴趣(?:是)?|(?:对.+)感兴趣|迷上",
    ),
    "likes": _slot(
        "likes",
        rf"(?<![不厌])爱(?:的)?(?:是)?[吃喝看玩听做干]?(?:的)?(?:是)?{WHAT}|{WHAT}.{{0,4}}(?<![不厌])爱(?!好)[吃喝看玩听]?|爱$",
        r"(?<![不厌])爱好?(?:是)?|兴趣(?:是)?|粉丝|(?:对.+)感兴趣|迷上",
    ),
    "avoid": _slot(
        "likes",
        rf"不(?:能|爱|肯|敢|想)?[吃喝碰](?:的)?(?:是)?{WHAT}|{WHAT}.{{0,3}}(?:不(?:能|爱|肯|敢)?[吃喝碰]|厌|怕)|厌(?:的)?(?:是)?[吃喝看玩听]?(?:的)?(?:是)?{WHAT}|忌口|忌讳|挑食|(?<!可)怕(?:的)?(?:是)?{WHAT}",
        r"不(?:能|爱|肯|敢|怎么)?[吃喝碰]|厌|怕|忌口|过敏",
    ),
    "allergy": _slot("likes", r"过敏[原源]?", r"对.+过敏|过敏", value_first=True),
    "pet": _slot("people", rf"养(?:了|过)?(?:只|条)?{WHAT}(?:宠物)?|{WHAT}宠物|养.{{0,2}}宠物", r"养了?|有[只条]"),
    "car": _slot("likes", rf"开{WHAT}(?:车)?$|{WHAT}车|车{WHAT}$|车(?:牌子|品牌|型号)", r"车|开(?!店|了?[家间个])"),
    "partner": _slot(
        "people", r"单身|(?:有|谈|处)(?:没有)?(?:对象|朋友|恋爱)|脱单|结婚了?[吗没]", r"单身|对象|结婚|已婚|离婚|有偶"
    ),
    "place": _slot("where", rf"(?:在|去|跑|待){WHERE}|人呢", r"在|去了?|搬去"),
}
"""What is asked where a more telling slot is not: `place`, of which all that has a place tells."""

ALSO: Mapping[str, tuple[str, ...]] = {
    "work": ("place",),
    "study": ("place",),
    "home": ("place",),
    "place": ("work", "home", "study"),
}
"""A sentence that tells the first may be the answer to these, too: 我妈在医院 says where she is and works."""
