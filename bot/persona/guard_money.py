"""Money, codes and credentials: who asks for them, who gives them away, who agrees to.

Knows Chinese and English phrasings; precise rather than complete where people talk of prices. Doesn't
know a chat: whether a request is still open is guard.py's question, what is said instead honesty.py's.
"""

import re
from collections.abc import Sequence

from bot.persona.privacy import fold

PIECE, OVERLAP = 240, 60
"""Characters that are looked at together."""

_MUCH = r"(?:\d{1,6}(?![\d])(?:[,.]\d+)*|[一二两三四五六七八九十百千万几半]+(?![一二两三四五六七八九十百千万几半]))"
_CASH = r"(?:钱|款|现金|红包|资金|money|¥|￥|\d块|元|饭钱|房租|押金|定金|学费|话费|医药费|路费|车费|生活费)"
_CODE = r"(?:验证码|校验码|动态码|动态口令|动态密码|短信码|短信验证|安全码|登录码|授权码|确认码|付款码|支付码|六位数|6位数|4位数|四位数|6位码|六位码|数字码|cvv|cvc|otp)"
_SECRET = r"(?:密码|口令|账号|帐号|账户|帐户|登录信息|银行卡|卡号|身份证|助记词|私钥|密钥|token|cookie|u盾|支付宝号?|会员号|steam号?|apple ?id|手机号和密码|pin码?)"
_GIVE = r"(?:发|给|告诉|报|念|说|贴|抄|转发|截图?|传|借|提供|交|输|填|回复?|拍)"
_PLEASE = r"(?:能不能|能|可以|可不可以|可否|麻烦|帮忙|帮我|方便|快|快点|先|赶紧|求|你|你先|给我|把|请|劳烦|急)"
_NOT = r"(?<![别不没甭勿未])(?<!不要)(?<![^能]不能)(?<!没有)(?<!不会)(?<!从不)"

