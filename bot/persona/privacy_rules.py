r"""What personal data looks like: a pattern and a check for each kind, in the order they are tried.

Texts are folded first, so digits, letters and dashes here are ASCII. `\b` is no border between a
汉字 and a digit, so borders are digits' own: `(?<![0-9])…(?![0-9])`. What has no shape of its own
(QQ numbers, passwords) counts only beside a cue word. Every repetition is bounded or can't begin
inside an earlier one, so that time stays linear in the text.
"""

from bot.persona import privacy_checks as check
from bot.persona.privacy_numbers import NUMBERS
from bot.persona.privacy_rule import NOT_AMOUNT, rule

_IS = r"(?:\s*(?:就?是|为|叫|[:=→>]|一下|给你|的话)\s*){1,2}"


_BLOCKS = (
    rule(
        "key",
        "letters",
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    ),
)

_KEYS = (
    rule("key", "letters", r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]+)?"),
    rule("key", "letters", r"(?<![A-Za-z0-9_\-])sk-[A-Za-z0-9_\-]{16,}", check.has_digit),
    rule(
        "key",
        "letters",
        r"(?<![A-Za-z0-9])(?:gh[opusr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[A-Za-z0-9_\-]{30,}"
        r"|xox[abprs]-[A-Za-z0-9\-]{10,}|glpat-[A-Za-z0-9_\-]{16,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}"
        r"|(?:LTAI|AKID)[A-Za-z0-9]{12,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,})",
    ),
    rule("key", "letters", r"(?<![0-9])[0-9]{8,10}:[A-Za-z0-9_\-]{32,40}(?![A-Za-z0-9])"),
    rule("key", "letters", r"(?i:bearer)\s+(?P<it>[A-Za-z0-9._\-]{20,})"),
    rule(
        "key",
        "code",
        r"(?<![A-Za-z])(?i:(?:[a-z]{1,12}[_\- ])?(?:token|secret|api[_\- ]?key|app[_\- ]?key|access[_\- ]?key|secret[_\- ]?key|cookie)|[密秘私]钥)"
        r"(?:是|为|\s*[:=]|\s)\s*[\"']?(?P<it>[A-Za-z0-9+/_=.\-]{8,})",
        check.has_digit,
    ),
)

_LINKS = (
    rule(
        "link",
        "link",
        r"(?<![A-Za-z])[A-Za-z][A-Za-z0-9+]{1,15}://[^\s<>\"'，。！？、；（）【】「」《》\[\]\u4e00-\u9fff]{3,}",
        check.is_secret_link,
    ),
)

_TLD = r"(?:com|cn|net|org|edu|gov|io|me|cc|top|xyz|info|co|tv|dev|app|jp|uk|tw|hk|de|fr|ru|us|eu)"
_HOSTED = (
    r"(?:qq|gmail|163|126|yeah|outlook|hotmail|foxmail|sina|sohu|yahoo|icloud|139|189|aliyun|live|msn|proton(?:mail)?|example)"
    rf"\s?(?:[.。]|点|\(?dot\)?)\s?{_TLD}"
)
_LOCAL = r"[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}"
_MAILS = (
    rule("mail", "at", rf"{_LOCAL}@(?:[A-Za-z0-9\-]{{1,63}}[.。]){{1,6}}[A-Za-z]{{2,24}}", check.is_mail),
    rule("mail", "at", rf"{_LOCAL}\s{{1,2}}@\s{{0,2}}(?:[A-Za-z0-9\-]{{1,63}}\s?[.。]\s?){{1,4}}{_TLD}(?![A-Za-z])"),
    rule("mail", "at", rf"{_LOCAL}@\s{{1,2}}(?:[A-Za-z0-9\-]{{1,63}}\s?[.。]\s?){{1,4}}{_TLD}(?![A-Za-z])"),
    rule("mail", "at", rf"{_LOCAL}\s{{0,2}}@\s{{0,2}}{_HOSTED}(?![A-Za-z])"),
    rule(
        "mail",
        "at",
        rf"{_LOCAL}\s?[(\[]\s?(?i:at)\s?[)\]]\s?(?:[A-Za-z0-9\-]{{1,63}}\s?(?:[.。]|[(\[]\s?(?i:dot)\s?[)\]])\s?){{1,4}}{_TLD}(?![A-Za-z])",
    ),
    rule("mail", "at", rf"{_LOCAL}(?:\s(?i:at)\s|\s?艾特\s?){_HOSTED}(?:\s?(?:[.。]|点|dot)\s?cn)?(?![A-Za-z])"),
    rule(
        "mail",
        "at",
        rf"(?:邮箱|(?i:e-?mail))\s?(?:是|[:=])?\s?(?P<it>{_LOCAL}\s(?i:at)\s(?:[A-Za-z0-9\-]{{1,63}}(?:\s?[.。]\s?|\sdot\s)){{1,4}}{_TLD})(?![A-Za-z])",
    ),
)

