"""Which windows the optimiser sees together, and in which pieces they pass through the model.

    lengths ─Updates─▶ updates of about equal tokens ─micro_batches─▶ what fits into memory at once

An update depends on the data, the recipe and the seed; how it is cut into micro-batches, and how
many processes share it, changes nothing but time and memory. So a run goes on in the same order
after a break, also where the card turned out to be too small. Pure: knows no tensors.
"""

import random
from collections.abc import Iterator, Sequence

UPDATES_AN_EPOCH = 100
"""Many short windows may share an update as long as an epoch keeps so many of them."""


def tokens_an_update(lengths: Sequence[int], rows: int, max_length: int) -> int:
    """Tokens that the optimiser sees at once, where the recipe says `rows` windows.

    At least `rows` windows of mean length, as the recipe says; where that makes more updates than
    an epoch needs, more of them, up to the tokens of `rows` full windows.
    """
    total = sum(lengths)
    return min(rows * max_length, max(-(-rows * total // len(lengths)), total // UPDATES_AN_EPOCH))


class Updates:
    """Every window once an epoch, those of similar length together: what a DataLoader takes as batch_sampler.

    `tokens`: padded tokens of one update. With several `shares` each update comes as so many
    lists in a row, one for each process; a process without a window gets a negative index, ~i,
    and computes window i without loss. The number of updates is the same in every epoch.
    """

    def __init__(self, lengths: Sequence[int], tokens: int, seed: int, shares: int = 1) -> None:
        self.epoch, self.tokens = 0, tokens
        self._buckets = [bucket(length) for length in lengths]
        self._seed, self._shares = seed, shares
        self._sizes = _sizes(sorted(self._buckets, reverse=True), tokens)
        self.an_epoch = len(self._sizes)
        self._shortest = min(range(len(lengths)), key=lengths.__getitem__)

    def __len__(self) -> int:
        return len(self._sizes) * self._shares

    def __iter__(self) -> Iterator[list[int]]:
        for update in self.updates():
            for share in range(self._shares):
                yield update[share :: self._shares] or [~self._shortest]

    def updates(self) -> list[list[int]]:
        """The updates of this epoch; the one with the longest windows first, so that too little memory shows at once."""
        draw = random.Random(f"{self._seed}/{self.epoch}")
        order = sorted(range(len(self._buckets)), key=lambda i: (-self._buckets[i], draw.random()))
        cuts, start = [], 0
        for size in self._sizes:
            cuts.append(order[start : start + size])
            start += size
        rest = cuts[1:]
        draw.shuffle(rest)
        return [cuts[0], *rest]


def bucket(length: int) -> int:
    """The length rounded up by at most a sixteenth: windows of one bucket are drawn as if equally long."""
    step = 1 << max(0, (length - 1).bit_length() - 5)
    return -(-length // step) * step


def _sizes(lengths: Sequence[int], tokens: int) -> list[int]:
    """How many windows, longest first, go into each update."""
    sizes: list[int] = []
    start = 0
    while start < len(lengths):
        wanted = max(1, tokens // lengths[start])
        sizes.append(min(wanted, len(lengths) - start))
        start += wanted
        if start > len(lengths) and len(sizes) > 1 and sizes[-1] * 2 < wanted:
            # A handful of left-overs would weigh as much as a whole update.
            sizes[-2:] = [sizes[-2] + sizes[-1]]
    return sizes


def micro_batches(lengths: Sequence[int], limit: int, *, packed: bool, at_least: int = 1) -> list[list[int]]:
    """Indices of the windows that pass through the model together, longest first.

    `limit`: tokens at once: padded ones, or where windows are `packed` end to end, their own. A
    single window always passes. `at_least` so many come back where processes have to keep step; ~i stands
    for window i without loss where there are not enough windows.
    """
    found: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if found and cost([lengths[j] for j in (*found[-1], i)], packed=packed) <= limit:
            found[-1].append(i)
        else:
            found.append([i])
    while len(found) < at_least:
        largest = max(range(len(found)), key=lambda k: len(found[k]))
        whole = found[largest]
        if len(whole) > 1:
            found[largest : largest + 1] = [whole[: len(whole) // 2], whole[len(whole) // 2 :]]
        else:
            found.append([~min(range(len(lengths)), key=lengths.__getitem__)])
    return found


def cost(lengths: Sequence[int], *, packed: bool) -> int:
    """Tokens that are computed for these windows in one micro-batch."""
    return sum(lengths) if packed else len(lengths) * max(lengths, default=0)
