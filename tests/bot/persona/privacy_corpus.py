"""Invented personal data in many spellings and surroundings, and chat lines that hold none.

`positives` gives texts with a piece that must not survive, `harmless` and HARMLESS ordinary lines,
most of them with numbers.
"""

import random
import string
from collections.abc import Callable, Iterator

WIDE = str.maketrans(string.digits + "@.-+:", "０１２３４５６７８９＠．－＋：")
SPOKEN = str.maketrans("0123456789", "零幺二三四五六七八九")

CARRIERS = (
    "{}",
    "{}。",
    "{}！",
    "（{}）",
    "“{}”",
    " {} ",
    "我的{}你记一下",
    "给你发过去了{}收到没",
    "就是这个{}",
    "{}别发错了",
    "{}\n上面那个",
    "看这里\n{}",
    "等下哈，{}，存一下",
    "昨天3点说的那个 {} 还在吗",
    "[图片]{}",
    "哈哈哈哈{}哈哈哈",
    "666 {}",
    "2333，{}",
    "好的~{}~",
    "【{}】",
    "@小北 {}",
    "嗯嗯：{}；谢谢啦",
    "你让他联系{}就行，他10分钟后到",
    "😂{}😂",
)
"""Surroundings: glued to 汉字, spaced, punctuated, between lines, at the start, at the end."""

Piece = tuple[str, str, str]
"""What leads to a secret, the secret, what says afterwards what it was."""


def _digits(rng: random.Random, n: int, first: str = string.digits) -> str:
    while True:
        digits = rng.choice(first) + "".join(rng.choices(string.digits, k=n - 1))
        if len(set(digits)) > 2:
            return digits


def phone(rng: random.Random) -> Piece:
    d = "1" + _digits(rng, 10, "3456789")
    a, b, c = d[:3], d[3:7], d[7:]
    shapes = (
        d, d, d, d, f"{a} {b} {c}", f"{a}-{b}-{c}", f"{a}.{b}.{c}", f"+86{d}", f"+86 {a} {b} {c}", f"+86-{d}", f"0086{d}",
        f"86 {d}", f"(+86){d}", f"{a}—{b}—{c}", f"{a} - {b} - {c}", f"{d[:5]} {d[5:]}", f"{a} {d[3:]}", f"{d[:7]} {c}",
        f"{d[:4]} {d[4:7]} {c}", f"{a} {d[3:6]} {d[6:]}", f"{a} {d[3:5]} {d[5:7]} {d[7:9]} {d[9:]}", " ".join(d), "-".join(d),
        d.translate(WIDE), f"{a}-{b}-{c}".translate(WIDE), f"{a}\u3000{b}\u3000{c}", f"{a}·{b}·{c}", f"{a}  {b}  {c}",
        d.translate(SPOKEN), "一" + d[1:].translate(SPOKEN), f"{a} {b} {c}".translate(SPOKEN), a + b.translate(SPOKEN) + c,
    )  # fmt: skip
    return "", rng.choice(shapes), ""


def foreign(rng: random.Random) -> Piece:
    d = _digits(rng, 10, "23456789")
    return (
        "",
        rng.choice(
            (f"+1 {d[:3]}-{d[3:6]}-{d[6:]}", f"+1{d}", f"+852 {d[:4]} {d[4:8]}", f"+44 {d[:4]} {d[4:]}", f"+65 {d[:8]}")
        ),
        "",
    )


def landline(rng: random.Random) -> Piece:
    area = rng.choice(("010", "021", "020", "0571", "0755", "028", "0512", "0311"))
    local = _digits(rng, 8 if len(area) == 3 else rng.choice((7, 8)), "2345678")
    shapes = (
        f"{area}-{local}",
        f"{area} {local}",
        f"({area}){local}",
        f"（{area}）{local}",
        f"{area}{local}",
        f"{area}－{local}",
    )
    shapes += (
        (f"{area}-{local[:4]} {local[4:]}", f"{area}-{local}转{rng.randint(100, 9999)}") if len(local) == 8 else ()
    )
    if rng.random() < 0.15:
        return rng.choice(("座机", "固话：", "办公室电话是")), local, ""
    return "", rng.choice(shapes), ""


