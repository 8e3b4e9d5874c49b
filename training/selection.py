"""Which of my replies are learned from, and how often: repeats, copies, moments, balance, age.

Knows one session at a time and what the survey counted. A reply that isn't learned keeps its place in
the conversation, as context. Weights below one are chances, drawn by the message's id: the same
records give the same choice.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from bot.persona.message import PLACEHOLDERS, Message
from config.settings import Dataset

SHORT = 6
"""Characters up to which a reply may be a habit, such as 嗯 or 哈哈哈."""
LEAST_REPEATS = 20
"""Times that any reply may be learned, however few there are in all."""
COPIED, COPY_CHARS = 0.8, 24
"""A session is a copy when this share of its characters stood in earlier ones, and no fewer than that."""

_MOMENT = re.compile(
    r"(?:今[天早晚]|明[天早晚]|后天|昨[天晚]|前天|(?:这|下|上)?(?:周|星期|礼拜)[一二三四五六日天末]"
    r"|(?:这|下|上)(?:周|个?月|学期)|[一二两三四五六七八九十\d]{1,3}[点:：](?!了)|待会|等会|一会儿?|马上|刚刚|刚才|现在|这会)"
)
_STATE = re.compile(
    r"我|咱|有(?:课|事|空|会|考试)|没(?:课|空|时间|钱)|在(?:家|外|路上|上课|上班|开会|吃|睡|公司|学校|宿舍)"
    r"|到(?:家|了)|出(?:门|发|差)|上(?:课|班)|下(?:课|班)|加班|开会|放假|请假|回(?:家|来|去)"
)
_MEDIA = frozenset(PLACEHOLDERS.values()) - {PLACEHOLDERS["face"], PLACEHOLDERS["poke"]}


class Verdict(NamedTuple):
    """Whether a reply is learned, and what is special about it."""

    learned: bool
    note: str = ""


def folded(text: str) -> str:
    """A short reply as it counts as the same: laughter of any length, no punctuation."""
    return re.sub(r"(.)\1{2,}", r"\1\1", re.sub(r"[\W_]+", "", text.lower())) or text.strip()


def is_short(text: str) -> bool:
    return len(text) <= 2 * SHORT and len(folded(text)) <= SHORT


def bound_to_a_moment(text: str) -> bool:
    """Whether it says how things were just then ("我周四没课"), which is no habit but soon wrong."""
    return _MOMENT.search(text) is not None and _STATE.search(text) is not None


class Selection:
    """Verdicts over the sessions in the order they are shown; remembers hashes of what it saw."""

    def __init__(self, knobs: Dataset, repeats: dict[str, int], replies: dict[str, int], newest: int) -> None:
        self._knobs = knobs
        allowed = max(LEAST_REPEATS, knobs.repeat_share * sum(replies.values()))
        self._repeats = {text: allowed / n for text, n in repeats.items() if n > allowed}
        sizes = sorted(replies.values())
        middle = sizes[len(sizes) // 2] if sizes else 0
        self._chats = {chat: min(1.0, middle / n) ** knobs.balance for chat, n in replies.items() if n}
        self._newest = newest
        self._pairs: set[int] = set()

    def verdicts(self, session: Sequence[Message]) -> dict[str, Verdict]:
        """Message id → verdict, for all of mine that could be learned."""
        copied = self._is_copy(session)
        verdicts: dict[str, Verdict] = {}
        before: Message | None = None
        for message in session:
            if not message.mine:
                before = message
            elif message.learnable:
                verdicts[message.id] = Verdict(False, "copy") if copied else self._verdict(message, before)
        return verdicts

    def _verdict(self, message: Message, before: Message | None) -> Verdict:
        weights = {"balance": self._chats.get(message.chat, 1.0), "age": self._of_age(message.time)}
        text = message.text
        weights["repeated"] = self._repeats.get(folded(text), 1.0) if is_short(text) else 1.0
        note = ""
        if before is not None and before.bare_media and not _MEDIA.isdisjoint(s.plain() for s in before.segments):
            note = "unseen_media"
        elif bound_to_a_moment(text):
            note = "moment"
        if note:
            weights[note] = self._knobs.state_weight
        chance = 1.0
        for weight in weights.values():
            chance *= weight
        if chance >= 1 or _draw(self._knobs.seed, message.id) < chance:
            return Verdict(True, note)
        return Verdict(False, min(weights, key=lambda reason: weights[reason]))

    def _of_age(self, time: int) -> float:
        days = self._knobs.half_life_days
        return 0.5 ** (max(0, self._newest - time) / 86400 / days) if days else 1.0

    def _is_copy(self, session: Sequence[Message]) -> bool:
        """Whether most of what was asked and answered stood in earlier sessions word for word."""
        said = seen = 0
        pairs: list[int] = []
        asked = ""
        for message in session:
            text = message.text
            if not message.mine:
                asked = text
            elif message.learnable:
                pair = hash((asked, text))
                pairs.append(pair)
                said += (size := len(asked) + len(text))
                seen += size if pair in self._pairs else 0
        self._pairs.update(pairs)
        return seen >= COPY_CHARS and seen >= COPIED * said


def _draw(seed: int, message_id: str) -> float:
    digest = hashlib.blake2b(f"{seed}:{message_id}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