_ASKS = tuple(
    re.compile(shape)
    for shape in (
        # Lend me, and whatever is nearly the same.
        rf"{_NOT}(?:借|周转|垫付?|资助|赞助|接济|支援)(?:给)?(?:我|俺|咱|兄弟)(?!的)(?:先|应急|用|周转|个|点|些|一点|一下)*(?:{_MUCH}(?!\s?(?:本|支|个(?!w)|件|把|张|台|辆|天|周(?!转)|年|月|晚|只|双|瓶|分钟|小时|次|句|块(?:$|[^钱])))|{_CASH}|急用|应急|周转|救急)",
        rf"{_PLEASE}{{1,3}}(?:我)?{_NOT}借(?:我|给我|我们|俺)?(?:点|些|一点|个|一笔|到)*(?:{_CASH}|{_MUCH}(?:块|元|万|千|百|w|k))",
        rf"(?:跟|向|找|问|管)你{_NOT}?借(?:点|些|一点|个|一笔)*(?:{_CASH}|{_MUCH}(?:块|元|万|千|百|w|k)?(?![本支件把张台]))",
        rf"(?:想|要|得|来){_NOT}借(?:点|些|一点|个|一笔)(?:钱|款|现金)",
        rf"^(?:兄弟|哥们?|姐|老铁|宝|亲|同学|大佬|先|快){{0,2}}借(?:点|些)?(?:钱|款|{_MUCH}(?:块|元|万|千|百|w|k))",
        r"借钱(?:给我|吗|不|呗|吧$)|(?:能|可以|方便|肯)借(?:我)?吗.{0,6}(?:钱|急用|还)|急用钱|缺钱.{0,6}(?:帮|借)|手头紧.{0,12}(?:帮|借|周转|支援)|(?:帮|给)我?(?:周转|应个?急|救个?急)|江湖救急",
        # Send, pay, top up.
        rf"{_NOT}(?:转|打|汇|补|匀)(?:账|帐)?(?:点|个|些|一点|笔)?(?:{_MUCH}(?:块|元|w|k)?|钱|款|点|些)(?:钱|款)?(?:给|到)我",
        rf"{_NOT}(?:转|打|汇|v|V)(?:账|帐|款|点|给)?我(?:{_MUCH}(?!条|个|张|份|篇|遍|次|段|下|顿|拳|球|小时|分钟|点钟|电话|把)|点?钱|点?款|账|一笔|红包|点(?:$|吧|呗))",
        rf"(?:发|包|给|塞|补)(?:我)?(?:个|一个|点|下)?(?:大|小)?红包(?:给我|呗|吧|我|嘛)|{_NOT}(?:发|给|塞)我(?:个|一个|点|发个?)?(?:大|小)?红包",
        rf"{_PLEASE}*{_NOT}给我(?:转|打|汇|充|付|凑)(?:点|个|笔|一?下|过来|了)*(?:{_MUCH}|{_CASH}|账|帐|$|吧|呗|先)",
        rf"帮(?:我|忙|个忙|一?下)*(?:先)?(?:付|代付|垫|垫付|充|充值|还|交|缴|转|打|汇|买单|结账|刷|出|凑|冲)(?:一?下|点|个|笔|了|我的?|这?单)*(?:{_CASH}|{_MUCH}(?:块|元|万|千|百)?(?!号|点钟|页)|花呗|白条|信用卡|借呗|贷|网贷|尾款|首付|单(?!词)|会员|点券|q币|Q币|qb|游戏|一下$|下$|$)",
        r"(?:先|你)(?:帮|替|给)我?(?:先)?垫(?:一?下|着|上|付|$)|(?:你|先)(?:先)?垫(?:一?下|着|付)",
        rf"(?:钱|款|饭钱|房租|账|份子钱?|aa的?|押金|车费|尾款|定金|{_MUCH}(?:块|元)).{{0,8}}(?:转|打|汇|付|发)(?:一?下)?(?:给|到)?我(?!看)",
        r"(?:买|充|代购|搞)(?:点|几?张|些)?(?:给我|帮我)?(?:点卡|礼品卡|充值卡|gift ?card|q币|Q币)|(?:帮我|给我)(?:买|充|搞).{0,6}(?:点卡|礼品卡|充值卡|q币|Q币|话费)",
        r"(?:帮|给)我?(?:做个?|当个?)?(?:担保|贷款|网贷|刷单|代付|套现|走账|过账|洗钱|跑分)|(?:用|拿|以)你.{0,6}(?:名义|名字|身份证|账户|银行卡|卡).{0,8}(?:贷|借|开|办|收|走|过|收款|转)",
        r"(?:众筹|水滴筹|捐|投).{0,8}(?:帮|支持)我?(?:点|一下|捐)|(?:一起|跟我|你也?来?)(?:投|入|凑)(?:资|个|点|伙)?.{0,6}(?:万|千|钱|本金|股)",
        rf"借(?:给)?我?{_MUCH}(?:块|元)?钱?(?:急用|应急|周转|救急)|帮(?:我|忙)?(?:先)?(?:转|汇|打|付|交)(?:钱|账|款)?给(?:房东|中介|商家|老板|客服|卖家|医院)",
        rf"{_NOT}(?:转|打|汇)我(?:点|些|一点|笔)*{_CASH}|{_NOT}(?:转账|打款|汇款|付款)给我|(?:发|给|转)我{_MUCH}(?:块钱|元钱)",
        rf"(?:给|往|到|向)(?:这|那|我|他)?个?(?:账户|账号|帐户|卡号?|微信|支付宝)[里上]?(?:汇|转|打|存)(?:点|个|一笔)?(?:{_MUCH}|{_CASH})",
        # Codes.
        r"把(?:那个|这个|短信里?的?|手机上?的?|收到的?)*(?:码|验证码|数字)(?:发|给|告诉|报|念|说)|(?:那个|这个|短信里?的?)码(?:是)?多少",
        rf"(?:卡号|有效期|安全码).{{0,8}}{_GIVE}(?:一?下|我|过?来)",
        rf"{_CODE}.{{0,12}}(?:{_GIVE}(?:一?下|个|来|过来|到)?(?:给)?(?:我|他|她|客服|一下|下|过来|过去|这边|来)|是多少|多少|是啥|是什么|是几|收到(?:了)?(?:吗|没|没有)|呢$|快)",
        rf"{_GIVE}(?:我|给我|一下|下|个|我一?下)*.{{0,8}}(?:收到的?|手机上?的?|刚才的?|短信里?的?)?{_CODE}",
        rf"(?:收到|来了|刚来|有).{{0,8}}(?:短信|码|数字|验证).{{0,10}}{_GIVE}(?:一?下|个|来|过来)?(?:给)?(?:我|下|一下|过来)",
        r"(?:那个|这个|短信里?的?|手机上?的?|收到的?)(?:码|数字).{0,6}(?:发|给|告诉|报|念|说)(?:给)?(?:我|下|一下)",
        r"(?:用|接|借)你(?:的)?手机号?(?:收|接|注册|验证).{0,6}(?:码|验证|短信|号)|帮(?:我)?(?:接|收)(?:个|一?下)?(?:码|验证码|短信)",
        r"帮(?:我|忙)?.{0,6}(?:扫|点|做|过)(?:个|一?下)?.{0,6}(?:登录|授权|辅助验证|实名|认证码)|(?:好友)?辅助(?:验证|认证|解封).{0,8}(?:帮|下|吗)|帮.{0,8}辅助(?:验证|认证|解封)",
        # Credentials.
        rf"(?:你(?:的)?|你们?家|家里|公司|办公室|qq|微信|淘宝|支付宝|银行卡?|邮箱|steam|登录|后台|服务器|网盘|wifi|WiFi|无线|支付|开机|手机|门锁|门禁|会员|网银|学号|教务|电脑|ipad|游戏|爱奇艺|b站).{{0,6}}(?:密码|口令|pin码?).{{0,6}}(?:是多少|是啥|是什么|多少|是几|{_GIVE}(?:一?下|个|来|过来)?(?:给)?(?:我|一下|下|过来)|来一下|呢$)",
        rf"{_GIVE}(?:我|给我|一下|下|个|我一?下)(?:你的?|下你的?|一下你的?)?.{{0,8}}{_SECRET}",
        rf"把(?:你|你的|你那个|那个)?.{{0,8}}{_SECRET}.{{0,8}}{_GIVE}(?:一?下|个|来|过来|到)?(?:给)?(?:我|一下|下|过来|登|用|玩|$)",
        rf"{_SECRET}(?:和密码|密码)?.{{0,4}}{_GIVE}(?:一?下|个|来|过来)?(?:给)?我",
        r"(?:你的?)?(?:号|账号|帐号|会员|身份证|银行卡|steam号?|网易云|腾讯视频|优酷|百度网盘)(?:能|可以)?借(?:给)?我|借(?:我|一下|下)?(?:你的?)?(?:个|下)?(?:号|账号|帐号|会员|身份证|银行卡)(?:用|登|玩|使|看|一下|$|吗|呗)",
        r"密码(?:是多少|是啥|是什么|多少|是几|呢|给我|发我|告诉我)|你(?:的)?(?:银行)?卡号(?:是)?(?:多少|发|给|报)|(?:银行)?卡号(?:发|给|报)(?:一?下|个)?(?:给)?我|你身份证号?(?:是)?(?:多少|发|给|报)|身份证.{0,6}(?:拍|照片|正反面).{0,6}(?:发|给|我)",
        # English.
        r"\b(?:lend|loan|spot|wire|venmo|zelle|paypal|cash ?app|front|advance|float) me\b(?! (?:a|an|your|the|some) (?:hand|ear|pen|book|moment|charger|car|bike|jacket|umbrella|laptop|cable))",
        r"\b(?:send|give|transfer|pay|get|wire) (?:me|us) (?:back )?(?:some |the |a bit of |a few |that )?(?:money|cash|bucks|dollars|[$€£¥]?\s?\d+(?!\s?(?:min|sec|hour|day|o'?clock|page|photo|pic)))",
        r"\b(?:borrow|need|want|ask(?:ing)? (?:you )?for) (?:to borrow )?(?:a |some |like |about |you to send )*(?:quick )?(?:loan|money from you|cash from you|money (?:for|by|now|today|urgently|asap)|[$€£]\s?\d+|\d+ (?:bucks|dollars|quid|euros)|money\b.{0,20}\b(?:help|please|pls))",
        r"\b(?:can|could|may) i borrow (?:some |a bit of |any )?(?:money|cash|[$€£]?\d+)",
        r"\b(?:buy|get|send) (?:me )?(?:some |a |an )?(?:\w+ )?(?:gift ?cards?|itunes cards?|vouchers?|prepaid cards?)",
        r"\b(?:pay|cover|top up|settle) (?:for )?(?:my|me for|this for me|it for me) ?(?:rent|bill|phone|fees?|tuition|fine|order|ticket|account|dinner|debt|loan)?\b.{0,12}(?:please|pls|for me|\?|$)",
        r"\b(?:send|give|tell|share|forward|text|read|pass|drop|dm|show|get) (?:me|us|over)? ?(?:me )?(?:the |that |your |ur |a )?(?:\w+ ){0,3}(?:verification|security|confirmation|login|auth(?:entication)?|otp|2fa|sms|one.time|6.digit|six.digit|backup)(?: \w+)? ?(?:codes?|otp|digits|number|pin)?\b",
        r"\bwhat(?:'?s| is| was) (?:the |your |ur )(?:\w+ ){0,2}(?:verification code|security code|otp|2fa code|login code|6.digit code|pin(?: code| number)?|passwords?|passcode|passphrase|card number|cvv|seed phrase|ssn|social security number|account number|wifi password)\b",
        r"\b(?:send|give|tell|share|text|dm|lend|need|want) (?:me |us )?(?:the |your |ur )(?:\w+ ){0,3}(?:passwords?|passcode|credentials|login|log ?in details|account details|card (?:number|details)|bank details|pin|cvv|seed phrase|private key|ssn|account number|api key)\b",
        r"\b(?:code|digits|numbers?) (?:that )?(?:you|u) (?:just )?(?:got|received|get|see)\b|\bread (?:me )?(?:out )?the (?:code|digits)\b|\b(?:otp|verification code|password|pin)\b ?(?:please|pls|\?)",
        r"\bsend (?:me )?(?:the|that) code (?:from|on) your phone\b|\bwhat(?:'?s| is) your (?:id|passport|card|bank|account) (?:card )?number\b",
        r"\bpay (?:this|my|the) (?:\w+ )?(?:bill|rent|invoice|fee)\b.{0,12}for me|\b(?:transfer|send|wire|pay) [$€£]?\d+.{0,10} to me\b",
        r"\b(?:can|could|would|will) (?:you|u) (?:send|lend|wire|transfer|spare) (?:me )?(?:some |any )?(?:cash|money|bucks)\b",
        r"\b(?:co.?sign|guarantee) (?:a |my |the )?(?:loan|lease|mortgage)|\bloan in your name\b|\binvest (?:with me|in my)\b|\buse your (?:account|card|id|name) (?:to|for)\b",
    )
)

