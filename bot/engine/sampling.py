"""How the next token of every row is drawn, each row by its own rules and its own seed.

A row's dice are Gumbel noise from the row's own generator, added to its scores; the likeliest
token of the sum is then a fair draw. So the likeliest token is all that is ever taken, and no row depends
on its neighbours: alone or in a batch, a seeded row says the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.engine.rows import Row

if TYPE_CHECKING:
    import torch

_FEW = 1024
"""Tokens among which those that top_p keeps are looked for first."""
_SORTED = 8
"""Rows whose whole vocabulary a card sorts without asking."""
_OFF = 2.0
"""A top_p that no sum of probabilities reaches."""


class Draw:
    """How the rows of one batch draw.

    Nothing here waits for the card, but for one question where many rows' probabilities are narrowed.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._hot = [n for n, row in enumerate(rows) if row.sampling.temperature > 0]
        self._settled = False
        self.broken: torch.Tensor
        """Rows whose scores were not finite at this step."""

    def next(self, scores: "torch.Tensor") -> "torch.Tensor":
        """The next token of every row, (rows,)."""
        tokens = self.judged(scores).argmax(dim=-1)
        self._remember(tokens[:, None])
        return tokens

    def judged(self, scores: "torch.Tensor") -> "torch.Tensor":
        """Scores whose likeliest token is the one that is drawn."""
        if not self._settled:
            self._settle(scores)
        self.broken = ~scores.amax(dim=-1).isfinite()
        if self._plain:
            return scores
        scores = self._penalise(scores.masked_fill(self.broken[:, None], 0.0))
        if len(self._hot) == len(self._rows):
            scores = self._warm(scores)
        elif self._hot:
            scores = scores.index_copy(0, self._places, self._warm(scores[self._places]))
        return scores

    def _warm(self, scores: "torch.Tensor") -> "torch.Tensor":
        scores = scores / self._temperature
        return self._narrow(scores).add_(self._noise(scores))

    def _settle(self, scores: "torch.Tensor") -> None:
        """What needs the size of the vocabulary and the device: the rules as columns."""
        import torch

        self._settled = True
        device, vocabulary = scores.device, scores.shape[-1]
        rules = [row.sampling for row in self._rows]
        hot = [rules[n] for n in self._hot]

        def column(values: list[float]) -> torch.Tensor:
            return torch.tensor(values, device=device, dtype=torch.float32)[:, None]

        self._places = torch.tensor(self._hot, device=device)
        self._temperature = column([rule.temperature for rule in hot])
        self._sorts = any(rule.top_k or rule.top_p < 1 for rule in hot)
        self._sure = all(rule.top_k for rule in hot)
        few = max((rule.top_k for rule in hot), default=0) if self._sure else _FEW
        # A card sorts a few rows in less time than it takes to ask it whether it must.
        self._few = vocabulary if scores.is_cuda and len(hot) <= _SORTED and not self._sure else min(few, vocabulary)
        self._top_k = column([rule.top_k or vocabulary for rule in hot])
        self._top_p = column([rule.top_p if rule.top_p < 1 else _OFF for rule in hot])
        self._min_p = column([rule.min_p for rule in hot]) if any(rule.min_p for rule in hot) else None
        self._dice = [_generator(rule.seed, device) for rule in hot]
        self._counts = (
            torch.zeros_like(scores) if any(r.presence_penalty or r.frequency_penalty for r in rules) else None
        )
        self._presence = column([rule.presence_penalty for rule in rules])
        self._frequency = column([rule.frequency_penalty for rule in rules])
        self._seen = _seen(self._rows, scores) if any(rule.repetition_penalty != 1 for rule in rules) else None
        self._repetition = column([rule.repetition_penalty for rule in rules])
        self._plain = not self._hot and self._counts is None and self._seen is None

    def _remember(self, last: "torch.Tensor") -> None:
        if self._counts is not None:
            self._counts.scatter_add_(1, last, self._counts.new_ones(last.shape))
        if self._seen is not None:
            self._seen.scatter_(1, last, True)

    def _penalise(self, scores: "torch.Tensor") -> "torch.Tensor":
        """Repetition over prompt and reply, presence and frequency over the reply alone."""
        import torch

        if self._seen is not None:
            weaker = torch.where(scores < 0, scores * self._repetition, scores / self._repetition)
            scores = torch.where(self._seen, weaker, scores)
        if self._counts is not None:
            scores = scores - self._presence * (self._counts > 0) - self._frequency * self._counts
        return scores

    def _narrow(self, scores: "torch.Tensor") -> "torch.Tensor":
        """Rule out all but top_k, then top_p of what is left, then what min_p allows."""
        import torch

        if self._sorts:
            ordered, order, out = self._ruled_out(scores)
            kept = ordered.masked_fill(out, -torch.inf)
            scores = torch.full_like(scores, -torch.inf).scatter_(1, order, kept)
        if self._min_p is not None:
            floor = scores.amax(dim=-1, keepdim=True) + self._min_p.log()
            scores = scores.masked_fill(scores < floor, -torch.inf)
        return scores

    def _ruled_out(self, scores: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        """The likeliest scores in order, where they stand, and which of them top_k and top_p rule out.

        Sorting a whole vocabulary is dear, and mostly a few tokens hold the probability asked for;
        where they don't, at this step or the one before, all of it is sorted.
        """
        import torch

        vocabulary = scores.shape[-1]
        while True:
            ordered, order = (
                scores.topk(self._few, dim=-1) if self._few < vocabulary else scores.sort(dim=-1, descending=True)
            )
            rank = torch.arange(self._few, device=scores.device)
            beyond = rank >= self._top_k
            # Of all tokens where top_k is off, of the first top_k where it is on.
            first = torch.where(beyond, -torch.inf, ordered)
            whole = torch.where(self._top_k < vocabulary, first.logsumexp(-1, True), scores.logsumexp(-1, True))
            share = (first - whole).exp()
            before = share.cumsum(dim=-1) - share
            out = beyond | (before >= self._top_p)
            if self._sure or self._few == vocabulary or bool((out[:, -1:] | (self._top_k <= self._few)).all()):
                return ordered, order, out
            self._few = vocabulary

    def _noise(self, scores: "torch.Tensor") -> "torch.Tensor":
        import torch

        waits = torch.empty_like(scores)
        for row, dice in zip(waits, self._dice, strict=True):
            row.exponential_(generator=dice)
        # An exponential draw can be 0, and infinite noise would beat every rule.
        return -waits.clamp_min_(torch.finfo(waits.dtype).tiny).log_()


def _generator(seed: int | None, device: "torch.device") -> "torch.Generator":
    import torch

    generator = torch.Generator(device=device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def _seen(rows: Sequence[Row], scores: "torch.Tensor") -> "torch.Tensor":
    """Which tokens stand in each row's own prompt; its padding is none of it."""
    import torch

    seen = torch.zeros_like(scores, dtype=torch.bool)
    for flags, row in zip(seen, rows, strict=True):
        flags[torch.tensor(row.ids, device=scores.device)] = True
    return seen
