"""What the commands answer, and what `help` says of each, in Chinese and English (see bot/words.py)."""

from bot.words import Text
from plugins.admin.roles import Role

# How an answer is put together.
PLUGIN = Text("命令：看状态、在哪里说话、换人格、管人", "Commands: how it is, where it speaks, as whom, and to whom")
USAGE = Text("用法：{usage}", "Usage: {usage}")
USAGES = Text("用法：\n{usages}", "Usage:\n{usages}")
COMMAND = Text("{names}：{about}", "{names}: {about}")
AND = Text("、", ", ")
ALSO = Text("，", ", ")
NEXT = Text("；", "; ")
FAILED = Text("没成，还是原来的样子", "That didn't work; nothing was changed")
FAILED_WHY = Text("没成，还是原来的样子。原因：{why}", "That didn't work; nothing was changed. Why: {why}")
ASIDE = Text("私聊发你了", "Sent to you in private")
NOT_ASIDE = Text("这个只能私聊说，可我没法私聊你", "That is for a private chat, and I can't write to you there")
NO_NUMBER = Text("{word} 不是数字", "{word} is not a number")
OUT_OF_RANGE = Text("要在 {least:g} 到 {most:g} 之间", "It must be between {least:g} and {most:g}")

# What each command does, and what follows its word.
ABOUT_OFF = Text("这里不说话了", "say nothing here any more")
ABOUT_MUTE = Text("安静一会儿，不写分钟就一直到 unmute", "be quiet for so many minutes; without a number until /unmute")
ABOUT_UNMUTE = Text("不用再安静了", "stop being quiet")
ABOUT_CLEAR = Text("前面说过的不再看（不删）", "start afresh: what was said before is not looked at (nor deleted)")
ABOUT_FREQ = Text(
    "插话多少：0 只在被叫时，1 像本人", "how often to join in: 0 only when called, 1 like the real person"
)
ABOUT_HELP = Text("有哪些命令", "which commands there are")
ABOUT_STATUS = Text("看看现在怎么样", "how things are")
ABOUT_ON = Text(
    "在这里说话：被叫才回、也插话、先给主人看、只在心里说",
    "speak here: when called, also joining in, drafts to the owner first, or drafts that nobody is sent",
)
ABOUT_UNDO = Text("撤回刚才的回复，或 /say 说的", "take back the last reply, or what /say said")
ABOUT_RETRY = Text("撤回刚才的回复，重说一遍", "take back the last reply and say it anew")
ABOUT_STOP = Text(
    "正在说的别说了；all 是全部聊天急停（主人）", "drop what is being said; all: emergency stop everywhere (owner)"
)
ABOUT_WHY = Text("刚才为什么说、为什么没说", "why it just spoke, or didn't")
ABOUT_BLOCK = Text("不理这个人（@ 他、写号码，或引用他的话）", "don't answer somebody (@, number, or quote their line)")
ABOUT_UNBLOCK = Text("又理他了", "answer them again")
ABOUT_BLOCKLIST = Text("不理哪些人", "who is not answered")
ABOUT_STATS = Text("今天说了多少", "how much was said today")
ABOUT_WHOAMI = Text("你能做什么", "who you are to the bot")
ABOUT_RELOAD = Text("换上最新的版本", "take the newest version")
ABOUT_MODEL_LIST = Text("有哪些人格和版本", "which personas and versions there are")
ABOUT_MODEL_LOAD = Text("换成这里人格的另一个版本", "another version of the persona that speaks here")
ABOUT_MODEL_USE = Text("这个聊天换一个人格", "another persona for this chat")
ABOUT_ROLLBACK = Text("退回上一个版本", "back to the version before")
ABOUT_PERSONA = Text("这里是谁在说话；写名字就换成他", "who speaks here; with a name: who shall")
ABOUT_PAUSE = Text("停下模型，把显卡空出来", "stop the model and free the GPU")
ABOUT_RESUME = Text("把模型开回来，急停也解除", "start the model again; also ends the emergency stop")
ABOUT_ALLOW = Text("记下并可以回这个聊天", "keep this chat, and answer there if it is on")
ABOUT_DENY = Text("不记也不回这个聊天", "neither keep nor answer this chat")
ABOUT_ADMIN = Text("机器人管理员：看、加、减", "the bot's admins: list, add, remove")
ABOUT_FORGET = Text(
    "真的删掉：引用的那句、某个人在这里（all 所有聊天）说的、整个聊天",
    "really delete: the quoted line, what somebody said here (all: in every chat), or this whole chat",
)
ABOUT_SET = Text("这里的设置：看、改", "settings of this chat: look, change")
ABOUT_SAY = Text("替我说这句", "say this for me")
ABOUT_TEACH = Text(
    "刚才那句（或引用的那句）我会这么说：记下来训练用",
    "what I would have said instead of the last reply (or the quoted one): kept for training",
)
ABOUT_REMEMBER = Text("记住一件关于我的事，这里的人都可以听到", "remember something about me; anybody here may hear it")
ABOUT_MEMORY = Text(
    "记住了我的哪些事；forget 是忘掉有这几个字的",
    "what is remembered about me; forget: drop what has these words in it",
)
ABOUT_TAKEOVER = Text(
    "这里我自己说，机器人先别说；off 是还给它", "I speak here myself, the bot keeps quiet; off: give it back"
)
ABOUT_RETRAIN = Text("最近一次训练怎么样", "how the last training came out")