_TALK = re.compile(
    r"收不到验证码|没收到验证码|验证码(?:错|不对|过期|失效|太|怎么|好难|看不清|认不出)|忘(?:了|记)?.{0,4}密码|密码(?:错|不对|忘|太|怎么|改了|重置)|(?:怎么|如何)(?:改|重置|找回|设)密码"
    r"|(?:别|不要|不能|勿|千万别|切勿|谨防|小心).{0,12}(?:验证码|密码|转账|汇款|借钱|卡号)|骗子|诈骗|反诈|被骗|盗号"
    r"|\b(?:don'?t|never|do not)\b.{0,20}\b(?:send|give|share|tell|lend)\b"
)
"""What is said of such things, and asks for nothing."""

_YOU = r"(?:给|到)?(?:你|您|他|她|你们)"
_SOON = (
    r"(?:我|马上|这就|现在|等下|等会儿?|一会儿?|待会儿?|晚点|回头|立刻|刚|刚刚|已经|先|明天|今晚|下午|给|再|都|就|来)*"
)
_GIVES = tuple(
    re.compile(shape)
    for shape in (
        rf"{_NOT}(?:转|打|汇|借|垫|v|V){_YOU}(?:了|先|点|个|笔|一?下)*(?:{_MUCH}(?!条|个|张|份|篇|遍|次|段|分钟|本|支)|{_CASH}|账|帐)",
        rf"{_NOT}(?:转|打|汇|借)(?:了)?(?:点|个|些|笔)?{_MUCH}(?:块|元|万|千|百|w|k)?(?:钱|款)?(?:给|到){_YOU}",
        rf"(?:钱|款|饭钱|房租|账|份子钱?|押金|车费|尾款|定金|红包|话费|{_MUCH}(?:块|元)).{{0,6}}{_NOT}(?:转|打|汇|付|发|充){_YOU}?(?:了|好了|过去|过去了|啦|完了|账户|卡上|{_YOU})",
        rf"(?:给|帮|替)(?:你|您|他|她){_SOON}{_NOT}(?:转|打|汇|充|付|垫|交|还|发)(?:了|点|个|笔|一?下|过去|上)*(?:{_MUCH}|{_CASH}|账|帐|q币|Q币|点卡|会员)",
        r"^(?:马上|这就|立刻|立马|现在|等下|等会|我)+转(?:账|给你|你)?$",
        rf"^{_SOON}{_NOT}(?:转账|打款|汇款|转钱|打钱)(?:{_YOU}|了|过去|过去了|给|$)",
        rf"^{_SOON}(?:转|打|汇)(?:过去|好了?|完了?|账了?){_YOU}?(?:了|啦)?$|^{_SOON}{_NOT}借(?:给)?(?:你|您)(?:呗|吧|啊|了|就是|的)?$",
        r"(?:多少钱?|要多少).{0,6}(?:我|给你)(?:转|打|借|发)|(?:你的?)?(?:卡号|账号|收款码|支付宝)(?:发|给)(?:我|来|一下|下).{0,10}(?:转|打|汇)?|(?:卡号|收款码)(?:发|给)(?:我|来|下)",
        rf"{_CODE}.{{0,6}}[:： ]?[0-9]{{4,8}}|[0-9]{{4,8}}.{{0,4}}(?:是|就是)?{_CODE}|(?:密码|口令|pin)(?:是|[:：= ])+[0-9a-z!@#$%^&*_\-]{{3,}}|(?:密码|口令).{{0,3}}[0-9a-z]*[0-9][0-9a-z]{{3,}}",
        rf"(?:{_CODE}|密码|账号|卡号).{{0,4}}{_NOT}(?:发|给|告诉){_YOU}(?:了|吧|$)",
        r"\b(?:i'?ll|i will|i can|i'?ve|i have|let me|gonna|i'?m|just) (?:just )?(?:lend|loan|send(?:ing)?|sent|wire[dn]?|transfer(?:red|ring)?|venmo(?:ed)?|pay|paid|spot) (?:you|it over|u|you the)? ?(?:the |some |you )?(?:money|cash|[$€£¥]?\s?\d+|funds|payment|it)\b",
        r"\b(?:sent|wired|transferred|paid) (?:you |u )?(?:the |some )?(?:money|cash|[$€£¥]\s?\d+|\d+ bucks)",
        r"\b(?:the )?(?:verification |security |login )?(?:code|otp|password|passcode|pin)(?: is|:| =)+ ?(?=[^ ]*[0-9])[!-~]{4,}",
    )
)

