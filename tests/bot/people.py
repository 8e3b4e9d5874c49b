"""Generated people: what is known of them, how it was said once, how it is asked later, and talk around it."""

import random
from dataclasses import dataclass

from bot.persona.message import Message, Segment

DAY = 86400

# What is asked has a word in common with what was said, but seldom the same sentence.
KNOWN: list[tuple[str, list[str], list[str]]] = [
    ("猫叫{v}", ["我家猫叫{v}", "给猫取名叫{v}了"], ["你家猫叫什么来着", "你那只猫叫啥名字"]),
    ("对{v}过敏", ["我对{v}过敏 不能碰", "跟你说过我{v}过敏的"], ["你是对什么过敏来着", "你有啥过敏的吗"]),
    ("住{v}", ["我搬到{v}住了", "现在住在{v}这边"], ["你现在住哪", "你搬去哪住了来着"]),
    ("生日{v}", ["我生日是{v}", "{v}是我生日"], ["你生日哪天", "你生日是几号来着"]),
    ("学{v}", ["我在学{v} 好难", "报了个班学{v}"], ["你之前说在学什么", "你报的班是学啥的"]),
    ("姐在{v}", ["我姐在{v}工作", "我姐去{v}那边了"], ["你姐在哪工作", "你姐去哪了来着"]),
    ("车是{v}", ["买了辆{v}", "我车就是{v}那款"], ["你买的车是啥", "你那辆车是哪款"]),
    ("WiFi{v}", ["我家wifi名字是{v}", "wifi改叫{v}了"], ["你家wifi叫什么", "wifi名字发我下"]),
]
VALUES = {
    "猫叫{v}": ["年糕", "芝麻", "豆包", "毛球", "布丁", "土豆"],
    "对{v}过敏": ["花生", "芒果", "虾", "青霉素", "花粉", "牛奶"],
    "住{v}": ["滨江", "城南", "大学路", "老火车站", "望湖", "东浦"],
    "生日{v}": ["三月五号", "腊月初八", "七月十二", "十月三号", "国庆", "冬至"],
    "学{v}": ["陶艺", "日语", "架子鼓", "木工", "围棋", "游泳"],
    "姐在{v}": ["青岛", "昆明", "成都", "厦门", "沈阳", "兰州"],
    "车是{v}": ["二手飞度", "五菱", "小电驴", "山地车", "摩托", "老捷达"],
    "WiFi{v}": ["别蹭网", "隔壁老王", "四零二", "猫咪基地", "快交房租", "信号满格"],
}
TALK = [
    "哈哈哈",
    "在吗",
    "吃了没",
    "今天好累",
    "刚下班",
    "晚上打游戏不",
    "我去 这也行",
    "笑死",
    "真的假的",
    "明天再说吧",
    "好的",
    "嗯嗯",
    "下雨了",
    "外面好冷",
    "周末干嘛",
    "看那个剧了没",
    "电影还行",
    "食堂的菜又咸了",
    "地铁好挤",
    "老板又开会",
    "作业写完没",
    "困死了",
    "早点睡",
    "起不来",
    "这歌好听",
    "发我看看",
    "图呢",
    "等我一下",
    "到了叫我",
    "路上堵车",
    "快递到了",
    "外卖还没来",
    "手机没电了",
    "充电器落你那了",
    "你看群了吗",
    "他又迟到",
    "组会改时间了",
    "不想上班",
    "想放假",
    "奶茶喝吗",
    "新开那家店去过没",
    "猫又拆家了",
    "车停哪了",
    "姐姐你最好了",
    "学不动了",
    "过来一起啊",
    "搬砖去了",
    "叫上他一起",
    "过生日的人最大",
]


@dataclass(slots=True)
class Known:
    """Something that was said once, and how it is asked."""

    message: Message
    value: str
    question: str


@dataclass(slots=True)
class Person:
    """A chat with somebody: all lines in order, and what is to be found in it."""

    chat: str
    messages: list[Message]
    known: list[Known]


def person(number: int, *, days: int = 30, lines: int = 40, first_day: bool = False, seed: int = 7) -> Person:
    """`days` days of talk with one contact, and every kind of fact said once, on the first day or on any."""
    draw = random.Random(f"{seed}:{number}")
    chat = f"qq:private:{10000 + number}"
    messages: list[Message] = []
    known: list[Known] = []
    start = 1_700_000_000
    due = {topic: 0 if first_day else draw.randrange(days) for topic, *_ in KNOWN}
    for day in range(days):
        said = [(draw.choice(TALK), draw.random() < 0.5, "") for _ in range(lines)]
        for topic, ways, questions in KNOWN:
            if due[topic] == day:
                value = draw.choice(VALUES[topic])
                text = draw.choice(ways).format(v=value)
                said.insert(draw.randrange(len(said) + 1), (text, True, f"{value}\n{draw.choice(questions)}"))
        for place, (text, mine, tells) in enumerate(said):
            time = start + day * DAY + place * 300
            message = Message(
                f"{chat}-{day}-{place}",
                chat,
                "private",
                time,
                "1" if mine else chat.rsplit(":", 1)[1],
                "阿树" if mine else f"朋友{number}",
                [Segment("text", text)],
                mine,
            )
            messages.append(message)
            if tells:
                known.append(Known(message, *tells.split("\n")))
    return Person(chat, messages, known)


def asks(person: Person, question: str, *, days_later: float) -> list[Message]:
    """The last lines of the chat when it is asked: small talk, then the question."""
    now = person.messages[-1].time + int(days_later * DAY)
    who = person.chat.rsplit(":", 1)[1]

    def said(place: int, text: str) -> Message:
        return Message(f"q{place}", person.chat, "private", now + place, who, "朋友", [Segment("text", text)])

    return [said(0, "在吗"), said(5, "问你个事"), said(9, question)]
