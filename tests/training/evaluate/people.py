"""Invented people with known manners, and chats in which they answer each other: what the axes are tested on.

A manner decides how somebody writes (length, punctuation, particles, laughter, bubbles); the topic of a
session decides what about. So a reply shows who wrote it and what it answers, and both are known.
"""

import random
from dataclasses import dataclass, field, replace
from typing import Any

from bot.persona.message import Message, Segment
from bot.persona.prompt import Bubble, Turn
from training.evaluate.sample import Moment, Reply, Sample

TOPICS = {
    "猫": ("猫 年糕 猫砂 罐头 毛线 猫窝 尾巴 冻干", "挠 喂 抱 称 哄 洗"),
    "火锅": ("火锅 毛肚 麻酱 番茄锅 蘸料 羊肉 冰粉 鸭肠", "涮 煮 订 抢 辣 尝"),
    "骑车": ("公路车 链条 运河 轮胎 头盔 码表 坡 手套", "骑 修 爬 补 换 擦"),
    "游戏": ("副本 装备 农场 鱼竿 排位 皮肤 公会 地图", "刷 打 钓 抽 练 组"),
    "上班": ("需求 周报 工位 上线 老板 会议室 打卡 文档", "改 写 催 推 熬 交"),
    "电影": ("科幻片 影院 预告 爆米花 导演 片尾 字幕 彩蛋", "看 订 剪 等 补 猜"),
    "下雨": ("雨伞 鞋 梅雨 天气预报 屋檐 水坑 雨衣 外套", "淋 躲 晾 忘 买 收"),
    "考试": ("高数 自习室 真题 笔记 补考 教授 学分 图书馆", "背 刷 抄 复习 挂 占"),
    "吉他": ("吉他 和弦 琴弦 谱子 邻居 拨片 琴行 节拍器", "弹 练 换 调 扒 录"),
    "旅行": ("高铁 民宿 攻略 日落 相机 古镇 海边 行李", "订 拍 逛 赶 走 收"),
}
ENDS = ("今天", "昨天", "周末", "早上", "晚上", "刚才", "下午", "中午", "上周", "明天")
WHERE = ("楼下", "公司", "家里", "学校", "路上", "老地方", "隔壁", "城西", "河边", "地铁口")
HOW = ("真的", "居然", "终于", "又", "根本", "完全", "差点", "已经", "好像", "总算")


@dataclass(frozen=True)
class Manner:
    """How somebody writes; every share is a chance a bubble."""

    particles: str = ""
    particle: float = 0.0
    laughter: str = ""
    laughs: float = 0.0
    stop: str = ""
    stops: float = 0.0
    opener: tuple[str, ...] = ()
    opens: float = 0.0
    long: float = 0.3
    bubbles: float = 1.5
    latin: float = 0.0
    sticker: float = 0.0


ME = Manner("呀啦", 0.5, "哈", 0.35, "", 0.0, ("我跟你讲", "救命", "绝了"), 0.3, 0.2, 2.0, 0.0, 0.12)
FRIENDS = {
    "阿泽": Manner("吧", 0.1, "", 0.0, "。", 0.9, ("按理说", "依我看"), 0.25, 0.9, 1.0, 0.0, 0.0),
    "豆芽": Manner("嘛呢", 0.5, "h", 0.4, "！", 0.4, ("天呐", "笑死"), 0.3, 0.3, 1.2, 0.25, 0.0),
    "老魏": Manner("", 0.0, "呵", 0.15, "…", 0.5, ("嗯", "行"), 0.4, 0.05, 1.1, 0.0, 0.0),
    "七七": Manner("哇呜", 0.6, "嘻", 0.3, "~", 0.6, ("宝", "呜呜"), 0.4, 0.4, 1.6, 0.05, 0.25),
}


@dataclass(frozen=True)
class Exchange:
    """Something said by somebody else, and the reply to it; bubbles of the reply on lines of their own."""

    place: int
    """Unique, in order of time."""
    session: str
    day: int
    topic: str
    context: tuple[str, ...]
    speaker: str
    reply: str


@dataclass
class Chats:
    """What everybody in `members` replied, in order of time, and who is me."""

    me: str
    said: dict[str, list[Exchange]] = field(default_factory=dict)

    def of(self, name: str, first: float = 0.0, last: float = 1.0) -> list[Exchange]:
        """Somebody's exchanges in a stretch of time, as shares of all sessions."""
        exchanges = self.said[name]
        return exchanges[int(len(exchanges) * first) : int(len(exchanges) * last)]