_CODE = (
    r"(?:(?:支付|登[录陆]|开机|锁屏|手机|电脑|解压|门锁?|开门|[wW][iI]-?[fF][iI]|会议|初始|新|旧|提现|银行卡|保险箱|行李箱)?密码|口令|暗号"
    r"|(?:短信|手机|邮箱|动态)?(?:验证|校验|动态|识别)码|取[件货餐]码|提取码|提货码|访问码|解压码|分享码|邀请码|激活码|兑换码|门禁码?|配对码"
    r"|[pP][iI][nN]码?|(?i:pass(?:word|wd|code)|pwd))"
)
_VALUE = r"[A-Za-z0-9!#$%&*@._\-+?^~]"
_WORDS = r"(?!(?i:wrong|incorrect|again|error|the|same|manager|reset|login|invalid|not|for|your|app|android|iphone)(?![A-Za-z0-9]))"
_FILL = r"[我你他她它家设成的那个改换了用就还一直都只能填输入发收到]{0,6}"
_DIGIT_WORDS = "[零〇幺一二两三四五六七八九壹贰叁肆伍陆柒捌玖]"
_SECRETS = (
    rule(
        "secret",
        "code",
        rf"(?<![A-Za-z]){_CODE}{_FILL}{_IS}{_FILL}\s?[\"'「【\[(]?{_WORDS}(?P<it>{_VALUE}{{3,31}}[A-Za-z0-9!#$%&*@?])",
    ),
    rule("secret", "code", rf"{_CODE}{_FILL}{_IS}(?P<it>{_DIGIT_WORDS}{{4,12}})(?!{_DIGIT_WORDS})"),
    rule(
        "secret",
        "code",
        rf"(?<![A-Za-z]){_CODE}{_FILL}(?:\s(?i:is))?[\s,、(\[【「]{{0,2}}(?P<it>(?=[A-Za-z!#$%&*@._\-+?^~]{{0,31}}[0-9]){_VALUE}{{3,31}}[A-Za-z0-9!#$%&*@?]){NOT_AMOUNT}",
        check.no_laughter,
    ),
    rule(
        "secret",
        "code",
        rf"(?<![A-Za-z0-9._\-])(?P<it>(?=[A-Za-z_\-]{{0,31}}[0-9])[A-Za-z0-9_\-@#]{{4,32}})[)）\]】」\"']?\s?[,(]?\s?(?:这个?|这串)?(?:就?是|为|作为|\s|\()"
        rf"\s?[我你您他她家]{{0,2}}的?{_CODE}(?!学|[0-9])",
    ),
    rule(
        "secret",
        "code",
        rf"(?:账号|帐号|用户名)\s?(?:是|为|[:=])?\s?(?P<it>[A-Za-z0-9_@.\-]{{4,40}})(?=[\s,;、。和/|]{{0,3}}{_CODE})",
    ),
)

_NUMBER = r"[1-9](?:[ \-]?[0-9]){4,10}"
_ACCOUNTS = (
    rule(
        "qq",
        "qq",
        r"(?:(?<![A-Za-z])[Qq]{1,2}(?:号码?|群号?|[: =]|邮箱)?|扣扣号?|叩叩号?|企鹅号?|(?:再|就|来|你|快|直接|可以|记得)?加(?:我|一下|他|她|个)?(?:好友|企鹅|小号|大号|号)?|群号|加群|群聊号码|小企鹅)"
        rf"\s*(?:(?<![A-Za-z])[Qq]{{1,2}}号?|扣扣|好友|吧)?(?:\s*(?:就?是|为|[:=,]|→|我的?)\s*){{0,2}}\s*(?P<it>{_NUMBER}){NOT_AMOUNT}(?!\s?[-/:])",
        check.no_laughter,
    ),
    rule(
        "qq",
        "qq",
        rf"(?<![0-9.\-])(?P<it>{_NUMBER})\s?[,(]?\s?(?:这个?|就)?(?:是|为|\()?\s?[我你他她]?的?\s?(?:(?<![A-Za-z])[Qq]{{2}}(?![A-Za-z音邮])|扣扣|企鹅号|[Qq]号|群号)",
        check.no_laughter,
    ),
    rule("wxid", "letters", r"(?<![A-Za-z0-9])wxid_[A-Za-z0-9]{6,24}"),
    rule(
        "wxid",
        "wechat",
        r"(?:[微威薇维]信|(?<![A-Za-z])(?i:v信|[vw]x|wechat|weixin)|绿泡泡)(?:号码?|[iI][dD])?\s?(?:[:=]|就?是|为|号)\s*"
        r"(?!(?:iphone|android|windows)(?![A-Za-z0-9]))(?P<it>[A-Za-z][A-Za-z0-9_\-]{5,19}|[1-9][0-9]{5,10}(?![0-9]))",
    ),
    rule(
        "wxid",
        "wechat",
        r"(?:[微威薇维]信号?|(?<![A-Za-z])(?i:v信|[vw]x|wechat|weixin)号?|绿泡泡|加[vV])\s?"
        r"(?P<it>(?=[A-Za-z]{1,19}[0-9_\-])[A-Za-z][A-Za-z0-9_\-]{5,19}|[1-9][0-9]{7,10}(?![0-9]))",
        check.has_digit,
    ),
)

RULES = (*_BLOCKS, *_LINKS, *_KEYS, *_MAILS, *_SECRETS, *_ACCOUNTS, *NUMBERS)
"""In the order they are tried: what an earlier one found, a later one doesn't see."""

SPOKEN_RULES = tuple(rule for rule in RULES if rule.kind in ("phone", "id_card"))
"""Kinds that people spell out: 幺三八…"""
