"""An honest answer to whoever asks whether an AI writes here, and none in the owner's name about money.

Knows the questions, in Chinese and English; a fixed line answers them in the language that was asked in,
whatever the persona would say. Doesn't know when a reply is due: a fixed line takes the place of the persona's
reply, and goes the same way.
"""

import re
from collections.abc import Sequence

from bot import words
from bot.persona import guard_money
from bot.persona.guard import Reason
from bot.persona.message import Message
from bot.persona.privacy import fold
from bot.words import Text

FRESH = 90
"""Seconds before the answered message in which its sender's lines belong to the same question."""
LONGEST = 40
"""Characters of a question in Chinese, at most; twice as many in English."""
LINES = 5
"""At most so many of those lines."""

_CJK = re.compile(r"[\u3400-\u9fff]")
_CLAUSES = re.compile(r"[，。！？；、,.!?;~～…\n]+")
_SPACE = re.compile(r"\s+")
_SIMPLER = str.maketrans("嗎麼機動復覆還證說話誰網訊發訓練寫腳對這個嘛", "吗么机动复复还证说话谁网讯发训练写脚对这个嘛")
"""Traditional characters of such questions."""

_BOT = (
    r"(?:(?:聊天)?机器人|机器|人工智能|人工智障|人机|大?语言模型|大模型|ai模型|ai分身|ai助手|ai|chatgpt|gpt|llm|chatbot|bot|robot"
    r"|智能体|程序|脚本|代码|自动回复|npc|虚拟人|数字人|数字分身|分身|假人|deepseek|豆包|siri|小爱同学)"
)
_REAL = r"(?:真人|活人|本人|本尊|人类|人|真的人|你本人|你自己|正主)"
_HOW = (
    r"(?:到底|究竟|真的|其实|现在|该不会|不会|难道|莫非|怕不|怕|确定|就|肯定|绝对|果然|根本|只|也|应该|好像|感觉|真)*"
)
_YOU = r"(?:你|您|妳|泥|u|ni|这|这边|这个号|这号|这个账号|对面|对面的|那边|那头)"
_END = r"(?:啊|吗|么|嘛|吧|呢|呀|了|的|哦|不|没|啦|呗|来着|对吧|是吧|对不对|是不是|吗你|吧你)*"
_ONE = r"(?:一?个|一?台|那种|什么|某种|啥)?(?:真的)?"
_BACK = r"(?:回|回复|答|回答|聊|聊天|说话|讲话|打字|发|发消息|发的)(?:我|的|消息|微信|信息|话|着|呢|天)*"
_FIRST = (
    r"(?:所以|那|喂|诶|哎|话说|请问|我说|讲真|老实说|老实讲|说实话|坦白说|诚实点|好奇问下|问一下|确认下|等等|等下)*"
)
_ASKED = tuple(
    re.compile(shape)
    for shape in (
        rf"{_FIRST}{_HOW}{_YOU}?这?{_HOW}(?:是不是|是否是|是否|不是|是|系|属于){_HOW}{_ONE}{_BOT}{_END}",
        rf"{_YOU}{_HOW}(?:是不是|是否|不是|是){_HOW}{_ONE}(?:真人|活人|本人|人类|本尊|真的人|活的|真的你|正主){_END}",
        rf"{_YOU}{_HOW}(?:是不是|是否|是)(?:个)?人(?:吗|么|嘛|啊)",
        rf"(?:这|现在|刚才|刚刚)?(?:还)?{_HOW}(?:是不是|是)(?:你|您)?(?:本人|真人|活人|本尊)(?:在)?(?:{_BACK})?{_END}",
        rf"{_YOU}?(?:本人|真人|活人)(?:在线|在)?(?:吗|么|嘛)",
        rf".{{0,6}}(?:是|算){_ONE}{_REAL}(?:还|or)是?{_ONE}{_BOT}.{{0,4}}",
        rf".{{0,6}}(?:是|算){_ONE}{_BOT}(?:还|or)是?{_ONE}{_REAL}.{{0,4}}",
        rf"{_REAL}还是{_BOT}{_END}|{_BOT}还是{_REAL}{_END}",
        rf"(?:现在|刚才|刚刚|一直|这|刚|到底|所以)*{_HOW}(?:是不是|是|不是)(?:不是)?(?:让|用|拿|开了?|有)?{_BOT}(?:替你|帮你|代你|自动)?(?:在)?{_BACK}{_END}",
        rf"{_YOU}(?:是不是)?(?:在)?(?:让|用|拿|开了?|挂了?){_BOT}(?:替你|帮你|代你|自动)?(?:在)?{_BACK}{_END}",
        rf".{{0,4}}我{_HOW}(?:是不是|是)?(?:一直)?(?:在)?(?:跟|和|同|与){_ONE}{_BOT}(?:在)?(?:聊|聊天|说话|对话|讲话){_END}",
        rf".{{0,4}}我{_HOW}(?:是不是|是)?(?:一直)?(?:在)?(?:跟|和|同|与)(?:你)?(?:真人|本人|活人)(?:在)?(?:聊|聊天|说话|对话|讲话){_END}",
        rf"{_YOU}是(?:什么|哪个|哪家的?|啥|谁家的?)(?:大|语言|大语言)?(?:模型|ai|机器人|bot)(?:做的|训练的)?{_END}",
        rf"(?:你)?(?:怎么|咋|如何|能|能不能|拿什么)?(?:证明|自证)(?:一下|下)?(?:给我看)?(?:你|自己)?(?:是(?:本人|真人|活人|人类)|不是{_BOT}){_END}",
        rf"(?:是|到底是|现在是|刚才是)?谁在(?:替你|帮你|代你){_BACK}{_END}",
        rf"(?:能不能|能|可以|可不可以|麻烦)?(?:让|叫|换|喊)(?:你)?(?:本人|真人|人工)(?:来|出来|上线|说话|回我|服务)*{_END}",
        rf"{_BOT}(?:吗|吧|么|嘛|吧你|吗你)",
        rf"{_YOU}{_BOT}(?:吗|吧|么|嘛|啊)",
        rf"{_FIRST}{_YOU}(?:到底|究竟|真的)是不是(?:个|真)?人{_END}",
        rf"{_FIRST}{_YOU}?是(?:个)?(?:真人|活人|本人)不(?:是)?",
        rf"{_YOU}(?:是)?不是(?:他|她|号主|机主){_REAL}{_END}|{_YOU}是不是假(?:的|人){_END}",
        rf"{_REAL}(?:在|在线)?(?:吗|么|嘛|不)?还是(?:个)?{_BOT}{_END}",
        rf"{_FIRST}{_YOU}是{_BOT}吧",
        rf"(?:我|怎么|总|老)*(?:感觉|觉得|怀疑){_YOU}{_HOW}(?:像|是|就是){_ONE}{_BOT}{_END}(?:是吗|对吗)?",
        rf"(?:{_YOU}(?:是不是)?|是不是)(?:挂|开|装)(?:着|了)?(?:一?个)?{_BOT}{_END}",
        rf"(?:你这|这个?|你的?)账?号{_HOW}(?:是|由)(?:不是)?{_BOT}(?:在)?(?:用|管|登|操作|控制|打理){_END}",
        rf"(?:现在|刚才|刚刚|真的|一直)*(?:是不是|是)(?:你|您)(?:自己|本人)(?:在)?{_BACK}{_END}",
        rf"(?:刚才|刚刚|你刚?|你刚才)(?:这|那)?(?:些|句|段)?(?:话|消息|回复)(?:都)?(?:是|该不会是|不会是)(?:不是)?{_BOT}(?:替你)?(?:说|写|回|发|打|生成)的{_END}",
    )
)
_BARE = re.compile(rf"\s*(?:{_BOT}|真人|本人|活人)\s*[?？]+\s*")
"""Nothing but the word and a question mark."""
_ENGLISH_BOT = (
    r"(?:(?:an? |some |the |just an? )*(?:real |actual |fucking |damn |stupid |chat )?"
    r"(?:ai|a\.i\.|bot|robot|chatbot|machine|llm|language model|gpt|chatgpt|computer|program|script|npc|auto ?reply|autoresponder|artificial intelligence|automated|deepseek))"
)
_ENGLISH_REAL = r"(?:(?:an? |the )*(?:real|actual|living|actually|really)? ?(?:human being|human|person|people|real|you|yourself|real one))"
_ENGLISH_HOW = r"(?:really|actually|even|just|honestly|secretly|by any chance|in fact|truly|like|maybe|still|sure|not)"
_ENGLISH_TAIL = r"(?: or (?:what|not|something|a\b.*|an\b.*|the\b.*|ai|bot|human|real|is\b.*|am\b.*))?(?: right| are(?:n'?t|nt) (?:you|u)| huh| lol| tho| though| (?:talking|speaking|replying|texting|answering)(?: to me)?| here| now| then)*"
_ASKED_ENGLISH = tuple(
    re.compile(shape)
    for shape in (
        rf"(?:.{{0,20}}\b)?(?:are|r) (?:you|u|ya)(?: {_ENGLISH_HOW})* {_ENGLISH_BOT}{_ENGLISH_TAIL}",
        rf"(?:.{{0,20}}\b)?(?:are|r) (?:you|u|ya)(?: {_ENGLISH_HOW})* (?:(?:an? |the )?(?:real|actual|living) (?:human being|human|person|guy|one|\w+)|an? human(?: being)?|human|real){_ENGLISH_TAIL}",
        rf"(?:.{{0,20}}\b)?(?:you|u|you'?re|ur|you are)(?: {_ENGLISH_HOW})* {_ENGLISH_BOT}{_ENGLISH_TAIL}",
        rf"(?:.{{0,20}}\b)?am i(?: {_ENGLISH_HOW})* (?:talking|speaking|chatting|texting)(?: {_ENGLISH_HOW})* (?:to|with) (?:{_ENGLISH_BOT}|{_ENGLISH_REAL}){_ENGLISH_TAIL}",
        rf"(?:.{{0,20}}\b)?is (?:this|that|it) (?:{_ENGLISH_HOW} )*{_ENGLISH_BOT}{_ENGLISH_TAIL}",
        rf"(?:.{{0,20}}\b)?is (?:this|that|it) (?:{_ENGLISH_HOW} )+you{_ENGLISH_TAIL}",
        r"(?:.{0,20}\b)?is (?:this|that|it) an? (?:real |actual )?(?:human|person)(?: being)?(?: talking| replying| here)?",
        rf"(?:.{{0,20}}\b)?(?:is (?:this|that|it) )?(?:you|{_ENGLISH_REAL}) or {_ENGLISH_BOT}",
        rf"{_ENGLISH_BOT} or {_ENGLISH_REAL}",
        rf"(?:.{{0,20}}\b)?prove (?:to me )?(?:that )?(?:you|u|you'?re|you are|ur)(?: are|'re)? (?:not {_ENGLISH_BOT}|human|real|a real person|a human)",
        r"(?:.{0,20}\b)?(?:which|what) (?:ai |language )?(?:model|llm|ai) are (?:you|u)",
        rf"(?:.{{0,12}}\b)?(?:using|with|got|have) {_ENGLISH_BOT} (?:to )?(?:reply|replying|answer|answering|text|texting|talk|talking)(?: to| for)?(?: me| you)?",
        rf"(?:ok |so |wait |hey |lol )*{_ENGLISH_BOT}\?",
    )
)