NOTHING = Text("", "")
MINUTES = Text("[分钟]", "[minutes]")
HOW_OFTEN = Text("[0-3]", "[0-3]")
A_COMMAND = Text("[命令]", "[command]")
A_MODE = Text("[called|join|draft|shadow]", "[called|join|draft|shadow]")
EVERYWHERE = Text("[all]", "[all]")
WHO = Text("@谁", "@who")
FORCE = Text("[--force]", "[--force]")
A_VERSION = Text("版本 [--force]", "VERSION [--force]")
A_PERSONA = Text("人格", "PERSONA")
SOME_PERSONA = Text("[人格]", "[PERSONA]")
A_CHAT = Text("[group:号码]", "[group:NUMBER]")
ADD_REMOVE = Text("[add|remove @谁]", "[add|remove @who]")
WHAT_TO_FORGET = Text("[引用] [@谁 [all]] [chat 确认]", "[quote] [@who [all]] [chat yes]")
WHAT_TO_SET = Text(
    "[night later|morning] [share 0-1|auto] [consent yes|no]",
    "[night later|morning] [share 0-1|auto] [consent yes|no]",
)
SOME_WORDS = Text("[group:号码] 话", "[group:NUMBER] words")
WHICH_FACTS = Text("[字] [forget 字]", "[words] [forget words]")
UNTIL = Text("[分钟|off]", "[minutes|off]")

