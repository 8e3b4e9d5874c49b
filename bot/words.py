"""What code says in the persona's place or of itself: each text in Chinese and English.

Knows how a text is put, and in which language a line is written. Doesn't know who will read it. What the
commands answer is in plugins/admin/words.py, made of the same `Text`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bot.turn_state import Limit, What

Language = Literal["zh", "en"]

_CHINESE = re.compile(r"[\u3400-\u9fff]")


@dataclass(slots=True, frozen=True)
class Text:
    """One thing to say, in both languages; what is in braces is filled in when it is said."""

    zh: str
    en: str

    def __call__(self, language: Language, /, **values: object) -> str:
        return (self.zh if language == "zh" else self.en).format(**values)

    def both(self, **values: object) -> str:
        """In both languages, for a page whose reader isn't known."""
        return f"{self('zh', **values)} {self('en', **values)}"


def written_in(lines: Iterable[str], *, least: int = 1) -> Language | None:
    """What somebody writes: Chinese where one Chinese character stands, else English; None where too few words do."""
    said = " ".join(lines)
    if _CHINESE.search(said):
        return "zh"
    return "en" if sum(any(map(str.isalpha, word)) for word in said.split()) >= least else None


def chosen(setting: Literal["zh", "en", "auto"], lines: Iterable[str], otherwise: Language = "zh") -> Language:
    """The language to answer these in: the one that is set; in "auto" their own, where they have one."""
    return (written_in(lines) or otherwise) if setting == "auto" else setting


DISCLOSURE = Text(
    "（说明一下：这里是 AI 在代我聊天，不是本人实时回复。）",
    "(Just so you know: an AI is chatting for me here, these are not my own live replies.)",
)
"""Said once in each private chat, before the first reply."""
HONEST = (
    Text("是 AI 在替我回消息，不是我本人", "It's an AI answering for me here, not me in person"),
    Text(
        "对，现在跟你说话的是 AI，不是本人。要找本人得等他自己上来",
        "Yes, you are talking to an AI, not to me. To reach me you have to wait until I am here myself",
    ),
    Text("嗯，AI，不是本人", "An AI, not me in person"),
)
"""To whoever asks whether an AI writes."""
DECLINED = (
    Text(
        "涉及钱、验证码和密码的事，这边的 AI 一律不处理，要等本人",
        "The AI here never deals with money, codes or passwords: ask me in person",
    ),
    Text(
        "这个 AI 做不了主，钱、验证码、密码都得找本人当面说",
        "The AI can't decide that. Anything about money, codes or passwords goes through me in person",
    ),
    Text("不行，这种事只能找本人", "No, only in person"),
)
"""To whoever asks for money, a code or a credential."""

YOU_TALK_TO = Text("你在和 {me} 的 AI 分身聊天，不是本人。", "You are talking to an AI, not to {me}.")
SAID_NOTHING = Text("（{me} 没有说话）", "({me} says nothing)")
SAY_SOMETHING = Text("说点什么", "Say something")
SEND = Text("发送", "Send")
CLEAR = Text("清空", "Clear")
QUIT = Text("退出", "Quit")
CLEARED = Text("前面说的，{me} 都忘了", "{me} has forgotten what was said so far")
THINKS = Text("{me} 在想", "{me} is thinking")

NEWS = {
    "capped": Text("{where}有人叫我，到了上限，没回", "{where}: somebody called me; a limit was reached, no answer"),
    "failed": Text("{where}有人叫我，模型没写出来，没回", "{where}: somebody called me; the model failed, no answer"),
    "money": Text(
        "{where}有人要钱、验证码或密码，没答应", "{where}: somebody asked for money, a code or a password; declined"
    ),
    "bot": Text(
        "{where}好像有别的机器人在跟我对话，先不理它了",
        "{where}: another bot seems to be talking to me; I ignore it for now",
    ),
}
"""What the owner hears of the turn engine."""
IN_GROUP = Text("群 {peer} 里", "Group {peer}")
IN_PRIVATE = Text("和 {peer} 的私聊里", "Private chat with {peer}")
HALTED = Text("急停了，哪里都不说话，/resume 才继续", "Emergency stop: silent everywhere until /resume")
FORGET_ME = Text(
    "{who} 在 {chat} 里要求忘掉他：这里的记录删了，训练用的原始记录请你自己删",
    "{who} asked in {chat} to be forgotten: the lines kept here are deleted; "
    "please delete the original records for training yourself",
)