_AGREES = re.compile(
    r"^(?:好|行|可以|没问题|没事|ok|嗯|恩|成|中|得嘞|妥|安排|等我|等一?下|稍等|马上|这就|转|发你|给你|拿去|必须|当然|小意思|多少|要多少|要几|收到|来了|来|已|刚|肯定|随时|账号|卡号|怎么转|别客气|需要多少|微信还是|支付宝|"
    r"在哪|什么码|哪个码|我看看|我找找|我去|懂|明白|了解|包在|没毛病|👌|🆗|[0-9]{3,}|yes|yep|yeah|yea|sure|of course|no problem|np|done|sent|on it|got it|will do|here|fine|okay|k$|alright|how much|gimme|one sec|hold on|just a|absolutely|certainly|let me)",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"不|没(?!问题|事|毛病)|别(?!客气)|拒|滚|休想|免谈|骗|假|穷|本人|\bno(?!\s?problem|p)\b|\bnope\b|n'?t\b|\bcannot\b|\bnever\b|\bscam",
    re.IGNORECASE,
)


def asks(text: str) -> bool:
    """Whether somebody asks for money, for a code or for credentials."""
    return any(_asks(piece) for piece in _pieces(_plain(text)))


def _asks(plain: str) -> bool:
    return any(shape.search(plain) for shape in _ASKS) and _TALK.search(plain) is None


def asked(texts: Sequence[str]) -> bool:
    """Whether somebody asks for such a thing in a few lines, or over them."""
    return any(map(asks, texts)) or asks("\n".join(texts))


def gives_away(text: str) -> bool:
    """Whether this promises or hands over money, a code or a credential, or asks others for them."""
    pieces = _pieces(_plain(text))
    return any(_asks(piece) or any(shape.search(piece) for shape in _GIVES) for piece in pieces)


def agrees(text: str) -> bool:
    """Whether this, said to such a request, might be taken for a yes."""
    plain = _plain(text)
    return _AGREES.match(plain) is not None and _REFUSES.search(plain) is None


def _pieces(plain: str) -> list[str]:
    """A long text in pieces that overlap: so that nobody can make a look at it take long."""
    return [plain[start : start + PIECE] for start in range(0, max(1, len(plain) - OVERLAP), PIECE - OVERLAP)]


def _plain(text: str) -> str:
    """Chinese without spaces, the rest with single ones; lower case."""
    folded = " ".join(fold(text).lower().replace("’", "'").split())
    return re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", folded)