# A chat: whether and how much is said there.
ROLES = {
    Role.GROUP_ADMIN: Text("这个群的管理员", "an admin of this group"),
    Role.ADMIN: Text("机器人管理员", "an admin of the bot"),
    Role.OWNER: Text("主人", "the owner"),
}
SWITCHED = {
    "off": Text("好，这里我不说话了", "OK, I say nothing here"),
    "called": Text("好，这里开着了：叫我就回", "OK, on here: I answer when called"),
    "join": Text("好，这里开着了：叫我就回，有时也插句话", "OK, on here: I answer when called, and join in at times"),
    "draft": Text("好，这里开着了：要说的先给主人看", "OK, on here: the owner sees first what I would say"),
    "shadow": Text("好，这里开着了：只在心里说，不发出来", "OK, on here: I only draft, and send nothing"),
}
NO_MODE = Text("没有 {word} 这种", "There is no {word}")
NOT_WITH_OWNER = Text("和主人的私聊用不着这个", "There is no need for that in the owner's own chat")
DENIED = Text("这里是禁止的（/deny），主人先 /allow", "This chat is denied (/deny): the owner must /allow it first")
MUTED = Text("好，先不说话了，/unmute 叫我回来", "OK, quiet until /unmute")
MUTED_FOR = Text("好，安静 {minutes:g} 分钟", "OK, quiet for {minutes:g} min")
OWNER_SPEAKS = Text("主人自己在这里说话，不用我", "The owner speaks here, I am not needed")
UNMUTED = Text("好，回来了", "OK, I'm back")
UNMUTED_OFF = Text("好，不过这里还关着，/on 才开", "OK, but I am off here: /on switches me on")
CLEARED = Text("好，前面的我不看了", "OK, I start afresh")
FREQ = Text("现在 {now:g}（0 只在被叫时，1 像本人）", "Now {now:g} (0 only when called, 1 like the real person)")
FREQ_DOWN = Text("只能往下调，现在 {now:g}", "You may only turn it down; now {now:g}")
FREQ_SET = Text("好，频率 {freq:g}", "OK, freq {freq:g}")
FREQ_UNUSED = Text(
    "好，频率 {freq:g}（这里现在只在被叫时说话，/on join 才插话）",
    "OK, freq {freq:g} (I speak only when called here: /on join lets me join in)",
)
UNDONE = Text("撤回了 {count} 条", "Taken back: {count}")
NOTHING_UNDONE = Text("没有能撤回的", "There is nothing to take back")
PAUSED = Text("模型停着，/resume 才能重说", "The model is paused: /resume first")
RETRYING = Text("在重说了", "Saying it anew")
NOTHING_RETRIED = Text("没有可以重说的", "There is nothing to say anew")
TAUGHT = Text("记住了，下次训练就学", "Remembered; the next training learns it")
NOT_MINE = Text("引用的不是我最近说的话", "The quoted line is none that I said lately")
NOTHING_SAID = Text("这里最近没有我说的话", "I said nothing here lately")
ALL_STOPPED = Text("全部停了，/resume 才继续", "Everything is stopped until /resume")
STOPPED = Text("好，不说了", "OK, I drop it")
RECALLED = Text("上次想起了 {count} 条", "lines remembered for it: {count}")
RECALLED_THESE = Text("上次想起了 {count} 条：{lines}", "lines remembered for it: {count}: {lines}")
KEPT = Text("好，记下了；/on 才说话", "OK, it is kept; /on lets me speak")
NOT_KEPT = Text("好，那里不记也不回了", "OK, that chat is neither kept nor answered")
NO_AT = Text("代说的话里不能 @ 人", "What I say for you can't @ anybody")
NOT_ALLOWED = Text("那个聊天没开，先 /allow", "That chat is not allowed: /allow it first")
NOT_SAID = Text("没说出去：被禁言了，或者急停着", "Not said: muted there, or the emergency stop is on")
SAID = Text("好，替你说了", "OK, said for you")
GIVEN_BACK = Text("好，我接着说", "OK, I carry on")
TAKEN = Text("好，这里归你了，/takeover off 还给我", "OK, this chat is yours; /takeover off gives it back")
TAKEN_FOR = Text("好，{minutes:g} 分钟里这里归你", "OK, this chat is yours for {minutes:g} min")
SETTINGS = Text(
    "模式 mode：{mode}（/on、/off 改）\n频率 freq：{freq:g}（/freq 改）\n夜里有人叫 night：{night}\n"
    "插话最多占 share：{share:.0%}{own}\n可以拿来训练 consent：{consent}",
    "mode: {mode} (changed by /on, /off)\nfreq: {freq:g} (changed by /freq)\nnight: {night}\n"
    "share of what is said, at most: {share:.0%}{own}\nconsent to training: {consent}",
)
OWN_SHARE = Text("（像本人）", " (like the real person)")
NIGHTS = {
    "later": Text("晚点回", "a call is answered later"),
    "morning": Text("早上回", "a call is answered in the morning"),
}
CONSENTS = {
    "yes": Text("可以", "yes"),
    "no": Text("不可以", "no"),
    "": Text("没说，按不可以", "never given, so no"),
}