AWAY = Text("{who} 不在线，现在谁也没法回。{why}", "{who} is offline, nobody can be answered now. {why}")
BACK = Text("账号 {account} 回来了", "Account {account} is back")
ACCOUNT = Text("账号 {account}", "Account {account}")
OFFLINE = Text(
    "QQ 掉线了，可能被挤下线或要重新登录",
    "QQ is logged out: another device may have taken its place, or it must log in again",
)
NO_HEARTBEAT = Text("心跳停了", "Its heartbeat has stopped")
DISCONNECTED = Text("连接断了", "The connection was lost")
ENGINE_DOWN = Text(
    "模型 {name} 连续 {times} 次没起来：{why}", "Model {name} failed to start {times} times in a row: {why}"
)
ENGINE_CRASHES = Text(
    "模型 {name} 十分钟里崩了 {times} 次，又起来了：{why}",
    "Model {name} crashed {times} times within ten minutes and came back: {why}",
)
ENGINE_CUTS = Text(
    "{where}有句话一问模型 {name} 就崩：到它为止说过的一小时内不再给模型看，之后说的照常回；换了版本或 /reload 就再试",
    "{where}: something said there crashes model {name}; it is shown only what was said since, for an hour, or until "
    "another version or /reload",
)
ENGINE_REFUSES = Text(
    "{where}的话一再把模型 {name} 问崩，一小时内那里不回了；换了版本或 /reload 就再试",
    "{where}: what is said there crashes model {name} again and again; nobody is answered there for an hour, or until "
    "another version or /reload",
)

DRAFT = Text(
    "草稿 #{number}（{where}）\n{asked}{bubbles}\n发 / 改 … / 丢 / 教 …（只记住不发）",
    "Draft #{number} ({where})\n{asked}{bubbles}\nsend / edit … / drop / teach … (only remember it)",
)
ASKED = Text("{name}：{text}\n", "{name}: {text}\n")
WHICH_DRAFT = Text(
    "在等的有 {numbers}：引用那一条，或写上编号", "Waiting: {numbers}. Quote that one, or add its number"
)
DRAFT_REPLACED = Text("刚换成了 #{number}，看过再说", "#{number} has just taken its place: read it first")
DRAFT_GONE = Text("#{number} 已经不在了", "#{number} is no longer there")
DRAFT_GONE_OR_WORDS = Text(
    "#{number} 已经不在了（话以数字开头，就写“改：…”）",
    "#{number} is no longer there (words that begin with a number: “edit: …”)",
)
DRAFT_LATE = Text("#{number} 太久了，没发", "#{number} is too old, not sent")
DRAFT_CLOSED = Text("#{number} 那里已经关了，没发", "#{number}: that chat is off by now, not sent")
DRAFT_WAITS = Text(
    "#{number} 现在发不了：被禁言，或者急停着。还留着",
    "#{number} can't be sent now: muted, or the emergency stop is on. It is kept",
)
DRAFT_DECIDED = Text("#{number} 已经处理过了", "#{number} was dealt with before")
DRAFT_DROPPED = Text("丢了 #{number}", "Dropped #{number}")
DRAFT_TAUGHT = Text("记住了，#{number} 没发", "Remembered; #{number} was not sent")
DRAFT_SENT = Text("发了 #{number}", "Sent #{number}")
DRAFT_UNSENT = Text(
    "#{number} 没发出去：被禁言、暂停或急停着", "#{number} was not sent: muted, paused, or the emergency stop is on"
)

