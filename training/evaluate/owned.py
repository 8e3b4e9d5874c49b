"""Whose own a string is: of one person alone, or of one private chat alone, in all the records.

Knows who said what where; doesn't judge how much of it is too much.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.evaluate.overlap import Spoken, owners, runs
from training.evaluate.sample import ME, Reply

OWN, SURELY_OWN = 8, 16
"""Characters of a string that may be somebody's own, and of one that no coincidence makes."""
NEWEST = 5000
"""Of my replies in the records, those that are looked at."""


@dataclass(slots=True)
class Own:
    """Of how many replies how many hold somebody's (or some chat's) own string, and how many a surely own one."""

    n: int
    hits: int
    sure: int

    def __add__(self, other: "Own") -> "Own":
        return Own(self.n + other.n, self.hits + other.hits, self.sure + other.sure)


@dataclass(slots=True, frozen=True)
class Question:
    """Whose own a string may be: of a person, or of a private chat."""

    key: Callable[[Reply], str]
    foreign: Callable[[str, Reply], bool]
    """Whether a key is somebody else's than the reply's."""


def questions(records: Sequence[Reply]) -> dict[str, Question]:
    private = {reply.chat for reply in records if reply.kind == "private"}
    return {
        "third_party": Question(lambda reply: reply.author, lambda author, _: author != ME),
        "cross_chat": Question(lambda reply: reply.chat, lambda chat, reply: chat in private and chat != reply.chat),
    }


def of_others(asked: Sequence[Spoken], records: Sequence[Reply], question: Question) -> Own:
    """How many of the replies hold a string that stands in the records by one alone, who is somebody else."""

    def count(size: int) -> int:
        own = [one.runs(size) for one in asked]
        said = owners(set().union(*own), records, size, question.key)
        alone = {run: next(iter(keys)) for run, keys in said.items() if len(keys) == 1}
        return sum(
            any(run in alone and question.foreign(alone[run], one.reply) for run in mine)
            for one, mine in zip(asked, own, strict=True)
        )

    return Own(len(asked), count(OWN), count(SURELY_OWN))


def of_mine(records: Sequence[Reply], question: Question) -> Own:
    """The same of my replies in the records, each as if it didn't stand there; what its session held was its prompt."""
    mine = [reply for reply in records if reply.author == ME][-NEWEST:]
    others = [reply for reply in records if reply.author != ME]

    def count(size: int) -> int:
        own = [{run for bubble in reply.bubbles for run in runs(bubble, size)} for reply in mine]
        wanted: set[str] = set().union(*own)
        said = owners(wanted, records, size, question.key)
        seen = owners(wanted, others, size, lambda reply: reply.session)
        hits = 0
        for reply, held in zip(mine, own, strict=True):
            key = question.key(reply)
            for run in held:
                left = [one for one, n in said[run].items() if n > (one == key)]
                if len(left) == 1 and question.foreign(left[0], reply) and reply.session not in seen.get(run, ()):
                    hits += 1
                    break
        return hits

    return Own(len(mine), count(OWN), count(SURELY_OWN))