# People, and what is forgotten.
NOT_THE_OWNER = Text("不能拉黑主人", "The owner can't be blocked")
BLOCKED = Text("好，不理 {who} 了", "OK, {who} gets no answer")
NOT_BLOCKED = Text("{who} 不在黑名单里", "{who} is not on the block list")
UNBLOCKED = Text("好，又理 {who} 了", "OK, {who} is answered again")
NOBODY_BLOCKED = Text("黑名单是空的", "Nobody is blocked")
WHOAMI = Text("{role}，你的号 {sender}，这里是 {chat}", "You are {role}, your id is {sender}, this is {chat}")
ADMINS = Text("机器人管理员：{admins}", "Admins of the bot: {admins}")
NO_ADMINS = Text("机器人管理员：没有", "Admins of the bot: none")
ADMIN_MADE = Text("好，{who} 是机器人管理员了", "OK, {who} is an admin of the bot")
ADMIN_UNMADE = Text("好，{who} 不再是机器人管理员", "OK, {who} is no longer an admin of the bot")
SURE = Text(
    "要删掉 {chat} 的全部记录，删了就没了。确定就发：/forget chat 确认",
    "This deletes all that is kept of {chat}, for good. If you are sure: /forget chat yes",
)
ONE_OF_THEM = Text("引用一句，或者 @ 一个人，只能要一个", "Quote a line or @ a person, not both")
ONE_PERSON = Text("一次一个人", "One person at a time")
NOBODY_NAMED = Text("要写清是谁：@ 他、写号码，或引用他的话", "Say who: @ them, give the number, or quote their line")
FORGOTTEN = Text("删掉了{what}", "Deleted: {what}")
NOTHING_FORGOTTEN = Text("没有可删的", "There is nothing to delete")
TABLES = {
    "messages": Text("{count} 条消息", "messages {count}"),
    "mentions": Text("{count} 处 @", "mentions {count}"),
    "labels": Text("{count} 个称呼", "names {count}"),
    "drafts": Text("{count} 条草稿", "drafts {count}"),
    "preferences": Text("{count} 条教过的话", "taught lines {count}"),
    "settings": Text("{count} 项记录", "records {count}"),
    "consents": Text("{count} 个同意", "consents {count}"),
}

# What is remembered.
FACTS_FORGOTTEN = Text("忘掉了：{facts}", "Forgotten: {facts}")
NO_SUCH_FACT = Text("没有记着“{words}”", "Nothing with “{words}” is remembered")
NO_FACTS = Text("还没有记住什么：/remember 话", "Nothing is remembered yet: /remember words")
NO_FACT = Text("要有话，最多 200 字", "Some words, 200 characters at most")
REMEMBERED = Text("记住了，谁都可以听到", "Remembered; anybody may hear it")
REMEMBERED_HERE = Text("记住了，只在 {chat} 里说", "Remembered; told only in {chat}")
FACT = Text("· {text}（{heard}）", "· {text} ({heard})")
MORE = Text("还有 {count} 条", "and {count} more")
NEVER = Text("绝不说", "never said")
HEARD_BY = {"anyone": Text("谁都可以听", "for anybody"), "nobody": Text("谁也不说", "for nobody")}