def asks_whether_ai(text: str) -> bool:
    """Whether somebody asks whom he has before him: an AI, or the person."""
    folded = fold(text).lower().translate(_SIMPLER)
    if _CJK.search(folded) is None:
        return _asks_in_english(folded)
    if _BARE.fullmatch(folded):
        return True
    whole = _SPACE.sub("", _CLAUSES.sub("", folded))
    clauses = [_SPACE.sub("", clause) for clause in _CLAUSES.split(folded)]
    return any(shape.fullmatch(part) for part in {whole, *clauses} if 0 < len(part) <= LONGEST for shape in _ASKED)


def _asks_in_english(folded: str) -> bool:
    plain = _SPACE.sub(" ", folded.replace("’", "'")).strip()
    clauses = {clause.strip() for clause in re.split(r"[,.!;~…\n]+|(?<=\?)", plain)}
    bare = {re.sub(r"[?!. ]+$", "", clause) for clause in clauses | {plain}}
    parts = [part for part in clauses | bare if 0 < len(part) <= 2 * LONGEST]
    return any(shape.fullmatch(part) for part in parts for shape in _ASKED_ENGLISH)


def fixed_answer(
    messages: Sequence[Message], answering: str | None, *, disclosure: bool = True, guard: bool = True
) -> tuple[str, tuple[Reason, ...]]:
    """The line that code says in the persona's place, empty where it is the persona's turn; and what it refuses.

    `messages` are the chat's, oldest first, up to now; `answering` is the id of the one that is answered
    (left out, the newest).
    """
    asked = put_to_me(messages, answering)
    mine = [message.text for message in messages if message.mine]
    if disclosure and any(map(asks_whether_ai, asked)):
        return _varied(words.HONEST, asked, mine), ()
    if guard and guard_money.asked(asked):
        return declined(messages, answering), ("money",)
    return "", ()


def declined(messages: Sequence[Message], answering: str | None) -> str:
    """The line that says no to a request for money, a code or a credential."""
    return _varied(words.DECLINED, put_to_me(messages, answering), [m.text for m in messages if m.mine])


def put_to_me(messages: Sequence[Message], answering: str | None) -> list[str]:
    """What the sender of the answered message has just said, since I spoke; oldest first."""
    place = next((n for n, message in enumerate(messages) if message.id == answering), len(messages) - 1)
    if place < 0 or messages[place].mine:
        return []
    last, said = messages[place], []
    for message in messages[place::-1]:
        if message.mine or len(said) == LINES or last.time - message.time > FRESH:
            break
        if message.sender == last.sender and message.spoken:
            said.append("".join(s.text for s in message.segments if s.type == "text").strip())
    return [text for text in reversed(said) if text]


def _varied(texts: Sequence[Text], asked: Sequence[str], mine: Sequence[str]) -> str:
    """Of several ways to say it the one that I have said longest ago, or never; as those ask, so they are answered."""
    language = words.written_in(asked) or "zh"
    newest_first = list(reversed(mine))
    lines = [text(language) for text in texts]
    return max(lines, key=lambda line: newest_first.index(line) if line in newest_first else len(newest_first))