def id_card(rng: random.Random) -> Piece:
    region = rng.choice(("110105", "310112", "440305", "330106", "510107", "420111", "230103", "650102"))
    born = f"{rng.randint(1950, 2012)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    head = f"{region}{born}{rng.randint(0, 999):03}"
    last = "10X98765432"[sum(int(d) * (2 ** (17 - i) % 11) for i, d in enumerate(head)) % 11]
    full, old = head + last, f"{region}{born[2:]}{rng.randint(100, 999)}"
    shapes = (
        full, full, full.lower(), f"{region} {born} {full[14:]}", f"{region}-{born}-{full[14:]}", full.translate(WIDE),
        " ".join((full[:4], full[4:8], full[8:12], full[12:16], full[16:])), old, full.replace("X", "Ｘ"),
    )  # fmt: skip
    return rng.choice(("", "", "身份证", "身份证号：")), rng.choice(shapes), ""


def bank_card(rng: random.Random) -> Piece:
    length = rng.choice((16, 16, 17, 18, 19, 19))
    head = rng.choice(("622202", "621700", "625965", "601382", "436742", "955880", "529930")) + _digits(rng, length - 7)
    total = 0
    for place, digit in enumerate(reversed(head)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    full = head + str(-total % 10)
    groups = [full[i : i + 4] for i in range(0, length, 4)]
    shapes = (full, full, full, " ".join(groups), "-".join(groups), full.translate(WIDE), "  ".join(groups))
    return rng.choice(("", "", "卡号", "工行卡号：")), rng.choice(shapes), ""


def mail(rng: random.Random) -> Piece:
    local = rng.choice(
        ("zhang.wei", "xiaolu_99", "a.b-c+tag", "lin2008", "wx", "Chen.Yu", "k7", _digits(rng, 9, "123456789"))
    )
    host = rng.choice(
        ("qq.com", "163.com", "gmail.com", "example.com", "stu.zju.edu.cn", "foxmail.com", "mail.example.org")
    )
    full = f"{local}@{host}"
    shapes = (
        full, full, full, full.upper(), full.translate(str.maketrans("@.", "＠．")), f"{local}＠{host}", full.translate(WIDE),
        f"{local} @ {host}", f"{local} @{host}", f"{local}(at){host}", f"{local}[at]{host}", f"{local} [at] {host.replace('.', ' [dot] ')}",
        f"{local} at {rng.choice(('qq.com', 'gmail.com', '163.com'))}", f"{local} at gmail dot com", f"{local}@qq。com", f"{local}艾特qq点com",
    )  # fmt: skip
    return "", rng.choice(shapes), ""


def qq(rng: random.Random) -> Piece:
    number = _digits(rng, rng.choice((6, 7, 8, 9, 9, 10, 10)), "123456789")
    if rng.random() < 0.15:
        return "", number, rng.choice(("是我QQ", "是我的qq", "（我QQ）", " 我扣扣"))
    cues = (
        "QQ",
        "qq",
        "QQ号",
        "QQ：",
        "qq:",
        "qq号是",
        "扣扣",
        "加我",
        "加我QQ",
        "加我qq ",
        "我的QQ是",
        "企鹅号",
        "加群",
        "群号：",
        "QQ群",
        "Q:",
        "ＱＱ",
        "qq ",
        "QQ号码：",
        "加我好友",
    )
    shapes = (number, number, number.translate(WIDE), f"{number[:3]} {number[3:]}", f" {number}")
    return rng.choice(cues), rng.choice(shapes), ""


def wxid(rng: random.Random) -> Piece:
    word = rng.choice(("xiaolu", "zhang_wei", "lin-yu", "Chenyu", "kk"))
    name = word + rng.choice(("_", "", "-")) + _digits(rng, 4)
    if rng.random() < 0.2:
        return "", "wxid_" + "".join(rng.choices(string.ascii_lowercase + string.digits, k=14)), ""
    cues = (
        "微信",
        "微信号",
        "微信：",
        "微信号是",
        "vx",
        "VX:",
        "wx：",
        "V信 ",
        "加v ",
        "WeChat: ",
        "威信",
        "绿泡泡 ",
        "微信号为",
        "wx ",
    )
    if rng.random() < 0.2:
        return rng.choice(("微信号：", "微信:", "VX：")), rng.choice(("xiaolulu", "zhangsanfeng")), ""
    return rng.choice(cues), rng.choice((name, name.translate(WIDE))), ""


def plate(rng: random.Random) -> Piece:
    head = rng.choice("京津沪浙苏粤川鲁豫闽") + rng.choice("ABCDEFGH")
    shapes = (
        head + _digits(rng, 5), head + "D" + _digits(rng, 5), head + _digits(rng, 5) + "F", f"{head}·{_digits(rng, 5)}", f"{head} {_digits(rng, 5)}",
        head + rng.choice("KLMNP") + _digits(rng, 4), (head + _digits(rng, 5)).lower(), (head + _digits(rng, 5)).translate(WIDE),
        head + _digits(rng, 3) + "QK", f"{head}-{_digits(rng, 5)}", head + _digits(rng, 4) + "学", head[0] + head[1].translate({65 + i: 0xFF21 + i for i in range(26)}) + "·" + _digits(rng, 5),
    )  # fmt: skip
    return "", rng.choice(shapes), ""


def key(rng: random.Random) -> Piece:
    def chars(n: int, alphabet: str = string.ascii_letters + string.digits) -> str:
        return "".join(rng.choices(alphabet, k=n - 1)) + rng.choice(string.digits)

    shapes = (
        "sk-" + chars(32), "sk-proj-" + chars(40), "ghp_" + chars(36), "AKIA" + chars(16, string.ascii_uppercase), "xoxb-" + chars(24),
        f"eyJ{chars(30)}.eyJ{chars(40)}.{chars(43)}", "AIza" + chars(35), "glpat-" + chars(20), "github_pat_" + chars(40), "LTAI" + chars(20),
        f"-----BEGIN RSA PRIVATE KEY-----\n{chars(64)}\n{chars(64)}\n-----END RSA PRIVATE KEY-----", "hf_" + chars(34),
        f"{_digits(rng, 9, '123456789')}:{chars(35)}", "sk-ant-api03-" + chars(40),
    )  # fmt: skip
    if rng.random() < 0.2:
        return rng.choice(("api_key=", "token: ", "access_key = ", "SECRET_KEY=", "密钥是")), chars(24), ""
    return "", rng.choice(shapes), ""


def address(rng: random.Random) -> Piece:
    road = rng.choice(("听松", "青萍", "柿叶", "荷桐", "建国", "人民东", "和平", "学院", "文一西", "解放南"))
    place = rng.choice(
        (
            "",
            "",
            "杭州市拱墅区",
            "上海市虹口区",
            "浙江省杭州市西湖区",
            "南京市雨花台区",
            "北京市海淀区",
            "苏州",
            "成都市武侯区桂溪街道",
        )
    )
    n = rng.randint
    shapes = (
        f"{place}{road}路{n(1, 999)}号", f"{place}{road}路{n(1, 999)}号{n(1, 30)}幢{n(101, 3202)}室", f"{place}{road}路{n(1, 999)}弄{n(1, 90)}号{n(101, 902)}",
        f"{place}{road}街{n(1, 99)}号{n(1, 9)}单元{n(101, 902)}", f"{place}{road}大道{n(1, 2999)}号", f"{place}{road}巷{n(1, 99)}号", f"{place}{road}路 {n(1, 99)} 号",
        f"{place}翠苑小区{n(1, 90)}幢{n(1, 6)}单元{n(101, 902)}室", f"{place}{road}花园{n(1, 30)}号楼{n(101, 902)}", f"{place}{road}路{n(1, 999)}号".translate(WIDE),
        f"{place}{road}路{n(1, 99)}号桂花苑{n(1, 9)}栋{n(1, 3)}单元{n(101, 902)}", f"{place}{road}新村{n(1, 99)}号{n(101, 602)}室", f"{place}{road}路十{rng.choice('一二三')}号",
        f"{place}{road}胡同{n(1, 99)}号", f"{place}{road}公寓{n(1, 9)}-{n(1, 3)}-{n(101, 902)}",
    )  # fmt: skip
    return rng.choice(("", "寄到", "我家在", "地址：", "住在")), rng.choice(shapes), ""


def ip(rng: random.Random) -> Piece:
    four = f"{rng.choice((192, 10, 172, 47, 120, 203))}." + ".".join(str(rng.randint(10, 255)) for _ in range(3))
    groups = [f"{rng.randint(4096, 65535):x}" for _ in range(8)]
    shapes = (
        four,
        four,
        four,
        four.translate(WIDE),
        ":".join(groups),
        f"2001:db8::{groups[0]}",
        f"fe80::{groups[1]}:{groups[2]}",
        f"240e:{groups[3]}::1",
    )
    return rng.choice(("", "", "ip ", "ip是")), rng.choice(shapes), ""


def document(rng: random.Random) -> Piece:
    cues = ("护照", "护照号：", "通行证", "台胞证号", "军官证：", "学号", "工号是", "passport ", "驾驶证号")
    cue = rng.choice(cues)
    return cue, rng.choice(("" if cue[1:2] == "号" else "E", "")) + _digits(rng, 8, "123456789"), ""


def link(rng: random.Random) -> Piece:
    secret = "".join(rng.choices(string.ascii_lowercase + string.digits, k=12))
    shapes = (
        f"https://example.com/a?token={secret}", f"http://user:{secret}@example.com/x", f"https://pan.example.com/s/1{secret}?pwd=ab12", f"mysql://root:{secret}@10.0.0.8:3306/db",
        f"https://example.com/cb?code={secret}&state=1", f"https://example.com/#access_token={secret}", f"https://example.com/f?id=3&sig={secret}", f"https://api.example.com/?api_key={secret}",
    )  # fmt: skip
    return "", rng.choice(shapes), ""


def secret(rng: random.Random) -> Piece:
    code = rng.choice(
        (
            _digits(rng, 4),
            _digits(rng, 6),
            "abc" + _digits(rng, 5),
            "Qwe!" + _digits(rng, 3) + "x",
            _digits(rng, 8),
            "k9-" + _digits(rng, 4),
        )
    )
    if rng.random() < 0.15:
        return (
            "",
            _digits(rng, 6),
            rng.choice(("是验证码", "是我的密码", "（验证码）", "，这是取件码", " 这个是密码", "就是门禁码")),
        )
    if rng.random() < 0.1:
        return rng.choice(("密码是", "密码：")), rng.choice(("hunter", "letmein", "iloveyou")), ""
    cues = (
        "密码", "密码是", "密码：", "密码:", "密码 ", "wifi密码", "WiFi密码是 ", "验证码", "验证码：", "您的验证码为", "取件码", "取件码 ", "提取码: ", "提取码：", "门禁密码", "口令：",
        "password: ", "password=", "pwd:", "pwd ", "密码改成了", "密码还是", "支付密码", "解压码", "解压密码：", "开门密码是", "取餐码", "邀请码：", "passwd is ", "密码我设的是",
    )  # fmt: skip
    return rng.choice(cues), rng.choice((code, code, code.translate(WIDE))), ""


KINDS: dict[str, Callable[[random.Random], Piece]] = {
    "phone": phone, "phone abroad": foreign, "landline": landline, "id_card": id_card, "bank_card": bank_card, "mail": mail, "qq": qq, "wxid": wxid,
    "plate": plate, "key": key, "address": address, "ip": ip, "document": document, "link": link, "secret": secret,
}  # fmt: skip


def positives(kind: str, n: int, rng: random.Random) -> Iterator[tuple[str, int, int]]:
    """Texts with one piece of a kind each, and where it stands."""
    for place in range(n):
        cue, piece, after = KINDS[kind](rng)
        before, behind = CARRIERS[place % len(CARRIERS)].split("{}")
        start = len(before) + len(cue)
        yield f"{before}{cue}{piece}{after}{behind}", start, start + len(piece)


HARMLESS = (
    *[
        "666",
        "6666",
        "66666",
        "666666",
        "6666666",
        "66666666666",
        "6666666666666666",
        "2333",
        "23333",
        "233333333333",
        "2333333333333333",
        "1111111111111111",
        "8888888888888888",
        "888",
        "999",
        "520",
        "1314",
        "5201314",
        "996",
        "007",
        "233",
        "2333哈哈",
        "哈哈2333",
        "666啊",
        "太6了",
        "3:2",
        "0:3",
        "12:10",
        "21:19",
        "2-1赢了",
        "比分3-2",
        "曼城3-2",
        "湖人112:108",
        "3比2",
        "2024-09-01",
        "2024/9/1",
        "2024.9.1",
        "20240901",
        "2024年9月1日",
        "9月1号",
        "12-25",
        "12:30",
        "23:59:59",
        "2024-09-01T12:30:00",
        "1999年",
        "2008-2012",
        "1725148800",
        "1725148800000",
    ],
    *"""
早上8:30到12:00 中午休息
13:05的高铁 G7341 6车12A
2024-09-01 13:06:03 那条你看了吗
99.9块 ¥199 $12.99 1299元 1.5万 3.2亿 200w 15k
房租3500押一付三 一共14000
15000000000元 够买几套房
13800000000块 他想得美
一百二十三万四千五百六十七
今天走了12345步 消耗了300大卡
群里999+消息 刷了1234条
版本1.2.3 更新到v10.0.19041.1 python 3.11.4 Chrome 120.0.6099.71 iOS 17.5.1
react@18.2.0 @types/node icon@2x.png user@localhost
第110105号 编号000123 No.12345 订单20240901123456
404寝室又断网 我们402的 3号楼502 南区宿舍3栋404 4栋楼下见 602室友
原神UID 123456789 游戏id: 1234567890 王者ID 87654321 steam 76561198012345678
房间号123456 快进 房号 4567 桌号12
BV1xx411c7mD av170001 https://www.bilibili.com/video/BV1xx411c7mD?p=3 https://github.com/a/b/issues/12345?page=2
https://example.com/watch?v=dQw4w9WgXcQ&t=120 http://www.example.com/2024/09/01/12345.html
坐3路12号线 2号线换4号线 102路公交 地铁10号线3号口 这条路2号车堵 一路12站
半路3号机坏了 思路2号 套路1 2 3 走这条路12分钟 道路千万条 安全第一条
逛街3号去吧 我们小区3号停水 新手村1号 知道3号考试 出差路上3号回
密码忘了 密码错了 验证码收不到 密码是多少 口令是啥 改密码啊 密码学好难 我密码输了3次 密码6位 password is wrong
取件码发我 取件码多少 提取码呢 忘记密码2333 密码666 验证码等了60秒 密码太长了记不住
加我一个 加我10块 加我10000块也不去 加群吗 加q吗 qq音乐 qq飞车 QQ空间 qq等级128级 QQ群2000人 QQ2024版
微信吗 微信支付 微信限额10000元 vx转我 加v吗 微信读书 微信运动12345步 微信iPhone版 wx小程序 微信 hello
身份证丢了 身份证拍一下 护照办了 学号多少 工号贴一下 银行卡限额5000 驾照考了3次
京A的车 粤B牌照 云A省 新A4纸 川A 沪A限行 苏A牌
1 2 3 4 5 6 7 8 9 10
1 3 5 7 9 11 13 15 17 19
15 16 17 18 19 20 21 22
13.5 14.2 15.8 16.1 17.3
100-200-300 1000-2000 3000~5000
2019 2020 2021 2022 2023
5000 6000 7000 8000
10086 10010 12306 110 120 119 95588 12315 打12345投诉
400-820-8820客服 客服热线400 123 4567
sk-learn好用 ask-me-anything-please-now risk-management-of-everything task-0001
一二三四五 一三五七九 二〇二四年 一一得一 三七二十一 二百五 十三太保 一五一十 五六七八 一二三木头人
127.0.0.1 0.0.0.0 255.255.255.0 1.1.1.1 localhost:8080 192.168 10.0版本 8.8.8.8
std::string a::b 12:30:45 1:2:3:4
look at github.com look at this at 3pm meet at 5 @全体成员 @小北 @所有人
1024x768 1920*1080 3.1415926535 2.718281828459 1+1=2 12*12=144 0.13912345678
1.73e10 0x1F4A9 #12345 #fff000 SHA 3f2a9c 5f1c2e8d9a
圆周率3.14159265358979323846264338327950288
考了598分 排名12345 CET4 425 GPA3.87 雅思6.5 年级第123名
体重120斤 身高175.5 血压120/80 心率72 体温36.5 度数-350 鞋码42
东经120.15 北纬30.28 海拔8848.86米 车速120km/h 5000米跑20分13秒
买了3件 5折 满300减40 199-50 2斤3两 1/3 50% 第3集 S01E12 3D 4K 5G 8GB+256GB i7-12700K RTX4090 RX580
京东618 双11 11.11 12.12 3.15 5.1放假 10.1回家 2.14 七夕8.10
0571的天气 区号021 邮编310000 200080
快递到了 快递柜3号口 菜鸟5号柜 顺丰12号发的 3栋楼下 5单元门口
开黑吗 5缺1 三缺一 8点 20:00 上号 1=3 2等1
我在路上 还有3站路 前面路口右转200米 村里12号办酒 镇上3号赶集 巷子口2号见
十二号线 三号楼 二十四节气 一号公路 2号选手 1路2号桌
token用完了 key错了 cookie吃3块 secret garden api限流60次
转账5200.00 收款1314.52 余额12345.67 工资12000到账 花呗还1500 红包0.01
""".strip().splitlines(),
)
"""Lines that people write; nothing in them is personal data."""

_LINES = (
    "{t}到{t2} 一共{n}个人", "{d}那天{n}块", "今天{n}步", "{t}见", "还剩{n}条消息", "比分{s}", "{s}赢了", "才{p}", "{p}太贵了", "买了{n}件 {p}", "{d} {t}开会",
    "666{w}", "2333{w}", "{w}2333", "{w}{six}", "{six}", "{laugh}", "{laugh}{w}", "{y}年的事了", "{y}-{y2}赛季", "v{v}更新了", "版本{v}有bug", "第{n}楼", "{n}楼见", "{m}室 {w}",
    "排队{n}号", "{n}人在线", "{d}之前交", "{d}{w}", "{w} {t}", "{n}/{n2}", "{n}%", "打了{n}分", "{n}公里{n2}分钟", "UID{u} 加好友", "房间{m} 速来", "打到{n}级了", "{p}+{p}",
    "{w}", "{w}啊", "你{w}", "{w}{n}", "{n}{w}{n2}", "{t} {t2} {w}", "学长{m}的", "{m}又停电了", "带{n}块 {t}", "{y}{mm}班", "{six}{s}", "听{n}遍了", "{n} {n2} {n}", "在第{n}页 {p}",
)  # fmt: skip
_WORDS = (
    "吃饭了吗",
    "哈哈哈",
    "在吗",
    "好的",
    "晚安",
    "睡了",
    "笑死",
    "绝了",
    "真的假的",
    "打游戏",
    "上课",
    "下班了",
    "明天见",
    "随便",
    "我到了",
    "等等我",
    "快点",
    "不知道啊",
    "可以",
    "行吧",
    "啊这",
    "救命",
    "别闹",
    "去哪",
    "几点",
    "一起",
    "一点点",
    "三思",
    "五一",
    "十一",
    "老六",
    "二次元",
    "四舍五入",
    "百分百",
    "千万别",
    "万一呢",
    "路上堵",
    "微信说",
    "密码呢",
    "邮箱呢",
    "地址呢",
    "电话打不通",
)


def harmless(rng: random.Random) -> str:
    """An ordinary line."""
    n = rng.randint
    price = rng.choice(
        (
            f"{n(1, 9999)}块",
            f"¥{n(1, 999)}.{n(0, 99):02}",
            f"{n(1, 99)}.{n(1, 9)}元",
            f"{n(1, 99999)}",
            f"{n(1, 9)}.{n(1, 9)}w",
        )
    )
    date = rng.choice(
        (
            f"{n(2010, 2026)}-{n(1, 12):02}-{n(1, 28):02}",
            f"{n(1, 12)}月{n(1, 28)}号",
            f"{n(1, 12)}.{n(1, 28)}",
            f"{n(2010, 2026)}{n(1, 12):02}{n(1, 28):02}",
            f"{n(2010, 2026)}/{n(1, 12)}/{n(1, 28)}",
        )
    )
    return rng.choice(_LINES).format(
        t=f"{n(0, 23)}:{n(0, 59):02}", t2=f"{n(0, 23):02}:{n(0, 59):02}:{n(0, 59):02}", n=n(1, 10 ** n(1, 5)), n2=n(1, 999), d=date,
        s=rng.choice((f"{n(0, 9)}:{n(0, 9)}", f"{n(0, 9)}-{n(0, 9)}", f"{n(60, 130)}:{n(60, 130)}", f"{n(0, 9)}比{n(0, 9)}")), p=price, w=rng.choice(_WORDS),
        six="6" * n(1, 24), laugh="2" + "3" * n(2, 24), y=n(1990, 2026), y2=n(1990, 2026), mm=f"{n(1, 12):02}", v=f"{n(0, 20)}.{n(0, 30)}.{n(0, 300)}",
        m=n(101, 999), u=n(10**8, 10**9 - 1),
    )  # fmt: skip