# Personas and their versions.
NO_NEW_VERSION = Text("没有新版本，{called}重新开了一遍", "There is no newer version; {called} was started again")
EXCHANGED = Text("换好了：{called}", "Done: {called}")
ROLLED_BACK = Text("退回去了：{called}", "Back to {called}")
USED = Text("好，这里换成 {called}", "OK, here it is {called} from now on")
SPEAKS_HERE = Text("这里是 {called}", "Here it is {called}")
VERSIONS = Text("{name} 的版本，新的在前：", "Versions of {name}, newest first:")
OTHERS = Text("别的人格：{names}", "Other personas: {names}")
NO_OTHERS = Text("没有别的人格", "There are no other personas")
VERSION = Text("· {name}（{marks}）", "· {name} ({marks})")
SERVING = Text("在用", "in use")
CURRENT = Text("重载会换上它", "taken by /reload")
NOT_PASSED = Text("评分没过", "refused by the gate")
PAUSING = Text(
    "好，模型停了，显卡空出来了；/resume 叫我回来。这期间我谁也不回",
    "OK, the model is stopped and the GPU free; nobody gets an answer until /resume",
)
RESUMED = Text("回来了", "I'm back")
NO_VERSION = Text("{name} 还没有训练好的版本", "{name} has no trained version yet")
TRAINED = Text("{name}，{when} 训练好的", "{name}, trained {when}")
NO_SCORES = Text("还没有评过分", "Not scored yet")
LOSS = Text("留出的话上的损失 {loss:.3f}", "Loss on held-out lines {loss:.3f}")
LEAKS = Text("{generations} 条生成里泄漏 {leaks} 条", "Leaks: {leaks} of {generations} generated lines")
PASSED = Text("评分过了", "The gate let it pass")
REFUSED = Text("评分没过：{reasons}", "The gate refused it: {reasons}")
NOT_JUDGED = Text("没有评判过", "The gate has not judged it")

# How things are.
STATES = {
    "ready": Text("在线", "ready"),
    "starting": Text("正在启动", "starting"),
    "asleep": Text("睡着", "asleep"),
    "paused": Text("暂停中", "paused"),
    "away": Text("连不上", "out of reach"),
    "closed": Text("已关", "closed"),
}
MODES = {
    "off": Text("关", "off"),
    "called": Text("叫了才回", "answers when called"),
    "join": Text("也插话", "joins in"),
    "draft": Text("先给主人看", "drafts to the owner"),
    "shadow": Text("只在心里说", "drafts only"),
}
UP = Text("{name}（{hash}），已运行 {time}", "{name} ({hash}), up {time}")
UNSEALED = Text("没有封存", "not sealed")
MODEL = Text("模型 {name}：{state}", "Model {name}: {state}")
RESTARTED = Text("重启过 {times} 次", "restarted {times} times")
FAILS = Text("连续 {times} 次没起来", "failed to start {times} times in a row")
FAILS_WHY = Text("连续 {times} 次没起来：{why}", "failed to start {times} times in a row: {why}")
CUT_PROMPTS = Text(
    "{chats} 个聊天里有话一问就崩，先只看之后说的",
    "crashed by something said in {chats} chats, of which only what came since is shown to it for now",
)
HELD_PROMPTS = Text(
    "{chats} 个聊天一再把它问崩，先不回", "crashed again and again by {chats} chats, which are not answered for now"
)
HALTED = Text("急停着，哪里都不说话，/resume 才继续", "Emergency stop: silent everywhere until /resume")
HERE = Text(
    "这里：{mode}{quiet}；开着的聊天 {on} 个，安静着的 {hushed} 个",
    "Here: {mode}{quiet}; chats that are on: {on}, quiet: {hushed}",
)
QUIET = Text("，安静到 {clock}", ", quiet until {clock}")
TURNS = Text(
    "回了 {answered} 条，正在想 {drafting}，排队 {waiting}，被限 {capped}，失败 {failed}",
    "Answered {answered}, drafting {drafting}, waiting {waiting}, over a limit {capped}, failed {failed}",
)
TODAY = Text(
    "今天说了 {sent} 条，没让它说出口的 {held} 条，黑名单 {blocked} 人",
    "Said today {sent}, held back {held}, people blocked {blocked}",
)
STATS = Text(
    "今天这里说了 {here} 条，回了 {replies} 次；全部聊天 {everywhere} 条，上限 {most}",
    "Said here today {here}, replies {replies}; in all chats {everywhere} of at most {most}",
)
DAYS = Text("{days} 天 {hours} 小时", "{days} d {hours} h")
HOURS = Text("{hours} 小时 {minutes} 分", "{hours} h {minutes} min")
ONLY_MINUTES = Text("{minutes} 分钟", "{minutes} min")
