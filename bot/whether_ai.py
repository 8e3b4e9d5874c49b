"""Whether somebody asks whom he has before him: an AI, or the person. In Chinese and English.

Knows how people put it, as they type it: short, without punctuation, with slips. Doesn't know what is answered
(bot/honesty.py). Precise rather than complete: talk about AI, and what AI made, is talk.
"""

import re

from bot.persona.privacy import fold

LONGEST = 40
"""Characters of a question in Chinese, at most; twice as many in English."""
CLAUSES = 16
"""Clauses at each end of a message that are looked at."""

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
_END = r"(?:啊|吗|么|嘛|吧|呢|呀|了|的|哦|不|没|啦|呗|来着|对吧|是吧|对吗|是吗|对不对|是不是|吗你|吧你)*"
_ONE = r"(?:一?个|一?台|一?段|那种|哪种|什么|某种|啥)?(?:真的)?"
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
        rf"(?:现在|刚才|刚|一直|这|到底|所以)*{_HOW}(?:是不是|是|不是)(?:不是)?(?:让|用|拿|开了?|有)?{_BOT}(?:替你|帮你|代你|自动)?(?:在)?{_BACK}{_END}",
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
_WHAT = rf"(?:智能助手|虚拟助手|ai客服|电脑程序|电脑|算法|软件|{_BOT})"
_PERSON = r"(?:真实的?人|真人|活人|本人|本尊|人工|人类|正主|(?:他|她|你|您)(?:本人|自己)|号主|人)"
_BEGIN = (
    r"(?:所以|那|喂|诶|哎|话说|请问|我说|讲真|你?跟?我?老?实?说实话|老实(?:说|讲|交代)|坦白说|别骗我|别装了|告诉我|我问你"
    r"|请?确认(?:一?下)?|我?就?想?问(?:一?下)|你?确定)*"
)
_WHO = (
    r"(?:你|您|妳|(?:现在|刚才|刚刚|一直|到底|真的)*(?:(?:在)?(?:跟|和|同|与)我)?(?:在)?(?:说话|聊天|聊|回我|回复我|打字|发消息|回消息)的(?:人|这个人)?"
    r"|对面(?:坐着)?的?|屏幕(?:那边|对面|后面|那头)的?|网线?那头的?|(?:你?这个?|你的?)(?:账?号|微信|qq)|这边|那边)(?:现在|刚才|刚刚)*"
)
_SAID = r"(?:(?:你|您)?(?:的)?(?:刚才|刚刚|现在)?(?:的)?(?:这|那)?(?:些|几?句|几?条)?(?:话|消息|回复|信息|回的|说的|的)?(?:都)?)"
_DOES = r"(?:操作|操控|管理|管|值班|代班|打字|用|登|控制|冒充你?|顶替你?|替你|帮你|代你)"
_MORE = tuple(
    re.compile(shape)
    for shape in (
        # Who is at the other end?
        rf"{_BEGIN}{_WHO}{_HOW}(?:不是{_ONE}(?:{_WHAT}|真人|本人|活人)|(?:是不是|是否|是){_HOW}{_ONE}(?:他的|她的|[^你]{{0,6}}(?:里|消息|做|写|开发|训练)的)?(?:{_WHAT}|{_REAL}(?=.)|虚拟的人?|假的人?|真实(?:存在)?的人?)){_END}",
        rf"{_BEGIN}{_WHO}?是(?:不是|否)?人工(?:客服)?{_END}",
        rf"{_WHO}是(?:哪个|哪家|什么|谁家)(?:公司|厂|团队)?(?:开发|做|出)?的?{_WHAT}{_END}",
        rf"(?:{_WHO}|背后|后面|你后面|你背后|这个?账?号(?:背后|后面|后头))?{_HOW}(?:有没有|有|是不是|是)(?:一?个)?(?:真人|活人)(?:在)?(?:{_DOES}|{_BACK})?{_END}",
        # The one or the other?
        rf".{{0,16}}(?:是|算|在)?{_ONE}{_PERSON}(?:的号|在.{{0,3}})?还是{_ONE}{_WHAT}(?:在)?(?:{_BACK})?(?:的号)?{_END}",
        rf".{{0,16}}(?:是|算){_ONE}{_WHAT}(?:的号|在.{{0,3}})?还是{_ONE}{_PERSON}(?:在)?(?:{_BACK})?(?:的号)?{_END}",
        rf"(?:{_WHO}{_HOW}是)?(?:你|他|她|本人)还是(?:你的|他的)?{_ONE}{_WHAT}{_END}",
        rf".{{0,8}}是人(?:还)?是(?:鬼还是)?{_WHAT}{_END}",
        # Who writes this?
        rf"{_SAID}{_HOW}(?:是不是|是){_HOW}(?:由|用|被)?{_WHAT}(?:替你|帮你|自动)*(?:写|回|回复|生成|打|发|说|编|控制|操控)(?:出来)?的{_END}",
        rf"{_WHO}{_HOW}(?:是不是|是)?由?{_WHAT}(?:自动)?(?:生成|控制|操控|托管|回复?|打理|运营)的{_END}",
        rf"{_WHAT}(?:替你|帮你|自动)*(?:写|回|发|打)的{_END}|{_WHO}是不是(?:用|让|拿){_WHAT}(?:挂|回|聊)(?:着)?的{_END}",
        rf"(?:这|现在|刚才|一直)*{_HOW}(?:是不是|是)(?:你|您)(?:自己|本人)?在回我?{_END}",
        rf"{_SAID}{_HOW}(?:是不是|是)(?:你|您)(?:自己|本人)(?:亲自|亲手)?(?:在打字|打字|在回|打的|回的|发的){_END}",
        r"(?:你|您)是(?:你|您)(?:自己|本人)(?:亲自|亲手)?(?:在)?(?:打字|回|说话|聊)(?:吗|么|嘛)",
        # Has it taken over?
        rf"(?:{_WHO}|账?号)?{_HOW}(?:是不是|有没有|是)?(?:被|让|由){_WHAT}(?:给)?(?:接管|托管|代班|控制|操控|操作|取代|代替|替代|顶替|冒充)(?:了|的|着|中)?{_END}",
        rf"{_BEGIN}{_HOW}(?:是不是|是|不会是)?有?{_ONE}{_WHAT}(?:在|正在)(?:{_DOES})(?:{_BACK})?(?:你)?{_END}",
        rf"{_WHO}(?:是不是|有没有)(?:在)?(?:用|让|拿|找)了?{_ONE}{_WHAT}(?:替你|帮你|来)?{_BACK}{_END}",
        rf"{_WHO}(?:是不是|有没有)?(?:设置?|开启?|挂|弄)(?:了|着)?一?个?(?:自动回复|ai托管|托管|机器人){_END}",
        rf"{_WHO}{_HOW}(?:是不是|是)?(?:在)?{_WHAT}(?:在)?(?:聊|回|用|托管){_END}",
        # Let me have a person.
        rf"(?:让|叫|请|麻烦)?(?:真人|本人|活人)(?:来)?(?:回|说|应)(?:一下|一?句|句话|我|话)*{_END}",
        r"(?:我)?(?:能不能|能|可以|可不可以|麻烦|请|想|要|给我)*(?:让|叫|换|喊|找|跟|和|转接?)(?:你们?)?一?个?(?:本人|真人|活人|人工|正主)(?:客服)?(?:来)?(?:出来|上线|说话|聊天?|回我|服务|接)?(?:来)?(?:行吗|好吗|吗|么|吧|啊|谢谢)?",
    )
)
_KIND = re.compile(rf"{_WHAT}|真人|本人|活人|人类")
_FACING = re.compile(r"你|您|对面|回我|跟我|和我|我[^你]{0,6}(?:跟|和)|这边|这个?号|账号")
_OTHERWISE = re.compile(
    rf"(?:你|您)[^我是]{{0,6}}(?:跟|和|同|与|让|被|给|帮|替){_WHAT}|(?:那个|这个|你的|他的|她的|有|个){_WHAT}|说的?是?{_WHAT}|{_WHAT}(?:跟|和|给|对)你"
)
"""What says something else with the same words: that you speak with one, that you have one."""
_PLAIN = re.compile(
    rf"(?:{_WHAT}|真人|本人|活人|人类|你|您|我|他|她|号主|的|是不是|是否|不|没|是|在|现在|刚才|刚刚|一直|其实|到底|究竟|真的?|该|会|难道|莫非|果然"
    r"|根本|只|就|也|都|还|或者|这|那|边|些|个|账?号|对面|屏幕|后面|背后|里|回复?|聊天?|说话|讲话|打字|发|消息|信息|话|句|条|跟|和|同|与|替|帮|让|被|由|给"
    r"|有没有|吗|吧|呢|啊|呀|么|嘛|了|着|一个|一段|什么|哪种|谁|怎么|感觉|觉得|怀疑|总|老|好?像|确定|证明|请问?|能|可以|人|自己|老实|说实话|别骗我|喂|诶|哎|嗯"
    r"|所以|等等|等下|告诉|对|呗|啦|哦|在线|假扮|冒充|假装)"
)
"""Words that say nothing of anything else: a question of nothing but these and of a kind of being is about who is here."""
_MADE = re.compile(
    r"配音|图|视频|歌|画|照片|相片|声音|主播|文章|作文|论文|作业|老师|模特|客服电话|电影|游戏|小说|代码|题|ppt|简历|封面|海报|直播"
)
"""What else may be an AI's or a person's."""
_BARE = re.compile(rf"\s*(?:{_BOT}|真人|本人|活人)\s*[?？]+\s*")
"""Nothing but the word and a question mark."""
_ENGLISH_BOT = (
    r"(?:(?:an? |some |the |just an? )*(?:real |actual |fucking |damn |stupid |chat )?"
    r"(?:ai|a\.i\.|bot|robot|chatbot|machine|llm|language model|gpt|chatgpt|computer|program|script|npc|auto ?reply|autoresponder|artificial intelligence|automated|deepseek))"
)
_ENGLISH_REAL = r"(?:(?:an? |the )*(?:real|actual|living|actually|really)? ?(?:human being|human|person|people|real|you|yourself|real one))"
_ENGLISH_HOW = r"(?:really|actually|even|just|honestly|secretly|by any chance|in fact|truly|definitely|clearly|obviously|probably|totally|like|maybe|still|sure|not)"
_ENGLISH_TAIL = r"(?: or (?:what|not|something|a\b.*|an\b.*|the\b.*|ai|bot|human|real|is\b.*|am\b.*))?(?: right| are(?:n'?t|nt) (?:you|u)| huh| lol| tho| though| (?:talking|speaking|replying|texting|answering)(?: to me)?| here| now| then)*"
_ASKED_ENGLISH = tuple(
    re.compile(shape)
    for shape in (
        rf"(?:.{{0,20}}\b)?(?:are|r) (?:you|u|ya)(?: {_ENGLISH_HOW})* {_ENGLISH_BOT}{_ENGLISH_TAIL}",
        rf"(?:.{{0,20}}\b)?(?:are|r) (?:you|u|ya)(?: {_ENGLISH_HOW})* (?:(?:an? |the )?(?:real|actual|living) (?:human being|human|person|guy|one|\w+)|an? human(?: being)?|human|real){_ENGLISH_TAIL}",
        rf"(?:.{{0,20}}\b)?(?:you|u|you'?re|ur|you are)(?: {_ENGLISH_HOW})* (?!(?:program|script)\b){_ENGLISH_BOT}{_ENGLISH_TAIL}",
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

_ENGLISH_WHAT = (
    r"(?:(?:an? |the |some |just |only |one of those |some kind of |really )*(?:real |actual |damn |stupid |chat |large )?"
    r"(?:ai|a\.i\.|ais|ai clone|bots?|robots?|chatbots?|machine|llm|language model|gpt|chatgpt|computer|computer program|software|algorithm|script"
    r"|virtual assistant|auto ?reply|artificial intelligence|automation|deepseek))"
)
_ENGLISH_THEIRS = r"(?:your |his |her |their )?"
_ENGLISH_PERSON = (
    r"(?:an? |the |some |any |actual )*(?:real |actual |living |genuine |live )*(?:human being|human|person|people)"
)
_ENGLISH_REST = (
    r"(?:,? (?:right now|now|here|there|right|or what|or something|then|lol|please|pls|tho|though|too|in there|to me|with me|for you|for me|me|him|her"
    r"|instead|today|again|at all|isn'?t (?:it|this)|are(?:n'?t|nt) (?:you|u|ya)|are (?:you|u)|huh|innit|yes|or not|this|that|it|these|my messages?|my texts?"
    r"|talking|typing|answering|replying|texting|speaking|writing|pretending to be (?:\w+|a \w+)|on the other (?:end|side)|on here|behind (?:this|it|that)"
    r"(?: account)?|reply|replies|messages?|answers?|texts?|responses?|your|account))*"
)
_ENGLISH_WRITES = (
    r"(?:writ(?:e|ten|ing)|wrote|typ(?:e|ed|ing)|answer(?:ed|ing)?|repl(?:y|ied|ying)|respond(?:ed|ing)?|talk(?:ing)?|text(?:ed|ing)?|generated?|generating"
    r"|sen[dt]|sending|run(?:ning)?|operat(?:ed|ing)|controll(?:ed|ing)|managed|handl(?:ed|ing)|made|automated|taken over|replaced)"
)
_ENGLISH_THESE = r"(?:(?:this|that|these|those|it|your|my|the|all|of|last|you|u) ?)+(?:messages?|reply|replies|answers?|texts?|responses?|account|chat|words|stuff)?"
_MORE_ENGLISH = tuple(
    re.compile(shape)
    for shape in (
        # Who is at the other end?
        rf"(?:.{{0,25}}\b)?is (?:there )?{_ENGLISH_PERSON}(?: {_ENGLISH_WRITES}| there| here| behind| reading| in there| on the other (?:end|side)| on here)(?:{_ENGLISH_REST}|.{{0,20}}account)",
        rf"(?:.{{0,25}}\b)?is (?:there )?(?:anybody|anyone|somebody|someone) (?:real|human|alive|actually there){_ENGLISH_REST}",
        rf"(?:.{{0,40}}\b)?(?:are|r) (?:you|u|ya)(?: {_ENGLISH_HOW})* (?:{_ENGLISH_THEIRS}{_ENGLISH_WHAT}|code|an? person|ai.generated|computer.generated|automated){_ENGLISH_REST}",
        rf"(?:.{{0,30}}\b)?(?:you'?re|you are|u r|ur|you|u)(?: {_ENGLISH_HOW}| only)* (?:not|n't|never)(?: {_ENGLISH_HOW})* {_ENGLISH_PERSON}{_ENGLISH_REST}",
        rf"(?:.{{0,30}}\b)?(?:you'?re|you are|u r|ur)(?: (?!like){_ENGLISH_HOW}| only)* (?:{_ENGLISH_WHAT}|code|ai.generated|automated){_ENGLISH_REST}",
        rf"(?:.{{0,20}}\b)?(?:you|u) (?:sound|seem|feel|write|type|talk|text|reply|are acting|act)(?: so| just| kinda| a bit| a lot| exactly)* like {_ENGLISH_WHAT}{_ENGLISH_REST}",
        rf"(?:.{{0,25}}\b)?(?:i'?m|i am|am i)(?: {_ENGLISH_HOW})* (?:talking|speaking|chatting|texting)(?: {_ENGLISH_HOW})* (?:to |with )?{_ENGLISH_WHAT}{_ENGLISH_REST}",
        rf"(?:.{{0,15}}\b)?(?:this|that)(?:'s| is| must be| has to be)(?: {_ENGLISH_HOW})* {_ENGLISH_WHAT},? (?:isn'?t (?:it|this)|right|huh|innit|no|yes|lol){_ENGLISH_REST}",
        rf"(?:.{{0,15}}\b)?(?:what|which) (?:kind of )?(?:ai|bot|chatbot|model|llm) (?:are (?:you|u)|is (?:this|that)|am i talking to){_ENGLISH_REST}",
        # Is it you?
        rf"(?:.{{0,25}}\b)?is (?:it|this|that)(?: {_ENGLISH_HOW})* (?:the real )?(?:you|him|her)(?: (?:typing|answering|talking|replying|writing|texting|in person)| or {_ENGLISH_THEIRS}{_ENGLISH_WHAT}){_ENGLISH_REST}",
        rf"(?:.{{0,25}}\b)?is (?:it|this|that)(?: {_ENGLISH_HOW})* the real (?:you|him|her){_ENGLISH_REST}",
        # The one or the other?
        rf"(?:.{{0,40}}\b)?(?:real(?: \w+)?|human(?: being)?|person|you|u|yourself|him|her|sentient|alive)(?: here| there| typing| answering| talking)? or (?:is it |am i |are you )?{_ENGLISH_THEIRS}{_ENGLISH_WHAT}{_ENGLISH_REST}",
        rf"(?:.{{0,25}}\b)?(?:are|r) (?:you|u)(?: {_ENGLISH_HOW})* (?:(?:the |an? )?real )?\w+ or {_ENGLISH_THEIRS}{_ENGLISH_WHAT}{_ENGLISH_REST}",
        # Who writes this?
        rf"(?:.{{0,20}}\b)?(?:did|does|is|was|has|have|do) {_ENGLISH_THEIRS}{_ENGLISH_WHAT}(?: {_ENGLISH_HOW})* {_ENGLISH_WRITES}{_ENGLISH_REST}",
        rf"(?:.{{0,20}}\b)?is (?:this|that|it) {_ENGLISH_WHAT}{_ENGLISH_REST}",
        rf"(?:.{{0,20}}\b)?(?:is|are|was|were|has|have|did)(?:n't)? {_ENGLISH_THESE}(?: {_ENGLISH_HOW}| being| been| get)* {_ENGLISH_WRITES} (?:by|with|using|from) {_ENGLISH_WHAT}{_ENGLISH_REST}",
        rf"(?:.{{0,20}}\b)?(?:is|are|was|were)(?:n't)? {_ENGLISH_THESE}(?: {_ENGLISH_HOW}| being)* (?:automated|automatic|auto.?generated|ai.?generated|computer.?generated){_ENGLISH_REST}",
        # Let me have a person.
        rf"(?:.{{0,20}}\b)?(?:can i|could i|may i|let me|i want to|i wanna|i'?d like to|i need to|how do i) (?:please )?(?:talk|speak|chat)(?:ing)? (?:to|with) {_ENGLISH_PERSON}{_ENGLISH_REST}",
        rf"(?:.{{0,15}}\b)?(?:put|get|give)(?: me)? {_ENGLISH_PERSON}(?: on)?{_ENGLISH_REST}",
    )
)
_KINDS = r"ai|a\.i\.|bots?|robots?|chatbots?|chatgpt|gpt|llm|automated|artificial|deepseek|siri"
_NAMED = r"machine|program|computer|code|algorithm|software|script|clone"
_ENGLISH_KIND = re.compile(
    rf"\b(?:{_KINDS})\b|\b(?:an?|the|some|just|or|by|of|ai|computer) (?:{_NAMED})\b"
    r"|\b(?:an?|any|real|actual|living|not|you'?re|be|even) (?:real |actual |living )?(?:human|person)\b|\breal (?:you|him|her)\b"
)
_ENGLISH_FACING = re.compile(
    r"\b(?:you|u|ya|you'?re|ur|am i|i'?m|do i)\b|\b(?:talk|speak|chat|typ|answer|repl|text)\w*\b|\bis (?:this|it)\b"
)
_ENGLISH_OTHERWISE = re.compile(
    r"\b(?:did|have|can|could|will|would|when|where|are|were|do) (?:you|u)(?: \w+)? (?:talk|speak|chat|text|writ|typ|answer|repl|know|code|program|script|bot)\w*"
    r"|\b(?:my|your|ur|his|her|the|that|another) (?:person|human|ai|bot|robot|machine|program|code|computer)\b|\bthe person\b|\b(?:are|you're)(?: just)? like an?\b|\bi'?m (?:not |just |only )*(?:an? )?(?:real )?(?:human|person|bot|robot)"
)
"""What asks something else with the same words: of whom you spoke with, of your bot, of me."""
_ENGLISH_PLAIN = frozenset(
    re.findall(
        r"\S+",
        "a an the some any just only even really actually honestly truly are is am was were be been being r do does did have has can could may "
        "i i'm im me my to with or and not no if so hey hi hello wait ok okay hold on lol lmao please pls tell truth honest know how "
        "talk talking speak speaking chat chatting text texting reply replying replies answer answering write writing wrote written type typing "
        "message messages respond responding behind account here there now right then kind of sort one like sound seem version who what which still "
        "at all end other side pretending prove sure think feel guess wasting time you u ya your ur you're youre yourself this that it it's its "
        "isn't aren't arent dont don't these those things thing human person people real actual living alive him her his in by from for",
    )
)
"""Words that say nothing of anything else. A question of nothing but these and of a kind of being is about who is here."""
MOST = 14
"""Words of such a question."""


def asks_whether_ai(text: str) -> bool:
    """Whether somebody asks whom he has before him: an AI, or the person."""
    folded = fold(text).lower().translate(_SIMPLER)
    if _CJK.search(folded) is None:
        return _asks_in_english(folded)
    if _BARE.fullmatch(folded):
        return True
    whole = _SPACE.sub("", _CLAUSES.sub("", folded))
    # A space ends a clause as often as it stands around letters.
    clauses = [_SPACE.sub("", clause) for of in (_CLAUSES.split(folded), folded.split()) for clause in _ends(of)]
    parts = [part for part in {whole, *clauses} if 0 < len(part) <= LONGEST]
    if any(shape.fullmatch(part) for part in parts for shape in _ASKED):
        return True
    if _MADE.search(whole):
        return False
    return any(_is_about_nothing_else(part) or any(shape.fullmatch(part) for shape in _MORE) for part in parts)


def _ends(clauses: list[str]) -> list[str]:
    return clauses if len(clauses) <= 2 * CLAUSES else [*clauses[:CLAUSES], *clauses[-CLAUSES:]]


def _is_about_nothing_else(clause: str) -> bool:
    about_us = _KIND.search(clause) and _FACING.search(clause) and not _OTHERWISE.search(clause)
    # Taken out word by word: a match of all of them at once could try each way to cut them.
    return bool(about_us) and not _PLAIN.sub("", clause)


def _asks_in_english(folded: str) -> bool:
    plain = _SPACE.sub(" ", folded.replace("’", "'")).strip()
    clauses = {clause.strip() for clause in _ends(re.split(r"[,.!;~…\n]+|(?<=\?)", plain))}
    bare = {clause.rstrip("?!. ") for clause in clauses | {plain}}
    parts = [part for part in clauses | bare if 0 < len(part) <= 2 * LONGEST]
    shapes = (*_ASKED_ENGLISH, *_MORE_ENGLISH)
    return any(_is_english_about_nothing_else(part) or any(shape.fullmatch(part) for shape in shapes) for part in parts)


def _is_english_about_nothing_else(clause: str) -> bool:
    if not (_ENGLISH_KIND.search(clause) and _ENGLISH_FACING.search(clause)) or _ENGLISH_OTHERWISE.search(clause):
        return False
    words = re.sub(rf"\b(?:{_KINDS}|{_NAMED})\b", " ", clause).replace("?", " ").split()
    return len(words) < MOST and _ENGLISH_PLAIN.issuperset(words)
