"""What replies share with the records: runs of characters, and who alone said them where.

Goes once over the records for all replies that are asked about; keeps nothing of the records but what
those replies hold too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from scipy.stats import binom

from training.evaluate.sample import Moment, Reply

STEPS = (8, 12, 16, 20, 24, 32, 48, 64)
"""Lengths at which a longest common string is told."""
_LEAST_DIFFERENT = 4
"""Different characters below which a run is laughter or dots, and nobody's own."""


@dataclass(slots=True, frozen=True)
class Spoken:
    """A reply and everything that stood in its prompt: repeating that gives nothing away."""

    reply: Reply
    prompt: str
    _runs: dict[int, set[str]] = field(default_factory=dict, repr=False, compare=False)

    def runs(self, size: int) -> set[str]:
        """Runs of `size` characters of the reply that its prompt doesn't hold."""
        if size not in self._runs:
            held = {run for bubble in self.reply.bubbles for run in runs(bubble, size)}
            self._runs[size] = {run for run in held if run not in self.prompt}
        return self._runs[size]


def spoken(moments: Sequence[Moment], replies: Sequence[Reply]) -> list[Spoken]:
    """Replies with the prompts of their moments."""
    return [Spoken(reply, prompt(moment)) for moment, reply in zip(moments, replies, strict=True)]


def prompt(moment: Moment) -> str:
    """All that the persona was shown, names among it."""
    shown = [bubble.text for turn in moment.turns for bubble in turn.bubbles]
    shown += [bubble.quote for turn in moment.turns for bubble in turn.bubbles if bubble.quote]
    said = [message.text for message in (*moment.messages, *moment.quoted.values())]
    return "\n".join([*shown, *said, moment.name, *moment.labels.values()])


def runs(text: str, size: int) -> Iterable[str]:
    """Runs of `size` characters that are more than laughter."""
    found = (text[place : place + size] for place in range(len(text) - size + 1))
    return (run for run in found if len(set(run)) >= _LEAST_DIFFERENT)


def owners(
    wanted: set[str], records: Iterable[Reply], size: int, key: Callable[[Reply], str]
) -> dict[str, dict[str, int]]:
    """Who (or which chat) said each of the wanted runs, by `key`, and in how many replies."""
    found: dict[str, dict[str, int]] = {}
    for reply in records:
        held = {
            run
            for bubble in reply.bubbles
            for place in range(len(bubble) - size + 1)
            if (run := bubble[place : place + size]) in wanted
        }
        for run in held:
            counts = found.setdefault(run, {})
            counts[key(reply)] = counts.get(key(reply), 0) + 1
    return found


def longest(asked: Sequence[Spoken], records: Sequence[Reply]) -> list[int]:
    """The longest string that each reply shares with the records, in STEPS; 0 below the least."""
    reached = [0] * len(asked)
    alive = list(range(len(asked)))
    for size in STEPS:
        own = {place: asked[place].runs(size) for place in alive}
        seen = owners(set().union(*own.values()), records, size, lambda _: "")
        alive = [place for place in alive if not own[place].isdisjoint(seen)]
        if not alive:
            break
        for place in alive:
            reached[place] = size
    return reached


def beyond(hits: int, n: int, own: int, own_n: int) -> float:
    """The chance of so many hits among `n`, were they as frequent as `own` among `own_n` of mine (exact, conditional)."""
    return float(binom.sf(hits - 1, hits + own, n / (n + own_n))) if hits else 1.0