def chats(seed: int = 7, *, sessions: int = 120, a_session: int = 5, drift: float = 0.1, friends: int = 4) -> Chats:
    """A group in which everybody answers about everything; `drift` is how far my laughter wanders in all."""
    draw = random.Random(seed)
    manners = {"小北": ME, **dict(list(FRIENDS.items())[:friends])}
    made = Chats("小北", {name: [] for name in manners})
    for number in range(sessions):
        topic = draw.choice(list(TOPICS))
        now = number / sessions
        for name, manner in manners.items():
            moved = replace(manner, laughs=manner.laughs + drift * now * (manner.laughs > 0))
            for _ in range(a_session):
                asked = said(draw, FRIENDS["豆芽"], topic)
                place = number * 10_000 + 60 * sum(map(len, made.said.values())) % 10_000
                said_here = reply(draw, moved, topic, asked)
                made.said[name].append(Exchange(place, f"s{number:04}{name}", number, topic, (asked,), name, said_here))
    return made


def reply(draw: random.Random, manner: Manner, topic: str, asked: str = "") -> str:
    """What somebody of this manner answers: about the topic, and mostly about the very thing asked."""
    bubbles = 1 + sum(draw.random() < (manner.bubbles - 1) / 2 for _ in range(2))
    return "\n".join(said(draw, manner, topic, asked if place == 0 else "") for place in range(bubbles))


def said(draw: random.Random, manner: Manner, topic: str, asked: str = "") -> str:
    """One bubble."""
    things, doings = (words.split() for words in TOPICS[topic])
    named = [thing for thing in things if thing in asked]
    thing = draw.choice(named) if named and draw.random() < 0.9 else draw.choice(things)
    text = f"{thing}{draw.choice(HOW)}{draw.choice(doings)}了"
    if draw.random() < manner.long:
        text = f"{draw.choice(ENDS)}在{draw.choice(WHERE)}{text}{draw.choice(ENDS)}再{draw.choice(doings)}{draw.choice(things)}"
    if draw.random() < manner.opens:
        text = draw.choice(manner.opener) + text
    if draw.random() < manner.particle:
        text += draw.choice(manner.particles)
    if draw.random() < manner.laughs:
        text += manner.laughter * draw.randint(2, 6)
    if draw.random() < manner.latin:
        text += draw.choice((" ok", " emo", " plz"))
    if draw.random() < manner.stops:
        text += manner.stop
    return text + ("😂" if draw.random() < manner.sticker else "")


def babble(texts: list[str], count: int, seed: int = 3, order: int = 4) -> list[str]:
    """Character n-gram gibberish after these texts: knows how they look, not what was asked."""
    draw = random.Random(seed)
    follows: dict[str, list[str]] = {}
    for text in texts:
        padded = "\0" * order + text + "\1"
        for place in range(order, len(padded)):
            follows.setdefault(padded[place - order : place], []).append(padded[place])
    made = []
    for _ in range(count):
        state, out = "\0" * order, ""
        while len(out) < 60 and (following := draw.choice(follows[state])) != "\1":
            out += following
            state = (state + following)[-order:]
        made.append(out.strip() or "嗯")
    return made


def tidied(text: str) -> str:
    """The same words as a careful typist would have sent them: one bubble, full stop."""
    return "，".join(text.replace("😂", "").split("\n")).rstrip("哈，。") + "。"


def sample(made: Chats, first_test: float = 0.6) -> Sample:
    """What the axes see of these chats: the oldest sessions train, the next tenth is dev, the rest test."""
    replies = {
        name: [to_reply(e, "" if name == made.me else name, part(made, e, first_test)) for e in exchanges]
        for name, exchanges in made.said.items()
    }
    mine = replies.pop(made.me)
    moments = [to_moment(e, said) for e, said in zip(made.said[made.me], mine, strict=True) if said.part == "test"]
    moments.sort(key=lambda moment: (moment.mine.session, moment.mine.time))
    return Sample(moments, mine, replies)


def part(made: Chats, exchange: Exchange, first_test: float) -> Any:
    share = exchange.day / (made.said[made.me][-1].day + 1)
    return "train" if share < first_test - 0.1 else "dev" if share < first_test else "test"


def to_reply(exchange: Exchange, author: str = "", part: Any = "test", text: str | None = None) -> Reply:
    lines = exchange.reply if text is None else text
    place = exchange.place
    return Reply(
        tuple(lines.split("\n")) if lines else (),
        exchange.session,
        "group:1",
        "group",
        1_700_000_000 + place,
        part,
        author,
    )


def to_moment(exchange: Exchange, mine: Reply) -> Moment:
    messages = tuple(
        Message(
            f"{exchange.place}-{n}", mine.chat, mine.kind, mine.time - 30 + n, "豆芽", "豆芽", [Segment("text", text)]
        )
        for n, text in enumerate(exchange.context)
    )
    turn = Turn("user", [Bubble(text, "豆芽") for text in exchange.context])
    return Moment(str(exchange.place), (turn,), messages, mine, "骑行群", {"豆芽": "豆芽"})


def answers(seen: Sample, texts: list[str]) -> list[Reply]:
    """A system's replies to a sample's moments."""
    return [
        replace(moment.mine, bubbles=tuple(text.split("\n")) if text else ())
        for moment, text in zip(seen.moments, texts, strict=True)
    ]