DID: dict[What, Text] = {
    "": Text("还没什么可决定的", "nothing to decide yet"),
    "answering": Text("叫了我，回", "I was called: answered"),
    "joining": Text("没叫我，但想插一句", "not called, but joining in"),
    "silent": Text("没叫我，没插话", "not called: kept out"),
    "off": Text("这里没开，不回", "off here: no answer"),
    "muted": Text("被禁言了，不回", "muted by the platform: no answer"),
    "hushed": Text("让我先别说话，不回", "told to be quiet: no answer"),
    "owner": Text("本人在说话，不回", "the owner is speaking: no answer"),
    "halted": Text("全局急停了，不回", "emergency stop: no answer"),
    "blocked": Text("他在黑名单里，不回", "on the block list: no answer"),
    "bot": Text("对面是机器人，不回", "that is a bot: no answer"),
    "cooldown": Text("刚被戳过，不理", "poked a moment ago: ignored"),
    "stale": Text("消息太旧了，不回", "the message is too old: no answer"),
    "night": Text("在睡觉，不插话", "asleep: kept out"),
    "share": Text("最近我说得够多了，不插话", "said enough lately: kept out"),
    "shy": Text("前两次没人接话，先不插话", "ignored the last two times: kept out"),
    "guest": Text("刚进群还没人叫过我，不插话", "new in this group and not called yet: kept out"),
    "capped": Text("到上限了，没回", "a limit was reached: no answer"),
    "failed": Text("模型没写出来，没回", "the model failed: no answer"),
    "recalled": Text("消息撤回了，不回", "the message was taken back: no answer"),
    "expired": Text("想说的时候已经过了，不插话", "the moment has passed: kept out"),
}
"""What became of a message, as `why` tells it."""
CAPS: dict[Limit, Text] = {
    "minute": Text("这个聊天一分钟的条数", "messages a minute in this chat"),
    "gap": Text("两条之间的间隔", "the pause between two messages"),
    "user": Text("这个人一分钟的次数", "replies a minute to this person"),
    "day": Text("一天的条数", "messages a day"),
}
FEATURES = {
    "silence": Text("多久没说话", "how long I was silent"),
    "mine_5": Text("前5条里我的", "mine of the last 5"),
    "mine_10": Text("前10条里我的", "mine of the last 10"),
    "mine_20": Text("前20条里我的", "mine of the last 20"),
    "mine_hour": Text("一小时内我的", "mine within the hour"),
    "after_me": Text("接着我说", "right after me"),
    "addressed": Text("叫了我", "I was called"),
    "names_me": Text("提到我的名字", "my name is in it"),
    "mentions": Text("前几条提到我", "I was mentioned lately"),
    "to_other": Text("对别人说", "said to another"),
    "question": Text("是问句", "a question"),
    "length": Text("长短", "its length"),
    "gap": Text("离上一条多久", "time since the last message"),
    "gap_before": Text("再上一条多久", "time before that"),
    "speakers": Text("几个人在说", "how many are talking"),
    "busy": Text("五分钟内几条", "messages within five minutes"),
    "hour": Text("这个钟点", "the hour"),
    "same_speaker": Text("同一个人接着说", "the same speaker again"),
    "answered": Text("平时回不回这个人", "how often I answer this person"),
    "link": Text("带链接", "a link"),
    "quotes_me": Text("引用了我", "quotes me"),
    "media": Text("只有图片或表情", "only media"),
    "weekday": Text("星期几", "the day of the week"),
}
"""What the gate weighs (watch.FEATURES), as `why` tells it."""
WHY_BEFORE = Text("上一次开口：{line}", "last time I spoke: {line}")
WHY_STANDING = Text("模式 {mode}，频率 {freq:g}，人格 {persona}", "mode {mode}, freq {freq:g}, persona {persona}")
WHY_PROMPT = Text("，上次提示 {chars} 字", ", last prompt {chars} characters")
WHY_QUIET = Text("，安静到 {clock}", ", quiet until {clock}")
WHY_DRAWN = Text("，开口概率 {p:.1%}，抽到 {drawn:.1%}", ", chance {p:.1%}, drawn {drawn:.1%}")
WHY_BECAUSE = Text("，主要因为 {features}", ", mainly because: {features}")
WHY_DELAY = Text("，等 {seconds:.0f} 秒", ", waited {seconds:.0f} s")
WHY_CAPPED = Text("，碰到上限：{caps}", ", limits reached: {caps}")
WHY_NEXT = Text("；", "; ")
WHY_AND = Text("、", ", ")
FOR_GOOD = Text("解除为止", "it is lifted")
NOBODY = Text("没有", "nobody")
CALLED = Text("{name}（{hash}）", "{name} ({hash})")
"""A persona and its hash."""

FAULTS = (
    # A persona's folder.
    Text("{folder} 里没有人格：没有 {file}", "{folder} is not a persona: no {file}"),
    Text("{folder} 坏了：{file} 不见了", "{folder}: {file} is missing"),
    Text("{folder} 坏了：{file} 被改过", "{folder}: {file} is changed"),
    Text("{folder} 的分词器或对话模板坏了：{why}", "{folder}: its tokenizer or chat template is broken: {why}"),
    Text("{path} 坏了", "{path} is damaged"),
    Text("底座模型 {base} 不在 {path}", "the base model {base} is not at {path}"),
    Text("{path} 不是训练这个人格时用的底座模型", "{path} is not the base model that this persona was trained on"),
    Text("{folder} 里没有叫 {name} 的人格", "there is no persona {name} in {folder}"),
    Text("人格 {name} 不在了", "the persona {name} is not there"),
    Text("{name} 没有像 {version} 的版本", "{name} has no version like {version}"),
    Text("{name} 有好几个像 {version} 的版本", "{name} has several versions like {version}"),
    Text("没有更早的人格可以退回", "there is no earlier persona to go back to"),
    # Another persona that was to take over.
    Text(
        "{version} 评分没有通过：{reasons}；一定要换就加上 强制",
        "the gate refused {version}: {reasons}; to take it all the same add --force",
    ),
    Text("新的一句话也不说", "the new persona says nothing"),
    Text("新的把控制符说出来了", "the new persona says control tokens"),
    Text(
        "新的说个没完：一条 {chars} 个字，平时是 {usual} 个",
        "the new persona goes on and on: {chars} characters, where {usual} are usual",
    ),
    Text("新的答不上来：{why}", "the new persona can't answer: {why}"),
    # The engine.
    Text("这个模型服务换不了人格：[engine] 里要写 persona，不写 url", "this engine has no personas to exchange"),
    Text("模型暂停着", "the engine is paused"),
    Text("模型已经关了", "the engine is closed"),
    Text("模型关着或暂停着", "the engine is closed or paused"),
    Text("模型还没启动", "the engine isn't started"),
    Text("模型还没启动好", "the persona is not up"),
    Text("模型进程退出了（退出码 {code}）", "the engine ended (exit code {code})"),
    Text("模型没起来就退出了：{why}", "the engine ended while starting: {why}"),
    Text("等了 {seconds} 秒模型还没起来", "the engine was not ready after {seconds} s"),
    Text("模型没有及时恢复", "the engine did not come back in time"),
    Text(
        "这句话之前让模型崩过，先不再试", "this prompt has ended the engine before: it is not tried again for a while"
    ),
    Text("{device} 的内存放不下 {name}", "{name} does not fit on {device}"),
    Text("读不进 {folder}：{why}", "can't load {folder}: {why}"),
    Text("没有找到显卡，而 {name} 有 {size}B 参数", "no GPU was found, and {name} has {size} billion parameters"),
    Text("没有 {device} 这个设备", "there is no device {device}"),
    Text("torch 看不到 {device}", "torch sees no {device}"),
    Text("8 bit 和 4 bit 只能选一个", "8 bit and 4 bit at once"),
    Text("端口 {port} 被占用了", "port {port} is in use"),
    Text("{host} 的端口 {port} 用不了：{why}", "can't listen on {host}:{port}: {why}"),
    Text("{model} 不能一个词一个词地说：{why}", "{model} can't be spoken with word by word: {why}"),
    Text("跑模型的线程坏了", "the model's thread broke down"),
    Text("说的不是 OpenAI 协议：{why}", "not the OpenAI protocol: {why}"),
    Text("没有能回答的模型服务", "no server answers"),
    Text("{url} 没有模型服务在回答：{why}", "no engine answers at {url}: {why}"),
    Text("{url} 不认这个密钥", "{url} refuses the key"),
    Text("{url}：话说到一半断了", "{url}: the reply broke off"),
    Text("{seconds} 秒里没说完", "no end within {seconds} s"),
    Text("没有回答：{why}", "no answer: {why}"),
    # The way to QQ.
    Text("连 {place} 的 QQ 端：{why}", "QQ side at {place}: {why}"),
    Text("从 {place} 连来的 QQ 端：{why}", "QQ side from {place}: {why}"),
    Text("连接断了，在重连", "the connection is closed; trying again"),
    Text(
        "拒绝了连接；NapCat 开着吗，它的 WebSocket 服务端开着吗？在重试",
        "refused the connection; is NapCat running, with its WebSocket 服务端 on? trying again",
    ),
    Text(
        "连不上（{error}）；NapCat 开着吗，它的 WebSocket 服务端开着吗？在重试",
        "can't be reached ({error}); is NapCat running, with its WebSocket 服务端 on? trying again",
    ),
    Text("一连上就断了；token 对吗？在重试", "it closed the connection at once; is the token right? trying again"),
    Text(
        "不认 token；把 .env 里的 MYBOT_BOT_ONEBOT_ACCESS_TOKEN 设成 NapCat 里的那个",
        "it refused the token; set MYBOT_BOT_ONEBOT_ACCESS_TOKEN in .env to the one NapCat shows",
    ),
    Text(
        "答的是 {status}，不是 WebSocket；地址对吗？",
        "it answered {status} instead of a WebSocket; is the address right?",
    ),
    Text(
        "拒绝了：没带 token；把机器人的 access token 填进 NapCat 的 WebSocket 客户端",
        "refused: it sent no token; put the bot's access token into NapCat's WebSocket 客户端",
    ),
    Text("拒绝了：token 不对；两边要一样", "refused: wrong token; both sides need the same access token"),
    Text("拒绝了：没说是哪个账号（X-Self-ID）", "refused: it did not say which account it is (X-Self-ID)"),
    Text("拒绝了：账号 {account} 已经连着了", "refused: account {account} is connected already"),
)
"""Reasons that a chat may have to be told: the English is what the code says, letter by letter (bot/faults.py)."""
KINDS = {
    "SettingsError": Text("设置不对（{why}）", "a setting is wrong ({why})"),
    "InputError": Text("有个文件读不了（{why}）", "a file can't be read ({why})"),
    "PersonaError": Text("人格的文件夹有问题（{why}）", "something is wrong with the persona's folder ({why})"),
    "EngineError": Text("模型出了问题（{why}）", "something is wrong with the engine ({why})"),
    "MyBotError": Text("出了问题（{why}）", "something is wrong ({why})"),
}
"""What sort of thing is wrong, by the error's class, for reasons that are not among these."""
